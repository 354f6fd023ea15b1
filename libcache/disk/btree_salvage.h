/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_BTREE_SALVAGE_H
#define LIBCACHE_BTREE_SALVAGE_H

#include "disk/btree.h"

/**
 * cache_btree_node_salvage() - all that can be proven of a node, damaged or not
 * @data: the node's bytes; a single wrong byte in a set is corrected in it
 *
 * As cache_btree_node_parse(), which stops at the first set that does not verify. With a
 * @sink it goes on: a set of which one byte is wrong is corrected, and the finding about
 * it says so (corrected); then nothing is missing. A set that cannot be corrected
 * is left out, @node->damaged says that, and every set behind it that verifies is merged too.
 */
int cache_btree_node_salvage(const struct cache_sb *sb, void *data,
			     struct cache_btree_node *node, const struct cache_sink *sink,
			     struct cache_err *err);

#endif
