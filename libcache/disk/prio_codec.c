// SPDX-License-Identifier: GPL-2.0-only
/* Encoding one prio_set from the bucket table (format 2.1). */
#include "disk/prio_codec.h"

#include <string.h>

#include "base/checked.h"
#include "base/crc64.h"

void cache_prio_set_encode(const struct cache_sb *sb, const struct cache_buckets *t,
			   uint64_t index, uint64_t seq, uint64_t next, void *buf)
{
	struct cache_prio_set_disk *d = buf;
	uint32_t nbytes = cache_meta_bucket_bytes(sb);
	uint64_t per = cache_prios_per_bucket(sb), first = index * per;
	uint64_t n = cache_min_u64(per, t->nbuckets - first);

	memset(buf, 0, nbytes);
	d->magic = cache_le64_of(cache_sb_set_magic(sb) ^ CACHE_PSET_MAGIC);
	d->seq = cache_le64_of(seq);
	d->next_bucket = cache_le64_of(next);
	cache_buckets_pack(t, first, n, (char *)buf + CACHE_PRIO_SET_HEADER_BYTES);
	d->csum = cache_le64_of(cache_crc64((char *)buf + 8, nbytes - 8));
}
