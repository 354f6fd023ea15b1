// SPDX-License-Identifier: GPL-2.0-only
/* Marking keys, step by step as behaviour 4.1 and 4.2 put it. */
#include "disk.h"

#include "alloc/mark.h"
#include "base/rng.h"

struct table {
	struct cache_sb sb;
	struct cache_buckets buckets;
	struct cache_gens gens;
	struct cache_marks m;
	struct cache_mark_clash clash;
};

static struct table *table_new(void)
{
	struct table *t = calloc(1, sizeof(*t));

	t->sb = disk_sb(1024, 16, 8);
	CHECK_EQ(cache_buckets_init(&t->buckets, 1024, 2, 16), 0);
	t->gens = cache_gens_of(&t->buckets);
	t->m = (struct cache_marks){ .sb = &t->sb, .gens = &t->gens };
	return t;
}

static void table_free(struct table *t)
{
	cache_buckets_fini(&t->buckets);
	free(t);
}

static bool initial(struct table *t, struct cache_bkey k, unsigned level)
{
	return cache_mark_initial(&t->m, &k, level, &t->clash);
}

TEST(clean_then_dirty_then_clean_stays_dirty)
{
	struct table *t = table_new();

	CHECK(initial(t, extent(0, 0, 4, false, 50 * 16, 0), 0));
	CHECK_EQ(cache_bucket_mark(&t->buckets, 50), CACHE_GC_MARK_RECLAIMABLE);
	CHECK(initial(t, extent(0, 4, 8, true, 50 * 16 + 4, 0), 0));
	CHECK_EQ(cache_bucket_mark(&t->buckets, 50), CACHE_GC_MARK_DIRTY);
	CHECK(initial(t, extent(0, 8, 12, false, 50 * 16 + 8, 0), 0));
	CHECK_EQ(cache_bucket_mark(&t->buckets, 50), CACHE_GC_MARK_DIRTY);
	CHECK_EQ(cache_bucket_sectors_used(&t->buckets, 50), 12);
	table_free(t);
}

TEST(a_key_ahead_of_its_bucket_raises_the_gen_at_the_start_only)
{
	struct table *t = table_new();
	struct cache_bkey k = extent(0, 0, 4, false, 50 * 16, 9);

	cache_bucket_set_gen(&t->buckets, 50, 7);
	cache_bucket_set_last_gc(&t->buckets, 50, 7);
	CHECK(cache_mark_key(&t->m, &k, 0, &t->clash));
	CHECK_EQ(cache_bucket_gen(&t->buckets, 50), 7);
	CHECK(initial(t, k, 0));
	CHECK_EQ(cache_bucket_gen(&t->buckets, 50), 9);
	CHECK_EQ(t->m.raised, 1);
	table_free(t);
}

TEST(a_stale_key_marks_nothing_and_holds_last_gc_back)
{
	struct table *t = table_new();

	cache_bucket_set_gen(&t->buckets, 50, 7);
	cache_bucket_set_last_gc(&t->buckets, 50, 7);
	CHECK(initial(t, extent(0, 0, 4, true, 50 * 16, 5), 0));
	CHECK_EQ(cache_bucket_mark(&t->buckets, 50), CACHE_GC_MARK_NONE);
	CHECK_EQ(cache_bucket_sectors_used(&t->buckets, 50), 0);
	CHECK_EQ(cache_bucket_last_gc(&t->buckets, 50), 5);
	CHECK_EQ(cache_bucket_gen(&t->buckets, 50), 7);
	table_free(t);
}

TEST(a_gen_wraps_past_255)
{
	struct table *t = table_new();

	cache_bucket_set_gen(&t->buckets, 50, 250);
	cache_bucket_set_last_gc(&t->buckets, 50, 250);
	CHECK(initial(t, extent(0, 0, 4, false, 50 * 16, 3), 0));
	CHECK_EQ(cache_bucket_gen(&t->buckets, 50), 3);
	CHECK_EQ(cache_bucket_mark(&t->buckets, 50), CACHE_GC_MARK_RECLAIMABLE);
	table_free(t);
}

TEST(a_bucket_cannot_hold_a_node_and_data)
{
	struct table *t = table_new();

	CHECK(initial(t, root_key(&t->sb, 60, 0), 1));
	CHECK_EQ(cache_bucket_mark(&t->buckets, 60), CACHE_GC_MARK_METADATA);
	CHECK(!initial(t, extent(0, 0, 4, true, 60 * 16, 0), 0));
	CHECK_EQ(t->clash.bucket, 60);
	CHECK_EQ(t->clash.mark, CACHE_GC_MARK_METADATA);
	CHECK_EQ(cache_bucket_mark(&t->buckets, 60), CACHE_GC_MARK_METADATA);
	table_free(t);
}

