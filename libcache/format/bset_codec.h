/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_BSET_CODEC_H
#define LIBCACHE_BSET_CODEC_H

#include "format/super.h"

static inline uint64_t cache_bset_bytes(const struct cache_bset_disk *d)
{
	return CACHE_BSET_HEADER_BYTES + 8 * (uint64_t)cache_le32_get(d->keys);
}

/* Over cache_bset_bytes(), which the caller has checked; @ptr0 of the node's key. */
uint64_t cache_bset_csum(const struct cache_bset_disk *d, uint64_t ptr0);

/*
 * The gen of the pointer to @bucket of this device with which the checksum of @d is valid. All
 * 256 are tried, from @first upwards; -1: none is right. For a set that was written without a
 * seed (version 0) it is @first.
 */
int cache_bset_find_gen(const struct cache_bset_disk *d, const struct cache_sb *sb,
			uint64_t bucket, uint8_t first);

#endif
