// SPDX-License-Identifier: GPL-2.0-only
/* The allocator's state: queues, gens, priorities, marks. Its steps are in alloc_step.c. */
#include "alloc/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/checked.h"
#include "alloc/policy.h"
#include "format/super.h"

#define NBUCKETS_MIN		513	/* with fewer, the driver's queues would be empty */
#define BTREE_FIRST_START	8
#define RESCALES_PER_CACHE	1024
#define GC_PER_CACHE		16

static const struct cache_policy_ops *const policies[CACHE_POLICY_NR] = {
	[CACHE_POLICY_LRU]    = &cache_policy_lru,
	[CACHE_POLICY_FIFO]   = &cache_policy_fifo,
	[CACHE_POLICY_RANDOM] = &cache_policy_random,
};

static const struct cache_alloc_ops no_ops;

const char *cache_policy_name(enum cache_policy policy)
{
	return (unsigned int)policy < CACHE_POLICY_NR ? cache_replacement_name(policy) : NULL;
}

static int ring_init(struct cache_ring *r, uint64_t size)
{
	uint64_t slots = cache_roundup_pow2(size);

	r->slot = calloc(slots, sizeof(*r->slot));
	r->size = size;
	r->mask = slots - 1;
	return r->slot ? 0 : -ENOMEM;
}

/* Capacities of the free queues, in @size, and of free_inc. */
static uint64_t queue_sizes(const struct cache_alloc_opts *o, uint64_t nbuckets,
			    uint64_t size[CACHE_RESERVE_NR])
{
	uint64_t nfree = cache_roundup_pow2(nbuckets) >> 10;
	uint32_t btree = o->btree_buckets ? o->btree_buckets :
			 o->njournal ? o->njournal : BTREE_FIRST_START;

	size[CACHE_RESERVE_BTREE] = cache_fifo_size(btree);
	size[CACHE_RESERVE_PRIO] = o->prio_buckets;
	size[CACHE_RESERVE_MOVINGGC] = cache_fifo_size(nfree);
	size[CACHE_RESERVE_NONE] = cache_fifo_size(nfree);
	return cache_fifo_size(4 * nfree);
}

uint64_t cache_alloc_queue_buckets(const struct cache_alloc_opts *o, uint64_t nbuckets)
{
	uint64_t size[CACHE_RESERVE_NR], n = queue_sizes(o, nbuckets, size);

	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		n += size[i];
	return n;
}

static int rings_init(struct cache_alloc *a)
{
	uint64_t size[CACHE_RESERVE_NR];
	uint64_t free_inc = queue_sizes(&a->opts, a->buckets->nbuckets, size);

	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		if (ring_init(&a->free[i], size[i]))
			return -ENOMEM;
	return ring_init(&a->free_inc, free_inc);
}

int cache_alloc_init(struct cache_alloc *a, struct cache_buckets *buckets,
		     const struct cache_alloc_opts *opts,
		     const struct cache_alloc_ops *ops, void *ctx)
{
	int ret;

	memset(a, 0, sizeof(*a));
	if ((unsigned int)opts->policy >= CACHE_POLICY_NR || !opts->prio_buckets ||
	    opts->prio_buckets > buckets->nbuckets || opts->njournal > buckets->nbuckets ||
	    opts->btree_buckets > buckets->nbuckets ||
	    (unsigned int)opts->flavour > CACHE_ALLOC_NEWEST ||
	    buckets->nbuckets < NBUCKETS_MIN)
		return -EINVAL;
	a->buckets = buckets;
	a->opts = *opts;
	a->policy = policies[opts->policy];
	a->ops = ops ? ops : &no_ops;
	a->ctx = ctx;
	cache_rng_init(&a->rng, opts->seed);
	if (opts->flavour == CACHE_ALLOC_NEWEST)
		a->reclaimable_in_gc = cache_bits_new(buckets->nbuckets);
	ret = rings_init(a);
	if (opts->flavour == CACHE_ALLOC_NEWEST && !a->reclaimable_in_gc)
		ret = -ENOMEM;
	if (!ret && a->policy->init)
		ret = a->policy->init(a);
	if (ret)
		cache_alloc_fini(a);
	return ret;
}

