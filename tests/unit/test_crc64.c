// SPDX-License-Identifier: GPL-2.0-only
#include "base/crc64.h"
#include "base/rng.h"
#include "test.h"

static uint64_t bitwise(uint64_t crc, const uint8_t *p, size_t n)
{
	while (n--) {
		crc ^= (uint64_t)*p++ << 56;
		for (int i = 0; i < 8; i++)
			crc = (crc << 1) ^ (crc >> 63 ? 0x42f0e1eba9ea3693 : 0);
	}
	return ~crc;
}

TEST(known_answers_of_the_format_hold)
{
	uint8_t zero[8] = { 0 };

	CHECK_EQ(cache_crc64("123456789", 9), 0x62ec59e3f1a4f00a);
	CHECK_EQ(cache_crc64("", 0), 0);
	CHECK_EQ(cache_crc64(zero, 1), 0x9afce626ce85b5f8);
	CHECK_EQ(cache_crc64(zero, 8), 0x03534142a6ce566d);
	CHECK_EQ(~cache_crc64_seeded(0, "123456789", 9), 0x6c40df5f0b497347);
}

TEST(any_length_offset_and_seed_equals_the_bitwise_definition)
{
	uint8_t buf[600];
	struct cache_rng rng;

	cache_rng_init(&rng, 7);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = cache_rng_u64(&rng);
	for (int i = 0; i < 2000; i++) {
		size_t off = cache_rng_below(&rng, 64);
		size_t len = cache_rng_below(&rng, sizeof(buf) - 64);
		uint64_t seed = cache_rng_u64(&rng);

		CHECK_EQ(cache_crc64_seeded(seed, buf + off, len),
			 bitwise(seed, buf + off, len));
		CHECK_EQ(cache_crc64_bytewise(seed, buf + off, len),
			 bitwise(seed, buf + off, len));
	}
}

TEST_MAIN()
