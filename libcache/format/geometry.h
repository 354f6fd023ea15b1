/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What loops over millions of keys need of a superblock, computed once. It handles keys with
 * one pointer into this device, which are nearly all; other keys are handled by bkey.h.
 */
#ifndef LIBCACHE_GEOMETRY_H
#define LIBCACHE_GEOMETRY_H

#include "format/bkey.h"
#include "format/super.h"

struct cache_geometry {
	uint64_t first_bucket, nbuckets, bucket_mask;	/* buckets from the first one on */
	unsigned bucket_shift;
	unsigned dev, ndevs;		/* devices of pointers that resolve to this one */
};

static inline struct cache_geometry cache_geometry_of(const struct cache_sb *sb)
{
	struct cache_geometry g;

	g.first_bucket = sb->first_bucket;
	g.nbuckets = 0;
	g.bucket_mask = sb->bucket_sectors - 1;
	g.bucket_shift = sb->bucket_sectors ? __builtin_ctzll(sb->bucket_sectors) : 0;
	g.dev = sb->nr_this_dev;
	g.ndevs = 1;
	if (sb->nr_in_set == 1) {
		g.dev = 0;
		g.ndevs = CACHE_MAX_CACHES_PER_SET;
	}
	/* with a size that no driver accepts, or several devices, no key is plain */
	if (!sb->members && !(sb->bucket_sectors & (sb->bucket_sectors - 1)) &&
	    sb->nbuckets > sb->first_bucket)
		g.nbuckets = sb->nbuckets - sb->first_bucket;
	return g;
}

/*
 * Whether a key with these words has exactly one pointer, which resolves to this device, and
 * cache_extent_invalid() accepts its target; then @bucket is set. Without branches, as most keys
 * pass.
 */
static inline bool cache_geometry_is_plain(const struct cache_geometry *g, uint64_t high,
					   uint64_t ptr, uint64_t *bucket)
{
	uint64_t sector = cache_ptr_sector(ptr);

	*bucket = sector >> g->bucket_shift;
	return (cache_key_high_ptrs(high) == 1) & (cache_ptr_dev(ptr) - g->dev < g->ndevs) &
	       (*bucket - g->first_bucket < g->nbuckets) &
	       (cache_key_high_size(high) + (sector & g->bucket_mask) <= g->bucket_mask + 1);
}

#endif
