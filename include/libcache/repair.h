/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A whole repair: check all devices, repair what needs it, check again. In this order each step
 * can rely on the one before:
 *
 * 	the superblock first, since everything else is found with its sizes;
 * 	then the rest of a cache device, with the backing devices at hand as evidence;
 * 	and all devices are checked again if one was written.
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

/* What is done and what is lost, as text and JSON. */
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

/* A range of a device whose dirty data is dropped, or is in doubt. */
struct cache_repair_loss {
	uint64_t inode, start, end;	/* sectors; end UINT64_MAX: to the end of the device */
	/* where sector 0 of the bcache device is in these sectors */
	uint64_t data_start;
	uint8_t uuid[16];		/* of the device; all zero: not known */
	bool certain;			/* there was dirty data; false: there may have been */
	/* kept although it cannot be right, because dropping it was not allowed */
	bool kept;
	enum cache_loss_code code;
};

struct cache_repair_plan {
	bool super;		/* rewrite the superblock in place */
	bool wipe_old_ring;	/* of a set that was formatted again */
	bool rebuild;		/* new tree, prios and checkpoint */
	bool uuids;		/* new uuid table */
	/* after the switch: old entries would confuse the driver's search */
	bool wipe_ring;
	bool clear_discard;	/* as the last step, clear the discard bit of the superblock */
	bool drop_all_clean;	/* the lost part could make any clean extent stale */
	bool root_lost;		/* nodes were searched for; their number is not known */
	bool short_of_buckets;	/* clean data is dropped because too few buckets are unused */
	/* no dirty data is, or may have been, lost by the damage or by the repair */
	bool safe;
#define X(name) uint64_t name;
	CACHE_REPAIR_NUMBERS(X)
#undef X
	const char *cannot;	/* why nothing can be done; a static string; NULL: it can */
};

/* A field of the superblock that gets another value. */
struct cache_repair_field {
	const char *name;	/* as in the kernel's struct; a static string */
	uint64_t was, now;	/* the first 8 bytes of a longer one */
	const char *proof;	/* what proves it, "checksum" or "prio_set"; a static string */
	bool guessed;		/* nothing proves it: it is only likely */
};

/* A slot of the uuid table whose owner was found. */
struct cache_repair_slot {
	uint32_t index;
	uint8_t uuid[16];
	const char *proof;	/* what proves it; a static string */
};

/* The device that a person says has lost slot @index of the uuid table. */
struct cache_repair_given_slot {
	uint8_t uuid[16];
	uint32_t index;
};

/* The passes of a repair's progress; those of loading and checking come first. */
enum cache_repair_pass {
	CACHE_REPAIR_PASS_DOUBT = 8,	/* nodes, to find what is in doubt */
	CACHE_REPAIR_PASS_COLLECT,	/* nodes, to collect what is kept */
	CACHE_REPAIR_PASS_SCAN,		/* buckets, to find nodes that were cut off */
	CACHE_REPAIR_PASS_WRITE,	/* nodes of the new tree */
};

struct cache_repair_result;

struct cache_repair_opts {
	size_t size;
	/*
	 * Dirty extents that cannot be right may be dropped. Without this they are kept and
	 * counted as blocked, and the set does not become clean.
	 */
	bool allow_data_loss;
	bool look_only;		/* only check; plan and repair nothing */
	bool dry_run;		/* plan and count, write nothing */
	/* refuse, without asking, plans after which dirty data may be missing */
	bool safe_only;
	/*
	 * Switch discards off. If the journal has a gap that a kernel accepts only because of
	 * the discard bit, the set gets a new tree and a checkpoint first.
	 */
	bool clear_discard;
	/*
	 * Replay the journal into a new tree and leave it empty, even if the set is clean. If
	 * too few buckets are unused for that alone, nothing is done.
	 */
	bool fold_journal;
	uint32_t eras;		/* drivers that the checks are for; see struct cache_fsck */
	bool guess;		/* if nothing proves a superblock field, use the likely value */
	uint64_t seed;		/* of the new nodes' seq numbers */
	const uint8_t (*drop_uuids)[16];	/* devices whose dirty data is to be dropped */
	unsigned ndrop_uuids;
	/*
	 * backing devices at hand: superblocks, to find owners of lost slots and values that
	 * fit
	 */
	const struct cache_sb *backing;
	const uint64_t *backing_sectors;	/* size of each of them; may be NULL */
	unsigned nbacking;

