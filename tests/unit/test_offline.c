// SPDX-License-Identifier: GPL-2.0-only
/* The allocator on sets that a kernel wrote, without the kernel. */
#include "set.h"

#include <errno.h>

#include "offline/offline.h"

struct run {
	struct cache_dev *dev;
	struct cache_set *set;
	struct cache_fsck_result found;
	struct cache_offline *o;
	struct cache_offline_result res;
	struct cache_offline_written w;
	struct cache_err err;
	uint64_t bucket[8192];
	uint8_t gen[8192];
	uint64_t n, cancel_at;
};

static void taken(void *ctx, uint64_t bucket, uint8_t gen)
{
	struct run *r = ctx;

	CHECK(r->n < 8192);
	r->bucket[r->n] = bucket;
	r->gen[r->n++] = gen;
}

static int progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct run *r = ctx;

	return r->cancel_at && r->n >= r->cancel_at;
}

static struct run *run_on(struct cache_dev *dev, struct cache_offline_opts o)
{
	struct run *r = calloc(1, sizeof(*r));

	r->dev = dev;
	o.taken = taken;
	o.progress = progress;
	o.ctx = r;
	CHECK_EQ(cache_offline_open(dev, 0, NULL, &r->found, &r->set, &r->err), 0);
	CHECK_EQ(cache_offline_new(r->set, &o, &r->o, &r->err), 0);
	return r;
}

static struct run *run_new(const char *name, enum cache_policy policy,
			   enum cache_reserve reserve, uint64_t count)
{
	return run_on(set_open(name), (struct cache_offline_opts){
		.policy = policy, .reserve = reserve, .count = count, .seed = 1 });
}

static struct cache_dev *run_end_keep(struct run *r)
{
	struct cache_dev *dev = r->dev;

	cache_offline_free(r->o);
	cache_set_close(r->set);
	free(r);
	return dev;
}

static void run_end(struct run *r)
{
	cache_dev_close(run_end_keep(r));
}

static void go(struct run *r)
{
	if (cache_offline_run(r->o, &r->res, &r->err))
		TEST_FAIL("%s", r->err.text);
	CHECK_EQ(r->res.taken, r->n);
}

static void commit(struct run *r)
{
	CHECK_EQ(cache_offline_plan(r->o, &r->w, &r->err), 0);
	CHECK_EQ(cache_offline_commit(r->o, &r->w, &r->err), 0);
	if (cache_offline_verify(r->set, 0, NULL, &r->found, &r->w, &r->err))
		TEST_FAIL("%s", r->err.text);
}

TEST(the_counts_before_are_those_of_fsck)
{
	struct run *r = run_new("wb-crash", CACHE_POLICY_LRU, CACHE_RESERVE_NONE, 1);

	go(r);
	CHECK_EQ(r->res.before.metadata, r->found.summary.metadata_buckets);
	CHECK_EQ(r->res.before.dirty, r->found.summary.dirty_buckets);
	CHECK_EQ(r->res.before.clean, r->found.summary.clean_buckets);
	CHECK_EQ(r->res.before.unused, r->found.summary.free_buckets);
	CHECK_EQ(r->res.before.available, r->res.before.clean + r->res.before.unused);
	run_end(r);
}

TEST(buckets_that_the_journal_names_are_not_available)
{
	struct run *r = run_new("churn-lru", CACHE_POLICY_LRU, CACHE_RESERVE_NONE, 9999);

	go(r);
	CHECK(r->res.before.available < r->res.before.clean + r->res.before.unused);
	CHECK_EQ(r->res.stop, CACHE_OFFLINE_DRY);
	CHECK_EQ(r->res.invalidated, r->res.before.available);
	run_end(r);
}

TEST(every_policy_and_reserve_takes_what_is_clean_or_free_once)
{
	for (int p = 0; p < CACHE_POLICY_NR; p++)
		for (int reserve = 0; reserve < CACHE_RESERVE_NR; reserve++) {
			struct run *r = run_new("wb-crash", p, reserve, 9999);
			uint64_t *seen = calloc(8192, sizeof(*seen));

			go(r);
			CHECK(r->res.taken > 0 && r->res.taken < 9999);
			for (uint64_t i = 0; i < r->n; i++) {
				CHECK(!seen[r->bucket[i]]++);
				CHECK(cache_set_role(r->set, r->bucket[i]) >= CACHE_ROLE_CLEAN);
				CHECK_EQ(r->gen[i], (uint8_t)(1 +
					cache_bucket_gen(&r->set->buckets, r->bucket[i])));
			}
			commit(r);
			free(seen);
			run_end(r);
		}
}

