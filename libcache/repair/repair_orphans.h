/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_REPAIR_ORPHANS_H
#define LIBCACHE_REPAIR_ORPHANS_H

#include "repair/repair_impl.h"

struct cache_orphans;

/**
 * cache_orphans_find() - find leaves without a parent, and leaves of the tree that overlap them
 * @d:      its ranges are complete; visited nodes are not examined
 * @unread: receives the buckets that cannot be read
 *
 * Free @found with cache_orphans_free(), also after an error. Reads the first page of each
 * bucket that was not visited, and every node there; all of a bucket of unknown priority that
 * nothing points to; nodes that may be interior up to 16 times more; then the tree again. Memory:
 * 160 bytes per leaf, 24 per key of an interior node.
 *
 * Return: 0; -ENOMEM, -ECANCELED; as cache_set_each_node().
 */
int cache_orphans_find(struct cache_set *set, const struct repair_doubt *d,
		       void (*unread)(void *ctx, uint64_t bucket), void *ctx,
		       struct cache_orphans **found, struct cache_err *err);
void cache_orphans_free(struct cache_orphans *s);

/*
 * All that a repair has to judge: the extents of the tree and of the journal, but not those of
 * leaves that take part in @s; then those of @s that the journal does not override, in the ranges
 * that are in doubt, in key order. @s may be NULL.
 * @sink: of the walk of the tree
 */
int cache_repair_each_extent(struct cache_set *set, const struct repair_doubt *d,
			     struct cache_orphans *s,
			     int (*fn)(void *ctx, const struct cache_extent *e), void *ctx,
			     const struct cache_sink *sink, struct cache_err *err);

#endif
