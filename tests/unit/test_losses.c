// SPDX-License-Identifier: GPL-2.0-only
/* Losses as people want them: sorted, merged, each sector once, and never too few. */
#include "test.h"

#include <stdint.h>

#include "repair/losses.h"

static void add(struct cache_losses *l, uint64_t start, uint64_t end, bool certain)
{
	cache_losses_add(l, 0, &(struct cache_repair_loss){
		.inode = 1, .start = start, .end = end, .certain = certain,
		.code = CACHE_LOSS_BUCKET_REUSED });
}

static void is_range(const struct cache_losses *l, size_t i, uint64_t start, uint64_t end)
{
	CHECK(i < l->n);
	CHECK_EQ(l->list[i].loss.start, start);
	CHECK_EQ(l->list[i].loss.end, end);
}

TEST(ranges_that_touch_or_overlap_are_one_and_count_once)
{
	struct cache_losses l = { 0 };

	add(&l, 64, 72, true);
	add(&l, 0, 8, true);
	add(&l, 8, 16, true);
	add(&l, 4, 12, true);
	cache_losses_merge(&l);
	CHECK_EQ(l.n, 2);
	is_range(&l, 0, 0, 16);
	is_range(&l, 1, 64, 72);
	CHECK_EQ(cache_losses_sectors(&l, 0, true), 24);
	cache_losses_fini(&l);
}

TEST(a_range_within_another_does_not_shorten_it)
{
	struct cache_losses l = { 0 };

	add(&l, 0, 100, true);
	add(&l, 8, 16, true);
	add(&l, 90, 92, true);
	CHECK_EQ(cache_losses_sectors(&l, 0, true), 100);
	CHECK_EQ(l.n, 1);
	cache_losses_fini(&l);
}

TEST(what_is_lost_for_certain_what_is_in_doubt_and_other_devices_stay_apart)
{
	struct cache_losses l = { 0 };
	struct cache_repair_loss other = { .inode = 2, .start = 8, .end = 16, .certain = true,
					   .code = CACHE_LOSS_BUCKET_REUSED };

	add(&l, 0, 8, true);
	add(&l, 8, 16, false);
	cache_losses_add(&l, 0, &other);
	other.inode = 1;
	cache_losses_add(&l, 1, &other);
	other.code = CACHE_LOSS_TOO_FAR;
	cache_losses_add(&l, 0, &other);
	cache_losses_merge(&l);
	CHECK_EQ(l.n, 5);
	CHECK_EQ(cache_losses_sectors(&l, 0, true), 24);
	CHECK_EQ(cache_losses_sectors(&l, 0, false), 8);
	CHECK_EQ(cache_losses_sectors(&l, 1, true), 8);
	cache_losses_fini(&l);
}

TEST(what_is_kept_is_not_lost_for_certain)
{
	struct cache_losses l = { 0 };

	cache_losses_add(&l, 0, &(struct cache_repair_loss){
		.start = 0, .end = 8, .certain = true, .kept = true,
		.code = CACHE_LOSS_SAME_PLACE });
	CHECK_EQ(cache_losses_sectors(&l, 0, true), 0);
	CHECK_EQ(cache_losses_sectors(&l, 0, false), 8);
	cache_losses_fini(&l);
}

TEST(a_range_to_the_end_of_a_device_takes_in_what_lies_in_it)
{
	struct cache_losses l = { 0 };

	add(&l, 100, UINT64_MAX, false);
	add(&l, 200, 208, false);
	cache_losses_merge(&l);
	CHECK_EQ(l.n, 1);
	is_range(&l, 0, 100, UINT64_MAX);
	CHECK_EQ(cache_losses_sectors(&l, 0, false), 1);
	cache_losses_fini(&l);
}

TEST(an_empty_range_is_none)
{
	struct cache_losses l = { 0 };

	add(&l, 8, 8, true);
	add(&l, 9, 8, true);
	CHECK_EQ(l.n, 0);
	CHECK_EQ(cache_losses_sectors(&l, 0, true), 0);
	cache_losses_fini(&l);
}

/* Then more is named than is lost, never less, and it is said. */
TEST(too_many_ranges_become_wider_ones)
{
	struct cache_losses l = { 0 };
	uint64_t n = CACHE_LOSSES_MAX + 10;

	for (uint64_t i = 0; i < n; i++)
		add(&l, 16 * i, 16 * i + 8, true);
	cache_losses_merge(&l);
	CHECK(l.coarse);
	CHECK(!l.failed);
	CHECK(l.n <= CACHE_LOSSES_MAX);
	CHECK_EQ(l.list[0].loss.start, 0);
	CHECK_EQ(l.list[l.n - 1].loss.end, 16 * (n - 1) + 8);
	CHECK(cache_losses_sectors(&l, 0, true) >= 8 * n);
	cache_losses_fini(&l);
}

TEST_MAIN()
