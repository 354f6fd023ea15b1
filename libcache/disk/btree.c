// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking the tree. Nodes are read and reached once only (one bit per bucket), levels
 * are bounded, and the leaves under one parent are read in batches.
 */
#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "disk/btree.h"
#include "disk/btree_salvage.h"
#include "disk/node_reads.h"
#include "format/members.h"

#define BATCH_BYTES	(1u << 20)

struct walk {
	struct cache_btree_walk *w;
	struct cache_err *err;
	uint64_t *entered;	/* one bit per bucket: a node was read there */
	struct cache_node_reads reads;
	/* the node that is visited; its memory is used again for each node */
	struct cache_btree_node node;
};

unsigned cache_bkey_staleness(const struct cache_sb *sb, const struct cache_gens *gens,
			      const struct cache_bkey *k)
{
	unsigned stale = 0;

	for (unsigned i = 0; i < cache_key_ptrs(k); i++) {
		uint64_t bucket = cache_ptr_bucket(sb, k, i);
		unsigned s;

		if (!cache_ptr_is_available(sb, k, i) || bucket >= gens->nbuckets)
			continue;
		s = cache_gen_after(cache_gens_gen(gens, bucket), cache_ptr_gen(k->ptr[i]));
		if (s > stale)
			stale = s;
	}
	return stale;
}

bool cache_bkey_is_bad(const struct cache_sb *sb, const struct cache_gens *gens,
		       const struct cache_bkey *k, unsigned level)
{
	if (!cache_key_ptrs(k) || (level && cache_bkey_is_freeing(k)))
		return true;
	for (unsigned i = 0; i < cache_key_ptrs(k); i++)
		if (!cache_ptr_is_available(sb, k, i))
			return true;
	return cache_bkey_staleness(sb, gens, k);
}

static uint64_t bucket_of(const struct walk *s, const struct cache_bkey *k)
{
	return cache_ptr_bucket(s->w->sb, k, 0);
}

static int found_node(struct walk *s, enum cache_problem code, const struct cache_bkey *k,
		      unsigned level)
{
	return cache_found(s->w->sink, s->err, &(struct cache_finding){
		.code = code, .bucket = bucket_of(s, k), .level = level,
		.offset = cache_ptr_sector(k->ptr[0]) % s->w->sb->bucket_sectors,
		.sector = cache_ptr_place(s->w->sb, k, 0),
		.inode = cache_key_inode(k), .end = k->low });
}

/* 1: read the node; 0: it was entered before, which was reported; otherwise an error. */
static int enter(struct walk *s, const struct cache_bkey *k, unsigned level, bool twice)
{
	int ret = 0;

	if (twice)
		return found_node(s, CACHE_P_NODE_TWICE, k, level);
	if (cache_ptr_sector(k->ptr[0]) % s->w->sb->bucket_sectors)
		ret = found_node(s, CACHE_P_CHILD_OFFSET, k, level);
	return ret ? ret : 1;
}

static int found_at(struct walk *s, enum cache_problem code,
		    const struct cache_btree_node *n, uint64_t inode, uint64_t offset)
{
	return cache_found(s->w->sink, s->err, &(struct cache_finding){
		.code = code, .bucket = n->bucket, .level = n->level, .inode = inode,
		.start = offset, .end = offset, .sector = cache_ptr_place(s->w->sb, &n->key, 0) });
}

/* On a member of the set that is not here: it may be right, and is not followed. */
static bool is_absent(const struct walk *s, const struct cache_bkey *k)
{
	return s->w->sb->members && cache_key_ptrs(k) && !cache_bkey_is_freeing(k) &&
	       cache_ptr_dev(k->ptr[0]) < s->w->sb->members->nr_in_set &&
	       !cache_ptr_is_available(s->w->sb, k, 0);
}