	/* Each callback may be NULL; the device concerned follows @ctx. */
	void *ctx;
	unsigned dev;		/* that index; cache_repair_run() sets it */
	/*
	 * Called for each loss, before the plan is confirmed; with look_only for what lies past the
	 * end of a device that became shorter.
	 */
	void (*loss)(void *ctx, unsigned dev, const struct cache_repair_loss *loss);
	/*
	 * Called for a bucket that cannot be read while cut-off nodes are searched for: it may
	 * hold a node that dirty data depends on.
	 */
	void (*unread)(void *ctx, unsigned dev, uint64_t bucket);
	/* Called for each field of the superblock that the plan changes. */
	void (*field)(void *ctx, unsigned dev, const struct cache_repair_field *field);
	/* Called for each slot of the uuid table whose owner was found. */
	void (*slot)(void *ctx, unsigned dev, const struct cache_repair_slot *slot);
	/*
	 * A non-zero return asks to stop, and must stay so; not called any more once the switch
	 * began. Pass 0 is called between two devices, and where no part of a pass is done.
	 */
	int (*progress)(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max);
	/*
	 * false: leave the device as it is. Called with a plan that is complete: once for the
	 * superblock, if that needs repair, and once for the rest, where rebuild or
	 * clear_discard is set. NULL: only plans that are safe are agreed to, as with safe_only;
	 * in a dry run all are.
	 */
	bool (*confirm)(void *ctx, unsigned dev, const struct cache_repair_plan *plan);
	/* Only for cache_repair_run(). Called for each finding; @again: of the second check. */
	void (*finding)(void *ctx, unsigned dev, bool again, const struct cache_finding *f);
	/*
	 * Called before a device is repaired: must give a device to write to (or for a dry run
	 * to read), exclusively, such as the same device in a wrapper that saves what is
	 * overwritten. The caller keeps it open until close is called. Return: 0, or a negative
	 * errno, and then the device is not repaired. NULL: the device that was checked is
	 * written to.
	 */
	int (*open)(void *ctx, unsigned dev, struct cache_dev **writable, struct cache_err *err);
	void (*close)(void *ctx, unsigned dev, struct cache_dev *writable);
	/* Called when the repair of a device is finished; all fields but after are set. */
	void (*repaired)(void *ctx, unsigned dev, const struct cache_repair_result *result);
	unsigned threads;	/* that the checks use; see struct cache_fsck */
	bool timed;		/* measure the checks; see struct cache_fsck */
	/*
	 * Owners of lost slots that nothing proves. The repair ends with -EINVAL, and nothing is
	 * written, if the device is not among the backing devices at hand, or if one of these
	 * says otherwise: the uuid table, an older copy of it, the superblock of the device, its
	 * size.
	 */
	const struct cache_repair_given_slot *given_slots;
	unsigned ngiven_slots;
};

/* The result for one device. */
struct cache_repair_result {
	int ret;		/* 0, or why it was not repaired */
	struct cache_err err;
	bool tried;		/* it was opened to be repaired */
	bool done;		/* something was written */
	bool declined;		/* refused by confirm, by safe_only or by progress */
	bool super_tried;	/* its superblock needed repair */
	bool super;		/* and was, or would be, repaired in place */
	bool checked_again;	/* after is the result of a second check, not a copy of before */
	struct cache_fsck_result before, after;
	struct cache_repair_plan plan;		/* for everything but the superblock */
	uint64_t reserved[16];
};

/**
 * cache_repair_run() - check devices, repair them, check them again
 * @devs:    cache and backing devices in any order; owned by the caller, and they stay open
 * @opts:    what is allowed, and the callbacks
 * @results: one for each device; overwritten
 *
 * Devices are only read until a repair was planned and confirmed. Writes go to the device from
 * opts->open, or else to the device itself, which must then be open for writing, and
 * exclusively: the caller must make sure that no kernel uses the device meanwhile. A device
 * without any bcache superblock on which libblkid finds something else is not written to.
 *
 * Memory and time: twice that of cache_fsck_run(), and 11 bytes per bucket and 24 per extent of
 * the new tree, twice that if extents overlap.
 * Return: 0 whatever was found or done; -ECANCELED when progress asked to stop: each device is
 * then unchanged or repaired; -ENOMEM; -EINVAL for a wrong size.
 */
int cache_repair_run(struct cache_dev *const *devs, unsigned ndevs,
		     const struct cache_repair_opts *opts,
		     struct cache_repair_result *results);

CACHE_DECLS_END
#endif
