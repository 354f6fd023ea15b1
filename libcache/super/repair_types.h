/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Repair of the superblock. What a repair is asked for, plans, and reports stands in repair.h
 * of the public headers; functions of one device read no size, and the device's index from
 * opts->dev.
 */
#ifndef LIBCACHE_REPAIR_TYPES_H
#define LIBCACHE_REPAIR_TYPES_H

#include <libcache/repair.h>

#include "dev/dev.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

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
