/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the run (offline.c) and the commit of it (offline_commit.c). */
#ifndef LIBCACHE_OFFLINE_IMPL_H
#define LIBCACHE_OFFLINE_IMPL_H

#include "offline/offline.h"
#include "base/bits.h"

#include <errno.h>

struct cache_offline {
	struct cache_set *set;	/* as it lies on disk; never changed */
	struct cache_offline_opts opts;
	struct cache_buckets t;		/* its buckets after the run */
	struct cache_alloc a;
	uint64_t *own;			/* the set's own buckets: ring, uuids, prios */
	size_t nown;
	uint64_t *taken;		/* one bit per bucket */
	uint64_t *replayed;		/* one bit per bucket: a journal key names it */
	uint64_t unused;		/* buckets without pointers that were not taken */
	uint64_t lost_sectors;
	bool walked;			/* a gc has walked the tree */
	int gc_ret;
	struct cache_err gc_err;
	struct cache_commit *commit;
};

static inline uint32_t cache_offline_eras(const struct cache_offline *o)
{
	return o->opts.eras ? o->opts.eras : cache_eras_all();
}

/* 0, or -ECANCELED when the caller asks to stop. */
static inline int cache_offline_poll(const struct cache_offline *o, unsigned pass,
				     uint64_t current)
{
	return o->opts.progress && o->opts.progress(o->opts.ctx, pass, current, o->opts.count) ?
	       -ECANCELED : 0;
}

/* Nothing on disk needs it, and its gen is known. */
static inline bool cache_offline_is_unused(const struct cache_offline *o, uint64_t b)
{
	return cache_set_role(o->set, b) == CACHE_ROLE_FREE &&
	       !(o->set->gen_unknown && cache_bit(o->set->gen_unknown, b));
}

#endif
