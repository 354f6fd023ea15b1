// SPDX-License-Identifier: GPL-2.0-only
/*
 * Repairing, on sets made by hand: which extents stay, and what a ring without entries can be
 * put together from.
 */
#include "bad_sectors.h"
#include "repair_cases.h"

TEST(a_device_that_is_given_up_loses_what_it_has_and_no_other_does)
{
	struct disk d = two_devices(0x30, 0x40);
	struct loss loss = { 0 };
	uint8_t drop[2][16];
	struct cache_repair_opts opts = { .drop_uuids = drop, .ndrop_uuids = 2,
					  .loss = on_loss, .ctx = &loss };
	struct cache_repair_plan plan;
	struct cache_err err;

	disk_uuid(drop[0], 0x40);
	disk_uuid(drop[1], 0x99);
	CHECK_EQ(repair(&d, opts, &plan, &err), -EINVAL);	/* the set has no such device */
	CHECK_EQ(loss.sectors, 0);
	opts.ndrop_uuids = 1;
	repairs(&d, opts, &plan);
	CHECK_EQ(plan.dropped_dirty_sectors, 16);
	CHECK_EQ(plan.dropped_clean_sectors, 8);
	CHECK_EQ(plan.kept_dirty_sectors, 32);
	CHECK_EQ(plan.kept_sectors, 40);
	CHECK(!plan.safe);
	CHECK_EQ(loss.sectors, 16);
	CHECK_STR(loss.why, "its device was given up");
	leave(&d, enter(&d));
}

/* A flash volume of 150 sectors with an extent past that; all it has is nowhere else. */
static struct disk short_volume(void)
{
	struct cache_bkey k[] = {
		extent(0, 100, 132, true, SECTOR(30), 1), extent(0, 140, 160, true, SECTOR(31), 1),
	};
	struct disk d = make(k, 2, 0x30, 0);
	struct cache_uuid_disk *e = cache_dev_buf(CACHE_PAGE_BYTES);

	CHECK_EQ(cache_dev_read(d.dev, SECTOR(UUID), 8, e, NULL), 0);
	e->flags = cache_le32_of(CACHE_UUID_FLASH_ONLY);
	e->sectors = cache_le64_of(150);
	disk_write(&d, SECTOR(UUID), 8, e);
	free(e);
	return d;
}

TEST(clean_data_where_the_device_at_hand_has_none_is_dropped)
{
	struct cache_bkey k[] = {
		extent(0, 90, 110, false, SECTOR(30), 1), extent(0, 190, 210, false, SECTOR(31), 1),
		extent(0, 290, 310, false, SECTOR(32), 1),
	};
	struct disk d = make(k, 3, 0x30, 0);
	struct cache_sb b = backing(0x30, 0x20);
	uint64_t sectors = 300;
	struct cache_repair_opts opts = { .backing = &b, .backing_sectors = &sectors, .nbacking = 1 };
	struct cache_repair_plan plan;

	b.data_offset_sectors = 100;
	repairs(&d, opts, &plan);
	CHECK(plan.safe);
	CHECK_EQ(plan.dropped_clean_sectors, 40);
	CHECK_EQ(plan.kept_sectors, 20);
	leave(&d, enter(&d));
}

TEST(dirty_data_that_cannot_be_right_is_dropped_only_when_loss_is_allowed)
{
	struct disk d = short_volume();
	struct loss loss = { 0 };
	struct cache_repair_opts opts = { .loss = on_loss, .ctx = &loss };
	struct cache_repair_plan plan;
	struct cache_err err;

	CHECK_EQ(repair(&d, opts, &plan, &err), 0);
	CHECK(!plan.rebuild);
	CHECK_EQ(plan.blocked_dirty_sectors, 20);
	CHECK_EQ(loss.sectors, 20);
	CHECK(strstr(plan.cannot, "dropping it was not allowed"));
	CHECK_EQ(dirty_of(&d), 52);
	opts.allow_data_loss = true;
	repairs(&d, opts, &plan);
	CHECK_EQ(plan.dropped_dirty_sectors, 20);
	CHECK_EQ(plan.kept_dirty_sectors, 32);
	CHECK_EQ(dirty_of(&d), 32);
	leave(&d, enter(&d));
}

TEST(all_dirty_extents_that_share_a_place_with_another_are_named)
{
	/* the second and the third lie within the first, and apart from each other */
	struct cache_bkey k[] = {
		extent(0, 100, 132, true, SECTOR(30), 1),
		extent(0, 200, 208, true, SECTOR(30) + 8, 1),
		extent(0, 300, 308, true, SECTOR(30) + 24, 1),
		extent(0, 400, 408, true, SECTOR(31), 1),
	};
	struct disk d = make(k, 4, 0x30, 0);
	struct loss loss = { 0 };
	struct cache_repair_opts opts = { .loss = on_loss, .ctx = &loss, .dry_run = true };
	struct cache_repair_plan plan;
	struct cache_err err;

	repair(&d, opts, &plan, &err);
	CHECK_EQ(plan.blocked_dirty_sectors, 16);
	CHECK_EQ(plan.kept_dirty_sectors, 56);
	CHECK_STR(loss.why, "another dirty extent claims its place in the cache");
	CHECK(!plan.safe);
	cache_dev_close(d.dev);
}

/* A root over two leaves that meet at 100, an extent in each; @b may be NULL. */
static struct disk two_leaves(const struct cache_bkey *a, const struct cache_bkey *b)
{
	struct disk d = make(NULL, 0, 0x30, 0);
	struct cache_bkey root = root_key(&d.sb, ROOT, 1);
	struct cache_bkey leaf[] = { node_key(&d.sb, 0, 100, 23, 1), root_key(&d.sb, 24, 1) };

	put_bset(&d, &root, 5, 0, leaf, 2);
	put_bset(&d, &leaf[0], 6, 0, a, 1);
	put_bset(&d, &leaf[1], 7, 0, b, b ? 1 : 0);
	put_entry(&d, 1, UUID, 1);
	return d;
}

