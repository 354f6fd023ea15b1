// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys of a node: what is wrong with the keys of one set, and which keys remain when later
 * sets override earlier ones (format 6.5, 6.6). The keys of all sets are decoded one set after
 * another, and neighbouring sets are then merged in pairs.
 */
#include "disk/btree_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With at least this many words the driver compares the last key with the node's own key. */
#define SHORT_KEY_WORDS	((256 - CACHE_BSET_HEADER_BYTES) / 8)

struct cache_finding cache_node_finding(const struct cache_node_parse *p,
					enum cache_problem code, uint32_t block)
{
	return (struct cache_finding){
		.code = code, .bucket = p->node->bucket, .level = p->node->level,
		.block = block,
		.sector = cache_ptr_place(p->sb, &p->node->key, 0) +
			  (uint64_t)block * p->sb->block_sectors,
	};
}

int cache_node_damage(struct cache_node_parse *p, const struct cache_finding *f)
{
	p->node->damaged = true;
	return cache_found(p->sink, p->err, f);
}

static int found_key(struct cache_node_parse *p, enum cache_problem code, uint32_t block,
		     uint64_t index, const struct cache_bkey *k, const char *what)
{
	struct cache_finding f = cache_node_finding(p, code, block);

	f.index = index;
	f.inode = cache_key_inode(k);
	f.start = cache_key_start(k);
	f.end = k->low;
	f.what = what;
	if (cache_key_ptrs(k))
		f.other = cache_ptr_bucket(p->sb, k, 0);
	return cache_found(p->sink, p->err, &f);
}

/* Checks one key of a set, before merging. Return: 1 keep it, 0 drop it. */
static int judge_raw_key(struct cache_node_parse *p, const struct cache_bset_ref *set,
			 uint64_t index, const struct cache_bkey *k)
{
	int ret;

	if (p->node->level)
		return 1;
	if (!cache_key_size(k))
		return 0;	/* overwritten completely: the driver drops it too */
	if (cache_key_size(k) <= k->low)
		return 1;
	/* it starts before sector 0 and cannot be merged with others */
	ret = found_key(p, CACHE_P_EXTENT_PTR, set->block, index, k,
			cache_extent_invalid(p->sb, k));
	return ret < 0 ? ret : 0;
}

/* The position by which the driver sorts keys. */
static int key_cmp(const struct cache_node_parse *p, const struct cache_bkey *a, const struct cache_bkey *b)
{
	return p->node->level ? cache_bkey_cmp(a, b) :
	       cache_pos_cmp(cache_key_inode(a), cache_key_start(a), cache_key_inode(b),
			     cache_key_start(b));
}

/* Whether the positions in a set ascend; extents are sorted by start and do not overlap. */
static int check_order(struct cache_node_parse *p, const struct cache_bset_ref *set, uint64_t index,
		       const struct cache_bkey *prev, const struct cache_bkey *k)
{
	if (key_cmp(p, prev, k) > 0) {
		p->misordered = true;
		return found_key(p, CACHE_P_NODE_ORDER, set->block, index, k, NULL);
	}
	if (p->node->level)
		return 0;
	if (cache_key_inode(prev) == cache_key_inode(k) && prev->low > cache_key_start(k))
		return found_key(p, CACHE_P_NODE_OVERLAP, set->block, index, k, NULL);
	return 0;
}

/* Whether two keys of a set, neither of them past the greatest size of a device, are in order. */
static bool in_order(const struct cache_bkey *prev, const struct cache_bkey *k, unsigned level)
{
	return prev->low <= CACHE_KEY_OFFSET_MAX && k->low <= CACHE_KEY_OFFSET_MAX &&
	       (level ? cache_bkey_cmp(prev, k) <= 0 : cache_bkey_is_before(prev, k));
}

/* Whether an extent needs no further check; most do not. */
static bool is_plain(const struct cache_node_parse *p, const struct cache_bkey *k)
{
	uint64_t bucket;

	return cache_key_ptrs(k) == 1 && cache_key_size(k) && cache_key_size(k) <= k->low &&
	       k->low <= CACHE_KEY_OFFSET_MAX &&
	       cache_geometry_is_plain(&p->geometry, k->high, k->ptr[0], &bucket);
}

