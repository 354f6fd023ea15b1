/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bucket allocator run on a real device without a kernel: the set is loaded and marked as
 * the driver's start does, buckets are taken in memory, and if requested one commit makes the
 * new gens durable.
 *
 * 	cache_offline_open()	check the whole set, load it
 * 	cache_offline_new()	the allocator as it stands after a start
 * 	cache_offline_run()	take buckets; nothing is written
 * 	cache_offline_plan()	where the journal entry will go, and can it
 * 	cache_offline_commit()	the switch, and a check of what came of it
 *
 * What goes to disk is one prio chain and one journal entry without keys, however many prio
 * writes a running driver had made meanwhile: no bucket is written to during the run, so no gen
 * has to be durable before its end (D1). The entry keeps the range to be replayed; if that has
 * no keys, it is a checkpoint.
 *
 * 	gens	of every bucket invalidated by the run, queued ones too, one ahead
 * 	prios	as a start has them, those of taken buckets as new
 * 	chain	in buckets that nothing pointed to and that the run gave to no caller; never
 * 		in one invalidated now, whose data the old state still needs
 * 	pins	buckets named by journal keys are never taken, as in the driver
 * 		before its replay; those taken stay so until the end of the run
 *
 * For the next start a taken bucket is unused: no key points to it.
 */
#ifndef LIBCACHE_OFFLINE_H
#define LIBCACHE_OFFLINE_H

#include "alloc/alloc.h"
#include "set/commit.h"
#include <libcache/fsck.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_OFFLINE_STREAMS_MAX	65536
#define CACHE_OFFLINE_PASS_TAKE		16u	/* after those of a check; buckets, or sectors */

struct cache_offline;

struct cache_offline_opts {
	enum cache_policy  policy;
	enum cache_reserve reserve;
	uint64_t count;			/* of buckets, or with write_points of sectors */
	/* number of streams through the sector allocator; 0: none */
	unsigned write_points;
	uint64_t seed;
	/*
	 * Mask of the drivers meant; 0: all. The allocator is that of the newest of them, and
	 * a commit has to leave a set that each of them will start.
	 */
	uint32_t eras;
	/* Called for each bucket taken, in order. May be NULL. */
	void (*taken)(void *ctx, uint64_t bucket, uint8_t gen);
	/*
	 * Called between buckets, with CACHE_OFFLINE_PASS_TAKE, and before the switch, with pass
	 * 0; non-zero ends the run. May be NULL.
	 */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
	void *ctx;
};

enum cache_offline_stop {
	CACHE_OFFLINE_DONE,	/* as many as were asked for */
	CACHE_OFFLINE_DRY,	/* nothing more to reclaim, not even after a gc */
	CACHE_OFFLINE_NO_RESERVE, /* too few buckets queued for a prio write */
};

/* Buckets that the allocator may use, by content. */
struct cache_offline_buckets {
	uint64_t metadata, dirty, clean, unused;
	uint64_t available;	/* clean or unused, and no journal key names them */
};

struct cache_offline_result {
	enum cache_offline_stop stop;
	uint64_t taken;
	uint64_t taken_sectors;		/* with write_points; else 0 */
	uint64_t invalidated;		/* taken buckets, and those queued */
	uint64_t lost_sectors;		/* clean cached data that they held */
	uint64_t prio_writes;		/* number that a driver would have made */
	uint64_t gcs;
	uint64_t queued[CACHE_RESERVE_NR], queued_inc;	/* invalidated, not taken */
	struct cache_offline_buckets before, after;	/* as a start counts them */
};

struct cache_offline_written {
	struct cache_commit_place place;
	bool	 checkpoint;
	uint64_t prio_sets, sectors;
};

/**
 * cache_offline_open() - check a set and load it
 * @dev: stays the caller's, and open until the set is closed
 * @eras: mask of the drivers meant; 0: all
 * @sink: whose progress() is called; nothing is reported. May be NULL
 * @found: receives what the check found
 *
 * Return: 0; -ECANCELED; -EUCLEAN when something is damaged or would keep one of these drivers
 * from starting the set, for a backing device and for a set that has never run; -EOPNOTSUPP
 * for a member of a set of several cache devices; -EIO, -ENOMEM.
 */
int cache_offline_open(struct cache_dev *dev, uint32_t eras, const struct cache_sink *sink,
		       struct cache_fsck_result *found, struct cache_set **set,
		       struct cache_err *err);

/**
 * cache_offline_new() - the allocator of a set, right after its start
 * @set: loaded up to CACHE_LOAD_MARKS, undamaged; unchanged; must outlive the run
 *
 * Memory: 8 bytes per bucket, and what the policy holds.
 * Return: 0; -EINVAL for options out of range; -EIO; -ENOMEM.
 */
int cache_offline_new(struct cache_set *set, const struct cache_offline_opts *opts,
		      struct cache_offline **o, struct cache_err *err);
void cache_offline_free(struct cache_offline *o);

/**
 * cache_offline_run() - take buckets, in memory
 *
 * Call it once. A gc that the policy asks for walks the tree as the driver's does, but rewrites
 * no node. Fewer buckets than asked for are not an error: see stop.
 *
 * Return: 0; -ECANCELED; -EUCLEAN when the allocator broke an invariant, which is
 * a bug; -EIO, -ENOMEM from a gc.
 */
int cache_offline_run(struct cache_offline *o, struct cache_offline_result *res,
		      struct cache_err *err);

/**
 * cache_offline_each_era() - what the allocator of each driver asked for would do
 * @opts: as for cache_offline_new(); nothing is shown of the runs, progress() is called
 * @res:  filled for the eras of opts->eras
 *
 * Return: as cache_offline_new() and cache_offline_run().
 */
int cache_offline_each_era(struct cache_set *set, const struct cache_offline_opts *opts,
			   struct cache_offline_result res[CACHE_ERAS], struct cache_err *err);

/**
 * cache_offline_plan() - everything of the commit except the writes
 *
 * Return: 0; -EUCLEAN when the driver would not find the new entry in a ring with a
 * hole; -ENOSPC when the ring is full, -ENOBUFS when no unused bucket is left for the prio
 * chain, or the start that follows would hang in its replay; -EIO, -ENOMEM.
 */
int cache_offline_plan(struct cache_offline *o, struct cache_offline_written *w,
		       struct cache_err *err);

/**
 * cache_offline_commit() - make what cache_offline_run() did durable
 *
 * After cache_offline_plan(). Return: 0; -ECANCELED before the switch, and then
 * the set is the old one; as cache_commit_finish().
 */
int cache_offline_commit(struct cache_offline *o, struct cache_offline_written *w,
			 struct cache_err *err);

/**
 * cache_offline_verify() - check the set again, as it now lies on the device
 * @eras, @sink, @before: of cache_offline_open()
 *
 * Return: 0 when the set is as clean as before, its newest entry is that of @w and
 * all dirty data is still there; -EUCLEAN when not; -ECANCELED, -EIO, -ENOMEM.
 */
int cache_offline_verify(struct cache_set *set, uint32_t eras, const struct cache_sink *sink,
			 const struct cache_fsck_result *before,
			 const struct cache_offline_written *w, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
