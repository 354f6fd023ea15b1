/* SPDX-License-Identifier: GPL-2.0-only */
/* What keys say of each sector, one key after the other: the plain way, to compare with. */
#ifndef TESTS_LIB_SECTOR_MAP_H
#define TESTS_LIB_SECTOR_MAP_H

#include "format/bkey.h"

#define SPACE	256

/* Which sector of the cache a sector of the device lies at; 0: nowhere. */
struct map {
	uint64_t at[3][SPACE];
};

static inline void apply(struct map *m, const struct cache_bkey *k)
{
	for (uint64_t s = cache_key_start(k); s < k->low; s++)
		m->at[cache_key_inode(k)][s] = cache_key_ptrs(k) ?
			cache_ptr_sector(k->ptr[0]) + s - cache_key_start(k) : 0;
}

#endif