/* Appends plain extents in order. Returns where in @set the first other key is. */
static uint32_t decode_plain(struct cache_node_parse *p, const struct cache_bset_ref *set,
			     uint32_t at)
{
	struct cache_keys *keys = &p->node->keys;
	struct cache_bkey *k = keys->k + keys->n;

	for (; set->nwords - at >= 3 && k[-1].low <= CACHE_KEY_OFFSET_MAX; at += 3, k++) {
		k->high = cache_le64_get(set->words[at]);
		k->low = cache_le64_get(set->words[at + 1]);
		k->ptr[0] = cache_le64_get(set->words[at + 2]);
		if (!is_plain(p, k) || !cache_bkey_is_before(k - 1, k))
			break;
	}
	keys->n = k - keys->k;
	return at;
}

/* Appends the keys of one set; @sorted: they are in order as stored. */
static int decode_set(struct cache_node_parse *p, const struct cache_bset_ref *set,
		      bool *sorted)
{
	struct cache_keys *keys = &p->node->keys;
	unsigned level = p->node->level;
	size_t first = keys->n;
	uint32_t at = 0;
	int ret = cache_keys_reserve(keys, set->nwords / CACHE_BKEY_WORDS_MIN + 1);

	*sorted = true;
	for (uint64_t index = 0; at < set->nwords && ret >= 0; index++) {
		struct cache_bkey *k;
		unsigned n;

		if (!level && keys->n > first) {
			uint32_t from = at;

			at = decode_plain(p, set, from);
			index += (at - from) / 3;
			if (at == set->nwords)
				break;
		}
		k = &keys->k[keys->n];
		n = cache_bkey_decode(set->words + at, set->nwords - at, k);
		if (!n) {
			struct cache_finding f = cache_node_finding(p, CACHE_P_NODE_TILING,
								    set->block);

			f.got = at;
			f.want = set->nwords;
			return cache_node_damage(p, &f);
		}
		at += n;
		ret = judge_raw_key(p, set, index, k);
		if (ret <= 0)
			continue;
		if (!is_plain(p, k)) {
			p->node->plain = false;
			p->suspect |= level || cache_key_ptrs(k);
		}
		if (keys->n > first && !in_order(k - 1, k, level)) {
			*sorted = false;
			ret = check_order(p, set, index, k - 1, k);
		}
		keys->n++;
	}
	return ret < 0 ? ret : 0;
}

/*
 * The driver merges sets by the current key of each: a key that is too great delays the keys
 * after it, and the set with the greatest key of all is consumed last.
 */
static void note_last(struct cache_node_parse *p, const struct cache_keys *keys)
{
	const struct cache_bkey *greatest = keys->k;

	if (!keys->n)
		return;
	for (size_t i = 1; i < keys->n; i++)
		if (key_cmp(p, &keys->k[i], greatest) > 0)
			greatest = &keys->k[i];
	if (p->last.high && key_cmp(p, greatest, &p->greatest) < 0)
		return;
	p->greatest = *greatest;
	p->last = keys->k[keys->n - 1];
}

/* Calls note_last() for all sets up to and including @set that were not noted yet. */
static void note_sets(struct cache_node_parse *p, size_t set)
{
	const struct cache_btree_node *n = p->node;

	for (; p->nnoted <= set; p->nnoted++) {
		size_t i = p->nnoted, end = i < set ? n->run[i + 1] : n->keys.n;
		struct cache_keys keys = { .k = n->keys.k + n->run[i], .n = end - n->run[i] };

		note_last(p, &keys);
	}
}

