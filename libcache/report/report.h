/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A result, written once, read by people (text) or programs (JSON).
 *
 * A field is declared once: its JSON key, its label for people, its unit. Values
 * stream straight out; only a text table keeps rows, a bounded number of them, to
 * align its columns. Calls cannot fail one by one: the first failure sticks, later
 * calls do nothing, and cache_report_close() returns it.
 *
 * JSON is one document, "schema": 1 first. Sectors, buckets and counts are numbers,
 * full 64-bit words "0x..." strings, strings always valid UTF-8. Text never carries
 * a control character that came from a device, and in a locale whose characters are not
 * UTF-8 nothing but ASCII: what cannot be shown becomes \xNN.
 */
#ifndef LIBCACHE_REPORT_H
#define LIBCACHE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_REPORT_SCHEMA	1
#define CACHE_REPORT_DEPTH	16	/* containers open at once */

enum cache_report_flags {
	CACHE_REPORT_JSON	= 1 << 0,
	CACHE_REPORT_EXACT	= 1 << 1,	/* text: sizes as bytes, times as ns */
};

/* What a number counts. JSON and --bytes give it exactly, text as people say it. */
enum cache_unit {
	CACHE_UNIT_COUNT,	/* buckets, keys, seconds ...: a plain number */
	CACHE_UNIT_SECTORS,	/* JSON: sectors; text: the size */
	CACHE_UNIT_BYTES,
	CACHE_UNIT_NS,
	CACHE_UNIT_SEQ,		/* counts up by one: text plain, JSON as a word */
	CACHE_UNIT_WORD,	/* checksum, magic: hex, in JSON a string */
	CACHE_UNIT_TEXT,	/* no number: strings, yes and no */
};

struct cache_field {
	const char	*key;	/* JSON; the same name in every applet */
	const char	*label;	/* text; NULL: JSON only */
	enum cache_unit	 unit;
};

enum cache_table_flags {
	CACHE_TABLE_TABS = 1 << 0,	/* text: plain numbers between TABs, no heading */
};

struct cache_report;

/*
 * Why writing to @out failed, a negative errno. Who wrote may have lost errno: a pipe can
 * still be asked, and what is left in the buffer tried again.
 */
int cache_stream_error(FILE *out);

/* Text or JSON to @out, which stays the caller's. NULL when out of memory. */
struct cache_report *cache_report_open(FILE *out, unsigned flags);

/* Close what is open and flush. Return: 0 or the first failure (-EPIPE for a pipe
 * nobody reads, -EIO, -ENOMEM, -EINVAL for unbalanced calls). Accepts NULL. */
int cache_report_close(struct cache_report *r);

bool cache_report_is_json(const struct cache_report *r);

/* Containers. @key is NULL inside an array. Text shows their values alone. */
void cache_report_object(struct cache_report *r, const char *key);
void cache_report_array(struct cache_report *r, const char *key);
void cache_report_end(struct cache_report *r);

/* Values on one line: an array in JSON, "label: a b c" in text. Ended by _end(). */
void cache_report_list(struct cache_report *r, const struct cache_field *f);

/* An array of rows with the same fields, each cell given in order after _row().
 * @cols stays in use until the table's _end(); a row too is ended by _end(). */
void cache_report_table(struct cache_report *r, const char *key,
			const struct cache_field *cols, unsigned ncols, unsigned flags);
void cache_report_row(struct cache_report *r);

/* Values. In a list or an array the key is left out; in a row @f is ignored and
 * may be NULL: the column decides. */
void cache_report_u64(struct cache_report *r, const struct cache_field *f, uint64_t v);
void cache_report_real(struct cache_report *r, const struct cache_field *f, double v);
void cache_report_bool(struct cache_report *r, const struct cache_field *f, bool v);
void cache_report_str(struct cache_report *r, const struct cache_field *f, const char *v);
void cache_report_null(struct cache_report *r, const struct cache_field *f);

/* A line for people only; a newline is added. What a terminal must not get is escaped. */
void cache_report_line(struct cache_report *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for lines that are ready, each with its newline: @n bytes of our own words. */
void cache_report_text(struct cache_report *r, const char *lines, size_t n);

/**
 * cache_report_error() - end the document with what went wrong
 * @device: name or NULL
 * @code:   negative errno
 * @sector: device sector, 0 when there is none
 * @text:   one line
 *
 * JSON: closes all containers and adds "error": {device, code, sector, message};
 * only the first one is kept. Text: nothing, the talk is the caller's.
 */
void cache_report_error(struct cache_report *r, const char *device, int code,
			uint64_t sector, const char *text);

#ifdef __cplusplus
}
#endif
#endif
