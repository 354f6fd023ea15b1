/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Repair of the superblock. The options, plan and report of a repair are in the public header
 * repair.h; functions for one device do not read the size in @opts, and take the device's index
 * from opts->dev.
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
 * A field gets another value only if something proves it: the checksum (which locates any
 * single damaged byte), the journal, the prio_sets, the formatter's formulas, a backing device
 * at hand. What was written on purpose, such as an unknown feature with a valid checksum, is
 * left unchanged. There is one write of 4 KiB; unused bytes keep their values. A write torn by
 * a power cut leaves a superblock whose checksum is wrong; the evidence is unchanged, so the
 * repair can be run again.
 *
 * A set that was formatted over and whose old journal ring would become valid at its second
 * start (format 8) gets that ring wiped.
 *
 * Call it before cache_repair_cache(), which needs the geometry. Return: 0 done, or nothing to
 * do; -ECANCELED when confirm refused; -EUCLEAN when plan->cannot says why not; -EIO, -ENOMEM;
 * -ERANGE for a device too small for a superblock.
 */
int cache_repair_super(struct cache_dev *dev, const struct cache_repair_opts *opts,
		       struct cache_repair_plan *plan, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
