// SPDX-License-Identifier: GPL-2.0-only
/* FIFO: a cursor cycles through the buckets (behaviour 5.5). */
#include "alloc/policy.h"

static bool fifo_invalidate(struct cache_alloc *a)
{
	const struct cache_buckets *t = a->buckets;
	uint64_t checked = 0, b = a->fifo_last_bucket;
	bool dry = false;

	while (!dry && !cache_ring_full(&a->free_inc)) {
		if (b < t->first_bucket || b >= t->nbuckets)
			b = t->first_bucket;
		if (cache_may_invalidate(a, b))
			cache_invalidate_one(a, b);
		b++;
		/* the driver gives up here even if that one filled the queue */
		dry = ++checked >= t->nbuckets;
	}
	a->fifo_last_bucket = b;
	return !dry;
}

const struct cache_policy_ops cache_policy_fifo = {
	.invalidate = fifo_invalidate,
};