TEST(a_freeing_key_raises_a_gen_and_marks_nothing)
{
	struct table *t = table_new();

	cache_bucket_set_prio(&t->buckets, 60, 100);
	CHECK(initial(t, node_key(&t->sb, 0, 0, 60, 4), 1));
	CHECK_EQ(cache_bucket_gen(&t->buckets, 60), 4);
	CHECK_EQ(cache_bucket_mark(&t->buckets, 60), CACHE_GC_MARK_NONE);
	CHECK_EQ(cache_bucket_prio(&t->buckets, 60), 100);
	table_free(t);
}

TEST(priorities_follow_what_a_bucket_turned_out_to_hold)
{
	struct table *t = table_new();

	CHECK(initial(t, root_key(&t->sb, 60, 0), 1));
	CHECK_EQ(cache_bucket_prio(&t->buckets, 60), CACHE_BTREE_PRIO);
	cache_bucket_set_prio(&t->buckets, 61, CACHE_BTREE_PRIO);
	CHECK(initial(t, extent(0, 0, 4, false, 61 * 16, 0), 0));
	CHECK_EQ(cache_bucket_prio(&t->buckets, 61), CACHE_INITIAL_PRIO);
	table_free(t);
}

TEST(sectors_used_saturate)
{
	struct table *t = table_new();

	for (int i = 0; i < 1000; i++)
		CHECK(initial(t, extent(0, 0, 16, false, 50 * 16, 0), 0));
	CHECK_EQ(cache_bucket_sectors_used(&t->buckets, 50), CACHE_GC_SECTORS_MAX);
	table_free(t);
}

TEST(pointers_to_nowhere_are_left_alone)
{
	struct table *t = table_new();
	struct cache_bkey k = extent(0, 0, 4, false, 50 * 16, 0);

	k.ptr[0] = cache_ptr_make(CACHE_PTR_CHECK_DEV, 50 * 16, 0);
	CHECK(initial(t, k, 0));
	CHECK(initial(t, extent(0, 0, 4, false, 1024 * 16, 0), 0));
	CHECK_EQ(cache_bucket_mark(&t->buckets, 50), CACHE_GC_MARK_NONE);
	table_free(t);
}

TEST(a_lost_gen_is_learnt_from_the_first_pointer)
{
	struct table *t = table_new();
	uint64_t unknown[16] = { [0] = UINT64_C(1) << 50 };

	t->m.gen_unknown = unknown;
	CHECK(initial(t, extent(0, 0, 4, false, 50 * 16, 200), 0));
	CHECK_EQ(cache_bucket_gen(&t->buckets, 50), 200);
	CHECK_EQ(unknown[0], 0);
	table_free(t);
}

/* The same random extents, marked in both ways; some gens and priorities are out of the ordinary. */
TEST(the_short_way_marks_as_the_long_one_or_leaves_it_to_that)
{
	struct table *a = table_new(), *b = table_new();
	struct cache_rng rng;
	unsigned taken = 0;

	cache_rng_init(&rng, 1);
	for (unsigned i = 0; i < 100; i++) {
		unsigned gen = cache_rng_below(&rng, 3);

		cache_bucket_set_gen(&a->buckets, 50 + i, gen);
		cache_bucket_set_gen(&b->buckets, 50 + i, gen);
		cache_bucket_set_prio(&a->buckets, 50 + i, i % 7 ? i : CACHE_BTREE_PRIO);
		cache_bucket_set_prio(&b->buckets, 50 + i, i % 7 ? i : CACHE_BTREE_PRIO);
		if (i % 11)
			continue;
		cache_bucket_set_mark(&a->buckets, 50 + i, CACHE_GC_MARK_METADATA);
		cache_bucket_set_mark(&b->buckets, 50 + i, CACHE_GC_MARK_METADATA);
	}
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t bucket = 50 + cache_rng_below(&rng, 100);
		bool odd = !cache_rng_below(&rng, 2000);
		unsigned gen = odd ? cache_rng_below(&rng, 4) : cache_bucket_gen(&b->buckets, bucket);
		struct cache_bkey k = extent(0, 8 * i, 8 * i + 8, cache_rng_below(&rng, 2), bucket * 16,
					     gen);

		if (!cache_mark_plain_table(&a->buckets, cache_ptr_gen(k.ptr[0]), cache_key_dirty(&k),
					    8, bucket))
			initial(a, k, 0);
		else
			taken++;
		initial(b, k, 0);
	}
	CHECK(taken > 1000);
	CHECK_EQ(memcmp(a->buckets.rec, b->buckets.rec, 1024 * sizeof(*a->buckets.rec)), 0);
	CHECK_EQ(a->m.raised, b->m.raised);
	table_free(a);
	table_free(b);
}

TEST_MAIN()
