// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lies on top of keys made one after the other: each case of format 6.5 by itself,
 * then random histories against a plain map of sectors and against lists that settle.
 */
#include "disk.h"
#include "sector_map.h"

#include <errno.h>

#include "base/checked.h"
#include "disk/keys.h"
#include "disk/overlay.h"
#include "base/rng.h"

static struct cache_overlay overlay(const struct cache_bkey *k, unsigned n)
{
	struct cache_overlay o;

	CHECK_EQ(cache_overlay_init(&o, (uint64_t)n * CACHE_BKEY_WORDS_MAX), 0);
	for (unsigned i = 0; i < n; i++) {
		size_t at = o.nwords;

		o.nwords += cache_bkey_encode(&k[i], o.words + at);
		cache_overlay_add(&o, at);
	}
	CHECK_EQ(cache_overlay_sort(&o, NULL), 0);
	return o;
}

/* The pieces of @n keys, the oldest first. */
static struct cache_keys tops(const struct cache_bkey *k, unsigned n)
{
	struct cache_overlay o = overlay(k, n);
	struct cache_overlay_walk w;
	struct cache_keys out = { 0 };
	struct cache_bkey piece;

	CHECK_EQ(cache_overlay_walk_init(&w, &o), 0);
	while (cache_overlay_next(&w, &piece))
		CHECK_EQ(cache_keys_push(&out, &piece), 0);
	CHECK(!cache_overlay_next(&w, &piece));
	cache_overlay_walk_fini(&w);
	cache_overlay_fini(&o);
	return out;
}

static void check_key(const struct cache_bkey *k, uint64_t start, uint64_t end, uint64_t sector)
{
	CHECK_EQ(cache_key_start(k), start);
	CHECK_EQ(cache_key_offset(k), end);
	CHECK_EQ(cache_key_ptrs(k), sector != 0);
	if (cache_key_ptrs(k))
		CHECK_EQ(cache_ptr_sector(k->ptr[0]), sector);
}

TEST(an_empty_overlay_has_no_piece)
{
	struct cache_keys out = tops(NULL, 0);
	struct cache_overlay none = { 0 };

	CHECK_EQ(out.n, 0);
	CHECK_EQ(cache_overlay_sort(&none, NULL), 0);
	cache_keys_fini(&out);
}

TEST(of_keys_that_cover_the_same_the_last_is_left)
{
	const struct cache_bkey k[] = { extent(0, 10, 20, 0, 1000, 1),
					extent(0, 10, 20, 0, 2000, 1),
					extent(0, 10, 20, 0, 3000, 1) };
	struct cache_keys out = tops(k, 3);

	CHECK_EQ(out.n, 1);
	check_key(&out.k[0], 10, 20, 3000);
	cache_keys_fini(&out);
}

TEST(a_newer_key_cuts_what_it_covers_and_pointers_move)
{
	const struct cache_bkey k[] = { extent(0, 10, 40, 1, 1000, 1), hole(0, 20, 30),
					extent(0, 5, 12, 0, 2000, 1),
					extent(0, 38, 50, 0, 3000, 1) };
	struct cache_keys out = tops(k, 4);

	CHECK_EQ(out.n, 5);
	check_key(&out.k[0], 5, 12, 2000);
	check_key(&out.k[1], 12, 20, 1002);
	check_key(&out.k[2], 20, 30, 0);
	check_key(&out.k[3], 30, 38, 1020);
	check_key(&out.k[4], 38, 50, 3000);
	CHECK(cache_key_dirty(&out.k[1]) && cache_key_dirty(&out.k[3]));
	cache_keys_fini(&out);
}

TEST(an_older_key_shows_only_where_it_sticks_out)
{
	const struct cache_bkey k[] = { extent(0, 12, 40, 0, 1000, 1),
					extent(0, 14, 18, 0, 2000, 1),
					extent(0, 10, 20, 0, 3000, 1) };
	struct cache_keys out = tops(k, 3);

	CHECK_EQ(out.n, 2);
	check_key(&out.k[0], 10, 20, 3000);
	check_key(&out.k[1], 20, 40, 1008);
	cache_keys_fini(&out);
}

