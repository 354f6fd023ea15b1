// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking the tree. Nodes are read and reached once only (one bit per bucket), levels
 * are bounded, and the leaves under one parent are read in batches: while one is visited, the
 * next is read and parsed (node_batch.c).
 */
#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "disk/btree.h"
#include "disk/node_batch.h"
#include "format/members.h"

struct walk {
	struct cache_btree_walk *w;
	struct cache_err *err;
	uint64_t *entered;	/* one bit per bucket: a node was read there */
	struct cache_node_yield yield;
	struct cache_node_batch *batch[2];
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

/* Begins to read children [first, first + n) of a node; those entered before are not read again. */
static void begin_batch(struct walk *s, struct cache_node_batch *b, const struct cache_keys *keys,
			size_t first, size_t n, unsigned level, const struct cache_bkey *left)
{
	b->keys = keys->k + first;
	b->n = n;
	b->level = level;
	b->left = first ? keys->k[first - 1] : *left;
	for (size_t i = 0; i < n; i++)
		b->reads.node[i].twice =
			cache_bit_test_and_set(s->entered, bucket_of(s, &b->keys[i]));
	cache_node_batch_begin(b, &s->yield);
}

/* Visits node @i of a batch; @live receives its children. */
static int visit(struct walk *s, struct cache_node_batch *b, size_t i, struct cache_keys *live)
{
	const struct cache_bkey *k = &b->keys[i];
	const struct cache_btree_node *n;
	int ret = enter(s, k, b->level, b->reads.node[i].twice);

	if (ret <= 0)
		return ret;
	if (b->reads.node[i].result) {
		s->w->nbad++;
		cache_node_yield_add(&s->yield, k, 0);
		return found_node(s, CACHE_P_NODE_UNREADABLE, k, b->level);
	}
	ret = cache_node_batch_node(b, i, s->w->sink, &n, s->err);
	cache_node_yield_add(&s->yield, k, n->nsets);
	s->w->nnodes[b->level]++;
	s->w->nbad += n->damaged;
	if (!ret)
		ret = s->w->node(s->w->ctx, n);
	if (!ret && b->level)
		ret = live_children(s, n, live);
	return ret;
}

static int end_batch(struct walk *s, struct cache_node_batch *b)
{
	int ret = cache_node_batch_wait(b);

	return ret ? cache_err_set(s->err, ret, 0, "no memory for a btree node") : 0;
}

/* A node above the leaves, and all below it, before its next sibling is read. */
static int visit_interior(struct walk *s, const struct cache_keys *keys, size_t i, unsigned level,
			  const struct cache_bkey *left)
{
	struct cache_node_batch *b = s->batch[0];
	struct cache_bkey end = i ? keys->k[i - 1] : *left;
	struct cache_keys live = { 0 };
	int ret;

	begin_batch(s, b, keys, i, 1, level, left);
	ret = end_batch(s, b);
	if (!ret)
		ret = visit(s, b, 0, &live);
	if (!ret)
		ret = visit_children(s, &live, level - 1, &end);
	cache_keys_fini(&live);
	return ret;
}

/* Leaves: the next batch is begun before one is visited. */
static int visit_leaves(struct walk *s, const struct cache_keys *keys, const struct cache_bkey *left)
{
	struct cache_node_batch *b = s->batch[0], *ahead = s->batch[1];
	size_t next = cache_node_batch_size(b, keys, 0);
	int ret = 0;

	begin_batch(s, b, keys, 0, next, 0, left);
	while (!ret && b->n) {
		struct cache_node_batch *was = b;
		size_t n = cache_node_batch_size(ahead, keys, next);

		ret = end_batch(s, b);
		ahead->n = 0;
		if (!ret && n)
			begin_batch(s, ahead, keys, next, n, 0, left);
		for (size_t i = 0; i < b->n && !ret; i++)
			ret = visit(s, b, i, NULL);
		next += n;
		b = ahead;
		ahead = was;
	}
	cache_node_batch_drop(s->batch[0]);
	cache_node_batch_drop(s->batch[1]);
	return ret;
}

/* Visits all of @live, the children of a node whose range begins at the end of @left. */
static int visit_children(struct walk *s, const struct cache_keys *live, unsigned level,
			  const struct cache_bkey *left)
{
	int ret = 0;

	if (!level)
		return live->n ? visit_leaves(s, live, left) : 0;
	for (size_t i = 0; i < live->n && !ret; i++)
		ret = visit_interior(s, live, i, level, left);
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

static int walk_from_root(struct walk *s)
{
	struct cache_keys root = { .k = &s->w->root, .n = 1 };
	struct cache_bkey left = cache_bkey_make(0, 0, 0, false);

	s->entered = cache_bits_new(s->w->sb->nbuckets);
	for (unsigned i = 0; i < 2; i++)
		s->batch[i] = cache_node_batch_new(s->w, s->batch[0]);
	if (!s->entered || !s->batch[0] || !s->batch[1])
		return cache_err_set(s->err, -ENOMEM, 0, "no memory to walk the btree");
	return visit_children(s, &root, s->w->root_level, &left);
}

/* What one batch, which may be NULL, has read, and how long that took. */
static void add_up(struct cache_btree_walk *w, const struct cache_node_batch *b)
{
	if (!b)
		return;
	w->read_bytes += b->reads.read_bytes;
	if (!w->times)
		return;
	cache_walk_times_add(w->times, &b->reads.times);
	for (unsigned i = 0; i < CACHE_NODE_BATCH; i++)
		cache_walk_times_add(w->times, &b->parsed[i].times);
}

int cache_btree_walk(struct cache_btree_walk *w, struct cache_err *err)
{
	struct walk s = { .w = w, .err = err };
	int ret = check_root(&s);

	if (ret <= 0)
		return ret;
	ret = walk_from_root(&s);
	w->read_bytes = 0;
	for (unsigned i = 0; i < 2; i++) {
		add_up(w, s.batch[i]);
		cache_node_batch_free(s.batch[i]);
	}
	free(s.entered);
	return ret;
}
