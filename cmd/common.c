// SPDX-License-Identifier: GPL-2.0-only
#include "common.h"

#include "host/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_BYTES = 0x4000, OPT_LIST };

static const struct argp_option common_options[] = {
	{ "quiet", 'q', NULL, 0, "say nothing but errors", -2 },
	{ "verbose", 'v', NULL, 0, "say more; repeat for still more", -2 },
	{ "json", 'J', NULL, 0, "one JSON document instead of text", -2 },
	{ "bytes", OPT_BYTES, NULL, 0, "exact bytes in text, no units", -2 },
	{ "list-options", OPT_LIST, NULL, OPTION_HIDDEN, NULL, -2 },
	{ NULL, 'h', NULL, OPTION_HIDDEN, NULL, -2 },
	{ }
};

/* One per line, for completions: "--long" or "-s", and "=" when it takes a value. */
static void list_options(const struct argp *argp)
{
	const struct argp_option *o = argp->options;

	for (; o && (o->name || o->key || o->doc); o++) {
		if (o->flags & (OPTION_HIDDEN | OPTION_DOC))
			continue;
		if (o->name)
			printf("--%s%s\n", o->name, o->arg ? "=" : "");
		if (o->key > ' ' && o->key < 127)
			printf("-%c\n", o->key);
	}
	for (const struct argp_child *ch = argp->children; ch && ch->argp; ch++)
		list_options(ch->argp);
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct cmd *c = state->input;

	switch (key) {
	case 'q':
		c->quiet = true;
		return 0;
	case 'v':
		c->verbose++;
		return 0;
	case 'J':
		c->json = true;
		return 0;
	case OPT_BYTES:
		c->bytes = true;
		return 0;
	case OPT_LIST:
		list_options(state->root_argp);
		exit(EXIT_DONE);
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp common_argp = { common_options, parse_common };

static error_t parse_top(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;	/* struct cmd is its first member */
	state->child_inputs[1] = state->input;
	return 0;
}

static void print_version(FILE *out, struct argp_state *state)
{
	fprintf(out, "%s (cache-tools) %s\n", state->name, CACHE_TOOLS_VERSION);
}

void cmd_parse(struct cmd *c, const struct argp *argp, int argc, char **argv,
	       unsigned flags)
{
	struct argp applet = *argp;
	const struct argp_child children[] = {
		{ &applet }, { &common_argp }, { }
	};
	const struct argp root = {
		.parser = parse_top, .children = children,
		.args_doc = argp->args_doc, .doc = argp->doc,
		.help_filter = argp->help_filter,
	};

	applet.args_doc = applet.doc = NULL;
	c->name = argv[0];
	argp_program_version_hook = print_version;
	argp_err_exit_status = c->usage_status;
	if (argp_parse(&root, argc, argv, flags, NULL, c))
		exit(c->usage_status);
}

uint64_t cmd_arg_bytes(const struct argp_state *state, const char *what, const char *arg)
{
	uint64_t v = 0;

	if (cache_bytes_parse(arg, &v))
		argp_error(state, "%s is \"%s\", expected a size such as 512k, 8MiB or 16s",
			   what, arg);
	return v;
}

uint64_t cmd_arg_number(const struct argp_state *state, const char *what, const char *arg)
{
	uint64_t v = 0;

	if (cache_number_parse(arg, &v))
		argp_error(state, "%s is \"%s\", expected a number", what, arg);
	return v;
}

unsigned cmd_arg_name(const struct argp_state *state, const char *what, const char *arg,
		      const char *(*name)(unsigned), unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(arg, name(i)))
			return i;
	argp_error(state, "unknown %s '%s'", what, arg);
	return 0;
}

struct cache_report *cmd_report(struct cmd *c)
{
	if (!c->report)
		c->report = cache_report_open(stdout, (c->json ? CACHE_REPORT_JSON : 0) |
						      (c->bytes ? CACHE_REPORT_EXACT : 0));
	if (!c->report) {
		fprintf(stderr, "%s: no memory\n", c->name);
		exit(c->usage_status == FSCK_USAGE ? FSCK_ERROR : EXIT_FAILED);
	}
	return c->report;
}

int cmd_end(struct cmd *c, int status)
{
	int ret = cache_report_close(c->report);

	c->report = NULL;
	errno = EIO;
	if (!ret && (fflush(stdout) || ferror(stdout)))
		ret = cache_stream_error(stdout);
	if (!ret)
		return status;
	if (ret != -EPIPE)
		fprintf(stderr, "%s: cannot write the result: %s\n", c->name, strerror(-ret));
	return c->usage_status == FSCK_USAGE ? status | FSCK_ERROR : EXIT_FAILED;
}

static void say(const struct cmd *c, const char *device, const char *kind,
		const char *text)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s%s%s%s\n", c->name, device ? device : "",
		device ? ": " : "", kind, text);
}

