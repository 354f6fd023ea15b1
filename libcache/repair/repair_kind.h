/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a node without a parent is a leaf or interior, which it does not say: both have keys of
 * one form.
 */
#ifndef LIBCACHE_REPAIR_KIND_H
#define LIBCACHE_REPAIR_KIND_H

#include "repair/repair_impl.h"

enum repair_kind {
	REPAIR_LEAF,
	REPAIR_INTERIOR,
	/* each key is as that of a child, but none leads to a node any more: the node was
	 * replaced, or it is a leaf of clean extents that fill a bucket each */
	REPAIR_EITHER,
};

/* Of a node with these @keys, of all its sets. Reads a sector for each until one leads to a node. */
enum repair_kind cache_repair_kind_of(const struct cache_set *set, const struct cache_keys *keys);

/* Keys of interior nodes. Zeroed: none. */
struct cache_children {
	struct cache_child *c;
	size_t n, capacity, nsorted;
};

/* 0; -ENOMEM. What was added is found after the next sort. */
int cache_children_add(struct cache_children *c, const struct cache_keys *keys);
/* Of @opts, which may be NULL, the progress alone is called. 0; -ENOMEM; -ECANCELED. */
int cache_children_sort(struct cache_children *c, const struct cache_repair_opts *opts);

/* One of @keys is here too, with the same pointer: so @keys are those of an interior node. */
bool cache_children_has_any(const struct cache_children *c, const struct cache_keys *keys);
void cache_children_fini(struct cache_children *c);

#endif
