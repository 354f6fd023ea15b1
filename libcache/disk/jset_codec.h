/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JSET_CODEC_H
#define LIBCACHE_JSET_CODEC_H

#include "disk/journal.h"

/* One read of the ring; an entry that does not fit is read again from its start. */
#define CACHE_JSET_WINDOW_BYTES	(8 * CACHE_JSET_MAX_BYTES)

/* At most 32 GiB: nothing overflows, but bound it before reading that far. */
static inline uint64_t cache_jset_bytes(const struct cache_jset_disk *d)
{
	return CACHE_JSET_HEADER_BYTES + 8 * (uint64_t)cache_le32_get(d->keys);
}

/* Over cache_jset_bytes(), which the caller has bounded. */
uint64_t cache_jset_csum(const struct cache_jset_disk *d);

/*
 * All but pos.index and pos.offset_sectors. False when a pointer of the header
 * has more words than its field: both are decoded all the same, cut short.
 */
bool cache_jset_decode(const struct cache_jset_disk *d, struct cache_jset *jset);

/*
 * Header and keys into @buf, which has room for them and is zero; @magic is the
 * set's. A version above 65534 cannot be kept and is not written.
 */
void cache_jset_encode(const struct cache_jset *jset, uint64_t magic,
		       const cache_le64 *words, void *buf);

#endif
