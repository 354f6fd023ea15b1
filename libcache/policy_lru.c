// SPDX-License-Identifier: GPL-2.0-only
/*
 * LRU: the buckets of least weight go first (behaviour 5.5).
 *
 * The driver keeps a heap over all buckets for every refill. Here one sweep
 * gathers the least keys for several refills, and they stay good as a pool:
 * @limit is a bound below which no bucket outside the pool can be. It holds
 * because between two sweeps a key can only fall in ways we are told of:
 *
 *	offer		a bucket was freed or its last pin dropped: it joins the
 *			pool if it is below limit
 *	rescaled	all brackets moved by the same number; one that loses d
 *			loses at most the share d / @least of its key, where
 *			no bracket outside is below @least: so does limit
 *	version		somebody changed the table in some other way: no pool
 *
 * All other changes (hits, pins, dirty data) make a bucket a worse victim; the
 * key the pool remembers is then too small, and is found out when its turn
 * comes. So a bucket is taken only if its key is what the pool says. A weight
 * that wrapped can fall without notice: a pool that met one serves one pass.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "libcache/rng.h"
#include "policy.h"
#include "simd.h"
#include "sort.h"

#define POOL_REFILLS	4	/* the pool's room, in refills */
#define ROOM_MIN	256
#define SAMPLES_MAX	2048
#define AHEAD		16	/* records are asked for this far ahead */
#define NO_LIMIT	UINT32_MAX
#define NO_VERSION	UINT64_MAX
#define GOLDEN		0x9e3779b97f4a7c15ull

