// SPDX-License-Identifier: GPL-2.0-only
/* Buckets out of the queues, one at a time or one from each member of a set. */
#include <errno.h>

#include "alloc/alloc.h"
#include "alloc/policy.h"

/* The records of buckets at the front of a queue are prefetched this far ahead. */
#define PREFETCH_AHEAD	8

static bool ring_has(const struct cache_ring *r, uint32_t bucket)
{
	for (uint32_t i = 0; i < r->used; i++)
		if (cache_ring_at(r, i) == bucket)
			return true;
	return false;
}

/* D2, the driver's debug check: whether the bucket is still in another queue. */
static __attribute__((cold, noinline))
bool known_elsewhere(const struct cache_alloc *a, uint32_t b)
{
	for (uint32_t i = 0; i < a->opts.prio_buckets; i++)
		if ((a->prio_current && a->prio_current[i] == b) ||
		    (a->prio_previous && a->prio_previous[i] == b))
			return true;
	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		if (ring_has(&a->free[i], b))
			return true;
	return ring_has(&a->free_inc, b);
}

static void mark_allocated(struct cache_alloc *a, enum cache_reserve reserve, uint32_t b)
{
	struct cache_bucket *r = &a->buckets->rec[b];
	struct cache_alloc *count;
	uint16_t used = a->buckets->bucket_sectors & CACHE_GC_SECTORS_MAX;

	/* pinned, so prio is stored as it is */
	if (reserve <= CACHE_RESERVE_PRIO) {
		r->mark = used << 2 | CACHE_GC_MARK_METADATA;
		r->prio = CACHE_BTREE_PRIO;
	} else {
		r->mark = used << 2 | CACHE_GC_MARK_RECLAIMABLE;
		r->prio = CACHE_INITIAL_PRIO;
	}
	count = cache_alloc_leader(a);
	count->avail_nbuckets -= !!count->avail_nbuckets;
	a->stats.allocated++;
}

static bool pop(struct cache_alloc *a, enum cache_reserve reserve, uint32_t *b)
{
	struct cache_ring *none = &a->free[CACHE_RESERVE_NONE];

	if (!cache_ring_pop(none, b))
		return cache_ring_pop(&a->free[reserve], b);
	__builtin_prefetch(&a->buckets->rec[none->slot[(none->head + PREFETCH_AHEAD) &
						       none->mask]], 1);
	return true;
}

static __attribute__((cold, noinline))
int fail(struct cache_alloc *a, enum cache_reserve reserve)
{
	a->stats.failed++;
	if (a->ops->trace)
		a->ops->trace(a->ctx, CACHE_ALLOC_EV_FAIL, 0, reserve);
	return -EAGAIN;
}

int cache_alloc_get(struct cache_alloc *a, enum cache_reserve reserve, uint64_t *bucket)
{
	uint32_t b;

	if ((unsigned int)reserve >= CACHE_RESERVE_NR)
		return -EINVAL;
	if (a->io_disabled && a->opts.flavour != CACHE_ALLOC_OLDER)
		return -EIO;
	if (!pop(a, reserve, &b))
		return fail(a, reserve);
	if (a->buckets->rec[b].pin != 1 || (a->opts.debug && known_elsewhere(a, b)))
		return -EUCLEAN;
	mark_allocated(a, reserve, b);
	if (a->ops->trace)
		a->ops->trace(a->ctx, CACHE_ALLOC_EV_ALLOC, b, reserve);
	*bucket = b;
	return 0;
}

int cache_alloc_get_wait(struct cache_alloc *a, enum cache_reserve reserve,
			 uint64_t *bucket)
{
	int ret;

	if ((unsigned int)reserve >= CACHE_RESERVE_NR)
		return -EINVAL;
	if (!a->free[CACHE_RESERVE_NONE].used && !a->free[reserve].used) {
		ret = cache_alloc_refill(a);
		if (ret < 0)
			return ret;
	}
	return cache_alloc_get(a, reserve, bucket);
}

static void put_back(struct cache_alloc *const *members, struct cache_alloc_ptr *ptr,
		     unsigned int n)
{
	while (n--) {
		cache_alloc_free(members[n], ptr[n].bucket);
		cache_alloc_put(members[n], ptr[n].bucket);
	}
}

int cache_alloc_set_get(struct cache_alloc *const *members, unsigned int nmembers,
			enum cache_reserve reserve, unsigned int n, bool wait,
			struct cache_alloc_ptr *ptr)
{
	unsigned int i;
	int ret;

	if (!n || n > nmembers || n > CACHE_ALLOC_PTRS_MAX ||
	    (n > 1 && members[0]->opts.flavour != CACHE_ALLOC_OLDER))
		return -EINVAL;
	for (i = 0; i < n; i++) {
		struct cache_alloc *a = members[i];
		uint64_t b;

		ret = wait ? cache_alloc_get_wait(a, reserve, &b) :
			     cache_alloc_get(a, reserve, &b);
		if (ret) {
			put_back(members, ptr, i);
			return ret;
		}
		ptr[i] = (struct cache_alloc_ptr) {
			.bucket = b, .sector = b * a->buckets->bucket_sectors,
			.dev = a->opts.nr_this_dev, .gen = cache_bucket_gen(a->buckets, b),
		};
	}
	return 0;
}
