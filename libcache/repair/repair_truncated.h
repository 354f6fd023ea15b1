/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_REPAIR_TRUNCATED_H
#define LIBCACHE_REPAIR_TRUNCATED_H

#include "super/repair_types.h"

/*
 * Reports to opts->loss which dirty data a cache device does not have because it is shorter than
 * its superblock, which must verify, says; and what may have been there. Only reads; memory as for
 * a check of the whole set. Return: 0; a negative errno if that cannot be told.
 */
int cache_repair_name_truncated(struct cache_dev *dev, const struct cache_repair_opts *opts,
				struct cache_err *err);

#endif
