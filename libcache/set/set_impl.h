/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of image: loading, marking, extents. */
#ifndef LIBCACHE_SET_IMPL_H
#define LIBCACHE_SET_IMPL_H

#include "set/set.h"

/*
 * The start-up walk and what follows it: fills gens, raised, nnodes, overlay, and with
 * @upto CACHE_LOAD_MARKS buckets.
 */
int cache_set_mark(struct cache_set *set, enum cache_load upto,
		     const struct cache_sink *sink, struct cache_err *err);

/* What follows the newest journal entry, which @set has; @upto: past CACHE_LOAD_JOURNAL. */
int cache_set_load_rest(struct cache_set *set, enum cache_load upto,
			  const struct cache_sink *sink, struct cache_err *err);

/*
 * A bucket is written to only once its gen is on disk. So where a key of data raises the
 * gen of a bucket that is a node's, and on disk it is the node's or less, the key lies.
 */
bool cache_set_is_node(const struct cache_set *set, uint64_t bucket, uint8_t gen);

#endif
