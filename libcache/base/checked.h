/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arithmetic on numbers that came from a disk: false when the result does not
 * fit, and then *@r must not be used.
 */
#ifndef LIBCACHE_CHECKED_H
#define LIBCACHE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool cache_add_ok(uint64_t a, uint64_t b, uint64_t *r)
{
	return !__builtin_add_overflow(a, b, r);
}

static inline bool cache_mul_ok(uint64_t a, uint64_t b, uint64_t *r)
{
	return !__builtin_mul_overflow(a, b, r);
}

/* [@start, @start + @len) lies inside [0, @end) */
static inline bool cache_range_ok(uint64_t start, uint64_t len, uint64_t end)
{
	return start <= end && len <= end - start;
}

static inline uint64_t cache_div_up(uint64_t a, uint64_t b)
{
	return a / b + !!(a % b);
}

static inline uint64_t cache_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t cache_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool cache_is_pow2(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* smallest power of two >= @v; @v in 1..2^63 */
static inline uint64_t cache_roundup_pow2(uint64_t v)
{
	return v <= 1 ? 1 : UINT64_C(1) << (64 - __builtin_clzll(v - 1));
}

#endif
