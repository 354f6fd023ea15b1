/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_PRIO_CODEC_H
#define LIBCACHE_PRIO_CODEC_H

#include "alloc/bucket.h"
#include "format/super.h"

/*
 * Encodes member @index of a chain: all cache_meta_bucket_bytes() of @buf are written, the
 * checksum last. @next is the bucket of the next member; any value for the last one.
 */
void cache_prio_set_encode(const struct cache_sb *sb, const struct cache_buckets *t,
			   uint64_t index, uint64_t seq, uint64_t next, void *buf);

#endif
