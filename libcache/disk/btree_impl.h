/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files that parse a node: its sets, and their keys. */
#ifndef LIBCACHE_BTREE_IMPL_H
#define LIBCACHE_BTREE_IMPL_H

#include "disk/btree.h"
#include "format/geometry.h"

/* One node while it is parsed. */
struct cache_node_parse {
	const struct cache_sb *sb;
	const char *data;
	struct cache_btree_node *node;
	const struct cache_sink *sink;
	struct cache_err *err;
	uint32_t block_bytes;
	struct cache_geometry geometry;
	/* a set is out of order: the last key of the driver's merge may not be the greatest */
	bool misordered;
	/* the greatest key of all sets; the last key of the set that has it */
	struct cache_bkey greatest, last;
	size_t nnoted;		/* number of sets that these two include */
	bool suspect;		/* a key may be invalid */
};

/* A finding about the set at @block of the node. */
struct cache_finding cache_node_finding(const struct cache_node_parse *p,
					enum cache_problem code, uint32_t block);

/* Reports a finding that ends the node's log: the sets after it cannot be trusted. */
int cache_node_damage(struct cache_node_parse *p, const struct cache_finding *f);

/*
 * Whether the keys need neither a check nor a merge: then node->stored is set. Otherwise nothing
 * was done.
 */
bool cache_node_take_stored(struct cache_node_parse *p);

/* Checks and merges the keys of node->sets into node->keys; 0 or an error. */
int cache_node_keys(struct cache_node_parse *p);

#endif
