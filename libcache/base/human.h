/* SPDX-License-Identifier: GPL-2.0-only */
/* Amounts as people write and read them; every unit is base 1024. */
#ifndef LIBCACHE_HUMAN_H
#define LIBCACHE_HUMAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_HUMAN_BYTES	24	/* large enough for any text below */

/**
 * cache_bytes_parse() - read a size such as "512k", "8MiB", "1.5g" or "16s"
 * @text:  digits, optionally a fraction, then k m g t p in either case with an
 *	   optional iB, or s for sectors of 512 bytes; alone they are bytes
 * @bytes: set on success only
 *
 * A fraction needs a suffix and must come out as whole bytes.
 *
 * Return: 0; -EINVAL when anything is left over or missing; -ERANGE past 64 bits.
 */
int cache_bytes_parse(const char *text, uint64_t *bytes);

/* A plain number, decimal or 0x hex, nothing left over: 0, -EINVAL or -ERANGE. */
int cache_number_parse(const char *text, uint64_t *number);

/* "8.0 KiB", "1.5 GiB", "512 B"; cut, never rounded up. Return: @buf. */
char *cache_bytes_show(char buf[CACHE_HUMAN_BYTES], uint64_t bytes);

/* "1.3 us", "2.50 s", "3:07", "2:10:00". Return: @buf. */
char *cache_ns_show(char buf[CACHE_HUMAN_BYTES], uint64_t ns);

#ifdef __cplusplus
}
#endif
#endif
