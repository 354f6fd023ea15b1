// SPDX-License-Identifier: GPL-2.0-only
/* Leaves whose parent is lost: which of them is newer, and what the journal says over them. */
#include "repair_cases.h"

#define LEAF(n) (23 + (n))

/* A set whose root, of level 1, is lost; @keys over it in the journal. */
static struct disk without_root(const struct cache_bkey *keys, unsigned nkeys)
{
	struct disk d = make(NULL, 0, 0x30, 0);
	struct cache_bkey root = root_key(&d.sb, ROOT, 1);
	struct cache_bkey child[] = { node_key(&d.sb, 0, 1000, LEAF(0), 1),
				      root_key(&d.sb, LEAF(1), 1) };
	struct jset_spec j = {
		.seq = 1, .last_seq = 1, .uuid_bucket = table_key(&d, UUID), .prio_bucket = PRIO,
		.btree_root = root, .level = 1, .keys = keys, .nkeys = nkeys };

	put_bset(&d, &root, 5, 0, child, 2);
	disk_spoil(&d, SECTOR(ROOT), 0);
	put_jset(&d, 1, 0, &j);
	return d;
}

static void put_leaf(struct disk *d, unsigned n, uint64_t seq, const struct cache_bkey *k,
		     unsigned nkeys)
{
	struct cache_bkey key = root_key(&d->sb, LEAF(n), 1);

	put_bset(d, &key, seq, 0, k, nkeys);
}

static int note_place(void *ctx, const struct cache_extent *e)
{
	uint64_t *place = ctx;

	for (uint64_t s = cache_key_start(&e->key); s < e->key.low && s < 4096; s++)
		place[s] = cache_ptr_sector(e->key.ptr[0]) + s - cache_key_start(&e->key);
	return 0;
}

/* Where each sector of the first device is after the repair; 0: nowhere. */
static void repaired(struct disk *d, uint64_t place[4096])
{
	const struct cache_sink ignore = { .report = cache_sink_ignore };
	struct cache_repair_plan plan;
	struct cache_set *set;

	memset(place, 0, 4096 * sizeof(*place));
	repairs(d, (struct cache_repair_opts){ 0 }, &plan);
	CHECK(!plan.safe);
	set = enter(d);
	CHECK_EQ(cache_set_each_extent(set, note_place, place, &ignore, NULL), 0);
	leave(d, set);
}

TEST(every_key_of_the_journal_goes_over_what_a_leaf_without_parent_says)
{
	struct cache_bkey none = cache_bkey_make(0, 108, 8, false);
	struct cache_bkey journal[] = { none, extent(0, 120, 128, false, SECTOR(31), 1),
					extent(0, 200, 216, true, SECTOR(32), 1) };
	struct cache_bkey leaf = extent(0, 100, 132, true, SECTOR(30), 1);
	struct disk d = without_root(journal, 3);
	uint64_t place[4096];

	put_leaf(&d, 0, 8, &leaf, 1);
	put_leaf(&d, 1, 9, (struct cache_bkey []){ extent(0, 2000, 2008, true, SECTOR(33), 1) }, 1);
	repaired(&d, place);
	CHECK_EQ(place[100], 0);	/* invalidated */
	CHECK_EQ(place[107], 0);
	CHECK_EQ(place[108], SECTOR(30) + 8);
	CHECK_EQ(place[120], 0);	/* clean, and the clean data is in doubt */
	CHECK_EQ(place[128], SECTOR(30) + 28);
	CHECK_EQ(place[200], SECTOR(32));
	CHECK_EQ(place[2000], SECTOR(33));
}

/*
 * A leaf that was split has the first set of what replaced it as its content; two keys of
 * that were written since.
 */
static void put_successor(struct disk *d, unsigned old, unsigned new)
{
	struct cache_bkey then[] = { extent(0, 100, 108, true, SECTOR(40), 1),
				     extent(0, 120, 128, true, SECTOR(41), 1),
				     extent(0, 140, 148, true, SECTOR(42), 1),
				     extent(0, 160, 168, true, SECTOR(43), 1) };
	struct cache_bkey since = extent(0, 120, 128, true, SECTOR(44), 1);
	struct cache_bkey old_key = root_key(&d->sb, LEAF(old), 1);
	struct cache_bkey new_key = root_key(&d->sb, LEAF(new), 1);

	/* the old one came to this content in two sets */
	put_bset(d, &old_key, 8, 0, then, 1);
	put_bset(d, &old_key, 8, 1, then + 1, 3);
	put_bset(d, &new_key, 9, 0, then, 4);
	put_bset(d, &new_key, 9, 1, &since, 1);
}

TEST(of_two_leaves_without_parent_the_one_that_begins_with_the_other_is_newer)
{
	for (unsigned i = 0; i < 2; i++) {
		struct disk d = without_root(NULL, 0);
		uint64_t place[4096];

		put_successor(&d, i, !i);
		repaired(&d, place);
		CHECK_EQ(place[100], SECTOR(40));
		CHECK_EQ(place[120], SECTOR(44));
		CHECK_EQ(place[160], SECTOR(43));
	}
}

TEST_MAIN()
