/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_SIMD_X86_H
#define CACHE_SIMD_X86_H

#include "alloc/simd.h"

/* Reads one block record by record; blocks at the ends of the table may be incomplete. */
void cache_sweep_one(struct cache_sweep *s, uint64_t block);

/*
 * A sweep whose complete blocks are read by @whole: from s->block up to @end, or until there is
 * no space. @whole need not tell wrapped keys apart: those are above s->below.
 */
void cache_sweep_with(struct cache_sweep *s,
		      void (*whole)(struct cache_sweep *s, uint64_t end));

/* Of the bits for a group of blocks, those from s->block up to @end. */
static inline uint32_t cache_sweep_mask(const struct cache_sweep *s, uint64_t group, uint64_t end)
{
	uint32_t mask = UINT32_MAX << (s->block - group);

	return end - group >= CACHE_SWEEP_GROUP ? mask : mask & ((1u << (end - group)) - 1);
}

/* Prefetches the records of @blocks of @group; if there are many, the hardware does. */
static inline void cache_sweep_ahead(const struct cache_sweep *s, uint64_t group, uint32_t blocks)
{
	if (__builtin_popcount(blocks) > CACHE_SWEEP_GROUP / 2)
		return;
	for (; blocks; blocks &= blocks - 1) {
		const struct cache_bucket *rec = s->rec +
			(group + __builtin_ctz(blocks)) * CACHE_SWEEP_BLOCK;

		for (unsigned int i = 0; i < CACHE_SWEEP_BLOCK; i += 8)
			__builtin_prefetch(rec + i);
	}
}

/* For a group of bounds, one bit for each that is below @reach. */
typedef uint32_t cache_within_fn(const uint16_t *bound, uint32_t reach);

/* Where a sweep is among the groups: each version of it reads bounds differently. */
struct cache_walk {
	uint64_t group, end;	/* blocks; the group that is entered next */
	/* bits of blocks within reach: of the current group, of the next one */
	uint32_t left, next;
};

static inline __attribute__((always_inline)) struct cache_walk
cache_walk_begin(const struct cache_sweep *s, uint64_t end, cache_within_fn *within)
{
	uint64_t group = s->block & ~(CACHE_SWEEP_GROUP - 1ull);

	return (struct cache_walk) {
		.group = group, .end = end, .next = within(s->bound + group, s->reach),
	};
}

static inline __attribute__((always_inline)) void
cache_walk_enter(struct cache_sweep *s, struct cache_walk *w, cache_within_fn *within)
{
	if (s->block < w->group)
		s->block = w->group;
	w->left = w->next & cache_sweep_mask(s, w->group, w->end);
	w->group += CACHE_SWEEP_GROUP;
	if (w->group >= w->end)
		return;
	w->next = within(s->bound + w->group, s->reach);
	cache_sweep_ahead(s, w->group, w->next);
}

/* Moves s->block to the next one within reach; false at the end, and if there is no space. */
static inline __attribute__((always_inline)) bool
cache_walk_next(struct cache_sweep *s, struct cache_walk *w, cache_within_fn *within)
{
	while (!w->left) {
		if (w->group >= w->end) {
			s->block = w->end;
			return false;
		}
		cache_walk_enter(s, w, within);
	}
	s->block = w->group - CACHE_SWEEP_GROUP + __builtin_ctz(w->left);
	w->left &= w->left - 1;
	return s->used + CACHE_SWEEP_BLOCK <= s->capacity;
}

void cache_fill_plain(const struct cache_bucket *rec, size_t n, uint32_t epoch,
		      uint8_t *out);

/* NULL if the processor, or the architecture, does not have them. */
const struct cache_simd_ops *cache_simd_avx2(void);
const struct cache_simd_ops *cache_simd_avx512(void);

#endif
