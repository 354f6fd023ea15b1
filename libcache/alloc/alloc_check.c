// SPDX-License-Identifier: GPL-2.0-only
/* The dynamic invariants (behaviour 10) of one allocator. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "alloc/alloc.h"
#include "alloc/policy.h"
#include "base/bits.h"

#define BROKEN(err, ...) cache_err_set(err, -EUCLEAN, 0, __VA_ARGS__)

/* D2: a bucket is in one place; D3: pinned once; D4: never dirty or metadata. */
static int check_ring(const struct cache_alloc *a, const struct cache_ring *ring,
		      const char *name, uint64_t *seen, struct cache_err *err)
{
	const struct cache_buckets *t = a->buckets;

	if (ring->used > ring->size)
		return BROKEN(err, "D8: %s holds %u of at most %u", name, ring->used,
			      ring->size);
	for (uint32_t i = 0; i < ring->used; i++) {
		uint32_t b = cache_ring_at(ring, i);

		if (b < t->first_bucket || b >= t->nbuckets)
			return BROKEN(err, "D2: %s holds bucket %u, past the table", name, b);
		if (cache_bit_test_and_set(seen, b))
			return BROKEN(err, "D2: bucket %u is queued twice", b);
		if (t->rec[b].pin != 1)
			return BROKEN(err, "D3: bucket %u in %s has pin %u, expected 1", b,
				      name, t->rec[b].pin);
		if (cache_bucket_mark(t, b) > CACHE_GC_MARK_RECLAIMABLE)
			return BROKEN(err, "D4: bucket %u in %s is dirty or metadata", b, name);
	}
	return 0;
}

static int check_queues(const struct cache_alloc *a, struct cache_err *err)
{
	static const char *const names[CACHE_RESERVE_NR] = {
		"free[BTREE]", "free[PRIO]", "free[MOVINGGC]", "free[NONE]",
	};
	uint64_t *seen = cache_bits_new(a->buckets->nbuckets);
	int ret = 0;

	if (!seen)
		return -ENOMEM;
	for (int i = 0; !ret && i < CACHE_RESERVE_NR; i++)
		ret = check_ring(a, &a->free[i], names[i], seen, err);
	if (!ret)
		ret = check_ring(a, &a->free_inc, "free_inc", seen, err);
	for (uint32_t i = 0; !ret && i < a->opts.prio_buckets; i++) {
		uint64_t b = a->prio_current ? a->prio_current[i] : 0;

		if (b && b < a->buckets->nbuckets && cache_bit(seen, b))
			ret = BROKEN(err, "D2: prio bucket %" PRIu64 " is queued", b);
	}
	free(seen);
	return ret;
}

static int check_records(const struct cache_alloc *a, struct cache_err *err)
{
	const struct cache_buckets *t = a->buckets;

	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		uint8_t lag = cache_bucket_gc_gen(t, b);

		if (lag > CACHE_GC_GEN_MAX)
			return BROKEN(err, "D6: bucket %" PRIu64 " is %u gens ahead", b, lag);
		if (a->gc_mark_valid && lag > a->need_gc)
			return BROKEN(err, "D6: need_gc is %u, bucket %" PRIu64 " has %u",
				      a->need_gc, b, lag);
		if (a->gc_mark_valid && !t->rec[b].pin && !cache_bucket_mark(t, b) &&
		    cache_bucket_sectors_used(t, b))
			return BROKEN(err, "D11: bucket %" PRIu64 " has sectors and no mark", b);
	}
	return 0;
}

static int check_state(const struct cache_alloc *a, struct cache_err *err)
{
	if (a->avail_nbuckets > cache_alloc_set_nbuckets(a))
		return BROKEN(err, "D9: %" PRIu64 " buckets available", a->avail_nbuckets);
	if (a->opts.sync && a->phase == CACHE_ALLOC_DRAIN && a->refused)
		return BROKEN(err, "D1: draining after a refused prio write");
	if (a->refused && a->phase != CACHE_ALLOC_COMMIT)
		return BROKEN(err, "D14: a refused prio write was forgotten");
	return 0;
}

/* Whether the counts behind min_prio agree with the records. */
static int check_hist(const struct cache_buckets *t, struct cache_err *err)
{
	uint32_t *hist;
	int ret = 0;

	if (!t->hist_valid)
		return 0;
	hist = calloc(t->hist_len, sizeof(*hist));
	if (!hist)
		return -ENOMEM;
	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		uint32_t p = t->rec[b].prio;

		if (!t->rec[b].pin && p - t->hist_base < t->hist_len)
			hist[p - t->hist_base]++;
		if (!t->rec[b].pin && p > t->epoch && p < t->hist_min)
			ret = BROKEN(err, "hist: prio %u is below the least, %u", p, t->hist_min);
	}
	for (uint32_t i = 0; !ret && i < t->hist_len; i++)
		if (hist[i] != t->hist[i])
			ret = BROKEN(err, "hist: %u buckets at %u, counted %u", hist[i],
				     i + t->hist_base, t->hist[i]);
	free(hist);
	return ret;
}

int cache_alloc_check(const struct cache_alloc *a, struct cache_err *err)
{
	int ret = check_queues(a, err);

	if (!ret)
		ret = check_records(a, err);
	if (!ret)
		ret = check_state(a, err);
	if (!ret)
		ret = check_hist(a->buckets, err);
	if (!ret && a->policy->check)
		ret = a->policy->check(a, err);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for a check") : ret;
}
