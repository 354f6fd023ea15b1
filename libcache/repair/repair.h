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

#ifdef __cplusplus
}
#endif
#endif
