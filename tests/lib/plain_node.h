/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parser of nodes as it was first written: set by set, each merged into what stood
 * before it. Slow where there are many sets, and plain: what the library's must agree with. It
 * stays for good: test_btree_keys compares both on random nodes, and it merges two sets at a time
 * where the library folds all of them at once. The walk of the tree that used it is gone.
 */
#ifndef TESTS_LIB_PLAIN_NODE_H
#define TESTS_LIB_PLAIN_NODE_H

#include "format/bset_codec.h"
#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/btree.h"

/* From this many words on the driver compares the last key with the node's own. */
#define PLAIN_SHORT_KEY_WORDS	((256 - CACHE_BSET_HEADER_BYTES) / 8)

struct plain_parse {
	const struct cache_sb *sb;
	const char *data;
	struct cache_btree_node *node;
	const struct cache_sink *sink;
	struct cache_err *err;
	uint32_t block_bytes;
	/* Only where a set is out of order the driver's last key is not the greatest. */
	bool misordered;
	struct cache_bkey greatest, last;	/* of all sets; of the set that has that */
};

static const struct cache_bset_disk *set_at(const struct plain_parse *p, uint32_t block)
{
	return (const void *)(p->data + (size_t)block * p->block_bytes);
}

static struct cache_finding about(const struct plain_parse *p, enum cache_problem code,
				  uint32_t block)
{
	return (struct cache_finding){
		.code = code, .bucket = p->node->bucket, .level = p->node->level,
		.block = block,
		.sector = cache_ptr_sector(p->node->key.ptr[0]) +
			  (uint64_t)block * p->sb->block_sectors,
	};
}

static int found(struct plain_parse *p, const struct cache_finding *f)
{
	return cache_found(p->sink, p->err, f);
}

static int found_key(struct plain_parse *p, enum cache_problem code, uint32_t block,
		     uint64_t index, const struct cache_bkey *k, const char *what)
{
	struct cache_finding f = about(p, code, block);

	f.index = index;
	f.inode = cache_key_inode(k);
	f.start = cache_key_start(k);
	f.end = k->low;
	f.what = what;
	if (cache_key_ptrs(k))
		f.other = cache_ptr_bucket(p->sb, k, 0);
	return found(p, &f);
}

/* A finding that ends the node's log: what follows cannot be trusted. */
static int found_damage(struct plain_parse *p, const struct cache_finding *f)
{
	p->node->damaged = true;
	return found(p, f);
}

/* The driver's checks, in its order. @f.code stays NONE when the set is right. */
static void judge_set(const struct plain_parse *p, uint32_t block, struct cache_finding *f)
{
	const struct cache_bset_disk *d = set_at(p, block);
	uint64_t left = (uint64_t)(p->node->nblocks - block) * p->block_bytes;
	uint64_t magic = cache_sb_set_magic(p->sb) ^ CACHE_BSET_MAGIC;

	*f = about(p, CACHE_P_NONE, block);
	f->got = cache_le32_get(d->version);
	f->want = CACHE_BSET_VERSION;
	if (f->got > f->want) {
		f->code = CACHE_P_NODE_VERSION;
		return;
	}
	if (cache_bset_bytes(d) > left) {
		f->code = CACHE_P_NODE_HEADER;
		f->what = "the set goes past the node's end";
		return;
	}
	f->got = cache_le64_get(d->magic);
	f->want = magic;
	if (f->got != f->want) {
		f->code = CACHE_P_NODE_MAGIC;
		return;
	}
	f->got = cache_le64_get(d->csum);
	f->want = cache_bset_csum(d, p->node->key.ptr[0]);
	if (f->got != f->want)
		f->code = CACHE_P_NODE_CSUM;
	else if (block && !cache_le32_get(d->keys))
		f->code = CACHE_P_NODE_EMPTY_SET;
}

static void take_set(struct plain_parse *p, uint32_t block)
{
	const struct cache_bset_disk *d = set_at(p, block);

	p->node->sets[p->node->nsets++] = (struct cache_bset_ref){
		.words = (const cache_le64 *)(d + 1), .nwords = cache_le32_get(d->keys),
		.block = block, .version = cache_le32_get(d->version) };
	p->node->used_blocks = block + cache_div_up(cache_bset_bytes(d), p->block_bytes);
}

/* A later block of the node that carries its seq: a hole in the log. */
static int check_after_end(struct plain_parse *p)
{
	for (uint32_t b = p->node->used_blocks; b < p->node->nblocks; b++) {
		struct cache_finding f;

		if (cache_le64_get(set_at(p, b)->seq) != p->node->seq)
			continue;
		f = about(p, CACHE_P_NODE_AFTER_END, b);
		f.got = p->node->used_blocks;
		return found_damage(p, &f);
	}
	return 0;
}

static int find_sets(struct plain_parse *p)
{
	struct cache_btree_node *n = p->node;
	struct cache_finding f;
	uint32_t block = 0;

	n->seq = cache_le64_get(set_at(p, 0)->seq);
	if (!n->seq) {
		f = about(p, CACHE_P_NODE_HEADER, 0);
		f.what = "the node was never written";
		return found_damage(p, &f);
	}
	while (block < n->nblocks && cache_le64_get(set_at(p, block)->seq) == n->seq) {
		judge_set(p, block, &f);
		if (f.code)
			return found_damage(p, &f);
		take_set(p, block);
		block = n->used_blocks;
	}
	return check_after_end(p);
}

