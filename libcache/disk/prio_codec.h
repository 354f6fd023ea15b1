/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_PRIO_CODEC_H
#define LIBCACHE_PRIO_CODEC_H

#include "alloc/bucket.h"
#include "format/super.h"

/*
 * Member @index of a chain: @buf has cache_meta_bucket_bytes(), all written, the
 * checksum last. @next is the next member's bucket; of the last one anything.
 */
void cache_prio_set_encode(const struct cache_sb *sb, const struct cache_buckets *t,
			   uint64_t index, uint64_t seq, uint64_t next, void *buf);

#endif
