// SPDX-License-Identifier: GPL-2.0-only
/* The allocator's systems one by one (behaviour 2, 4.3, 5); test_alloc_diff.c has them together. */
#include <errno.h>

#include "alloc/alloc.h"
#include "base/bits.h"
#include "test.h"

#define N	2048u
#define FIRST	1u
#define SECTORS	64u

/* A cache with a disk of gens beside it: what a crash would leave. */
struct fake {
	struct cache_buckets t;
	struct cache_alloc a;
	uint8_t durable[N];
	int commits, discards, gcs;
	int commit_fails_at, fail_with;	/* which call, 0: none */
	int discard_fails_at;
	bool gc_inside;
	uint64_t last_discarded;
	int events[4];
};

static int commit_gens(void *ctx)
{
	struct fake *f = ctx;

	if (++f->commits == f->commit_fails_at)
		return f->fail_with;
	for (unsigned int b = 0; b < N; b++)
		f->durable[b] = cache_bucket_gen(&f->t, b);
	return 0;
}

static int discard(void *ctx, uint64_t bucket)
{
	struct fake *f = ctx;

	f->last_discarded = bucket;
	return ++f->discards == f->discard_fails_at ? -EIO : 0;
}

static void fake_gc(struct fake *f);

static void need_gc(void *ctx)
{
	struct fake *f = ctx;

	f->gcs++;
	if (f->gc_inside)
		fake_gc(f);
}

static void trace(void *ctx, enum cache_alloc_event ev, uint64_t bucket, uint32_t detail)
{
	((struct fake *)ctx)->events[ev]++;
}

static const struct cache_alloc_ops ops = {
	.commit_gens = commit_gens, .discard = discard, .need_gc = need_gc, .trace = trace,
};

static const struct cache_alloc_opts lru = {
	.policy = CACHE_POLICY_LRU, .prio_buckets = 1, .sync = true, .debug = true,
};

static void make(struct fake *f, const struct cache_alloc_opts *o)
{
	memset(f, 0, sizeof(*f));
	CHECK_EQ(cache_buckets_init(&f->t, N, FIRST, SECTORS), 0);
	CHECK_EQ(cache_alloc_init(&f->a, &f->t, o, &ops, f), 0);
}

/* All clean and full, but the first eight, which nothing points to. */
static void mark_clean(struct fake *f)
{
	for (unsigned int b = FIRST + 8; b < N; b++) {
		if (f->t.rec[b].pin)
			continue;
		cache_bucket_set_mark(&f->t, b, CACHE_GC_MARK_RECLAIMABLE);
		cache_bucket_set_sectors_used(&f->t, b, SECTORS);
		cache_bucket_set_prio(&f->t, b, CACHE_INITIAL_PRIO);
	}
}

static void fake_gc(struct fake *f)
{
	cache_alloc_gc_begin(&f->a);
	mark_clean(f);
	cache_alloc_gc_finish(&f->a, NULL, 0);
}

static void start(struct fake *f, const struct cache_alloc_opts *o)
{
	make(f, o);
	mark_clean(f);
	CHECK_EQ(cache_alloc_gc_finish(&f->a, NULL, 0), 0);
	cache_alloc_seed_free(&f->a);
}

static void check(struct fake *f)
{
	struct cache_err err = { 0 };

	if (cache_alloc_check(&f->a, &err))
		TEST_FAIL("%s", err.text);
}

static void done(struct fake *f)
{
	check(f);
	cache_alloc_fini(&f->a);
	cache_buckets_fini(&f->t);
}

TEST(queues_have_the_driver_s_sizes)
{
	static const struct {
		uint64_t n;
		uint32_t njournal, prios, btree, none, inc;
	} rows[] = {
		{ 514, 4, 1, 4, 1, 4 }, { 514, 0, 1, 7, 1, 4 }, { 1024, 8, 1, 7, 1, 4 },
		{ 2048, 16, 1, 15, 2, 7 }, { 20480, 160, 1, 255, 31, 127 },
		{ 204800, 256, 2, 255, 255, 1023 }, { 2097152, 256, 13, 255, 2047, 8191 },
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cache_alloc_opts o = {
			.njournal = rows[i].njournal, .prio_buckets = rows[i].prios,
		};
		struct cache_buckets t;
		struct cache_alloc a;

		CHECK_EQ(cache_buckets_init(&t, rows[i].n, 1, 1024), 0);
		CHECK_EQ(cache_alloc_init(&a, &t, &o, NULL, NULL), 0);
		CHECK_EQ(a.free[CACHE_RESERVE_BTREE].size, rows[i].btree);
		CHECK_EQ(a.free[CACHE_RESERVE_PRIO].size, rows[i].prios);
		CHECK_EQ(a.free[CACHE_RESERVE_MOVINGGC].size, rows[i].none);
		CHECK_EQ(a.free[CACHE_RESERVE_NONE].size, rows[i].none);
		CHECK_EQ(a.free_inc.size, rows[i].inc);
		cache_alloc_fini(&a);
		cache_buckets_fini(&t);
	}
}

