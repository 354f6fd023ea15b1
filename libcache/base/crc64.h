/* SPDX-License-Identifier: GPL-2.0-only */
/* bcache's checksum: CRC-64/WE, polynomial 0x42f0e1eba9ea3693 (format 0.3). */
#ifndef LIBCACHE_CRC64_H
#define LIBCACHE_CRC64_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Register starts at all ones; result inverted. Superblock, jset, prio_set. */
uint64_t cache_crc64(const void *data, size_t nbytes);

/* Register starts at @seed; result inverted. Bsets are seeded with ptr[0]. */
uint64_t cache_crc64_seeded(uint64_t seed, const void *data, size_t nbytes);

#ifdef __cplusplus
}
#endif
#endif
