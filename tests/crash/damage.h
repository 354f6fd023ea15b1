/* SPDX-License-Identifier: GPL-2.0-only */
/* Ways to hurt a set that a kernel wrote. */
#ifndef TESTS_CRASH_DAMAGE_H
#define TESTS_CRASH_DAMAGE_H

#include "disk/jset_codec.h"
#include "set.h"

static inline void flip(struct cache_dev *dev, uint64_t sector, unsigned byte)
{
	uint8_t buf[CACHE_SECTOR_BYTES];

	CHECK_EQ(cache_dev_read(dev, sector, 1, buf, NULL), 0);
	buf[byte] ^= 0x10;
	CHECK_EQ(cache_dev_write(dev, sector, 1, buf, NULL), 0);
}

static inline int first_leaf(void *ctx, const struct cache_btree_node *n)
{
	*(uint64_t *)ctx = cache_ptr_sector(n->key.ptr[0]);
	return !n->level;
}

static inline void tear_a_leaf(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);
	uint64_t sector = 0;

	CHECK_EQ(cache_set_each_node(set, first_leaf, &sector, NULL, NULL), 1);
	flip(dev, sector, 200);
	cache_set_close(set);
}

/* What hangs on it has to be looked for. */
static inline void lose_the_root(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);

	flip(dev, cache_ptr_sector(set->journal.newest.btree_root.ptr[0]), 200);
	cache_set_close(set);
}

static inline void lose_prios(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);

	flip(dev, cache_bucket_sector(&set->sb, set->prios.chain[0]), 300);
	cache_set_close(set);
}

static inline void lose_an_entry(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);

	CHECK(set->journal.nreplay > 4);
	flip(dev, cache_jset_sector(&set->sb, set->journal.replay[2]), 180);
	cache_set_close(set);
}

/* The driver goes on from the one before: what stands behind is hidden. */
static inline void hide_the_newest(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);
	const struct cache_jset_pos *damaged = set->journal.replay[set->journal.nreplay - 2];

	CHECK_EQ(damaged->index, set->journal.newest.pos.index);
	flip(dev, cache_jset_sector(&set->sb, damaged), 180);
	cache_set_close(set);
}

/* The newest entry claims that replay begins after it. */
static inline void mislead_the_replay(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);
	const struct cache_jset_pos *pos = &set->journal.newest.pos;
	uint32_t n = cache_jset_sectors(&set->sb, pos->nwords);
	struct cache_jset_disk *d = cache_dev_buf(n * CACHE_SECTOR_BYTES);
	uint64_t sector = cache_jset_sector(&set->sb, pos);

	CHECK_EQ(cache_dev_read(dev, sector, n, d, NULL), 0);
	d->last_seq = cache_le64_of(pos->seq + 9);
	d->csum = cache_le64_of(cache_jset_csum(d));
	CHECK_EQ(cache_dev_write(dev, sector, n, d, NULL), 0);
	free(d);
	cache_set_close(set);
}

static inline void lose_the_uuids(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);

	flip(dev, cache_ptr_sector(set->journal.newest.uuid_bucket.ptr[0]),
	     3 * sizeof(struct cache_uuid_disk) + offsetof(struct cache_uuid_disk, flags));
	cache_set_close(set);
}

static inline void lose_the_ring(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);
	char *zeros = cache_dev_buf(CACHE_PAGE_BYTES);

	for (unsigned i = 0; i < set->sb.njournal; i++)
		CHECK_EQ(cache_dev_write(dev, cache_bucket_sector(&set->sb,
								  set->sb.journal_bucket[i]),
					 CACHE_PAGE_SECTORS, zeros, NULL), 0);
	free(zeros);
	cache_set_close(set);
}

/* The ring is that of a young set: its other entries stand behind the first one. */
static inline void lose_the_first_entry(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);

	CHECK_EQ(set->journal.newest.pos.index, set->journal.entries[0].index);
	CHECK(set->journal.nentries > 1);
	flip(dev, cache_jset_sector(&set->sb, &set->journal.entries[0]), 180);
	cache_set_close(set);
}

static inline void switch_discards_on(struct cache_dev *dev)
{
	char *buf = cache_dev_buf(CACHE_SB_BYTES);
	struct cache_sb sb;

	CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
	CHECK_EQ(cache_dev_read(dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / 512, buf, NULL), 0);
	sb.flags |= CACHE_SB_DISCARD;
	cache_sb_encode(&sb, buf);
	CHECK_EQ(cache_dev_write(dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / 512, buf, NULL), 0);
	free(buf);
}

/* The ring bucket of the oldest entry that replay asks for, whole; what follows is elsewhere. */
static inline void discard_the_oldest(struct cache_dev *dev)
{
	struct cache_set *set = set_load(dev);
	uint32_t index = set->journal.replay[0]->index;
	void *zeros = cache_dev_buf(set->sb.bucket_sectors * CACHE_SECTOR_BYTES);

	CHECK(set->journal.replay[1]->index != index);
	CHECK_EQ(cache_dev_write(dev, cache_bucket_sector(&set->sb, set->sb.journal_bucket[index]),
				 set->sb.bucket_sectors, zeros, NULL), 0);
	free(zeros);
	cache_set_close(set);
	switch_discards_on(dev);
}

/* Two fields, so that the checksum alone cannot prove what was there. */
static inline void lose_the_geometry(struct cache_dev *dev)
{
	flip(dev, CACHE_SB_SECTOR, 0xb8);
	flip(dev, CACHE_SB_SECTOR, 0xc2);
}

#endif