static void fail_with(struct cmd *c, const char *device, int code, uint64_t sector,
		      const char *text)
{
	if (c->json)
		cache_report_error(cmd_report(c), device, code, sector, text);
	else
		say(c, device, "", text);
}

int cmd_error(struct cmd *c, const char *device, int code, const struct cache_err *err)
{
	fail_with(c, device, code, err ? err->sector : 0, cache_err_text(err, code));
	return EXIT_FAILED;
}

#define FORMAT_TEXT(text, fmt)				\
	do {						\
		va_list ap;				\
							\
		va_start(ap, fmt);			\
		vsnprintf(text, sizeof(text), fmt, ap);	\
		va_end(ap);				\
	} while (0)

int cmd_fail(struct cmd *c, const char *device, const char *fmt, ...)
{
	char text[1024];

	FORMAT_TEXT(text, fmt);
	fail_with(c, device, -ECANCELED, 0, text);
	return EXIT_FAILED;
}

void cmd_warn(const struct cmd *c, const char *device, const char *fmt, ...)
{
	char text[1024];

	if (c->quiet)
		return;
	FORMAT_TEXT(text, fmt);
	say(c, device, "warning: ", text);
}

void cmd_note(const struct cmd *c, unsigned level, const char *fmt, ...)
{
	char text[1024];

	if (c->quiet || c->verbose < level)
		return;
	FORMAT_TEXT(text, fmt);
	say(c, NULL, "", text);
}

char *cmd_device(struct cmd *c, const char *spec)
{
	struct cache_err err = { };
	char *path = NULL;
	int ret = cache_probe_resolve(spec, &path, &err);

	if (ret)
		cmd_error(c, spec, ret, &err);
	return ret ? NULL : path;
}

void cmd_warn_in_use(const struct cmd *c, const char *path)
{
	struct cache_holder holder;

	if (cache_probe_holder(NULL, path, &holder) != 1 || !holder.bcache)
		return;
	cmd_warn(c, path, "in use by %s%s: what is read may be stale",
		 holder.set[0] ? "cache set " : "the kernel's bcache driver", holder.set);
}

bool cmd_may_write(struct cmd *c, const char *path)
{
	struct cache_holder holder;
	char text[512];

	if (cache_probe_holder(NULL, path, &holder) != 1)
		return true;
	cache_holder_text(&holder, path, text, sizeof(text));
	fail_with(c, path, -EBUSY, 0, text);
	return false;
}

bool cmd_is_something_else(struct cmd *c, const char *path)
{
	struct cache_signature sig[CACHE_PROBE_MAX];
	unsigned n = 0;

	if (cache_probe(path, sig, &n, NULL) || !n)
		return false;
	cmd_fail(c, path, "no bcache superblock, and it holds %s: left as it is", sig[0].type);
	return true;
}

bool cmd_ask(const char *prompt)
{
	char line[16];

	if (!isatty(STDIN_FILENO))
		return false;
	fprintf(stderr, "%s (y/N) ", prompt);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static volatile sig_atomic_t cancelled;

static void on_cancel(int sig)
{
	cancelled = 1;
}

void cmd_catch_cancel(void)
{
	/* the default action comes back, so a second Ctrl-C kills */
	struct sigaction sa = { .sa_handler = on_cancel, .sa_flags = SA_RESETHAND };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old;

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
}

bool cmd_cancelled(void)
{
	return cancelled;
}