TEST(of_two_dirty_extents_that_claim_one_range_the_second_keeps_the_rest)
{
	struct cache_bkey a = extent(0, 80, 100, true, SECTOR(30), 1);
	struct cache_bkey b = extent(0, 90, 120, true, SECTOR(31), 1);
	struct disk d = two_leaves(&a, &b);
	struct loss loss = { 0 };
	struct cache_repair_opts opts = { .loss = on_loss, .ctx = &loss };
	struct cache_repair_plan plan;

	repairs(&d, opts, &plan);
	CHECK_EQ(plan.dropped_dirty_sectors, 10);
	CHECK_EQ(plan.kept_dirty_sectors, 40);
	CHECK_EQ(loss.sectors, 10);
	CHECK_EQ(dirty_of(&d), 40);
	leave(&d, enter(&d));
}

/* The second leaf reaches into the range of the first, with what is there clean or dirty. */
TEST(where_two_leaves_claim_one_range_the_dirty_one_stays_or_the_one_in_order)
{
	for (int dirty = 0; dirty < 2; dirty++) {
		struct cache_bkey a = extent(0, 80, 100, false, SECTOR(30), 1);
		struct cache_bkey b = extent(0, 90, 120, dirty, SECTOR(31), 1);
		struct disk d = two_leaves(&a, &b);
		struct cache_repair_plan plan;

		repairs(&d, (struct cache_repair_opts){ 0 }, &plan);
		CHECK_EQ(plan.kept_dirty_sectors, dirty ? 30 : 0);
		CHECK_EQ(plan.kept_sectors, dirty ? 30 : 20);
		CHECK_EQ(dirty_of(&d), dirty ? 30 : 0);
		leave(&d, enter(&d));
	}
}

/* No lookup comes to what lies past the node, but writeback does: dirty, it stays. */
TEST(of_an_extent_past_the_end_of_its_leaf_only_dirty_data_stays)
{
	for (int dirty = 0; dirty < 2; dirty++) {
		struct cache_bkey a = extent(0, 80, 110, dirty, SECTOR(30), 1);
		struct disk d = two_leaves(&a, NULL);
		struct cache_repair_plan plan;

		repairs(&d, (struct cache_repair_opts){ 0 }, &plan);
		CHECK_EQ(plan.kept_dirty_sectors, dirty ? 30 : 0);
		CHECK_EQ(plan.kept_sectors, dirty ? 30 : 0);
		CHECK_EQ(dirty_of(&d), dirty ? 30 : 0);
		leave(&d, enter(&d));
	}
}

/*
 * The right half of a tree of level 2, from 1000 on, cut off at its node of level 1. On
 * the left is @clean, in the leaf that was cut off are two dirty extents.
 */
static struct disk cut_off(struct cache_bkey clean, struct cache_bkey a, struct cache_bkey b)
{
	struct disk d = make(NULL, 0, 0x30, 0);
	struct cache_bkey root = root_key(&d.sb, ROOT, 1);
	struct cache_bkey half[] = { node_key(&d.sb, 0, 1000, 23, 1), root_key(&d.sb, 24, 1) };
	struct cache_bkey left = node_key(&d.sb, 0, 1000, 26, 1), right = root_key(&d.sb, 27, 1);
	struct cache_bkey fake[] = { root_key(&d.sb, 28, 1), root_key(&d.sb, 29, 1) };

	put_bset(&d, &root, 5, 0, half, 2);
	put_bset(&d, &half[0], 6, 0, &left, 1);
	put_bset(&d, &half[1], 7, 0, &right, 1);
	disk_spoil(&d, SECTOR(24), 0);
	put_bset(&d, &left, 8, 0, &clean, 1);
	put_bset(&d, &right, 9, 0, (struct cache_bkey []){ a, b }, 2);
	put_entry(&d, 1, UUID, 2);
	/* these start like a node: one damaged, one longer than a node is */
	put_bset(&d, &fake[0], 10, 0, &clean, 1);
	disk_spoil(&d, SECTOR(28), 0);
	put_bset(&d, &fake[1], 10, 0, &clean, 1);
	disk_spoil(&d, SECTOR(29), 31);
	return d;
}

TEST(clean_data_in_the_place_or_range_of_dirty_data_that_was_cut_off_goes)
{
	struct disk rows[] = {
		/* the place of both; the second has its own */
		cut_off(extent(0, 100, 120, false, SECTOR(30), 1),
			extent(0, 2000, 2004, true, SECTOR(30) + 8, 1),
			extent(0, 3000, 3008, true, SECTOR(30) + 16, 1)),
		/* it begins within what the first one has */
		cut_off(extent(0, 100, 120, false, SECTOR(30) + 2, 1),
			extent(0, 2000, 2004, true, SECTOR(30), 1),
			extent(0, 3000, 3008, true, SECTOR(31), 1)),
		/* the range of the first, which reaches over the edge */
		cut_off(extent(0, 980, 1000, false, SECTOR(30), 1),
			extent(0, 998, 1002, true, SECTOR(31), 1),
			extent(0, 3000, 3008, true, SECTOR(32), 1)),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct loss loss = { 0 };
		struct cache_repair_opts opts = { .loss = on_loss, .ctx = &loss };
		struct cache_repair_plan plan;

		repairs(&rows[i], opts, &plan);
		CHECK_EQ(plan.blocked_dirty_sectors, 0);
		CHECK_EQ(loss.sectors, 0);
		CHECK_EQ(plan.kept_dirty_sectors, 12);
		CHECK_EQ(plan.kept_sectors, 12);
		CHECK_EQ(plan.dropped_clean_sectors, 20);
		CHECK_EQ(dirty_of(&rows[i]), 12);
		leave(&rows[i], enter(&rows[i]));
	}
}

/* Its bucket was used again: the write of the leaf that said so is lost, and maybe others. */
TEST(a_dirty_key_whose_bucket_was_used_again_puts_its_whole_leaf_in_doubt)
{
	struct cache_bkey k[] = { extent(0, 100, 108, true, SECTOR(30), 0),
				  extent(0, 200, 208, false, SECTOR(31), 1),
				  extent(0, 300, 308, true, SECTOR(32), 1) };
	struct disk d = make(k, 3, 0x30, 0);
	struct cache_repair_opts opts = { .allow_data_loss = true };
	struct cache_repair_plan plan;

	repairs(&d, opts, &plan);
	CHECK_EQ(plan.kept_dirty_sectors, 8);
	CHECK_EQ(plan.kept_sectors, 8);
	CHECK_EQ(plan.dropped_clean_sectors, 8);
	CHECK(!plan.safe);
	cache_dev_close(d.dev);
}

