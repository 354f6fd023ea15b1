// SPDX-License-Identifier: GPL-2.0-only
/* Commits on sets that a kernel wrote: what a start finds afterwards. */
#include "set.h"

#include <errno.h>

#include "set/commit.h"

/* A set in memory, loaded, with a commit begun. */
struct work {
	struct cache_dev *dev;
	struct cache_set *set;
	struct cache_commit *c;
	struct set_state before;
	struct cache_err err;
};

static struct work begin(const char *name)
{
	struct work w = { .dev = set_open(name) };

	w.before = set_state(w.dev);
	w.set = set_load(w.dev);
	CHECK_EQ(cache_commit_new(w.set, &w.c, &w.err), 0);
	return w;
}

static struct set_state finish(struct work *w)
{
	CHECK_EQ(cache_commit_finish(w->c, &w->err), 0);
	return set_state(w->dev);
}

static void end(struct work *w)
{
	cache_commit_free(w->c);
	cache_set_close(w->set);
	cache_dev_close(w->dev);
}

/* As loaded, with the gen of every bucket that @raise says so one ahead. */
static struct cache_buckets table_of(struct work *w, bool (*raise)(struct work *, uint64_t))
{
	const struct cache_sb *sb = &w->set->sb;
	struct cache_buckets t;

	CHECK_EQ(cache_buckets_init(&t, sb->nbuckets, sb->first_bucket, sb->bucket_sectors), 0);
	for (uint64_t b = 0; b < sb->nbuckets; b++) {
		cache_bucket_set_gen(&t, b, cache_bucket_gen(&w->set->buckets, b) +
					    (raise && raise(w, b)));
		cache_bucket_set_prio(&t, b, cache_bucket_prio(&w->set->buckets, b));
	}
	return t;
}

static void write_gens(struct work *w, bool (*raise)(struct work *, uint64_t))
{
	struct cache_buckets t = table_of(w, raise);

	CHECK_EQ(cache_commit_prios(w->c, &t, &w->err), 0);
	cache_buckets_fini(&t);
}

static bool is_third_clean(struct work *w, uint64_t b)
{
	return b % 3 == 0 && cache_set_role(w->set, b) == CACHE_ROLE_CLEAN;
}

static bool is_unused(struct work *w, uint64_t b)
{
	return cache_set_role(w->set, b) == CACHE_ROLE_FREE;
}

static void is_newest(const struct work *w, const struct set_state *now, bool checkpoint)
{
	CHECK_EQ(now->ret, 0);
	CHECK_EQ(now->seq, w->before.seq + 1);
	CHECK_EQ(now->last_seq, checkpoint ? now->seq : w->before.last_seq);
	CHECK(now->driver_agrees);
	CHECK_EQ(now->findings, w->before.findings);
}

static void same_data(const struct work *w, const struct set_state *now)
{
	CHECK_EQ(now->live_sum, w->before.live_sum);
	CHECK_EQ(now->dirty_sum, w->before.dirty_sum);
}

static const char *const sets[] = {
	"registered", "churn-lru", "flash-vol", "two-backs", "wb-clean", "wb-crash",
};
#define NSETS	(sizeof(sets) / sizeof(sets[0]))

TEST(an_entry_alone_changes_nothing_but_the_seq)
{
	for (size_t i = 0; i < NSETS; i++) {
		struct work w = begin(sets[i]);
		struct set_state now = finish(&w);

		is_newest(&w, &now, false);
		same_data(&w, &now);
		CHECK_EQ(now.table_sum, w.before.table_sum);
		CHECK_EQ(now.prio_seq, w.before.prio_seq);
		end(&w);
	}
}

TEST(gens_of_unused_buckets_become_durable_and_all_data_stays)
{
	for (size_t i = 0; i < NSETS; i++) {
		struct work w = begin(sets[i]);
		struct cache_set *after;
		struct set_state now;

		write_gens(&w, is_unused);
		now = finish(&w);
		is_newest(&w, &now, false);
		same_data(&w, &now);
		CHECK_EQ(now.prio_seq, w.before.prio_seq + 1);
		after = set_load(w.dev);
		for (uint64_t b = 0; b < w.set->sb.nbuckets; b++)
			CHECK_EQ(cache_bucket_gen(&after->buckets, b),
				 (uint8_t)(cache_bucket_gen(&w.set->buckets, b) + is_unused(&w, b)));
		cache_set_close(after);
		end(&w);
	}
}

