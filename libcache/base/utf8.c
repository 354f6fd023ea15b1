// SPDX-License-Identifier: GPL-2.0-only
#include "base/utf8.h"

#include <langinfo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Number of bytes of the well-formed character @c at @s; 0 when it is not one (RFC 3629). */
static unsigned char_bytes(const unsigned char *s, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 :
		     s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;

	*c = n > 1 ? s[0] & (0x7f >> n) : s[0];
	for (unsigned i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (n && (*c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff)))
		return 0;
	return n;
}

/* Control characters, and those that reorder, hide or imitate the text next to them. */
static bool is_hidden(uint32_t c)
{
	static const struct { uint32_t first, last; } hidden[] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f },
		{ 0x00ad, 0x00ad },			/* soft hyphen */
		{ 0x061c, 0x061c },			/* Arabic letter mark */
		{ 0x115f, 0x1160 }, { 0x180e, 0x180e },
		{ 0x200b, 0x200f },			/* zero width, marks of direction */
		{ 0x2028, 0x202e },			/* separators, bidi embeddings */
		{ 0x2060, 0x206f },			/* invisible, bidi isolates */
		{ 0x3164, 0x3164 },
		{ 0xfdd0, 0xfdef },			/* no characters */
		{ 0xfeff, 0xfeff },			/* byte order mark */
		{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffc },
		{ 0x1d173, 0x1d17a },			/* musical, they have no glyph */
		{ 0xe0000, 0xe0fff },			/* tags and further selectors */
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return true;
	return (c & 0xfffe) == 0xfffe;
}

static char *put_hex(char *o, const unsigned char *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		o += sprintf(o, "\\x%02x", s[i]);
	return o;
}

static char *put_json(char *o, uint32_t c)
{
	if (c > 0xffff)
		return o + sprintf(o, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 | (c & 0x3ff));
	return o + sprintf(o, "\\u%04x", c);
}

/* Whether the character @c of @n bytes stays as it is. */
static bool stays(uint32_t c, unsigned n, enum cache_utf8_how how)
{
	return n && (how == CACHE_UTF8_REPLACE ||
		     (!is_hidden(c) && (how != CACHE_UTF8_ASCII || n == 1)));
}

char *cache_utf8_clean(const char *str, enum cache_utf8_how how)
{
	const unsigned char *s = (const unsigned char *)str;
	char *out = malloc(6 * strlen(str) + 1), *o = out;

	while (out && *s) {
		uint32_t c;
		unsigned n = char_bytes(s, &c);

		if (stays(c, n, how)) {
			memcpy(o, s, n);
			o += n;
		} else if (how >= CACHE_UTF8_ESCAPE) {
			o = put_hex(o, s, n ? n : 1);
		} else if (n) {
			o = put_json(o, c);
		} else {
			o += sprintf(o, "\xef\xbf\xbd");
		}
		s += n ? n : 1;
	}
	if (out)
		*o = 0;
	return out;
}

enum cache_utf8_how cache_utf8_of_locale(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") ? CACHE_UTF8_ASCII : CACHE_UTF8_ESCAPE;
}
