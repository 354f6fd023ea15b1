/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Integers as stored on disk, and the units used everywhere.
 *
 * A little-endian value is a struct type of its own, so a forgotten conversion does not
 * compile. A sector is always 512 bytes, whatever the hardware reports.
 */
#ifndef LIBCACHE_TYPES_H
#define LIBCACHE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include <libcache/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_SECTOR_SHIFT	9
/* No block device is larger: its size in bytes is a signed 64-bit number. */
#define CACHE_DEV_SECTORS_MAX	(INT64_MAX >> CACHE_SECTOR_SHIFT)
/* The kernel derives sizes from its page size, which is not stored on disk. */
#define CACHE_PAGE_BYTES	4096u
#define CACHE_PAGE_SECTORS	(CACHE_PAGE_BYTES / CACHE_SECTOR_BYTES)

typedef struct { uint16_t raw; } cache_le16;	/* read with cache_le16_get() */
typedef struct { uint32_t raw; } cache_le32;
typedef struct { uint64_t raw; } cache_le64;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CACHE_LE_SWAP(bits, v)	(v)
#else
#define CACHE_LE_SWAP(bits, v)	__builtin_bswap##bits(v)
#endif

static inline uint16_t cache_le16_get(cache_le16 v)
{
	return CACHE_LE_SWAP(16, v.raw);
}

static inline uint32_t cache_le32_get(cache_le32 v)
{
	return CACHE_LE_SWAP(32, v.raw);
}

static inline uint64_t cache_le64_get(cache_le64 v)
{
	return CACHE_LE_SWAP(64, v.raw);
}

static inline cache_le16 cache_le16_of(uint16_t v)
{
	cache_le16 le = { CACHE_LE_SWAP(16, v) };

	return le;
}

static inline cache_le32 cache_le32_of(uint32_t v)
{
	cache_le32 le = { CACHE_LE_SWAP(32, v) };

	return le;
}

static inline cache_le64 cache_le64_of(uint64_t v)
{
	cache_le64 le = { CACHE_LE_SWAP(64, v) };

	return le;
}

#ifdef __cplusplus
}
#endif
#endif
