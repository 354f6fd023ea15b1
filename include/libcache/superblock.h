/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The superblock of a cache or backing device, decoded (doc/format.md 1). Integers are the
 * machine's; sizes are in sectors of 512 bytes.
 *
 * Threads: functions of a superblock may be called at the same time; cache_sb_read() uses
 * its device.
 */
#ifndef LIBCACHE_SUPERBLOCK_H
#define LIBCACHE_SUPERBLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <libcache/findings.h>

CACHE_DECLS_BEGIN

struct cache_dev;
struct cache_members;

/* There is only one copy, and the driver transfers 4 KiB there (format 1). */
#define CACHE_SB_SECTOR			8u
#define CACHE_SB_BYTES			4096
#define CACHE_SB_LABEL_BYTES		32
#define CACHE_SB_JOURNAL_BUCKETS	256
#define CACHE_MAX_CACHES_PER_SET	8
#define CACHE_BDEV_DATA_START_SECTORS	16

enum cache_sb_version {				/* format 1.2 */
	CACHE_SB_VERSION_CDEV			= 0,
	CACHE_SB_VERSION_BDEV			= 1,
	CACHE_SB_VERSION_CDEV_WITH_UUID		= 3,
	CACHE_SB_VERSION_BDEV_WITH_OFFSET	= 4,
	CACHE_SB_VERSION_CDEV_WITH_FEATURES	= 5,
	CACHE_SB_VERSION_BDEV_WITH_FEATURES	= 6,
};

enum cache_feature_incompat {			/* format 1.3 */
	CACHE_FEATURE_INCOMPAT_OBSO_LARGE_BUCKET	= 0x1,
	CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET		= 0x2,
};

/* flags of a cache device (format 1.4) */
#define CACHE_SB_SYNC			(UINT64_C(1) << 0)
#define CACHE_SB_DISCARD		(UINT64_C(1) << 1)
#define CACHE_SB_REPLACEMENT_SHIFT	2
#define CACHE_SB_REPLACEMENT_MASK	7u
/* flags of a backing device */
#define CACHE_BDEV_MODE_MASK		15u
#define CACHE_BDEV_STATE_SHIFT		61
#define CACHE_BDEV_STATE_MASK		3u

enum cache_replacement { CACHE_LRU, CACHE_FIFO, CACHE_RANDOM };
enum cache_mode {
	CACHE_MODE_WRITETHROUGH, CACHE_MODE_WRITEBACK,
	CACHE_MODE_WRITEAROUND, CACHE_MODE_NONE,
};
enum cache_bdev_state {
	CACHE_BDEV_STATE_NONE, CACHE_BDEV_STATE_CLEAN,
	CACHE_BDEV_STATE_DIRTY, CACHE_BDEV_STATE_STALE,
};

struct cache_sb {
	uint64_t csum_stored, csum_computed;	/* computed over a limited number of keys */
	uint64_t offset_sector;		/* the sector that it says it is at */
	uint64_t version;
	uint8_t  magic[16];
	uint8_t  uuid[16], set_uuid[16];
	uint8_t  label[CACHE_SB_LABEL_BYTES + 1];	/* with a terminating NUL */
	uint64_t flags, seq;
	uint64_t feature_compat, feature_incompat, feature_ro_compat;
	uint64_t pad[5];
	uint64_t nbuckets;		/* cache devices; else 0 */
	uint64_t data_offset_sectors;	/* backing devices; else 0 */
	uint32_t block_sectors;
	/* with the features applied; 0 for an impossible exponent */
	uint64_t bucket_sectors;
	uint16_t bucket_field;		/* the 16 bits as stored */
	uint16_t nr_in_set, nr_this_dev;
	uint32_t last_mount;		/* Unix time */
	uint16_t first_bucket;
	uint16_t njournal;		/* as stored; more than 256 breaks a rule */
	uint64_t journal_bucket[CACHE_SB_JOURNAL_BUCKETS];
	/* Stands for several cache devices of one set; NULL: for the one it was read from. */
	const struct cache_members *members;
	uint64_t reserved[7];
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

/* "lru" "fifo" "random"; "writethrough" ...; "none" "clean" ...; or "undefined" */
const char *cache_replacement_name(unsigned replacement);
const char *cache_mode_name(unsigned mode);
const char *cache_bdev_state_name(unsigned state);

/**
 * cache_sb_read() - read and decode, without any check
 *
 * Return: 0; -ERANGE when the device is too small to hold one; -EIO.
 */
int cache_sb_read(struct cache_dev *dev, struct cache_sb *sb, struct cache_err *err);

/* Whether it has bcache's magic. Without it there is no superblock, and no field has a meaning. */
bool cache_sb_has_magic(const struct cache_sb *sb);

/**
 * cache_sb_check() - check every rule of format 1.6, in the driver's order, and our own
 * @dev_sectors:    size of the device; 0: not known, its rule is left out
 * @logical_block_bytes: of the device
 * @sink: receives every broken rule; NULL: the first is the error
 *
 * Return: 0; without @sink the errno of the first broken rule.
 */
int cache_sb_check(const struct cache_sb *sb, uint64_t dev_sectors,
		   uint32_t logical_block_bytes, const struct cache_sink *sink,
		   struct cache_err *err);

/*
 * True when the sizes are usable although a rule is broken: no division by zero, nothing past
 * the device, nr_this_dev is an index of jset fields.
 */
bool cache_sb_is_usable(const struct cache_sb *sb, uint64_t dev_sectors);

CACHE_DECLS_END
#endif
