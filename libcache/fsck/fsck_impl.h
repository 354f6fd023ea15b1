/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the passes of fsck. A pass only looks and reports. */
#ifndef LIBCACHE_FSCK_IMPL_H
#define LIBCACHE_FSCK_IMPL_H

#include <libcache/fsck.h>

#include "format/geometry.h"
#include "format/eras.h"
#include "fsck/fsck_shared.h"
#include "set/members.h"
#include "set/set.h"

/* A device at hand; cache_fsck_is_backing() tells whether it is a backing device. */
struct fsck_backing {
	struct cache_sb sb;
	uint64_t sectors;
	uint32_t logical_block_bytes;
	bool no_magic;		/* then its version has no meaning */
};

static inline bool cache_fsck_is_backing(const struct fsck_backing *b)
{
	return cache_sb_is_bdev(&b->sb) && !b->no_magic;
}

/* What the cache has for one slot of the uuid table. */
struct fsck_slot {
	uint64_t extents, cached_sectors, dirty_extents, dirty_sectors;
	uint64_t data_start, data_end;	/* sectors in which its extents must lie */
	uint64_t first, end;		/* sectors in which they lie, if there are any */
};

/* Findings that are reported later, or not at all. */
struct fsck_held {
	struct cache_finding *f;
	size_t n, capacity;
	bool full;		/* some findings are missing */
	bool failed;		/* there was not enough memory */
};

/* The report function of a cache_sink; @ctx is a struct fsck_held. */
void cache_fsck_hold(void *ctx, const struct cache_finding *f);
void cache_fsck_held_report(struct fsck_held *h, const struct cache_sink *sink);
void cache_fsck_held_fini(struct fsck_held *h);

struct fsck_cache {
	struct cache_set *set;
	const struct cache_sink *sink;
	struct cache_workers *workers;	/* may be NULL */
	uint32_t eras;			/* mask of the eras to check for; never 0 */
	bool timed;			/* fill the next one */
	struct cache_walk_times times;
	/* gap at the front of the journal, as after discards; code 0: none */
	struct cache_finding gap;
	struct fsck_slot *slots;	/* set->uuids.n of them */
	struct fsck_shared shared;
	uint64_t unaligned, members;
	struct cache_fsck_summary *sum;
	/* Backing devices at hand, of any set. */
	const struct fsck_backing *backing;
	unsigned nbacking;
	/* Extents that were checked while the set was loaded: findings and counts. */
	struct fsck_held held;
	bool seen;
	/* The slot of the previous extent, since most extents that follow have the same. */
	struct cache_geometry geometry;
	uint64_t reserved, block_mask;
	uint64_t inode;			/* UINT64_MAX: the fields below are not set */
	struct fsck_slot *slot;		/* NULL: the inode has no slot that can own data */
	bool wants_dirty;
};

/* All passes over a loaded set except those for backing devices. */
int cache_fsck_loaded(struct fsck_cache *c, const struct fsck_backing *backing,
		      unsigned nbacking, struct cache_err *err);

/*
 * Checks extents while a set is loaded, so that the tree is read once. After the load
 * cache_fsck_seen() tells whether the result is usable. @c: set, sink, sum, backing devices and
 * workers.
 */
struct cache_extent_visit cache_fsck_visit(struct fsck_cache *c);
void cache_fsck_seen(struct fsck_cache *c, const struct cache_extent_visit *visit);

/* Makes c->slots, with what is known of the backing devices of the set. 0 or -ENOMEM. */
int cache_fsck_init_slots(struct fsck_cache *c);

/* Where the time went, and how long the next start will take; after cache_fsck_loaded(). */
void cache_fsck_times_of(const struct fsck_cache *c, struct cache_fsck_times *t);

/* The range of a slot, as far as the slot gives it: one that was overwritten does not. */
void cache_fsck_bound_slot(struct fsck_slot *slot, const struct cache_uuid_entry *e);

/* Each returns 0, -EIO, -ENOMEM or -ECANCELED; findings go to the sink. */
int cache_fsck_ring(struct fsck_cache *c, struct cache_err *err);
void cache_fsck_front_gap(struct fsck_cache *c);
int cache_fsck_extents(struct fsck_cache *c, struct cache_err *err);
int cache_fsck_buckets(struct fsck_cache *c);
/* @c: the cache of its set, or NULL; @other_set: a cache of another set was given */
void cache_fsck_backing(const struct fsck_backing *b, const struct fsck_cache *c,
			bool other_set, const struct cache_sink *sink);

#endif
