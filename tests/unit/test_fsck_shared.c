// SPDX-License-Identifier: GPL-2.0-only
/* Blocks that two extents cover are found, from a list, from bits, and in between. */
#include "fsck/fsck_shared.h"

#include "base/rng.h"
#include "test.h"

#define BUCKETS	1024u

struct extent {
	uint64_t sector, nsectors;
};

static const struct cache_sb sb = { .block_sectors = 1, .nbuckets = BUCKETS,
				    .bucket_sectors = 1024 };

/* As cache-fsck asks: sectors that were shared, each extent against those before it. */
static uint64_t ask(const struct extent *e, size_t n, bool *again)
{
	struct fsck_shared s;
	uint64_t sum = 0, shared;

	cache_fsck_shared_init(&s, &sb, NULL);
	for (size_t i = 0; i < n; i++) {
		CHECK_EQ(cache_fsck_shared_add(&s, e[i].sector, e[i].nsectors, &shared), 0);
		sum += shared;
	}
	CHECK_EQ(cache_fsck_shared_end(&s, NULL), 0);
	*again = s.again;
	if (s.again) {
		s.again = false;
		sum = 0;
		for (size_t i = 0; i < n; i++) {
			CHECK_EQ(cache_fsck_shared_add(&s, e[i].sector, e[i].nsectors, &shared), 0);
			sum += shared;
		}
		CHECK_EQ(cache_fsck_shared_end(&s, NULL), 0);
		CHECK(!s.again);
	}
	cache_fsck_shared_fini(&s);
	return sum;
}

/* One behind the other, in any order. */
static struct extent *apart(size_t n)
{
	struct extent *e = calloc(n, sizeof(*e));
	struct cache_rng rng;

	cache_rng_init(&rng, 1);
	for (size_t i = 0; i < n; i++)
		e[i] = (struct extent){ i * 8, 8 };
	for (size_t i = n - 1; i; i--) {
		size_t k = cache_rng_below(&rng, i + 1);
		struct extent t = e[i];

		e[i] = e[k];
		e[k] = t;
	}
	return e;
}

TEST(extents_that_only_touch_share_nothing)
{
	bool again;

	for (size_t n = 1; n <= 64 * BUCKETS; n *= 4) {
		struct extent *e = apart(n);

		CHECK_EQ(ask(e, n, &again), 0);
		CHECK(!again);
		free(e);
	}
}

/* The bits take 16 KiB: each 512 extents the list goes into them. */
TEST(one_block_that_two_cover_is_found_wherever_they_come)
{
	static const size_t counts[] = { 2, 100, 511, 512, 513, 514, 2047, 2048, 2049, 5000, 60000 };
	bool again;

	for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		size_t n = counts[c];

		for (size_t at = 0; at < n - 1; at += n / 7 + 1) {
			struct extent *e = apart(n);

			e[n - 1] = e[at];
			CHECK_EQ(ask(e, n, &again), 8);
			e[n - 1] = (struct extent){ 64 * BUCKETS * 8, 8 };
			if (at) {
				e[0] = e[at];
				CHECK_EQ(ask(e, n, &again), 8);
			}
			free(e);
		}
	}
}

TEST(only_blocks_covered_whole_count)
{
	const struct extent parts[] = { { 4, 8 }, { 12, 4 }, { 16, 9 }, { 23, 9 }, { 16, 16 } };
	bool again;

	CHECK_EQ(ask(parts, 2, &again), 0);
	CHECK_EQ(ask(parts, 4, &again), 0);
	CHECK_EQ(ask(parts, 5, &again), 16);
	CHECK(again);
}

TEST_MAIN()
