/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gens on disk that cannot be right, so that what the bucket holds seems to be gone; and gens that
 * are lost, so that what was freed seems to be there.
 */
#ifndef LIBCACHE_REPAIR_GENS_H
#define LIBCACHE_REPAIR_GENS_H

#include "repair/repair_impl.h"

struct repair_gen {
	struct cache_finding f;	/* of what the bucket holds: a node, or a dirty extent */
	uint8_t gen;		/* the right one */
	bool node;
	/* Else it may be old: an extent whose data is still there, a node that was replaced. */
	bool certain;
	bool alone;		/* and no other gen is in doubt because of it */
	/* It is not on disk any more, and a parent still names a node that was freed before it. */
	bool later;
};

/* Zero it to begin; release ->gen with free(). */
struct repair_gens {
	struct repair_gen *gen;
	size_t n, capacity;
};

/**
 * cache_repair_false_gens() - find buckets whose gen on disk is false
 * @set:   loaded up to CACHE_LOAD_MARKS, with what is in @found so far applied
 * @d:     its ranges are complete; with ->scan leaves without a parent are examined too
 * @found: what is new is appended
 *
 * A child that its parent names and has no key for that frees it, and that is still in its
 * bucket: or the parent has lost what it was written last. And dirty data that nobody else claims
 * the bucket of: the driver gives a bucket to another owner only once a prio chain with its new gen is on disk, so what had the
 * same gen in the chain before is still there; and all that came after the newest chain is in
 * the journal, which has such an extent as live. And buckets whose prio_set is lost: newer keys
 * of data have the bucket of a child that is not there.
 *
 * Return: 0; -ENOMEM, or what a walk returns.
 */
int cache_repair_false_gens(struct cache_set *set, const struct repair_doubt *d,
			    struct repair_gens *found, struct cache_err *err);

/* The gens as they should be, in a chain that was read. */
void cache_repair_correct_gens(const struct repair_gens *g, struct cache_prios *prios);

/* What that puts in doubt. */
void cache_repair_doubt_gens(struct repair_doubt *d, const struct repair_gens *g);

#endif
