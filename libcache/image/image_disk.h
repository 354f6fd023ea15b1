/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image file, all of it zstd frames or skippable ones, which zstd(1) passes over:
 *
 *	skippable	cache_image_header_disk
 *	zstd frame ...	one saved stretch each, at most CACHE_IMAGE_FRAME_BYTES of content
 *	skippable	cache_image_entry_disk for each stretch, by sector; cache_image_tail_disk
 *	skippable	the seek table of zstd's seekable format, without checksums
 *
 * Nothing is written twice, so an image can be written to a pipe.
 */
#ifndef LIBCACHE_IMAGE_DISK_H
#define LIBCACHE_IMAGE_DISK_H

#include <assert.h>

#include "base/types.h"

#define CACHE_IMAGE_VERSION	1u
#define CACHE_IMAGE_FRAME_BYTES	(1u << 20)
#define CACHE_IMAGE_ENTRIES_MAX	(1u << 27)	/* what a seek table can have */

#define CACHE_IMAGE_SKIP_MAGIC	UINT32_C(0x184d2a5c)	/* our skippable frames */
#define CACHE_IMAGE_SEEK_MAGIC	UINT32_C(0x184d2a5e)	/* the seekable format's */
#define CACHE_IMAGE_FOOT_MAGIC	UINT32_C(0x8f92eab1)

static const char cache_image_magic[16] = { "cachetools-image" };
static const char cache_image_tail_magic[8] = { "imagetab" };

struct cache_image_skip_disk {		/* head of a skippable frame */
	cache_le32 magic;
	cache_le32 nbytes;
};
static_assert(sizeof(struct cache_image_skip_disk) == 8, "skippable frame");

#define CACHE_IMAGE_SCRAMBLED	1u

struct cache_image_header_disk {
	struct cache_image_skip_disk skip;
	char	   magic[16];
	cache_le32 version;
	cache_le32 flags;
	cache_le64 sectors;		/* of the device */
	cache_le32 logical_block_bytes;	/* of the device */
	cache_le32 pad;
	cache_le64 csum;		/* crc64 of what is before it */
};
static_assert(sizeof(struct cache_image_header_disk) == 56, "header");

struct cache_image_entry_disk {
	cache_le64 sector;
	cache_le32 nsectors;
	cache_le32 frame_bytes;		/* 0: it could not be read; no frame */
};
static_assert(sizeof(struct cache_image_entry_disk) == 16, "entry");

struct cache_image_tail_disk {
	cache_le64 nentries;
	cache_le64 csum;		/* crc64 of the entries */
	char	   magic[8];
};
static_assert(sizeof(struct cache_image_tail_disk) == 24, "tail");

struct cache_image_seek_disk {		/* an entry of the seek table */
	cache_le32 frame_bytes, content_bytes;
};

struct cache_image_foot_disk {		/* the last bytes of the file */
	cache_le32 nframes;
	uint8_t	   descriptor;		/* 0: no checksums */
	cache_le32 magic;
} __attribute__((packed));
static_assert(sizeof(struct cache_image_foot_disk) == 9, "seek table footer");

#endif
