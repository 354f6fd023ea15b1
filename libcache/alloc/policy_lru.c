// SPDX-License-Identifier: GPL-2.0-only
/*
 * LRU: the buckets of least weight go first (behaviour 5.5).
 *
 * The driver keeps a heap over all buckets for every refill. Here each block of 32 buckets has
 * a bound: no reclaimable bucket of the block has a key below it, so a refill reads only the
 * blocks whose bound is below the keys it takes. A bound stays valid because between two
 * refills a key can only decrease in these ways:
 *
 * 	offer		a bucket was freed or its last pin dropped: its block's bound
 * 			comes down to its key
 * 	rescaled	all brackets moved by the same number; one that loses d takes
 * 			at most d times the most sectors off a key. Bounds count in
 * 			units of that (@scale), plus @drift, all that was ever lost
 * 	version		somebody changed the table in some other way: all bounds are 0
 *
 * All other changes (hits, pins, dirty data) make a bucket a worse victim. The bound is then
 * too low until a refill corrects it. A weight that wrapped can decrease in other ways: the
 * bound of its block is 0, whatever else is in the block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/rng.h"
#include "alloc/policy.h"
#include "alloc/simd.h"
#include "base/sort.h"

#define CAPACITY_QUARTERS	10	/* of a refill; candidates, and space to sort what is taken */
#define CAPACITY_MIN	256
#define SAMPLES_MAX	2048
#define AHEAD		16	/* records are prefetched this far ahead */
#define NO_LIMIT	UINT32_MAX
#define NO_VERSION	UINT64_MAX
#define DRIFT_MAX	16384	/* beyond this, bounds would not fit in 16 bits */
#define SCALE_MAX	13	/* 2 to this power exceeds any bucket's sectors */
#define GOLDEN		0x9e3779b97f4a7c15ull

struct cache_lru {
	const struct cache_simd_ops *simd;
	uint64_t version;	/* version of the table when the bounds were valid */
	uint16_t *bound;	/* of each block: (key >> scale) + drift */
	uint32_t drift;
	unsigned int scale;
	int32_t	 shift;		/* live bracket = stored prio + shift */
	uint32_t last;		/* the greatest key of the previous refill, */
	uint32_t step;		/* and how far beyond it this refill may have to look */
	uint32_t capacity;
	uint64_t cand[];	/* key << 32 | bucket */
};

/* The constant part of the weight's bracket; @min_prio <= CACHE_INITIAL_PRIO. */
static int32_t bracket_shift(const struct cache_buckets *t)
{
	int32_t min_prio = t->min_prio;

	return ((int32_t)CACHE_INITIAL_PRIO - min_prio) / 8 - min_prio;
}

static uint32_t key_of(const struct cache_buckets *t, uint64_t b)
{
	const struct cache_bucket *r = &t->rec[b];

	return cache_lru_key(cache_bucket_prio_of(r, t->epoch), bracket_shift(t),
			     r->mark >> 2 & CACHE_GC_SECTORS_MAX);
}

static bool bounds_good(const struct cache_alloc *a)
{
	return a->lru->version == a->buckets->version;
}

/* Bounds are compared in whole groups. */
static uint64_t nbounds(const struct cache_buckets *t)
{
	uint64_t n = cache_sweep_blocks(t->nbuckets) + CACHE_SWEEP_GROUP - 1;

	return n - n % CACHE_SWEEP_GROUP;
}

static void lru_fini(struct cache_alloc *a)
{
	if (a->lru)
		free(a->lru->bound);
	free(a->lru);
	a->lru = NULL;
}

static int lru_init(struct cache_alloc *a)
{
	uint64_t capacity = cache_max_u64((uint64_t)a->free_inc.size * CAPACITY_QUARTERS / 4, CAPACITY_MIN);
	struct cache_lru *l = calloc(1, sizeof(*l) + capacity * sizeof(l->cand[0]));

	if (!l)
		return -ENOMEM;
	a->lru = l;
	l->simd = cache_simd_get(a->opts.simd);
	l->version = NO_VERSION;
	l->capacity = capacity;
	while (l->scale < SCALE_MAX && 1u << l->scale < a->buckets->bucket_sectors)
		l->scale++;
	l->bound = malloc(nbounds(a->buckets) * sizeof(*l->bound));
	if (!l->bound)
		return -ENOMEM;
	memset(l->bound, 0xff, nbounds(a->buckets) * sizeof(*l->bound));
	return l->simd ? 0 : -EOPNOTSUPP;
}

static uint64_t lru_bytes(const struct cache_alloc *a)
{
	return sizeof(*a->lru) + a->lru->capacity * sizeof(a->lru->cand[0]) +
	       nbounds(a->buckets) * sizeof(*a->lru->bound);
}

