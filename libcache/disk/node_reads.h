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

#define CACHE_NODE_BATCH	64u	/* maximal number of nodes in one batch */

struct cache_node_read {
	bool twice;		/* set by the caller: do not read this one */
	int result;		/* 0 or a negative errno */
	bool hole;		/* only the first block of @data was read: it is zero */
	char *data;
};

/* Set to zero except @dev and @sb; release with cache_node_reads_fini(). */
struct cache_node_reads {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	struct cache_node_read node[CACHE_NODE_BATCH];
	char *buf;
	uint64_t buf_bytes;
	uint64_t read_bytes;		/* bytes read in total */
	/* bytes of nodes that had a valid set, and of nodes without one */
	uint64_t useful, wasted;
};

/* Reads the nodes of @n keys, CACHE_NODE_BATCH at most, into ->node. 0 or -ENOMEM. */
int cache_node_reads(struct cache_node_reads *r, const struct cache_bkey *keys, size_t n);

/* Tells that the node of @key was parsed and had @nsets valid sets. */
void cache_node_reads_judge(struct cache_node_reads *r, const struct cache_bkey *key,
			    uint32_t nsets);
void cache_node_reads_fini(struct cache_node_reads *r);

#endif
