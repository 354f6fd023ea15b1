/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files that repair a superblock. */
#ifndef LIBCACHE_REPAIR_SUPER_H
#define LIBCACHE_REPAIR_SUPER_H

#include "super/repair_types.h"
#include "super/repair_evidence.h"

enum super_field {
	SUPER_OFFSET, SUPER_VERSION, SUPER_MAGIC, SUPER_UUID, SUPER_SET_UUID, SUPER_LABEL,
	SUPER_FLAGS, SUPER_SEQ, SUPER_COMPAT, SUPER_INCOMPAT, SUPER_RO_COMPAT, SUPER_PAD,
	SUPER_NBUCKETS, SUPER_BLOCK, SUPER_BUCKET, SUPER_IN_SET, SUPER_THIS_DEV,
	SUPER_LAST_MOUNT, SUPER_FIRST, SUPER_KEYS, SUPER_RING, SUPER_FIELDS
};

struct super_repair {
	struct cache_dev *dev;
	const struct cache_repair_opts *opts;
	struct repair_evidence ev;
	struct cache_sb sb;		/* as it will be written */
	/* The checksum was valid, so a wrong value was written on purpose. */
	bool csum_valid;
	bool ran;			/* the set has run: @ev describes it */
	bool by_nodes;			/* @ran, but its ring is lost: only btree nodes are left */
	/* something else had overwritten it: no field confirms another */
	bool no_magic;
	/* the proof of each field that got another value */
	const char *proof[SUPER_FIELDS];
	uint32_t guessed;		/* one bit per field; only with opts->guess */
	/* one bit per field: not proven either, but nothing is lost by it */
	uint32_t chosen;
};

/* Gives each field of a cache device's superblock its proven value. */
void cache_super_infer(struct super_repair *m);

/*
 * The superblock says that the set never ran, but a ring is there, and dirty data depends on
 * it.
 */
bool cache_super_ring_is_truth(const struct super_repair *m);

/*
 * The superblock says that the set never ran, and no ring says otherwise. But a backing device at
 * hand has dirty data in it, and @found: a btree node of the set is there. Reads the start of each
 * bucket, if there is such a backing device. 0; -ENOMEM, -ECANCELED.
 */
int cache_super_find_nodes(const struct super_repair *m, bool *found);

/*
 * Calls @fn, which may be NULL, for each field in which @was and @now (both CACHE_SB_BYTES)
 * differ. @proof: NULL for fields that the checksum proves; @guessed: one bit per field.
 */
void cache_super_tell(const uint8_t *was, const uint8_t *now,
		      const char *const proof[SUPER_FIELDS], uint32_t guessed,
		      void (*fn)(void *ctx, const struct cache_repair_field *f), void *ctx);

/*
 * Clears the discard bit of a cache device's superblock, which must be valid. Without @write it
 * only calls opts->field.
 */
int cache_repair_discard(struct cache_dev *dev, const struct cache_repair_opts *opts,
			 bool write, struct cache_err *err);

/* Whether the caller agrees to a complete plan. */
bool cache_repair_agreed(const struct cache_repair_opts *opts,
			 const struct cache_repair_plan *plan);

/*
 * Calls opts->field, if there is one; @opts: a struct cache_repair_opts. For
 * cache_super_tell().
 */
void cache_repair_tell_field(void *opts, const struct cache_repair_field *f);

/* The only function that overwrites an existing superblock; then it flushes. */
int cache_super_write(struct cache_dev *dev, const uint8_t *buf, struct cache_err *err);

#endif
