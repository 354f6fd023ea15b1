/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks: what the kernel's start, and gc, conclude about a bucket from the keys
 * that point into it (behaviour 4.1 to 4.3). Pure: a table and a key.
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
	uint64_t *gen_unknown;	/* one bit per bucket, may be NULL: its gen is the next pointer's */
	uint64_t raised;	/* gens moved forward by a key */
};

/* Two claims on one bucket that exclude each other. */
struct cache_mark_clash {
	uint64_t bucket;
	enum cache_gc_mark mark;	/* the claim that stood */
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
 * What cache_mark_initial() does with an extent of one pointer, into @bucket of this device, as
 * long as neither the bucket's gen nor another mark makes a difference; false: it may, and
 * nothing was done. Only for gens without a table, none of them unknown.
 */
static inline bool cache_mark_plain(struct cache_gens *g, const struct cache_bkey *k,
				    uint64_t bucket)
{
	uint8_t *rec = cache_gens_rec(g, bucket), gen = cache_ptr_gen(k->ptr[0]);

	if (rec[0] != gen || rec[1] != gen || rec[2] == CACHE_GC_MARK_METADATA)
		return false;
	if (cache_key_dirty(k))
		rec[2] = CACHE_GC_MARK_DIRTY;
	else if (!rec[2])
		rec[2] = CACHE_GC_MARK_RECLAIMABLE;
	return true;
}

/* As gc marks it (behaviour 4.1): no gen is raised. */
bool cache_mark_key(struct cache_marks *m, const struct cache_bkey *k, unsigned level,
		    struct cache_mark_clash *clash);

#ifdef __cplusplus
}
#endif
#endif
