/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Repairing a cache set. The remedy is the same for all damage inside it: take the extents that
 * can be trusted, write them as a fresh packed tree into unused buckets, with the uuid table
 * and the gens, and switch by one journal entry after which nothing is replayed (commit.h).
 * After that the old nodes, journal entries and gens cannot be reached any more.
 *
 * What matters most is dirty data, then clean data, then priorities. Clean data in doubt is
 * dropped, since the backing device has the same data. Dirty data is kept if its key can be
 * read; otherwise the loss is reported.
 */
#ifndef LIBCACHE_REPAIR_REPAIR_H
#define LIBCACHE_REPAIR_REPAIR_H

#include "super/repair_types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_set;
struct fsck_slot;
struct repair_doubt;
struct repair_kept;

/**
 * cache_repair_cache() - repair one cache device as far as it can be
 * @dev:  opened to write, exclusively (or to read, for a dry run); stays the caller's
 * @plan: receives what was, or would be, done
 *
 * Memory: as for a check, but with 11 bytes per bucket (an allocator's table, and the state on
 * disk); and 24 bytes per extent that is kept, twice that if extents overlap and must be
 * sorted.
 * Return: 0 done, or nothing to do (check again to be sure); -ECANCELED when confirm or
 * progress refused; -EUCLEAN or -EIO when plan->cannot says why not; -ENOBUFS when there are
 * too few unused buckets; the error of a failed write, such as -EIO and -ENOSPC; -ENOMEM.
 */
int cache_repair_cache(struct cache_dev *dev, const struct cache_repair_opts *opts,
		       struct cache_repair_plan *plan, struct cache_err *err);

/* A set as it was judged, while it is changed. */
struct cache_repair_view {
	struct cache_set *set;
	const struct repair_doubt *doubt;
	struct repair_kept *kept;	/* the extents that stay, sorted by start */
	const struct fsck_slot *slots;	/* set->uuids.n */
	const struct cache_repair_plan *plan;
	unsigned corrupt;		/* findings that say so, but those of a ring that is full */
};

/* A change of a set that is no repair: it is planned and committed as one. */
struct cache_repair_change {
	/*
	 * May be NULL. Changes the uuid table before anything is judged by it. Return: more
	 * than 0 when it did, 0, or a negative errno.
	 */
	int (*slots)(void *ctx, struct cache_set *set, struct cache_err *err);
	/*
	 * May be NULL. Marks extents of @view->kept clean, or takes some out. More than 0: there
	 * is nothing to commit; a negative errno ends the change. Not called for a set that has
	 * never run.
	 */
	int (*extents)(void *ctx, const struct cache_repair_view *view, struct cache_err *err);
	void *ctx;
};

/**
 * cache_repair_change() - a new tree, uuid table and checkpoint with something changed
 * @opts:   of a repair; finding is called too, for the cache device alone
 * @change: what is changed
 *
 * Whatever a repair would do to the set is done with it, so callers that want no repair refuse
 * a damaged set in @change->extents. With opts->dry_run nothing is written.
 * Return: as cache_repair_cache(); what @change returned.
 */
int cache_repair_change(struct cache_dev *dev, const struct cache_repair_opts *opts,
			const struct cache_repair_change *change,
			struct cache_repair_plan *plan, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
