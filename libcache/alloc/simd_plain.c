// SPDX-License-Identifier: GPL-2.0-only
/* The passes in portable C, and functions that the vector versions share with them. */
#include "alloc/simd.h"

#include <string.h>

#include "alloc/policy.h"
#include "alloc/simd_x86.h"

void cache_sweep_one(struct cache_sweep *s, uint64_t block)
{
	uint64_t b = block * CACHE_SWEEP_BLOCK, end = b + CACHE_SWEEP_BLOCK;
	int32_t least = INT32_MAX;

	b = b < s->first ? s->first : b;
	for (end = end < s->end ? end : s->end; b < end; b++) {
		const struct cache_bucket *r = &s->rec[b];
		uint32_t sectors = r->mark >> 2 & CACHE_GC_SECTORS_MAX;
		uint32_t key = cache_lru_key(cache_bucket_prio_of(r, s->epoch), s->shift, sectors);

		if (!cache_record_reclaimable(r))
			continue;
		s->most = sectors > s->most ? sectors : s->most;
		if (key >= s->low && key < s->below)
			s->out[s->used++] = (uint64_t)key << 32 | b;
		else if (key >= s->below)
			least = (int32_t)key < least ? (int32_t)key : least;
	}
	s->bound[block] = cache_sweep_bound(least, s->scale, s->drift);
}

/* For the table's first and last block, and for all if the exact value of wrapped keys counts. */
static bool sweep_ones(struct cache_sweep *s, uint64_t end)
{
	for (; s->block < end; s->block++) {
		if (s->bound[s->block] >= s->reach)
			continue;
		if (s->used + CACHE_SWEEP_BLOCK > s->capacity)
			return false;
		cache_sweep_one(s, s->block);
	}
	return true;
}

void cache_sweep_with(struct cache_sweep *s, void (*whole)(struct cache_sweep *s, uint64_t end))
{
	uint64_t begin = cache_sweep_blocks(s->first), end = s->end / CACHE_SWEEP_BLOCK;

	if (s->below <= CACHE_KEY_WRAPPED) {
		if (!sweep_ones(s, begin))
			return;
		if (s->block < end)
			whole(s, end);
		if (s->block < end)
			return;
	}
	sweep_ones(s, cache_sweep_blocks(s->end));
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && defined(__GNUC__)
/*
 * The same, four records at a time in vectors of the compiler: any machine with vectors can run
 * it, and it needs no option.
 */
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));

static inline u32x4 all(uint32_t v)
{
	return (u32x4) { v, v, v, v };
}

/* Four records as two vectors: prio and mark, and the rest. */
static inline void load4(const struct cache_bucket *rec, u32x4 *lo, u32x4 *hi)
{
	u32x4 a, b;

	memcpy(&a, rec, sizeof(a));
	memcpy(&b, rec + 2, sizeof(b));
	*lo = __builtin_shufflevector(a, b, 0, 2, 4, 6);
	*hi = __builtin_shufflevector(a, b, 1, 3, 5, 7);
}

/* All ones where the driver may invalidate. */
static inline u32x4 reclaimable4(u32x4 lo, u32x4 hi)
{
	u32x4 lag = (hi - (hi >> 8)) & 0xff, taken = (lo & 2 << 16) | hi >> 16;

	return (u32x4)((i32x4)lag < CACHE_GC_GEN_MAX) & (u32x4)(taken == 0);
}

/* cache_lru_key() of four that are not pinned; wrapped ones are just negative. */
static inline u32x4 keys4(u32x4 lo, uint32_t epoch, int32_t shift, u32x4 *sectors)
{
	u32x4 prio = lo & CACHE_BTREE_PRIO, btree = (u32x4)(prio == CACHE_BTREE_PRIO);
	i32x4 aged = (i32x4)(prio - epoch);

	aged &= aged > 0;
	*sectors = lo >> 18 & CACHE_GC_SECTORS_MAX;
	return (((prio & btree) | ((u32x4)aged & ~btree)) + shift) * *sectors;
}

static inline i32x4 lesser(i32x4 a, i32x4 b)
{
	i32x4 m = a < b;

	return (a & m) | (b & ~m);
}

/* The keys of a block that are in range; others become UINT32_MAX. */
static void emit(struct cache_sweep *s, const uint32_t *key, uint64_t first)
{
	uint32_t span = s->below - s->low;

	for (unsigned int i = 0; i < CACHE_SWEEP_BLOCK; i++) {
		s->out[s->used] = (uint64_t)key[i] << 32 | (first + i);
		s->used += key[i] - s->low < span;
	}
}

static void sweep_block(struct cache_sweep *s, uint64_t block)
{
	const struct cache_bucket *rec = s->rec + block * CACHE_SWEEP_BLOCK;
	i32x4 least = (i32x4)all(INT32_MAX), most = { 0 }, bias = (i32x4)all(CACHE_KEY_WRAPPED);
	i32x4 below = (i32x4)all(s->below) ^ bias, span = (i32x4)all(s->below - s->low) ^ bias;
	u32x4 any = { 0 }, key[CACHE_SWEEP_BLOCK / 4];
	int32_t low;

	for (unsigned int i = 0; i < CACHE_SWEEP_BLOCK / 4; i++) {
		u32x4 lo, hi, ok, k, sectors;
		i32x4 rest;

		load4(rec + 4 * i, &lo, &hi);
		ok = reclaimable4(lo, hi);
		k = keys4(lo, s->epoch, s->shift, &sectors);
		most = -lesser(-most, -(i32x4)(sectors & ok));
		rest = (i32x4)ok & ~(((i32x4)k ^ bias) < below);
		least = lesser(least, (i32x4)((k & (u32x4)rest) | (INT32_MAX & ~(u32x4)rest)));
		key[i] = k | ~ok;
		any |= (u32x4)(((i32x4)(key[i] - s->low) ^ bias) < span);
	}
	low = least[0];
	for (int i = 0; i < 4; i++) {
		low = least[i] < low ? least[i] : low;
		s->most = (uint32_t)most[i] > s->most ? (uint32_t)most[i] : s->most;
	}
	if (any[0] | any[1] | any[2] | any[3])
		emit(s, (const uint32_t *)key, block * CACHE_SWEEP_BLOCK);
	s->bound[block] = cache_sweep_bound(low, s->scale, s->drift);
}
#else
static void sweep_block(struct cache_sweep *s, uint64_t block)
{
	cache_sweep_one(s, block);
}
#endif

/* For a group of bounds, one bit for each that is below @reach. */
static uint32_t within_reach(const uint16_t *bound, uint32_t reach)
{
	uint32_t mask = 0;

	for (unsigned int i = 0; i < CACHE_SWEEP_GROUP; i++)
		mask |= (uint32_t)(bound[i] < reach) << i;
	return mask;
}

static void whole_plain(struct cache_sweep *s, uint64_t end)
{
	struct cache_walk w = cache_walk_begin(s, end, within_reach);

	while (cache_walk_next(s, &w, within_reach))
		sweep_block(s, s->block);
}

static void sweep_plain(struct cache_sweep *s)
{
	cache_sweep_with(s, whole_plain);
}

void cache_fill_plain(const struct cache_bucket *rec, size_t n, uint32_t epoch,
		      uint8_t *out)
{
	for (size_t i = 0; i < n; i++) {
		uint16_t prio = cache_bucket_prio_of(&rec[i], epoch);

		*out++ = prio;
		*out++ = prio >> 8;
		*out++ = rec[i].gen;
	}
}

const struct cache_simd_ops cache_simd_plain = {
	.name = "plain", .sweep = sweep_plain, .fill = cache_fill_plain,
};