static int found_absent(struct walk *s, const struct cache_btree_node *n,
			const struct cache_bkey *k)
{
	return cache_found(s->w->sink, s->err, &(struct cache_finding){
		.code = CACHE_P_CHILD_MEMBER, .bucket = n->bucket, .level = n->level,
		.inode = cache_key_inode(k), .end = k->low, .index = cache_ptr_dev(k->ptr[0]),
		.sector = cache_ptr_place(s->w->sb, &n->key, 0) });
}

/* Live children of an interior node, in order (format 6.7). */
static int live_children(struct walk *s, const struct cache_btree_node *n,
			 struct cache_keys *live)
{
	const struct cache_bkey *prev = NULL;

	for (size_t i = 0; i < n->keys.n; i++) {
		const struct cache_bkey *k = &n->keys.k[i];
		int ret = 0;

		if (is_absent(s, k)) {
			ret = found_absent(s, n, k);
			if (ret)
				return ret;
			prev = k;
			continue;
		}
		if (cache_bkey_is_bad(s->w->sb, s->w->gens, k, n->level))
			continue;
		if (prev && !cache_bkey_cmp(prev, k))
			ret = found_at(s, CACHE_P_CHILD_TWICE, n, cache_key_inode(k), k->low);
		if (!ret && cache_keys_push(live, k))
			ret = cache_err_set(s->err, -ENOMEM, 0, "no memory for a btree node");
		if (ret)
			return ret;
		prev = &live->k[live->n - 1];
	}
	if (n->damaged)
		return 0;
	if (!prev && n->level == s->w->root_level)
		return found_at(s, CACHE_P_ROOT_NO_CHILD, n, 0, 0);
	if (!prev)
		return found_at(s, CACHE_P_CHILD_MISSING, n, n->lo_inode, n->lo_offset);
	if (cache_bkey_cmp(prev, &n->key))
		return found_at(s, CACHE_P_CHILD_MISSING, n, cache_key_inode(prev), prev->low);
	return 0;
}

static int visit_children(struct walk *s, const struct cache_keys *live, unsigned level,
			  const struct cache_bkey *left);

/* Reads the nodes of @keys that were not entered before, and marks them as entered. */
static int read_batch(struct walk *s, const struct cache_bkey *keys, size_t n)
{
	int ret;

	for (size_t i = 0; i < n; i++)
		s->reads.node[i].twice = cache_bit_test_and_set(s->entered, bucket_of(s, &keys[i]));
	ret = cache_node_reads(&s->reads, keys, n);
	return ret ? cache_err_set(s->err, ret, 0, "no memory for a btree node") : 0;
}

/* How many of @keys, starting at @first, make one batch. */
static size_t batch_size(const struct cache_keys *keys, size_t first)
{
	uint64_t nbytes = 0;
	size_t n = 0;

	for (; n < CACHE_NODE_BATCH && first + n < keys->n; n++) {
		nbytes += cache_key_size(&keys->k[first + n]) * CACHE_SECTOR_BYTES;
		if (n && nbytes > BATCH_BYTES)
			break;
	}
	return n;
}

/* Parses and visits a node whose bytes were read; @live receives its children. */
static int visit(struct walk *s, const struct cache_bkey *key, unsigned level,
		 const struct cache_bkey *left, const struct cache_node_read *r,
		 struct cache_keys *live)
{
	struct cache_btree_node *n = &s->node;
	int ret;

	n->key = *key;
	n->level = level;
	n->bucket = bucket_of(s, key);
	n->lo_inode = cache_key_inode(left);
	n->lo_offset = left->low;
	n->undecoded = s->w->undecoded;
	ret = r->hole ? cache_btree_node_parse(s->w->sb, r->data, n, s->w->sink, s->err)
		      : cache_btree_node_salvage(s->w->sb, r->data, n, s->w->sink, s->err);
	cache_node_reads_judge(&s->reads, key, n->nsets);
	s->w->nnodes[level]++;
	s->w->nbad += n->damaged;
	if (!ret)
		ret = s->w->node(s->w->ctx, n);
	if (!ret && level)
		ret = live_children(s, n, live);
	return ret;
}

