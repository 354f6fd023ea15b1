/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random numbers whose state the caller owns: the same seed gives the same
 * numbers on every machine. Not for secrets.
 */
#ifndef LIBCACHE_RNG_H
#define LIBCACHE_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cache_rng {
	uint64_t s[4];
};

/* Any @seed is good, zero too. */
void cache_rng_init(struct cache_rng *rng, uint64_t seed);

/* 64 random bits (xoshiro256**, Blackman and Vigna). */
static inline uint64_t cache_rng_u64(struct cache_rng *rng)
{
	uint64_t *s = rng->s;
	uint64_t x = s[1] * 5;
	uint64_t result = ((x << 7) | (x >> 57)) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = (s[3] << 45) | (s[3] >> 19);
	return result;
}

/* The upper half of a product, for machines without 128-bit integers too. */
static inline uint64_t cache_mul_high(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	return (uint64_t)(((unsigned __int128)a * b) >> 64);
#else
	uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
	uint64_t mid = ah * bl + (al * bl >> 32);
	uint64_t low = al * bh + (uint32_t)mid;

	return ah * bh + (mid >> 32) + (low >> 32);
#endif
}

/* A number in [0, @n); @n must not be 0. The bias is below n / 2^64. */
static inline uint64_t cache_rng_below(struct cache_rng *rng, uint64_t n)
{
	return cache_mul_high(cache_rng_u64(rng), n);
}

#ifdef __cplusplus
}
#endif
#endif