static void wipe(struct disk *d, uint64_t bucket)
{
	char *zeros = cache_dev_buf(CACHE_PAGE_BYTES);

	disk_write(d, SECTOR(bucket), CACHE_PAGE_SECTORS, zeros);
	free(zeros);
}

static void lose_the_ring(struct disk *d)
{
	for (unsigned i = 0; i < d->sb.njournal; i++)
		wipe(d, d->sb.journal_bucket[i]);
}

TEST(without_a_ring_the_table_that_follows_the_others_is_the_last)
{
	static const struct {
		uint8_t uuid, older, want[2];
	} rows[] = {
		{ 0x40, 0, { 0x30, 0x40 } },	/* has all of the other, and one more */
		{ 0, 0x40, { 0x30, 0x40 } },
		{ 0xff, 0x40, { 0x30, 0xff } },	/* detached since */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cache_bkey k = extent(0, 100, 132, true, SECTOR(30), 1);
		struct disk d = make(&k, 1, 0x30, rows[i].uuid);
		struct cache_repair_plan plan;
		struct cache_set *set;

		put_older(&d, 0x30, rows[i].older);
		lose_the_ring(&d);
		repairs(&d, (struct cache_repair_opts){ 0 }, &plan);
		CHECK_EQ(plan.kept_dirty_sectors, 32);
		set = enter(&d);
		is_slot(set, 0, 0x30);
		if (rows[i].want[1] == 0xff)
			CHECK_EQ(cache_uuid_state(&set->uuids.slot[1]), CACHE_SLOT_RETIRED);
		else
			is_slot(set, 1, rows[i].want[1]);
		leave(&d, set);
	}
}

TEST(without_a_ring_two_tables_of_which_neither_follows_prove_nothing)
{
	struct disk d = two_devices(0x30, 0x40);

	put_older(&d, 0x30, 0x50);
	lose_the_ring(&d);
	refuses(&d, (struct cache_repair_opts){ 0 }, "name the backing devices");
	cache_dev_close(d.dev);
}

/* Two prio_sets a chain; of the newest one the second is not there. */
TEST(without_a_ring_the_newest_prio_chain_that_is_whole_is_taken)
{
	struct disk d = disk_new(6000, BS, 8);
	struct cache_bkey root = root_key(&d.sb, ROOT, 1);
	struct cache_bkey k = extent(0, 100, 132, true, SECTOR(30), 1);
	uint64_t per = cache_prios_per_bucket(&d.sb);
	struct cache_repair_opts opts = { 0 };
	struct cache_repair_plan plan;

	CHECK_EQ(cache_prio_buckets(&d.sb), 2);
	put_prios(&d, 40, 4, 41, 0);
	put_prios(&d, 41, 4, 0, per);
	put_prios(&d, PRIO, 5, 42, 0);
	put_prios(&d, 42, 5, 0, per);
	put_prios(&d, 43, 6, 44, 0);
	put_prios(&d, 44, 6, 0, per);
	disk_spoil(&d, SECTOR(44), 300);
	put_table(&d, UUID, (uint8_t []){ 0x30 }, 1);
	put_bset(&d, &root, 5, 0, &k, 1);
	repairs(&d, opts, &plan);
	CHECK_EQ(plan.kept_dirty_sectors, 32);
	CHECK_EQ(plan.dropped_dirty_sectors, 0);
	leave(&d, enter(&d));
}

/* Level 1 over one leaf with 32 dirty sectors, and nothing that names it. */
static struct disk tall(struct cache_bkey *top)
{
	struct cache_bkey k = extent(0, 100, 132, true, SECTOR(30), 1);
	struct disk d = make(&k, 0, 0x30, 0x40);
	struct cache_bkey child = root_key(&d.sb, 24, 1);

	*top = root_key(&d.sb, 23, 1);
	put_bset(&d, top, 6, 0, &child, 1);
	put_bset(&d, &child, 7, 0, &k, 1);
	lose_the_ring(&d);
	return d;
}

static void repairs_tall(struct disk *d)
{
	struct cache_repair_plan plan;

	repairs(d, (struct cache_repair_opts){ 0 }, &plan);
	CHECK_EQ(plan.kept_dirty_sectors, 32);
	CHECK_EQ(plan.dropped_dirty_sectors, 0);
	leave(d, enter(d));
}

TEST(without_a_ring_a_damaged_node_is_neither_the_root_nor_a_table)
{
	struct cache_bkey top;
	struct disk d = tall(&top);

	disk_spoil(&d, SECTOR(ROOT), 0);
	repairs_tall(&d);
}

/* A count of words past the node: it is not read that far. */
TEST(without_a_ring_a_node_longer_than_a_node_is_none)
{
	struct cache_bkey top;
	struct disk d = tall(&top);
	struct cache_bset_disk *b = cache_dev_buf(CACHE_SECTOR_BYTES);

	CHECK_EQ(cache_dev_read(d.dev, SECTOR(ROOT), 1, b, NULL), 0);
	b->keys = cache_le32_of(UINT32_MAX);
	disk_write(&d, SECTOR(ROOT), 1, b);
	free(b);
	repairs_tall(&d);
}

/* Of two nodes of one level the one that the other's keys have freed is of the past. */
TEST(without_a_ring_a_node_that_was_freed_is_not_the_root)
{
	struct cache_bkey top, freed, keys[2];
	struct disk d = tall(&top);

	keys[0] = hole(0, 0, 0);
	cache_bkey_set_ptrs(&keys[0], 1);
	keys[0].ptr[0] = cache_ptr_make(0, SECTOR(26), 2);
	keys[1] = root_key(&d.sb, 24, 1);
	put_bset(&d, &top, 6, 0, keys, 2);
	freed = root_key(&d.sb, 26, 1);
	put_bset(&d, &freed, 5, 0, &keys[1], 1);
	repairs_tall(&d);
}

