/* SPDX-License-Identifier: GPL-2.0-only */
/* Text from a device, made fit for a terminal or a JSON document. */
#ifndef UTF8_H
#define UTF8_H

enum cache_utf8_how {
	CACHE_UTF8_REPLACE,	/* bad bytes become U+FFFD, the rest stays */
	CACHE_UTF8_ESCAPE,	/* bad bytes and control characters become \xNN */
};

/* A clean copy, the caller's to free; NULL when out of memory. */
char *cache_utf8_clean(const char *s, enum cache_utf8_how how);

#endif
