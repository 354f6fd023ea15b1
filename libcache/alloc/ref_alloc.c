// SPDX-License-Identifier: GPL-2.0-only
/* The reference allocator; see ref_alloc.h. Nothing here is meant to be fast. */
#include "alloc/ref_alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

static int fifo_init(struct cache_ref_alloc_fifo *f, uint64_t n)
{
	uint64_t slots = cache_roundup_pow2(n);

	f->v = calloc(slots, sizeof(*f->v));
	f->mask = slots - 1;
	f->size = n;
	return f->v ? 0 : -ENOMEM;
}

static uint64_t size_of(uint64_t n)
{
	return n <= 4 ? n : cache_roundup_pow2(n) - 1;
}

int cache_ref_alloc_init(struct cache_ref_alloc *k, uint64_t nbuckets, uint32_t first_bucket,
		    uint32_t bucket_sectors, const struct cache_alloc_opts *opts,
		    const struct cache_alloc_ops *ops, void *ctx)
{
	uint64_t nfree = cache_roundup_pow2(nbuckets) >> 10;
	uint64_t btree = opts->njournal ? opts->njournal : 8;
	int ret;

	if (opts->btree_buckets)
		btree = opts->btree_buckets;
	*k = (struct cache_ref_alloc) {
		.opts = *opts, .ops = ops, .ctx = ctx, .nbuckets = nbuckets,
		.first_bucket = first_bucket, .bucket_sectors = bucket_sectors,
		.heap_size = 8 * nfree,
	};
	cache_rng_init(&k->rng, opts->seed);
	k->b = calloc(nbuckets, sizeof(*k->b));
	k->heap = calloc(k->heap_size, sizeof(*k->heap));
	ret = !k->b || !k->heap ||
	      fifo_init(&k->free[CACHE_RESERVE_BTREE], size_of(btree)) ||
	      fifo_init(&k->free[CACHE_RESERVE_PRIO], opts->prio_buckets) ||
	      fifo_init(&k->free[CACHE_RESERVE_MOVINGGC], size_of(nfree)) ||
	      fifo_init(&k->free[CACHE_RESERVE_NONE], size_of(nfree)) ||
	      fifo_init(&k->free_inc, size_of(4 * nfree));
	if (ret)
		cache_ref_alloc_fini(k);
	return ret ? -ENOMEM : 0;
}

void cache_ref_alloc_fini(struct cache_ref_alloc *k)
{
	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		free(k->free[i].v);
	free(k->free_inc.v);
	free(k->heap);
	free(k->b);
	memset(k, 0, sizeof(*k));
}

static bool full(const struct cache_ref_alloc_fifo *f)
{
	return f->used == f->size;
}

static bool push(struct cache_ref_alloc_fifo *f, uint64_t b)
{
	if (full(f))
		return false;
	f->v[(f->head + f->used++) & f->mask] = b;
	return true;
}

bool cache_ref_alloc_pop(struct cache_ref_alloc_fifo *f, uint64_t *b)
{
	if (!f->used)
		return false;
	*b = f->v[f->head++ & f->mask];
	f->used--;
	return true;
}

bool cache_ref_alloc_rescale(struct cache_ref_alloc *k, uint32_t sectors)
{
	k->rescale = (int32_t)((uint32_t)k->rescale - sectors);
	if (k->rescale >= 0)
		return false;
	k->rescale = (int32_t)((uint32_t)k->rescale +
			       (uint32_t)(k->nbuckets * k->bucket_sectors / 1024));
	k->min_prio = 65535;
	for (uint64_t b = k->first_bucket; b < k->nbuckets; b++)
		if (k->b[b].prio && k->b[b].prio != 65535 && !k->b[b].pin) {
			k->b[b].prio--;
			if (k->b[b].prio < k->min_prio)
				k->min_prio = k->b[b].prio;
		}
	k->rescales++;
	return true;
}