TEST(what_the_driver_would_not_run_is_refused)
{
	struct cache_alloc_opts o = lru;
	struct cache_buckets t;
	struct cache_alloc a;

	CHECK_EQ(cache_buckets_init(&t, 512, 1, 8), 0);
	CHECK_EQ(cache_alloc_init(&a, &t, &o, NULL, NULL), -EINVAL);
	cache_alloc_fini(&a);
	cache_buckets_fini(&t);
	CHECK_EQ(cache_buckets_init(&t, 513, 1, 8), 0);
	o.policy = 3;
	CHECK_EQ(cache_alloc_init(&a, &t, &o, NULL, NULL), -EINVAL);
	o = lru;
	o.prio_buckets = 0;
	CHECK_EQ(cache_alloc_init(&a, &t, &o, NULL, NULL), -EINVAL);
	cache_buckets_fini(&t);
}

TEST(bumping_a_gen_raises_need_gc_to_the_greatest_lag)
{
	struct fake f;

	start(&f, &lru);
	cache_bucket_set_gen(&f.t, 50, 250);
	cache_bucket_set_last_gc(&f.t, 50, 250);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(cache_alloc_inc_gen(&f.a, 50), (uint8_t)(251 + i));
	CHECK_EQ(f.a.need_gc, 10);
	done(&f);
}

TEST(a_bucket_96_gens_ahead_of_gc_is_not_invalidated)
{
	struct fake f;

	start(&f, &lru);
	for (int i = 0; i < 95; i++)
		cache_alloc_inc_gen(&f.a, 50);
	CHECK(cache_alloc_can_invalidate(&f.a, 50));
	cache_alloc_inc_gen(&f.a, 50);
	CHECK(!cache_alloc_can_invalidate(&f.a, 50));
	done(&f);
}

TEST(only_clean_unpinned_buckets_are_invalidated_and_only_with_valid_marks)
{
	struct fake f;

	start(&f, &lru);
	CHECK(cache_alloc_can_invalidate(&f.a, 100));
	cache_bucket_pin_get(&f.t, 100);
	CHECK(!cache_alloc_can_invalidate(&f.a, 100));
	cache_alloc_dirty(&f.a, 101);
	CHECK(!cache_alloc_can_invalidate(&f.a, 101));
	cache_bucket_set_mark(&f.t, 102, CACHE_GC_MARK_METADATA);
	CHECK(!cache_alloc_can_invalidate(&f.a, 102));
	cache_alloc_gc_begin(&f.a);
	CHECK(!cache_alloc_can_invalidate(&f.a, 103));
	CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_RAN);
	CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_WAIT_GC);
	done(&f);
}

TEST(seeding_takes_buckets_nothing_points_to_for_prio_and_btree)
{
	struct fake f;

	start(&f, &lru);
	CHECK_EQ(f.a.free[CACHE_RESERVE_PRIO].used, 1);
	CHECK_EQ(f.a.free[CACHE_RESERVE_BTREE].used, 7);
	CHECK_EQ(f.a.free[CACHE_RESERVE_PRIO].slot[0], FIRST);
	CHECK_EQ(cache_bucket_gen(&f.t, FIRST), 1);
	CHECK_EQ(cache_bucket_pin(&f.t, FIRST), 1);
	CHECK_EQ(cache_bucket_prio(&f.t, FIRST), CACHE_INITIAL_PRIO);
	CHECK_EQ(f.commits, 0);
	done(&f);
}

