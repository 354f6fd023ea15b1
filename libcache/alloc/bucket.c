// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storage and aging of the bucket table. The accessors are in bucket.h.
 *
 * A rescale is O(1): it increments the epoch and scans hist up to the least priority still
 * stored. Only if that is beyond the counted window the table is read again; from 8 Mi buckets
 * on the window covers every value.
 */
#include "alloc/bucket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/huge_pages.h"

_Static_assert(sizeof(struct cache_bucket) == 8, "eight bytes per bucket");

#define RECORD_ALIGN	64	/* a cache line, and the widest vector */
#define HIST_VALUES	65536u	/* number of possible stored priorities */
#define HIST_LEN_MIN	1024u

static uint32_t hist_len_for(uint64_t nbuckets)
{
	uint64_t len = cache_max_u64(HIST_LEN_MIN, nbuckets / 128);

	return cache_min_u64(len, HIST_VALUES);
}

int cache_buckets_init(struct cache_buckets *t, uint64_t nbuckets,
		       uint32_t first_bucket, uint32_t bucket_sectors)
{
	size_t bytes;

	memset(t, 0, sizeof(*t));
	if (!nbuckets || nbuckets > CACHE_NBUCKETS_MAX ||
	    first_bucket >= nbuckets || !bucket_sectors)
		return -EINVAL;
	bytes = (nbuckets * sizeof(*t->rec) + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1ull);
	t->hist_len = hist_len_for(nbuckets);
	t->rec = aligned_alloc(RECORD_ALIGN, bytes);
	t->hist = calloc(t->hist_len, sizeof(*t->hist));
	if (!t->rec || !t->hist) {
		cache_buckets_fini(t);
		return -ENOMEM;
	}
	cache_huge_pages(t->rec, bytes);
	memset(t->rec, 0, bytes);
	t->nbuckets = nbuckets;
	t->first_bucket = first_bucket;
	t->bucket_sectors = bucket_sectors;
	t->hist[0] = nbuckets - first_bucket;
	t->hist_min = HIST_VALUES;
	t->hist_valid = true;
	return 0;
}

void cache_buckets_fini(struct cache_buckets *t)
{
	if (!t)
		return;
	free(t->rec);
	free(t->hist);
	memset(t, 0, sizeof(*t));
}

uint64_t cache_buckets_bytes(const struct cache_buckets *t)
{
	return t->nbuckets * sizeof(*t->rec) + t->hist_len * sizeof(*t->hist);
}

/* Least stored prio above the epoch, of unpinned buckets from first_bucket on. */
static uint32_t least_stored(const struct cache_buckets *t)
{
	uint32_t least = CACHE_BTREE_PRIO;

	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		uint32_t p = t->rec[b].prio;
		bool out = t->rec[b].pin || p <= t->epoch;

		p = out ? CACHE_BTREE_PRIO : p;
		least = p < least ? p : least;
	}
	return least;
}

/* Counts the table again; the window then starts at the least priority. */
static void recount(struct cache_buckets *t)
{
	t->hist_min = least_stored(t);
	t->hist_base = cache_min_u64(t->hist_min, HIST_VALUES - t->hist_len);
	memset(t->hist, 0, t->hist_len * sizeof(*t->hist));
	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		uint32_t i = (uint32_t)t->rec[b].prio - t->hist_base;

		if (!t->rec[b].pin && i < t->hist_len)
			t->hist[i]++;
	}
	t->hist_valid = true;
}

/* The least counted priority that still ages, or the end of the window. */
static uint32_t hist_least(struct cache_buckets *t)
{
	uint32_t end = t->hist_base + t->hist_len, p;

	p = cache_max_u64(t->hist_min, t->epoch + 1);
	p = cache_max_u64(p, t->hist_base);
	while (p < end && !t->hist[p - t->hist_base])
		p++;
	t->hist_min = p;
	return p;
}

static uint32_t least_to_age(struct cache_buckets *t)
{
	uint32_t least;

	if (t->hist_valid) {
		least = hist_least(t);
		if (least < t->hist_base + t->hist_len)
			return least;
		if (t->hist_base + t->hist_len == HIST_VALUES)
			return CACHE_BTREE_PRIO;
	}
	recount(t);
	return t->hist_min;
}

void cache_buckets_rescale(struct cache_buckets *t)
{
	uint32_t least;

	/* CACHE_INITIAL_PRIO must stay below CACHE_BTREE_PRIO when stamped */
	if (t->epoch + 1 + CACHE_INITIAL_PRIO >= CACHE_BTREE_PRIO)
		cache_buckets_settle(t);
	least = least_to_age(t);
	t->epoch++;
	t->version++;
	t->min_prio = least >= CACHE_BTREE_PRIO ? CACHE_BTREE_PRIO : least - t->epoch;
}

void cache_buckets_settle(struct cache_buckets *t)
{
	uint32_t epoch = t->epoch;

	if (!epoch)
		return;
	for (uint64_t b = 0; b < t->nbuckets; b++)
		t->rec[b].prio = cache_bucket_prio_of(&t->rec[b], epoch);
	t->epoch = 0;
	t->hist_valid = false;
	t->version++;
}

void cache_bucket_set_pin(struct cache_buckets *t, uint64_t b, uint32_t pin)
{
	struct cache_bucket *r = &t->rec[b];

	if (pin && !r->pin) {
		cache_bucket_pin_get(t, b);
	} else if (!pin && r->pin) {
		r->pin = 1;
		cache_bucket_pin_drop(t, b);
	}
	r->pin = pin < CACHE_PIN_MAX ? pin : CACHE_PIN_MAX;
	t->version++;
}