struct list {
	struct cache_extent *e;
	size_t n, capacity;
	struct work *w;		/* leave out what is in buckets taken; NULL: all */
};

static int list_extent(void *ctx, const struct cache_extent *e)
{
	struct list *l = ctx;

	if (e->staleness || e->check_key || !e->available)
		return 0;
	if (l->w && is_third_clean(l->w, cache_ptr_bucket(&l->w->set->sb, &e->key, 0)))
		return 0;
	if (l->n == l->capacity) {
		l->capacity = l->capacity ? 2 * l->capacity : 256;
		l->e = reallocarray(l->e, l->capacity, sizeof(*l->e));
	}
	l->e[l->n++] = *e;
	return 0;
}

TEST(clean_data_in_buckets_whose_gen_rose_is_gone_and_nothing_else)
{
	struct work w = begin("churn-lru");
	struct list want = { .w = &w }, got = { 0 };
	struct cache_set *after;
	struct set_state now;

	CHECK_EQ(cache_set_each_extent(w.set, list_extent, &want, NULL, NULL), 0);
	write_gens(&w, is_third_clean);
	now = finish(&w);
	CHECK(now.live_sectors < w.before.live_sectors);
	after = set_load(w.dev);
	CHECK_EQ(cache_set_each_extent(after, list_extent, &got, NULL, NULL), 0);
	CHECK_EQ(got.n, want.n);
	for (size_t i = 0; i < got.n; i++) {
		CHECK_EQ(got.e[i].key.high, want.e[i].key.high);
		CHECK_EQ(got.e[i].key.low, want.e[i].key.low);
		CHECK_EQ(got.e[i].key.ptr[0], want.e[i].key.ptr[0]);
	}
	free(want.e);
	free(got.e);
	cache_set_close(after);
	end(&w);
}

TEST(a_checkpoint_of_a_set_with_nothing_to_replay_keeps_all)
{
	static const char *const names[] = { "registered", "wb-crash" };

	for (int i = 0; i < 2; i++) {
		struct work w = begin(names[i]);
		struct set_state now;

		CHECK_EQ(w.set->journal_keys, 0);
		cache_commit_checkpoint(w.c);
		now = finish(&w);
		is_newest(&w, &now, true);
		same_data(&w, &now);
		end(&w);
	}
}

TEST(a_checkpoint_ends_the_replay)
{
	struct work w = begin("wb-clean");
	struct cache_set *after;

	CHECK(w.set->journal_keys > 0);
	cache_commit_checkpoint(w.c);
	finish(&w);
	after = set_load(w.dev);
	CHECK_EQ(after->journal_keys, 0);
	CHECK_EQ(after->journal.nreplay, 1);
	cache_set_close(after);
	end(&w);
}

TEST(keys_are_replayed_over_what_was_there)
{
	struct work w = begin("wb-clean");
	uint64_t first = UINT64_C(1) << 40;
	struct set_state now;
	struct cache_set *after;
	uint64_t n = w.set->journal_keys;

	for (int i = 0; i < 20; i++) {
		struct cache_bkey k = cache_bkey_make(0, first + 16 * i + 8, 8, false);

		CHECK_EQ(cache_commit_add_key(w.c, &k), 0);
	}
	now = finish(&w);
	is_newest(&w, &now, false);
	same_data(&w, &now);
	after = set_load(w.dev);
	CHECK_EQ(after->journal_keys, n + 20);
	cache_set_close(after);
	end(&w);
}

TEST(an_entry_takes_keys_until_it_is_full)
{
	struct work w = begin("wb-clean");
	struct cache_bkey k = cache_bkey_make(0, UINT64_C(1) << 40, 8, false);
	uint64_t n = 0;

	while (!cache_commit_add_key(w.c, &k))
		CHECK(++n < 10000);
	CHECK(n > 100);
	end(&w);
}

