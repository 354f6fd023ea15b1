/* SPDX-License-Identifier: GPL-2.0-only */
/* Which blocks of the cache live extents cover, and which of them more than one (S14). */
#ifndef LIBCACHE_FSCK_SHARED_H
#define LIBCACHE_FSCK_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/super.h"

/*
 * One bit per block of 4 KiB, or of the set's if that is larger; or, as long as that takes
 * less, 8 bytes per extent in any order. From a list it is known only at its end that
 * blocks are shared, not by which extents: then ->again asks for all of them once more,
 * and what was answered before counts for nothing.
 */
struct fsck_shared {
	unsigned shift;		/* sectors a block, as a shift */
	uint64_t nblocks;
	uint64_t *bits;		/* NULL: the list */
	uint64_t *list;		/* block << 16 | blocks */
	size_t n, capacity;
	bool again;
};

void cache_fsck_shared_init(struct fsck_shared *s, const struct cache_sb *sb);
void cache_fsck_shared_fini(struct fsck_shared *s);

/*
 * One more extent. Only what it covers of blocks whole counts. @shared: sectors that others
 * cover too, as far as that is known. 0 or -ENOMEM.
 */
int cache_fsck_shared_add(struct fsck_shared *s, uint64_t sector, uint64_t nsectors,
			  uint64_t *shared);

/* One at @sector will come soon. */
static inline void cache_fsck_shared_fetch(const struct fsck_shared *s, uint64_t sector)
{
	if (s->bits)
		__builtin_prefetch(&s->bits[(sector >> s->shift) / 64], 1);
}

/* After the last extent: may set ->again, and then takes all of them once more. */
int cache_fsck_shared_end(struct fsck_shared *s);

#endif
