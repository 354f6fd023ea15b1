// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include "base/utf8.h"

#include <locale.h>

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
		{ "\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd" },
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		  "\\xf4\\x90\\x80\\x80" },
		/* control characters are escaped, and harmless in JSON */
		{ "a\nb", "a\nb", "a\\x0ab" },
		{ "\x7f", "\x7f", "\\x7f" },
		{ "\xc2\x9b", "\xc2\x9b", "\\xc2\\x9b" },
		{ "\xc2\xa0", "\xc2\xa0", "\xc2\xa0" },
	};

	/* a terminal would reorder or hide what stands beside these */
	static const char *const hidden[][3] = {
		{ "a\xe2\x80\xae" "b", "a\\xe2\\x80\\xae" "b", "a\\u202e" "b" },
		{ "\xe2\x81\xa6", "\\xe2\\x81\\xa6", "\\u2066" },
		{ "\xd8\x9c", "\\xd8\\x9c", "\\u061c" },
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8", "\\u2028" },
		{ "\xc2\x9b", "\\xc2\\x9b", "\\u009b" },
		{ "\x7f", "\\x7f", "\\u007f" },
		{ "\xef\xbf\xbe", "\\xef\\xbf\\xbe", "\\ufffe" },
		{ "\xf3\xa0\x80\x81", "\\xf3\\xa0\\x80\\x81", "\\udb40\\udc01" },
		{ "\xf4\x8f\xbf\xbf", "\\xf4\\x8f\\xbf\\xbf", "\\udbff\\udfff" },
		/* a combining mark and a wide letter are what a label is made of */
		{ "e\xcc\x81\xe6\x97\xa5", "e\xcc\x81\xe6\x97\xa5", "e\xcc\x81\xe6\x97\xa5" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *replaced = cache_utf8_clean(rows[i].in, CACHE_UTF8_REPLACE);
		char *escaped = cache_utf8_clean(rows[i].in, CACHE_UTF8_ESCAPE);

		CHECK_STR(replaced, rows[i].replaced);
		CHECK_STR(escaped, rows[i].escaped);
		free(replaced);
		free(escaped);
	}
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
		char *escaped = cache_utf8_clean(hidden[i][0], CACHE_UTF8_ESCAPE);
		char *json = cache_utf8_clean(hidden[i][0], CACHE_UTF8_JSON);

		CHECK_STR(escaped, hidden[i][1]);
		CHECK_STR(json, hidden[i][2]);
		free(escaped);
		free(json);
	}
}

TEST(outside_utf8_only_ascii_stays)
{
	char *text = cache_utf8_clean("donn\xc3\xa9" "es\n\xff", CACHE_UTF8_ASCII);

	CHECK_STR(text, "donn\\xc3\\xa9" "es\\x0a\\xff");
	free(text);
	setlocale(LC_CTYPE, "C");
	CHECK_EQ(cache_utf8_of_locale(), CACHE_UTF8_ASCII);
	if (setlocale(LC_CTYPE, "C.UTF-8"))
		CHECK_EQ(cache_utf8_of_locale(), CACHE_UTF8_ESCAPE);
	setlocale(LC_CTYPE, "C");
}

TEST_MAIN()