/* -- bounds -------------------------------------------------------------- */

/* Bucket @b is no candidate of this refill any more: its @key counts in the bound again. */
static void put_down(struct cache_lru *l, uint32_t key, uint64_t b)
{
	uint16_t *bound = &l->bound[b / CACHE_SWEEP_BLOCK];
	uint16_t now = cache_sweep_bound(key, l->scale, l->drift);

	*bound = now < *bound ? now : *bound;
}

static void put_down_all(struct cache_lru *l, const uint64_t *cand, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		put_down(l, cand[i] >> 32, (uint32_t)cand[i]);
}

/* Blocks with a bound below this value may hold a key below @below. */
static uint32_t reach_of(const struct cache_lru *l, uint32_t below)
{
	uint64_t reach = below ? ((uint64_t)(below - 1) >> l->scale) + l->drift + 1 : 0;

	return cache_min_u64(reach, CACHE_BOUND_NONE);
}

/* The next pass reads all blocks. */
static void forget(struct cache_alloc *a)
{
	const struct cache_buckets *t = a->buckets;
	struct cache_lru *l = a->lru;

	memset(l->bound, 0, cache_sweep_blocks(t->nbuckets) * sizeof(*l->bound));
	l->drift = 0;
	l->shift = bracket_shift(t) - (int32_t)t->epoch;
	l->version = t->version;
	a->stats.sweeps++;
}

/* -- gathering ----------------------------------------------------------- */

/* The bucket of sample number @i: spread over the table without a regular step. */
static uint64_t sample_bucket(const struct cache_buckets *t, uint64_t i)
{
	uint64_t range = t->nbuckets - t->first_bucket;

	return t->first_bucket + cache_mul_high(i * GOLDEN, range);
}

/*
 * A key that about @want reclaimable buckets do not exceed, estimated from a sample; NO_LIMIT
 * if according to the sample fewer exist.
 */
static uint32_t guess_limit(struct cache_alloc *a, uint32_t want)
{
	const struct cache_buckets *t = a->buckets;
	struct cache_lru *l = a->lru;
	uint32_t samples = cache_min_u64(SAMPLES_MAX, l->capacity), n = 0;
	uint32_t rank = (uint64_t)want * samples / (t->nbuckets - t->first_bucket);

	for (uint32_t i = 0; i < samples; i++) {
		uint64_t b = sample_bucket(t, i);

		__builtin_prefetch(&t->rec[sample_bucket(t, i + AHEAD)]);
		if (cache_record_reclaimable(&t->rec[b]))
			l->cand[n++] = key_of(t, b);
	}
	if (rank >= n)
		return NO_LIMIT;
	cache_sort_u64(l->cand, n);
	return l->cand[rank] + 1;
}

/*
 * Keeps the least @keep of what was gathered; keys at or above the greatest of them can be
 * ignored now.
 */
static void cut(struct cache_lru *l, struct cache_sweep *s, uint32_t keep)
{
	cache_sort_u64(s->out, s->used);
	put_down_all(l, s->out + keep, s->used - keep);
	s->used = keep;
	s->below = s->out[keep - 1] >> 32;
	s->reach = reach_of(l, s->below);
}

/*
 * One pass over the blocks that may have a key in [s->low, s->below). The result does not
 * depend on how many records are processed together: the least @want of all, by (key, bucket),
 * or all.
 */
static void gather(struct cache_alloc *a, struct cache_sweep *s, uint32_t want)
{
	struct cache_lru *l = a->lru;
	uint64_t nblocks = cache_sweep_blocks(a->buckets->nbuckets);

	s->block = a->buckets->first_bucket / CACHE_SWEEP_BLOCK;
	s->reach = reach_of(l, s->below);
	for (l->simd->sweep(s); s->block < nblocks; l->simd->sweep(s))
		cut(l, s, want);
}

static uint32_t beyond(uint32_t key, uint32_t step)
{
	return key < NO_LIMIT - step ? key + step : NO_LIMIT;
}

