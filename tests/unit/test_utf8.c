// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include "base/utf8.h"

TEST(only_well_formed_characters_stay)
{
	static const struct {
		const char *in, *replaced, *escaped;
	} rows[] = {
		{ "plain", "plain", "plain" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		  "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
		/* a byte that begins nothing, one cut short, and an impossible one */
		{ "\x80", "\xef\xbf\xbd", "\\x80" },
		{ "\xc3", "\xef\xbf\xbd", "\\xc3" },
		{ "\xf8", "\xef\xbf\xbd", "\\xf8" },
		/* longer than need be */
		{ "\xc1\x81", "\xef\xbf\xbd\xef\xbf\xbd", "\\xc1\\x81" },
		/* half of a surrogate pair, and the places beside the range */
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\\xed\\xa0\\x80" },
		{ "\xed\x9f\xbf", "\xed\x9f\xbf", "\xed\x9f\xbf" },
		{ "\xee\x80\x80", "\xee\x80\x80", "\xee\x80\x80" },
		/* the last there is, and the one after it */
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		  "\\xf4\\x90\\x80\\x80" },
		/* control characters are escaped, and harmless in JSON */
		{ "a\nb", "a\nb", "a\\x0ab" },
		{ "\x7f", "\x7f", "\\x7f" },
		{ "\xc2\x9b", "\xc2\x9b", "\\xc2\\x9b" },
		{ "\xc2\xa0", "\xc2\xa0", "\xc2\xa0" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *replaced = cache_utf8_clean(rows[i].in, CACHE_UTF8_REPLACE);
		char *escaped = cache_utf8_clean(rows[i].in, CACHE_UTF8_ESCAPE);

		CHECK_STR(replaced, rows[i].replaced);
		CHECK_STR(escaped, rows[i].escaped);
		free(replaced);
		free(escaped);
	}
}

TEST_MAIN()
