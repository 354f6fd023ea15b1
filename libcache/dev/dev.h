/* SPDX-License-Identifier: GPL-2.0-only */
/* What the library itself does with devices beyond device.h: wrappers, several reads at once. */
#ifndef LIBCACHE_DEV_H
#define LIBCACHE_DEV_H

#include <stdbool.h>

#include <libcache/device.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * cache_dev_mem_new() - a device of @nsectors zeroed sectors in memory
 * @name: shown in messages; copied
 */
int cache_dev_mem_new(const char *name, uint64_t nsectors, struct cache_dev **dev,
		      struct cache_err *err);

/* A device that is @dev, and leaves it open when closed. Return: 0 or -ENOMEM. */
int cache_dev_borrow(struct cache_dev *dev, struct cache_dev **borrowed,
		     struct cache_err *err);

/* The descriptor beneath, which stays the device's; -1: it is in memory. */
int cache_dev_fd(const struct cache_dev *dev);

/* What a formatter should use as its block: the above, st_blksize for a file. */
uint32_t cache_dev_preferred_block_bytes(const struct cache_dev *dev);

enum cache_dev_discards {
	CACHE_DEV_DISCARDS_UNKNOWN,	/* a file: nobody knows where it will lie */
	CACHE_DEV_DISCARDS_NO, CACHE_DEV_DISCARDS_YES
};

/* Whether the hardware takes discards: what the driver asks of its queue. */
enum cache_dev_discards cache_dev_discards(const struct cache_dev *dev);

/* One of several reads that may run at once. */
struct cache_dev_req {
	uint64_t sector;
	uint64_t nsectors;
	void	*buf;		/* from cache_dev_buf() */
	int	 result;	/* as cache_dev_read() would have returned */
};

/*
 * Reads all of @reqs, as deep as the device likes; each has its own result.
 * Return: 0 when all were tried; -ENOMEM and the like when not.
 */
int cache_dev_read_many(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n);

#ifdef __cplusplus
}
#endif
#endif
