/* SPDX-License-Identifier: GPL-2.0-only */
/* A fresh tree from sorted extents, packed, in buckets that nothing uses. */
#ifndef LIBCACHE_REBUILD_H
#define LIBCACHE_REBUILD_H

#include "alloc/bucket.h"
#include "set/commit.h"
#include "base/rng.h"

/* An extent with one pointer. A rebuild holds millions of them. */
struct cache_packed_key {
	uint64_t high, low, ptr;
};

struct cache_rebuild {
	struct cache_commit *commit;
	const struct cache_sb *sb;
	struct cache_buckets *t;	/* gens of picked buckets are raised in it */
	struct cache_rng rng;		/* for the nodes' seq */
	uint64_t nnodes, max;		/* written, and about how many it will be */
	/* May be NULL; non-zero ends the work and is returned. */
	int (*progress)(void *ctx, uint64_t nnodes, uint64_t max);
	void *ctx;
};

/**
 * cache_rebuild_tree() - write all nodes and give the commit its root
 * @keys: sorted by start, without overlap
 *
 * Return: 0; -ENOBUFS when the unused buckets do not suffice; -EIO; -ENOMEM.
 */
int cache_rebuild_tree(struct cache_rebuild *r, const struct cache_packed_key *keys,
		       uint64_t nkeys, struct cache_err *err);

#endif