TEST(the_machine_invalidates_commits_and_then_drains)
{
	struct fake f;

	start(&f, &lru);
	CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_RAN);
	CHECK_EQ(f.a.phase, CACHE_ALLOC_INVALIDATE);
	CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_RAN);
	CHECK_EQ(f.a.free_inc.used, 7);
	CHECK_EQ(f.a.free[CACHE_RESERVE_NONE].used, 0);
	CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_RAN);
	CHECK_EQ(f.commits, 1);
	CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_RAN);
	/* PRIO and BTREE are full already: MOVINGGC comes before NONE */
	CHECK_EQ(f.a.free[CACHE_RESERVE_MOVINGGC].used, 1);
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_SPACE);
	CHECK_EQ(f.a.free[CACHE_RESERVE_NONE].used, 2);
	CHECK_EQ(f.a.free_inc.used, 3);
	CHECK_EQ(f.events[CACHE_ALLOC_EV_INVALIDATE], 7);
	done(&f);
}

TEST(reserves_refill_in_the_order_prio_btree_movinggc_none)
{
	struct fake f;
	uint64_t b;

	start(&f, &lru);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_PRIO, &b), 0);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_BTREE, &b), 0);
	f.a.opts.sync = false;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_RAN);
	CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_RAN);
	CHECK_EQ(f.a.free[CACHE_RESERVE_PRIO].used, 1);
	CHECK_EQ(f.a.free[CACHE_RESERVE_BTREE].used, 6);
	CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_RAN);
	CHECK_EQ(f.a.free[CACHE_RESERVE_BTREE].used, 7);
	CHECK_EQ(f.a.free[CACHE_RESERVE_MOVINGGC].used, 0);
	CHECK_EQ(f.commits, 0);
	done(&f);
}

TEST(no_bucket_before_its_gen_is_durable)
{
	struct fake f;
	uint64_t b;

	start(&f, &lru);
	for (int i = 0; i < 5000; i++) {
		CHECK_EQ(cache_alloc_get_wait(&f.a, CACHE_RESERVE_NONE, &b), 0);
		CHECK_EQ(f.durable[b], cache_bucket_gen(&f.t, b));
		cache_bucket_set_last_gc(&f.t, b, cache_bucket_gen(&f.t, b));
		cache_alloc_put(&f.a, b);
	}
	done(&f);
}

TEST(none_is_used_up_before_a_reserve_is_touched)
{
	struct fake f;
	uint64_t b;

	start(&f, &lru);
	cache_alloc_refill(&f.a);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_BTREE, &b), 0);
	CHECK_EQ(f.a.free[CACHE_RESERVE_BTREE].used, 7);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_BTREE, &b), 0);
	CHECK_EQ(f.a.free[CACHE_RESERVE_BTREE].used, 6);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_NONE, &b), -EAGAIN);
	CHECK_EQ(f.events[CACHE_ALLOC_EV_FAIL], 1);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_NR, &b), -EINVAL);
	done(&f);
}

TEST(an_allocated_bucket_has_the_marks_of_its_use)
{
	struct fake f;
	uint64_t b, avail;

	start(&f, &lru);
	cache_alloc_refill(&f.a);
	while (!cache_alloc_get(&f.a, CACHE_RESERVE_NONE, &b))
		;
	avail = f.a.avail_nbuckets;
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_PRIO, &b), 0);
	CHECK_EQ(cache_bucket_mark(&f.t, b), CACHE_GC_MARK_METADATA);
	CHECK_EQ(cache_bucket_prio(&f.t, b), CACHE_BTREE_PRIO);
	CHECK_EQ(cache_bucket_sectors_used(&f.t, b), SECTORS);
	CHECK_EQ(cache_bucket_pin(&f.t, b), 1);
	CHECK_EQ(f.a.avail_nbuckets, avail - 1);
	cache_alloc_free(&f.a, b);
	CHECK_EQ(cache_bucket_mark(&f.t, b), CACHE_GC_MARK_NONE);
	CHECK_EQ(cache_bucket_sectors_used(&f.t, b), 0);
	CHECK_EQ(f.a.avail_nbuckets, avail);
	cache_alloc_put(&f.a, b);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_MOVINGGC, &b), 0);
	CHECK_EQ(cache_bucket_mark(&f.t, b), CACHE_GC_MARK_RECLAIMABLE);
	CHECK_EQ(cache_bucket_prio(&f.t, b), CACHE_INITIAL_PRIO);
	done(&f);
}

