// SPDX-License-Identifier: GPL-2.0-only
/* An interior node that was replaced is not taken for a leaf, although each key of it could be
 * that of an extent that fills a bucket. */
#include "repair_cases.h"

#define REPLACED	24	/* an interior node; no child of it is there any more */
#define NEWER		25	/* the one that took its place */

/* The dirty leaf of 100 to 132; nothing names it, for the ring is empty. */
static struct disk without_ring(void)
{
	struct cache_bkey k[] = { extent(0, 100, 132, true, SECTOR(30), 1) };
	struct disk d = make(k, 1, 0x30, 0);
	char *zeros = cache_dev_buf(BS * CACHE_SECTOR_BYTES);

	for (unsigned i = 0; i < d.sb.njournal; i++)
		disk_write(&d, SECTOR(d.sb.journal_bucket[i]), BS, zeros);
	free(zeros);
	return d;
}

static void put_node(struct disk *d, uint64_t bucket, const struct cache_bkey *k, unsigned n)
{
	struct cache_bkey key = root_key(&d->sb, bucket, 1);

	put_bset(d, &key, bucket, 0, k, n);
}

static void keeps(struct disk *d, uint64_t dirty)
{
	struct cache_repair_plan plan;

	repairs(d, (struct cache_repair_opts){ 0 }, &plan);
	CHECK_EQ(dirty_of(d), dirty);
	leave(d, enter(d));
}

TEST(a_node_that_ends_where_roots_do_is_interior)
{
	struct disk d = without_ring();
	struct cache_bkey k[] = { extent(0, 100, 132, false, SECTOR(40), 1),
				  root_key(&d.sb, 41, 1) };

	put_node(&d, REPLACED, k, 2);
	keeps(&d, 32);
}

TEST(a_node_that_shares_a_child_with_an_interior_one_is_interior)
{
	struct disk d = without_ring();
	struct cache_bkey k[] = { extent(0, 100, 132, false, SECTOR(40), 1),
				  extent(0, 268, 300, false, SECTOR(42), 1) };
	struct cache_bkey newer[] = { k[1], root_key(&d.sb, 41, 1) };

	put_node(&d, REPLACED, k, 2);
	put_node(&d, NEWER, newer, 2);
	keeps(&d, 32);
}

/* Clean extents that fill a bucket, and nothing says that they are children. */
TEST(a_leaf_of_whole_buckets_is_a_leaf)
{
	struct disk d = without_ring();
	struct cache_bkey k[] = { extent(0, 200, 232, false, SECTOR(40), 1),
				  extent(0, 268, 300, true, SECTOR(42), 1) };

	put_node(&d, REPLACED, k, 2);
	keeps(&d, 64);
}

TEST_MAIN()
