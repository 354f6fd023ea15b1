// SPDX-License-Identifier: GPL-2.0-only
/*
 * A superblock that says that its set never ran, and a ring that says the opposite: the set was
 * formatted again with the same uuid, or the write of the first start was lost. The content
 * decides: if the ring leads to dirty data, or a backing device has dirty data in this set, the
 * ring is right. The ring may be lost too. Then the nodes of the set are still there.
 */
#include "super/repair_super.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/bset_codec.h"
#include "set/set_impl.h"

static int note_dirty(void *ctx, const struct cache_extent *e)
{
	bool *dirty = ctx;

	*dirty |= cache_key_dirty(&e->key) && e->available && !e->staleness && !e->check_key;
	return *dirty;
}

static bool has_nodes(const struct cache_set *set)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= CACHE_BTREE_LEVEL_MAX; i++)
		n += set->nnodes[i];
	return n;
}

/* Loads the set as if the superblock named the ring. What cannot be read may hold dirty data. */
static bool may_lead_to_dirty_data(struct cache_dev *dev, const struct cache_sb *sb)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_set *set = calloc(1, sizeof(*set));
	bool dirty = false;

	if (!set)
		return false;
	set->dev = dev;
	set->sb = *sb;
	if (!cache_journal_read(dev, sb, &set->journal, &silent, NULL) &&
	    set->journal.nentries) {
		set->has_journal = true;
		set->loaded = CACHE_LOAD_JOURNAL;
		dirty = cache_set_load_rest(set, CACHE_LOAD_GENS, &silent, NULL) ||
			set->nbad_nodes || !has_nodes(set);
		if (!dirty)
			cache_set_each_extent(set, note_dirty, &dirty, &silent, NULL);
	}
	cache_set_close(set);
	return dirty;
}

static bool has_dirty_backing(const struct super_repair *m)
{
	for (unsigned i = 0; i < m->opts->nbacking; i++) {
		const struct cache_sb *b = &m->opts->backing[i];

		if (!memcmp(b->set_uuid, m->sb.set_uuid, sizeof(b->set_uuid)) &&
		    cache_sb_bdev_state(b) == CACHE_BDEV_STATE_DIRTY)
			return true;
	}
	return false;
}

bool cache_super_ring_is_truth(const struct super_repair *m)
{
	struct cache_sb sb = m->sb;

	if (cache_sb_is_bdev(&sb) || !m->ev.nentries ||
	    !cache_sb_is_usable(&sb, cache_dev_sectors(m->dev)))
		return false;
	if (has_dirty_backing(m))
		return true;
	if (!sb.njournal)
		cache_sb_predict_ring(&sb);
	sb.flags |= CACHE_SB_SYNC;
	return may_lead_to_dirty_data(m->dev, &sb);
}

/* Whether the first set of a node is in @bucket. @buf: of the size of a node. */
static bool is_node(const struct super_repair *m, uint64_t bucket, char *buf)
{
	const struct cache_sb *sb = &m->sb;
	const struct cache_bset_disk *d = (const void *)buf;
	uint64_t sector = cache_bucket_sector(sb, bucket);
	uint32_t nsectors = cache_btree_node_sectors(sb);

	return !cache_dev_read(m->dev, sector, 1, buf, NULL) &&
	       cache_le64_get(d->magic) == (cache_sb_set_magic(sb) ^ CACHE_BSET_MAGIC) &&
	       !cache_dev_read(m->dev, sector, nsectors, buf, NULL) &&
	       cache_bset_bytes(d) <= nsectors * CACHE_SECTOR_BYTES &&
	       cache_bset_find_gen(d, sb, bucket, 0) >= 0;
}

int cache_super_find_nodes(const struct super_repair *m, bool *found)
{
	const struct cache_repair_opts *o = m->opts;
	const struct cache_sb *sb = &m->sb;
	char *buf;
	int ret = 0;

	*found = false;
	if (!m->csum_valid || cache_sb_is_bdev(sb) || cache_sb_is_synced(sb) ||
	    cache_sb_is_one_of_several(sb) || !has_dirty_backing(m) ||
	    !cache_sb_is_usable(sb, cache_dev_sectors(m->dev)))
		return 0;
	buf = cache_dev_buf(cache_btree_node_sectors(sb) * CACHE_SECTOR_BYTES);
	if (!buf)
		return -ENOMEM;
	for (uint64_t b = sb->first_bucket; b < sb->nbuckets && !*found && !ret; b++) {
		*found = is_node(m, b, buf);
		if (o->progress && o->progress(o->ctx, o->dev, CACHE_REPAIR_PASS_SCAN, b + 1,
					       sb->nbuckets))
			ret = -ECANCELED;
	}
	free(buf);
	return ret;
}