/*
 * The right half of a tree looks like a whole one, for its last key is the greatest; but
 * the root that was is a bucket of metadata that nobody can read.
 */
TEST(without_a_ring_a_part_of_the_tree_is_not_taken_for_all_of_it)
{
	struct disk d = cut_off(extent(0, 100, 120, true, SECTOR(30), 1),
				extent(0, 2000, 2004, true, SECTOR(31), 1),
				extent(0, 3000, 3008, true, SECTOR(32), 1));
	struct cache_repair_plan plan;

	wipe(&d, ROOT);
	wipe(&d, 23);
	disk_spoil(&d, SECTOR(24), 0);
	lose_the_ring(&d);
	repairs(&d, (struct cache_repair_opts){ 0 }, &plan);
	CHECK_EQ(plan.kept_dirty_sectors, 32);
	CHECK_EQ(dirty_of(&d), 32);
	leave(&d, enter(&d));
}

TEST(without_a_ring_nodes_that_lead_to_each_other_are_no_tree)
{
	struct cache_bkey k = extent(0, 100, 132, true, SECTOR(30), 1);
	struct disk d = make(&k, 0, 0x30, 0x40);
	struct cache_bkey a = root_key(&d.sb, 23, 1), b = root_key(&d.sb, 24, 1);
	struct cache_repair_plan plan;

	wipe(&d, ROOT);
	put_bset(&d, &a, 6, 0, &b, 1);
	put_bset(&d, &b, 7, 0, &a, 1);
	lose_the_ring(&d);
	repairs(&d, (struct cache_repair_opts){ 0 }, &plan);
	CHECK_EQ(plan.kept_extents, 0);
	leave(&d, enter(&d));
}

/*
 * The bucket is read a page at a time, a prio_set and a node as a whole. What stands there
 * is not known.
 */
TEST(without_a_ring_what_cannot_be_read_is_not_known_and_nothing_is_repaired)
{
	static const uint64_t sectors[] = {
		SECTOR(40), SECTOR(ROOT), SECTOR(ROOT) + 9, SECTOR(PRIO), SECTOR(PRIO) + 9,
		SECTOR(UUID),
	};

	for (size_t i = 0; i < sizeof(sectors) / sizeof(*sectors); i++) {
		struct cache_repair_plan plan;
		struct cache_err err;
		struct cache_bkey top;
		struct disk d = tall(&top);

		d.dev = bad_new(d.dev);
		bad_add(d.dev, sectors[i], 1);
		CHECK_EQ(repair(&d, (struct cache_repair_opts){ 0 }, &plan, &err), -EIO);
		CHECK(strstr(err.text, "cannot be read"));
		CHECK(!plan.safe);
		/* every bucket here has been in use: what was not read may own any of them */
		if (repair(&d, (struct cache_repair_opts){ .allow_data_loss = true }, &plan,
			   &err) == -ENOBUFS)
			CHECK(strstr(err.text, "copy the device"));
		cache_dev_close(d.dev);
	}
}

#define ENTRY	8u		/* sectors of an entry: a block */

/* The entry at place @nth of ring bucket @index, with a key. */
static void put_in(struct disk *d, unsigned index, unsigned nth, uint64_t seq,
		   const struct cache_bkey *k)
{
	struct jset_spec j = {
		.seq = seq, .last_seq = 1, .uuid_bucket = table_key(d, UUID),
		.prio_bucket = PRIO, .btree_root = root_key(&d->sb, ROOT, 1),
		.keys = k, .nkeys = k != NULL,
	};

	CHECK_EQ(put_jset(d, index, nth * ENTRY, &j), ENTRY);
}

/* In the first ring bucket in use. */
static void put_nth(struct disk *d, unsigned nth, uint64_t seq, const struct cache_bkey *k)
{
	put_in(d, 1, nth, seq, k);
}

static void hurt_in(struct disk *d, unsigned index, unsigned nth)
{
	disk_spoil(d, cache_bucket_sector(&d->sb, d->sb.journal_bucket[index]) + nth * ENTRY, 180);
}

static void hurt_nth(struct disk *d, unsigned nth)
{
	hurt_in(d, 1, nth);
}

/*
 * 32 dirty sectors in the tree; of the journal the first entry is damaged, the next has 16
 * over the half of them, the third 4 elsewhere.
 */
static struct disk young_of(uint64_t nbuckets)
{
	struct cache_bkey k[] = { extent(0, 100, 132, true, SECTOR(30), 1),
				  extent(0, 116, 132, true, SECTOR(31), 1),
				  extent(0, 200, 204, true, SECTOR(32), 1) };
	struct disk d = make_of(nbuckets, k, 1, 0x30, 0x40);

	put_nth(&d, 0, 1, NULL);
	put_nth(&d, 1, 2, &k[1]);
	put_nth(&d, 2, 3, &k[2]);
	hurt_nth(&d, 0);
	return d;
}

static struct disk young(void)
{
	return young_of(1024);
}

static int take_place(void *ctx, const struct cache_extent *e)
{
	uint64_t *place = ctx, start = cache_key_start(&e->key);

	for (uint64_t s = start; s < e->key.low && s < 256; s++)
		place[s] = cache_ptr_sector(e->key.ptr[0]) + s - start;
	return 0;
}

/* Repaired; where sectors 100, 120 and 200 of the first device are then; 0: nowhere. */
static void repairs_as(struct disk *d, struct cache_repair_opts opts, bool drop_all_clean,
		       uint64_t at_100, uint64_t at_120, uint64_t at_200)
{
	const struct cache_sink ignore_findings = { cache_sink_ignore, NULL };
	uint64_t place[256] = { 0 };
	struct cache_repair_plan plan;
	struct cache_set *set;

	repairs(d, opts, &plan);
	CHECK_EQ(plan.drop_all_clean, drop_all_clean);
	set = enter(d);
	CHECK_EQ(cache_set_each_extent(set, take_place, place, &ignore_findings, NULL), 0);
	CHECK_EQ(place[100], at_100);
	CHECK_EQ(place[120], at_120);
	CHECK_EQ(place[200], at_200);
	cache_set_close(set);
}

