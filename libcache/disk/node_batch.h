/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nodes that are read together and parsed beside each other, each into memory of its own. What
 * parsing finds is kept and reported when the node's turn comes, so that the findings are in the
 * order of the tree whoever has parsed what.
 */
#ifndef LIBCACHE_NODE_BATCH_H
#define LIBCACHE_NODE_BATCH_H

#include "disk/btree.h"
#include "disk/node_reads.h"

struct cache_parsed_node {
	struct cache_job job;
	struct cache_node_batch *batch;
	struct cache_btree_node node;
	struct cache_walk_times times;
	struct cache_finding *found;
	size_t nfound, capacity;
	bool failed;			/* no memory for what was found */
	int ret;
	struct cache_err err;
};

struct cache_node_batch {
	const struct cache_btree_walk *w;
	/* Set these before cache_node_batch_begin(), and ->twice of each node of @reads. */
	const struct cache_bkey *keys;	/* of @n nodes, side by side */
	size_t n;
	unsigned level;
	struct cache_bkey left;		/* the key before the first one */
	struct cache_node_reads reads;
	struct cache_node_buf buf;
	struct cache_job read;
	int ret;
	struct cache_parsed_node parsed[CACHE_NODE_BATCH];
};

/* @other: the batch that is visited before and after this one; may be NULL. NULL without memory. */
struct cache_node_batch *cache_node_batch_new(const struct cache_btree_walk *w,
					      struct cache_node_batch *other);
void cache_node_batch_free(struct cache_node_batch *b);

/* How many of @keys, starting at @first, make one batch. */
size_t cache_node_batch_size(const struct cache_node_batch *b, const struct cache_keys *keys,
			     size_t first);

void cache_node_batch_begin(struct cache_node_batch *b, struct cache_node_yield *yield);

/* Waits until all are read. 0 or -ENOMEM. */
int cache_node_batch_wait(struct cache_node_batch *b);

/*
 * Node @i, once it is parsed, which was read and is given once; its findings go to @sink. Return:
 * as cache_btree_node_parse(). *@n is set in any case, and valid until the next batch is begun.
 */
int cache_node_batch_node(struct cache_node_batch *b, size_t i, const struct cache_sink *sink,
			  const struct cache_btree_node **n, struct cache_err *err);

/* What was begun is not needed any more. */
void cache_node_batch_drop(struct cache_node_batch *b);

#endif