void cache_alloc_fini(struct cache_alloc *a)
{
	if (!a || !a->buckets)
		return;
	if (a->policy->fini)
		a->policy->fini(a);
	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		free(a->free[i].slot);
	free(a->free_inc.slot);
	free(a->reclaimable_in_gc);
	memset(a, 0, sizeof(*a));
}

uint64_t cache_alloc_bytes(const struct cache_alloc *a)
{
	uint64_t slots = a->free_inc.mask + 1ull, bytes;

	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		slots += a->free[i].mask + 1ull;
	bytes = sizeof(*a) + slots * sizeof(uint32_t);
	if (a->reclaimable_in_gc)
		bytes += cache_bits_bytes(a->buckets->nbuckets);
	return a->policy->bytes ? bytes + a->policy->bytes(a) : bytes;
}

uint8_t cache_alloc_inc_gen(struct cache_alloc *a, uint64_t b)
{
	struct cache_bucket *r = &a->buckets->rec[b];
	uint8_t lag = ++r->gen - r->last_gc;

	if (lag > a->need_gc)
		a->need_gc = lag;
	return r->gen;
}

void cache_alloc_opts_of(struct cache_alloc_opts *o, const struct cache_driver *d,
			 uint64_t nbuckets)
{
	o->flavour = d->several_caches ? CACHE_ALLOC_OLDER :
		     d->invalidates_during_gc ? CACHE_ALLOC_NEWEST : CACHE_ALLOC_NEWER;
	o->btree_buckets = cache_driver_btree_buckets(d, nbuckets, o->njournal);
}

int cache_alloc_join(struct cache_alloc *const *members, unsigned int nmembers)
{
	if (!nmembers || nmembers > CACHE_ALLOC_PTRS_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < nmembers; i++)
		if (members[i]->opts.flavour != CACHE_ALLOC_OLDER)
			return -EINVAL;
	for (unsigned int i = 0; i < nmembers; i++) {
		members[i]->members = members;
		members[i]->nmembers = nmembers;
	}
	return 0;
}

/* Members of the set, @a alone included. */
static unsigned int nmembers(const struct cache_alloc *a)
{
	return a->nmembers ? a->nmembers : 1;
}

static struct cache_alloc *member(struct cache_alloc *a, unsigned int i)
{
	return a->nmembers ? a->members[i] : a;
}

uint64_t cache_alloc_set_nbuckets(const struct cache_alloc *a)
{
	uint64_t n = a->nmembers ? 0 : a->buckets->nbuckets;

	for (unsigned int i = 0; i < a->nmembers; i++)
		n += a->members[i]->buckets->nbuckets;
	return n;
}

/* All members age together, and then have the same min_prio. */
static void rescale_all(struct cache_alloc *a)
{
	uint32_t least = UINT32_MAX;

	for (unsigned int i = 0; i < nmembers(a); i++) {
		struct cache_buckets *t = member(a, i)->buckets;

		cache_buckets_rescale(t);
		least = t->min_prio < least ? t->min_prio : least;
	}
	for (unsigned int i = 0; i < nmembers(a); i++) {
		struct cache_alloc *m = member(a, i);

		m->buckets->min_prio = least;
		if (m->policy->rescaled)
			m->policy->rescaled(m);
		m->stats.rescales++;
	}
}

bool cache_alloc_rescale(struct cache_alloc *a, uint32_t sectors)
{
	struct cache_alloc *count = cache_alloc_leader(a);
	uint64_t next;

	/* the driver's counter is an int that wraps */
	count->rescale = (int32_t)((uint32_t)count->rescale - sectors);
	if (count->rescale >= 0)
		return false;
	next = cache_alloc_set_nbuckets(a) * a->buckets->bucket_sectors / RESCALES_PER_CACHE;
	count->rescale = (int32_t)((uint32_t)count->rescale + (uint32_t)next);
	rescale_all(a);
	return true;
}

void cache_alloc_hit(struct cache_alloc *a, uint64_t b)
{
	struct cache_buckets *t = a->buckets;
	uint16_t prio = cache_bucket_prio(t, b);

	/* rare: a hit makes a bucket younger, unless its weight had wrapped */
	if (prio > CACHE_INITIAL_PRIO || prio < t->min_prio)
		t->version++;
	cache_bucket_touch(t, b, CACHE_INITIAL_PRIO);
}

