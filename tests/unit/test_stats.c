// SPDX-License-Identifier: GPL-2.0-only
/* Counting must give what sorting gives: the kernel's steps are redone here. */
#include "test.h"

#include "base/rng.h"
#include "alloc/stats.h"

static struct cache_stats_count count;

static int descending(const void *a, const void *b)
{
	return *(const uint16_t *)b - *(const uint16_t *)a;
}

static struct cache_stats by_sorting(uint16_t *prio, size_t n, uint64_t bucket_sectors)
{
	struct cache_stats s = { 0 };
	uint64_t sum = 0;

	qsort(prio, n, sizeof(*prio), descending);
	while (n && !prio[n - 1])
		n--;
	while (n && *prio == CACHE_BTREE_PRIO) {
		prio++;
		n--;
	}
	for (size_t i = 0; i < n; i++)
		sum += (uint64_t)CACHE_INITIAL_PRIO - prio[i];
	s.nranked = n;
	s.average = n ? sum / n : 0;
	s.sectors_per_q = n * bucket_sectors / 32;
	for (size_t i = 0; i < 31; i++)
		s.quantile[i] = CACHE_INITIAL_PRIO - (n ? prio[n * (i + 1) / 32] : 0);
	return s;
}

static struct cache_stats by_counting(const uint16_t *prio, size_t n, uint64_t bucket_sectors)
{
	struct cache_stats s;

	memset(&count, 0, sizeof(count));
	for (size_t i = 0; i < n; i++)
		cache_stats_add(&count, prio[i], CACHE_GC_MARK_NONE, 0);
	cache_stats_of(&count, n, bucket_sectors, &s);
	return s;
}

static void check_same(uint16_t *prio, size_t n)
{
	struct cache_stats got = by_counting(prio, n, 1024);
	struct cache_stats want = by_sorting(prio, n, 1024);

	CHECK_EQ(got.nranked, want.nranked);
	CHECK_EQ(got.average, want.average);
	CHECK_EQ(got.sectors_per_q, want.sectors_per_q);
	for (size_t i = 0; i < 31; i++)
		CHECK_EQ(got.quantile[i], want.quantile[i]);
}

TEST(counting_equals_sorting_for_any_priorities)
{
	static uint16_t prio[5000];
	struct cache_rng rng;

	cache_rng_init(&rng, 1);
	for (int round = 0; round < 50; round++) {
		size_t n = 1 + cache_rng_below(&rng, 5000);
		uint32_t spread = 1 + cache_rng_below(&rng, 32768);

		for (size_t i = 0; i < n; i++) {
			uint32_t kind = cache_rng_below(&rng, 8);

			prio[i] = kind == 0 ? 0 : kind == 1 ? CACHE_BTREE_PRIO :
				  CACHE_INITIAL_PRIO - cache_rng_below(&rng, spread);
		}
		check_same(prio, n);
	}
}

TEST(priorities_above_the_initial_one_wrap_as_in_the_kernel)
{
	uint16_t prio[3] = { 40000, 40000, 40000 };
	struct cache_stats s = by_counting(prio, 3, 16);

	CHECK_EQ(s.quantile[0], (uint16_t)(32768 - 40000));
	CHECK_EQ(s.average, (UINT64_C(0) - 3 * 7232) / 3);
	check_same(prio, 3);
}

TEST(a_set_of_metadata_and_unused_buckets_has_no_ages)
{
	uint16_t prio[4] = { 0, CACHE_BTREE_PRIO, 0, CACHE_BTREE_PRIO };
	struct cache_stats s = by_counting(prio, 4, 16);

	CHECK_EQ(s.nranked, 0);
	CHECK_EQ(s.average, 0);
	CHECK_EQ(s.sectors_per_q, 0);
	CHECK_EQ(s.quantile[30], CACHE_INITIAL_PRIO);
}

TEST(percentages_are_cut_and_of_all_buckets)
{
	struct cache_stats s;

	memset(&count, 0, sizeof(count));
	for (int i = 0; i < 2; i++)
		cache_stats_add(&count, 1, CACHE_GC_MARK_DIRTY, 8);
	cache_stats_add(&count, 1, CACHE_GC_MARK_RECLAIMABLE, 1);
	cache_stats_add(&count, 65535, CACHE_GC_MARK_METADATA, 0);
	cache_stats_add(&count, 0, CACHE_GC_MARK_NONE, 0);
	cache_stats_of(&count, 7, 16, &s);
	CHECK_EQ(s.dirty_percent, 28);
	CHECK_EQ(s.clean_percent, 14);
	CHECK_EQ(s.metadata_percent, 14);
	CHECK_EQ(s.unused_percent, 28);	/* prio and uuid buckets use no sectors */
	CHECK_EQ(s.sectors_per_q, 3 * 16 / 32);
}

TEST_MAIN()
