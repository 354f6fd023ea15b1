/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading nodes: a batch at a time, into one buffer that is used for the whole walk. Pointers
 * to buckets without a node should cost one block and not a whole node: the bytes of nodes that
 * did not verify are counted, and once there are many, a node that begins with zeros is not
 * read further.
 */
#ifndef LIBCACHE_NODE_READS_H
#define LIBCACHE_NODE_READS_H

#include "disk/btree.h"

#define CACHE_NODE_BATCH	128u	/* maximal number of nodes in one batch */

struct cache_node_read {
	bool twice;		/* set by the caller: do not read this one */
	bool in_steps;		/* the first block tells whether the rest is read */
	int result;		/* 0 or a negative errno */
	bool hole;		/* only the first block of @data was read: it is zero */
	char *data;
};

/* Bytes of nodes that had a valid set, of nodes without one, and of those not judged yet. */
struct cache_node_yield {
	uint64_t useful, wasted, open;
};

/* Memory for what is read; free .p. */
struct cache_node_buf {
	char *p;
	uint64_t nbytes;
};

/* Set to zero except @dev, @sb and @buf, which belongs to the caller. */
struct cache_node_reads {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	struct cache_node_read node[CACHE_NODE_BATCH];
	struct cache_node_buf *buf;	/* enlarged as needed */
	uint64_t read_bytes;		/* bytes read in total */
	bool timed;			/* set by the caller: fill ->times, and read a node alone */
	struct cache_walk_times times;
};

/* Decides how the nodes of @n keys, CACHE_NODE_BATCH at most, are to be read. */
void cache_node_reads_plan(struct cache_node_reads *r, struct cache_node_yield *yield,
			   const struct cache_bkey *keys, size_t n);

/* Reads them as planned, into ->node. 0 or -ENOMEM. */
int cache_node_reads(struct cache_node_reads *r, const struct cache_bkey *keys, size_t n);

/* Judges the node of @key, which was read and had @nsets valid sets. */
void cache_node_yield_add(struct cache_node_yield *yield, const struct cache_bkey *key,
			  uint32_t nsets);

#endif