void cache_alloc_dirty(struct cache_alloc *a, uint64_t b)
{
	struct cache_bucket *r = &a->buckets->rec[b];

	r->mark = (r->mark & ~3u) | CACHE_GC_MARK_DIRTY;
}

bool cache_alloc_can_invalidate(const struct cache_alloc *a, uint64_t b)
{
	return cache_may_invalidate(a, b);
}

static void offer(struct cache_alloc *a, uint64_t b)
{
	if (a->policy->offer && !a->buckets->rec[b].pin)
		a->policy->offer(a, b);
}

void cache_alloc_put(struct cache_alloc *a, uint64_t b)
{
	cache_bucket_pin_drop(a->buckets, b);
	offer(a, b);
}

void cache_alloc_free(struct cache_alloc *a, uint64_t b)
{
	struct cache_alloc *count = cache_alloc_leader(a);

	a->buckets->rec[b].mark &= 0x8000;
	if (count->avail_nbuckets < cache_alloc_set_nbuckets(a))
		count->avail_nbuckets++;
	a->stats.freed++;
	offer(a, b);
}

void cache_alloc_prio_block(struct cache_alloc *a)
{
	a->prio_blocked++;
}

void cache_alloc_prio_unblock(struct cache_alloc *a)
{
	if (a->prio_blocked)
		a->prio_blocked--;
}

void cache_alloc_io_disable(struct cache_alloc *a)
{
	a->io_disabled = true;
}

void cache_alloc_gc_begin(struct cache_alloc *a)
{
	struct cache_buckets *t = a->buckets;

	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		t->rec[b].last_gc = t->rec[b].gen;
		if (a->reclaimable_in_gc && cache_may_invalidate(a, b))
			cache_bit_set(a->reclaimable_in_gc, b);
		if (!t->rec[b].pin)
			t->rec[b].mark &= 0x8000;
	}
	a->gc_mark_valid = false;
	a->gc_runs = true;
	t->version++;
}

/* Counts the buckets of one member that can be reclaimed; its worst gen lag goes to need_gc. */
static uint64_t count_available(struct cache_alloc *a)
{
	const struct cache_buckets *t = a->buckets;
	uint64_t avail = 0;
	uint8_t worst = 0;

	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		uint8_t lag = t->rec[b].gen - t->rec[b].last_gc;

		worst = lag > worst ? lag : worst;
		avail += !t->rec[b].pin && !(t->rec[b].mark & 2);
	}
	a->need_gc = worst;
	return avail;
}

/* gc is one pass over the whole set: the buckets of one member are added to the others. */
static void count_all(struct cache_alloc *a)
{
	uint64_t avail = 0;

	for (unsigned int i = 0; i < nmembers(a); i++)
		avail += count_available(member(a, i));
	cache_alloc_leader(a)->avail_nbuckets = avail;
}

int cache_alloc_gc_finish(struct cache_alloc *a, const uint64_t *meta, size_t n)
{
	struct cache_buckets *t = a->buckets;

	for (size_t i = 0; i < n; i++)
		if (meta[i] >= t->nbuckets)
			return -ERANGE;
	for (size_t i = 0; i < n; i++)
		cache_bucket_set_mark(t, meta[i], CACHE_GC_MARK_METADATA);
	t->version++;
	a->sectors_to_gc = t->nbuckets * t->bucket_sectors / GC_PER_CACHE;
	count_all(a);
	if (a->reclaimable_in_gc)
		memset(a->reclaimable_in_gc, 0, cache_bits_bytes(t->nbuckets));
	a->gc_mark_valid = true;
	a->gc_runs = false;
	a->invalidate_needs_gc = false;
	a->stats.gcs++;
	return 0;
}

void cache_alloc_seed_free(struct cache_alloc *a)
{
	struct cache_ring *prio = &a->free[CACHE_RESERVE_PRIO];
	struct cache_ring *btree = &a->free[CACHE_RESERVE_BTREE];
	struct cache_buckets *t = a->buckets;

	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		if (cache_ring_full(prio) && cache_ring_full(btree))
			break;
		if (!cache_alloc_can_invalidate(a, b) || cache_bucket_mark(t, b))
			continue;
		cache_invalidate_bucket(a, b);
		if (!cache_ring_push(prio, b))
			cache_ring_push(btree, b);
	}
}