/* A key as it lies in a set, before merging. Return: 1 keep it, 0 drop it. */
static int judge_raw_key(struct plain_parse *p, const struct cache_bset_ref *set,
			 uint64_t index, const struct cache_bkey *k)
{
	int ret;

	if (p->node->level)
		return 1;
	if (!cache_key_size(k))
		return 0;	/* overwritten whole: the driver drops it too */
	if (cache_key_size(k) <= k->low)
		return 1;
	/* its start is before sector 0: it cannot be merged with others */
	ret = found_key(p, CACHE_P_EXTENT_PTR, set->block, index, k,
			cache_extent_invalid(p->sb, k));
	return ret < 0 ? ret : 0;
}

/* What the driver sorts by. */
static int key_cmp(const struct plain_parse *p, const struct cache_bkey *a, const struct cache_bkey *b)
{
	return p->node->level ? cache_bkey_cmp(a, b) :
	       cache_pos_cmp(cache_key_inode(a), cache_key_start(a), cache_key_inode(b),
			     cache_key_start(b));
}

/* Positions inside a set ascend; extents are sorted by start and do not overlap. */
static int check_order(struct plain_parse *p, const struct cache_bset_ref *set, uint64_t index,
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

static int decode_set(struct plain_parse *p, const struct cache_bset_ref *set,
		      struct cache_keys *keys)
{
	uint32_t at = 0;
	int ret = 0;

	for (uint64_t index = 0; at < set->nwords && ret >= 0; index++) {
		struct cache_bkey k;
		unsigned n = cache_bkey_decode(set->words + at, set->nwords - at, &k);

		if (!n) {
			struct cache_finding f = about(p, CACHE_P_NODE_TILING, set->block);

			f.got = at;
			f.want = set->nwords;
			return found_damage(p, &f);
		}
		at += n;
		ret = judge_raw_key(p, set, index, &k);
		if (ret <= 0)
			continue;
		if (keys->n)
			ret = check_order(p, set, index, &keys->k[keys->n - 1], &k);
		if (ret >= 0)
			ret = cache_keys_push(keys, &k);
	}
	return ret < 0 ? ret : 0;
}

/*
 * The driver merges its sets by the key that each is at: one that is too great holds up
 * what stands behind it, and the set with the greatest key of all is used up last.
 */
static void note_last(struct plain_parse *p, const struct cache_keys *keys)
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

static int merge_set(struct plain_parse *p, const struct cache_bset_ref *set)
{
	struct cache_keys newer = { 0 }, out = { 0 };
	struct cache_keys *keys = &p->node->keys;
	int ret = decode_set(p, set, &newer);

	note_last(p, &newer);
	if (!ret)
		ret = cache_keys_settle(&newer, p->node->level);
	if (!ret)
		ret = p->node->level ? cache_keys_merge(keys, &newer, &out)
				     : cache_keys_overlay(keys, &newer, &out);
	cache_keys_fini(&newer);
	if (ret) {
		cache_keys_fini(&out);
		return ret;
	}
	cache_keys_fini(keys);
	*keys = out;
	return 0;
}

/* What the driver calls invalid disables the set; it is not looked at further. */
static int drop_invalid(struct plain_parse *p)
{
	struct cache_keys *keys = &p->node->keys;
	enum cache_problem code = p->node->level ? CACHE_P_CHILD_PTR : CACHE_P_EXTENT_PTR;
	size_t kept = 0;

	for (size_t i = 0; i < keys->n; i++) {
		const char *why = p->node->level ? cache_btree_ptr_invalid(p->sb, &keys->k[i])
						 : cache_extent_invalid(p->sb, &keys->k[i]);
		int ret;

		if (!why) {
			keys->k[kept++] = keys->k[i];
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

/* Whether the driver compares its last key with the node's own, and it is the greater. */
static bool driver_refuses(const struct plain_parse *p, const struct cache_bkey *greatest)
{
	const struct cache_bkey *last = p->misordered ? &p->last : greatest;

	return words_of(&p->node->keys) >= PLAIN_SHORT_KEY_WORDS &&
	       cache_bkey_cmp(last, &p->node->key) > 0;
}

/* Every key within (left neighbour's end, own key]. */
static int check_range(struct plain_parse *p)
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

static int check_size(struct plain_parse *p)
{
	uint64_t size = cache_key_size(&p->node->key);
	struct cache_finding f;

	p->node->nblocks = size / p->sb->block_sectors;
	if (p->node->nblocks && !(size % p->sb->block_sectors))
		return 0;
	f = about(p, CACHE_P_NODE_SIZE, 0);
	f.got = size;
	f.want = p->sb->block_sectors;
	return found_damage(p, &f);
}

static int plain_node_parse(const struct cache_sb *sb, const void *data,
			   struct cache_btree_node *node, const struct cache_sink *sink,
			   struct cache_err *err)
{
	struct plain_parse p = { .sb = sb, .data = data, .node = node, .sink = sink, .err = err,
			   .block_bytes = sb->block_sectors * CACHE_SECTOR_BYTES };
	int ret = check_size(&p);

	if (ret || !node->nblocks)
		return ret;
	node->sets = calloc(node->nblocks, sizeof(*node->sets));
	if (!node->sets)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a btree node");
	ret = find_sets(&p);
	for (uint32_t i = 0; i < node->nsets && !ret; i++)
		ret = merge_set(&p, &node->sets[i]);
	if (!ret)
		ret = drop_invalid(&p);
	if (!ret && !node->damaged)
		ret = check_range(&p);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for a btree node") : ret;
}

#endif
