/* SPDX-License-Identifier: GPL-2.0-only */
/* UUIDs as their 16 bytes on disk, and as people write them. */
#ifndef LIBCACHE_IDS_H
#define LIBCACHE_IDS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_UUID_BYTES	16
#define CACHE_UUID_TEXT_BYTES	37	/* with the final NUL */

/* A new random uuid; never all zero. */
void cache_uuid_generate(uint8_t uuid[CACHE_UUID_BYTES]);

/**
 * cache_uuid_parse() - 36 characters, either case
 *
 * Return: 0; -EINVAL, @uuid then left alone. All zeros parses: ask
 * cache_uuid_is_zero() where that has no meaning.
 */
int cache_uuid_parse(const char *text, uint8_t uuid[CACHE_UUID_BYTES]);

/* Lower case, terminated. Returns @text. */
const char *cache_uuid_format(const uint8_t uuid[CACHE_UUID_BYTES],
			      char text[CACHE_UUID_TEXT_BYTES]);

bool cache_uuid_is_zero(const uint8_t uuid[CACHE_UUID_BYTES]);

#ifdef __cplusplus
}
#endif
#endif
