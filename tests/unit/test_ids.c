// SPDX-License-Identifier: GPL-2.0-only
/* UUIDs: text to bytes and back. */
#include "host/ids.h"

#include <errno.h>

#include "test.h"

TEST(bytes_are_in_the_order_in_which_they_are_read)
{
	uint8_t uuid[16];
	char text[CACHE_UUID_TEXT_BYTES];

	CHECK_EQ(cache_uuid_parse("20212223-2425-2627-2829-2A2b2c2d2e2f", uuid), 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(uuid[i], 0x20 + i);
	CHECK_STR(cache_uuid_format(uuid, text), "20212223-2425-2627-2829-2a2b2c2d2e2f");
}

TEST(text_that_is_no_uuid_is_refused_and_changes_nothing)
{
	static const char *const bad[] = {
		"", "x", "20212223-2425-2627-2829-2a2b2c2d2e2",
		"20212223-2425-2627-2829-2a2b2c2d2e2f0", "20212223-2425-2627-2829-2a2b2c2d2e2g",
		"202122232425-2627-2829-2a2b2c2d2e2f-", " 0212223-2425-2627-2829-2a2b2c2d2e2f",
	};
	uint8_t uuid[16] = { 7 }, before[16] = { 7 };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_EQ(cache_uuid_parse(bad[i], uuid), -EINVAL);
	CHECK_MEM(uuid, before, 16);
}

TEST(two_new_ones_differ_and_none_is_zero)
{
	uint8_t a[16], b[16], zero[16] = { 0 };

	cache_uuid_generate(a);
	cache_uuid_generate(b);
	CHECK(memcmp(a, b, 16));
	CHECK(!cache_uuid_is_zero(a));
	CHECK(cache_uuid_is_zero(zero));
}

TEST_MAIN()
