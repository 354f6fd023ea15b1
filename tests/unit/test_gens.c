// SPDX-License-Identifier: GPL-2.0-only
/* What a check knows of each bucket, in three bytes, is what a whole table says of it. */
#include "disk.h"
#include "set.h"

#include "alloc/mark.h"
#include "base/rng.h"

#define NBUCKETS	64u

static void is_same(const struct cache_gens *a, const struct cache_gens *b)
{
	CHECK_EQ(a->nbuckets, b->nbuckets);
	for (uint64_t i = 0; i < a->nbuckets; i++) {
		CHECK_EQ(cache_gens_gen(a, i), cache_gens_gen(b, i));
		CHECK_EQ(cache_gens_last_gc(a, i), cache_gens_last_gc(b, i));
		CHECK_EQ(cache_gens_mark(a, i), cache_gens_mark(b, i));
	}
}

static uint8_t *some_gens(uint8_t first)
{
	uint8_t *gen = malloc(NBUCKETS);

	for (unsigned i = 0; i < NBUCKETS; i++)
		gen[i] = first + i;
	return gen;
}

TEST(at_first_no_pointer_lags_and_nothing_is_marked)
{
	struct cache_gens g;

	CHECK_EQ(cache_gens_init(&g, NBUCKETS, some_gens(200)), 0);
	for (uint64_t b = 0; b < NBUCKETS; b++) {
		CHECK_EQ(cache_gens_gen(&g, b), (uint8_t)(200 + b));
		CHECK_EQ(cache_gens_last_gc(&g, b), cache_gens_gen(&g, b));
		CHECK_EQ(cache_gens_mark(&g, b), CACHE_GC_MARK_NONE);
	}
	cache_gens_fini(&g);
	cache_gens_fini(&g);
}

/* A key of any kind, the kinds that clash, lag and raise among them. */
static struct cache_bkey some_key(struct cache_rng *rng, const uint8_t *gen, unsigned *level)
{
	uint64_t bucket = cache_rng_below(rng, NBUCKETS);
	struct cache_bkey k = extent(0, 0, 1 + cache_rng_below(rng, 16), cache_rng_below(rng, 2),
				     bucket * 16, (uint8_t)(gen[bucket] - 3 + cache_rng_below(rng, 6)));

	*level = !cache_rng_below(rng, 4);
	return k;
}

TEST(any_keys_leave_the_same_gens_and_marks_with_a_table_and_without)
{
	struct cache_sb sb = disk_sb(NBUCKETS, 16, 8);
	uint64_t unknown[2] = { 0xf0, 0xf0 };
	uint8_t *gen = some_gens(250);
	struct cache_buckets t;
	struct cache_gens g, window;
	struct cache_rng rng;

	cache_rng_init(&rng, 1);
	CHECK_EQ(cache_buckets_init(&t, NBUCKETS, 2, 16), 0);
	CHECK_EQ(cache_gens_init(&g, NBUCKETS, some_gens(250)), 0);
	window = cache_gens_of(&t);
	for (uint64_t b = 0; b < NBUCKETS; b++) {
		cache_gens_set_gen(&window, b, gen[b]);
		cache_gens_set_last_gc(&window, b, gen[b]);
	}
	is_same(&g, &window);
	for (unsigned i = 0; i < 2000; i++) {
		struct cache_marks own = { &sb, &g, &unknown[0], 0 };
		struct cache_marks full = { &sb, &window, &unknown[1], 0 };
		struct cache_mark_clash a = { 0 }, b = { 0 };
		unsigned level;
		struct cache_bkey k = some_key(&rng, gen, &level);

		CHECK_EQ(cache_mark_initial(&own, &k, level, &a),
			 cache_mark_initial(&full, &k, level, &b));
		CHECK(a.bucket == b.bucket && a.mark == b.mark);
		CHECK_EQ(own.raised, full.raised);
		CHECK_EQ(unknown[0], unknown[1]);
		is_same(&g, &window);
	}
	cache_gens_fini(&g);
	cache_buckets_fini(&t);
	free(gen);
}

static struct cache_set *load(struct cache_dev *dev, enum cache_load upto)
{
	static const struct cache_sink ignore_findings = { .report = cache_sink_ignore };
	struct cache_set *set;

	CHECK_EQ(cache_set_load(dev, upto, &ignore_findings, &set, NULL), 0);
	CHECK_EQ(set->loaded, upto);
	return set;
}

static void loads_the_same(struct cache_dev *dev)
{
	struct cache_set *few = load(dev, CACHE_LOAD_GENS), *all = load(dev, CACHE_LOAD_MARKS);

	CHECK(!few->buckets.rec && !few->prios.prio);
	is_same(&few->gens, &all->gens);
	CHECK_EQ(few->raised, all->raised);
	for (uint64_t b = 0; b < few->gens.nbuckets; b++)
		CHECK_EQ(cache_set_role(few, b), cache_set_role(all, b));
	cache_set_close(few);
	cache_set_close(all);
}

TEST(of_sets_that_a_kernel_wrote_a_check_knows_what_a_start_knows)
{
	static const char *const names[] = { "registered", "wb-crash", "wb-clean", "churn-lru",
					     "flash-vol", "two-backs", "ring-full" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct cache_dev *dev = set_open(names[i]);

		loads_the_same(dev);
		cache_dev_close(dev);
	}
}

TEST(where_a_prio_set_is_lost_both_learn_the_gens_from_the_keys)
{
	struct cache_dev *dev = set_open("wb-crash");
	struct cache_set *set = load(dev, CACHE_LOAD_PRIOS);
	uint64_t sector = cache_bucket_sector(&set->sb, set->prios.chain[1]);
	uint8_t buf[CACHE_SECTOR_BYTES];

	cache_set_close(set);
	CHECK_EQ(cache_dev_read(dev, sector, 1, buf, NULL), 0);
	buf[300] ^= 1;
	CHECK_EQ(cache_dev_write(dev, sector, 1, buf, NULL), 0);
	loads_the_same(dev);
	cache_dev_close(dev);
}

TEST_MAIN()
