// SPDX-License-Identifier: GPL-2.0-only
/* What the reference allocator does where test_alloc_diff.c, which plays both side by side, never gets. */
#include <errno.h>

#include "alloc/ref_alloc.h"
#include "test.h"

#define N	1024u

struct fake {
	struct cache_ref_alloc k;
	int ret;		/* of each prio write */
	unsigned writes, gcs;
};

static int commit_gens(void *ctx)
{
	struct fake *f = ctx;

	f->writes++;
	return f->ret;
}

static void need_gc(void *ctx)
{
	((struct fake *)ctx)->gcs++;
}

static const struct cache_alloc_ops ops = { .commit_gens = commit_gens, .need_gc = need_gc };

/* Everything clean and full; with @seeds a few that nothing points to, and queued. */
static void start(struct fake *f, enum cache_alloc_flavour flavour, bool seeds,
		  const struct cache_alloc_ops *hooks)
{
	const struct cache_alloc_opts opts = { .policy = CACHE_POLICY_LRU, .flavour = flavour,
					       .prio_buckets = 1, .sync = true };

	memset(f, 0, sizeof(*f));
	CHECK_EQ(cache_ref_alloc_init(&f->k, N, 1, 64, &opts, hooks, f), 0);
	for (uint64_t b = 1 + 8 * seeds; b < N; b++) {
		f->k.b[b].mark = CACHE_GC_MARK_RECLAIMABLE;
		f->k.b[b].sectors = 64;
		f->k.b[b].prio = CACHE_INITIAL_PRIO;
	}
	cache_ref_alloc_gc_finish(&f->k);
	if (seeds)
		cache_ref_alloc_seed_free(&f->k);
}

static int settle(struct fake *f)
{
	int ret;

	do
		ret = cache_ref_alloc_step(&f->k);
	while (ret == CACHE_ALLOC_RAN);
	return ret;
}

TEST(without_a_bucket_for_its_prios_the_older_driver_waits)
{
	struct fake f;

	start(&f, CACHE_ALLOC_OLDER, false, &ops);
	CHECK_EQ(settle(&f), CACHE_ALLOC_WAIT_RESERVE);
	CHECK_EQ(f.writes, 0);
	CHECK(!f.k.commits);
	cache_ref_alloc_fini(&f.k);
}

TEST(without_a_bucket_for_its_prios_the_newer_driver_asks_for_a_gc)
{
	struct fake f;

	start(&f, CACHE_ALLOC_NEWER, false, &ops);
	CHECK_EQ(settle(&f), CACHE_ALLOC_WAIT_GC);
	CHECK(f.k.refused && f.gcs);
	CHECK_EQ(f.writes, 0);
	cache_ref_alloc_fini(&f.k);
}

TEST(a_prio_write_that_fails_ends_it)
{
	for (int newer = 0; newer < 2; newer++) {
		enum cache_alloc_flavour flavour = newer ? CACHE_ALLOC_NEWER : CACHE_ALLOC_OLDER;
		struct fake f;
		uint64_t b;

		start(&f, flavour, true, &ops);
		f.ret = -EIO;
		CHECK_EQ(settle(&f), -EIO);
		CHECK_EQ(f.writes, 1);
		CHECK(f.k.io_disabled);
		CHECK_EQ(cache_ref_alloc_step(&f.k), -EIO);
		/* the older one gives away what it has */
		CHECK_EQ(cache_ref_alloc_get(&f.k, CACHE_RESERVE_PRIO, &b), newer ? -EIO : 0);
		cache_ref_alloc_fini(&f.k);
	}
}

TEST(without_hooks_every_prio_write_succeeds)
{
	static const struct cache_alloc_ops none;
	const struct cache_alloc_ops *hooks[] = { NULL, &none };

	for (int i = 0; i < 2; i++) {
		struct fake f;
		uint64_t b;

		start(&f, CACHE_ALLOC_NEWER, true, hooks[i]);
		CHECK_EQ(settle(&f), CACHE_ALLOC_WAIT_SPACE);
		CHECK(f.k.commits);
		/* none left to take: a gc is wanted, and no hook answers */
		for (uint64_t j = 1; j < N; j++)
			f.k.b[j].mark = CACHE_GC_MARK_DIRTY;
		while (!cache_ref_alloc_get(&f.k, CACHE_RESERVE_NONE, &b))
			settle(&f);
		CHECK_EQ(settle(&f), CACHE_ALLOC_WAIT_GC);
		CHECK(f.k.invalidate_needs_gc);
		cache_ref_alloc_fini(&f.k);
	}
}

TEST(victims_that_could_not_be_the_heap_s_are_not_followed)
{
	static const struct {
		uint32_t at, bucket;
		bool strays;
	} rows[] = {
		{ 0, 0, false }, { 0, N, true }, { 0, 11, true }, { 0, 12, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint32_t victim[64];
		struct fake f;

		start(&f, CACHE_ALLOC_NEWER, true, &ops);
		f.k.b[11].mark = CACHE_GC_MARK_DIRTY;
		f.k.b[12].sectors = 63;		/* lighter than any */
		f.k.b[13].sectors = 1;
		f.k.nfollow = f.k.free_inc.size;
		CHECK(f.k.nfollow < 64);
		victim[0] = 13;			/* the lightest of all comes first */
		victim[1] = 12;
		for (uint32_t j = 2; j < f.k.nfollow; j++)
			victim[j] = 100 + j;
		if (rows[i].strays)
			victim[rows[i].at] = rows[i].bucket;
		f.k.follow = victim;
		f.k.phase = CACHE_ALLOC_INVALIDATE;
		cache_ref_alloc_invalidate(&f.k);
		if (f.k.strayed != rows[i].strays)
			TEST_FAIL("row %zu: strayed is %d", i, f.k.strayed);
		if (!f.k.strayed)
			for (uint32_t j = 0; j < f.k.nfollow; j++)
				CHECK_EQ(f.k.free_inc.v[(f.k.free_inc.head + j) & f.k.free_inc.mask],
					 victim[j]);
		cache_ref_alloc_fini(&f.k);
	}
}

TEST_MAIN()