TEST(the_image_is_not_changed_by_a_run)
{
	struct run *r = run_new("churn-lru", CACHE_POLICY_RANDOM, CACHE_RESERVE_NONE, 500);
	struct cache_set *again = set_load(r->dev);
	struct set_state before = set_state(r->dev), after;
	size_t bytes = r->set->buckets.nbuckets * sizeof(struct cache_bucket);

	go(r);
	CHECK_EQ(cache_offline_plan(r->o, &r->w, &r->err), 0);
	CHECK_MEM(r->set->buckets.rec, again->buckets.rec, bytes);
	CHECK_EQ(r->set->journal.newest.pos.seq, again->journal.newest.pos.seq);
	CHECK_MEM(r->set->journal.bucket_seq, again->journal.bucket_seq,
		  sizeof(again->journal.bucket_seq));
	after = set_state(r->dev);
	CHECK(set_same(&before, &after));
	cache_set_close(again);
	run_end(r);
}

TEST(the_amounts_after_are_those_of_the_next_start)
{
	struct run *r = run_new("churn-lru", CACHE_POLICY_LRU, CACHE_RESERVE_NONE, 700), *next;
	struct cache_offline_buckets promised;

	go(r);
	commit(r);
	promised = r->res.after;
	next = run_on(run_end_keep(r), (struct cache_offline_opts){
		.reserve = CACHE_RESERVE_NONE, .count = 1 });
	go(next);
	CHECK_MEM(&next->res.before, &promised, sizeof(promised));
	run_end(next);
}

TEST(cancelled_in_the_run_or_before_the_switch_it_is_the_old_set)
{
	struct run *r = run_new("churn-lru", CACHE_POLICY_LRU, CACHE_RESERVE_NONE, 100);
	struct set_state before = set_state(r->dev), after;

	r->cancel_at = 50;
	CHECK_EQ(cache_offline_run(r->o, &r->res, &r->err), -ECANCELED);
	run_end(r);
	r = run_new("churn-lru", CACHE_POLICY_LRU, CACHE_RESERVE_NONE, 100);
	go(r);
	CHECK_EQ(cache_offline_plan(r->o, &r->w, &r->err), 0);
	r->cancel_at = 1;
	CHECK_EQ(cache_offline_commit(r->o, &r->w, &r->err), -ECANCELED);
	after = set_state(r->dev);
	CHECK(set_same(&before, &after));
	run_end(r);
}

TEST(nothing_to_replay_makes_a_checkpoint_else_the_replay_stays)
{
	struct run *r = run_new("wb-crash", CACHE_POLICY_LRU, CACHE_RESERVE_NONE, 10);

	go(r);
	commit(r);
	CHECK(r->w.checkpoint);
	CHECK_EQ(r->w.place.last_seq, r->w.place.seq);
	CHECK_EQ(r->w.prio_sets, 4);
	run_end(r);
	r = run_new("wb-clean", CACHE_POLICY_LRU, CACHE_RESERVE_NONE, 10);
	go(r);
	commit(r);
	CHECK(!r->w.checkpoint);
	CHECK_EQ(r->w.place.last_seq, r->set->journal.newest.pos.last_seq);
	run_end(r);
}

TEST(streams_take_sectors_from_a_bucket_each)
{
	struct run *r = run_on(set_open("wb-clean"), (struct cache_offline_opts){
		.reserve = CACHE_RESERVE_NONE, .count = 4 * 32, .write_points = 4 });

	/* buckets of 32 sectors, each stream asks for 128 */
	go(r);
	CHECK_EQ(r->res.taken_sectors, 128);
	CHECK_EQ(r->res.taken, 4);
	run_end(r);
}

