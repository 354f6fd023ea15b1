// SPDX-License-Identifier: GPL-2.0-only
/*
 * How later keys override earlier ones: each case of format 6.5 by itself, then
 * random histories against a plain map of sectors.
 */
#include "disk.h"
#include "sector_map.h"

#include "disk/keys.h"
#include "base/checked.h"
#include "base/rng.h"

static struct cache_keys list(const struct cache_bkey *k, unsigned n)
{
	struct cache_keys keys = { 0 };

	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(cache_keys_push(&keys, &k[i]), 0);
	return keys;
}

static struct cache_keys overlaid(struct cache_bkey old, struct cache_bkey new)
{
	struct cache_keys a = list(&old, 1), b = list(&new, 1), out = { 0 };

	CHECK_EQ(cache_keys_overlay(&a, &b, &out), 0);
	cache_keys_fini(&a);
	cache_keys_fini(&b);
	return out;
}

static void check_key(const struct cache_bkey *k, uint64_t start, uint64_t end, uint64_t sector)
{
	CHECK_EQ(cache_key_start(k), start);
	CHECK_EQ(cache_key_offset(k), end);
	if (cache_key_ptrs(k))
		CHECK_EQ(cache_ptr_sector(k->ptr[0]), sector);
}

TEST(a_key_that_covers_another_drops_it)
{
	struct cache_keys out = overlaid(extent(0, 10, 20, 0, 1000, 1),
					 extent(0, 10, 20, 0, 2000, 1));

	CHECK_EQ(out.n, 1);
	check_key(&out.k[0], 10, 20, 2000);
	cache_keys_fini(&out);
}

TEST(a_key_over_the_front_cuts_it_and_moves_the_pointer)
{
	struct cache_keys out = overlaid(extent(0, 10, 20, 0, 1000, 1),
					 extent(0, 5, 14, 0, 2000, 1));

	CHECK_EQ(out.n, 2);
	check_key(&out.k[0], 5, 14, 2000);
	check_key(&out.k[1], 14, 20, 1004);
	cache_keys_fini(&out);
}

TEST(a_key_over_the_tail_cuts_it_and_leaves_the_pointer)
{
	struct cache_keys out = overlaid(extent(0, 10, 20, 0, 1000, 1),
					 extent(0, 14, 30, 0, 2000, 1));

	CHECK_EQ(out.n, 2);
	check_key(&out.k[0], 10, 14, 1000);
	check_key(&out.k[1], 14, 30, 2000);
	cache_keys_fini(&out);
}

TEST(a_key_inside_another_splits_it)
{
	struct cache_keys out = overlaid(extent(0, 10, 40, 1, 1000, 1),
					 extent(0, 20, 30, 0, 2000, 1));

	CHECK_EQ(out.n, 3);
	check_key(&out.k[0], 10, 20, 1000);
	check_key(&out.k[1], 20, 30, 2000);
	check_key(&out.k[2], 30, 40, 1020);
	CHECK(cache_key_dirty(&out.k[0]) && cache_key_dirty(&out.k[2]));
	cache_keys_fini(&out);
}

TEST(a_key_without_pointers_punches_a_hole)
{
	struct cache_keys out = overlaid(extent(0, 10, 40, 0, 1000, 1), hole(0, 20, 30));

	CHECK_EQ(out.n, 3);
	check_key(&out.k[0], 10, 20, 1000);
	CHECK_EQ(cache_key_ptrs(&out.k[1]), 0);
	check_key(&out.k[2], 30, 40, 1020);
	cache_keys_fini(&out);
}

TEST(keys_that_only_touch_leave_each_other_alone)
{
	struct cache_keys out = overlaid(extent(0, 10, 20, 0, 1000, 1),
					 extent(0, 20, 30, 0, 2000, 1));

	CHECK_EQ(out.n, 2);
	check_key(&out.k[0], 10, 20, 1000);
	check_key(&out.k[1], 20, 30, 2000);
	cache_keys_fini(&out);
}

TEST(different_devices_never_interact)
{
	struct cache_keys out = overlaid(extent(1, 10, 20, 0, 1000, 1),
					 extent(2, 10, 20, 0, 2000, 1));

	CHECK_EQ(out.n, 2);
	CHECK_EQ(cache_key_inode(&out.k[0]), 1);
	CHECK_EQ(cache_key_inode(&out.k[1]), 2);
	cache_keys_fini(&out);
}

TEST(interior_keys_of_one_position_all_stay_newer_first)
{
	struct cache_sb sb = disk_sb(1024, 16, 8);
	struct cache_bkey old = node_key(&sb, 0, 100, 30, 1), new = node_key(&sb, 0, 100, 31, 1);
	struct cache_keys a = list(&old, 1), b = list(&new, 1), out = { 0 };

	CHECK_EQ(cache_keys_merge(&a, &b, &out), 0);
	CHECK_EQ(out.n, 2);
	CHECK_EQ(cache_ptr_bucket(&sb, &out.k[0], 0), 31);
	CHECK_EQ(cache_ptr_bucket(&sb, &out.k[1], 0), 30);
	cache_keys_fini(&a);
	cache_keys_fini(&b);
	cache_keys_fini(&out);
}

static struct cache_bkey random_key(struct cache_rng *rng)
{
	uint64_t start = cache_rng_below(rng, SPACE - 1);
	uint64_t end = start + 1 + cache_rng_below(rng, cache_min_u64(40, SPACE - start - 1) + 1);
	uint64_t inode = cache_rng_below(rng, 3);

	if (end > SPACE)
		end = SPACE;
	if (!cache_rng_below(rng, 5))
		return hole(inode, start, end);
	return extent(inode, start, end, false, 1000 + cache_rng_below(rng, 100000), 1);
}

TEST(a_random_history_settles_to_what_a_map_of_sectors_says)
{
	struct cache_rng rng;

	cache_rng_init(&rng, 7);
	for (int round = 0; round < 200; round++) {
		struct map want = { 0 }, got = { 0 };
		struct cache_keys keys = { 0 };
		unsigned n = cache_rng_below(&rng, 120);

		for (unsigned i = 0; i < n; i++) {
			struct cache_bkey k = random_key(&rng);

			apply(&want, &k);
			CHECK_EQ(cache_keys_push(&keys, &k), 0);
		}
		CHECK_EQ(cache_keys_settle(&keys, 0), 0);
		CHECK(cache_keys_are_sorted(&keys, 0));
		for (size_t i = 0; i < keys.n; i++)
			apply(&got, &keys.k[i]);
		CHECK_MEM(&got, &want, sizeof(want));
		cache_keys_fini(&keys);
	}
}

TEST_MAIN()
