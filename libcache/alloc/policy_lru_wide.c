// SPDX-License-Identifier: GPL-2.0-only
/*
 * LRU as the driver does it, with the weights as they are: a heap of the least, the greatest on
 * top. It is used in two rare cases. If no bucket aged, or only buckets with priorities that
 * the driver never gives, min_prio is above CACHE_INITIAL_PRIO and the scale wraps too; then
 * weights have 45 bits. And while gc runs, most buckets may not be taken, and the marks that
 * weights are made of change without notice.
 */
#include "alloc/policy.h"

struct wide {
	uint64_t weight;
	uint64_t bucket;
};

static uint64_t weight_of(const struct cache_buckets *t, uint64_t b)
{
	uint32_t scale = (CACHE_INITIAL_PRIO - t->min_prio) / 8;
	uint32_t bracket = cache_bucket_prio(t, b) - t->min_prio + scale;

	return (uint64_t)bracket * cache_bucket_sectors_used(t, b);
}

static bool heavier(const struct wide *x, const struct wide *y)
{
	return x->weight != y->weight ? x->weight > y->weight : x->bucket > y->bucket;
}

static void sift_down(struct wide *h, size_t n, size_t i)
{
	for (size_t c; (c = 2 * i + 1) < n; i = c) {
		struct wide x = h[i];

		c += c + 1 < n && heavier(&h[c + 1], &h[c]);
		if (!heavier(&h[c], &x))
			break;
		h[i] = h[c];
		h[c] = x;
	}
}

static size_t wide_gather(const struct cache_alloc *a, struct wide *h, size_t want)
{
	const struct cache_buckets *t = a->buckets;
	size_t n = 0;

	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		struct wide w = { .bucket = b };

		if (!cache_may_invalidate(a, b))
			continue;
		w.weight = weight_of(t, b);
		if (n < want) {
			h[n++] = w;
			for (size_t i = n / 2; n == want && i--;)
				sift_down(h, n, i);
		} else if (heavier(&h[0], &w)) {
			h[0] = w;
			sift_down(h, n, 0);
		}
	}
	for (size_t i = n / 2; n < want && i--;)
		sift_down(h, n, i);
	return n;
}

bool cache_lru_invalidate_wide(struct cache_alloc *a, void *space)
{
	size_t want = a->free_inc.size - a->free_inc.used, n, left;
	struct wide *h = space;

	n = want ? wide_gather(a, h, want) : 0;
	for (left = n; left > 1; left--) {
		struct wide x = h[0];

		h[0] = h[left - 1];
		h[left - 1] = x;
		sift_down(h, left - 1, 0);
	}
	for (size_t i = 0; i < n; i++)
		cache_invalidate_one(a, h[i].bucket);
	a->stats.sweeps++;
	return cache_ring_full(&a->free_inc);
}
