// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of keys. Overlaying is associative (where both have a key the later one wins), so a
 * long list is merged in halves and not key by key.
 */
#include "disk/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

int cache_keys_reserve(struct cache_keys *keys, size_t n)
{
	size_t capacity = keys->capacity ? keys->capacity : CACHE_ARRAY_FIRST;
	void *p;

	if (keys->capacity - keys->n >= n)
		return 0;
	while (capacity - keys->n < n)
		capacity *= 2;
	p = reallocarray(keys->k, capacity, sizeof(*keys->k));
	if (!p)
		return -ENOMEM;
	keys->k = p;
	keys->capacity = capacity;
	return 0;
}

int cache_keys_push(struct cache_keys *keys, const struct cache_bkey *k)
{
	void *p = cache_array_grow(keys->k, keys->n, &keys->capacity, sizeof(*keys->k));

	if (!p)
		return -ENOMEM;
	keys->k = p;
	keys->k[keys->n++] = *k;
	return 0;
}

void cache_keys_fini(struct cache_keys *keys)
{
	free(keys->k);
	memset(keys, 0, sizeof(*keys));
}

int cache_keys_overlay(const struct cache_keys *a, const struct cache_keys *b,
		       struct cache_keys *out)
{
	size_t i = 0, j = 0;
	struct cache_bkey cur = { 0 };	/* the part of a->k[i] that is left */
	int ret = 0;

	if (a->n)
		cur = a->k[0];
	while (!ret && (i < a->n || j < b->n)) {
		const struct cache_bkey *over = j < b->n ? &b->k[j] : NULL;
		struct cache_bkey left = cur;

		if (i < a->n && (j == b->n || cache_bkey_is_before(&cur, over))) {
			ret = cache_keys_push(out, &cur);
		} else if (i == a->n || cache_bkey_is_before(over, &cur)) {
			ret = cache_keys_push(out, over);
			j++;
			continue;
		} else if (cache_key_start(&cur) < cache_key_start(over)) {
			cache_bkey_cut_back(&left, cache_key_start(over));
			ret = cache_keys_push(out, &left);
			cache_bkey_cut_front(&cur, cache_key_start(over));
			continue;
		} else if (cur.low > over->low) {
			cache_bkey_cut_front(&cur, over->low);
			continue;
		}
		/* a->k[i] is finished: taken, or completely hidden */
		if (++i < a->n)
			cur = a->k[i];
	}
	return ret;
}

int cache_keys_merge(const struct cache_keys *a, const struct cache_keys *b,
		     struct cache_keys *out)
{
	size_t i = 0, j = 0;
	int ret = 0;

	while (!ret && (i < a->n || j < b->n)) {
		if (i == a->n || (j < b->n && cache_bkey_cmp(&b->k[j], &a->k[i]) <= 0))
			ret = cache_keys_push(out, &b->k[j++]);
		else
			ret = cache_keys_push(out, &a->k[i++]);
	}
	return ret;
}

/* Run @i of those that begin at @start; without a key there is no array to point into. */
static struct cache_keys run_of(const struct cache_keys *keys, const size_t *start,
				size_t nruns, size_t i)
{
	size_t end = i + 1 < nruns ? start[i + 1] : keys->n;

	return (struct cache_keys){ .k = keys->k ? keys->k + start[i] : NULL,
				    .n = end - start[i] };
}

/* Merges each pair of neighbours into one run of @out; @start is then that of @out. */
static int fold_pairs(const struct cache_keys *keys, size_t *start, size_t *nruns,
		      struct cache_keys *out, unsigned level)
{
	size_t n = 0;
	int ret = 0;

	for (size_t i = 0; i < *nruns && !ret; i += 2) {
		struct cache_keys a = run_of(keys, start, *nruns, i), b = { 0 };
		size_t at = out->n;

		if (i + 1 < *nruns)
			b = run_of(keys, start, *nruns, i + 1);
		ret = level ? cache_keys_merge(&a, &b, out) : cache_keys_overlay(&a, &b, out);
		start[n++] = at;
	}
	*nruns = n;
	return ret;
}

int cache_keys_fold(struct cache_keys *keys, size_t *start, size_t nruns,
		    struct cache_keys *spare, unsigned level)
{
	int ret = 0;

	while (nruns > 1 && !ret) {
		struct cache_keys was = *keys;

		spare->n = 0;
		ret = fold_pairs(keys, start, &nruns, spare, level);
		*keys = *spare;
		*spare = was;
	}
	return ret;
}

/* Moves the later half of @keys, two or more, to @half, and shrinks @keys. */
static int split(struct cache_keys *keys, struct cache_keys *half)
{
	size_t n = keys->n - keys->n / 2;
	void *rest;

	half->k = reallocarray(NULL, n, sizeof(*keys->k));
	if (!half->k)
		return -ENOMEM;
	half->n = half->capacity = n;
	keys->n -= n;
	memcpy(half->k, keys->k + keys->n, n * sizeof(*keys->k));
	rest = reallocarray(keys->k, keys->n, sizeof(*keys->k));
	if (!rest)
		return -ENOMEM;	/* the caller frees @half */
	keys->k = rest;
	keys->capacity = keys->n;
	return 0;
}

/* At most twice the keys are in memory: each half is settled alone, and then both are merged. */
int cache_keys_settle(struct cache_keys *keys, unsigned level)
{
	struct cache_keys half = { 0 }, out = { 0 };
	int ret;

	if (cache_keys_are_sorted(keys, level))
		return 0;
	ret = split(keys, &half);
	if (!ret)
		ret = cache_keys_settle(&half, level);
	if (!ret)
		ret = cache_keys_settle(keys, level);
	if (!ret)
		ret = level ? cache_keys_merge(keys, &half, &out)
			    : cache_keys_overlay(keys, &half, &out);
	cache_keys_fini(&half);
	if (ret) {
		cache_keys_fini(&out);
		return ret;
	}
	cache_keys_fini(keys);
	*keys = out;
	return 0;
}

bool cache_keys_are_sorted(const struct cache_keys *keys, unsigned level)
{
	for (size_t i = 1; i < keys->n; i++) {
		const struct cache_bkey *prev = &keys->k[i - 1], *k = &keys->k[i];

		if (level ? cache_bkey_cmp(prev, k) > 0 : !cache_bkey_is_before(prev, k))
			return false;
	}
	return true;
}
