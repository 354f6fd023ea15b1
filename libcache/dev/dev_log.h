/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A wrapper that remembers every write, discard and flush, so that a test can
 * make each device that a power cut could have left behind.
 */
#ifndef LIBCACHE_DEV_LOG_H
#define LIBCACHE_DEV_LOG_H

#include <stddef.h>

#include "dev/dev.h"

#ifdef __cplusplus
extern "C" {
#endif

enum cache_dev_op_kind { CACHE_DEV_OP_WRITE, CACHE_DEV_OP_DISCARD, CACHE_DEV_OP_FLUSH };

struct cache_dev_op {
	enum cache_dev_op_kind kind;
	uint64_t sector, nsectors;
	const void *data;	/* of a write */
};

/* The log outlives the device that fills it. Set to zero before the first use. */
struct cache_dev_log {
	struct cache_dev_op *ops;
	size_t n, capacity;
};

void cache_dev_log_fini(struct cache_dev_log *log);

/**
 * cache_dev_log_new() - pass every operation to @under and record it in @log
 *
 * Owns @under from now on, also after an error. Return: 0 or -ENOMEM. A transfer that cannot be
 * recorded fails with -ENOMEM and is not passed on.
 */
int cache_dev_log_new(struct cache_dev *under, struct cache_dev_log *log,
		      struct cache_dev **dev, struct cache_err *err);

/* Does @op to @dev: a discard as zeros, as many disks do; a flush not at all. */
int cache_dev_op_apply(const struct cache_dev_op *op, struct cache_dev *dev,
		       struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
