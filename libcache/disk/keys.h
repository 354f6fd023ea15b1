/* SPDX-License-Identifier: GPL-2.0-only */
/* Sorted lists of keys, and how a later list overrides an earlier one (format 6.5, 6.6). */
#ifndef LIBCACHE_KEYS_H
#define LIBCACHE_KEYS_H

#include <stddef.h>

#include "format/bkey.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Set to zero before the first use; the caller frees the memory. */
struct cache_keys {
	struct cache_bkey *k;
	size_t n, capacity;
};

/* A key with one pointer; where there are millions of them, it is small. */
struct cache_packed_key {
	uint64_t high, low, ptr;
};

static inline struct cache_bkey cache_key_unpack(const struct cache_packed_key *p)
{
	struct cache_bkey k = { .high = p->high, .low = p->low, .ptr = { p->ptr } };

	return k;
}

/* Makes space for @n more keys. 0 or -ENOMEM. */
int cache_keys_reserve(struct cache_keys *keys, size_t n);

/* 0 or -ENOMEM. */
int cache_keys_push(struct cache_keys *keys, const struct cache_bkey *k);
void cache_keys_fini(struct cache_keys *keys);

/**
 * cache_keys_overlay() - extents of @b hide, cut and split those of @a
 * @a, @b: sorted by start, without overlap inside one list; no key of size 0
 * @out:   the result is appended to it, sorted
 *
 * A key without pointers hides like any other and stays in the result.
 * Return: 0 or -ENOMEM.
 */
int cache_keys_overlay(const struct cache_keys *a, const struct cache_keys *b,
		       struct cache_keys *out);

/* Merges interior keys: all are kept, sorted by position; if equal, those of @b come first. */
int cache_keys_merge(const struct cache_keys *a, const struct cache_keys *b,
		     struct cache_keys *out);

/**
 * cache_keys_settle() - sort keys that are in any order, later ones overriding earlier ones
 * @keys:  in the order they were made; replaced by the sorted result; unspecified after an
 *         error
 * @level: 0: as overlay; else: as merge
 *
 * Memory: that of @keys once more. Return: 0 or -ENOMEM.
 */
int cache_keys_settle(struct cache_keys *keys, unsigned level);

/**
 * cache_keys_fold() - merge runs of sorted keys into one, later runs overriding earlier ones
 * @keys:  the runs, one after another; replaced by the result
 * @start: where each of the @nruns runs begins in @keys; overwritten
 * @spare: working memory; its content is overwritten
 * @level: 0: as overlay; else: as merge
 *
 * Neighbours are merged in pairs, so the time is keys times the logarithm of runs.
 * Return: 0 or -ENOMEM; @keys is then unspecified.
 */
int cache_keys_fold(struct cache_keys *keys, size_t *start, size_t nruns,
		    struct cache_keys *spare, unsigned level);

/* Whether extents are sorted by start and do not overlap; interior: by position. */
bool cache_keys_are_sorted(const struct cache_keys *keys, unsigned level);

#ifdef __cplusplus
}
#endif
#endif
