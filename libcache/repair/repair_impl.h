/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of repair: what is in doubt, what is kept. */
#ifndef LIBCACHE_REPAIR_IMPL_H
#define LIBCACHE_REPAIR_IMPL_H

#include <errno.h>

#include "fsck/fsck_impl.h"
#include "base/bits.h"
#include "base/sort.h"
#include "set/set_impl.h"
#include "repair/repair.h"
#include "repair/rebuild.h"

/* Positions after (lo_inode, lo), up to and including (hi_inode, hi). */
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
	const struct cache_set *set;	/* the set that is walked */
	const struct cache_repair_opts *opts;	/* for the progress of the walk; may be NULL */
	/* one bit per bucket: keys of this node and of those below it are in doubt */
	uint64_t *nodes;
	/* one bit per bucket: what it holds is not the data of the extents that point to it */
	uint64_t *foreign;
	uint64_t *shared;	/* one bit per bucket: clean extents there are in doubt */
	uint64_t *members;	/* one bit per prio_set: its gens are in doubt */
	struct repair_ranges ranges;
	uint64_t *visited;	/* one bit per bucket: nodes that the walk has visited */
	/* one bit per bucket: nodes cut off by the false gen of a key */
	uint64_t *falsely_freed;
	uint64_t *maybe_freed;	/* one bit per bucket: nodes that may have been replaced, or not */
	bool all;		/* any clean extent may be stale */
	bool no_clean;		/* there are too few unused buckets to keep clean extents */
	bool scan;		/* leaves may be cut off: look for nodes everywhere */
	bool root_lost;		/* with @scan: the number of nodes is not known */
	bool failed;		/* out of memory while findings were received */
	bool super, rebuild, uuids, wipe_ring;	/* remedies that were asked for */
	bool table;		/* the uuid table is rewritten, whatever its slots hold */
	unsigned garbage;	/* slots that no driver writes */
	bool unread;		/* something could not be read; the cause may be temporary */
	bool beyond_extents;	/* more must be done than to drop extents */
};

int cache_repair_doubt_init(struct repair_doubt *d, const struct cache_sb *sb);
void cache_repair_doubt_fini(struct repair_doubt *d);
/* The report function of a cache_sink. */
void cache_repair_doubt_add(void *ctx, const struct cache_finding *f);
/* Adds the ranges of nodes in doubt, by a walk of the tree; then sorts and merges all ranges. */
int cache_repair_doubt_ranges(struct repair_doubt *d, struct cache_set *set,
			      struct cache_err *err);
/*
 * For another walk of the tree. Findings of the first walk may come again, but a node that is
 * damaged only now must not be lost silently: check ->changed afterwards.
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
 * Finds nodes without a parent (behaviour 11). Each bucket that starts like a node is verified
 * with every gen that a pointer to it could have had. The checksum is seeded with that pointer,
 * so a match is proof. @fn receives the nodes whose gen is that of the bucket, with level 0.
 * @unread receives the buckets that cannot be read.
 */
int cache_repair_scan(struct cache_set *set, const struct repair_doubt *d,
		      cache_btree_node_fn *fn, void *ctx,
		      void (*unread)(void *ctx, uint64_t bucket), void *unread_ctx,
		      struct cache_err *err);

/*
 * Excludes from @commit every bucket that may belong to something that could not be read.
 *
 * Return: 0; -ECANCELED; -ENOMEM.
 */
int cache_repair_spare(struct cache_set *set, struct cache_commit *commit,
		       const struct cache_repair_opts *opts, struct cache_err *err);

/*
 * Finds what the newest entry of an empty ring must have named, and loads it. What is not found
 * stays zero and is reported to @sink as a finding. @unread is set if a part of it may be where
 * a read failed. -EUCLEAN: nothing of the set is on the device.
 */
int cache_repair_find_lost(struct cache_set *set, bool old_ring, const struct cache_sink *sink,
			   bool *unread, struct cache_err *err);

/*
 * Whether the ring of @set, which is loaded up to its journal, is older than the rest of the
 * set: what the ring names does not verify, and the device has a newer state that the ring does
 * not name. Then it is treated as empty: @old_ring of the function above. Return: 0; -ENOMEM,
 * -ECANCELED.
 */
int cache_repair_ring_is_old(struct cache_set *set, bool *old, const struct cache_sink *sink,
			     struct cache_err *err);