/* Entry after entry, each on a set just loaded, until the ring says no. */
TEST(entries_follow_each_other_round_the_ring_until_it_is_full)
{
	struct cache_dev *dev = set_open("wb-clean");
	uint64_t seq = 0;
	unsigned n;
	int ret = 0;

	for (n = 0; !ret && n < 1000; n++) {
		struct cache_set *set = set_load(dev);
		struct cache_commit *c;

		CHECK(set->journal.driver_agrees);
		CHECK(!seq || set->journal.newest.pos.seq == seq + 1);
		seq = set->journal.newest.pos.seq;
		CHECK_EQ(cache_commit_new(set, &c, NULL), 0);
		ret = cache_commit_finish(c, NULL);
		cache_commit_free(c);
		cache_set_close(set);
	}
	CHECK_EQ(ret, -ENOSPC);
	CHECK(n > 10);
	cache_dev_close(dev);
}

TEST(checkpoints_go_round_the_ring_for_ever)
{
	struct cache_dev *dev = set_open("registered");
	unsigned rounds = 0, last = 0;

	for (unsigned n = 0; n < 80; n++) {
		struct cache_set *set = set_load(dev);
		struct cache_commit *c;

		CHECK(set->journal.driver_agrees);
		rounds += set->journal.newest.pos.index < last;
		last = set->journal.newest.pos.index;
		CHECK_EQ(cache_commit_new(set, &c, NULL), 0);
		cache_commit_checkpoint(c);
		CHECK_EQ(cache_commit_finish(c, NULL), 0);
		cache_commit_free(c);
		cache_set_close(set);
	}
	CHECK(rounds >= 1);
	cache_dev_close(dev);
}

/* Fills the ring with appended entries first, if it is not full yet. */
static void fill_ring(struct cache_dev *dev)
{
	int ret = 0;

	for (unsigned n = 0; !ret && n < 1000; n++) {
		struct cache_set *set = set_load(dev);
		struct cache_commit *c;

		CHECK_EQ(cache_commit_new(set, &c, NULL), 0);
		ret = cache_commit_finish(c, NULL);
		cache_commit_free(c);
		cache_set_close(set);
	}
	CHECK_EQ(ret, -ENOSPC);
}

TEST(a_full_ring_takes_nothing_but_a_checkpoint_without_keys)
{
	struct work w = { .dev = set_open("churn-lru") };
	struct cache_bkey k = cache_bkey_make(0, UINT64_C(1) << 40, 8, false);
	struct cache_commit_place place;
	struct set_state now;

	fill_ring(w.dev);
	w.before = set_state(w.dev);
	w.set = set_load(w.dev);
	CHECK_EQ(cache_commit_new(w.set, &w.c, NULL), 0);
	CHECK_EQ(cache_commit_place(w.c, &place, &w.err), -ENOSPC);
	cache_commit_checkpoint(w.c);
	CHECK_EQ(cache_commit_add_key(w.c, &k), 0);
	CHECK_EQ(cache_commit_place(w.c, &place, NULL), -ENOSPC);
	cache_commit_free(w.c);
	CHECK_EQ(cache_commit_new(w.set, &w.c, NULL), 0);
	cache_commit_checkpoint(w.c);
	CHECK_EQ(cache_commit_place(w.c, &place, NULL), 0);
	CHECK(place.over_live);
	CHECK_EQ(place.nsectors, 1);
	now = finish(&w);
	is_newest(&w, &now, true);
	end(&w);
}

