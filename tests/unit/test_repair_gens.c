// SPDX-License-Identifier: GPL-2.0-only
/* Gens on disk that are false: dirty data that nobody else claims the bucket of is kept. */
#include "repair_cases.h"

#define BEFORE	40	/* the prio chain before the newest */
#define DATA	30	/* the bucket of the dirty extent, which has gen 1 */
#define OTHER	31
#define LEAF	23

static void put_chain(struct disk *d, uint64_t bucket, uint64_t seq, uint64_t next, uint8_t of_data)
{
	static uint16_t prio[NMAX];
	static uint8_t gen[NMAX];

	for (unsigned b = 0; b < d->sb.nbuckets; b++) {
		prio[b] = b >= PRIO && b <= ROOT ? CACHE_BTREE_PRIO : CACHE_INITIAL_PRIO;
		gen[b] = b == DATA ? of_data : 1;
	}
	put_prio_set(d, bucket, seq, next, 0, prio, gen);
}

/* Sectors 100 to 132 dirty; their bucket has gen @before in the one chain, @now in the other. */
static struct disk flipped(uint8_t before, uint8_t now)
{
	struct cache_bkey k[] = { extent(0, 100, 132, true, SECTOR(DATA), 1),
				  extent(0, 200, 208, true, SECTOR(OTHER), 1) };
	struct disk d = make(k, 2, 0x30, 0);

	put_chain(&d, BEFORE, 1, 0, before);
	put_chain(&d, PRIO, 2, BEFORE, now);
	return d;
}

/* Repaired, and then so many sectors are dirty, and so many were named as lost. */
static void repairs_with(struct disk *d, uint64_t dirty, uint64_t lost, bool safe)
{
	struct loss loss = { 0 };
	struct cache_repair_plan plan;

	repairs(d, (struct cache_repair_opts){ .loss = on_loss, .ctx = &loss }, &plan);
	CHECK_EQ(dirty_of(d), dirty);
	CHECK_EQ(loss.sectors, lost);
	CHECK_EQ(plan.safe, safe);
	cache_set_close(enter(d));
	cache_dev_close(d->dev);
}

TEST(dirty_data_is_kept_whose_gen_moved_on_further_than_between_two_prio_chains)
{
	struct disk d = flipped(1, 9);

	repairs_with(&d, 40, 0, true);
}

/* It may have been written back, and freed since; but it is still there. */
TEST(dirty_data_whose_bucket_may_just_have_been_freed_is_kept_and_its_leaf_is_in_doubt)
{
	struct disk d = flipped(1, 2);

	repairs_with(&d, 40, 0, false);
}

TEST(dirty_data_whose_bucket_was_used_again_before_the_last_two_prio_chains_is_lost)
{
	struct disk d = flipped(3, 4);

	repairs_with(&d, 8, 32, false);
}

TEST(without_the_prio_chain_before_it_is_not_known_whether_the_data_is_still_there)
{
	struct disk d = flipped(1, 9);

	disk_spoil(&d, SECTOR(BEFORE), 300);
	repairs_with(&d, 8, 32, false);
}

TEST(what_the_journal_is_to_insert_is_still_there_without_an_earlier_prio_chain)
{
	struct cache_bkey k = extent(0, 100, 132, true, SECTOR(DATA), 1);
	struct jset_spec j = { .seq = 2, .last_seq = 2, .prio_bucket = PRIO, .keys = &k, .nkeys = 1 };
	struct disk d = flipped(1, 9);

	disk_spoil(&d, SECTOR(BEFORE), 300);
	j.uuid_bucket = table_key(&d, UUID);
	j.btree_root = root_key(&d.sb, ROOT, 1);
	put_jset(&d, 2, 0, &j);
	repairs_with(&d, 40, 0, true);
}

TEST(dirty_data_in_a_bucket_that_a_newer_key_claims_is_lost)
{
	struct cache_bkey root, k[] = { extent(0, 100, 132, true, SECTOR(DATA), 1),
					extent(0, 200, 208, true, SECTOR(DATA), 9) };
	struct disk d = flipped(1, 9);

	root = root_key(&d.sb, ROOT, 1);
	put_bset(&d, &root, 5, 0, k, 2);
	repairs_with(&d, 8, 32, false);
}

TEST(dirty_data_in_a_bucket_that_metadata_was_written_to_is_lost)
{
	struct disk d = flipped(1, 9);

	put_chain(&d, DATA, 1, 0, 1);
	repairs_with(&d, 8, 32, false);
}

