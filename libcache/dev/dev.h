/* SPDX-License-Identifier: GPL-2.0-only */
/* What only the library does with devices, beside device.h: wrappers, several reads at once. */
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

/* A device that stands for @dev, and leaves it open when closed. Return: 0 or -ENOMEM. */
int cache_dev_borrow(struct cache_dev *dev, struct cache_dev **borrowed,
		     struct cache_err *err);

/* One of several devices that are read as one. */
struct cache_dev_part {
	struct cache_dev *dev;
	uint64_t first, nsectors;	/* where it lies in the whole, and how much of it counts */
};

/*
 * A device of @nsectors to be read that is all of @parts, which do not overlap; those stay open, and the
 * caller's, and must outlive it. Sectors between them fail with -EIO. Return: 0 or -ENOMEM.
 */
int cache_dev_join(const struct cache_dev_part *parts, unsigned n, uint64_t nsectors,
		   struct cache_dev **dev, struct cache_err *err);

/* The file descriptor, which belongs to the device; -1: it is in memory. */
int cache_dev_fd(const struct cache_dev *dev);

/*
 * Whether reads go past the page cache, so that only many at a time use all of the device. A device
 * that notes what is read says no: nothing may be read ahead of it.
 */
bool cache_dev_is_direct(const struct cache_dev *dev);

/* Whether both were opened from the same block device or file, by whatever names. */
bool cache_dev_is_same(const struct cache_dev *a, const struct cache_dev *b);

/* The block size that a formatter should use: the size above, or st_blksize for a file. */
uint32_t cache_dev_preferred_block_bytes(const struct cache_dev *dev);

enum cache_dev_discards {
	CACHE_DEV_DISCARDS_UNKNOWN,	/* a regular file: it may be copied to any device */
	CACHE_DEV_DISCARDS_NO, CACHE_DEV_DISCARDS_YES
};

/* Whether the hardware supports discards, as the driver asks its queue. */
enum cache_dev_discards cache_dev_discards(const struct cache_dev *dev);

/* One of several reads that may run at once. */
struct cache_dev_req {
	uint64_t sector;
	uint64_t nsectors;
	void	*buf;		/* from cache_dev_buf() */
	int	 result;	/* as cache_dev_read() would have returned */
};

/*
 * Reads all of @reqs, with as many in flight as the device allows; each has its own result.
 * Return: 0 when all were tried; -ENOMEM and the like when not.
 */
int cache_dev_read_many(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n);

#ifdef __cplusplus
}
#endif
#endif
