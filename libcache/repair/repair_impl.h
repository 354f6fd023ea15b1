/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of repair: what is in doubt, what is kept. */
#ifndef LIBCACHE_REPAIR_IMPL_H
#define LIBCACHE_REPAIR_IMPL_H

#include <errno.h>

#include "fsck/fsck_impl.h"
#include "base/bits.h"
#include "set/set_impl.h"
#include "repair/repair.h"
#include "repair/rebuild.h"

/* Positions: everything after (lo_inode, lo), up to and including (hi_inode, hi). */
struct repair_range {
	uint64_t lo_inode, lo, hi_inode, hi;
};

struct repair_ranges {
	struct repair_range *r;
	size_t n, capacity;
};

/* What the findings put in doubt. */
struct repair_doubt {
	const struct cache_sb *sb;
	const struct cache_set *set;	/* set for the walk */
	const struct cache_repair_opts *opts;	/* for its progress; may be NULL */
	uint64_t *nodes;	/* one bit per bucket: keys of this node, or below it, are in doubt */
	uint64_t *foreign;	/* one bit per bucket: what extents have there is not theirs */
	uint64_t *shared;	/* one bit per bucket: clean extents there are in doubt */
	uint64_t *members;	/* bit a prio_set: gens are in doubt */
	struct repair_ranges ranges;
	uint64_t *visited;	/* one bit per bucket: nodes that the walk has reached */
	uint64_t *falsely_freed;	/* one bit per bucket: nodes cut off by the gen of a key that lies */
	bool all;		/* any clean extent may be stale */
	bool no_clean;		/* there are too few unused buckets to keep clean extents */
	bool scan;		/* leaves may be cut off: look for nodes everywhere */
	bool root_lost;		/* a part of @scan: how many nodes there should be is not known */
	bool failed;		/* out of memory while listening */
	bool super, rebuild, uuids, wipe_ring;	/* which remedies were asked for */
	bool table;		/* the uuid table is written anew, whatever its slots are */
	unsigned garbage;	/* slots of it that no driver writes */
	bool unread;		/* something could not be read: that may pass */
	bool beyond_extents;	/* more than to drop extents */
};

int cache_repair_doubt_init(struct repair_doubt *d, const struct cache_sb *sb);
void cache_repair_doubt_fini(struct repair_doubt *d);
/* A cache_sink's report. */
void cache_repair_doubt_add(void *ctx, const struct cache_finding *f);
/* Ranges of nodes in doubt, from a walk of the tree; then they are sorted and merged. */
int cache_repair_doubt_ranges(struct repair_doubt *d, struct cache_set *set,
			      struct cache_err *err);
/*
 * For another walk over the tree: what the first one found may be found again, but
 * a node that is damaged only now would be lost in silence. Ask ->changed after.
 */
struct repair_again {
	const struct repair_doubt *d;
	enum cache_repair_pass pass;
	bool changed;
};
void cache_repair_find_again(void *ctx, const struct cache_finding *f);
int cache_repair_progress_again(void *ctx, unsigned pass, uint64_t current, uint64_t max);
int cache_repair_changed(const struct repair_again *a, struct cache_err *err);

bool cache_repair_is_doubtful(const struct repair_doubt *d, const struct cache_bkey *k);

/*
 * Nodes that no parent leads to (behaviour 11). Each bucket that starts like a node is
 * verified with every gen its pointer could have had; the checksum is seeded with that
 * pointer, so a match is proof. @fn receives those whose gen is the bucket's own, as if of
 * level 0. @unread receives the buckets that cannot be read.
 */
int cache_repair_scan(struct cache_set *set, const struct repair_doubt *d,
		      cache_btree_node_fn *fn, void *ctx,
		      void (*unread)(void *ctx, uint64_t bucket), void *unread_ctx,
		      struct cache_err *err);

/*
 * Takes from @commit every bucket that something which could not be read may own.
 * Return: 0; -ECANCELED; -ENOMEM.
 */
int cache_repair_spare(struct cache_set *set, struct cache_commit *commit,
		       const struct cache_repair_opts *opts, struct cache_err *err);

/*
 * What the newest entry of an empty ring must have named, and everything loaded from
 * there; what is not found stays zero, and is told to @sink as a finding. @unread becomes
 * true if something of it may stand where a read failed.
 */
int cache_repair_find_lost(struct cache_set *set, bool old_ring, const struct cache_sink *sink,
			   bool *unread, struct cache_err *err);

/*
 * Whether the ring of @set, loaded up to its journal, is of an earlier moment: what it
 * names does not verify, and the disk has a newer state that it knows nothing of. Then it counts
 * as empty, @old_ring for the function above. 0 or -ENOMEM.
 */
int cache_repair_ring_is_old(struct cache_set *set, bool *old, struct cache_err *err);

struct repair_kept {
	struct cache_packed_key *keys;
	size_t n, capacity;
};

/* Live extents that may stay, sorted; counts and losses go to @plan and opts->loss. */
int cache_repair_collect(struct fsck_cache *c, const struct repair_doubt *d,
			 const struct cache_repair_opts *opts, struct repair_kept *kept,
			 struct cache_repair_plan *plan, struct cache_err *err);

/*
 * A uuid table as it should be, in @u, and what its slots then bound in @c; plan->uuids says
 * whether it must be written. A slot that was overwritten, has dirty data and could be
 * anybody's stays as it is, so that it is found again, and @plan says why. Return: 0;
 * -EUCLEAN when a slot that is missing cannot be proven, and @plan says why; -ENOMEM.
 */
int cache_repair_uuids(struct fsck_cache *c, const struct repair_doubt *d,
		       const struct cache_repair_opts *opts, struct cache_uuids *u,
		       struct cache_repair_plan *plan);
/* A backing device at hand is dirty, and the set does not know it. */
bool cache_repair_misses_slot(struct fsck_cache *c, const struct cache_repair_opts *opts);

static inline int repair_progress(const struct cache_repair_opts *opts, unsigned pass,
				  uint64_t current, uint64_t max)
{
	return opts && opts->progress &&
	       opts->progress(opts->ctx, opts->dev, pass, current, max) ? -ECANCELED : 0;
}

#endif
