/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bcache's bytes on disk, with the kernel's field names (format 1 to 6).
 * These mirror the medium; decoded values live in super.h, bkey.h, journal.h.
 */
#ifndef LIBCACHE_ONDISK_H
#define LIBCACHE_ONDISK_H

#include <assert.h>

#include <libcache/superblock.h>

#include "base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_sb_disk {
	cache_le64	csum;		/* crc64 of bytes 8 .. 208 + 8 * keys */
	cache_le64	offset;		/* sector of this superblock: 8 */
	cache_le64	version;
	uint8_t		magic[16];
	uint8_t		uuid[16];
	uint8_t		set_uuid[16];	/* its first 8 bytes are the set magic */
	uint8_t		label[CACHE_SB_LABEL_BYTES];	/* not always terminated */
	cache_le64	flags;
	cache_le64	seq;
	cache_le64	feature_compat;
	cache_le64	feature_incompat;
	cache_le64	feature_ro_compat;
	cache_le64	pad[5];
	union {
		cache_le64 nbuckets;	/* cache */
		cache_le64 data_offset;	/* backing, sectors; versions 4 and 6 */
	};
	cache_le16	block_size;	/* sectors */
	cache_le16	bucket_size;	/* sectors, a low half, or an exponent */
	cache_le16	nr_in_set;
	cache_le16	nr_this_dev;
	cache_le32	last_mount;	/* Unix time */
	cache_le16	first_bucket;
	cache_le16	keys;		/* valid entries of d[] */
	cache_le64	d[CACHE_SB_JOURNAL_BUCKETS];	/* journal buckets */
	cache_le16	obso_bucket_size_hi;	/* outside the checksum */
	uint8_t		tail[6];	/* what a C compiler pads to; written as zero */
};
static_assert(sizeof(struct cache_sb_disk) == 0x8d8, "superblock");
static_assert(offsetof(struct cache_sb_disk, nbuckets) == 0xb8, "nbuckets");
static_assert(offsetof(struct cache_sb_disk, d) == 0xd0, "journal buckets");
static_assert(offsetof(struct cache_sb_disk, obso_bucket_size_hi) == 0x8d0, "hi");

/* magic = set magic ^ constant (format 0.4) */
#define CACHE_JSET_MAGIC	UINT64_C(0x245235c1a3625032)
#define CACHE_PSET_MAGIC	UINT64_C(0x6750e15f87337f91)
#define CACHE_BSET_MAGIC	UINT64_C(0x90135c78b99e07f5)

/* One prio/gen pair; the medium packs them at three bytes each (format 2.1). */
struct cache_bucket_disk {
	cache_le16	prio;
	uint8_t		gen;
} __attribute__((packed));
static_assert(sizeof(struct cache_bucket_disk) == 3, "3 bytes per bucket");

/* Start of every prio bucket; the newest jset names the head of the chain. */
struct cache_prio_set_disk {
	cache_le64	csum;		/* crc64 of the rest of the area */
	cache_le64	magic;
	cache_le64	seq;
	cache_le32	version;
	cache_le32	pad;
	cache_le64	next_bucket;	/* a bucket, not a sector; the last one's is undefined */
};
#define CACHE_PRIO_SET_HEADER_BYTES	40
static_assert(sizeof(struct cache_prio_set_disk) == CACHE_PRIO_SET_HEADER_BYTES,
	       "prio_set header");

/* 2 + KEY_PTRS words on disk (format 5.1) */
#define CACHE_BKEY_WORDS_MIN	2
#define CACHE_BKEY_WORDS_MAX	9
#define CACHE_BKEY_PADDED_WORDS	8

#define CACHE_JSET_VERSION	1
#define CACHE_JSET_MAX_BYTES	(CACHE_PAGE_BYTES << 3)

struct cache_jset_disk {			/* format 3.2 */
	cache_le64	csum;		/* crc64 of bytes 8 .. 240 + 8 * keys */
	cache_le64	magic;
	cache_le64	seq;
	cache_le32	version;
	cache_le32	keys;		/* u64s, not keys */
	cache_le64	last_seq;	/* oldest entry needed beside this one */
	cache_le64	uuid_bucket[CACHE_BKEY_PADDED_WORDS];
	cache_le64	btree_root[CACHE_BKEY_PADDED_WORDS];
	cache_le16	btree_level;
	cache_le16	pad[3];		/* never cleared by the driver */
	cache_le64	prio_bucket[CACHE_MAX_CACHES_PER_SET];
};
#define CACHE_JSET_HEADER_BYTES	240
static_assert(sizeof(struct cache_jset_disk) == CACHE_JSET_HEADER_BYTES, "jset header");

#define CACHE_BSET_VERSION	1		/* checksum seeded with ptr[0] */

struct cache_bset_disk {			/* format 6.2 */
	cache_le64	csum;		/* crc64 of bytes 8 .. 32 + 8 * keys */
	cache_le64	magic;
	cache_le64	seq;
	cache_le32	version;
	cache_le32	keys;		/* u64s */
};
#define CACHE_BSET_HEADER_BYTES	32
static_assert(sizeof(struct cache_bset_disk) == CACHE_BSET_HEADER_BYTES, "bset header");

#define CACHE_UUID_FLASH_ONLY	1u
#define CACHE_UUID_RESERVED_BYTES	56

struct cache_uuid_disk {			/* format 4.1 */
	uint8_t		uuid[16];
	uint8_t		label[CACHE_SB_LABEL_BYTES];
	cache_le32	first_reg;	/* Unix times */
	cache_le32	last_reg;
	cache_le32	invalidated;
	cache_le32	flags;
	cache_le64	sectors;	/* flash volumes: size */
	uint8_t		pad[CACHE_UUID_RESERVED_BYTES];
};
static_assert(sizeof(struct cache_uuid_disk) == 128, "uuid entry");

struct cache_uuid_v0_disk {			/* format 4.2, jset version 0 */
	uint8_t		uuid[16];
	uint8_t		label[CACHE_SB_LABEL_BYTES];
	cache_le32	first_reg;
	cache_le32	last_reg;
	cache_le32	invalidated;
	cache_le32	pad;
};
static_assert(sizeof(struct cache_uuid_v0_disk) == 64, "old uuid entry");

#ifdef __cplusplus
}
#endif
#endif
