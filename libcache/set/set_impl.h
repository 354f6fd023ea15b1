/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of image: loading, marking, extents. */
#ifndef LIBCACHE_SET_IMPL_H
#define LIBCACHE_SET_IMPL_H

#include "set/set.h"

/* Leaves in key order and the journal's keys become one order of extents. */
struct cache_set_stream {
	struct cache_set *set;
	const struct cache_extent_visit *visit;
	struct cache_overlay_walk over;
	struct cache_bkey next;	/* of the journal */
	bool more;		/* there is a next */
};

/* Once @set has its overlay. 0 or -ENOMEM. */
int cache_set_stream_init(struct cache_set_stream *s, struct cache_set *set,
		    const struct cache_extent_visit *visit);
/* The extents of a leaf, the journal's that come before them, and at the end all others. */
int cache_set_stream_leaf(struct cache_set_stream *s, const struct cache_btree_node *n);
int cache_set_stream_end(struct cache_set_stream *s);
void cache_set_stream_fini(struct cache_set_stream *s);

/*
 * The start-up walk and what follows it: fills gens, raised, nnodes, overlay, and with
 * @upto CACHE_LOAD_MARKS buckets. @visit: as cache_set_load_visit(), or NULL
 */
int cache_set_mark(struct cache_set *set, enum cache_load upto,
		   struct cache_extent_visit *visit, const struct cache_sink *sink,
		   struct cache_err *err);

/* What follows the newest journal entry, which @set has; @upto: past CACHE_LOAD_JOURNAL. */
int cache_set_load_rest(struct cache_set *set, enum cache_load upto,
			  const struct cache_sink *sink, struct cache_err *err);

/*
 * A bucket is written to only once its gen is on disk. So where a key of data raises the
 * gen of a bucket that is a node's, and on disk it is the node's or less, the key lies.
 */
bool cache_set_is_node(const struct cache_set *set, uint64_t bucket, uint8_t gen);

#endif
