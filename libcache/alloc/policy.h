/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replacement policies: each picks the same victims as the driver's arithmetic (behaviour 5.5);
 * the way to find them may differ.
 */
#ifndef CACHE_POLICY_H
#define CACHE_POLICY_H

#include "alloc/alloc.h"
#include "base/bits.h"

struct cache_policy_ops {
	int	 (*init)(struct cache_alloc *a);
	void	 (*fini)(struct cache_alloc *a);
	uint64_t (*bytes)(const struct cache_alloc *a);
	/* Invalidates until free_inc is full; false if there were too few buckets. */
	bool	 (*invalidate)(struct cache_alloc *a);
	/* @b may have become a better victim; it is not pinned. */
	void	 (*offer)(struct cache_alloc *a, uint64_t b);
	/* The table has aged by one. */
	void	 (*rescaled)(struct cache_alloc *a);
	int	 (*check)(const struct cache_alloc *a, struct cache_err *err);
};

extern const struct cache_policy_ops cache_policy_lru;
extern const struct cache_policy_ops cache_policy_fifo;
extern const struct cache_policy_ops cache_policy_random;

/* LRU for any min_prio; @space holds two words for each free place in free_inc. */
bool cache_lru_invalidate_wide(struct cache_alloc *a, void *space);

static inline bool cache_ring_full(const struct cache_ring *r)
{
	return r->used == r->size;
}

static inline bool cache_ring_push(struct cache_ring *r, uint32_t bucket)
{
	if (r->used == r->size)
		return false;
	r->slot[(r->head + r->used++) & r->mask] = bucket;
	return true;
}

static inline bool cache_ring_pop(struct cache_ring *r, uint32_t *bucket)
{
	if (!r->used)
		return false;
	*bucket = r->slot[r->head++ & r->mask];
	r->used--;
	return true;
}

/* Moves entries from @from to @to, in order, while there are entries and space for them. */
static inline void cache_ring_move(struct cache_ring *to, struct cache_ring *from)
{
	uint32_t space = to->size - to->used, n = from->used < space ? from->used : space;
	uint32_t head = from->head, tail = to->head + to->used;

	for (uint32_t i = 0; i < n; i++)
		to->slot[(tail + i) & to->mask] = from->slot[(head + i) & from->mask];
	from->head += n;
	from->used -= n;
	to->used += n;
}

/* Entry @i from the front; @i is less than used. */
static inline uint32_t cache_ring_at(const struct cache_ring *r, uint32_t i)
{
	return r->slot[(r->head + i) & r->mask];
}

/* Checks marks NONE and RECLAIMABLE, pin and gen lag: behaviour 5.4 without the assert. */
static inline bool cache_record_reclaimable(const struct cache_bucket *r)
{
	return !(r->mark & 2) && !r->pin &&
	       (uint8_t)(r->gen - r->last_gc) < CACHE_GC_GEN_MAX;
}

/* The same with the state of gc (kernels 2, E): while it runs, only buckets that it has spared. */
static inline bool cache_may_invalidate(const struct cache_alloc *a, uint64_t b)
{
	return cache_record_reclaimable(&a->buckets->rec[b]) &&
	       (a->gc_mark_valid || (a->reclaimable_in_gc && cache_bit(a->reclaimable_in_gc, b)));
}

/* Increments the gen, sets the priority, pins (behaviour 5.4); the caller queues the bucket. */
static inline void cache_invalidate_bucket(struct cache_alloc *a, uint64_t b)
{
	struct cache_buckets *t = a->buckets;
	struct cache_bucket *r = &t->rec[b];
	uint8_t lag;

	if (a->ops->trace && r->mark >> 2 & CACHE_GC_SECTORS_MAX)
		a->ops->trace(a->ctx, CACHE_ALLOC_EV_INVALIDATE, b,
			      r->mark >> 2 & CACHE_GC_SECTORS_MAX);
	cache_buckets_uncount(t, b, r->prio);
	lag = ++r->gen - r->last_gc;
	if (lag > a->need_gc)
		a->need_gc = lag;
	r->prio = CACHE_INITIAL_PRIO;
	r->pin = 1;
	if (a->reclaimable_in_gc)
		cache_bit_clear(a->reclaimable_in_gc, b);
	a->stats.invalidated++;
}

static inline void cache_invalidate_one(struct cache_alloc *a, uint64_t b)
{
	cache_invalidate_bucket(a, b);
	cache_ring_push(&a->free_inc, b);
}

#endif
