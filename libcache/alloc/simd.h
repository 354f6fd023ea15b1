/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Passes over the bucket table that have vector versions. The plain version defines the result;
 * the others give the same result, bit for bit, and tests compare them.
 */
#ifndef CACHE_SIMD_H
#define CACHE_SIMD_H

#include "alloc/alloc.h"

/* Number of records that share a bound; see policy_lru.c. */
#define CACHE_SWEEP_BLOCK	32
#define CACHE_SWEEP_GROUP	32	/* number of bounds that are compared together */
#define CACHE_BOUND_NONE	65535u	/* nothing in the block can be taken */

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
 * Reads, in order, the blocks from @block (that of @first, or later) to the end whose bound is
 * below @reach, until @out has no space for another block. Reclaimable buckets with a key in
 * [@low, @below) go to @out as key << 32
 * bucket; the bound becomes that of the least key that is @below or above.
 */
struct cache_sweep {
	const struct cache_bucket *rec;
	uint64_t  first, end;	/* buckets */
	uint64_t  block;
	uint16_t *bound;	/* of each block, padded with NONE to a whole group */
	uint32_t  reach;
	uint32_t  drift;
	unsigned int scale;	/* bound = (key >> scale) + drift */
	uint32_t  epoch;
	int32_t	  shift;	/* bracket = priority + shift */
	uint32_t  low, below;
	uint32_t  most;		/* most sectors of a reclaimable bucket; only raised */
	uint64_t *out;
	uint32_t  used, capacity;
};

/* @least is a key as a signed number, because wrapped ones are no bound; or INT32_MAX. */
static inline uint16_t cache_sweep_bound(int32_t least, unsigned int scale, uint32_t drift)
{
	uint32_t bound = (uint32_t)(least < 0 ? 0 : least >> scale) + (least < 0 ? 0 : drift);

	if (least == INT32_MAX)
		return CACHE_BOUND_NONE;
	return bound < CACHE_BOUND_NONE ? bound : CACHE_BOUND_NONE - 1;
}

static inline uint64_t cache_sweep_blocks(uint64_t nbuckets)
{
	return (nbuckets + CACHE_SWEEP_BLOCK - 1) / CACHE_SWEEP_BLOCK;
}

struct cache_simd_ops {
	const char *name;
	void (*sweep)(struct cache_sweep *s);
	/* @n packed prio/gen pairs of three bytes, as in a prio_set */
	void (*fill)(const struct cache_bucket *rec, size_t n, uint32_t epoch,
		     uint8_t *out);
};

/* In portable C: always available. */
extern const struct cache_simd_ops cache_simd_plain;

/* The passes for @simd, or NULL if this machine cannot run them. */
const struct cache_simd_ops *cache_simd_get(enum cache_simd simd);

#endif
