// SPDX-License-Identifier: GPL-2.0-only
/* A backing device: its superblock, and whether cache and device agree (S16, S19). */
#include "fsck/fsck_impl.h"

#include <string.h>

static void check_with_cache(const struct fsck_backing *b, const struct fsck_cache *c,
			     const struct cache_sink *sink)
{
	enum cache_bdev_state state = cache_sb_bdev_state(&b->sb);
	int64_t slot = cache_uuid_find(&c->set->uuids, b->sb.uuid);
	uint64_t dirty = slot < 0 ? 0 : c->slots[slot].dirty_sectors;
	struct cache_finding f = { .what = cache_bdev_state_name(state), .count = dirty };

	if (slot < 0 && state == CACHE_BDEV_STATE_DIRTY &&
	    (c->set->uuids.n || !cache_sb_is_synced(&c->set->sb))) {
		f.code = CACHE_P_BDEV_UNKNOWN;
		memcpy(f.uuid, b->sb.uuid, 16);
		cache_found(sink, NULL, &f);
	}
	if (dirty && (state == CACHE_BDEV_STATE_NONE || state == CACHE_BDEV_STATE_STALE)) {
		f.code = CACHE_P_BDEV_ABANDON;
		cache_found(sink, NULL, &f);
	} else if (dirty && state == CACHE_BDEV_STATE_CLEAN) {
		/* The dirty state is written to the disk a little after the first dirty key. */
		f.code = CACHE_P_BDEV_STATE;
		cache_found(sink, NULL, &f);
	}
	if (b->sb.block_sectors < c->set->sb.block_sectors)
		cache_found(sink, NULL, &(struct cache_finding){
			.code = CACHE_P_BDEV_BLOCK, .got = b->sb.block_sectors,
			.want = c->set->sb.block_sectors });
	if (b->sb.data_offset_sectors % c->set->sb.block_sectors)
		cache_found(sink, NULL, &(struct cache_finding){
			.code = CACHE_P_BDEV_ALIGN, .got = b->sb.data_offset_sectors,
			.want = c->set->sb.block_sectors });
}

static void check_alone(const struct fsck_backing *b, bool other_set,
			const struct cache_sink *sink)
{
	struct cache_finding f = { .code = CACHE_P_BDEV_OTHER_SET };

	memcpy(f.uuid, b->sb.set_uuid, 16);
	if (other_set)
		cache_found(sink, NULL, &f);
	f.code = CACHE_P_BDEV_NEEDS_CACHE;
	if (cache_sb_bdev_state(&b->sb) == CACHE_BDEV_STATE_DIRTY)
		cache_found(sink, NULL, &f);
}

void cache_fsck_backing(const struct fsck_backing *b, const struct fsck_cache *c,
			bool other_set, const struct cache_sink *sink)
{
	cache_sb_check(&b->sb, b->sectors, b->logical_block_bytes, sink, NULL);
	if (c)
		check_with_cache(b, c, sink);
	else
		check_alone(b, other_set, sink);
}