TEST(the_debug_check_finds_a_bucket_that_is_a_prio_bucket)
{
	struct fake f;
	uint64_t prio[1], b;

	for (int previous = 0; previous < 2; previous++) {
		start(&f, &lru);
		prio[0] = f.a.free[CACHE_RESERVE_PRIO].slot[0];
		*(previous ? &f.a.prio_previous : &f.a.prio_current) = prio;
		CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_PRIO, &b), -EUCLEAN);
		f.a.prio_current = f.a.prio_previous = NULL;
		done(&f);
	}
}

TEST(the_debug_check_finds_a_bucket_that_waits_in_another_queue)
{
	struct fake f;
	uint64_t b;

	for (int later = 0; later < 2; later++) {
		struct cache_ring *other;

		start(&f, &lru);
		other = later ? &f.a.free_inc : &f.a.free[CACHE_RESERVE_BTREE];
		other->slot[(other->head + other->used) & other->mask] =
			f.a.free[CACHE_RESERVE_PRIO].slot[f.a.free[CACHE_RESERVE_PRIO].head];
		other->used++;
		CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_PRIO, &b), -EUCLEAN);
		cache_alloc_fini(&f.a);
		cache_buckets_fini(&f.t);
	}
}

TEST(a_reserve_that_there_is_not_is_refused)
{
	struct fake f;
	uint64_t b = 77;

	start(&f, &lru);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_NR, &b), -EINVAL);
	CHECK_EQ(cache_alloc_get_wait(&f.a, CACHE_RESERVE_NR, &b), -EINVAL);
	CHECK_EQ(b, 77);
	done(&f);
}

TEST(a_policy_that_runs_dry_wakes_gc_and_waits_for_it)
{
	struct fake f;

	start(&f, &lru);
	for (unsigned int b = FIRST + 11; b < N; b++)
		cache_alloc_dirty(&f.a, b);
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_GC);
	CHECK(f.a.invalidate_needs_gc);
	CHECK_EQ(f.gcs, 1);
	CHECK_EQ(f.a.free_inc.used, 3);
	CHECK_EQ(f.commits, 0);
	check(&f);
	fake_gc(&f);
	CHECK(!f.a.invalidate_needs_gc);
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_SPACE);
	CHECK_EQ(f.commits, 1);
	done(&f);
}

TEST(a_gc_inside_the_hook_that_finds_nothing_ends_the_refill)
{
	struct fake f;
	uint64_t b;

	start(&f, &lru);
	f.gc_inside = true;
	for (b = FIRST + 8; b < N; b++)
		cache_bucket_pin_get(&f.t, b);
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_GC);
	CHECK_EQ(f.gcs, 2);
	CHECK_EQ(cache_alloc_get_wait(&f.a, CACHE_RESERVE_NONE, &b), -EAGAIN);
	done(&f);
}

TEST(prios_are_not_written_while_they_are_blocked)
{
	struct fake f;

	start(&f, &lru);
	cache_alloc_prio_block(&f.a);
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_PRIO);
	CHECK_EQ(f.commits, 0);
	cache_alloc_prio_unblock(&f.a);
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_SPACE);
	CHECK_EQ(f.commits, 1);
	done(&f);
}

TEST(without_sync_gens_are_never_written)
{
	struct cache_alloc_opts o = lru;
	struct fake f;

	o.sync = false;
	start(&f, &o);
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_SPACE);
	CHECK_EQ(f.commits, 0);
	done(&f);
}

TEST(each_bucket_is_discarded_on_its_way_to_a_free_queue)
{
	struct cache_alloc_opts o = lru;
	struct fake f;

	o.discard = true;
	start(&f, &o);
	f.discard_fails_at = 2;
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_SPACE);
	CHECK_EQ(f.discards, 4);
	CHECK_EQ(f.a.stats.discard_errors, 1);
	CHECK_EQ(f.a.free_inc.used, 3);
	done(&f);
}

/* Refuses the first prio write; gives the first bucket handed out after that, or 0. */
static uint64_t after_a_refusal(struct fake *f, bool kernel_way)
{
	struct cache_alloc_opts o = lru;
	uint64_t b = 0;

	o.hand_out_unwritten = kernel_way;
	start(f, &o);
	f->commit_fails_at = 1;
	f->fail_with = -ENOMEM;
	cache_alloc_refill(&f->a);
	CHECK_EQ(f->a.stats.commits_refused, 1);
	CHECK_EQ(f->events[CACHE_ALLOC_EV_REFUSED], 1);
	return cache_alloc_get(&f->a, CACHE_RESERVE_NONE, &b) ? 0 : b;
}

