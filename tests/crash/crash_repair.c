// SPDX-License-Identifier: GPL-2.0-only
/* Repairing under power cuts, faults and want of memory: killed anywhere, run again. */
#include <errno.h>

#include "damage.h"
#include "harness.h"
#include <libcache/backup.h>
#include "repair/repair.h"
#include "wrap.h"

static int repair(void *ctx, struct cache_dev *dev)
{
	struct cache_repair_opts opts = { .seed = 7 };
	struct cache_repair_plan plan;

	return cache_repair_cache(dev, &opts, &plan, NULL);
}

/* Between switch and wiped ring: repaired again it must come out the same. */
static const char *repair_again(void *ctx, struct cache_dev *dev, const struct set_state *s)
{
	const struct set_state *new = &((struct crash *)ctx)->new;
	struct cache_dev *copy = set_copy(dev);
	struct set_state again;

	repair(NULL, copy);
	again = set_state(copy);
	cache_dev_close(copy);
	if (again.ret || again.findings)
		return "repaired again it is not clean";
	if (again.dirty_sum != new->dirty_sum || again.dirty_sectors != new->dirty_sectors)
		return "repaired again it has other dirty data";
	return NULL;
}

static void kill_it_everywhere(const char *name, void (*damage)(struct cache_dev *),
			       bool faults)
{
	struct crash c = { .base = set_open(name), .work = repair };

	c.ctx = &c;
	c.judge = repair_again;
	if (damage)
		damage(c.base);
	crash_cuts(&c);
	CHECK_EQ(c.new.ret, 0);
	CHECK_EQ(c.new.findings, 0);
	CHECK(c.new.driver_agrees);
	CHECK(c.was_new);
	if (faults)
		crash_faults(&c, 1);
	cache_dev_close(c.base);
}

TEST(a_ring_that_hangs_is_repaired_or_as_it_was)
{
	kill_it_everywhere("ring-full", NULL, false);
}

TEST(a_torn_leaf_is_repaired_or_as_it_was)
{
	kill_it_everywhere("churn-lru", tear_a_leaf, false);
}

TEST(lost_prios_are_repaired_or_as_they_were)
{
	kill_it_everywhere("churn-lru", lose_prios, false);
}

TEST(a_gap_in_the_journal_is_repaired_or_as_it_was)
{
	kill_it_everywhere("churn-lru", lose_an_entry, false);
}

TEST(an_entry_that_misleads_the_replay_is_repaired_or_as_it_was)
{
	kill_it_everywhere("registered", mislead_the_replay, true);
}

TEST(an_entry_that_hides_the_newest_is_repaired_or_as_it_was)
{
	kill_it_everywhere("churn-lru", hide_the_newest, false);
}

TEST(a_ring_that_begins_with_damage_is_repaired_or_as_it_was)
{
	kill_it_everywhere("registered", lose_the_first_entry, true);
}

static unsigned steps, last_step, passes;

static int step(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	/* pass 0 only asks whether to stop */
	CHECK(!pass || (max && current <= max));
	if (pass)
		passes |= 1u << pass;
	return ++steps == last_step;
}

TEST(stopped_anywhere_the_set_is_as_it_was)
{
	struct cache_repair_opts opts = { .seed = 7, .progress = step };
	struct cache_dev *base = set_open("churn-lru");
	struct set_state old, now;
	int ret = -ECANCELED;

	tear_a_leaf(base);
	old = set_state(base);
	for (last_step = 1; ret; last_step += last_step < 40 ? 1 : 7) {
		struct cache_dev *copy = set_copy(base);
		struct cache_repair_plan plan;

		steps = passes = 0;
		ret = cache_repair_cache(copy, &opts, &plan, NULL);
		CHECK_EQ(ret, steps < last_step ? 0 : -ECANCELED);
		now = set_state(copy);
		CHECK_EQ(set_same(&now, &old), !!ret);
		cache_dev_close(copy);
	}
	CHECK_EQ(now.findings, 0);
	/* loading, extents, what is in doubt, what stays, the new tree */
	CHECK_EQ(passes, 1u << CACHE_PASS_JOURNAL | 1u << CACHE_PASS_PRIOS |
		 1u << CACHE_PASS_BTREE | 1u << CACHE_PASS_BUCKETS |
		 1u << CACHE_REPAIR_PASS_DOUBT | 1u << CACHE_REPAIR_PASS_COLLECT |
		 1u << CACHE_REPAIR_PASS_WRITE);
	printf("# stopped at up to %u places\n", steps);
	cache_dev_close(base);
}