TEST(what_is_picked_is_unused_and_picked_once)
{
	struct work w = begin("wb-crash");
	uint64_t all = 0, *b;

	for (uint64_t i = 0; i < w.set->sb.nbuckets; i++)
		all += cache_commit_is_unused(w.c, i);
	b = calloc(all + 1, sizeof(*b));
	CHECK_EQ(cache_commit_pick(w.c, all + 1, b, &w.err), -ENOBUFS);
	CHECK_EQ(cache_commit_pick(w.c, all / 2, b, NULL), 0);
	CHECK_EQ(cache_commit_pick(w.c, all - all / 2, b + all / 2, NULL), 0);
	for (uint64_t i = 0; i < all; i++) {
		CHECK_EQ(cache_set_role(w.set, b[i]), CACHE_ROLE_FREE);
		CHECK(!i || b[i] > b[i - 1]);
	}
	CHECK_EQ(cache_commit_pick(w.c, 1, b, NULL), -ENOBUFS);
	free(b);
	end(&w);
}

TEST(a_spared_bucket_is_not_picked)
{
	struct work w = begin("churn-lru");
	uint64_t b, first;

	for (first = 0; !cache_commit_is_unused(w.c, first); first++)
		;
	cache_commit_spare(w.c, first);
	cache_commit_spare(w.c, UINT64_MAX);
	CHECK(!cache_commit_is_unused(w.c, first));
	CHECK_EQ(cache_commit_pick(w.c, 1, &b, NULL), 0);
	CHECK(b > first);
	end(&w);
}

TEST(without_an_unused_bucket_there_is_no_prio_chain_and_nothing_changes)
{
	struct work w = begin("churn-lru");
	struct cache_buckets t = table_of(&w, NULL);
	struct set_state now;

	for (uint64_t b = 0; b < w.set->sb.nbuckets; b++)
		cache_commit_spare(w.c, b);
	CHECK_EQ(cache_commit_prios(w.c, &t, &w.err), -ENOBUFS);
	CHECK_EQ(cache_commit_written_sectors(w.c), 0);
	now = set_state(w.dev);
	CHECK(set_same(&now, &w.before));
	cache_buckets_fini(&t);
	end(&w);
}

TEST(a_gen_that_goes_back_is_refused)
{
	struct work w = begin("churn-lru");
	struct cache_buckets t = table_of(&w, NULL);
	uint64_t b;

	for (b = 0; !cache_bucket_gen(&t, b); b++)
		;
	cache_bucket_set_gen(&t, b, cache_bucket_gen(&t, b) - 1);
	CHECK_EQ(cache_commit_prios(w.c, &t, &w.err), -EINVAL);
	cache_buckets_fini(&t);
	end(&w);
}

TEST(only_picked_buckets_are_written_and_only_inside)
{
	struct work w = begin("churn-lru");
	uint32_t n = w.set->sb.bucket_sectors;
	void *buf = cache_dev_buf(n * CACHE_SECTOR_BYTES);
	uint64_t b;

	CHECK_EQ(cache_commit_pick(w.c, 1, &b, NULL), 0);
	CHECK_EQ(cache_commit_write(w.c, b, 0, n, buf, NULL), 0);
	CHECK_EQ(cache_commit_write(w.c, b, n - 1, 2, buf, NULL), -ERANGE);
	CHECK_EQ(cache_commit_write(w.c, b, UINT32_MAX, 2, buf, NULL), -ERANGE);
	CHECK_EQ(cache_commit_write(w.c, b + 1, 0, 1, buf, NULL), -EINVAL);
	CHECK_EQ(cache_commit_write(w.c, UINT64_MAX, 0, 1, buf, NULL), -EINVAL);
	CHECK_EQ(cache_commit_written_sectors(w.c), n);
	free(buf);
	end(&w);
}

TEST(a_set_that_never_ran_has_nothing_to_commit_to)
{
	struct cache_dev *dev = set_open("fresh");
	struct cache_set *set = set_load(dev);
	struct cache_commit *c;

	CHECK_EQ(cache_commit_new(set, &c, NULL), -EUCLEAN);
	cache_set_close(set);
	cache_dev_close(dev);
}

TEST(an_abandoned_commit_changes_nothing)
{
	struct work w = begin("two-backs");
	struct set_state now;

	write_gens(&w, is_unused);
	now = set_state(w.dev);
	CHECK(set_same(&now, &w.before));
	end(&w);
}

TEST_MAIN()
