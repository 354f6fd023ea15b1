// SPDX-License-Identifier: GPL-2.0-only
/*
 * One writer for text and JSON. A stack holds the open containers; the top of it tells a value
 * how to separate itself. json-c does the escaping, libsmartcols the columns.
 */
#include "report/report.h"
#include "base/human.h"
#include "base/types.h"
#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <libsmartcols.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_ROWS_HELD	1024	/* more rows than this are printed and freed */
#define LABEL_WIDTH	24

enum kind { TOP, OBJECT, ARRAY, LIST, TABLE, ROW };

struct cache_report {
	FILE	 *out;
	unsigned  flags;
	int	  failed;	/* first failure, negative errno */
	enum cache_utf8_how how;	/* what the locale can show */
	bool	  errored;	/* the document already carries an error */
	unsigned  depth;	/* index of the top of the stack */
	struct level {
		enum kind kind;
		unsigned  count;	/* values written in it */
	} stack[CACHE_REPORT_DEPTH + 1];

	/* the current table */
	const struct cache_field *cols;
	unsigned		  ncols;
	unsigned		  tflags;
	struct libscols_table	 *tb;
	struct libscols_line	 *line;
};

static struct level *top(struct cache_report *r)
{
	return &r->stack[r->depth];
}

bool cache_report_is_json(const struct cache_report *r)
{
	return r->flags & CACHE_REPORT_JSON;
}

static void fail(struct cache_report *r, int code)
{
	if (!r->failed)
		r->failed = code;
}

int cache_stream_error(FILE *out)
{
	int saved = errno;
	struct pollfd p = { .fd = fileno(out), .events = POLLOUT };

	if (poll(&p, 1, 0) == 1 && p.revents & POLLERR)
		return -EPIPE;
	if (saved && saved != EIO)
		return -saved;
	clearerr(out);
	errno = EIO;
	return fflush(out) ? -errno : -EIO;
}

static void fail_write(struct cache_report *r)
{
	fail(r, cache_stream_error(r->out));
}

static void put(struct cache_report *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct cache_report *r, const char *fmt, ...)
{
	va_list ap;

	if (r->failed)
		return;
	va_start(ap, fmt);
	errno = EIO;
	if (vfprintf(r->out, fmt, ap) < 0 || ferror(r->out))
		fail_write(r);
	va_end(ap);
}

/* Writes bytes unchanged: millions of rows must not go through a format string. */
static void put_bytes(struct cache_report *r, const char *s, size_t n)
{
	if (r->failed)
		return;
	errno = EIO;
	if (fwrite_unlocked(s, 1, n, r->out) != n)
		fail_write(r);
}

static void put_text(struct cache_report *r, const char *s)
{
	put_bytes(r, s, strlen(s));
}

/*
 * A JSON string. What is not UTF-8 becomes U+FFFD first; json-c does not escape the control
 * characters after the first 32.
 */
