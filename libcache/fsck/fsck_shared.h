/* SPDX-License-Identifier: GPL-2.0-only */
/* Which blocks of the cache are covered by live extents, and which by more than one (S14). */
#ifndef LIBCACHE_FSCK_SHARED_H
#define LIBCACHE_FSCK_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/workers.h"
#include "format/super.h"

/*
 * One bit per block of 4 KiB, or of the set's block size if that is larger. Before that a list
 * of 8 bytes per extent, in any order, which takes at most a quarter of the bit map's memory;
 * when it is full, it is put into the bit map. So only at the end it is known that blocks are
 * shared, but not by which extents: then ->again asks for all extents once more, and the second
 * time tells which.
 */
#define FSCK_SHARED_LEN_BITS	16u	/* of an entry of the list: bits for the number of blocks */

struct fsck_shared {
	unsigned shift;		/* sectors per block, as a shift */
	uint64_t nblocks;
	uint64_t *bits;		/* NULL: the list has not been full yet */
	uint64_t *list;		/* block << 16 | blocks */
	size_t n, capacity, limit;	/* @limit: the list is put into the bits then */
	bool again;
	bool answers;		/* this is the second time */
	/* A list that is being put into the bits while the next one is filled. */
	struct cache_workers *workers;
	struct cache_job job;
	struct fsck_shared_full {
		uint64_t *list;
		size_t n, capacity;
		bool again;
	} full;
};

/* @workers: may be NULL; @s must then stay where it is. */
void cache_fsck_shared_init(struct fsck_shared *s, const struct cache_sb *sb,
			    struct cache_workers *workers);
void cache_fsck_shared_fini(struct fsck_shared *s);

/*
 * Adds one extent. Only blocks that it covers completely count. @shared: sectors that earlier
 * extents cover too; the first time 0. 0 or -ENOMEM.
 */
int cache_fsck_shared_add(struct fsck_shared *s, uint64_t sector, uint64_t nsectors,
			  uint64_t *shared);

/*
 * The same for many, the first time only: makes space in the list for @n of them, each of which
 * is then given to cache_fsck_shared_put(). 0 or -ENOMEM.
 */
int cache_fsck_shared_reserve(struct fsck_shared *s, size_t n);

static inline void cache_fsck_shared_put(struct fsck_shared *s, uint64_t sector, uint64_t nsectors)
{
	uint64_t first = (sector + (UINT64_C(1) << s->shift) - 1) >> s->shift;
	uint64_t end = (sector + nsectors) >> s->shift;

	end = end < s->nblocks ? end : s->nblocks;
	s->list[s->n] = first << FSCK_SHARED_LEN_BITS | (end - first);
	s->n += first < end;
}

/*
 * Call it after the last extent: it may set ->again, and then expects all extents once more. Of
 * @sink, which may be NULL, the progress alone is called.
 */
int cache_fsck_shared_end(struct fsck_shared *s, const struct cache_sink *sink);

#endif
