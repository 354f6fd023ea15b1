/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device: sectors that can be read, written and flushed. Everything above
 * reads through this and nothing else, so a file, a block device, memory and
 * the wrappers around them (undo, write log, faults) are alike.
 */
#ifndef LIBCACHE_DEV_H
#define LIBCACHE_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_dev;

enum cache_dev_flags {
	CACHE_DEV_READ	 = 0,
	CACHE_DEV_WRITE	 = 1 << 0,
	/*
	 * Nobody else may write meanwhile: O_EXCL on a block device, which a
	 * kernel that runs bcache on it refuses; a lock on a regular file.
	 */
	CACHE_DEV_EXCL	 = 1 << 1,
	/* Go past the page cache on a regular file too; block devices always do. */
	CACHE_DEV_DIRECT = 1 << 2,
};

/**
 * cache_dev_open() - open a block device or a regular file
 * @path:  its path
 * @flags: of enum cache_dev_flags
 * @dev:   receives the device; the caller closes it
 *
 * Return: 0; -ENOTBLK when it is neither; -EBUSY when CACHE_DEV_EXCL finds it in
 * use; what open(2) or ioctl(2) gave; -ENOMEM.
 */
int cache_dev_open(const char *path, unsigned flags, struct cache_dev **dev,
		   struct cache_err *err);

/**
 * cache_dev_mem_new() - a device of @nsectors zeroed sectors in memory
 * @name: shown in messages; copied
 */
int cache_dev_mem_new(const char *name, uint64_t nsectors, struct cache_dev **dev,
		      struct cache_err *err);

/* A device that is @dev, and leaves it open when closed. Return: 0 or -ENOMEM. */
int cache_dev_borrow(struct cache_dev *dev, struct cache_dev **borrowed,
		     struct cache_err *err);

/* NULL is fine. Does not flush. A wrapper closes the device beneath it. */
void cache_dev_close(struct cache_dev *dev);

const char *cache_dev_name(const struct cache_dev *dev);
uint64_t cache_dev_sectors(const struct cache_dev *dev);
/* What the hardware reads and writes at least; 512 for a regular file. */
uint32_t cache_dev_logical_block_bytes(const struct cache_dev *dev);
/* What a formatter should use as its block: the above, st_blksize for a file. */
uint32_t cache_dev_preferred_block_bytes(const struct cache_dev *dev);

/* Memory fit for any transfer, zeroed; freed with free(). NULL: out of memory. */
void *cache_dev_buf(size_t nbytes);

/**
 * cache_dev_read() - read exactly @nsectors at @sector
 *
 * Return: 0; -ERANGE past the end of the device, checked before anything is
 * read; -EIO or the errno of a failed or short transfer, @buf then unspecified.
 */
int cache_dev_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		   void *buf, struct cache_err *err);

/* As cache_dev_read(), for writing. -EBADF on a device not opened to write. */
int cache_dev_write(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		    const void *buf, struct cache_err *err);

/* What was written before is durable when this returns 0. */
int cache_dev_flush(struct cache_dev *dev, struct cache_err *err);

/*
 * The content of the range is no longer needed. Advice: 0 also when the device
 * cannot discard; reading back may give zeros, the old bytes or anything.
 */
int cache_dev_discard(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		      struct cache_err *err);

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
