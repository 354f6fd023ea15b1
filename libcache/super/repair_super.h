/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files that repair a superblock. */
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
	struct cache_sb sb;		/* as it will be */
	/* The checksum was right, so what is wrong was put there on purpose. */
	bool csum_valid;
	bool ran;			/* the set has: what @ev says is about it */
	bool no_magic;			/* other bytes lay there: no field vouches for another */
	const char *proof[SUPER_FIELDS];	/* of fields that got another value */
	uint32_t guessed;		/* bit a field; done with opts->guess only */
	uint32_t chosen;		/* bit a field: no proof either, but nothing is lost by it */
};

/* Gives each field of a cache device's superblock the value that is proven. */
void cache_super_infer(struct super_repair *m);

/* Of a set that never ran, it is said: dirty data hangs on the ring that is there. */
bool cache_super_ring_is_truth(const struct super_repair *m);

/*
 * Each field in which @was and @now differ, both CACHE_SB_BYTES. @proof: where NULL, the
 * checksum is it; @guessed: bit a field. @fn may be NULL.
 */
void cache_super_tell(const uint8_t *was, const uint8_t *now,
		      const char *const proof[SUPER_FIELDS], uint32_t guessed,
		      void (*fn)(void *ctx, const struct cache_repair_field *f), void *ctx);

/*
 * A cache device's discard bit cleared, in a superblock that must be right. Without
 * @write opts->field is told and nothing is written.
 */
int cache_repair_discard(struct cache_dev *dev, const struct cache_repair_opts *opts,
			 bool write, struct cache_err *err);

/* Whether the caller agrees to a plan that is complete. */
bool cache_repair_agreed(const struct cache_repair_opts *opts,
			 const struct cache_repair_plan *plan);

/* opts->field, if there is one; @opts: a struct cache_repair_opts. For cache_super_tell(). */
void cache_repair_tell_field(void *opts, const struct cache_repair_field *f);

/* The one place where a superblock that is there is written over; then a flush. */
int cache_super_write(struct cache_dev *dev, const uint8_t *buf, struct cache_err *err);

#endif
