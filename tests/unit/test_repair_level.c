// SPDX-License-Identifier: GPL-2.0-only
/* A journal entry that says another level of the root than it has: the whole tree is kept. */
#include "set.h"

#include "answers.h"
#include "disk/jset_codec.h"
#include "repair/repair.h"

static void set_level(struct cache_dev *dev, int by)
{
	struct cache_set *set = set_load(dev);
	const struct cache_jset_pos *pos = &set->journal.newest.pos;
	uint64_t sector = cache_jset_sector(&set->sb, pos);
	uint64_t nsectors = cache_jset_sectors(&set->sb, pos->nwords);
	struct cache_jset_disk *d = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);

	CHECK_EQ(cache_dev_read(dev, sector, nsectors, d, NULL), 0);
	d->btree_level = cache_le16_of(cache_le16_get(d->btree_level) + by);
	d->csum = cache_le64_of(cache_jset_csum(d));
	CHECK_EQ(cache_dev_write(dev, sector, nsectors, d, NULL), 0);
	free(d);
	cache_set_close(set);
}

static void on_piece(void *ctx, const struct answers_piece *p)
{
	++*(unsigned *)ctx;
}

/* Every sector is answered as before, dirty and clean ones. */
static void keeps_all(const char *name, int by)
{
	struct cache_dev *base = set_open(name), *dev = set_copy(base);
	struct cache_repair_opts opts = { .seed = 7 };
	struct cache_repair_plan plan;
	struct answers was, now;
	struct cache_set *set = set_load(base);
	unsigned pieces = 0;

	CHECK_EQ(answers_of(set, &was), 0);
	cache_set_close(set);
	set_level(dev, by);
	CHECK_EQ(cache_repair_cache(dev, &opts, &plan, NULL), 0);
	CHECK(plan.rebuild && plan.safe && !plan.cannot);
	set = set_load(dev);
	CHECK_EQ(answers_of(set, &now), 0);
	CHECK_EQ(now.n, was.n);
	answers_compare(&was, &now, on_piece, &pieces);
	CHECK_EQ(pieces, 0);
	answers_fini(&was);
	answers_fini(&now);
	cache_set_close(set);
	cache_dev_close(dev);
	cache_dev_close(base);
}

TEST(a_tree_whose_root_is_said_to_be_one_level_too_high_is_kept)
{
	keeps_all("wb-crash", 1);
	keeps_all("two-backs", 1);
	keeps_all("rewrite-61", 1);
	keeps_all("flash-73", 1);
}

TEST(a_tree_whose_root_is_said_to_be_one_level_too_low_is_kept)
{
	keeps_all("wb-crash", -1);
	keeps_all("churn-lru", -1);
}

TEST(a_tree_of_one_leaf_whose_root_is_said_to_be_an_interior_node_is_kept)
{
	keeps_all("registered", 1);
}

TEST_MAIN()