TEST(after_a_refused_prio_write_no_bucket_leaves_until_the_next_one)
{
	struct fake f;
	uint64_t b;

	CHECK_EQ(after_a_refusal(&f, false), 0);
	CHECK_EQ(f.gcs, 1);
	CHECK_EQ(f.a.free_inc.used, f.a.free_inc.size);
	CHECK_EQ(cache_alloc_step(&f.a), CACHE_ALLOC_WAIT_GC);
	check(&f);
	fake_gc(&f);
	CHECK_EQ(cache_alloc_get_wait(&f.a, CACHE_RESERVE_NONE, &b), 0);
	CHECK_EQ(f.durable[b], cache_bucket_gen(&f.t, b));
	done(&f);
}

/*
 * The hazard of behaviour 2: a key points to the bucket with the gen that is on
 * disk; new data is written to it; after a crash the old key is valid again and
 * reads the new data.
 */
TEST(the_kernel_s_way_loses_data_when_a_prio_write_was_refused)
{
	struct fake f;
	uint64_t b = after_a_refusal(&f, true);
	uint8_t gen_of_old_key;

	CHECK(b != 0);
	gen_of_old_key = cache_bucket_gen(&f.t, b) - 1;
	CHECK_EQ(f.durable[b], gen_of_old_key);
	done(&f);
}

TEST(a_prio_write_without_space_is_refused_by_the_newer_and_awaited_by_the_older)
{
	struct cache_alloc_opts o = lru;
	struct fake f;
	uint64_t b;

	start(&f, &o);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_PRIO, &b), 0);
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_GC);
	CHECK_EQ(f.a.stats.commits_refused, 1);
	CHECK_EQ(f.commits, 0);
	done(&f);
	o.flavour = CACHE_ALLOC_OLDER;
	start(&f, &o);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_PRIO, &b), 0);
	CHECK_EQ(cache_alloc_refill(&f.a), CACHE_ALLOC_WAIT_RESERVE);
	CHECK_EQ(f.a.stats.commits_refused, 0);
	done(&f);
}

TEST(once_disabled_the_newer_gives_nothing_and_the_older_what_it_has)
{
	struct cache_alloc_opts o = lru;
	struct fake f;
	uint64_t b;

	start(&f, &o);
	cache_alloc_io_disable(&f.a);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_PRIO, &b), -EIO);
	CHECK_EQ(cache_alloc_step(&f.a), -EIO);
	CHECK_EQ(cache_alloc_get_wait(&f.a, CACHE_RESERVE_NONE, &b), -EIO);
	done(&f);
	o.flavour = CACHE_ALLOC_OLDER;
	start(&f, &o);
	cache_alloc_io_disable(&f.a);
	CHECK_EQ(cache_alloc_get(&f.a, CACHE_RESERVE_PRIO, &b), 0);
	done(&f);
}

/* Allocates and frees for a while; whatever hook call fails, the state stays whole. */
static int one_run(int commit_fails_at, int fail_with, int discard_fails_at, int *calls)
{
	struct cache_alloc_opts o = lru;
	struct fake f;
	uint64_t b;
	int ret = 0;

	o.discard = true;
	start(&f, &o);
	f.gc_inside = true;
	f.commit_fails_at = commit_fails_at;
	f.fail_with = fail_with;
	f.discard_fails_at = discard_fails_at;
	for (int i = 0; i < 100 && !ret; i++) {
		ret = cache_alloc_get_wait(&f.a, CACHE_RESERVE_NONE, &b);
		if (!ret) {
			CHECK_EQ(f.durable[b], cache_bucket_gen(&f.t, b));
			cache_alloc_put(&f.a, b);
		}
		check(&f);
	}
	*calls = f.commits;
	done(&f);
	return ret;
}

TEST(whichever_commit_fails_the_state_stays_whole)
{
	int calls, n = 1;

	while (one_run(n, -EIO, 0, &calls) == -EIO) {
		CHECK_EQ(calls, n);
		n++;
	}
	CHECK(n > 10);
	for (n = 1; n < 20; n++)
		CHECK_EQ(one_run(n, -ENOMEM, n, &calls), 0);
}

