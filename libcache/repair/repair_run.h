/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A whole repair: check all devices, repair what needs it, check again. The order is that
 * in which each step can rely on the one before it:
 *
 *	the superblock first, since everything else is found by its sizes;
 *	then the rest of a cache device, with the backing devices at hand as evidence;
 *	and all devices are checked again if one was written.
 */
#ifndef LIBCACHE_REPAIR_RUN_H
#define LIBCACHE_REPAIR_RUN_H

#include "fsck/fsck.h"
#include "repair/repair.h"

#ifdef __cplusplus
extern "C" {
#endif

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
	struct cache_repair_plan plan;		/* of all but the superblock */
	struct cache_fsck_result before, after;
};

/**
 * cache_repair_run() - check devices, repair them, check them again
 * @devs:    cache and backing devices in any order; the caller's, and they stay open
 * @opts:    what is allowed, and who is told
 * @results: one for each device; written over
 *
 * Devices are only read until a repair was planned and agreed to. It is written to what
 * opts->open gives, else to the device itself, which must then be open to write. A device
 * on which no bcache superblock is left, and where libblkid finds something else, is not
 * touched.
 *
 * Memory and time: twice that of cache_fsck_run(), and what cache_repair_cache() says.
 * Return: 0 whatever was found and done; -ECANCELED when progress asked to stop: each
 * device is then as it was, or repaired; -ENOMEM.
 */
int cache_repair_run(struct cache_dev *const *devs, unsigned ndevs,
		     const struct cache_repair_opts *opts,
		     struct cache_repair_result *results);

#ifdef __cplusplus
}
#endif
#endif
