// SPDX-License-Identifier: GPL-2.0-only
#include "register_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_BYTES	65536
#define SECONDS_MAX	60

struct reader {
	struct register_config *c;
	void (*complain)(void *ctx, const char *text);
	void *ctx;
	const char *file;
	unsigned line;
};

/* Each takes a value, and returns false if it cannot be one. */
static bool take_words(const char *value, bool *to, const char *yes, const char *no)
{
	if (strcmp(value, yes) && strcmp(value, no))
		return false;
	*to = !strcmp(value, yes);
	return true;
}

static bool take_check(struct register_config *c, const char *value)
{
	return take_words(value, &c->check, "yes", "no");
}

static bool take_may_hang(struct register_config *c, const char *value)
{
	return take_words(value, &c->refuse_may_hang, "refuse", "register");
}

static bool take_repair(struct register_config *c, const char *value)
{
	return take_words(value, &c->repair, "yes", "no");
}

static bool take_seconds(struct register_config *c, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (!strchr("0123456789", value[0]) || *end || !n || n > SECONDS_MAX)
		return false;
	c->seconds = (unsigned)n;
	return true;
}

/* Of the timer that saves superblocks, which reads the same file. */
static bool take_other(struct register_config *c, const char *value)
{
	return true;
}

static const struct key {
	const char *name, *expected;
	bool (*take)(struct register_config *c, const char *value);
} keys[] = {
	{ "CHECK", "yes or no", take_check },
	{ "CHECK_SECONDS", "1 to 60", take_seconds },
	{ "MAY_HANG", "refuse or register", take_may_hang },
	{ "REPAIR", "yes or no", take_repair },
	{ "SAVE_DIR", NULL, take_other },
	{ "SAVE_KEEP", NULL, take_other },
	{ "SAVE_IMAGE", NULL, take_other },
};

/* Without the white space around it, and without the quotes. */
static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n && strchr(" \t\r\n", s[n - 1]))
		s[--n] = '\0';
	if (n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n - 1] == s[0]) {
		s[n - 1] = '\0';
		s++;
	}
	return s;
}

static void complain(const struct reader *r, const char *name, const char *what,
		     const char *expected)
{
	char text[512];

	if (!r->complain)
		return;
	snprintf(text, sizeof(text), "%s: line %u: %s is \"%.64s\", expected %s", r->file, r->line,
		 name, what, expected);
	r->complain(r->ctx, text);
}

static void take_line(const struct reader *r, char *line)
{
	char *name = trim(line), *value = strchr(name, '=');

	if (!*name || *name == '#')
		return;
	if (!value) {
		complain(r, "the line", name, "NAME=VALUE");
		return;
	}
	*value++ = '\0';
	value = trim(value);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strcmp(keys[i].name, name))
			continue;
		if (!keys[i].take(r->c, value))
			complain(r, name, value, keys[i].expected);
		return;
	}
	complain(r, "the name", name, "one of cache-tools(8)");
}

void register_config_read(struct register_config *c, const char *file,
			  void (*complain_fn)(void *ctx, const char *text), void *ctx)
{
	struct reader r = { .c = c, .complain = complain_fn, .ctx = ctx, .file = file };
	char *text, *next;
	size_t n = 0;
	FILE *f;

	*c = (struct register_config){ .check = true, .seconds = 2, .refuse_may_hang = true };
	f = fopen(file, "re");
	text = f ? calloc(1, CONFIG_BYTES + 1) : NULL;
	if (text)
		n = fread(text, 1, CONFIG_BYTES, f);
	if (!text ? errno != ENOENT : ferror(f)) {
		char why[512];

		snprintf(why, sizeof(why), "%s: %s", file, strerror(errno));
		if (complain_fn)
			complain_fn(ctx, why);
	}
	next = n ? text : NULL;
	while (next) {
		r.line++;
		take_line(&r, strsep(&next, "\n"));
	}
	free(text);
	if (f)
		fclose(f);
}
