/* SPDX-License-Identifier: GPL-2.0-only */
/* Bit maps, most often one bit per bucket. The caller checks the index. */
#ifndef LIBCACHE_BITS_H
#define LIBCACHE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Bytes of a map of @n bits. */
static inline uint64_t cache_bits_bytes(uint64_t n)
{
	return (n / 64 + 1) * sizeof(uint64_t);
}

/* A map of @n zero bits, freed with free(); NULL without memory. */
static inline uint64_t *cache_bits_new(uint64_t n)
{
	return calloc(n / 64 + 1, sizeof(uint64_t));
}

static inline bool cache_bit(const uint64_t *map, uint64_t i)
{
	return map[i / 64] >> (i & 63) & 1;
}

static inline void cache_bit_set(uint64_t *map, uint64_t i)
{
	map[i / 64] |= UINT64_C(1) << (i & 63);
}

static inline void cache_bit_clear(uint64_t *map, uint64_t i)
{
	map[i / 64] &= ~(UINT64_C(1) << (i & 63));
}

/* Sets the bit. Return: whether it was set before. */
static inline bool cache_bit_test_and_set(uint64_t *map, uint64_t i)
{
	bool was = cache_bit(map, i);

	cache_bit_set(map, i);
	return was;
}

#endif
