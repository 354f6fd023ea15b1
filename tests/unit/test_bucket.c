// SPDX-License-Identifier: GPL-2.0-only
/* The bucket table against the plain arithmetic of behaviour 1 and 5.3. */
#include <errno.h>

#include "alloc/bucket.h"
#include "base/rng.h"
#include "test.h"

#define N	300
#define FIRST	3

struct plain {
	uint32_t prio[N], pin[N], min_prio;
};

static void plain_rescale(struct plain *p)
{
	p->min_prio = 65535;
	for (int b = FIRST; b < N; b++) {
		if (!p->prio[b] || p->prio[b] == 65535 || p->pin[b])
			continue;
		p->prio[b]--;
		if (p->prio[b] < p->min_prio)
			p->min_prio = p->prio[b];
	}
}

static void check_same(const struct cache_buckets *t, const struct plain *p)
{
	CHECK_EQ(t->min_prio, p->min_prio);
	for (int b = FIRST; b < N; b++) {
		CHECK_EQ(cache_bucket_prio(t, b), p->prio[b]);
		CHECK_EQ(cache_bucket_pin(t, b), p->pin[b]);
	}
}

static uint16_t some_prio(struct cache_rng *rng)
{
	static const uint16_t edge[] = { 0, 1, 2, 32767, 32768, 32769, 65534, 65535 };

	switch (cache_rng_below(rng, 4)) {
	case 0:
		return edge[cache_rng_below(rng, 8)];
	case 1:
		return cache_rng_u64(rng);
	default:
		return 32768 - cache_rng_below(rng, 1024);
	}
}

static void one_change(struct cache_buckets *t, struct plain *p, struct cache_rng *rng)
{
	uint64_t b = cache_rng_below(rng, N);

	switch (cache_rng_below(rng, 5)) {
	case 0:
		p->prio[b] = some_prio(rng);
		cache_bucket_set_prio(t, b, p->prio[b]);
		break;
	case 1:
		p->pin[b]++;
		cache_bucket_pin_get(t, b);
		break;
	case 2:
		p->pin[b] -= !!p->pin[b];
		cache_bucket_pin_put(t, b);
		break;
	case 3:
		p->pin[b] = cache_rng_below(rng, 3);
		cache_bucket_set_pin(t, b, p->pin[b]);
		break;
	default:
		p->prio[b] = 32768;
		cache_bucket_touch(t, b, 32768);
	}
}

TEST(lazy_aging_gives_the_priorities_of_a_plain_rescale)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct cache_buckets t;
		struct plain p = { .min_prio = 0 };
		struct cache_rng rng;

		cache_rng_init(&rng, seed);
		CHECK_EQ(cache_buckets_init(&t, N, FIRST, 1024), 0);
		for (int i = 0; i < 3000; i++) {
			int age = cache_rng_below(&rng, seed == 1 ? 200 : 3);

			for (int k = 0; k < 4; k++)
				one_change(&t, &p, &rng);
			while (age--) {
				cache_buckets_rescale(&t);
				plain_rescale(&p);
			}
			check_same(&t, &p);
		}
		cache_buckets_fini(&t);
	}
}

TEST(settling_changes_no_priority)
{
	struct cache_buckets t;

	CHECK_EQ(cache_buckets_init(&t, N, FIRST, 1024), 0);
	for (int b = 0; b < N; b++)
		cache_bucket_set_prio(&t, b, 40000 + b);
	cache_bucket_pin_get(&t, 7);
	for (int i = 0; i < 100; i++)
		cache_buckets_rescale(&t);
	cache_buckets_settle(&t);
	CHECK_EQ(t.epoch, 0);
	CHECK_EQ(cache_bucket_prio(&t, 7), 40007);
	CHECK_EQ(cache_bucket_prio(&t, 8), 40008 - 100);
	cache_buckets_fini(&t);
}

TEST(every_field_keeps_its_own_value)
{
	struct cache_buckets t;

	CHECK_EQ(cache_buckets_init(&t, 2, 1, 8), 0);
	cache_bucket_set_mark(&t, 1, CACHE_GC_MARK_DIRTY);
	cache_bucket_set_sectors_used(&t, 1, 8191);
	cache_bucket_set_move(&t, 1, true);
	cache_bucket_set_gen(&t, 1, 5);
	cache_bucket_set_last_gc(&t, 1, 250);
	CHECK_EQ(cache_bucket_mark(&t, 1), CACHE_GC_MARK_DIRTY);
	CHECK_EQ(cache_bucket_sectors_used(&t, 1), 8191);
	CHECK(cache_bucket_move(&t, 1));
	cache_bucket_set_sectors_used(&t, 1, 8192);
	CHECK_EQ(cache_bucket_sectors_used(&t, 1), 0);
	CHECK_EQ(cache_bucket_mark(&t, 1), CACHE_GC_MARK_DIRTY);
	cache_bucket_set_move(&t, 1, false);
	CHECK(!cache_bucket_move(&t, 1));
	CHECK_EQ(cache_bucket_gc_gen(&t, 1), 11);
	CHECK_EQ(cache_bucket_gen(&t, 0), 0);
	cache_buckets_fini(&t);
}

TEST(a_pin_count_that_reaches_the_top_stays)
{
	struct cache_buckets t;

	CHECK_EQ(cache_buckets_init(&t, 2, 1, 8), 0);
	cache_bucket_set_pin(&t, 1, 1u << 20);
	CHECK_EQ(cache_bucket_pin(&t, 1), CACHE_PIN_MAX);
	cache_bucket_pin_put(&t, 1);
	cache_bucket_pin_get(&t, 1);
	CHECK_EQ(cache_bucket_pin(&t, 1), CACHE_PIN_MAX);
	cache_buckets_fini(&t);
}

TEST(gen_after_counts_modulo_256)
{
	CHECK_EQ(cache_gen_after(5, 3), 2);
	CHECK_EQ(cache_gen_after(3, 5), 0);
	CHECK_EQ(cache_gen_after(2, 250), 8);
	CHECK_EQ(cache_gen_after(128, 0), 128);
	CHECK_EQ(cache_gen_after(129, 0), 0);
}

TEST(impossible_tables_are_refused)
{
	struct cache_buckets t;

	CHECK_EQ(cache_buckets_init(&t, 0, 0, 8), -EINVAL);
	CHECK_EQ(cache_buckets_init(&t, 8, 8, 8), -EINVAL);
	CHECK_EQ(cache_buckets_init(&t, 8, 1, 0), -EINVAL);
	CHECK_EQ(cache_buckets_init(&t, 1ull << 32, 1, 8), -EINVAL);
	cache_buckets_fini(&t);
	cache_buckets_fini(NULL);
}

TEST_MAIN()