/* What the check afterwards is for: a set that is not as it should be now. */
TEST(a_commit_that_did_not_turn_out_as_meant_is_noticed)
{
	struct run *r = run_new("wb-crash", CACHE_POLICY_LRU, CACHE_RESERVE_NONE, 20);
	struct cache_fsck_result found;
	struct cache_offline_written w;
	struct cache_err err = { 0 };

	go(r);
	CHECK_EQ(cache_offline_plan(r->o, &r->w, &r->err), 0);
	CHECK_EQ(cache_offline_verify(r->set, 0, NULL, &r->found, &r->w, &err), -EUCLEAN);
	CHECK(strstr(err.text, "the newest entry is"));
	commit(r);
	found = r->found;
	w = r->w;
	w.place.seq++;
	CHECK_EQ(cache_offline_verify(r->set, 0, NULL, &found, &w, NULL), -EUCLEAN);
	memset(&err, 0, sizeof(err));
	found.summary.dirty_sectors++;
	CHECK_EQ(cache_offline_verify(r->set, 0, NULL, &found, &r->w, &err), -EUCLEAN);
	CHECK(strstr(err.text, "sectors are dirty"));
	found.summary.dirty_sectors--;
	found.summary.dirty_extents--;
	CHECK_EQ(cache_offline_verify(r->set, 0, NULL, &found, &r->w, NULL), -EUCLEAN);
	found.summary.dirty_extents++;
	CHECK_EQ(cache_offline_verify(r->set, 0, NULL, &found, &r->w, NULL), 0);
	run_end(r);
}

TEST(options_out_of_range_are_refused)
{
	struct cache_dev *dev = set_open("registered");
	struct cache_set *set = set_load(dev);
	struct cache_offline *o;

	CHECK_EQ(cache_offline_new(set, &(struct cache_offline_opts){
		.policy = CACHE_POLICY_NR }, &o, NULL), -EINVAL);
	CHECK_EQ(cache_offline_new(set, &(struct cache_offline_opts){
		.reserve = CACHE_RESERVE_NR }, &o, NULL), -EINVAL);
	CHECK_EQ(cache_offline_new(set, &(struct cache_offline_opts){
		.reserve = CACHE_RESERVE_PRIO, .write_points = 1 }, &o, NULL), -EINVAL);
	CHECK_EQ(cache_offline_new(set, &(struct cache_offline_opts){
		.reserve = CACHE_RESERVE_NONE,
		.write_points = CACHE_OFFLINE_STREAMS_MAX + 1 }, &o, NULL), -EINVAL);
	cache_set_close(set);
	cache_dev_close(dev);
}

TEST(a_set_that_would_not_start_or_never_ran_is_not_opened)
{
	static const char *const names[] = { "ring-full", "fresh" };

	for (int i = 0; i < 2; i++) {
		struct cache_err err = { 0 };
		struct cache_fsck_result found;
		struct cache_dev *dev = set_open(names[i]);
		struct cache_set *set;

		CHECK_EQ(cache_offline_open(dev, 0, NULL, &found, &set, &err), -EUCLEAN);
		CHECK(err.text[0]);
		cache_dev_close(dev);
	}
}

/* Each round on what the last one left, as cache-alloc would find it. */
TEST(round_after_round_gens_wrap_and_dirty_data_stays)
{
	struct cache_dev *dev = set_open("registered");
	struct set_state s = set_state(dev);
	unsigned wrapped = 0;

	for (unsigned round = 0; round < 300; round++) {
		struct run *r = run_on(dev, (struct cache_offline_opts){
			.policy = CACHE_POLICY_FIFO, .reserve = CACHE_RESERVE_NONE, .count = 8 });

		go(r);
		commit(r);
		for (uint64_t i = 0; i < r->n; i++) {
			CHECK_EQ(r->gen[i], (uint8_t)(1 +
				cache_bucket_gen(&r->set->buckets, r->bucket[i])));
			wrapped += !r->gen[i];
		}
		dev = run_end_keep(r);
	}
	CHECK(wrapped);
	CHECK_EQ(set_state(dev).dirty_sum, s.dirty_sum);
	CHECK_EQ(set_state(dev).findings, 0);
	cache_dev_close(dev);
}

TEST_MAIN()
