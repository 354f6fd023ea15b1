/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of writeback. */
#ifndef LIBCACHE_WRITEBACK_IMPL_H
#define LIBCACHE_WRITEBACK_IMPL_H

#include "repair/repair_impl.h"
#include "writeback/writeback.h"

struct writeback {
	const struct cache_writeback_opts *opts;
	struct cache_writeback_result *res;
	struct cache_dev *cache;
	struct cache_sb sb;		/* of @cache */
	struct cache_sb *supers;	/* of opts->backing */
	uint64_t *sizes;		/* of opts->backing, in sectors */
	const struct cache_repair_view *view;	/* while the set is open */
	uint64_t *todo;			/* one bit per extent: is to be copied, and then: was */
	uint64_t *failed;		/* one bit per extent: a part of it could not be copied */
	/* what was lost or is in doubt, until it is known which extents it touches */
	struct repair_losses losses;
	bool set_ran;
	bool copied;			/* the pass that copies has ended, whole or not */
	struct cache_dev *export;
};

static inline struct cache_bkey cache_writeback_key(const struct writeback *w, size_t i)
{
	const struct cache_packed_key *p = &w->view->kept->keys[i];

	return (struct cache_bkey){ p->high, p->low, { p->ptr } };
}

/* The device of @inode among those of the result; NULL: it has none. */
struct cache_writeback_device *cache_writeback_device_of(const struct writeback *w,
							 uint64_t inode);

/* Where the data of @d goes; NULL: it stays. */
struct cache_dev *cache_writeback_target(const struct writeback *w,
					 const struct cache_writeback_device *d);

/* Fills w->res->devices, w->todo and w->failed from the extents. 0, or -ENOMEM. */
int cache_writeback_plan(struct writeback *w, struct cache_err *err);

/* What opts->range is told. */
void cache_writeback_each_range(const struct writeback *w);

/*
 * Copies what w->todo says. w->failed says what of it did not succeed; what was not reached
 * when the caller asked to stop is no longer in w->todo. Then all targets are flushed.
 * Return: 0; -ENOMEM; -ENOSPC and the like for a target that takes nothing more; the errors of a
 * flush.
 */
int cache_writeback_copy(struct writeback *w, struct cache_err *err);

/* Before any of it: superblocks of all devices, and how they fit together. */
int cache_writeback_check_devices(struct writeback *w, struct cache_err *err);
/* Now that it is known what is dirty. */
int cache_writeback_check_dirty(const struct writeback *w, struct cache_err *err);

#endif