/* Run @set, the last one so far, was not sorted. */
static int sort_run(struct cache_node_parse *p, size_t set)
{
	struct cache_keys *keys = &p->node->keys, own = { 0 };
	size_t first = p->node->run[set];
	int ret;

	note_sets(p, set);
	ret = cache_keys_reserve(&own, keys->n - first);
	if (ret)
		return ret;
	own.n = keys->n - first;
	memcpy(own.k, keys->k + first, own.n * sizeof(*own.k));
	ret = cache_keys_settle(&own, p->node->level);
	keys->n = first;
	if (!ret)
		ret = cache_keys_reserve(keys, own.n);
	if (!ret) {
		memcpy(keys->k + first, own.k, own.n * sizeof(*own.k));
		keys->n += own.n;
	}
	cache_keys_fini(&own);
	return ret;
}

static int merge_sets(struct cache_node_parse *p)
{
	struct cache_btree_node *n = p->node;
	bool sorted;
	int ret = 0;

	for (uint32_t i = 0; i < n->nsets && !ret; i++) {
		n->run[i] = n->keys.n;
		ret = decode_set(p, &n->sets[i], &sorted);
		if (!ret && !sorted)
			ret = sort_run(p, i);
	}
	if (!ret && p->misordered && n->nsets)
		note_sets(p, n->nsets - 1);
	return ret ? ret : cache_keys_fold(&n->keys, n->run, n->nsets, &n->spare, n->level);
}

/* A key that the driver calls invalid disables the set; nothing more is checked in it. */
static int drop_invalid(struct cache_node_parse *p)
{
	struct cache_keys *keys = &p->node->keys;
	enum cache_problem code = p->node->level ? CACHE_P_CHILD_PTR : CACHE_P_EXTENT_PTR;
	size_t kept = 0;

	for (size_t i = 0; i < keys->n; i++) {
		const char *why = p->node->level ? cache_btree_ptr_invalid(p->sb, &keys->k[i])
						 : cache_extent_invalid(p->sb, &keys->k[i]);
		int ret;

		if (!why) {
			if (kept++ != i)
				keys->k[kept - 1] = keys->k[i];
			continue;
		}
		ret = found_key(p, code, 0, i, &keys->k[i], why);
		if (ret)
			return ret;
	}
	keys->n = kept;
	return 0;
}

static uint64_t words_of(const struct cache_keys *keys)
{
	uint64_t n = 0;

	for (size_t i = 0; i < keys->n; i++)
		n += cache_bkey_words(&keys->k[i]);
	return n;
}

/* Whether the driver would compare its last key with the node's own key, and finds it greater. */
static bool driver_refuses(const struct cache_node_parse *p, const struct cache_bkey *greatest)
{
	const struct cache_bkey *last = p->misordered ? &p->last : greatest;

	return words_of(&p->node->keys) >= SHORT_KEY_WORDS &&
	       cache_bkey_cmp(last, &p->node->key) > 0;
}

/* Whether every key is within (left neighbour's end, own key]. */
static int check_range(struct cache_node_parse *p)
{
	struct cache_btree_node *n = p->node;
	const struct cache_bkey *first = NULL, *last = NULL;

	for (size_t i = 0; i < n->keys.n; i++) {
		if (n->level && cache_bkey_is_freeing(&n->keys.k[i]))
			continue;
		if (!first)
			first = &n->keys.k[i];
		last = &n->keys.k[i];
	}
	if (!last)
		return 0;
	if (cache_bkey_cmp(last, &n->key) > 0)
		return found_key(p, driver_refuses(p, last) ? CACHE_P_NODE_SHORT_KEY
							    : CACHE_P_CHILD_RANGE,
				 0, 0, last, NULL);
	if (cache_pos_cmp(cache_key_inode(first),
			  n->level ? first->low - 1 : cache_key_start(first),
			  n->lo_inode, n->lo_offset) < 0)
		return found_key(p, CACHE_P_CHILD_RANGE, 0, 0, first, NULL);
	return 0;
}

int cache_node_keys(struct cache_node_parse *p)
{
	struct cache_btree_node *n = p->node;
	void *run = reallocarray(n->run, n->nsets + 1, sizeof(*n->run));
	int ret;

	if (!run)
		return -ENOMEM;
	n->run = run;
	ret = merge_sets(p);
	/* what is cut from a valid key is valid */
	if (!ret && p->suspect)
		ret = drop_invalid(p);
	return ret || n->damaged ? ret : check_range(p);
}