static bool rescaled_after(struct fake *f, uint32_t sectors)
{
	return cache_alloc_rescale(&f->a, sectors);
}

TEST(priorities_fall_by_one_for_each_1024th_of_the_cache_written)
{
	uint32_t next = N * SECTORS / 1024;
	struct fake f;

	start(&f, &lru);
	CHECK(rescaled_after(&f, 1));		/* the counter starts at 0 */
	CHECK_EQ(cache_bucket_prio(&f.t, 100), CACHE_INITIAL_PRIO - 1);
	CHECK_EQ(f.t.min_prio, CACHE_INITIAL_PRIO - 1);
	CHECK(!rescaled_after(&f, next - 1));
	CHECK(rescaled_after(&f, 1));
	/* a request greater than a step leaves it behind: the next one ages again */
	CHECK(rescaled_after(&f, 3 * next));
	CHECK(rescaled_after(&f, 0));
	CHECK(rescaled_after(&f, 0));
	CHECK(!rescaled_after(&f, 0));
	CHECK_EQ(f.a.stats.rescales, 5);
	CHECK_EQ(cache_bucket_prio(&f.t, 100), CACHE_INITIAL_PRIO - 5);
	cache_alloc_hit(&f.a, 100);
	CHECK_EQ(cache_bucket_prio(&f.t, 100), CACHE_INITIAL_PRIO);
	/* pinned ones, those queued, do not age */
	CHECK_EQ(cache_bucket_prio(&f.t, FIRST), CACHE_INITIAL_PRIO);
	done(&f);
}

TEST(a_finish_marks_metadata_and_counts_what_is_available)
{
	uint64_t meta[] = { 1, 2, 3 }, past[] = { N };
	struct fake f;

	make(&f, &lru);
	mark_clean(&f);
	cache_bucket_pin_get(&f.t, 500);
	CHECK_EQ(cache_alloc_gc_finish(&f.a, past, 1), -ERANGE);
	CHECK(!f.a.gc_mark_valid);
	CHECK_EQ(cache_alloc_gc_finish(&f.a, meta, 3), 0);
	CHECK_EQ(cache_bucket_mark(&f.t, 2), CACHE_GC_MARK_METADATA);
	CHECK_EQ(f.a.avail_nbuckets, N - FIRST - 3 - 1);
	CHECK_EQ(f.a.sectors_to_gc, N * SECTORS / 16);
	done(&f);
}

TEST(gc_forgets_the_marks_of_what_is_not_pinned)
{
	struct fake f;

	start(&f, &lru);
	cache_bucket_pin_get(&f.t, 500);
	cache_bucket_set_move(&f.t, 501, true);
	cache_bucket_set_gen(&f.t, 501, 9);
	cache_alloc_gc_begin(&f.a);
	CHECK_EQ(cache_bucket_mark(&f.t, 500), CACHE_GC_MARK_RECLAIMABLE);
	CHECK_EQ(cache_bucket_mark(&f.t, 501), CACHE_GC_MARK_NONE);
	CHECK_EQ(cache_bucket_sectors_used(&f.t, 501), 0);
	CHECK(cache_bucket_move(&f.t, 501));
	CHECK_EQ(cache_bucket_last_gc(&f.t, 501), 9);
	done(&f);
}

