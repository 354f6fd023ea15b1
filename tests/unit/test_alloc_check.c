// SPDX-License-Identifier: GPL-2.0-only
/* An invariant that is broken is named: one by one, in an allocator that was in order. */
#include <errno.h>

#include "alloc/alloc.h"
#include "alloc/policy.h"
#include "test.h"

#define N	2048u
#define FIRST	2u
#define SECTORS	64u

struct fake {
	struct cache_buckets t;
	struct cache_alloc a;
};

/* Every bucket clean and full but the first eight, queues filled until there is nothing left to do. */
static void start(struct fake *f)
{
	static const struct cache_alloc_opts opts = {
		.policy = CACHE_POLICY_LRU, .prio_buckets = 1, .sync = true,
	};
	struct cache_err err = { 0 };

	CHECK_EQ(cache_buckets_init(&f->t, N, FIRST, SECTORS), 0);
	CHECK_EQ(cache_alloc_init(&f->a, &f->t, &opts, NULL, NULL), 0);
	for (unsigned int b = FIRST + 8; b < N; b++) {
		cache_bucket_set_mark(&f->t, b, CACHE_GC_MARK_RECLAIMABLE);
		cache_bucket_set_sectors_used(&f->t, b, SECTORS);
		cache_bucket_set_prio(&f->t, b, CACHE_INITIAL_PRIO);
	}
	CHECK_EQ(cache_alloc_gc_finish(&f->a, NULL, 0), 0);
	cache_alloc_seed_free(&f->a);
	while (cache_alloc_step(&f->a) == CACHE_ALLOC_RAN)
		;
	if (cache_alloc_check(&f->a, &err))
		TEST_FAIL("broken before: %s", err.text);
}

static struct cache_ring *queue(struct fake *f)
{
	return &f->a.free[CACHE_RESERVE_NONE];
}

static uint32_t *queued(struct fake *f, uint32_t i)
{
	struct cache_ring *r = queue(f);

	return &r->slot[(r->head + i) & r->mask];
}

static void too_many(struct fake *f) { queue(f)->size = queue(f)->used - 1; }
static void before_the_first(struct fake *f) { *queued(f, 0) = FIRST - 1; }
static void past_the_table(struct fake *f) { *queued(f, 0) = N; }
static void twice_in_one(struct fake *f) { *queued(f, 0) = *queued(f, 1); }
static void twice_in_two(struct fake *f) { *queued(f, 0) = cache_ring_at(&f->a.free_inc, 0); }
static void unpinned(struct fake *f) { f->t.rec[*queued(f, 0)].pin = 0; }
static void pinned_twice(struct fake *f) { f->t.rec[*queued(f, 0)].pin = 2; }

static void dirty(struct fake *f)
{
	cache_bucket_set_mark(&f->t, *queued(f, 0), CACHE_GC_MARK_DIRTY);
}

static void metadata(struct fake *f)
{
	cache_bucket_set_mark(&f->t, *queued(f, 0), CACHE_GC_MARK_METADATA);
}

static void prios_in_a_queued_bucket(struct fake *f)
{
	static uint64_t prio;

	prio = *queued(f, 1);
	f->a.prio_current = &prio;
}

static void far_ahead(struct fake *f)
{
	f->t.rec[N - 1].gen = f->t.rec[N - 1].last_gc + CACHE_GC_GEN_MAX + 1;
}

static void ahead_of_need_gc(struct fake *f)
{
	f->t.rec[N - 1].gen = f->t.rec[N - 1].last_gc + f->a.need_gc + 1;
}

static void sectors_without_a_mark(struct fake *f)
{
	f->t.rec[N - 1].pin = 0;
	cache_bucket_set_mark(&f->t, N - 1, CACHE_GC_MARK_NONE);
	cache_bucket_set_sectors_used(&f->t, N - 1, 1);
}

static void more_than_there_are(struct fake *f) { f->a.avail_nbuckets = N + 1; }

static void drained_unwritten(struct fake *f)
{
	f->a.refused = true;
	f->a.phase = CACHE_ALLOC_DRAIN;
}

static void forgotten(struct fake *f)
{
	f->a.refused = true;
	f->a.phase = CACHE_ALLOC_INVALIDATE;
}

/* The counts behind min_prio exist once a rescale has asked for them. */
static void miscounted(struct fake *f)
{
	cache_buckets_rescale(&f->t);
	CHECK(f->t.hist_valid);
	f->t.hist[CACHE_INITIAL_PRIO - f->t.hist_base]++;
}

static void less_than_the_least(struct fake *f)
{
	cache_buckets_rescale(&f->t);
	CHECK(f->t.hist_valid);
	f->t.hist_min = CACHE_INITIAL_PRIO + 1;
}

TEST(each_invariant_that_is_broken_is_named)
{
	static const struct {
		void (*damage)(struct fake *f);
		const char *says;
	} rows[] = {
		{ too_many, "D8: free[NONE] holds" },
		{ before_the_first, "D2: free[NONE] holds bucket 1, past the table" },
		{ past_the_table, "D2: free[NONE] holds bucket 2048, past the table" },
		{ twice_in_one, "is queued twice" },
		{ twice_in_two, "is queued twice" },
		{ unpinned, "has pin 0, expected 1" },
		{ pinned_twice, "has pin 2, expected 1" },
		{ dirty, "D4:" },
		{ metadata, "D4:" },
		{ prios_in_a_queued_bucket, "D2: prio bucket" },
		{ far_ahead, "D6: bucket 2047 is 97 gens ahead" },
		{ ahead_of_need_gc, "D6: need_gc is" },
		{ sectors_without_a_mark, "D11: bucket 2047" },
		{ more_than_there_are, "D9: 2049 buckets available" },
		{ drained_unwritten, "D1:" },
		{ forgotten, "D14:" },
		{ miscounted, "hist:" },
		{ less_than_the_least, "is below the least" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cache_err err = { 0 };
		struct fake f = { 0 };

		start(&f);
		rows[i].damage(&f);
		if (cache_alloc_check(&f.a, &err) != -EUCLEAN || !strstr(err.text, rows[i].says))
			TEST_FAIL("row %zu: \"%s\", want \"%s\"", i, err.text, rows[i].says);
		cache_alloc_fini(&f.a);
		cache_buckets_fini(&f.t);
	}
}

TEST(prio_buckets_of_their_own_are_in_order)
{
	uint64_t prio[1] = { 0 };
	struct fake f = { 0 };

	start(&f);
	f.a.prio_current = prio;
	CHECK_EQ(cache_alloc_check(&f.a, NULL), 0);
	prio[0] = N - 1;
	CHECK_EQ(cache_alloc_check(&f.a, NULL), 0);
	cache_alloc_fini(&f.a);
	cache_buckets_fini(&f.t);
}

TEST_MAIN()