/*
 * Adds to the replay of @set, which is loaded up to its journal, the entries that it lacks and
 * that stand behind damaged ones; @added: there are some. Return: 0; -EIO, -ENOMEM, -ECANCELED.
 */
int cache_repair_add_survivors(struct cache_set *set, bool *added, const struct cache_sink *sink,
			       struct cache_err *err);

/*
 * Removes from the replay the keys that leaves have already had, because the newest entry may ask
 * for more than is needed. Of @sink, which may be NULL, the progress alone is called.
 * Return: 0; -ENOMEM, -ECANCELED, or what the walk returns.
 */
int cache_repair_drop_flushed(struct cache_set *set, const struct cache_sink *sink,
			      struct cache_err *err);

/*
 * Puts the level of the root right, as the newest entry of @set says it, where nodes prove
 * another one; @wrong: it was. @set: loaded up to its journal. Return: 0; -ENOMEM.
 */
int cache_repair_root_level(struct cache_set *set, bool *wrong, struct cache_err *err);

struct repair_kept {
	struct cache_packed_key *keys;
	size_t n, capacity;
};

/*
 * Collects the live extents that are kept, sorted. Counts go to @plan, losses to @plan and
 * opts->loss.
 */
int cache_repair_collect(struct fsck_cache *c, const struct repair_doubt *d,
			 const struct cache_repair_opts *opts, struct repair_kept *kept,
			 struct cache_repair_plan *plan, struct cache_err *err);

/*
 * Builds the correct uuid table in @u, and the ranges of its devices in @c; plan->uuids says
 * whether it must be written. A slot that was overwritten, has dirty data and could belong to
 * several devices is left as it is, so that the next check reports it again, and @plan says
 * why.
 *
 * Return: 0; -EUCLEAN when the owner of a missing slot cannot be proven, and -EINVAL when a slot
 * was given to a device that cannot have it, and @plan and @err say why; -ENOMEM.
 */
int cache_repair_uuids(struct fsck_cache *c, const struct repair_doubt *d,
		       const struct cache_repair_opts *opts, struct cache_uuids *u,
		       struct cache_repair_plan *plan, struct cache_err *err);
/* Counts the findings of a structure that is only tried. The report function of a cache_sink. */
struct repair_noted {
	unsigned n;
	bool unread;	/* a part of it could not be read, so it says nothing */
};
void cache_repair_note(void *ctx, const struct cache_finding *f);

/* Whether data of a flash volume lies past its end: then its size may be wrong. */
bool cache_repair_has_short_slot(const struct fsck_cache *c);
/* Whether a backing device at hand is dirty and the set has no slot for it. */
bool cache_repair_misses_slot(struct fsck_cache *c, const struct cache_repair_opts *opts);

/* Zero it to begin; release ->list with free(). */
struct repair_losses {
	struct cache_repair_loss *list;
	size_t n, capacity;
	bool failed;		/* out of memory: some are missing */
};

void cache_repair_losses_add(struct repair_losses *l, const struct cache_repair_loss *loss);

/*
 * One bit per extent of @view->kept: it must not be copied as the newest data of its range. Its
 * place in the cache belongs to another extent too, damage puts it in doubt, or one of @losses
 * names it. To be freed with free(); NULL: no memory, or some of @losses are missing.
 */
uint64_t *cache_repair_refused(const struct cache_repair_view *view,
			       const struct repair_losses *losses);

static inline int repair_progress(const struct cache_repair_opts *opts, unsigned pass,
				  uint64_t current, uint64_t max)
{
	return opts && opts->progress &&
	       opts->progress(opts->ctx, opts->dev, pass, current, max) ? -ECANCELED : 0;
}

static inline int repair_poll(void *opts)
{
	return repair_progress(opts, 0, 0, 0);
}

/* In a loop over as many as there are extents: asks at every 65536th @i. */
static inline int repair_poll_at(const struct cache_repair_opts *opts, uint64_t i)
{
	return i % CACHE_SORT_POLL ? 0 : repair_progress(opts, 0, 0, 0);
}

/* cache_sort() that asks @opts, which may be NULL, whether to go on. Return: also -ECANCELED. */
static inline int repair_sort(void *v, size_t n, size_t size,
			      int (*cmp)(const void *a, const void *b, void *ctx),
			      const struct cache_repair_opts *opts)
{
	return cache_sort(v, n, &(struct cache_sort){ .size = size, .cmp = cmp,
						      .poll = repair_poll,
						      .poll_ctx = (void *)opts });
}

#endif
