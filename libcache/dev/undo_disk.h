/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of an undo file; all integers little-endian.
 *
 *	byte 0		the header
 *	byte 4096	count of an even number of records	} written in turn, before the
 *	byte 8192	count of an odd number of records	} device is
 *	byte 12288	records, one behind the other, then a closing record
 *
 * Each record names the checksum of the one before it, the first one that of the header.
 */
#ifndef LIBCACHE_UNDO_DISK_H
#define LIBCACHE_UNDO_DISK_H

#include <assert.h>

#include "base/types.h"

#define CACHE_UNDO_MAGIC	"cache-tools undo"	/* 16 bytes, no NUL */
#define CACHE_UNDO_VERSION	2
#define CACHE_UNDO_RECORD_MAGIC	UINT64_C(0x64726f6365526f64)	/* "doRecord" */
#define CACHE_UNDO_COUNT_MAGIC	UINT64_C(0x20746e756f436f64)	/* "doCount " */
#define CACHE_UNDO_END_MAGIC	UINT64_C(0x2020646e456f646e)	/* "ndoEnd  " */
#define CACHE_UNDO_COUNT_AT	4096u
#define CACHE_UNDO_RECORDS_AT	12288u
#define CACHE_UNDO_RECORD_SECTORS_MAX	2048u

struct cache_undo_head_disk {
	cache_le64 csum;	/* crc64 of what follows */
	uint8_t	   magic[16];
	cache_le32 version;
	cache_le32 pad;
	cache_le64 dev_sectors;
	/* random: records of other files are not valid in this one */
	uint8_t	   run_uuid[16];
	uint8_t	   dev_uuid[16];	/* uuid of its superblock before; zero: it had none */
	cache_le64 made;	/* seconds since 1970 */
	char	   program[48];	/* name of the program that writes, terminated */
	char	   device[384];	/* its name, terminated */
};
static_assert(sizeof(struct cache_undo_head_disk) == 512, "undo header");

/* Then a cache_le64 checksum of each new sector follows, then the old data. */
struct cache_undo_record_disk {
	cache_le64 csum;	/* crc64 of what follows in this struct */
	cache_le64 magic;
	cache_le64 before;	/* csum of the record before */
	cache_le64 index;	/* from 0 */
	cache_le64 sector;
	cache_le64 nsectors;	/* 1 .. CACHE_UNDO_RECORD_SECTORS_MAX */
	cache_le64 old_csum;	/* crc64 of the data here */
	cache_le64 new_csum;	/* of the checksums of what was about to be written */
};
static_assert(sizeof(struct cache_undo_record_disk) == 64, "undo record");

/* The number of records, and the header of the last one. */
struct cache_undo_count_disk {
	cache_le64 csum;	/* crc64 of what follows */
	cache_le64 magic;
	cache_le64 nrecords;
	struct cache_undo_record_disk last;	/* all zero if there is none */
};
static_assert(sizeof(struct cache_undo_count_disk) == 88, "undo count");

/* Ends the file of a writer that finished. */
struct cache_undo_end_disk {
	cache_le64 csum;	/* crc64 of what follows */
	cache_le64 magic;
	cache_le64 before;	/* csum of the last record */
	cache_le64 nrecords;
};
static_assert(sizeof(struct cache_undo_end_disk) == 32, "undo closing record");

#endif