static void repairs_with(struct disk *d, bool drop_all_clean, uint64_t at_100, uint64_t at_120,
			 uint64_t at_200)
{
	repairs_as(d, (struct cache_repair_opts){ 0 }, drop_all_clean, at_100, at_120, at_200);
}

/* Though it may be clean. */
static void folds_to(struct disk *d, uint64_t at_100, uint64_t at_120, uint64_t at_200)
{
	repairs_as(d, (struct cache_repair_opts){ .fold_journal = true }, false, at_100, at_120,
		   at_200);
}

static void repairs_to(struct disk *d, uint64_t at_100, uint64_t at_120, uint64_t at_200)
{
	repairs_with(d, true, at_100, at_120, at_200);
}

#define OLD_100	SECTOR(30)
#define OLD_120	(SECTOR(30) + 20)
#define NEW_120	(SECTOR(31) + 4)
#define NEW_200	SECTOR(32)

TEST(entries_behind_a_damaged_first_one_are_replayed)
{
	struct disk d = young();

	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

/* Two of a level, and neither is known to be the root: it is named. */
TEST(entries_behind_a_damaged_first_one_tell_the_root)
{
	struct disk d = young();
	struct cache_bkey other = root_key(&d.sb, 26, 1);
	struct cache_bkey k = extent(0, 100, 101, false, SECTOR(33), 1);

	put_bset(&d, &other, 5, 0, &k, 1);
	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

TEST(of_hidden_entries_only_those_after_the_last_that_is_missing_are_replayed)
{
	struct cache_bkey k = extent(0, 200, 204, true, SECTOR(34), 1);
	struct disk d = young();

	put_nth(&d, 3, 4, &k);
	hurt_nth(&d, 2);
	repairs_to(&d, OLD_100, OLD_120, SECTOR(34));
	cache_dev_close(d.dev);
}

/* Something came after them, or may have. */
static void hurt_another_bucket(struct disk *d)
{
	put_entry(d, 2, UUID, 0);
	disk_spoil(d, cache_bucket_sector(&d->sb, d->sb.journal_bucket[2]), 180);
}

static void hurt_the_last(struct disk *d)
{
	hurt_nth(d, 2);
}

static void hide_one_elsewhere(struct disk *d)
{
	struct jset_spec j = { .seq = 1, .last_seq = 1 };

	put_jset(d, 0, ENTRY, &j);
}

static void put_behind(struct disk *d, uint64_t seq)
{
	struct cache_bkey k = extent(0, 200, 204, true, SECTOR(34), 1);

	put_nth(d, 3, seq, &k);
}

static void leave_an_earlier_lap(struct disk *d)
{
	put_behind(d, 2);
}

static void leave_one_of_the_same_seq(struct disk *d)
{
	put_behind(d, 3);
}

static void leave_another_life(struct disk *d)
{
	put_behind(d, 400);
}

static void put_a_newer_chain(struct disk *d)
{
	put_prios(d, 40, 2, 0, 0);
}

static void put_a_far_newer_chain(struct disk *d)
{
	put_prios(d, 40, 100000, 0, 0);
}

static void hurt_a_chain(struct disk *d)
{
	put_prios(d, 40, 2, 0, 0);
	disk_spoil(d, SECTOR(40), 300);
}

static void put_a_higher_root(struct disk *d)
{
	struct cache_bkey top = root_key(&d->sb, 26, 1), child = root_key(&d->sb, ROOT, 1);

	put_bset(d, &top, 6, 0, &child, 1);
}

TEST(hidden_entries_that_may_not_be_the_last_are_not_replayed)
{
	static void (*const rows[])(struct disk *d) = {
		leave_an_earlier_lap, leave_one_of_the_same_seq, leave_another_life,
		put_a_far_newer_chain, put_a_higher_root,
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct disk d = young();

		rows[i](&d);
		repairs_to(&d, OLD_100, OLD_120, 0);
		cache_dev_close(d.dev);
	}
}

/* What is lost beside them may have been newer, and is named; they are what is left. */
TEST(hidden_entries_are_replayed_though_others_are_lost)
{
	struct disk d = young();

	hurt_another_bucket(&d);
	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
	d = young();
	hurt_the_last(&d);
	repairs_to(&d, OLD_100, NEW_120, 0);
	cache_dev_close(d.dev);
	d = young();
	hide_one_elsewhere(&d);
	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

/* Two prio_sets a chain: of a newer one the first is there alone. */
TEST(a_prio_chain_of_which_a_part_is_left_came_after_hidden_entries_anyway)
{
	struct disk d = young_of(6000);
	uint64_t per = cache_prios_per_bucket(&d.sb);

	CHECK_EQ(cache_prio_buckets(&d.sb), 2);
	put_prios(&d, PRIO, 1, 42, 0);
	put_prios(&d, 42, 1, 0, per);
	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);

	d = young_of(6000);
	put_prios(&d, PRIO, 1, 42, 0);
	put_prios(&d, 42, 1, 0, per);
	put_prios(&d, 43, 2, 44, 0);
	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

/* What a prio chain, or what is left of one, tells of: the root is still the same. */
TEST(hidden_entries_are_replayed_though_a_few_after_them_are_lost)
{
	static void (*const rows[])(struct disk *d) = { put_a_newer_chain, hurt_a_chain };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct disk d = young();

		rows[i](&d);
		repairs_to(&d, OLD_100, NEW_120, NEW_200);
		cache_dev_close(d.dev);
	}
}

/* The leaf has the last of them: what it has where the one before was is newer than that. */
TEST(of_hidden_entries_those_that_a_leaf_has_had_are_not_replayed_again)
{
	struct disk d = young();
	struct cache_bkey root = root_key(&d.sb, ROOT, 1);
	struct cache_bkey k[] = { extent(0, 100, 132, true, SECTOR(30), 1),
				  extent(0, 200, 204, true, SECTOR(32), 1) };

	put_bset(&d, &root, 1, 0, k, 2);
	put_a_newer_chain(&d);
	repairs_to(&d, OLD_100, OLD_120, NEW_200);
	cache_dev_close(d.dev);
}

/* Entry 2 is lost; the leaf has what it had, and the one before it is older than that. */
TEST(an_entry_before_a_gap_does_not_hide_what_a_leaf_has_of_the_lost_one)
{
	struct cache_bkey k[] = { extent(0, 100, 132, true, SECTOR(30), 1),
				  extent(0, 200, 204, true, SECTOR(32), 1) };
	struct cache_bkey old = extent(0, 116, 132, true, SECTOR(31), 1);
	struct disk d = make(k, 2, 0x30, 0x40);

	put_nth(&d, 0, 1, &old);
	put_nth(&d, 1, 3, &k[1]);
	repairs_to(&d, OLD_100, OLD_120, NEW_200);
	cache_dev_close(d.dev);
}

/*
 * The root has lost its last write: of the leaf that replaced its first child nothing is left,
 * and the range of the other child seems to begin where that one's did. It has had entry 3, and
 * has nothing of entry 1.
 */
TEST(an_entry_before_a_gap_is_kept_where_only_its_leaf_is_lost)
{
	struct cache_bkey k[] = { extent(0, 100, 132, true, SECTOR(30), 1),
				  extent(0, 200, 204, true, SECTOR(32), 1) };
	struct disk d = make(NULL, 0, 0x30, 0x40);
	struct cache_bkey root = root_key(&d.sb, ROOT, 1);
	struct cache_bkey child[] = { node_key(&d.sb, 0, 150, 26, 0), root_key(&d.sb, 27, 1) };
	struct jset_spec j = { .last_seq = 1, .uuid_bucket = table_key(&d, UUID),
			       .prio_bucket = PRIO, .btree_root = root, .level = 1, .nkeys = 1 };

	put_bset(&d, &root, 5, 0, child, 2);
	put_bset(&d, &child[1], 6, 0, &k[1], 1);
	for (unsigned i = 0; i < 2; i++) {
		j.seq = 1 + 2 * i;
		j.keys = &k[i];
		put_jset(&d, 1, i * ENTRY, &j);
	}
	repairs_to(&d, OLD_100, OLD_120, NEW_200);
	cache_dev_close(d.dev);
}

/* Entries 1 and 3 are lost; the driver reads 4 and not 2, of which the leaf has had nothing. */
TEST(entries_behind_damaged_ones_are_replayed_beside_those_that_the_driver_reads)
{
	struct cache_bkey k = extent(0, 200, 204, true, SECTOR(34), 1);
	struct disk d = young();

	hurt_nth(&d, 2);
	put_in(&d, 2, 0, 4, &k);
	repairs_to(&d, OLD_100, NEW_120, SECTOR(34));
	cache_dev_close(d.dev);
}

struct placed {
	unsigned index, nth;
	uint64_t seq;
	int key;		/* which it has; -1: none */
};

static struct disk placed(const struct placed *e, size_t n)
{
	struct cache_bkey k[] = { extent(0, 100, 132, true, SECTOR(30), 1),
				  extent(0, 116, 132, true, SECTOR(31), 1),
				  extent(0, 200, 204, true, SECTOR(32), 1) };
	struct disk d = make(k, 1, 0x30, 0x40);
	struct jset_spec j = { .uuid_bucket = table_key(&d, UUID), .prio_bucket = PRIO,
			       .btree_root = root_key(&d.sb, ROOT, 1) };

	wipe(&d, d.sb.journal_bucket[1]);
	for (size_t i = 0; i < n; i++) {
		j.seq = e[i].seq;
		j.last_seq = e[i].seq > 100 ? 101 : 1;
		j.keys = k + e[i].key;
		j.nkeys = e[i].key >= 0;
		put_jset(&d, e[i].index, e[i].nth * ENTRY, &j);
	}
	return d;
}

/* Both newer writes are there after a repair, and the older one where they are not. */
static void all_are_replayed(const struct placed *e, size_t n)
{
	struct disk d = placed(e, n);

	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

/* 101 was written to the place of 95; 102 stands behind its own, and 100 is lost. */
TEST(an_entry_is_replayed_though_the_one_before_it_went_elsewhere)
{
	static const struct placed e[] = {
		{ 3, 0, 94, -1 }, { 4, 0, 101, 1 }, { 4, 1, 96, -1 }, { 5, 0, 97, -1 },
		{ 6, 0, 98, -1 }, { 7, 0, 99, -1 }, { 1, 1, 102, 2 }, { 2, 0, 103, -1 },
	};

	all_are_replayed(e, 8);
}

/* 101 and 102 changed places with older ones, of which the second is damaged. */
TEST(the_newest_entry_is_replayed_though_those_before_it_went_elsewhere)
{
	static const struct placed e[] = {
		{ 7, 0, 94, -1 }, { 0, 0, 95, -1 }, { 1, 0, 96, -1 }, { 2, 0, 101, -1 },
		{ 2, 1, 102, 1 }, { 3, 0, 98, -1 }, { 4, 0, 99, -1 }, { 5, 0, 100, -1 },
		{ 6, 0, 97, -1 }, { 6, 1, 98, -1 }, { 6, 2, 103, 2 },
	};
	struct disk d = placed(e, 11);

	hurt_in(&d, 6, 1);
	folds_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

/* 102 stands behind the newest, where the oldest should be; 60 has been there since long. */
TEST(an_entry_is_replayed_though_another_stands_behind_the_newest)
{
	static const struct placed e[] = {
		{ 0, 0, 60, -1 }, { 0, 1, 103, 2 }, { 1, 1, 102, -1 }, { 2, 1, 95, -1 },
		{ 3, 1, 96, -1 }, { 4, 1, 97, -1 }, { 5, 1, 98, -1 }, { 6, 1, 99, -1 },
		{ 7, 1, 101, 1 },
	};

	all_are_replayed(e, 9);
}

/* 101 and 103 are lost, and no driver starts from 102, which was written to a wrong place. */
TEST(the_newest_entry_is_replayed_though_only_one_that_went_elsewhere_can_be_read)
{
	static const struct placed e[] = {
		{ 3, 0, 95, -1 }, { 4, 0, 96, -1 }, { 5, 0, 102, 1 }, { 5, 1, 97, -1 },
		{ 6, 0, 98, -1 }, { 7, 0, 99, -1 }, { 0, 0, 100, -1 }, { 2, 1, 104, 2 },
	};

	all_are_replayed(e, 8);
}

/* What was left of 101 to 103 was not read, and a driver has written others. */
TEST(the_newest_entry_is_not_replayed_that_another_start_has_left_behind)
{
	static const struct placed e[] = {
		{ 0, 0, 94, -1 }, { 1, 0, 95, -1 }, { 2, 0, 96, -1 }, { 3, 0, 97, -1 },
		{ 4, 0, 98, -1 }, { 5, 0, 99, -1 }, { 6, 0, 100, -1 }, { 6, 1, 101, -1 },
		{ 6, 2, 103, 2 }, { 7, 0, 101, -1 }, { 7, 1, 102, 1 },
	};
	struct disk d = placed(e, 11);

	hurt_in(&d, 6, 1);
	folds_to(&d, OLD_100, NEW_120, 0);
	cache_dev_close(d.dev);
}

/* 2 stands behind the place of 3: they were not written one after the other. */
TEST(entries_that_are_not_of_one_lap_of_the_ring_are_not_replayed_together)
{
	struct cache_bkey k[] = { extent(0, 116, 132, true, SECTOR(31), 1),
				  extent(0, 200, 204, true, SECTOR(34), 1) };
	struct disk d = young();

	wipe(&d, d.sb.journal_bucket[1]);
	put_in(&d, 1, 1, 3, NULL);
	put_in(&d, 2, 1, 2, &k[0]);
	put_in(&d, 3, 0, 4, &k[1]);
	repairs_to(&d, OLD_100, OLD_120, SECTOR(34));
	cache_dev_close(d.dev);
}

/* A root that was replaced is still there: it is not known to be the root, nor is the other. */
static void leave_another_root(struct disk *d)
{
	struct cache_bkey other = root_key(&d->sb, 26, 1);
	struct cache_bkey k = extent(0, 300, 301, false, SECTOR(33), 1);

	put_bset(d, &other, 5, 0, &k, 1);
}

/* Of a time when the newest entry was 1 or 2; for a gap it would be too near. */
static void leave_a_lap_that_is_long_past(struct disk *d)
{
	struct jset_spec j = { .seq = 1000, .last_seq = 1000 };

	put_jset(d, 2, ENTRY, &j);
	j.seq = 1001;
	put_jset(d, 2, 2 * ENTRY, &j);
}

/* Entries 5002 and 5003 of a ring without first blocks name a chain after which others came. */
static struct disk old_enough(uint64_t newest_chain)
{
	struct cache_bkey k[] = { extent(0, 100, 132, true, SECTOR(30), 1),
				  extent(0, 116, 132, true, SECTOR(31), 1),
				  extent(0, 200, 204, true, SECTOR(32), 1) };
	struct disk d = make(k, 1, 0x30, 0x40);
	struct jset_spec j = { .last_seq = 5001, .uuid_bucket = table_key(&d, UUID),
			       .prio_bucket = PRIO, .btree_root = root_key(&d.sb, ROOT, 1),
			       .nkeys = 1 };

	wipe(&d, d.sb.journal_bucket[1]);
	for (unsigned i = 1; i < 3; i++) {
		j.seq = 5001 + i;
		j.keys = &k[i];
		put_jset(&d, 1, i * ENTRY, &j);
	}
	put_prios(&d, 40, newest_chain, 0, 0);
	return d;
}

TEST(hidden_entries_are_replayed_though_two_nodes_could_be_the_root)
{
	struct disk d = old_enough(3);

	leave_another_root(&d);
	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

TEST(an_entry_from_before_the_last_lap_leaves_a_gap_for_those_that_are_lost)
{
	struct disk d = old_enough(6);

	leave_a_lap_that_is_long_past(&d);
	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

/* PRIO was the head of a chain long ago, and is that of the last one, which is damaged. */
TEST(the_head_of_the_last_chain_is_not_taken_for_the_one_that_was_there_before)
{
	struct disk d = old_enough(9);
	struct cache_bkey k = extent(0, 200, 204, true, SECTOR(32), 1);
	struct jset_spec j = { .seq = 5003, .last_seq = 5001, .uuid_bucket = table_key(&d, UUID),
			       .prio_bucket = PRIO, .btree_root = root_key(&d.sb, ROOT, 1),
			       .keys = &k, .nkeys = 1 };

	for (unsigned i = 0; i < 4; i++)
		put_prios(&d, 40 + i, 9 - i, i < 3 ? 41 + i : PRIO, 0);
	put_jset(&d, 1, 2 * ENTRY, &j);
	j.seq = 5002;
	j.prio_bucket = 40;
	j.nkeys = 0;
	put_jset(&d, 1, ENTRY, &j);
	j.seq = 4986;	/* two blocks behind the newest */
	j.last_seq = 4986;
	put_jset(&d, 2, ENTRY, &j);
	disk_spoil(&d, SECTOR(PRIO), 300);
	repairs_to(&d, OLD_100, OLD_120, NEW_200);
	cache_dev_close(d.dev);
}

/* Chain and table of the ring are there still, and of its root all but the first set. */
TEST(a_ring_whose_root_has_become_another_node_is_old)
{
	static uint16_t prio[NMAX];
	static uint8_t gen[NMAX];
	struct cache_bkey old = extent(0, 100, 132, true, SECTOR(30), 1);
	struct cache_bkey new = extent(0, 100, 132, true, SECTOR(31), 1);
	struct disk d = make(&old, 1, 0x30, 0x40);
	struct cache_bkey root = root_key(&d.sb, ROOT, 1), leaf = root_key(&d.sb, ROOT, 2);
	struct cache_bkey top = root_key(&d.sb, 26, 1);

	put_bset(&d, &root, 5, 1, &old, 1);
	put_bset(&d, &leaf, 7, 0, &new, 1);
	put_bset(&d, &top, 6, 0, &leaf, 1);
	memset(gen, 1, sizeof(gen));
	gen[ROOT] = 2;
	prio[PRIO] = prio[UUID] = prio[ROOT] = prio[26] = CACHE_BTREE_PRIO;
	put_prio_set(&d, 40, 2, 0, 0, prio, gen);
	repairs_to(&d, SECTOR(31), SECTOR(31) + 20, 0);
	cache_dev_close(d.dev);
}

/* All that it names is lost, and an old chain is there; a key has a gen that this one lacks. */
TEST(a_ring_with_a_gen_that_the_only_prio_chain_lacks_is_not_old)
{
	struct cache_bkey old = extent(0, 100, 132, true, SECTOR(30), 1);
	struct cache_bkey k = extent(0, 116, 132, true, SECTOR(31), 2);
	struct disk d = make(&old, 1, 0x30, 0x40);

	put_nth(&d, 0, 1, &k);
	put_prios(&d, 40, 1, 0, 0);
	wipe(&d, PRIO);
	wipe(&d, ROOT);
	repairs_to(&d, 0, NEW_120, 0);
	cache_dev_close(d.dev);
}

/* The last prio_set went to another bucket: where it should be is something else. */
TEST(a_prio_set_in_a_wrong_place_does_not_make_the_ring_old)
{
	struct cache_bkey k[] = { extent(0, 100, 132, true, SECTOR(30), 1),
				  extent(0, 116, 132, true, SECTOR(31), 1),
				  extent(0, 200, 204, true, SECTOR(32), 1) };
	struct disk d = make(k, 1, 0x30, 0x40);
	struct jset_spec j = { .last_seq = 1, .uuid_bucket = table_key(&d, UUID),
			       .btree_root = root_key(&d.sb, ROOT, 1), .nkeys = 1 };
	void *data = cache_dev_buf(BS * CACHE_SECTOR_BYTES);

	put_prios(&d, 40, 6, 0, 0);
	put_prios(&d, 41, 7, 40, 0);
	for (unsigned i = 1; i < 3; i++) {
		j.seq = i;
		j.prio_bucket = i == 1 ? 40 : PRIO;
		j.keys = &k[i];
		put_jset(&d, 1, (i - 1) * ENTRY, &j);
	}
	memset(data, 0x5a, BS * CACHE_SECTOR_BYTES);
	disk_write(&d, SECTOR(PRIO), BS, data);
	free(data);
	repairs_with(&d, false, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

static void note_device(void *ctx, unsigned dev, const struct cache_repair_loss *l)
{
	if (l->code == CACHE_LOSS_NEWEST_WRITES)
		*(uint64_t *)ctx |= UINT64_C(1) << l->inode;
}

/* No slot and no leaf of the tree names it. */
TEST(a_device_that_only_leaves_without_parent_know_is_among_those_in_doubt)
{
	struct cache_bkey k[] = { extent(3, 100, 132, true, SECTOR(30), 1),
				  extent(3, 200, 204, true, SECTOR(32), 1) };
	struct disk d = make(k, 2, 0x30, 0x40);
	struct cache_bkey other = root_key(&d.sb, 26, 1), first = extent(0, 8, 16, true, SECTOR(31), 1);
	struct cache_repair_plan plan;
	struct cache_err err;
	uint64_t devices = 0;

	put_bset(&d, &other, 5, 0, &first, 1);
	wipe(&d, d.sb.journal_bucket[1]);
	repair(&d, (struct cache_repair_opts){ .loss = note_device, .ctx = &devices }, &plan, &err);
	CHECK(devices >> 3 & 1);
	cache_dev_close(d.dev);
}

/*
 * A root of which the second set, with the key of the first leaf, is damaged: the second leaf
 * has an entry that is newer, and does not have what belongs to the first.
 */
TEST(what_belongs_to_a_leaf_that_is_lost_is_not_taken_for_flushed_by_the_next_one)
{
	struct cache_bkey k[] = { extent(0, 100, 108, true, SECTOR(30), 1),
				  extent(0, 2000, 2008, true, SECTOR(31), 1) };
	struct disk d = make(NULL, 0, 0x30, 0x40);
	struct cache_bkey root = root_key(&d.sb, ROOT, 1), leaf = root_key(&d.sb, 24, 1);
	struct cache_bkey first = node_key(&d.sb, 0, 1000, 23, 1);
	struct jset_spec j = { .last_seq = 1, .uuid_bucket = table_key(&d, UUID), .level = 1,
			       .prio_bucket = PRIO, .btree_root = root, .nkeys = 1 };

	put_bset(&d, &root, 5, 0, &leaf, 1);
	put_bset(&d, &root, 5, 1, &first, 1);
	disk_spoil(&d, SECTOR(ROOT) + 8, 40);
	put_bset(&d, &root, 5, 2, &leaf, 1);
	put_bset(&d, &leaf, 6, 0, &k[1], 1);
	for (unsigned i = 0; i < 2; i++) {
		j.seq = 1 + 2 * i;
		j.keys = &k[i];
		put_jset(&d, 1, i * ENTRY, &j);
	}
	repairs_to(&d, OLD_100, 0, 0);
	cache_dev_close(d.dev);
}

/* What it wrote is gone again, and of the ring that was only the first block was wiped. */
TEST(entries_from_before_a_repair_are_not_replayed_after_it)
{
	struct cache_bkey k = extent(0, 116, 132, true, SECTOR(35), 1);
	struct disk d = young();
	struct cache_repair_plan plan;
	struct cache_set *set;
	uint32_t index;

	repairs(&d, (struct cache_repair_opts){ 0 }, &plan);
	set = set_load(d.dev);
	index = set->journal.newest.pos.index;
	CHECK(index != 1);
	cache_set_close(set);
	wipe(&d, d.sb.journal_bucket[index]);
	put_nth(&d, 2, 3, &k);
	repairs_to(&d, OLD_100, NEW_120, NEW_200);
	cache_dev_close(d.dev);
}

TEST_MAIN()
