/* SPDX-License-Identifier: GPL-2.0-only */
/* Which blocks of the cache live extents cover, and which of them more than one (S14). */
#ifndef LIBCACHE_FSCK_SHARED_H
#define LIBCACHE_FSCK_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/super.h"

/*
 * One bit per block of 4 KiB, or of the set's if that is larger, and before it a list of 8
 * bytes per extent, in any order, that takes a quarter of that at most: when it is full, it
 * goes into the bits. So it is known only at the end that blocks are shared, not by which
 * extents: then ->again asks for all of them once more, and that time is answered.
 */
struct fsck_shared {
	unsigned shift;		/* sectors a block, as a shift */
	uint64_t nblocks;
	uint64_t *bits;		/* NULL: the list was not full yet */
	uint64_t *list;		/* block << 16 | blocks */
	size_t n, capacity;
	bool again;
	bool answers;		/* the second time */
};

void cache_fsck_shared_init(struct fsck_shared *s, const struct cache_sb *sb);
void cache_fsck_shared_fini(struct fsck_shared *s);

/*
 * One more extent. Only what it covers of blocks whole counts. @shared: sectors that those
 * before it cover too; the first time 0. 0 or -ENOMEM.
 */
int cache_fsck_shared_add(struct fsck_shared *s, uint64_t sector, uint64_t nsectors,
			  uint64_t *shared);

/* After the last extent: may set ->again, and then takes all of them once more. */
int cache_fsck_shared_end(struct fsck_shared *s);

#endif
