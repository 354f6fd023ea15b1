/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of clone. */
#ifndef LIBCACHE_CLONE_IMPL_H
#define LIBCACHE_CLONE_IMPL_H

#include "clone/clone.h"
#include "mkcache/mkcache_impl.h"
#include "repair/repair_impl.h"

struct clone_failures {
	struct cache_clone_failure *list;
	size_t n, capacity;
};

/*
 * The data area of the target is one stream: extents lie in it one behind the other, in the
 * order in which they were chosen, and bucket by bucket it becomes the target's data buckets,
 * which begin right after the journal. An extent that a boundary cuts gets two keys.
 */
struct clone {
	const struct cache_clone_opts *opts;
	struct cache_clone_result *res;
	struct cache_dev *src, *dst;
	struct cache_mkcache m;
	struct cache_mkcache_dev d;
	struct cache_set *set;			/* the target's, blank until it is committed */
	const struct cache_repair_view *view;	/* of the source, while it is open */
	struct repair_losses losses;
	uint64_t *chosen;	/* one bit per extent: it is copied */
	uint64_t *at;		/* of each: its place in the stream, in sectors, if it is chosen */
	uint32_t *order;	/* extents in the order of the stream */
	size_t nchosen;
	uint64_t stream;	/* its length, in sectors */
	struct clone_failures failed;
};

static inline struct cache_bkey cache_clone_key(const struct clone *c, size_t i)
{
	const struct cache_packed_key *p = &c->view->kept->keys[i];

	return (struct cache_bkey){ p->high, p->low, { p->ptr } };
}

static inline uint64_t cache_clone_first_sector(const struct clone *c)
{
	return cache_bucket_sector(&c->set->sb, cache_sb_reserved_buckets(&c->set->sb));
}

/* Of a struct clone, as the poll of a sort: 0, or -ECANCELED to stop. */
static inline int cache_clone_poll(void *ctx)
{
	const struct cache_clone_opts *o = ((struct clone *)ctx)->opts;

	return o->progress && o->progress(o->ctx, 0, 0, 0) ? -ECANCELED : 0;
}

/* The same in a loop, at every 65536th @i. */
static inline int cache_clone_poll_at(struct clone *c, size_t i)
{
	return i % CACHE_SORT_POLL ? 0 : cache_clone_poll(c);
}

/* NULL: no slot that can own data has this inode. */
struct cache_clone_device *cache_clone_device_of(const struct clone *c, uint64_t inode);

/*
 * Fills the result's devices, and chosen, at, order, stream; gens and prios of the target's data
 * buckets. Return: 0; -ENOSPC when not all dirty data fits; -ERANGE for a slot that the target
 * cannot have; -ENOMEM; -ECANCELED.
 */
int cache_clone_plan(struct clone *c, struct cache_err *err);
void cache_clone_each_left(const struct clone *c);

/* Copies what was chosen, flushes, and reads it back if asked to; fills c->failed. */
int cache_clone_copy(struct clone *c, struct cache_err *err);

/* The extents of @c->view become those of the target. 0 or -ENOMEM. */
int cache_clone_make_keys(struct clone *c, struct cache_err *err);

#endif
