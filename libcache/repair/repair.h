/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Repairing a set. Whatever is wrong inside it, the remedy is the same: take the
 * extents that can be trusted, write them as a fresh packed tree into unused
 * buckets, with the uuid table and the gens beside it, and switch by one journal
 * entry after which nothing is replayed (commit.h). Nothing old can rise from
 * that: old nodes, old journal entries and old gens are not reachable any more.
 *
 * The order of worth: dirty data, then clean data, then priorities. Clean data in
 * doubt is dropped, since the backing device has it; dirty data is kept wherever
 * its key can be read, and named where it cannot.
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
 * Memory: that of a check, but 11 bytes per bucket, for an allocator's table and what lay on
 * disk; and 24 bytes per extent that stays, twice that where extents overlap and must be
 * sorted.
 * Return: 0 done, or nothing to do: check again to be sure; -ECANCELED when
 * confirm, or progress, said no; -EUCLEAN or -EIO when plan->cannot says why not; -ENOBUFS
 * when there are too few unused buckets; what writing gives, such as -EIO and -ENOSPC;
 * -ENOMEM.
 */
int cache_repair_cache(struct cache_dev *dev, const struct cache_repair_opts *opts,
		       struct cache_repair_plan *plan, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
