// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children whose key is stale: whether their node is still there, and whether a key of their
 * parent has freed them. A hostile node has a million such keys, all of them to one bucket, so
 * what was read of a bucket is remembered, as are the keys of the node in hand that free others.
 */
#include "set/set_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/checked.h"
#include "base/sort.h"
#include "format/bset_codec.h"

/* What is known of a bucket; from GEN on: its first set verifies with that gen. */
enum { UNKNOWN, NO_NODE, ANY_GEN, GEN };

#define GEN_BITS 8	/* of a bucket with a gen in one number */

struct cache_stale {
	uint16_t *node;			/* one per bucket */
	uint64_t parent;		/* the keys below are of the node in this bucket */
	size_t parent_keys;
	uint64_t *freed;		/* buckets with gens, ascending, each once */
	size_t nfreed;
};

struct cache_stale *cache_stale_new(uint64_t nbuckets)
{
	struct cache_stale *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	/* pages that are not written to are not there */
	s->node = calloc(nbuckets, sizeof(*s->node));
	if (s->node)
		return s;
	free(s);
	return NULL;
}

void cache_stale_free(struct cache_stale *s)
{
	if (!s)
		return;
	free(s->node);
	free(s->freed);
	free(s);
}

/* 0 or -ENOMEM. */
static int learn_freed(const struct cache_set *set, const struct cache_btree_node *n)
{
	struct cache_stale *s = set->stale;
	size_t unique = 0;

	if (s->freed && s->parent == n->bucket && s->parent_keys == n->keys.n)
		return 0;
	free(s->freed);
	s->nfreed = 0;
	s->parent = n->bucket;
	s->parent_keys = n->keys.n;
	s->freed = calloc(n->keys.n + 1, sizeof(*s->freed));
	if (!s->freed)
		return -ENOMEM;
	for (size_t i = 0; i < n->keys.n; i++) {
		const struct cache_bkey *k = &n->keys.k[i];

		if (cache_bkey_is_freeing(k) && cache_key_ptrs(k))
			s->freed[s->nfreed++] = cache_ptr_bucket(&set->sb, k, 0) << GEN_BITS |
						cache_ptr_gen(k->ptr[0]);
	}
	/* the keys of one node: 1.4 million at most, which takes 0.02 s */
	cache_sort_u64(s->freed, s->nfreed);
	for (size_t i = 0; i < s->nfreed; i++)
		if (!unique || s->freed[unique - 1] != s->freed[i])
			s->freed[unique++] = s->freed[i];
	s->nfreed = unique;
	return 0;
}

int cache_set_is_freed_by(const struct cache_set *set, const struct cache_btree_node *n,
			  uint64_t bucket, uint8_t gen)
{
	const struct cache_stale *s = set->stale;
	uint64_t at;
	int ret = learn_freed(set, n);

	if (ret)
		return ret;
	at = cache_first_index(i, s->nfreed, s->freed[i] >> GEN_BITS >= bucket);
	/* 256 at most */
	for (; at < s->nfreed && s->freed[at] >> GEN_BITS == bucket; at++)
		if (cache_gen_after((uint8_t)s->freed[at], gen))
			return 1;
	return 0;
}

/* The first page says how long the set is, if there is one; then all of it is read. */
static int read_set(const struct cache_set *set, uint64_t bucket, uint8_t gen, uint16_t *known)
{
	const struct cache_sb *sb = &set->sb;
	uint64_t sector = cache_bucket_sector(sb, bucket), size = cache_btree_node_sectors(sb);
	uint64_t first = cache_min_u64(size, CACHE_PAGE_SECTORS), used;
	struct cache_bset_disk *d = cache_dev_buf(size * CACHE_SECTOR_BYTES);
	int ret = d ? cache_dev_read(set->dev, sector, first, d, NULL) : -ENOMEM;
	int found;

	if (ret)
		goto out;
	*known = NO_NODE;
	if (cache_le64_get(d->magic) != (cache_sb_set_magic(sb) ^ CACHE_BSET_MAGIC) ||
	    cache_bset_bytes(d) > size * CACHE_SECTOR_BYTES)
		goto out;
	used = cache_min_u64(size, cache_div_up(cache_bset_bytes(d), CACHE_PAGE_BYTES) *
			     CACHE_PAGE_SECTORS);
	if (used > first)
		ret = cache_dev_read(set->dev, sector, used, d, NULL);
	if (ret || cache_bset_bytes(d) > used * CACHE_SECTOR_BYTES) {
		*known = ret ? UNKNOWN : NO_NODE;
		goto out;
	}
	found = cache_bset_find_gen(d, sb, bucket, gen);
	if (found >= 0)
		*known = cache_le32_get(d->version) ? GEN + found : ANY_GEN;
out:
	free(d);
	return ret;
}

int cache_set_holds_node(const struct cache_set *set, uint64_t bucket, uint8_t gen)
{
	uint16_t *known = &set->stale->node[bucket];

	if (*known == UNKNOWN) {
		int ret = read_set(set, bucket, gen, known);

		if (ret)
			return ret;
	}
	return *known == ANY_GEN || *known == GEN + gen;
}

int cache_set_has_false_gen(const struct cache_set *set, const struct cache_btree_node *n,
			    const struct cache_bkey *k)
{
	uint64_t bucket = cache_key_ptrs(k) ? cache_ptr_bucket(&set->sb, k, 0) : UINT64_MAX;
	uint8_t gen = bucket < set->sb.nbuckets ? cache_ptr_gen(k->ptr[0]) : 0;
	int ret;

	if (bucket >= set->sb.nbuckets || !n->level || cache_bkey_is_freeing(k) ||
	    !cache_ptr_is_available(&set->sb, k, 0) ||
	    !cache_bkey_staleness(&set->sb, &set->gens, k))
		return 0;
	ret = cache_set_is_freed_by(set, n, bucket, gen);
	if (ret)
		return ret < 0 ? ret : 0;
	return cache_set_holds_node(set, bucket, gen);
}