/* Gathers at least @want, or all that exist; returns how many. */
static uint32_t gather_enough(struct cache_alloc *a, uint32_t want)
{
	const struct cache_buckets *t = a->buckets;
	struct cache_lru *l = a->lru;
	struct cache_sweep s = {
		.rec = t->rec, .first = t->first_bucket, .end = t->nbuckets, .bound = l->bound,
		.scale = l->scale, .epoch = t->epoch, .shift = bracket_shift(t),
		.out = l->cand, .capacity = l->capacity,
	};
	uint32_t more;

	if (bounds_good(a)) {
		s.below = beyond(l->last, l->step + l->step / 8 + 1);
	} else {
		s.below = guess_limit(a, want + want / 8);
		l->last = s.below;
		l->step = 0;
		forget(a);
	}
	s.drift = l->drift;
	more = l->step / 4 + (1u << l->scale) / 4 + 1;
	for (gather(a, &s, want); s.used < want && s.below != NO_LIMIT; gather(a, &s, want)) {
		s.low = s.below;
		s.below = beyond(s.low, more);
		more = cache_min_u64(2ull * more, NO_LIMIT);
	}
	if (s.most <= 1u << l->scale)
		return s.used;
	/* a record has more sectors than a bucket of this device: larger units */
	l->scale = SCALE_MAX;
	l->version = NO_VERSION;
	return gather_enough(a, want);
}

/* -- taking -------------------------------------------------------------- */

/* If keys rise from refill to refill, they will go on rising by about as much. */
static void learn_step(struct cache_lru *l, uint32_t last)
{
	uint32_t rose = last > l->last ? last - l->last : 0;

	l->step = ((uint64_t)l->step + rose) / 2;
	l->last = last;
}

static void take(struct cache_alloc *a, const uint64_t *cand, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t ahead = cand[i + AHEAD < n ? i + AHEAD : i];

		__builtin_prefetch(&a->buckets->rec[ahead], 1);
		cache_invalidate_one(a, (uint32_t)cand[i]);
	}
}

static bool lru_invalidate(struct cache_alloc *a)
{
	uint32_t want = a->free_inc.size - a->free_inc.used, found;
	struct cache_lru *l = a->lru;
	uint64_t *sorted;

	if (!want)
		return true;
	if (a->buckets->min_prio > CACHE_INITIAL_PRIO || !a->gc_mark_valid) {
		l->version = NO_VERSION;
		return cache_lru_invalidate_wide(a, l->cand);
	}
	found = gather_enough(a, want);
	if (found < want) {
		cache_sort_u64(l->cand, found);
		take(a, l->cand, found);
		return false;
	}
	sorted = cache_sort_front_u64(l->cand, found, want, l->capacity);
	learn_step(l, sorted[want - 1] >> 32);
	take(a, sorted, want);
	put_down_all(l, sorted == l->cand ? sorted + want : l->cand, found - want);
	return true;
}

/* -- what happens between refills ---------------------------------------- */

static void lru_offer(struct cache_alloc *a, uint64_t b)
{
	const struct cache_bucket *r = &a->buckets->rec[b];
	struct cache_lru *l = a->lru;

	if (!bounds_good(a) || !cache_record_reclaimable(r))
		return;
	if ((r->mark >> 2 & CACHE_GC_SECTORS_MAX) > 1u << l->scale)
		l->version = NO_VERSION;
	else
		put_down(l, key_of(a->buckets, b), b);
}

static void lru_rescaled(struct cache_alloc *a)
{
	const struct cache_buckets *t = a->buckets;
	struct cache_lru *l = a->lru;
	int32_t shift = bracket_shift(t) - (int32_t)t->epoch;

	/*
	 * the rescale itself incremented version by one; applying the epoch increments it
	 * further
	 */
	if (l->version + 1 != t->version || t->min_prio > CACHE_INITIAL_PRIO)
		return;
	if (shift < l->shift)
		l->drift += l->shift - shift;
	l->shift = shift;
	if (l->drift <= DRIFT_MAX)
		l->version = t->version;
}

/* -- the promise --------------------------------------------------------- */

static int lru_check(const struct cache_alloc *a, struct cache_err *err)
{
	const struct cache_buckets *t = a->buckets;
	const struct cache_lru *l = a->lru;

	if (!bounds_good(a) || t->min_prio > CACHE_INITIAL_PRIO)
		return 0;
	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		uint32_t bound = l->bound[b / CACHE_SWEEP_BLOCK];

		if (cache_record_reclaimable(&t->rec[b]) && bound > l->drift &&
		    (uint64_t)key_of(t, b) >> l->scale < bound - l->drift)
			return cache_err_set(err, -EUCLEAN, 0, "lru: bucket %llu, key %u, is below "
					     "its bound %u", (unsigned long long)b, key_of(t, b),
					     (bound - l->drift) << l->scale);
	}
	return 0;
}

const struct cache_policy_ops cache_policy_lru = {
	.init = lru_init, .fini = lru_fini, .bytes = lru_bytes,
	.invalidate = lru_invalidate, .offer = lru_offer, .rescaled = lru_rescaled,
	.check = lru_check,
};
