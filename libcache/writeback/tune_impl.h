/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of tune: one run, and the slots that it changes. */
#ifndef LIBCACHE_TUNE_IMPL_H
#define LIBCACHE_TUNE_IMPL_H

#include "repair/repair_impl.h"
#include "writeback/tune.h"

struct tune {
	const struct cache_tune *t;
	struct cache_sb cache, backing;		/* superblocks, of those that are there */
	uint64_t backing_sectors;
	int64_t slot;			/* of the backing device, or of that which is dropped, in the set; -1: none */
	uint64_t slot_dirty;		/* dirty sectors that it has there */
	bool uuid_taken;		/* the new one is another device's */
	int64_t relink;			/* slot that is given to it; -1: none */
	struct cache_tune_gone gone;	/* for t->drop */
	bool gone_is_flash;
	struct cache_tune_proof *proofs;
	unsigned nproofs;
};

/* The retired slots with dirty data, what speaks for each, and the choice of one. */
int cache_tune_prove(struct tune *r, const struct cache_repair_view *view, struct cache_err *err);
int cache_tune_choose(struct tune *r, struct cache_err *err);

/* What the set has of the device that is dropped, once r->slot is known; and whether it may be. */
void cache_tune_count_gone(struct tune *r, const struct cache_repair_view *view);
int cache_tune_check_drop(const struct tune *r, struct cache_err *err);

#endif
