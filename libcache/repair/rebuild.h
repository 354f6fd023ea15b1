/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes a new, packed tree from sorted extents, and a uuid table, into unused buckets. */
#ifndef LIBCACHE_REBUILD_H
#define LIBCACHE_REBUILD_H

#include "alloc/bucket.h"
#include "disk/keys.h"
#include "set/commit.h"
#include "base/rng.h"

struct cache_rebuild {
	struct cache_commit *commit;
	const struct cache_sb *sb;
	struct cache_buckets *t;	/* the gens of picked buckets are incremented in it */
	struct cache_rng rng;		/* for the seq numbers of the nodes */
	/* nodes written so far, and the expected number of nodes */
	uint64_t nnodes, max;
	/* Called for progress; may be NULL. A non-zero return ends the work and is returned. */
	int (*progress)(void *ctx, uint64_t nnodes, uint64_t max);
	void *ctx;
};

/**
 * cache_rebuild_tree() - write all nodes, and set the root of the commit
 * @keys: sorted by start, without overlap
 *
 * Return: 0; -ENOBUFS when there are too few unused buckets; -EIO; -ENOMEM.
 */
int cache_rebuild_tree(struct cache_rebuild *r, const struct cache_packed_key *keys,
		       uint64_t nkeys, struct cache_err *err);

/* Nodes of the tree of @nkeys keys, each of which takes a bucket. */
uint64_t cache_rebuild_nodes(const struct cache_sb *sb, uint64_t nkeys);

/**
 * cache_rebuild_uuids() - write a uuid table, and make the commit name it
 * @set: of the commit; the gen of the picked bucket is incremented in it
 * @u:   slots past those that the set can have are left out
 *
 * Return: as cache_rebuild_tree().
 */
int cache_rebuild_uuids(struct cache_commit *commit, struct cache_set *set,
			const struct cache_uuids *u, struct cache_err *err);

#endif
