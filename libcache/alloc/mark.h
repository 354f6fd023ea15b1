/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks: what the kernel's start, and gc, derive for a bucket from the keys that point into it
 * (behaviour 4.1 to 4.3). Pure functions of a table and a key.
 */
#ifndef LIBCACHE_MARK_H
#define LIBCACHE_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "format/bkey.h"
#include "alloc/gens.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_marks {
	const struct cache_sb *sb;
	struct cache_gens *gens;	/* prios and sectors used: if it has a table */
	/* one bit per bucket, may be NULL: the next pointer to it gives its gen */
	uint64_t *gen_unknown;
	uint64_t raised;	/* number of gens that a key has raised */
};

/* Two uses of one bucket that exclude each other. */
struct cache_mark_clash {
	uint64_t bucket;
	enum cache_gc_mark mark;	/* the earlier use, which is kept */
};

/**
 * cache_mark_initial() - mark one key as the kernel's start does (behaviour 4.2)
 * @k:     passed the validity test of its level
 * @level: of the node that holds it; the root's own key: root level + 1
 * @clash: filled when the answer is false
 *
 * Return: false when a bucket is claimed as a node and as data; the claim that
 * stood is kept.
 */
bool cache_mark_initial(struct cache_marks *m, const struct cache_bkey *k, unsigned level,
			struct cache_mark_clash *clash);

/*
 * The same for an extent with one pointer, into @bucket of this device, if neither the bucket's
 * gen nor another mark makes a difference. False: they may, and nothing was done. Only for gens
 * without a table of which none is unknown.
 */
static inline bool cache_mark_plain(struct cache_gens *g, uint8_t gen, bool dirty, uint64_t bucket)
{
	uint8_t *rec = cache_gens_rec(g, bucket);
	uint8_t mark = CACHE_GC_MARK_RECLAIMABLE + dirty;

	if ((rec[0] != gen) | (rec[1] != gen) | (rec[2] == CACHE_GC_MARK_METADATA))
		return false;
	/* stored in any case: at random buckets a branch would be foreseen wrongly too often */
	rec[2] = rec[2] < mark ? mark : rec[2];
	return true;
}

/* The same for gens with a table, which also has the priority and the sectors used. */
static inline bool cache_mark_plain_table(struct cache_buckets *t, uint8_t gen, bool dirty,
					  uint64_t sectors, uint64_t bucket)
{
	enum cache_gc_mark was = cache_bucket_mark(t, bucket);
	uint64_t used = cache_bucket_sectors_used(t, bucket) + sectors;

	if (cache_bucket_gen(t, bucket) != gen || cache_bucket_last_gc(t, bucket) != gen ||
	    was == CACHE_GC_MARK_METADATA || cache_bucket_prio(t, bucket) == CACHE_BTREE_PRIO)
		return false;
	if (dirty)
		cache_bucket_set_mark(t, bucket, CACHE_GC_MARK_DIRTY);
	else if (!was)
		cache_bucket_set_mark(t, bucket, CACHE_GC_MARK_RECLAIMABLE);
	cache_bucket_set_sectors_used(t, bucket,
				      used < CACHE_GC_SECTORS_MAX ? used : CACHE_GC_SECTORS_MAX);
	return true;
}

/* Marks as gc does (behaviour 4.1): no gen is raised. */
bool cache_mark_key(struct cache_marks *m, const struct cache_bkey *k, unsigned level,
		    struct cache_mark_clash *clash);

#ifdef __cplusplus
}
#endif
#endif