/* A leaf below the root; it has what @flipped() has, and gen @child on disk. */
static struct disk below_a_root(uint8_t now, uint8_t child)
{
	static const uint64_t chain[] = { BEFORE, PRIO };
	struct cache_bkey k = extent(0, 100, 132, true, SECTOR(DATA), 1);
	struct disk d = make(NULL, 0, 0x30, 0);
	struct cache_bkey root = root_key(&d.sb, ROOT, 1), leaf = root_key(&d.sb, LEAF, 1);
	struct jset_spec j = { .seq = 1, .last_seq = 1, .uuid_bucket = table_key(&d, UUID),
			       .prio_bucket = PRIO, .btree_root = root, .level = 1 };
	static uint16_t prio[NMAX];
	static uint8_t gen[NMAX];

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned b = 0; b < d.sb.nbuckets; b++) {
			prio[b] = b >= PRIO && b <= LEAF ? CACHE_BTREE_PRIO : CACHE_INITIAL_PRIO;
			gen[b] = i && b == DATA ? now : i && b == LEAF ? child : 1;
		}
		put_prio_set(&d, chain[i], 1 + i, i ? BEFORE : 0, 0, prio, gen);
	}
	put_bset(&d, &leaf, 8, 0, &k, 1);
	put_bset(&d, &root, 5, 0, &leaf, 1);
	put_jset(&d, 1, 0, &j);
	return d;
}

static struct disk below_a_lost_root(uint8_t now, uint8_t child)
{
	struct disk d = below_a_root(now, child);

	disk_spoil(&d, SECTOR(ROOT), 0);
	return d;
}

/* A set in each block of the root but in the last @nfree: of a key that freed another child. */
static void fill_root(struct disk *d, uint32_t nfree)
{
	struct cache_bkey root = root_key(&d->sb, ROOT, 1), freed = node_key(&d->sb, 0, 0, OTHER, 1);
	uint32_t nblocks = cache_btree_node_sectors(&d->sb) / d->sb.block_sectors;

	for (uint32_t block = 1; block < nblocks - nfree; block++)
		put_bset(d, &root, 5, block, &freed, 1);
}

TEST(dirty_data_of_a_leaf_without_parent_is_kept_too_whose_gen_is_false)
{
	struct disk d = below_a_lost_root(9, 1);

	repairs_with(&d, 32, 0, false);
}

TEST(a_leaf_without_parent_is_found_though_its_gen_is_false)
{
	struct disk d = below_a_lost_root(1, 9);

	repairs_with(&d, 32, 0, false);
}

/* Its first set is other data, and nothing says that the bucket was a node. */
TEST(a_leaf_without_parent_is_found_by_a_later_set_where_its_priority_is_lost)
{
	struct disk d = below_a_lost_root(1, 1);
	struct cache_bkey leaf = root_key(&d.sb, LEAF, 1);
	struct cache_bkey k = extent(0, 100, 132, true, SECTOR(DATA), 1);
	void *data = cache_dev_buf(8 * CACHE_SECTOR_BYTES);

	memset(data, 0x5a, 8 * CACHE_SECTOR_BYTES);
	put_bset(&d, &leaf, 8, 1, &k, 1);
	disk_write(&d, SECTOR(LEAF), 8, data);
	free(data);
	disk_spoil(&d, SECTOR(PRIO), 300);
	disk_spoil(&d, SECTOR(BEFORE), 300);
	repairs_with(&d, 32, 0, false);
}

/* It may have been freed, and then it is no part of the tree. */
TEST(a_leaf_without_parent_whose_bucket_may_have_been_freed_is_none)
{
	struct disk d = below_a_lost_root(1, 2);

	repairs_with(&d, 0, 0, false);
}

/* A power cut leaves this while a full root is replaced. */
TEST(a_leaf_whose_gen_is_one_ahead_of_a_full_parent_is_kept_and_nothing_is_in_doubt)
{
	struct disk d = below_a_root(1, 2);

	fill_root(&d, 0);
	repairs_with(&d, 32, 0, true);
}

TEST(a_leaf_whose_gen_is_one_ahead_of_a_parent_that_may_have_lost_a_set_is_in_doubt)
{
	struct disk d = below_a_root(1, 2);

	fill_root(&d, 1);
	repairs_with(&d, 32, 0, false);
}

/*
 * The prio_set is lost, as is the key of the root that freed its first child; a key of the
 * journal has the bucket of that, with a newer gen, for data.
 */
TEST(data_with_a_newer_gen_has_the_bucket_of_a_child_that_is_not_there)
{
	struct disk d = make(NULL, 0, 0x30, 0);
	struct cache_bkey k[] = { extent(0, 1000, 1032, true, SECTOR(OTHER), 1),
				  extent(0, 2000, 2032, true, SECTOR(DATA), 3) };
	struct cache_bkey root = root_key(&d.sb, ROOT, 1);
	struct cache_bkey child[] = { node_key(&d.sb, 0, 500, DATA, 1), root_key(&d.sb, LEAF, 1) };
	struct jset_spec j = { .seq = 1, .last_seq = 1, .uuid_bucket = table_key(&d, UUID),
			       .prio_bucket = PRIO, .btree_root = root, .level = 1,
			       .keys = &k[1], .nkeys = 1 };

	put_bset(&d, &root, 5, 0, child, 2);
	put_bset(&d, &child[1], 8, 0, &k[0], 1);
	put_jset(&d, 1, 0, &j);
	disk_spoil(&d, SECTOR(PRIO), 300);
	repairs_with(&d, 64, 0, false);
}

TEST_MAIN()
