/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading nodes: as many at once as the device likes, into one buffer that serves the whole
 * walk. A pointer that leads into a hole costs one block, not a node: what did not verify is
 * counted, and where that is much, a node that begins with zeros is not read further.
 */
#ifndef LIBCACHE_NODE_READS_H
#define LIBCACHE_NODE_READS_H

#include "disk/btree.h"

#define CACHE_NODE_BATCH	64u	/* nodes in one batch, at most */

struct cache_node_read {
	bool twice;		/* set by the caller: leave it out */
	int result;		/* 0 or a negative errno */
	bool hole;		/* of @data only the first block was read: it is zero */
	char *data;
};

/* Zero it but for @dev and @sb; release with cache_node_reads_fini(). */
struct cache_node_reads {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	struct cache_node_read node[CACHE_NODE_BATCH];
	char *buf;
	uint64_t buf_bytes;
	uint64_t read_bytes;		/* in all */
	uint64_t useful, wasted;	/* bytes of nodes that had a set, and of those without */
};

/* Reads the nodes of @n keys, CACHE_NODE_BATCH at most, into ->node. 0 or -ENOMEM. */
int cache_node_reads(struct cache_node_reads *r, const struct cache_bkey *keys, size_t n);

/* The node of @key was parsed and had @nsets sets. */
void cache_node_reads_judge(struct cache_node_reads *r, const struct cache_bkey *key,
			    uint32_t nsets);
void cache_node_reads_fini(struct cache_node_reads *r);

#endif
