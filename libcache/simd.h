/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Passes over the bucket table that have vector versions. The plain one is the
 * truth; the others give the same results, bit for bit, and tests compare them.
 */
#ifndef CACHE_SIMD_H
#define CACHE_SIMD_H

#include "libcache/alloc.h"

/* Records looked at together; room for as many results is asked for before. */
#define CACHE_SWEEP_GROUP	16

/*
 * The weight of a bucket for LRU, (prio - min_prio + scale) * sectors, has 45
 * bits because the bracket wraps below 0. This key has 32 and orders the same:
 * the plain product is below 2^31, and what wrapped is above it, ordered by
 * sectors first, then by the bracket (that a factor below 2^13 cannot undo).
 * Holds for min_prio <= CACHE_INITIAL_PRIO, where bracket >= -32768.
 */
#define CACHE_KEY_WRAPPED	0x80000000u
#define CACHE_KEY_BRACKET_BITS	17

static inline uint32_t cache_lru_key(uint32_t prio, int32_t shift, uint32_t sectors)
{
	int32_t bracket = (int32_t)prio + shift;

	if (!sectors)
		return 0;
	if (bracket >= 0)
		return (uint32_t)bracket * sectors;
	return CACHE_KEY_WRAPPED | sectors << CACHE_KEY_BRACKET_BITS |
	       ((uint32_t)bracket & ((1u << CACHE_KEY_BRACKET_BITS) - 1));
}

/*
 * Gathers reclaimable buckets with a key below @below as key << 32 | bucket, in
 * order, from @pos on until @end or until @out has no room for a whole group.
 */
struct cache_sweep {
	const struct cache_bucket *rec;
	uint64_t  pos, end;
	uint32_t  epoch;
	int32_t	  shift;	/* bracket = priority + shift */
	uint32_t  below;
	int32_t	  least;	/* bracket of a reclaimable bucket with sectors; kept low */
	uint64_t *out;
	uint32_t  used, room;
};

struct cache_simd_ops {
	const char *name;
	void (*sweep)(struct cache_sweep *s);
	/* @n packed prio/gen pairs of three bytes, as in a prio_set */
	void (*fill)(const struct cache_bucket *rec, size_t n, uint32_t epoch,
		     uint8_t *out);
};

/* The passes for @simd, or NULL if this machine cannot run them. */
const struct cache_simd_ops *cache_simd_get(enum cache_simd simd);

#endif
