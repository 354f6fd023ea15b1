/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of superblock.h that only the library needs: the sizes that follow from a superblock
 * (format 0.2), and its bytes.
 */
#ifndef LIBCACHE_SUPER_H
#define LIBCACHE_SUPER_H

#include <stdbool.h>
#include <stdint.h>

#include "format/ondisk.h"
#include "format/problem.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_NBUCKETS_MIN		128u	/* what the superblock check says */
#define CACHE_NBUCKETS_QUEUE_MIN	513u	/* what the allocator's queues need */

/* first 8 bytes of the set uuid: part of every jset, bset and prio_set magic */
uint64_t cache_sb_set_magic(const struct cache_sb *sb);

/*
 * Sizes that follow; only for a superblock that cache_sb_check() accepted (format 0.2, 1.5,
 * 2.1, 4).
 */
uint32_t cache_meta_bucket_bytes(const struct cache_sb *sb);
uint64_t cache_prios_per_bucket(const struct cache_sb *sb);
uint64_t cache_prio_buckets(const struct cache_sb *sb);	/* members of a chain */
uint32_t cache_nr_uuids(const struct cache_sb *sb);
uint32_t cache_btree_node_sectors(const struct cache_sb *sb);	/* of NEW nodes */
uint16_t cache_first_bucket_for(uint64_t bucket_sectors);
uint16_t cache_njournal_for(uint64_t nbuckets);

/* The ring that the driver creates at the first start, in njournal and journal_bucket. */
void cache_sb_predict_ring(struct cache_sb *sb);

/* First bucket after superblock and journal: buckets below it are never allocated. */
static inline uint64_t cache_sb_reserved_buckets(const struct cache_sb *sb)
{
	return (uint64_t)sb->first_bucket + sb->njournal;
}

static inline uint64_t cache_bucket_sector(const struct cache_sb *sb, uint64_t bucket)
{
	return bucket * sb->bucket_sectors;
}

/**
 * cache_sb_decode() - decode without any check
 * @buf: CACHE_SB_BYTES bytes
 */
void cache_sb_decode(const void *buf, struct cache_sb *sb);

/**
 * cache_sb_encode() - encode, including the checksum
 * @buf: CACHE_SB_BYTES bytes, preset with the bytes to keep that the structure does not cover
 *
 * cache: nbuckets; backing: data_offset_sectors for versions 4 and 6. The bucket
 * size is stored as the features say.
 */
void cache_sb_encode(const struct cache_sb *sb, void *buf);

/* The checksum that it should have, over at most 256 journal buckets. */
uint64_t cache_sb_csum(const void *buf);

extern const uint8_t cache_sb_magic[16];

/*
 * Whether two devices can be at hand together: 0; -ENOTUNIQ when both have the same UUID, so that
 * one is a copy of the other and nothing tells which of them is current. @name: of @b's device
 */
int cache_sb_check_clone(const struct cache_sb *a, const struct cache_sb *b, const char *name,
			 struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