/*
 * Visits children [first, first + n) of a node at @level + 1; the child before them is @left.
 * The children of a node above the leaves are visited before its next sibling is read, so one
 * buffer serves all levels.
 */
static int visit_batch(struct walk *s, const struct cache_keys *keys, size_t first, size_t n,
		       unsigned level, const struct cache_bkey *left)
{
	struct cache_node_read *r = s->reads.node;
	struct cache_bkey end = cache_bkey_make(0, 0, 0, false);
	struct cache_keys live = { 0 };
	int ret = read_batch(s, keys->k + first, n);

	for (size_t i = 0; i < n && !ret; i++) {
		const struct cache_bkey *k = &keys->k[first + i];

		end = first + i ? k[-1] : *left;
		ret = enter(s, k, level, r[i].twice);
		if (ret <= 0)
			continue;
		if (r[i].result) {
			s->w->nbad++;
			ret = found_node(s, CACHE_P_NODE_UNREADABLE, k, level);
		} else {
			ret = visit(s, k, level, &end, &r[i], &live);
		}
	}
	if (!ret && level)
		ret = visit_children(s, &live, level - 1, &end);
	cache_keys_fini(&live);
	return ret;
}

/* Visits all of @live, the children of a node whose range begins at the end of @left. */
static int visit_children(struct walk *s, const struct cache_keys *live, unsigned level,
			  const struct cache_bkey *left)
{
	int ret = 0;

	for (size_t i = 0; i < live->n && !ret;) {
		/* Only leaves are read ahead: below other nodes there is much to read first. */
		size_t batch = level ? 1 : batch_size(live, i);

		ret = visit_batch(s, live, i, batch, level, left);
		i += batch;
	}
	return ret;
}

/* 1: read the root; 0: it is unusable, which was reported; otherwise an error. */
static int check_root(struct walk *s)
{
	const char *why = cache_btree_ptr_invalid(s->w->sb, &s->w->root);
	struct cache_finding f = { .want = CACHE_BTREE_LEVEL_MAX, .got = s->w->root_level };

	if (why || !cache_ptr_is_available(s->w->sb, &s->w->root, 0)) {
		f.code = CACHE_P_ROOT_PTR;
		f.what = why ? why : "points to a cache device that is not there";
		if (cache_key_ptrs(&s->w->root))
			f.bucket = cache_ptr_sector(s->w->root.ptr[0]) / s->w->sb->bucket_sectors;
		return cache_found(s->w->sink, s->err, &f);
	}
	if (s->w->root_level > CACHE_BTREE_LEVEL_MAX) {
		f.code = CACHE_P_ROOT_LEVEL;
		return cache_found(s->w->sink, s->err, &f);
	}
	if (!cache_bkey_is_max(&s->w->root)) {
		int ret = found_node(s, CACHE_P_ROOT_KEY, &s->w->root, s->w->root_level);

		if (ret)
			return ret;
	}
	return 1;
}

int cache_btree_walk(struct cache_btree_walk *w, struct cache_err *err)
{
	struct walk s = { .w = w, .err = err, .reads = { .dev = w->dev, .sb = w->sb } };
	struct cache_keys root = { .k = &w->root, .n = 1 };
	struct cache_bkey left = cache_bkey_make(0, 0, 0, false);
	int ret = check_root(&s);

	if (ret <= 0)
		return ret;
	s.entered = cache_bits_new(w->sb->nbuckets);
	if (!s.entered)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a bit map of the buckets");
	ret = visit_batch(&s, &root, 0, 1, w->root_level, &left);
	w->read_bytes = s.reads.read_bytes;
	cache_node_reads_fini(&s.reads);
	cache_btree_node_fini(&s.node);
	free(s.entered);
	return ret;
}
