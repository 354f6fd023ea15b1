// SPDX-License-Identifier: GPL-2.0-only
#include "base/human.h"
#include "test.h"

#include <errno.h>

TEST(a_size_takes_every_suffix_in_either_case)
{
	static const struct { const char *text; uint64_t bytes; } good[] = {
		{ "0", 0 }, { "4096", 4096 }, { "16s", 8192 }, { "4k", 4096 },
		{ "4K", 4096 }, { "4KiB", 4096 }, { "4kib", 4096 }, { "2m", 2 << 20 },
		{ "1G", 1 << 30 }, { "1TiB", 1ull << 40 }, { "16383P", 16383ull << 50 },
		{ "1.5k", 1536 }, { "0.5MiB", 1 << 19 }, { "18446744073709551615", UINT64_MAX },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t got = 1;

		CHECK_EQ(cache_bytes_parse(good[i].text, &got), 0);
		CHECK_EQ(got, good[i].bytes);
	}
}

TEST(a_size_with_anything_left_over_is_refused)
{
	static const char *const bad[] = { "", "k", "4kfoo", "4096q", "4 k", " 4", "-1", "+1",
		"4kb", "4b", "1.5", "1.k", ".5k", "1.0001k", "0x10", "4ss", "4siB", "1.5.5k" };
	uint64_t got = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cache_bytes_parse(bad[i], &got) != -EINVAL)
			TEST_FAIL("\"%s\" was accepted", bad[i]);
	CHECK_EQ(got, 7);
}

TEST(a_size_past_64_bits_is_a_range_error)
{
	uint64_t got;

	CHECK_EQ(cache_bytes_parse("16384P", &got), -ERANGE);
	CHECK_EQ(cache_bytes_parse("18446744073709551616", &got), -ERANGE);
	CHECK_EQ(cache_bytes_parse("36028797018963968s", &got), -ERANGE);
	CHECK_EQ(cache_bytes_parse("1.00000000000000000000k", &got), -ERANGE);
}

TEST(a_number_is_decimal_or_hex_and_never_octal)
{
	uint64_t got;

	CHECK_EQ(cache_number_parse("010", &got), 0);
	CHECK_EQ(got, 10);
	CHECK_EQ(cache_number_parse("0xff", &got), 0);
	CHECK_EQ(got, 255);
	CHECK_EQ(cache_number_parse("12x", &got), -EINVAL);
	CHECK_EQ(cache_number_parse("-3", &got), -EINVAL);
	CHECK_EQ(cache_number_parse("0x", &got), -EINVAL);
}

TEST(bytes_are_shown_in_the_largest_unit_below_them)
{
	char buf[CACHE_HUMAN_BYTES];

	CHECK_STR(cache_bytes_show(buf, 0), "0 B");
	CHECK_STR(cache_bytes_show(buf, 1023), "1023 B");
	CHECK_STR(cache_bytes_show(buf, 8192), "8.0 KiB");
	CHECK_STR(cache_bytes_show(buf, (1 << 20) - 1), "1023.9 KiB");
	CHECK_STR(cache_bytes_show(buf, 3ull << 29), "1.5 GiB");
	CHECK_STR(cache_bytes_show(buf, UINT64_MAX), "15.9 EiB");
}

TEST(times_are_shown_as_people_say_them)
{
	char buf[CACHE_HUMAN_BYTES];

	CHECK_STR(cache_ns_show(buf, 7), "7 ns");
	CHECK_STR(cache_ns_show(buf, 1300), "1.3 us");
	CHECK_STR(cache_ns_show(buf, 2500000000), "2.50 s");
	CHECK_STR(cache_ns_show(buf, 187ull * 1000000000), "3:07");
	CHECK_STR(cache_ns_show(buf, 7800ull * 1000000000), "2:10:00");
}

TEST_MAIN()
