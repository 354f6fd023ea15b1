/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JSET_CODEC_H
#define LIBCACHE_JSET_CODEC_H

#include "disk/journal.h"

/* Size of one read of the ring; an entry that goes past it is read again from its start. */
#define CACHE_JSET_WINDOW_BYTES	(8 * CACHE_JSET_MAX_BYTES)

/* At most 32 GiB, so nothing overflows, but check it before that much is read. */
static inline uint64_t cache_jset_bytes(const struct cache_jset_disk *d)
{
	return CACHE_JSET_HEADER_BYTES + 8 * (uint64_t)cache_le32_get(d->keys);
}

/* The checksum over cache_jset_bytes(), which the caller has checked. */
uint64_t cache_jset_csum(const struct cache_jset_disk *d);

/*
 * Decodes all but pos.index and pos.offset_sectors. False when a pointer of the header has more
 * words than its field; both are decoded anyway, truncated.
 */
bool cache_jset_decode(const struct cache_jset_disk *d, struct cache_jset *jset);

/*
 * Encodes header and keys into @buf, which is large enough and zero; @magic is that of the set.
 * A version above 65534 cannot be represented and is not written.
 */
void cache_jset_encode(const struct cache_jset *jset, uint64_t magic,
		       const cache_le64 *words, void *buf);

#endif