TEST(a_set_gives_one_bucket_of_each_member_or_none)
{
	struct cache_alloc_opts o = lru;
	struct fake f[3];
	struct cache_alloc *members[3];
	struct cache_alloc_ptr ptr[CACHE_ALLOC_PTRS_MAX];
	uint64_t b;

	o.flavour = CACHE_ALLOC_OLDER;
	for (int i = 0; i < 3; i++) {
		o.nr_this_dev = 7 - i;
		start(&f[i], &o);
		cache_alloc_refill(&f[i].a);
		members[i] = &f[i].a;
	}
	CHECK_EQ(cache_alloc_set_get(members, 3, CACHE_RESERVE_NONE, 3, false, ptr), 0);
	CHECK_EQ(ptr[2].dev, 5);
	CHECK_EQ(ptr[2].sector, ptr[2].bucket * SECTORS);
	CHECK_EQ(ptr[2].gen, cache_bucket_gen(&f[2].t, ptr[2].bucket));
	while (!cache_alloc_get(members[2], CACHE_RESERVE_NONE, &b))
		;
	b = f[0].a.free[CACHE_RESERVE_NONE].slot[f[0].a.free[CACHE_RESERVE_NONE].head & 1];
	CHECK_EQ(cache_alloc_set_get(members, 3, CACHE_RESERVE_NONE, 3, false, ptr), -EAGAIN);
	CHECK_EQ(cache_bucket_pin(&f[0].t, b), 0);
	CHECK_EQ(cache_bucket_mark(&f[0].t, b), CACHE_GC_MARK_NONE);
	CHECK_EQ(cache_alloc_set_get(members, 3, CACHE_RESERVE_NONE, 3, true, ptr), 0);
	CHECK_EQ(cache_alloc_set_get(members, 3, CACHE_RESERVE_NONE, 4, true, ptr), -EINVAL);
	CHECK_EQ(cache_alloc_set_get(members, 3, CACHE_RESERVE_NONE, 0, true, ptr), -EINVAL);
	f[0].a.opts.flavour = CACHE_ALLOC_NEWER;
	CHECK_EQ(cache_alloc_set_get(members, 3, CACHE_RESERVE_NONE, 2, true, ptr), -EINVAL);
	CHECK_EQ(cache_alloc_set_get(members, 3, CACHE_RESERVE_NONE, 1, true, ptr), 0);
	for (int i = 0; i < 3; i++)
		done(&f[i]);
}

/* The set's own arithmetic, as plain as it can be: one min_prio, one counter, one count. */
TEST(members_of_an_older_set_age_and_count_together)
{
	struct cache_alloc_opts o = lru;
	struct fake f[3];
	struct cache_alloc *members[3] = { &f[0].a, &f[1].a, &f[2].a }, *one = members[0];
	uint64_t b;

	CHECK_EQ(cache_alloc_join(members, 0), -EINVAL);
	o.flavour = CACHE_ALLOC_OLDER;
	for (int i = 0; i < 3; i++)
		make(&f[i], &o);
	f[1].a.opts.flavour = CACHE_ALLOC_NEWER;
	CHECK_EQ(cache_alloc_join(members, 3), -EINVAL);
	f[1].a.opts.flavour = CACHE_ALLOC_OLDER;
	CHECK_EQ(cache_alloc_join(members, 3), 0);
	for (int i = 0; i < 3; i++) {
		mark_clean(&f[i]);
		CHECK_EQ(cache_alloc_gc_finish(&f[i].a, NULL, 0), 0);
	}
	CHECK_EQ(one->avail_nbuckets, 3 * (N - FIRST));
	cache_bucket_set_prio(&f[2].t, 100, 40);
	CHECK_EQ(cache_alloc_rescale(members[1], 1), true);
	CHECK_EQ(cache_alloc_rescale(members[2], 3 * N * SECTORS / 1024 - 1), false);
	CHECK_EQ(cache_alloc_rescale(members[0], 1), true);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(f[i].t.min_prio, 38);
		CHECK_EQ(cache_bucket_prio(&f[i].t, 200), CACHE_INITIAL_PRIO - 2);
		cache_alloc_seed_free(&f[i].a);
	}
	CHECK_EQ(cache_alloc_get(members[2], CACHE_RESERVE_BTREE, &b), 0);
	CHECK_EQ(one->avail_nbuckets, 3 * (N - FIRST) - 1);
	cache_alloc_free(members[2], b);
	cache_alloc_put(members[2], b);
	CHECK_EQ(one->avail_nbuckets, 3 * (N - FIRST));
	for (int i = 0; i < 3; i++)
		check(&f[i]);
	for (int i = 0; i < 3; i++) {
		cache_alloc_fini(&f[i].a);
		cache_buckets_fini(&f[i].t);
	}
}

