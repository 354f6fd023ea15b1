// SPDX-License-Identifier: GPL-2.0-only
/*
 * One job reads a batch, and then starts a job for each node, which parses it. The device is
 * used by one job at a time, as the next batch is begun when this one is read.
 */
#include "disk/node_batch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "disk/btree_salvage.h"

/* What a batch reads should still be in the near caches when it is parsed. */
#define BATCH_BYTES	(1u << 20)
/* A device that is read directly waits less, the more reads it has at once. */
#define BATCH_BYTES_DIRECT	(8u << 20)
/* Nodes of a batch that keep memory for many keys; such nodes are large, and few in a batch. */
#define LARGE_NODES	8u
#define LARGE_KEYS	32768u
#define SMALL_KEYS	1024u

static void hold(void *ctx, const struct cache_finding *f)
{
	struct cache_parsed_node *p = ctx;
	void *found = cache_array_grow(p->found, p->nfound, &p->capacity, sizeof(*p->found));

	p->failed |= !found;
	if (!found)
		return;
	p->found = found;
	p->found[p->nfound++] = *f;
}

static void parse(void *ctx)
{
	struct cache_parsed_node *p = ctx;
	const struct cache_btree_walk *w = p->batch->w;
	struct cache_node_read *r = &p->batch->reads.node[p - p->batch->parsed];
	const struct cache_sink keep = { .report = hold, .ctx = p }, *sink = w->sink ? &keep : NULL;

	p->ret = r->hole ? cache_btree_node_parse(w->sb, r->data, &p->node, sink, &p->err)
			 : cache_btree_node_salvage(w->sb, r->data, &p->node, sink, &p->err);
}

static void describe(struct cache_node_batch *b, size_t i)
{
	const struct cache_bkey *left = i ? &b->keys[i - 1] : &b->left;
	struct cache_btree_node *n = &b->parsed[i].node;

	n->key = b->keys[i];
	n->level = b->level;
	n->bucket = cache_ptr_bucket(b->w->sb, &b->keys[i], 0);
	n->lo_inode = cache_key_inode(left);
	n->lo_offset = left->low;
	n->undecoded = b->w->undecoded;
	n->times = b->w->times ? &b->parsed[i].times : NULL;
}

static void read_all(void *ctx)
{
	struct cache_node_batch *b = ctx;

	b->ret = cache_node_reads(&b->reads, b->keys, b->n);
	for (size_t i = 0; i < b->n && !b->ret; i++) {
		struct cache_node_read *r = &b->reads.node[i];

		if (r->twice || r->result)
			continue;
		describe(b, i);
		b->parsed[i].err.code = 0;
		cache_workers_start(b->w->workers, &b->parsed[i].job);
	}
}

/* Without workers a batch is read when the one before was visited: one buffer serves both. */
struct cache_node_batch *cache_node_batch_new(const struct cache_btree_walk *w,
					      struct cache_node_batch *other)
{
	struct cache_node_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->w = w;
	b->reads.dev = w->dev;
	b->reads.sb = w->sb;
	b->reads.timed = w->times;
	b->reads.buf = other && !w->workers ? other->reads.buf : &b->buf;
	b->read.fn = read_all;
	b->read.ctx = b;
	b->read.reads = true;
	for (unsigned i = 0; i < CACHE_NODE_BATCH; i++) {
		b->parsed[i].batch = b;
		b->parsed[i].job.fn = parse;
		b->parsed[i].job.ctx = &b->parsed[i];
	}
	return b;
}

void cache_node_batch_free(struct cache_node_batch *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < CACHE_NODE_BATCH; i++) {
		cache_btree_node_fini(&b->parsed[i].node);
		free(b->parsed[i].found);
	}
	free(b->buf.p);
	free(b);
}

size_t cache_node_batch_size(const struct cache_node_batch *b, const struct cache_keys *keys,
			     size_t first)
{
	uint64_t nbytes = 0, most = cache_dev_is_direct(b->w->dev) ? BATCH_BYTES_DIRECT : BATCH_BYTES;
	size_t n = 0;

	for (; n < CACHE_NODE_BATCH && first + n < keys->n; n++) {
		nbytes += cache_key_size(&keys->k[first + n]) * CACHE_SECTOR_BYTES;
		if (n && nbytes > most)
			break;
	}
	return n;
}

void cache_node_batch_begin(struct cache_node_batch *b, struct cache_node_yield *yield)
{
	cache_node_reads_plan(&b->reads, yield, b->keys, b->n);
	/* before the nodes of the last batch are parsed, so that the device is not idle */
	cache_workers_start_next(b->w->workers, &b->read);
}

int cache_node_batch_wait(struct cache_node_batch *b)
{
	cache_workers_wait(b->w->workers, &b->read);
	return b->ret;
}

/* Most nodes are alike: the memory of an uncommon one is not kept for the next. */
static void trim(struct cache_node_batch *b, size_t i)
{
	struct cache_btree_node *n = &b->parsed[i].node;

	if (n->keys.capacity + n->spare.capacity > (i < LARGE_NODES ? LARGE_KEYS : SMALL_KEYS))
		cache_btree_node_fini(n);
	if (b->parsed[i].capacity > SMALL_KEYS / 8) {
		free(b->parsed[i].found);
		b->parsed[i].found = NULL;
		b->parsed[i].capacity = 0;
	}
}

int cache_node_batch_node(struct cache_node_batch *b, size_t i, const struct cache_sink *sink,
			  const struct cache_btree_node **n, struct cache_err *err)
{
	struct cache_parsed_node *p = &b->parsed[i];
	int ret;

	cache_workers_wait(b->w->workers, &p->job);
	if (i)
		trim(b, i - 1);
	*n = &p->node;
	ret = p->failed ? -ENOMEM : p->ret;
	if (ret)
		cache_err_set(err, ret, p->err.sector, "%s", cache_err_text(&p->err, ret));
	for (size_t k = 0; k < p->nfound && !ret; k++)
		ret = cache_found(sink, err, &p->found[k]);
	p->nfound = 0;
	p->failed = false;
	return ret;
}

void cache_node_batch_drop(struct cache_node_batch *b)
{
	cache_workers_drop(b->w->workers, &b->read);
	for (unsigned i = 0; i < CACHE_NODE_BATCH; i++) {
		cache_workers_drop(b->w->workers, &b->parsed[i].job);
		b->parsed[i].nfound = 0;
		b->parsed[i].failed = false;
	}
}
