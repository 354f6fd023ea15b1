/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inside of an opened cache set: superblock, journal, gens, uuid table, and what each
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

struct cache_set_members;

struct cache_set {
	struct cache_dev *dev;
	struct cache_sb sb;
	enum cache_load loaded;		/* how far loading got: damage may stop it early */
	bool has_journal;		/* the newest entry is known: journal.newest is filled */
	struct cache_journal journal;
	/* Called with the chain once it was read, before anything is made of it; may be NULL. */
	void (*correct_prios)(void *ctx, struct cache_prios *prios);
	void *correct_ctx;
	struct cache_prios prios;	/* as on disk; with CACHE_LOAD_GENS only the chain */
	struct cache_uuids uuids;
	/* As the kernel has them after its start: gens raised by keys, buckets marked. */
	struct cache_gens gens;
	struct cache_buckets buckets;	/* with CACHE_LOAD_MARKS; then @gens is a view of it */
	/*
	 * one bit per bucket: neither a prio_set nor a key gives its gen; NULL: all gens are
	 * known
	 */
	uint64_t *gen_unknown;
	uint64_t raised;		/* number of buckets whose gen was raised by a key */
	uint64_t nnodes[CACHE_BTREE_LEVEL_MAX + 1];
	uint64_t read_bytes;		/* bytes of btree nodes that were read */
	uint64_t nbad_nodes;		/* nodes that could not be read, or in part only */
	uint64_t journal_keys;		/* number of keys to be replayed */
	struct cache_overlay overlay;	/* what the replay will insert: its entries, in order */
	struct cache_stale *stale;	/* what was read of children that are stale */
	struct cache_set_members *members;	/* of a set of several devices (members.h); else NULL */
};

/**
 * cache_set_new_blank() - a set in which nothing is stored yet, and that has no journal entry
 * @sb: of the set that a commit is to make; its ring has no valid entry of this set
 *
 * @dev is not read; all buckets but those of the superblock and the ring are unused, with gen 0.
 * The first commit, which must be a checkpoint and name a root, a uuid table and prios, makes
 * the set complete. Return: 0, -ENOMEM. Release it with cache_set_close().
 */
int cache_set_new_blank(struct cache_dev *dev, const struct cache_sb *sb, struct cache_set **set,
			struct cache_err *err);

/* One extent as the driver would see it after its start, with the journal replayed. */
struct cache_extent {
	struct cache_bkey key;		/* cut to its live part */
	uint64_t leaf_bucket;		/* bucket of its leaf; 0: it comes from the journal */
	bool from_journal;		/* the replay will insert it */
	bool available;			/* its pointer resolves to this device */
	bool check_key;			/* placeholder of a pending miss: it has no data */
	/* all of it is outside its leaf's range: no lookup finds it */
	bool outside;
	unsigned staleness;		/* of its pointers; 0: live */
};

/* A non-zero return ends the walk and is returned. */
typedef int cache_extent_fn(void *ctx, const struct cache_extent *e);

/**
 * cache_set_each_extent() - all extents in key order, bsets and journal merged
 * @set: loaded up to CACHE_LOAD_GENS
 *
 * Keys without pointers are left out; they only override others. Stale extents, check keys and
 * extents of absent members are delivered and marked as such. Reads the tree again; memory: one
 * node per level.
 * Return: as cache_set_each_node().
 */
int cache_set_each_extent(struct cache_set *set, cache_extent_fn *fn, void *ctx,
			    const struct cache_sink *sink, struct cache_err *err);

/* @current: it is known that the gen of each key is that of its bucket. */
typedef int cache_set_leaf_fn(void *ctx, const struct cache_btree_node *n, bool current);

/* What a load calls while it reads the tree. */
struct cache_extent_visit {
	/*
	 * Called when superblock, journal, gens and uuids are loaded. May be NULL. 0 or
	 * -ENOMEM.
	 */
	int (*begin)(void *ctx, struct cache_set *set);
	/*
	 * Called for each extent. A positive return rejects this extent and all others; a
	 * negative one is an error of the load.
	 */
	cache_extent_fn *fn;
	/*
	 * May be NULL. Called with a whole leaf instead of its extents: all of them are in its
	 * range, the journal hides none, and the leaf is ->plain; it may be ->stored. Where it is
	 * not all current, it does not tell which keys are stale.
	 */
	cache_set_leaf_fn *leaf;
	void *ctx;
	struct cache_workers *workers;	/* threads to read the tree with; may be NULL */
	struct cache_walk_times *times;	/* where the time goes; NULL: not measured */
	/* set when the extents shown were complete and are still right after the load */
	bool done;
};

/**
 * cache_set_load_visit() - as cache_set_load(), and calls @visit for the extents while it reads
 * them
 * @sb:    the superblock of @dev, read already
 * @visit: NULL: nothing is called
 *
 * If a key raises a gen, a gen is not known, or @visit rejects an extent, the calls do not
 * count: ->done is false, and the caller uses cache_set_each_extent().
 */
int cache_set_load_visit(struct cache_dev *dev, const struct cache_sb *sb, enum cache_load upto,
			 struct cache_extent_visit *visit, const struct cache_sink *sink,
			 struct cache_set **set, struct cache_err *err);

/*
 * Visits every node with its raw sets: see cache_btree_walk(). Also returns -EIO when a node
 * could be read before and now cannot; this is reported to @sink too, but a caller that
 * received all findings at the load may ignore them. The progress counts nodes, as
 * CACHE_PASS_BUCKETS.
 */
int cache_set_each_node(struct cache_set *set, cache_btree_node_fn *fn, void *ctx,
			  const struct cache_sink *sink, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
