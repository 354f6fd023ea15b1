// SPDX-License-Identifier: GPL-2.0-only
/*
 * RANDOM: numbers are drawn and tried (behaviour 5.5). Several are drawn at once, so that their
 * records are fetched together; numbers left over when the queue is full are tried first next
 * time, so the order does not change.
 */
#include "alloc/policy.h"

#define DRAWS	(sizeof(((struct cache_alloc *)0)->draw) / sizeof(uint32_t))

static void draw(struct cache_alloc *a)
{
	const struct cache_buckets *t = a->buckets;
	uint64_t range = t->nbuckets - t->first_bucket;

	for (unsigned int i = 0; i < DRAWS; i++) {
		a->draw[i] = cache_rng_u64(&a->rng) % range + t->first_bucket;
		__builtin_prefetch(&t->rec[a->draw[i]], 1);
	}
	a->draws = DRAWS;
	a->drawn = 0;
}

static bool random_invalidate(struct cache_alloc *a)
{
	const struct cache_buckets *t = a->buckets;
	uint64_t checked = 0;

	while (!cache_ring_full(&a->free_inc)) {
		uint32_t b;

		if (a->drawn == a->draws)
			draw(a);
		b = a->draw[a->drawn++];
		if (cache_may_invalidate(a, b))
			cache_invalidate_one(a, b);
		if (++checked >= t->nbuckets / 2)
			return false;
	}
	return true;
}

const struct cache_policy_ops cache_policy_random = {
	.invalidate = random_invalidate,
};