static void put_json_string(struct cache_report *r, const char *s)
{
	char *valid = cache_utf8_clean(s, CACHE_UTF8_REPLACE), *safe = NULL;
	struct json_object *o = valid ? json_object_new_string(valid) : NULL;
	const char *text = o ? json_object_to_json_string_ext(o,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;

	if (text)
		safe = cache_utf8_clean(text, CACHE_UTF8_JSON);
	if (safe)
		put(r, "%s", safe);
	else
		fail(r, -ENOMEM);
	json_object_put(o);
	free(safe);
	free(valid);
}

/* Comma, line break and key that come before a value. Rows stay on one line. */
static void json_before(struct cache_report *r, const char *key)
{
	struct level *l = top(r);
	bool inside_line = l->kind == ROW || l->kind == LIST;

	if (l->count++)
		put_text(r, inside_line ? ", " : ",");
	if (!inside_line)
		put(r, "\n%*s", 2 * ((int)r->depth + 1), "");
	if (!key || l->kind == ARRAY || l->kind == LIST || l->kind == TABLE)
		return;
	put_text(r, "\"");	/* constant strings of ours: nothing needs an escape */
	put_text(r, key);
	put_text(r, "\": ");
}

static void push(struct cache_report *r, enum kind kind)
{
	if (r->depth >= CACHE_REPORT_DEPTH) {
		fail(r, -EINVAL);
		return;
	}
	r->stack[++r->depth] = (struct level){ .kind = kind };
}

static void open_container(struct cache_report *r, const char *key, enum kind kind)
{
	if (r->failed)
		return;
	if (cache_report_is_json(r)) {
		json_before(r, key);
		put_text(r, kind == OBJECT || kind == ROW ? "{" : "[");
	}
	push(r, kind);
}

void cache_report_object(struct cache_report *r, const char *key)
{
	open_container(r, key, OBJECT);
}

void cache_report_array(struct cache_report *r, const char *key)
{
	open_container(r, key, ARRAY);
}

void cache_report_list(struct cache_report *r, const struct cache_field *f)
{
	if (r->failed)
		return;
	if (!cache_report_is_json(r) && f->label)
		put(r, "%s:%*s", f->label,
		    (int)strlen(f->label) < LABEL_WIDTH - 2 ?
		    LABEL_WIDTH - 2 - (int)strlen(f->label) : 0, "");
	open_container(r, f->key, f->label || cache_report_is_json(r) ? LIST : ARRAY);
}

static void table_columns(struct cache_report *r)
{
	r->tb = scols_new_table();
	if (!r->tb) {
		fail(r, -ENOMEM);
		return;
	}
	scols_table_set_stream(r->tb, r->out);
	scols_table_enable_noencoding(r->tb, 1);
	for (unsigned i = 0; i < r->ncols; i++)
		if (r->cols[i].label &&
		    !scols_table_new_column(r->tb, r->cols[i].label, 0,
					    r->cols[i].unit < CACHE_UNIT_WORD ?
					    SCOLS_FL_RIGHT : 0))
			fail(r, -ENOMEM);
}

void cache_report_table(struct cache_report *r, const char *key,
			const struct cache_field *cols, unsigned ncols, unsigned flags)
{
	if (r->failed)
		return;
	if (r->cols) {
		fail(r, -EINVAL);	/* one table at a time */
		return;
	}
	open_container(r, key, TABLE);
	r->cols = cols;
	r->ncols = ncols;
	r->tflags = flags;
	if (!cache_report_is_json(r) && !(flags & CACHE_TABLE_TABS))
		table_columns(r);
}

static void table_print(struct cache_report *r)
{
	int ret;

	if (r->failed || !scols_table_get_nlines(r->tb))
		return;
	errno = EIO;
	ret = scols_print_table(r->tb);
	if (ferror(r->out))
		fail_write(r);
	else if (ret)
		fail(r, ret < 0 ? ret : -EIO);
	scols_table_remove_lines(r->tb);
	scols_table_enable_noheadings(r->tb, 1);
}

static void table_end(struct cache_report *r)
{
	if (r->tb)
		table_print(r);
	scols_unref_table(r->tb);
	r->tb = NULL;
	r->cols = NULL;
}

void cache_report_row(struct cache_report *r)
{
	if (r->failed)
		return;
	if (top(r)->kind != TABLE) {
		fail(r, -EINVAL);
		return;
	}
	open_container(r, NULL, ROW);
	if (!r->tb)
		return;
	if (scols_table_get_nlines(r->tb) >= TABLE_ROWS_HELD)
		table_print(r);
	r->line = scols_table_new_line(r->tb, NULL);
	if (!r->line)
		fail(r, -ENOMEM);
}

void cache_report_end(struct cache_report *r)
{
	struct level l = *top(r);

	if (r->failed || !r->depth) {
		fail(r, -EINVAL);
		return;
	}
	r->depth--;
	if (l.kind == TABLE)
		table_end(r);
	if (cache_report_is_json(r)) {
		if (l.count && l.kind != ROW && l.kind != LIST)
			put(r, "\n%*s", 2 * ((int)r->depth + 1), "");
		put_text(r, l.kind == OBJECT || l.kind == ROW ? "}" : "]");
	} else if (l.kind == LIST) {
		put_text(r, "\n");
	} else if (l.kind == ROW && !r->tb) {
		put_text(r, "\n");
	}
}

/* Which smartcols column the next cell falls in: JSON-only fields have none. */
static unsigned visible_before(const struct cache_report *r, unsigned cell)
{
	unsigned n = 0;

	for (unsigned i = 0; i < cell; i++)
		n += r->cols[i].label != NULL;
	return n;
}

static void text_cell(struct cache_report *r, const char *text)
{
	unsigned cell = top(r)->count++, before = visible_before(r, cell);

	if (!r->cols[cell].label)
		return;
	if (r->tb) {
		if (scols_line_set_data(r->line, before, text))
			fail(r, -ENOMEM);
		return;
	}
	put_text(r, before ? "\t" : "");
	put_text(r, text);
}

/* The field that describes the next value; NULL stops it. */
static const struct cache_field *field_of(struct cache_report *r,
					  const struct cache_field *f)
{
	struct level *l = top(r);

	if (r->failed)
		return NULL;
	if (l->kind == ROW)
		f = l->count < r->ncols ? &r->cols[l->count] : NULL;
	if (!f)
		fail(r, -EINVAL);
	return f;
}

static void text_value(struct cache_report *r, const struct cache_field *f, const char *v)
{
	if (top(r)->kind == ROW)
		text_cell(r, v);
	else if (top(r)->kind == LIST)
		put(r, " %s", v);
	else if (f->label)
		put(r, "%s:%*s %s\n", f->label,
		    (int)strlen(f->label) < LABEL_WIDTH - 2 ?
		    LABEL_WIDTH - 2 - (int)strlen(f->label) : 0, "", v);
}

/* @json is a finished JSON value. */
static void value(struct cache_report *r, const struct cache_field *f,
		  const char *json, const char *text)
{
	if (cache_report_is_json(r)) {
		json_before(r, f->key);
		put_text(r, json);
	} else {
		text_value(r, f, text);
	}
}

static const char *digits(char buf[CACHE_HUMAN_BYTES], uint64_t v)
{
	char *p = buf + 21;

	*--p = '\0';
	do
		*--p = '0' + v % 10;
	while (v /= 10);
	return p;
}

static const char *number_text(const struct cache_report *r, enum cache_unit unit,
			       uint64_t v, char buf[CACHE_HUMAN_BYTES])
{
	bool exact = r->flags & CACHE_REPORT_EXACT;
	bool tabs = top((struct cache_report *)r)->kind == ROW &&
		    (r->tflags & CACHE_TABLE_TABS);

	if (unit == CACHE_UNIT_WORD)
		snprintf(buf, CACHE_HUMAN_BYTES, "0x%" PRIx64, v);
	else if (unit == CACHE_UNIT_SECTORS && exact)
		snprintf(buf, CACHE_HUMAN_BYTES, "%" PRIu64,
			 v > UINT64_MAX / CACHE_SECTOR_BYTES ? UINT64_MAX :
			 v * CACHE_SECTOR_BYTES);
	else if (unit == CACHE_UNIT_SECTORS && !tabs && v <= UINT64_MAX / CACHE_SECTOR_BYTES)
		cache_bytes_show(buf, v * CACHE_SECTOR_BYTES);
	else if (unit == CACHE_UNIT_BYTES && !exact && !tabs)
		cache_bytes_show(buf, v);
	else if (unit == CACHE_UNIT_NS && !exact && !tabs)
		cache_ns_show(buf, v);
	else
		return digits(buf, v);
	return buf;
}

void cache_report_u64(struct cache_report *r, const struct cache_field *f, uint64_t v)
{
	char buf[CACHE_HUMAN_BYTES];

	f = field_of(r, f);
	if (!f)
		return;
	if (!cache_report_is_json(r)) {
		text_value(r, f, number_text(r, f->unit, v, buf));
		return;
	}
	json_before(r, f->key);
	if (f->unit == CACHE_UNIT_WORD || f->unit == CACHE_UNIT_SEQ)
		put(r, "\"0x%" PRIx64 "\"", v);
	else
		put_text(r, digits(buf, v));
}

void cache_report_real(struct cache_report *r, const struct cache_field *f, double v)
{
	char json[32], text[32], *comma;

	f = field_of(r, f);
	if (!f)
		return;
	snprintf(json, sizeof(json), isfinite(v) ? "%.9g" : "null", v);
	snprintf(text, sizeof(text), isfinite(v) ? "%.4g" : "-", v);
	while ((comma = strchr(json, ',')))	/* independent of the locale */
		*comma = '.';
	value(r, f, json, text);
}

void cache_report_bool(struct cache_report *r, const struct cache_field *f, bool v)
{
	f = field_of(r, f);
	if (f)
		value(r, f, v ? "true" : "false", v ? "yes" : "no");
}

void cache_report_null(struct cache_report *r, const struct cache_field *f)
{
	f = field_of(r, f);
	if (f)
		value(r, f, "null", "-");
}

void cache_report_str(struct cache_report *r, const struct cache_field *f, const char *v)
{
	char *clean;

	f = field_of(r, f);
	if (!f)
		return;
	if (cache_report_is_json(r)) {
		json_before(r, f->key);
		put_json_string(r, v);
		return;
	}
	clean = cache_utf8_clean(v, r->how);
	if (clean)
		text_value(r, f, clean);
	else
		fail(r, -ENOMEM);
	free(clean);
}

void cache_report_text(struct cache_report *r, const char *lines, size_t n)
{
	if (r->failed || cache_report_is_json(r))
		return;
	errno = EIO;
	if (fwrite(lines, 1, n, r->out) != n)
		fail_write(r);
}

void cache_report_line(struct cache_report *r, const char *fmt, ...)
{
	char *line = NULL, *clean = NULL;
	va_list ap;

	if (r->failed || cache_report_is_json(r))
		return;
	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		line = NULL;
	va_end(ap);
	if (line)
		clean = cache_utf8_clean(line, r->how);
	if (clean)
		put(r, "%s\n", clean);
	else
		fail(r, -ENOMEM);
	free(clean);
	free(line);
}

void cache_report_error(struct cache_report *r, const char *device, int code,
			uint64_t sector, const char *text)
{
	static const struct cache_field fields[] = {
		{ "device", NULL, CACHE_UNIT_TEXT }, { "code", NULL, CACHE_UNIT_TEXT },
		{ "sector", NULL, CACHE_UNIT_SECTORS }, { "message", NULL, CACHE_UNIT_TEXT },
	};

	if (!cache_report_is_json(r) || r->errored)
		return;
	while (r->depth && !r->failed)
		cache_report_end(r);
	r->errored = true;
	cache_report_object(r, "error");
	if (device)
		cache_report_str(r, &fields[0], device);
	cache_report_str(r, &fields[1], strerrorname_np(-code) ? : "EUNKNOWN");
	if (sector)
		cache_report_u64(r, &fields[2], sector);
	cache_report_str(r, &fields[3], text);
	cache_report_end(r);
}

struct cache_report *cache_report_open(FILE *out, unsigned flags)
{
	struct cache_report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->out = out;
	r->flags = flags;
	r->how = cache_utf8_of_locale();
	r->stack[0].kind = TOP;
	if (cache_report_is_json(r)) {
		put(r, "{");
		json_before(r, "schema");
		put(r, "%d", CACHE_REPORT_SCHEMA);
	}
	return r;
}

int cache_report_close(struct cache_report *r)
{
	int ret;

	if (!r)
		return 0;
	while (r->depth && !r->failed)
		cache_report_end(r);
	if (cache_report_is_json(r))
		put(r, "\n}\n");
	errno = EIO;
	if (fflush(r->out) || ferror(r->out))
		fail_write(r);
	ret = r->failed;
	scols_unref_table(r->tb);
	free(r);
	return ret;
}
