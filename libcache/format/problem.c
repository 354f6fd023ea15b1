// SPDX-License-Identifier: GPL-2.0-only
/* The table of problems, and how a finding becomes a line. */
#include "format/problem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sort.h"

/* Numbers have gaps, rows do not. */
enum row {
	ROW_NONE,
#define PROBLEM(code, ...) ROW_##code,
#include <libcache/problems.def>
#undef PROBLEM
};

/* Of a row: its severity, and whether it is always shown. */
#define SEVERITY_NOTE		CACHE_SEVERITY_NOTE, false
#define SEVERITY_NOTICE		CACHE_SEVERITY_NOTE, true
#define SEVERITY_WARN		CACHE_SEVERITY_WARN, true
#define SEVERITY_CORRUPT	CACHE_SEVERITY_CORRUPT, true

static const struct cache_problem_info table[] = {
	[ROW_NONE] = { .code = "NONE", .error = -EUCLEAN, .text = "" },
#define PROBLEM(code, number, severity, verdict, remedy, doubt, error, text)	\
	[ROW_##code] = { #code, number, SEVERITY_##severity,			\
			 CACHE_VERDICT_##verdict, CACHE_FIX_##remedy,		\
			 CACHE_DOUBT_##doubt, error, text },
#include <libcache/problems.def>
#undef PROBLEM
};

static const struct {
	const char *name;
	size_t at;
} numbers[] = {
#define X(name) { #name, offsetof(struct cache_finding, name) },
	CACHE_FINDING_NUMBERS(X)
#undef X
};

const struct cache_problem_info *cache_problem_info(enum cache_problem code)
{
	switch (code) {
#define PROBLEM(code, ...) case CACHE_P_##code: return &table[ROW_##code];
#include <libcache/problems.def>
#undef PROBLEM
	default:
		return &table[ROW_NONE];
	}
}

const char *cache_severity_name(enum cache_severity severity)
{
	static const char *const names[] = { "note", "warning", "corrupt" };

	return (unsigned)severity < 3 ? names[severity] : "?";
}

const char *cache_verdict_name(enum cache_verdict verdict)
{
	static const char *const names[] = {
		"starts", "damage", "may-hang", "hangs", "refuses", "disables", "panics",
	};

	return (unsigned)verdict < sizeof(names) / sizeof(*names) ? names[verdict] : "?";
}

const char *cache_remedy_name(enum cache_remedy remedy)
{
	static const char *const names[] = {
		"none", "superblock", "journal", "prios", "uuids", "btree",
		"drop-clean", "drop-dirty",
	};

	return (unsigned)remedy < sizeof(names) / sizeof(*names) ? names[remedy] : "?";
}

/* @name is "field" or "field:x", as it stands between braces. */
/* What stands behind the name of a number, if anything does. */
static enum cache_field_kind number_kind(const char *name, size_t len)
{
	if (len > 2 && !memcmp(name + len - 2, ":x", 2))
		return CACHE_FIELD_HEX;
	if (len > 2 && !memcmp(name + len - 2, ":s", 2))
		return CACHE_FIELD_SEQ;
	return CACHE_FIELD_NUMBER;
}

static bool field_value(const struct cache_finding *f, const char *name, size_t len,
			struct cache_finding_field *field)
{
	enum cache_field_kind kind = number_kind(name, len);
	size_t base = kind == CACHE_FIELD_NUMBER ? len : len - 2;

	if (base >= sizeof(field->name))
		return false;
	memset(field, 0, sizeof(*field));
	memcpy(field->name, name, base);
	if (!strcmp(field->name, "what")) {
		field->kind = CACHE_FIELD_WORD;
		field->word = f->what;
		return true;
	}
	if (!strcmp(field->name, "uuid")) {
		field->kind = CACHE_FIELD_UUID;
		field->uuid = f->uuid;
		return true;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		if (strcmp(field->name, numbers[i].name))
			continue;
		field->kind = kind;
		memcpy(&field->number, (const char *)f + numbers[i].at,
		       sizeof(field->number));
		return true;
	}
	return false;
}

bool cache_finding_field(const struct cache_finding *f, unsigned i,
			 struct cache_finding_field *field)
{
	const char *p = cache_problem_info(f->code)->text;

	for (;;) {
		const char *end;

		p = strchr(p, '{');
		end = p ? strchr(p, '}') : NULL;
		if (!end)
			return false;
		if (!i--)
			return field_value(f, p + 1, end - p - 1, field);
		p = end;
	}
}

static int print_uuid(char *buf, size_t nbytes, const uint8_t *u)
{
	return snprintf(buf, nbytes,
			"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9],
			u[10], u[11], u[12], u[13], u[14], u[15]);
}

static int print_field(char *buf, size_t nbytes, const struct cache_finding_field *v)
{
	switch (v->kind) {
	case CACHE_FIELD_HEX:
		return snprintf(buf, nbytes, "0x%" PRIx64, v->number);
	case CACHE_FIELD_WORD:
		return snprintf(buf, nbytes, "%s", v->word ? v->word : "?");
	case CACHE_FIELD_UUID:
		return print_uuid(buf, nbytes, v->uuid);
	default:
		return snprintf(buf, nbytes, "%" PRIu64, v->number);
	}
}

#define CORRECTED	"; one byte is wrong, the checksum says which, and nothing is lost"

void cache_finding_text(const struct cache_finding *f, char *buf, size_t nbytes)
{
	const char *p = cache_problem_info(f->code)->text;
	struct cache_finding_field v;
	size_t at = 0;

	while (*p && at + 1 < nbytes) {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;

		if (!end || !field_value(f, p + 1, end - p - 1, &v)) {
			buf[at++] = *p++;
			continue;
		}
		at += print_field(buf + at, nbytes - at, &v);
		if (at >= nbytes)
			at = nbytes - 1;
		p = end + 1;
	}
	if (nbytes)
		snprintf(buf + at, nbytes - at, "%s", f->corrected ? CORRECTED : "");
}

void cache_sink_ignore(void *ctx, const struct cache_finding *f)
{
}

int cache_found(const struct cache_sink *sink, struct cache_err *err,
		const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	char text[CACHE_ERR_TEXT_BYTES];

	if (sink) {
		if (sink->report)
			sink->report(sink->ctx, f);
		return 0;
	}
	if (info->severity != CACHE_SEVERITY_CORRUPT)
		return 0;
	cache_finding_text(f, text, sizeof(text));
	return cache_err_set(err, info->error, f->sector, "%s", text);
}

int cache_poll_sink(void *sink)
{
	return cache_poll(sink, 0, 0, 0);
}

int cache_sort_polled(void *v, size_t n, size_t size,
		      int (*cmp)(const void *a, const void *b, void *ctx), void *ctx,
		      const struct cache_sink *sink)
{
	return cache_sort(v, n, &(struct cache_sort){ .size = size, .cmp = cmp, .ctx = ctx,
						      .poll = cache_poll_sink, .poll_ctx = (void *)sink });
}