static bool can_invalidate(const struct cache_ref_alloc *k, uint64_t b)
{
	const struct cache_ref_alloc_bucket *r = &k->b[b];

	return (k->gc_mark_valid || r->reclaimable_in_gc) &&
	       (r->mark == CACHE_GC_MARK_NONE || r->mark == CACHE_GC_MARK_RECLAIMABLE) &&
	       !r->pin && (uint8_t)(r->gen - r->last_gc) < CACHE_GC_GEN_MAX;
}

static void bump(struct cache_ref_alloc *k, uint64_t b)
{
	struct cache_ref_alloc_bucket *r = &k->b[b];
	uint8_t lag = ++r->gen - r->last_gc;

	if (lag > k->need_gc)
		k->need_gc = lag;
	r->prio = CACHE_INITIAL_PRIO;
	r->pin++;
	r->reclaimable_in_gc = false;
}

static void invalidate_one(struct cache_ref_alloc *k, uint64_t b)
{
	bump(k, b);
	push(&k->free_inc, b);
}

uint64_t cache_ref_alloc_weight(const struct cache_ref_alloc *k, uint64_t b)
{
	uint32_t scale = (CACHE_INITIAL_PRIO - k->min_prio) / 8;

	return (uint64_t)(uint32_t)(k->b[b].prio - k->min_prio + scale) * k->b[b].sectors;
}

/* @sign 1: the heaviest is on top; -1: the lightest. */
static bool above(const struct cache_ref_alloc *k, uint32_t x, uint32_t y, int sign)
{
	uint64_t wx = cache_ref_alloc_weight(k, x), wy = cache_ref_alloc_weight(k, y);

	return sign > 0 ? wx > wy : wx < wy;
}

static void sift(struct cache_ref_alloc *k, uint64_t i, int sign)
{
	uint32_t *h = k->heap;

	for (uint64_t c; (c = 2 * i + 1) < k->heap_used; i = c) {
		uint32_t x = h[i];

		if (c + 1 < k->heap_used && above(k, h[c + 1], h[c], sign))
			c++;
		if (!above(k, h[c], x, sign))
			break;
		h[i] = h[c];
		h[c] = x;
	}
}

static void heap_add(struct cache_ref_alloc *k, uint32_t b)
{
	uint64_t i = k->heap_used++;

	k->heap[i] = b;
	while (i && above(k, k->heap[i], k->heap[(i - 1) / 2], 1)) {
		uint32_t x = k->heap[i];

		k->heap[i] = k->heap[(i - 1) / 2];
		k->heap[(i - 1) / 2] = x;
		i = (i - 1) / 2;
	}
}

/*
 * The heap's choice is unique if weights differ; for equal weights a test may give its own.
 * Both lists are compared before any gen is incremented.
 */
static void follow(struct cache_ref_alloc *k, uint32_t *victim, int64_t n)
{
	k->strayed |= n != (int64_t)k->nfollow;
	for (int64_t i = 0; !k->strayed && i < n; i++) {
		uint32_t b = k->follow[i];

		k->strayed = b >= k->nbuckets || !can_invalidate(k, b) ||
			     cache_ref_alloc_weight(k, b) != cache_ref_alloc_weight(k, victim[-i]);
	}
	for (int64_t i = 0; !k->strayed && i < n; i++)
		victim[-i] = k->follow[i];
}

static bool invalidate_lru(struct cache_ref_alloc *k)
{
	uint32_t *victim;
	int64_t n = 0;

	k->heap_used = 0;
	for (uint64_t b = k->first_bucket; b < k->nbuckets; b++) {
		if (!can_invalidate(k, b))
			continue;
		if (k->heap_used < k->heap_size) {
			heap_add(k, b);
		} else if (above(k, k->heap[0], b, 1)) {
			k->heap[0] = b;
			sift(k, 0, 1);
		}
	}
	for (uint64_t i = k->heap_used / 2; i--;)
		sift(k, i, -1);
	/* popped ones are stored behind the heap, the first one last */
	victim = k->heap + k->heap_used - 1;
	for (; n < (int64_t)(k->free_inc.size - k->free_inc.used) && k->heap_used; n++) {
		uint32_t b = k->heap[0];

		k->heap[0] = k->heap[--k->heap_used];
		sift(k, 0, -1);
		victim[-n] = b;
	}
	if (k->follow)
		follow(k, victim, n);
	for (int64_t i = 0; i < n; i++)
		invalidate_one(k, victim[-i]);
	return full(&k->free_inc);
}

