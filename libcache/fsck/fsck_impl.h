/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the passes of fsck. A pass looks and reports, nothing else. */
#ifndef LIBCACHE_FSCK_IMPL_H
#define LIBCACHE_FSCK_IMPL_H

#include <libcache/fsck.h>

#include "format/geometry.h"
#include "format/eras.h"
#include "fsck/fsck_shared.h"
#include "set/set.h"

/* A device at hand; cache_fsck_is_backing() tells backing devices. */
struct fsck_backing {
	struct cache_sb sb;
	uint64_t sectors;
	uint32_t logical_block_bytes;
	bool no_magic;		/* then its version means nothing */
};

static inline bool cache_fsck_is_backing(const struct fsck_backing *b)
{
	return cache_sb_is_bdev(&b->sb) && !b->no_magic;
}

/* What one slot of the uuid table has in the cache. */
struct fsck_slot {
	uint64_t extents, cached_sectors, dirty_extents, dirty_sectors;
	uint64_t data_start, data_end;	/* sectors its extents must lie in */
	uint64_t first, end;		/* sectors they lie in, if there are any */
};

/* Findings that are reported later, or not at all. */
struct fsck_held {
	struct cache_finding *f;
	size_t n, capacity;
	bool full;		/* some are missing */
	bool failed;		/* for want of memory */
};

/* A cache_sink's report, into a struct fsck_held. */
void cache_fsck_hold(void *ctx, const struct cache_finding *f);
void cache_fsck_held_report(struct fsck_held *h, const struct cache_sink *sink);
void cache_fsck_held_fini(struct fsck_held *h);

struct fsck_cache {
	struct cache_set *set;
	const struct cache_sink *sink;
	uint32_t eras;			/* mask of those asked for; never 0 */
	struct cache_finding gap;	/* at the front of the journal, for its discard bit; code 0: none */
	struct fsck_slot *slots;	/* set->uuids.n */
	struct fsck_shared shared;
	uint64_t unaligned, members;
	struct cache_fsck_summary *sum;
	/* Backing devices at hand, of any set. */
	const struct fsck_backing *backing;
	unsigned nbacking;
	/* Extents that were judged while the set was loaded: what was found, and counted. */
	struct fsck_held held;
	bool seen;
	/* Of the extent that came last, as most that follow are like it. */
	struct cache_geometry geometry;
	uint64_t inode;			/* UINT64_MAX: nothing below is known */
	struct fsck_slot *slot;		/* NULL: it has none that data may be in */
	bool wants_dirty;
};

/* All passes over a loaded image but those of backing devices. */
int cache_fsck_loaded(struct fsck_cache *c, const struct fsck_backing *backing,
		      unsigned nbacking, struct cache_err *err);

/*
 * What judges extents while a set is loaded, so that the tree is read once; after the load
 * cache_fsck_seen() says whether it was of use. @c: set, sink, sum and backing devices.
 */
struct cache_extent_visit cache_fsck_visit(struct fsck_cache *c);
void cache_fsck_seen(struct fsck_cache *c, const struct cache_extent_visit *visit);

/* c->slots, with what is known of the backing devices of the set. 0 or -ENOMEM. */
int cache_fsck_init_slots(struct fsck_cache *c);

/* The bounds of what a slot has, as far as it says them: one that was overwritten does not. */
void cache_fsck_bound_slot(struct fsck_slot *slot, const struct cache_uuid_entry *e);

/* Each returns 0, -EIO, -ENOMEM or -ECANCELED; what is wrong goes to the sink. */
int cache_fsck_ring(struct fsck_cache *c, struct cache_err *err);
void cache_fsck_front_gap(struct fsck_cache *c);
int cache_fsck_extents(struct fsck_cache *c, struct cache_err *err);
void cache_fsck_buckets(struct fsck_cache *c);
/* @c: the cache of its set, or NULL; then @other_set: a cache of another was given */
void cache_fsck_backing(const struct fsck_backing *b, const struct fsck_cache *c,
			bool other_set, const struct cache_sink *sink);

#endif
