/* SPDX-License-Identifier: GPL-2.0-only */
/* What a repair is asked for, plans, and reports: of the superblock and of the rest. */
#ifndef LIBCACHE_REPAIR_TYPES_H
#define LIBCACHE_REPAIR_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/dev.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is done and what it costs, for people and JSON. */
#define CACHE_REPAIR_NUMBERS(X) \
	X(kept_extents) X(kept_sectors) X(kept_dirty_sectors) \
	X(dropped_clean_sectors) X(dropped_dirty_sectors) X(blocked_dirty_sectors) \
	X(doubtful_ranges) X(unread_buckets) \
	X(new_nodes) X(written_bytes)

/* A stretch of a backing device whose cached state had to be given up. */
struct cache_repair_loss {
	uint64_t inode, start, end;	/* sectors; end UINT64_MAX: to the end of the device */
	bool certain;			/* dirty data was there; false: may have been */
	const char *why;		/* static life */
};

struct cache_repair_plan {
	bool super;		/* rewrite the superblock in place */
	bool wipe_old_ring;	/* of a set that was formatted over */
	bool rebuild;		/* new tree, prios and checkpoint */
	bool uuids;		/* new uuid table */
	bool wipe_ring;		/* after the switch: old entries confuse the driver's search */
	bool clear_discard;	/* last of all, the discard bit of the superblock */
	bool drop_all_clean;	/* what was lost could make any clean extent stale */
	bool root_lost;		/* nodes were searched for: how many there should be is not known */
	bool safe;		/* nothing dirty is, or may have been, lost by damage or remedy */
#define X(name) uint64_t name;
	CACHE_REPAIR_NUMBERS(X)
#undef X
	const char *cannot;	/* why nothing can be done; static life, NULL: it can */
};

/* A field of the superblock that gets another value. */
struct cache_repair_field {
	const char *name;	/* as the kernel's struct has it; static life */
	uint64_t was, now;	/* the first 8 bytes of a longer one */
	const char *proof;	/* what says so, "checksum" or "prio_set"; static life */
	bool guessed;		/* nothing says so: it is merely likely */
};

/* A slot of the uuid table that gets its owner back. */
struct cache_repair_slot {
	uint32_t index;
	uint8_t uuid[16];
	const char *proof;	/* what says so; static life */
};

/* What a repair's progress calls its passes; those of loading and checking come first. */
enum cache_repair_pass {
	CACHE_REPAIR_PASS_DOUBT = 8,	/* nodes, for what is in doubt */
	CACHE_REPAIR_PASS_COLLECT,	/* nodes, for what stays */
	CACHE_REPAIR_PASS_SCAN,		/* buckets, for nodes that were cut off */
	CACHE_REPAIR_PASS_WRITE,	/* nodes of the new tree */
};

struct cache_repair_result;

struct cache_repair_opts {
	/*
	 * Dirty extents that cannot be right where they are may be dropped. Without
	 * it they stay, are counted as blocked, and the set does not come out clean.
	 */
	bool allow_data_loss;
	bool look_only;		/* check and repair nothing, plan nothing */
	bool dry_run;		/* plan and count, write nothing */
	bool safe_only;		/* decline plans after which dirty data may be missing, unasked */
	/*
	 * Switch discards off. Where the journal lacks what only the discard bit lets a kernel
	 * forgive, the set gets a new tree and checkpoint first.
	 */
	bool clear_discard;
	bool guess;		/* where nothing proves a superblock field, take what is likely */
	uint64_t seed;		/* of the new nodes' seq numbers */
	const uint8_t (*drop_uuids)[16];	/* devices whose dirty data is given up */
	unsigned ndrop_uuids;
	/* backing devices at hand: their superblocks, for slots that were lost, and what fits */
	const struct cache_sb *backing;
	const uint64_t *backing_sectors;	/* how long each of them is; may be NULL */
	unsigned nbacking;

	/* Each callback may be NULL; the device it is about comes first after @ctx. */
	void *ctx;
	unsigned dev;		/* that index; cache_repair_run() sets it itself */
	/* Each loss, before the plan is confirmed. */
	void (*loss)(void *ctx, unsigned dev, const struct cache_repair_loss *loss);
	/*
	 * A bucket that cannot be read while cut-off nodes are looked for: dirty data may
	 * hang on what it holds.
	 */
	void (*unread)(void *ctx, unsigned dev, uint64_t bucket);
	/* Each field of the superblock that the plan changes. */
	void (*field)(void *ctx, unsigned dev, const struct cache_repair_field *field);
	/* Each slot of the uuid table whose owner is found again. */
	void (*slot)(void *ctx, unsigned dev, const struct cache_repair_slot *slot);
	/*
	 * Non-zero asks to stop, and must stay so; no longer asked when the switch is made.
	 * Pass 0 is asked between two devices.
	 */
	int (*progress)(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max);
	/*
	 * false: leave the device as it is. Called with a plan that is complete: once for the
	 * superblock, if that needs repair, and once for the rest, where rebuild or
	 * clear_discard is set. NULL: every plan is agreed to.
	 */
	bool (*confirm)(void *ctx, unsigned dev, const struct cache_repair_plan *plan);
	/* Of cache_repair_run() alone. Each finding; @again: of the second check. */
	void (*finding)(void *ctx, unsigned dev, bool again, const struct cache_finding *f);
	/*
	 * A device is about to be repaired: gives one to write to (or for a dry run to read),
	 * exclusively, such as the same one in a wrapper that saves what is overwritten. The
	 * caller keeps it open until close is called. Return: 0, or a negative errno, and
	 * then the device is left alone. NULL: the device that was checked is written to.
	 */
	int (*open)(void *ctx, unsigned dev, struct cache_dev **writable, struct cache_err *err);
	void (*close)(void *ctx, unsigned dev, struct cache_dev *writable);
	/* A device that was opened to be repaired is done with; all but after is filled. */
	void (*repaired)(void *ctx, unsigned dev, const struct cache_repair_result *result);
};

/**
 * cache_repair_super() - repair the superblock of a cache or backing device
 * @dev:  opened to write, exclusively (or to read, for a dry run); stays the caller's
 * @plan: receives what was, or would be, done: super, wipe_old_ring, safe, cannot
 *
 * A field gets another value only if something proves it: the checksum that is still
 * there (a single damaged byte, wherever, is found by it), the journal, the prio_sets,
 * the formatter's formulas, a backing device at hand. What was chosen on purpose, such
 * as an unknown feature under a right checksum, is left. One write of 4 KiB, and bytes
 * that mean nothing stay as they are. A write torn by a power cut leaves a superblock
 * whose checksum is wrong; nothing that proves it has changed, so run again.
 *
 * A set that was formatted over and whose old journal ring would rise at its second
 * start (format 8) gets that ring wiped.
 *
 * Before cache_repair_cache(), which needs the geometry. Return: 0 done, or nothing to
 * do; -ECANCELED when confirm said no; -EUCLEAN when plan->cannot says why not; -EIO,
 * -ENOMEM; -ERANGE for a device too small for a superblock.
 */
int cache_repair_super(struct cache_dev *dev, const struct cache_repair_opts *opts,
		       struct cache_repair_plan *plan, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