static bool invalidate_fifo(struct cache_ref_alloc *k)
{
	uint64_t checked = 0;

	while (!full(&k->free_inc)) {
		uint64_t b;

		if (k->fifo_last_bucket < k->first_bucket || k->fifo_last_bucket >= k->nbuckets)
			k->fifo_last_bucket = k->first_bucket;
		b = k->fifo_last_bucket++;
		if (can_invalidate(k, b))
			invalidate_one(k, b);
		if (++checked >= k->nbuckets)
			return false;
	}
	return true;
}

static bool invalidate_random(struct cache_ref_alloc *k)
{
	uint64_t checked = 0;

	while (!full(&k->free_inc)) {
		uint64_t b = cache_rng_u64(&k->rng) % (k->nbuckets - k->first_bucket) +
			     k->first_bucket;

		if (can_invalidate(k, b))
			invalidate_one(k, b);
		if (++checked >= k->nbuckets / 2)
			return false;
	}
	return true;
}

static void want_gc(struct cache_ref_alloc *k)
{
	k->invalidate_needs_gc = true;
	if (k->ops && k->ops->need_gc)
		k->ops->need_gc(k->ctx);
}

void cache_ref_alloc_invalidate(struct cache_ref_alloc *k)
{
	static bool (*const run[])(struct cache_ref_alloc *) = {
		invalidate_lru, invalidate_fifo, invalidate_random,
	};

	k->passes++;
	if (!run[k->opts.policy](k))
		want_gc(k);
}

bool cache_ref_alloc_push(struct cache_ref_alloc *k, uint64_t b)
{
	if (push(&k->free[CACHE_RESERVE_PRIO], b))
		return true;
	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		if (push(&k->free[i], b))
			return true;
	return false;
}

int cache_ref_alloc_commit(struct cache_ref_alloc *k)
{
	int ret = -ENOMEM;

	if (k->free[CACHE_RESERVE_PRIO].used + k->free[CACHE_RESERVE_NONE].used >=
	    k->opts.prio_buckets)
		ret = k->ops && k->ops->commit_gens ? k->ops->commit_gens(k->ctx) : 0;
	else if (k->opts.flavour == CACHE_ALLOC_OLDER)
		return CACHE_ALLOC_WAIT_RESERVE;
	if (ret && ret != -ENOMEM) {
		k->io_disabled = true;
		return ret;
	}
	k->commits += !ret;
	k->refused = ret && !k->opts.hand_out_unwritten;
	if (!k->refused)
		k->phase = CACHE_ALLOC_DRAIN;
	if (ret)
		want_gc(k);
	return CACHE_ALLOC_RAN;
}

static bool waits_for_gc(const struct cache_ref_alloc *k)
{
	if (k->invalidate_needs_gc)
		return true;
	return !k->gc_mark_valid && !(k->gc_runs && k->opts.flavour == CACHE_ALLOC_NEWEST);
}

static int step_commit(struct cache_ref_alloc *k)
{
	if (k->prio_blocked)
		return CACHE_ALLOC_WAIT_PRIO;
	if (k->opts.sync && full(&k->free_inc)) {
		if (k->refused && waits_for_gc(k))
			return CACHE_ALLOC_WAIT_GC;
		return cache_ref_alloc_commit(k);
	}
	k->phase = k->opts.sync ? CACHE_ALLOC_INVALIDATE : CACHE_ALLOC_DRAIN;
	return CACHE_ALLOC_RAN;
}