static int repair_without_discards(void *ctx, struct cache_dev *dev)
{
	struct cache_repair_opts opts = { .seed = 7, .clear_discard = true };
	struct cache_repair_plan plan;

	return cache_repair_cache(dev, &opts, &plan, NULL);
}

/* One sector differs, so there is nothing between the two. */
TEST(the_discard_bit_is_cleared_or_all_is_as_it_was)
{
	struct crash c = { .base = set_open("registered"), .work = repair_without_discards };

	c.ctx = &c;
	switch_discards_on(c.base);
	crash_cuts(&c);
	CHECK_EQ(c.old.flags ^ c.new.flags, CACHE_SB_DISCARD);
	CHECK_EQ(c.new.seq, c.old.seq);
	CHECK_EQ(c.new.findings, 0);
	c.judge = repair_again;	/* what cannot be read is repaired first */
	crash_faults(&c, 1);
	crash_memory(&c, 1);
	cache_dev_close(c.base);
}

/* Between the switch and the bit: run again it is cleared. */
static const char *clear_again(void *ctx, struct cache_dev *dev, const struct set_state *s)
{
	const struct set_state *new = &((struct crash *)ctx)->new;
	struct cache_dev *copy = set_copy(dev);
	struct set_state again;

	if (s->live_sum != new->live_sum)
		return "it has other extents";
	repair_without_discards(NULL, copy);
	again = set_state(copy);
	cache_dev_close(copy);
	return again.findings || again.flags != new->flags || again.live_sum != new->live_sum ?
	       "done again it is not as it should be" : NULL;
}

TEST(a_gap_that_discards_excuse_is_repaired_before_their_bit_is_cleared)
{
	struct crash c = { .base = set_open("churn-lru"), .work = repair_without_discards,
			   .judge = clear_again };

	c.ctx = &c;
	discard_the_oldest(c.base);
	crash_cuts(&c);
	CHECK_EQ(c.old.flags ^ c.new.flags, CACHE_SB_DISCARD);
	CHECK_EQ(c.old.findings, 0);
	CHECK_EQ(c.new.findings, 0);
	CHECK_EQ(c.new.live_sum, c.old.live_sum);
	CHECK_EQ(c.new.last_seq, c.new.seq);
	cache_dev_close(c.base);
}

static int restore(void *ctx, struct cache_dev *dev)
{
	struct cache_backup_opts opts = { .size = sizeof(opts) };

	return cache_backup_restore(dev, ctx, &opts, NULL, NULL);
}

/* A torn superblock has a wrong checksum: restored again it is whole. */
static const char *restore_again(void *ctx, struct cache_dev *dev, const struct set_state *s)
{
	struct cache_backup *b = ctx;
	struct cache_dev *copy = set_copy(dev);
	uint8_t now[CACHE_SB_BYTES];

	restore(b, copy);
	CHECK_EQ(cache_dev_read(copy, CACHE_SB_SECTOR, 8, now, NULL), 0);
	cache_dev_close(copy);
	if (!s->findings)
		return "a superblock that is neither the old nor the new, and looks right";
	return memcmp(now, b->super, sizeof(now)) ? "restored again it is not whole" : NULL;
}

TEST(a_superblock_is_restored_or_can_be_restored_again)
{
	struct cache_backup b;
	struct crash c = { .base = set_open("registered"), .work = restore, .ctx = &b,
			   .judge = restore_again };
	char zeros[CACHE_SB_BYTES] = { 0 };

	CHECK_EQ(cache_backup_take(c.base, 0, &b, NULL), 0);
	CHECK_EQ(cache_dev_write(c.base, CACHE_SB_SECTOR, 8, zeros, NULL), 0);
	crash_cuts(&c);
	CHECK_EQ(c.new.findings, 0);
	CHECK(c.new.driver_agrees);
	crash_faults(&c, 1);
	crash_memory(&c, 1);
	cache_dev_close(c.base);
}

TEST(a_remedy_without_memory_says_so_and_the_set_is_repaired_or_as_it_was)
{
	struct crash c = { .base = set_open("registered"), .work = repair, .judge = repair_again };

	c.ctx = &c;
	lose_the_uuids(c.base);
	crash_memory(&c, 1);
	cache_dev_close(c.base);
}

TEST_MAIN()
