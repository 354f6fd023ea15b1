/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the passes of fsck. A pass looks and reports, nothing else. */
#ifndef LIBCACHE_FSCK_IMPL_H
#define LIBCACHE_FSCK_IMPL_H

#include "fsck/fsck_shared.h"
#include "fsck/fsck.h"
#include "set/set.h"

/* A backing device at hand. */
struct fsck_backing {
	struct cache_sb sb;
	uint64_t sectors;
	uint32_t logical_block_bytes;
};

/* What one slot of the uuid table has in the cache. */
struct fsck_slot {
	uint64_t extents, cached_sectors, dirty_extents, dirty_sectors;
	uint64_t data_start, data_end;	/* sectors its extents must lie in */
	uint64_t first, end;		/* sectors they lie in, if there are any */
};

struct fsck_cache {
	struct cache_set *set;
	const struct cache_sink *sink;
	struct fsck_slot *slots;	/* set->uuids.n */
	struct fsck_shared shared;
	uint64_t unaligned, members;
	uint64_t nodes, nodes_expected;
	struct cache_fsck_summary *sum;
};

/*
 * All passes over a loaded image but those of backing devices. @backing: those at
 * hand, of any set. Release c->slots with free().
 */
int cache_fsck_loaded(struct fsck_cache *c, const struct fsck_backing *backing,
		      unsigned nbacking, struct cache_err *err);

/* The bounds of what a slot has, as far as it says them: one that was overwritten does not. */
void cache_fsck_bound_slot(struct fsck_slot *slot, const struct cache_uuid_entry *e);

/* Each returns 0, -EIO, -ENOMEM or -ECANCELED; what is wrong goes to the sink. */
int cache_fsck_ring(struct fsck_cache *c, struct cache_err *err);
int cache_fsck_extents(struct fsck_cache *c, struct cache_err *err);
void cache_fsck_buckets(struct fsck_cache *c);
/* @c: the cache of its set, or NULL; then @other_set: a cache of another was given */
void cache_fsck_backing(const struct fsck_backing *b, const struct fsck_cache *c,
			bool other_set, const struct cache_sink *sink);

#endif
