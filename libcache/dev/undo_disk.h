/* SPDX-License-Identifier: GPL-2.0-only */
/* The bytes of an undo file; all integers little-endian. */
#ifndef LIBCACHE_UNDO_DISK_H
#define LIBCACHE_UNDO_DISK_H

#include <assert.h>

#include "base/types.h"

#define CACHE_UNDO_MAGIC	"cache-tools undo"	/* 16 bytes, no NUL */
#define CACHE_UNDO_VERSION	1
#define CACHE_UNDO_RECORD_MAGIC	UINT64_C(0x64726f6365526f64)	/* "doRecord" */
#define CACHE_UNDO_RECORD_SECTORS_MAX	2048u

struct cache_undo_head_disk {
	cache_le64 csum;	/* crc64 of what follows */
	uint8_t	   magic[16];
	cache_le32 version;
	cache_le32 pad;
	cache_le64 dev_sectors;
	char	   device[472];	/* its name, terminated */
};
static_assert(sizeof(struct cache_undo_head_disk) == 512, "undo header");

/* Then a cache_le64 checksum of each new sector follows, then the old data. */
struct cache_undo_record_disk {
	cache_le64 csum;	/* crc64 of what follows in this struct */
	cache_le64 magic;
	cache_le64 sector;
	cache_le64 nsectors;	/* 1 .. CACHE_UNDO_RECORD_SECTORS_MAX */
	cache_le64 old_csum;	/* crc64 of the data here */
	cache_le64 new_csum;	/* of the checksums of what was about to be written */
};
static_assert(sizeof(struct cache_undo_record_disk) == 48, "undo record");

#endif
