/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files that parse a node: its sets, and the keys of them. */
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
	/* Only where a set is out of order the driver's last key is not the greatest. */
	bool misordered;
	struct cache_bkey greatest, last;	/* of all sets; of the set that has that */
	size_t nnoted;		/* sets that are in these two */
	bool suspect;		/* a key may be invalid */
};

/* A finding about the node that begins at @block of it. */
struct cache_finding cache_node_finding(const struct cache_node_parse *p,
					enum cache_problem code, uint32_t block);

/* Reports a finding that ends the node's log: what follows cannot be trusted. */
int cache_node_damage(struct cache_node_parse *p, const struct cache_finding *f);

/* The keys of node->sets, judged and merged, into node->keys; 0 or an error. */
int cache_node_keys(struct cache_node_parse *p);

#endif
