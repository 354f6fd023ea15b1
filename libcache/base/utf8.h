/* SPDX-License-Identifier: GPL-2.0-only */
/* Text from a device or a command line, made fit for a terminal or a JSON document. */
#ifndef UTF8_H
#define UTF8_H

enum cache_utf8_how {
	CACHE_UTF8_REPLACE,	/* bad bytes become U+FFFD, the rest stays */
	CACHE_UTF8_JSON,	/* the same, and what must not reach a terminal \uNNNN */
	CACHE_UTF8_ESCAPE,	/* bad bytes and what must not reach a terminal become \xNN */
	CACHE_UTF8_ASCII,	/* everything but printable ASCII becomes \xNN */
};

/*
 * A clean copy, the caller's to free; NULL when out of memory. A terminal must not get control
 * characters (C0, C1, DEL), characters that reorder or hide others (bidi controls, tags, zero
 * width), line separators and what is no character.
 */
char *cache_utf8_clean(const char *s, enum cache_utf8_how how);

/* What the locale that the process has set can show: CACHE_UTF8_ESCAPE where its characters are
 * UTF-8, else CACHE_UTF8_ASCII. */
enum cache_utf8_how cache_utf8_of_locale(void);

#endif
