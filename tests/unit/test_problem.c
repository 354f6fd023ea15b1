// SPDX-License-Identifier: GPL-2.0-only
/* Findings as people read them, and what stands in the table behind them. */
#include "test.h"

#include "format/problem.h"

TEST(every_text_names_only_fields_that_a_finding_has)
{
	for (int code = CACHE_P_NONE + 1; code < CACHE_P_COUNT; code++) {
		struct cache_finding f = { .code = code, .what = "word" };
		struct cache_finding_field field;
		unsigned braces = 0, fields = 0;
		char text[512];

		for (const char *p = cache_problem_info(code)->text; *p; p++)
			braces += *p == '{';
		while (cache_finding_field(&f, fields, &field))
			fields++;
		cache_finding_text(&f, text, sizeof(text));
		if (braces != fields || strchr(text, '{'))
			TEST_FAIL("%s: %s", cache_problem_info(code)->code, text);
	}
}

TEST(an_unknown_code_has_an_empty_row)
{
	static const int none[] = { CACHE_P_NONE, CACHE_P_COUNT, -1 };

	for (int i = 0; i < 3; i++) {
		struct cache_finding f = { .code = none[i] };
		struct cache_finding_field field;
		char text[32] = "x";

		cache_finding_text(&f, text, sizeof(text));
		CHECK_STR(text, "");
		CHECK(!cache_finding_field(&f, 0, &field));
	}
}

TEST(a_text_is_cut_where_the_buffer_ends)
{
	struct cache_finding f = { .code = CACHE_P_SB_CSUM, .got = UINT64_MAX, .want = 1 };
	char whole[256], text[256];

	cache_finding_text(&f, whole, sizeof(whole));
	CHECK(strlen(whole) > 20);
	for (size_t n = 1; n <= strlen(whole) + 1; n++) {
		memset(text, '#', sizeof(text));
		cache_finding_text(&f, text, n);
		CHECK_EQ(strlen(text), n - 1);
		CHECK_MEM(text, whole, n - 1);
		CHECK_EQ(text[n], '#');
	}
	text[0] = '#';
	cache_finding_text(&f, text, 0);
	CHECK_EQ(text[0], '#');
}

TEST(a_word_that_is_missing_is_a_question_mark)
{
	for (int code = 1; code < CACHE_P_COUNT; code++) {
		struct cache_finding f = { .code = code };
		struct cache_finding_field field;
		char text[512];

		for (unsigned i = 0; cache_finding_field(&f, i, &field); i++) {
			if (field.kind != CACHE_FIELD_WORD)
				continue;
			cache_finding_text(&f, text, sizeof(text));
			CHECK(strchr(text, '?'));
			return;
		}
	}
	TEST_FAIL("no problem names a word");
}

TEST(what_is_past_the_tables_of_names_is_a_question_mark)
{
	CHECK_STR(cache_severity_name(CACHE_SEVERITY_CORRUPT), "corrupt");
	CHECK_STR(cache_severity_name(CACHE_SEVERITY_CORRUPT + 1), "?");
	CHECK_STR(cache_verdict_name(CACHE_VERDICT_PANICS), "panics");
	CHECK_STR(cache_verdict_name(CACHE_VERDICT_PANICS + 1), "?");
	CHECK_STR(cache_remedy_name(CACHE_FIX_DROP_DIRTY), "drop-dirty");
	CHECK_STR(cache_remedy_name(CACHE_FIX_DROP_DIRTY + 1), "?");
}

TEST_MAIN()
