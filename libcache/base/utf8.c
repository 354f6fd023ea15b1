// SPDX-License-Identifier: GPL-2.0-only
#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the well-formed character at @s, 0 when it is none (RFC 3629). */
static unsigned char_bytes(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 :
		     s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
	uint32_t c = n > 1 ? s[0] & (0x7f >> n) : s[0];

	for (unsigned i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (n && (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	return n;
}

/* C0, DEL, and the C1 set as it looks in UTF-8. */
static int is_control(const unsigned char *s, unsigned n)
{
	return (n == 1 && (s[0] < 0x20 || s[0] == 0x7f)) ||
	       (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

char *cache_utf8_clean(const char *str, enum cache_utf8_how how)
{
	const unsigned char *s = (const unsigned char *)str;
	char *out = malloc(4 * strlen(str) + 1), *o = out;

	while (out && *s) {
		unsigned n = char_bytes(s);

		if (n && (how == CACHE_UTF8_REPLACE || !is_control(s, n))) {
			memcpy(o, s, n);
			o += n;
		} else if (how == CACHE_UTF8_REPLACE) {
			o += sprintf(o, "\xef\xbf\xbd");
		} else {
			for (unsigned i = 0; i < (n ? n : 1); i++)
				o += sprintf(o, "\\x%02x", s[i]);
		}
		s += n ? n : 1;
	}
	if (out)
		*o = 0;
	return out;
}