int cache_ref_alloc_step(struct cache_ref_alloc *k)
{
	bool all_full = true;
	uint64_t b;

	if (k->io_disabled)
		return -EIO;
	if (k->phase == CACHE_ALLOC_COMMIT)
		return step_commit(k);
	if (k->phase == CACHE_ALLOC_INVALIDATE) {
		if (waits_for_gc(k))
			return CACHE_ALLOC_WAIT_GC;
		k->phase = CACHE_ALLOC_COMMIT;
		cache_ref_alloc_invalidate(k);
		return CACHE_ALLOC_RAN;
	}
	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		all_full &= full(&k->free[i]);
	if (!k->free_inc.used)
		k->phase = CACHE_ALLOC_INVALIDATE;
	else if (all_full)
		return CACHE_ALLOC_WAIT_SPACE;
	else if (cache_ref_alloc_pop(&k->free_inc, &b))
		cache_ref_alloc_push(k, b);
	return CACHE_ALLOC_RAN;
}

int cache_ref_alloc_get(struct cache_ref_alloc *k, enum cache_reserve reserve, uint64_t *b)
{
	struct cache_ref_alloc_bucket *r;

	if (k->io_disabled && k->opts.flavour != CACHE_ALLOC_OLDER)
		return -EIO;
	if (!cache_ref_alloc_pop(&k->free[CACHE_RESERVE_NONE], b) &&
	    !cache_ref_alloc_pop(&k->free[reserve], b))
		return -EAGAIN;
	r = &k->b[*b];
	r->sectors = k->bucket_sectors & CACHE_GC_SECTORS_MAX;
	r->mark = reserve <= CACHE_RESERVE_PRIO ? CACHE_GC_MARK_METADATA :
						  CACHE_GC_MARK_RECLAIMABLE;
	r->prio = reserve <= CACHE_RESERVE_PRIO ? CACHE_BTREE_PRIO : CACHE_INITIAL_PRIO;
	k->avail -= !!k->avail;
	return 0;
}

void cache_ref_alloc_free(struct cache_ref_alloc *k, uint64_t b)
{
	k->b[b].mark = CACHE_GC_MARK_NONE;
	k->b[b].sectors = 0;
	k->avail += k->avail < k->nbuckets;
}

void cache_ref_alloc_gc_begin(struct cache_ref_alloc *k)
{
	for (uint64_t b = k->first_bucket; b < k->nbuckets; b++) {
		k->b[b].last_gc = k->b[b].gen;
		if (k->opts.flavour == CACHE_ALLOC_NEWEST && can_invalidate(k, b))
			k->b[b].reclaimable_in_gc = true;
		if (!k->b[b].pin)
			k->b[b].mark = k->b[b].sectors = 0;
	}
	k->gc_mark_valid = false;
	k->gc_runs = true;
}

void cache_ref_alloc_gc_finish(struct cache_ref_alloc *k)
{
	k->gc_mark_valid = true;
	k->gc_runs = false;
	k->invalidate_needs_gc = false;
	k->avail = 0;
	k->need_gc = 0;
	for (uint64_t b = k->first_bucket; b < k->nbuckets; b++) {
		uint8_t lag = k->b[b].gen - k->b[b].last_gc;

		k->need_gc = lag > k->need_gc ? lag : k->need_gc;
		k->b[b].reclaimable_in_gc = false;
		k->avail += !k->b[b].pin && k->b[b].mark <= CACHE_GC_MARK_RECLAIMABLE;
	}
	k->gcs++;
}

void cache_ref_alloc_seed_free(struct cache_ref_alloc *k)
{
	for (uint64_t b = k->first_bucket; b < k->nbuckets; b++) {
		if (full(&k->free[CACHE_RESERVE_PRIO]) && full(&k->free[CACHE_RESERVE_BTREE]))
			break;
		if (!can_invalidate(k, b) || k->b[b].mark)
			continue;
		bump(k, b);
		if (!push(&k->free[CACHE_RESERVE_PRIO], b))
			push(&k->free[CACHE_RESERVE_BTREE], b);
	}
}
