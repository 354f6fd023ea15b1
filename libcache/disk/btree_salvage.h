/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_BTREE_SALVAGE_H
#define LIBCACHE_BTREE_SALVAGE_H

#include "disk/btree.h"

/**
 * cache_btree_node_salvage() - read every set of a node that verifies, whether the node is
 * damaged or not
 * @data: the node's bytes; a single wrong byte in a set is corrected in it
 *
 * As cache_btree_node_parse(), but if there is a @sink it does not stop at the first set that
 * does not verify. A set with one wrong byte is corrected, and the finding about it says so
 * (corrected). A set that cannot be corrected is left out, @node->damaged is set, and every set
 * behind it that verifies is merged too.
 */
int cache_btree_node_salvage(const struct cache_sb *sb, void *data,
			     struct cache_btree_node *node, const struct cache_sink *sink,
			     struct cache_err *err);

#endif
