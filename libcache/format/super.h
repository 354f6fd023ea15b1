/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The superblock of a cache or backing device (format 1), decoded, and the
 * sizes that follow from it (format 0.2).
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

struct cache_dev;

#define CACHE_NBUCKETS_MIN		128u	/* what the superblock check says */
#define CACHE_NBUCKETS_QUEUE_MIN	513u	/* what the allocator's queues need */

struct cache_sb {
	uint64_t csum_stored, csum_computed;	/* computed over a bounded count of keys */
	uint64_t offset_sector;		/* where it says it lives */
	uint64_t version;
	uint8_t  magic[16];
	uint8_t  uuid[16], set_uuid[16];
	uint8_t  label[CACHE_SB_LABEL_BYTES + 1];	/* terminated here */
	uint64_t flags, seq;
	uint64_t feature_compat, feature_incompat, feature_ro_compat;
	uint64_t pad[5];
	uint64_t nbuckets;		/* cache devices; else 0 */
	uint64_t data_offset_sectors;	/* backing devices; else 0 */
	uint32_t block_sectors;
	uint64_t bucket_sectors;	/* features applied; 0 for an absurd exponent */
	uint16_t bucket_field;		/* the 16 bits as stored */
	uint16_t nr_in_set, nr_this_dev;
	uint32_t last_mount;		/* Unix time */
	uint16_t first_bucket;
	uint16_t njournal;		/* as stored; more than 256 breaks a rule */
	uint64_t journal_bucket[CACHE_SB_JOURNAL_BUCKETS];
};

static inline bool cache_sb_is_bdev(const struct cache_sb *sb)
{
	return sb->version == CACHE_SB_VERSION_BDEV ||
	       sb->version == CACHE_SB_VERSION_BDEV_WITH_OFFSET ||
	       sb->version == CACHE_SB_VERSION_BDEV_WITH_FEATURES;
}

static inline bool cache_sb_is_synced(const struct cache_sb *sb)
{
	return sb->flags & CACHE_SB_SYNC;
}

/* enum cache_replacement, or 3 to 7: undefined */
static inline unsigned cache_sb_replacement(const struct cache_sb *sb)
{
	return sb->flags >> CACHE_SB_REPLACEMENT_SHIFT & CACHE_SB_REPLACEMENT_MASK;
}

/* enum cache_mode, or 4 to 15: undefined */
static inline unsigned cache_sb_bdev_mode(const struct cache_sb *sb)
{
	return sb->flags & CACHE_BDEV_MODE_MASK;
}

static inline enum cache_bdev_state cache_sb_bdev_state(const struct cache_sb *sb)
{
	return (enum cache_bdev_state)(sb->flags >> CACHE_BDEV_STATE_SHIFT &
				       CACHE_BDEV_STATE_MASK);
}

/* first 8 bytes of the set uuid: part of every jset, bset and prio_set magic */
uint64_t cache_sb_set_magic(const struct cache_sb *sb);

/* "lru" "fifo" "random"; "writethrough" ...; "none" "clean" ...; or "undefined" */
const char *cache_replacement_name(unsigned replacement);
const char *cache_mode_name(unsigned mode);
const char *cache_bdev_state_name(unsigned state);

/*
 * Sizes that follow; only of a superblock that cache_sb_check() let pass
 * (format 0.2, 1.5, 2.1, 4).
 */
uint32_t cache_meta_bucket_bytes(const struct cache_sb *sb);
uint64_t cache_prios_per_bucket(const struct cache_sb *sb);
uint64_t cache_prio_buckets(const struct cache_sb *sb);	/* members of a chain */
uint32_t cache_nr_uuids(const struct cache_sb *sb);
uint32_t cache_btree_node_sectors(const struct cache_sb *sb);	/* of NEW nodes */
uint16_t cache_first_bucket_for(uint64_t bucket_sectors);
uint16_t cache_njournal_for(uint64_t nbuckets);

/* The ring as the driver makes it at the first start, in njournal and journal_bucket. */
void cache_sb_predict_ring(struct cache_sb *sb);

/* First bucket past superblock and journal: what is below is never allocated. */
static inline uint64_t cache_sb_reserved_buckets(const struct cache_sb *sb)
{
	return (uint64_t)sb->first_bucket + sb->njournal;
}

static inline uint64_t cache_bucket_sector(const struct cache_sb *sb, uint64_t bucket)
{
	return bucket * sb->bucket_sectors;
}

/**
 * cache_sb_decode() - bytes in, struct out; judges nothing
 * @buf: CACHE_SB_BYTES bytes
 */
void cache_sb_decode(const void *buf, struct cache_sb *sb);

/**
 * cache_sb_encode() - struct in, bytes out, checksum included
 * @buf: CACHE_SB_BYTES bytes, preset with what is to be kept of bytes that the
 *       structure does not cover
 *
 * cache: nbuckets; backing: data_offset_sectors for versions 4 and 6. The bucket
 * size is stored as the features say.
 */
void cache_sb_encode(const struct cache_sb *sb, void *buf);

/* The checksum as it should be, over at most 256 journal buckets. */
uint64_t cache_sb_csum(const void *buf);

/**
 * cache_sb_check() - every rule of format 1.6, in the driver's order, and ours
 * @dev_sectors:    size of the device; 0: not known, its rule is left out
 * @logical_block_bytes: of the device
 * @sink: as cache_found()
 *
 * Return: 0; without @sink the errno of the first broken rule.
 */
int cache_sb_check(const struct cache_sb *sb, uint64_t dev_sectors,
		   uint32_t logical_block_bytes, const struct cache_sink *sink,
		   struct cache_err *err);

/*
 * True when sizes are sane enough to look further, though a rule is broken: no
 * division by zero, nothing past the device, nr_this_dev is an index of jset fields.
 */
bool cache_sb_is_usable(const struct cache_sb *sb, uint64_t dev_sectors);

/**
 * cache_sb_read() - read and decode; judges nothing
 *
 * Return: 0; -ERANGE when the device is too small to hold one; -EIO.
 */
int cache_sb_read(struct cache_dev *dev, struct cache_sb *sb, struct cache_err *err);

extern const uint8_t cache_sb_magic[16];

#ifdef __cplusplus
}
#endif
#endif
