/* SPDX-License-Identifier: GPL-2.0-only */
/* Text from a device or a command line, converted for a terminal or a JSON document. */
#ifndef UTF8_H
#define UTF8_H

enum cache_utf8_how {
	CACHE_UTF8_REPLACE,	/* bad bytes become U+FFFD, the rest is unchanged */
	CACHE_UTF8_JSON,	/* the same, and characters unsafe for a terminal become \uNNNN */
	CACHE_UTF8_ESCAPE,	/* bad bytes and characters unsafe for a terminal become \xNN */
	CACHE_UTF8_ASCII,	/* everything but printable ASCII becomes \xNN */
};

/*
 * A clean copy that the caller frees; NULL when out of memory. Unsafe for a terminal are
 * control characters (C0, C1, DEL), characters that reorder or hide others (bidi controls,
 * tags, zero width), line separators and noncharacters.
 */
char *cache_utf8_clean(const char *s, enum cache_utf8_how how);

/*
 * What the locale of the process can show: CACHE_UTF8_ESCAPE if its characters are UTF-8, else
 * CACHE_UTF8_ASCII.
 */
enum cache_utf8_how cache_utf8_of_locale(void);

#endif
