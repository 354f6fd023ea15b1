// SPDX-License-Identifier: GPL-2.0-only
/* The commit and the offline allocator under power cuts, faults and want of memory. */
#include <errno.h>

#include "harness.h"
#include "set/commit.h"
#include "offline/offline.h"
#include "wrap.h"

enum scenario {
	RAISE_GENS,		/* a new prio chain */
	ENTRY_ONLY,		/* the same set, one entry on */
	ONE_KEY, MANY_KEYS,	/* leaf keys for the replay */
	CHECKPOINT,		/* and nothing is replayed any more */
};

/* Gens of all that can be reclaimed go up by one. */
static int raise_gens(struct cache_commit *c, struct cache_set *set)
{
	struct cache_buckets t;
	int ret = cache_buckets_init(&t, set->sb.nbuckets, set->sb.first_bucket,
				     set->sb.bucket_sectors);

	for (uint64_t b = 0; !ret && b < set->sb.nbuckets; b++) {
		bool clean = cache_set_role(set, b) >= CACHE_ROLE_CLEAN;

		cache_bucket_set_gen(&t, b, cache_bucket_gen(&set->buckets, b) + clean);
		cache_bucket_set_prio(&t, b, cache_bucket_prio(&set->buckets, b));
	}
	if (!ret)
		ret = cache_commit_prios(c, &t, NULL);
	cache_buckets_fini(&t);
	return ret;
}

/* Keys that hide stretches far behind all data. */
static int add_keys(struct cache_commit *c, unsigned n)
{
	int ret = 0;

	for (unsigned i = 1; i <= n && !ret; i++) {
		struct cache_bkey k = cache_bkey_make(0, (UINT64_C(1) << 40) + 16 * i, 8, false);

		ret = cache_commit_add_key(c, &k);
	}
	return ret;
}

static int plan(struct cache_commit *c, struct cache_set *set, enum scenario s)
{
	switch (s) {
	case RAISE_GENS:
		return raise_gens(c, set);
	case ONE_KEY:
		return add_keys(c, 1);
	case MANY_KEYS:
		return add_keys(c, 300);
	case CHECKPOINT:
		cache_commit_checkpoint(c);
		return raise_gens(c, set);
	default:
		return 0;
	}
}

static int commit(void *ctx, struct cache_dev *dev)
{
	struct cache_set *set = NULL;
	struct cache_commit *c = NULL;
	int ret = cache_set_load(dev, CACHE_LOAD_MARKS, NULL, &set, NULL);

	if (!ret)
		ret = cache_commit_new(set, &c, NULL);
	if (!ret)
		ret = plan(c, set, *(enum scenario *)ctx);
	if (!ret)
		ret = cache_commit_finish(c, NULL);
	cache_commit_free(c);
	cache_set_close(set);
	return ret;
}

static void cut(const char *image, enum scenario s)
{
	struct crash c = { .base = set_open(image), .work = commit, .ctx = &s };

	crash_cuts(&c);
	cache_dev_close(c.base);
}

TEST(new_gens_are_written_completely_or_not_at_all) { cut("churn-lru", RAISE_GENS); }
TEST(new_gens_in_four_prio_sets_are_written_completely_or_not_at_all) { cut("wb-crash", RAISE_GENS); }
TEST(an_entry_alone_is_done_completely_or_not_at_all) { cut("registered", ENTRY_ONLY); }
TEST(one_key_is_done_completely_or_not_at_all) { cut("two-backs", ONE_KEY); }
TEST(many_keys_are_there_all_or_none) { cut("flash-vol", MANY_KEYS); }
TEST(a_checkpoint_over_a_replay_is_one_step) { cut("wb-clean", CHECKPOINT); }
TEST(a_checkpoint_is_one_step_in_a_full_ring_too) { cut("ring-full", CHECKPOINT); }

TEST(each_failed_transfer_of_a_commit_is_reported)
{
	enum scenario s = RAISE_GENS;
	struct crash c = { .base = set_open("churn-lru"), .work = commit, .ctx = &s };

	crash_faults(&c, 1);
	cache_dev_close(c.base);
}

TEST(each_failed_allocation_of_a_commit_is_reported)
{
	enum scenario s = RAISE_GENS;
	struct crash c = { .base = set_open("registered"), .work = commit, .ctx = &s };

	crash_memory(&c, 1);
	cache_dev_close(c.base);
}

static int run_alloc(struct cache_set *set, const struct cache_offline_opts *opts,
		     const struct cache_fsck_result *found)
{
	struct cache_offline_result res;
	struct cache_offline_written w;
	struct cache_offline *o;
	int ret = cache_offline_new(set, opts, &o, NULL);

	if (ret)
		return ret;
	ret = cache_offline_run(o, &res, NULL);
	if (!ret)
		ret = cache_offline_plan(o, &w, NULL);
	if (!ret)
		ret = cache_offline_commit(o, &w, NULL);
	if (!ret)
		ret = cache_offline_verify(set, 0, NULL, found, &w, NULL);
	cache_offline_free(o);
	return ret;
}

static int alloc(void *ctx, struct cache_dev *dev)
{
	struct cache_fsck_result found;
	struct cache_set *set;
	int ret = cache_offline_open(dev, 0, NULL, &found, &set, NULL);

	if (ret)
		return ret;
	ret = run_alloc(set, ctx, &found);
	cache_set_close(set);
	return ret;
}

static void cut_alloc(const char *image, enum cache_policy policy, uint64_t count)
{
	struct cache_offline_opts o = { .policy = policy, .count = count, .seed = 1,
					.reserve = CACHE_RESERVE_NONE };
	struct crash c = { .base = set_open(image), .work = alloc, .ctx = &o };

	crash_cuts(&c);
	CHECK_EQ(c.new.dirty_sum, c.old.dirty_sum);
	cache_dev_close(c.base);
}

TEST(allocated_by_lru_is_done_completely_or_not_at_all) { cut_alloc("churn-lru", CACHE_POLICY_LRU, 500); }
TEST(allocated_by_fifo_is_done_completely_or_not_at_all) { cut_alloc("wb-crash", CACHE_POLICY_FIFO, 2000); }
TEST(allocated_by_chance_is_done_completely_or_not_at_all) { cut_alloc("two-backs", CACHE_POLICY_RANDOM, 99); }
TEST(all_that_can_be_had_is_done_completely_or_not_at_all) { cut_alloc("churn-lru", CACHE_POLICY_LRU, 9999); }

TEST(each_failed_transfer_of_the_allocator_is_reported)
{
	struct cache_offline_opts o = { .count = 99, .reserve = CACHE_RESERVE_NONE };
	struct crash c = { .base = set_open("registered"), .work = alloc, .ctx = &o };

	crash_faults(&c, 1);
	cache_dev_close(c.base);
}

TEST(each_failed_allocation_of_the_allocator_is_reported)
{
	struct cache_offline_opts o = { .count = 99999, .reserve = CACHE_RESERVE_NONE };
	struct crash c = { .base = set_open("registered"), .work = alloc, .ctx = &o };

	crash_memory(&c, 1);
	cache_dev_close(c.base);
}

TEST_MAIN()