TEST(keys_of_other_devices_and_keys_that_touch_leave_each_other_alone)
{
	const struct cache_bkey k[] = { extent(1, 10, 20, 0, 1000, 1),
					extent(0, 10, 20, 0, 2000, 1),
					extent(1, 20, 30, 0, 3000, 1) };
	struct cache_keys out = tops(k, 3);

	CHECK_EQ(out.n, 3);
	check_key(&out.k[0], 10, 20, 2000);
	check_key(&out.k[1], 10, 20, 1000);
	check_key(&out.k[2], 20, 30, 3000);
	cache_keys_fini(&out);
}

/* Hostile: no device is so large. Nothing is lost of it and the walk ends. */
TEST(an_end_beyond_the_greatest_position_is_still_an_end)
{
	const struct cache_bkey k[] = { extent(0, UINT64_MAX - 10, UINT64_MAX, 0, 1000, 1),
					extent(0, (1ULL << 63) - 4, (1ULL << 63) + 4, 0, 2000, 1),
					extent(0, 10, 20, 0, 3000, 1) };
	struct cache_keys out = tops(k, 3);

	CHECK_EQ(out.n, 3);
	check_key(&out.k[0], 10, 20, 3000);
	check_key(&out.k[1], (1ULL << 63) - 4, (1ULL << 63) + 4, 2000);
	check_key(&out.k[2], UINT64_MAX - 10, UINT64_MAX, 1000);
	cache_keys_fini(&out);
}

TEST(what_does_not_fit_an_index_of_32_bits_is_refused)
{
	struct cache_overlay o;

	CHECK_EQ(cache_overlay_init(&o, UINT64_C(1) << 32), -ENOMEM);
	cache_overlay_fini(&o);
}

#define KEYS	120

/* Of none to three pointers, so that places differ from numbers. */
static struct cache_bkey random_key(struct cache_rng *rng)
{
	uint64_t start = cache_rng_below(rng, SPACE - 1);
	uint64_t end = start + 1 + cache_rng_below(rng, cache_min_u64(80, SPACE - start - 1) + 1);
	struct cache_bkey k = extent(cache_rng_below(rng, 3), start, cache_min_u64(end, SPACE),
				     false, 1000 + cache_rng_below(rng, 100000), 1);

	cache_bkey_set_ptrs(&k, cache_rng_below(rng, 4));
	k.ptr[1] = k.ptr[2] = k.ptr[0];
	return k;
}

TEST(a_random_history_lies_as_a_map_of_sectors_says_and_as_lists_settle)
{
	struct cache_rng rng;

	cache_rng_init(&rng, 11);
	for (int round = 0; round < 500; round++) {
		struct map want = { 0 }, got = { 0 };
		struct cache_keys lists = { 0 }, out;
		struct cache_bkey k[KEYS];
		unsigned n = cache_rng_below(&rng, KEYS);

		for (unsigned i = 0; i < n; i++) {
			k[i] = random_key(&rng);
			apply(&want, &k[i]);
			CHECK_EQ(cache_keys_push(&lists, &k[i]), 0);
		}
		out = tops(k, n);
		CHECK_EQ(cache_keys_settle(&lists, 0), 0);
		CHECK_EQ(out.n, lists.n);
		for (size_t i = 0; i < out.n && i < lists.n; i++) {
			apply(&got, &out.k[i]);
			CHECK_MEM(&out.k[i], &lists.k[i],
				  8 * (size_t)cache_bkey_words(&out.k[i]));
		}
		CHECK_MEM(&got, &want, sizeof(want));
		cache_keys_fini(&lists);
		cache_keys_fini(&out);
	}
}

TEST_MAIN()
