/* SPDX-License-Identifier: GPL-2.0-only */
/* The bytes of a header backup; all integers little-endian. */
#ifndef LIBCACHE_BACKUP_DISK_H
#define LIBCACHE_BACKUP_DISK_H

#include <assert.h>

#include <libcache/backup.h>

#include "format/ondisk.h"
#include "format/super.h"

#define CACHE_BACKUP_MAGIC	"cache-tools head"	/* 16 bytes, no NUL */
#define CACHE_BACKUP_VERSION	1

struct cache_backup_disk {
	cache_le64 csum;	/* crc64 of all bytes that follow */
	uint8_t	   magic[16];
	cache_le32 version;
	cache_le32 pad;
	cache_le64 dev_sectors;
	cache_le64 saved_at;	/* Unix time */
	/* name of the device at that time, terminated */
	char	   device[CACHE_BACKUP_NAME_BYTES];
	uint8_t	   super[CACHE_SB_BYTES];
};
static_assert(sizeof(struct cache_backup_disk) == 512 + CACHE_SB_BYTES, "header backup");

#endif
