/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One opened cache device, inside: superblock, journal, gens, uuid table, and what each
 * bucket holds, as a kernel would load them at its start.
 */
#ifndef LIBCACHE_SET_SET_H
#define LIBCACHE_SET_SET_H

#include <stdbool.h>
#include <stdint.h>

#include <libcache/set.h>

#include "disk/btree.h"
#include "alloc/gens.h"
#include "disk/journal.h"
#include "disk/overlay.h"
#include "disk/prio.h"
#include "format/super.h"
#include "disk/uuids.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_set {
	struct cache_dev *dev;
	struct cache_sb sb;
	enum cache_load loaded;		/* how far it got: damage may stop it early */
	bool has_journal;		/* newest entry known: journal.newest is filled */
	struct cache_journal journal;
	struct cache_prios prios;	/* as on disk; for CACHE_LOAD_GENS only the chain */
	struct cache_uuids uuids;
	/* As the kernel has them after its start: gens raised by keys, marks set. */
	struct cache_gens gens;
	struct cache_buckets buckets;	/* CACHE_LOAD_MARKS; then @gens is a window on it */
	uint64_t *gen_unknown;		/* one bit per bucket: no prio_set and no key told its gen; NULL: none */
	uint64_t raised;		/* buckets whose gen a key has raised */
	uint64_t nnodes[CACHE_BTREE_LEVEL_MAX + 1];
	uint64_t read_bytes;		/* of btree nodes */
	uint64_t nbad_nodes;		/* that could not be read, or not whole */
	uint64_t journal_keys;		/* to be replayed */
	struct cache_overlay overlay;	/* what the replay will insert: its entries, in order */
};

/* One extent as the driver would see it after its start, journal replayed. */
struct cache_extent {
	struct cache_bkey key;		/* cut to what is live of it */
	uint64_t leaf_bucket;		/* node it came from; of the journal: 0 */
	bool from_journal;		/* the replay will insert it */
	bool available;			/* its pointer resolves to this device */
	bool check_key;			/* placeholder of a miss in flight: no data */
	bool outside;			/* all of it, of its leaf's range: no lookup comes there */
	unsigned staleness;		/* of its pointers; 0: live */
};

/* A non-zero return ends the walk and is returned. */
typedef int cache_extent_fn(void *ctx, const struct cache_extent *e);

/**
 * cache_set_each_extent() - all extents in key order, bsets and journal merged
 * @set: loaded up to CACHE_LOAD_GENS
 *
 * Keys without pointers are left out: they have hidden what they hide. Stale
 * extents, check keys and extents of absent members are delivered and say so.
 * Reads the tree again; memory: one node per level.
 * Return: as cache_set_each_node().
 */
int cache_set_each_extent(struct cache_set *set, cache_extent_fn *fn, void *ctx,
			    const struct cache_sink *sink, struct cache_err *err);

/* What a load may show of the tree on its way. */
struct cache_extent_visit {
	/* Superblock, journal, gens and uuids are there. May be NULL. 0 or -ENOMEM. */
	int (*begin)(void *ctx, struct cache_set *set);
	/* More than 0 refuses an extent, and to see any other; less is an error of the load. */
	cache_extent_fn *fn;
	/*
	 * May be NULL. A whole leaf in place of its extents: all of them lie in its range,
	 * none is hidden by the journal, and it is ->plain. Not said: which are stale.
	 */
	cache_btree_node_fn *leaf;
	void *ctx;
	bool done;	/* filled: what was shown is all, and as it is after the load */
};

/**
 * cache_set_load_visit() - as cache_set_load(), and shows the extents while it reads them
 * @sb:    the superblock of @dev, read already
 * @visit: NULL: shows nothing
 *
 * Where a key raises a gen, or a gen is not known, or @visit refuses one, the extents are as
 * good as not seen: ->done is false, and cache_set_each_extent() will show them.
 */
int cache_set_load_visit(struct cache_dev *dev, const struct cache_sb *sb, enum cache_load upto,
			 struct cache_extent_visit *visit, const struct cache_sink *sink,
			 struct cache_set **set, struct cache_err *err);

/*
 * Every node with its raw sets, as it lies: see cache_btree_walk(), and -EIO when
 * a node was read well before and now is not: that goes to @sink too, but a caller that
 * received all findings at the load may ignore them. Its progress counts nodes, as
 * CACHE_PASS_BUCKETS.
 */
int cache_set_each_node(struct cache_set *set, cache_btree_node_fn *fn, void *ctx,
			  const struct cache_sink *sink, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