/* A gc has begun and marked nothing yet. Return: how many buckets a refill takes. */
static uint64_t invalidated_during_gc(enum cache_alloc_flavour flavour, enum cache_policy policy)
{
	struct cache_alloc_opts o = lru;
	struct fake f;
	uint64_t before, n, dirty = 300, pinned = 301;

	o.flavour = flavour;
	o.policy = policy;
	start(&f, &o);
	cache_alloc_refill(&f.a);
	cache_alloc_dirty(&f.a, dirty);
	cache_bucket_pin_get(&f.t, pinned);
	before = f.a.stats.invalidated;
	cache_alloc_gc_begin(&f.a);
	cache_bucket_pin_drop(&f.t, pinned);
	for (uint64_t b; !cache_alloc_get_wait(&f.a, CACHE_RESERVE_NONE, &b);) {
		CHECK(b != dirty && b != pinned);
		CHECK_EQ(f.durable[b], cache_bucket_gen(&f.t, b));
	}
	check(&f);
	n = f.a.stats.invalidated - before;
	CHECK_EQ(cache_alloc_gc_finish(&f.a, NULL, 0), 0);
	for (uint64_t b = FIRST; f.a.reclaimable_in_gc && b < N; b++)
		CHECK(!cache_bit(f.a.reclaimable_in_gc, b));
	done(&f);
	return n;
}

TEST(while_gc_runs_the_newest_takes_what_was_reclaimable_before_and_the_others_wait)
{
	for (int policy = 0; policy < CACHE_POLICY_NR; policy++) {
		CHECK_EQ(invalidated_during_gc(CACHE_ALLOC_NEWER, policy), 0);
		CHECK_EQ(invalidated_during_gc(CACHE_ALLOC_OLDER, policy), 0);
		CHECK(invalidated_during_gc(CACHE_ALLOC_NEWEST, policy) > N / 2);
	}
}

/* What RANDOM will draw with @seed in one pass, and whether the last draw is a new one. */
static bool last_draw_is_new(uint64_t seed, uint32_t draws[N / 2])
{
	struct cache_rng rng;

	cache_rng_init(&rng, seed);
	for (unsigned int i = 0; i < N / 2; i++)
		draws[i] = cache_rng_u64(&rng) % (N - FIRST) + FIRST;
	for (unsigned int i = 0; i < N / 2 - 1; i++)
		if (draws[i] == draws[N / 2 - 1])
			return false;
	return true;
}

/*
 * RANDOM that fills free_inc with its very last try counts as dry, and the prio write behind
 * it is refused: two fruitless rounds, and yet there are buckets to hand out.
 */
TEST(a_refill_does_not_wait_for_gc_while_there_are_buckets_to_hand_out)
{
	struct cache_alloc_opts o = lru;
	uint32_t draws[N / 2];
	struct fake f;
	uint64_t b;

	while (!last_draw_is_new(o.seed, draws))
		o.seed++;
	o.policy = CACHE_POLICY_RANDOM;
	o.hand_out_unwritten = true;
	start(&f, &o);
	for (b = FIRST; b < N; b++)
		if (!cache_bucket_pin(&f.t, b))
			cache_bucket_set_mark(&f.t, b, CACHE_GC_MARK_DIRTY);
	cache_bucket_set_mark(&f.t, draws[N / 2 - 1], CACHE_GC_MARK_RECLAIMABLE);
	for (unsigned int i = 0, n = 1; n < f.a.free_inc.size; i++) {
		if (cache_bucket_pin(&f.t, draws[i]) || !(cache_bucket_mark(&f.t, draws[i]) & 2))
			continue;
		cache_bucket_set_mark(&f.t, draws[i], CACHE_GC_MARK_RECLAIMABLE);
		n++;
	}
	f.commit_fails_at = 1;
	f.fail_with = -ENOMEM;
	CHECK_EQ(cache_alloc_get_wait(&f.a, CACHE_RESERVE_NONE, &b), 0);
	CHECK_EQ(f.a.stats.ran_dry, 1);
	CHECK_EQ(f.a.stats.commits_refused, 1);
	done(&f);
}

TEST(the_btree_reserve_is_that_of_the_driver)
{
	static const struct {
		enum cache_era era;
		uint32_t njournal, size;
	} rows[] = {
		{ CACHE_ERA_5_10, 0, 8 - 1 }, { CACHE_ERA_6_1, 20, 32 - 1 },
		{ CACHE_ERA_6_12, 3, 3 }, { CACHE_ERA_6_18, 3, 32 - 1 }, { CACHE_ERA_7_2, 200, 32 - 1 },
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cache_alloc_opts o = lru;
		struct fake f;

		o.njournal = rows[i].njournal;
		cache_alloc_opts_of(&o, cache_driver_of(rows[i].era), N);
		make(&f, &o);
		CHECK_EQ(f.a.free[CACHE_RESERVE_BTREE].size, rows[i].size);
		done(&f);
	}
}

TEST_MAIN()
