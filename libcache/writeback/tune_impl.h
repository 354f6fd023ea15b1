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
	/* of the backing device in the set, or of the one that is dropped; -1: none */
	int64_t slot;
	uint64_t slot_dirty, slot_clean;	/* sectors that it has there */
	uint64_t slot_dirty_extents;
	bool uuid_taken;		/* the new one is another device's */
	int64_t relink;			/* slot that is given to it; -1: none */
	struct cache_tune_gone gone;	/* for t->drop: who it is */
	bool gone_is_flash;
	struct cache_tune_proof *proofs;
	unsigned nproofs;
};

/* The retired slots with dirty data, what speaks for each, and the choice of one. */
int cache_tune_prove(struct tune *r, const struct cache_repair_view *view, struct cache_err *err);
int cache_tune_choose(struct tune *r, struct cache_err *err);

/* Who the device is that is dropped, by its slot @e; and whether it may be, once all is counted. */
void cache_tune_see_gone(struct tune *r, const struct cache_uuid_entry *e);
int cache_tune_check_drop(const struct tune *r, struct cache_err *err);

#endif
