/* SPDX-License-Identifier: GPL-2.0-only */
/* bcache's checksum: CRC-64/WE, polynomial 0x42f0e1eba9ea3693 (format 0.3). */
#ifndef LIBCACHE_CRC64_H
#define LIBCACHE_CRC64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Register starts at all ones; result inverted. Superblock, jset, prio_set. */
uint64_t cache_crc64(const void *data, size_t nbytes);

/* Register starts at @seed; result inverted. Bsets are seeded with ptr[0]. */
uint64_t cache_crc64_seeded(uint64_t seed, const void *data, size_t nbytes);

/*
 * The same as cache_crc64_seeded(), a byte at a time with a table: as the driver does it, to tell
 * how long that takes.
 */
uint64_t cache_crc64_bytewise(uint64_t seed, const void *data, size_t nbytes);

/*
 * Finds the single byte of @nbytes, and the bits in it, whose change alters the checksum by
 * @syndrome: a checksum is linear, so the place follows from the difference alone, in one pass.
 * Other damage gives a byte by accident with a probability of about 2^-44 per MiB. Return:
 * false if there is none.
 */
bool cache_crc64_locate(uint64_t syndrome, size_t nbytes, size_t *at, uint8_t *flip);

/* How far the last change was shifted, and by what the next one may be; zero at first. */
struct cache_crc64_shift {
	uint64_t polynomial, nbytes, factor, step, step_factor;
};

/*
 * What the bits @flip, of a few bytes, change in the checksum of what has @nbytes more behind
 * them; @nbytes grows from call to call. Takes as long for equal steps however large they are.
 */
uint64_t cache_crc64_shifted(struct cache_crc64_shift *shift, const void *flip, size_t nflip,
			     uint64_t nbytes);

#ifdef __cplusplus
}
#endif
#endif
