/* SPDX-License-Identifier: GPL-2.0-only */
/* Sorted lists of keys, and how a later list overrides an earlier one (format 6.5, 6.6). */
#ifndef LIBCACHE_KEYS_H
#define LIBCACHE_KEYS_H

#include <stddef.h>

#include "format/bkey.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero it to begin; the caller owns what it holds. */
struct cache_keys {
	struct cache_bkey *k;
	size_t n, capacity;
};

/* Capacity for @n more. 0 or -ENOMEM. */
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

/* Interior keys: all stay, sorted by position, at equal ones those of @b first. */
int cache_keys_merge(const struct cache_keys *a, const struct cache_keys *b,
		     struct cache_keys *out);

/**
 * cache_keys_settle() - put keys in any order into their place, later ones winning
 * @keys:  in the order they were made; replaced by the sorted result, after an error by
 *         whatever was done
 * @level: 0: as overlay; else: as merge
 *
 * Memory: what @keys has, and as much again. Return: 0 or -ENOMEM.
 */
int cache_keys_settle(struct cache_keys *keys, unsigned level);

/**
 * cache_keys_fold() - runs of sorted keys become one, later ones winning
 * @keys:  one run behind the other; replaced by the result
 * @start: where each of the @nruns runs begins in @keys; overwritten
 * @spare: memory to work in; what it holds is lost
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