struct cache_lru {
	const struct cache_simd_ops *simd;
	uint64_t version;	/* of the table when the pool was gathered */
	uint32_t limit;
	int32_t	 shift;		/* live bracket = stored prio + shift */
	int32_t	 least;		/* no bracket outside, of one with sectors, is below */
	bool	 exact;		/* keys are of this shift, and nothing was added */
	uint32_t pos, used, room;
	uint32_t sorted;	/* [pos, sorted) is, and nothing behind is less */
	uint64_t cand[];	/* [pos, used): key << 32 | bucket */
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

static bool pool_good(const struct cache_alloc *a)
{
	return a->lru->version == a->buckets->version;
}

static int lru_init(struct cache_alloc *a)
{
	uint64_t room = cache_max_u64((uint64_t)a->free_inc.size * POOL_REFILLS, ROOM_MIN);
	struct cache_lru *l = calloc(1, sizeof(*l) + room * sizeof(l->cand[0]));

	if (!l)
		return -ENOMEM;
	l->simd = cache_simd_get(a->opts.simd);
	l->version = NO_VERSION;
	l->room = room;
	a->lru = l;
	return l->simd ? 0 : -EOPNOTSUPP;
}

static void lru_fini(struct cache_alloc *a)
{
	free(a->lru);
	a->lru = NULL;
}

static uint64_t lru_bytes(const struct cache_alloc *a)
{
	return sizeof(*a->lru) + a->lru->room * sizeof(a->lru->cand[0]);
}

/* -- gathering ----------------------------------------------------------- */

/* Where sample number @i lies: spread over the table, in no step of its own. */
static uint64_t sample_bucket(const struct cache_buckets *t, uint64_t i)
{
	uint64_t range = t->nbuckets - t->first_bucket;

	return t->first_bucket + cache_mul_high(i * GOLDEN, range);
}

/*
 * A key that about @want reclaimable buckets do not exceed, from a sample;
 * NO_LIMIT if the sample says that fewer exist.
 */
static uint32_t guess_limit(struct cache_alloc *a, uint32_t want)
{
	const struct cache_buckets *t = a->buckets;
	struct cache_lru *l = a->lru;
	uint32_t samples = cache_min_u64(SAMPLES_MAX, l->room), n = 0;
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

/* The least @keep of what was gathered; nothing at or above the last matters now. */
static void cut(struct cache_sweep *s, uint32_t keep)
{
	cache_sort_u64(s->out, s->used);
	s->used = keep;
	s->below = s->out[keep - 1] >> 32;
}

/*
 * Reads the whole table. What is kept does not depend on how many records the
 * pass looks at together: the least @keep of all below @below, by (key, bucket).
 */
static void gather(struct cache_alloc *a, uint32_t below)
{
	const struct cache_buckets *t = a->buckets;
	struct cache_lru *l = a->lru;
	uint32_t keep = l->room - l->room / 8;
	struct cache_sweep s = {
		.rec = t->rec, .pos = t->first_bucket, .end = t->nbuckets,
		.epoch = t->epoch, .shift = bracket_shift(t), .below = below,
		.out = l->cand, .room = l->room, .least = INT32_MAX,
	};

	l->simd->sweep(&s);
	while (s.pos < s.end) {
		cut(&s, keep);
		l->simd->sweep(&s);
	}
	if (s.used > keep)
		cut(&s, keep);
	l->pos = l->sorted = 0;
	l->used = s.used;
	l->limit = s.below;
	l->exact = true;
	l->shift = s.shift - (int32_t)t->epoch;
	l->least = s.least;
	l->version = s.least < 0 ? NO_VERSION : t->version;
	a->stats.sweeps++;
}

/* Afterwards the pool holds all there are, or at least @want. */
static void sweep(struct cache_alloc *a, uint32_t want)
{
	struct cache_lru *l = a->lru;
	uint32_t below = guess_limit(a, l->room - l->room / 6);

	gather(a, below);
	if (below != NO_LIMIT && l->used < want)
		gather(a, NO_LIMIT);
}

/* -- taking -------------------------------------------------------------- */

/* Computes the keys again; drops what is no victim or not below the limit. */
static void renew(struct cache_alloc *a)
{
	const struct cache_buckets *t = a->buckets;
	struct cache_lru *l = a->lru;
	uint32_t n = 0;

	for (uint32_t i = l->pos; i < l->used; i++) {
		uint32_t b = l->cand[i], key;

		__builtin_prefetch(&t->rec[(uint32_t)l->cand[i + AHEAD < l->used ? i + AHEAD : i]]);
		if (!cache_record_reclaimable(&t->rec[b]))
			continue;
		key = key_of(t, b);
		if (key >= CACHE_KEY_WRAPPED)
			l->version = NO_VERSION;
		if (key <= l->limit)
			l->cand[n++] = (uint64_t)key << 32 | b;
	}
	l->pos = l->sorted = 0;
	l->used = n;
	l->exact = true;
}

/* Brings what a refill needs to the front, in order. */
static void sort_front(struct cache_alloc *a)
{
	struct cache_lru *l = a->lru;
	uint32_t left = l->used - l->pos;
	uint32_t want = a->free_inc.size - a->free_inc.used;

	want = want < left ? want : left;
	l->sorted = l->pos + cache_sort_front_u64(l->cand + l->pos, left, want);
}

/* Invalidates from the front until free_inc is full or the pool is used up. */
static void take(struct cache_alloc *a)
{
	struct cache_buckets *t = a->buckets;
	struct cache_lru *l = a->lru;

	while (l->pos < l->used && !cache_ring_full(&a->free_inc)) {
		uint32_t b, key;

		if (l->pos == l->sorted)
			sort_front(a);
		b = l->cand[l->pos];
		key = l->cand[l->pos] >> 32;
		if (key > l->limit)
			break;
		__builtin_prefetch(&t->rec[(uint32_t)l->cand[l->pos + AHEAD < l->used ?
							     l->pos + AHEAD : l->pos]], 1);
		if (!cache_record_reclaimable(&t->rec[b])) {
			l->pos++;
		} else if (key_of(t, b) != key) {
			renew(a);	/* at most once: then all are exact */
		} else {
			l->pos++;
			cache_invalidate_one(a, b);
		}
	}
}

static bool take_from_pool(struct cache_alloc *a)
{
	if (!pool_good(a))
		return false;
	if (!a->lru->exact)
		renew(a);
	take(a);
	/* when nothing is outside the pool, there is no use in looking */
	return cache_ring_full(&a->free_inc) || a->lru->limit == NO_LIMIT;
}

static bool lru_invalidate(struct cache_alloc *a)
{
	if (a->buckets->min_prio > CACHE_INITIAL_PRIO) {
		a->lru->version = NO_VERSION;
		return cache_lru_invalidate_wide(a, a->lru->cand);
	}
	if (!take_from_pool(a)) {
		sweep(a, a->free_inc.size - a->free_inc.used);
		take(a);
	}
	return cache_ring_full(&a->free_inc);
}

/* -- what happens between refills ---------------------------------------- */

static void pool_add(struct cache_alloc *a, uint32_t key, uint64_t b)
{
	struct cache_lru *l = a->lru;

	if (l->used == l->room) {
		l->version = NO_VERSION;
		return;
	}
	l->cand[l->used++] = (uint64_t)key << 32 | b;
	l->exact = false;
}

static void lru_offer(struct cache_alloc *a, uint64_t b)
{
	const struct cache_buckets *t = a->buckets;
	const struct cache_bucket *r = &t->rec[b];
	struct cache_lru *l = a->lru;
	uint32_t key, sectors = r->mark >> 2 & CACHE_GC_SECTORS_MAX;
	int32_t bracket;

	if (!pool_good(a) || !cache_record_reclaimable(r))
		return;
	bracket = cache_bucket_prio_of(r, t->epoch) + bracket_shift(t);
	key = key_of(t, b);
	if (key < l->limit && key < CACHE_KEY_WRAPPED)
		pool_add(a, key, b);
	else if (sectors && bracket < l->least)
		l->least = bracket;
	if (l->least < 0)
		l->version = NO_VERSION;
}

/* All brackets outside move by @d: how far may the least key have fallen? */
static void move_limit(struct cache_lru *l, int32_t d)
{
	if (d < 0 && l->limit != NO_LIMIT)
		l->limit = l->least + d <= 0 ? 0 :
			   (uint64_t)l->limit * (uint32_t)(l->least + d) / (uint32_t)l->least;
	if (l->least != INT32_MAX)
		l->least = l->least + d > 0 ? l->least + d : 0;
}

static void lru_rescaled(struct cache_alloc *a)
{
	const struct cache_buckets *t = a->buckets;
	struct cache_lru *l = a->lru;
	int32_t shift = bracket_shift(t) - (int32_t)t->epoch;

	/* the rescale itself counted one up; a settled table more */
	if (l->version + 1 != t->version || t->min_prio > CACHE_INITIAL_PRIO)
		return;
	l->version = t->version;
	if (shift == l->shift)
		return;
	move_limit(l, shift - l->shift);
	l->shift = shift;
	l->exact = false;
}

/* -- the promise --------------------------------------------------------- */

static int lru_check(const struct cache_alloc *a, struct cache_err *err)
{
	const struct cache_buckets *t = a->buckets;
	const struct cache_lru *l = a->lru;
	uint8_t *in;
	int ret = 0;

	if (!pool_good(a) || t->min_prio > CACHE_INITIAL_PRIO)
		return 0;
	in = calloc(1, t->nbuckets / 8 + 1);
	if (!in)
		return -ENOMEM;
	for (uint32_t i = l->pos; i < l->used; i++)
		in[(uint32_t)l->cand[i] / 8] |= 1 << (uint32_t)l->cand[i] % 8;
	for (uint64_t b = t->first_bucket; !ret && b < t->nbuckets; b++)
		if (!(in[b / 8] & 1 << b % 8) && cache_record_reclaimable(&t->rec[b]) &&
		    key_of(t, b) < l->limit)
			ret = cache_err_set(err, -EUCLEAN, 0, "lru: bucket %llu, key %u, is "
					    "outside a pool up to %u", (unsigned long long)b,
					    key_of(t, b), l->limit);
	free(in);
	return ret;
}

const struct cache_policy_ops cache_policy_lru = {
	.name = "lru", .init = lru_init, .fini = lru_fini, .bytes = lru_bytes,
	.invalidate = lru_invalidate, .offer = lru_offer, .rescaled = lru_rescaled,
	.check = lru_check,
};
