/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A whole repair: check all devices, repair what needs it, check again. The order is that
 * in which each step can rely on the one before it:
 *
 *	the superblock first, since everything else is found by its sizes;
 *	then the rest of a cache device, with the backing devices at hand as evidence;
 *	and all devices are checked again if one was written.
 *
 * A repair writes new structures into unused buckets and one journal entry that names them
 * (behaviour 3.5 and 11): a power cut leaves the old set or the new one.
 *
 * Threads: as fsck.h.
 */
#ifndef LIBCACHE_REPAIR_H
#define LIBCACHE_REPAIR_H

#include <libcache/fsck.h>
#include <libcache/superblock.h>

CACHE_DECLS_BEGIN

/* What is done and what it costs, for people and JSON. */
#define CACHE_REPAIR_NUMBERS(X) \
	X(kept_extents) X(kept_sectors) X(kept_dirty_sectors) \
	X(dropped_clean_sectors) X(dropped_dirty_sectors) X(blocked_dirty_sectors) \
	X(doubtful_ranges) X(unread_buckets) \
	X(new_nodes) X(written_bytes)

enum cache_loss_code {
	CACHE_LOSS_NONE,
#define LOSS(code, text) CACHE_LOSS_##code,
#include <libcache/losses.def>
#undef LOSS
	CACHE_LOSS_COUNT
};

/* "BUCKET_REUSED", and the words for people. */
const char *cache_loss_code_name(enum cache_loss_code code);
const char *cache_loss_text(enum cache_loss_code code);

/* A stretch of a device whose dirty data had to be given up, or is in doubt. */
struct cache_repair_loss {
	uint64_t inode, start, end;	/* sectors; end UINT64_MAX: to the end of the device */
	uint64_t data_start;		/* where sector 0 of the bcache device is in these */
	uint8_t uuid[16];		/* of the device; all zero: not known */
	bool certain;			/* dirty data was there; false: may have been */
	bool kept;			/* though it cannot be right: dropping it was not allowed */
	enum cache_loss_code code;
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
	bool short_of_buckets;	/* clean data goes because too few buckets are unused */
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
	size_t size;
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
	/*
	 * Replay the journal into a new tree and leave it empty, also of a set that is clean.
	 * Where too few buckets are unused for that alone, nothing is done.
	 */
	bool fold_journal;
	uint32_t eras;		/* of drivers that the checks ask about; see struct cache_fsck */
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

/* What became of one device. */
struct cache_repair_result {
	int ret;		/* 0, or why it was not repaired */
	struct cache_err err;
	bool tried;		/* it was opened to be repaired */
	bool done;		/* something was written */
	bool declined;		/* by confirm, by safe_only or by progress */
	bool super_tried;	/* its superblock needed repair */
	bool super;		/* and has been, or would be, repaired in place */
	bool checked_again;	/* after is a second check, not a copy of before */
	struct cache_fsck_result before, after;
	struct cache_repair_plan plan;		/* of all but the superblock */
	uint64_t reserved[16];
};

/**
 * cache_repair_run() - check devices, repair them, check them again
 * @devs:    cache and backing devices in any order; the caller's, and they stay open
 * @opts:    what is allowed, and who is told
 * @results: one for each device; written over
 *
 * Devices are only read until a repair was planned and agreed to. It is written to what
 * opts->open gives, else to the device itself, which must then be open to write, and
 * exclusively: the caller sees to it that no kernel uses the device meanwhile. A device
 * on which no bcache superblock is left, and where libblkid finds something else, is not
 * touched.
 *
 * Memory and time: twice that of cache_fsck_run(), and what is kept of the
 * tree: 11 bytes per bucket, and 24 per extent, twice that where extents overlap.
 * Return: 0 whatever was found and done; -ECANCELED when progress asked to stop: each
 * device is then as it was, or repaired; -ENOMEM; -EINVAL for a wrong size.
 */
int cache_repair_run(struct cache_dev *const *devs, unsigned ndevs,
		     const struct cache_repair_opts *opts,
		     struct cache_repair_result *results);

CACHE_DECLS_END
#endif
