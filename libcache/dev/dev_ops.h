/* SPDX-License-Identifier: GPL-2.0-only */
/* What a back end of dev.h provides. dev.c has checked ranges and rights before. */
#ifndef LIBCACHE_DEV_OPS_H
#define LIBCACHE_DEV_OPS_H

#include "dev/dev.h"

struct cache_dev_ops {
	/* exact transfers; 0 or a negative errno */
	int (*read)(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf);
	int (*write)(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		     const void *buf);
	int (*flush)(struct cache_dev *dev);
	int (*discard)(struct cache_dev *dev, uint64_t sector, uint64_t nsectors);
	int (*read_many)(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n);
	void (*close)(struct cache_dev *dev);	/* all but struct cache_dev itself */
};

struct cache_dev {
	const struct cache_dev_ops *ops;
	char *name;
	uint64_t sectors;
	uint32_t logical_block_bytes;
	uint32_t preferred_block_bytes;
	enum cache_dev_discards discards;
	bool is_block;
	bool writable;
	bool direct;		/* transfers must be aligned to the logical block */
	/* of dev_file; of a wrapper that of the device below; -1: in memory */
	int fd;
	int lock_fd;		/* of a partition: its disk, locked; -1: none */
	void *priv;		/* data of the back end */
};

/* A zeroed device with a copy of @name and fd -1; NULL: out of memory. */
struct cache_dev *cache_dev_alloc(const struct cache_dev_ops *ops, const char *name);

/*
 * A device with the size, blocks and rights of @under and @priv_bytes of zeroed
 * private memory. NULL: out of memory, and @under is closed.
 */
struct cache_dev *cache_dev_wrap(const struct cache_dev_ops *ops, struct cache_dev *under,
				 size_t priv_bytes);

/* The lock of CACHE_DEV_EXCL by these flags. Return: 0; -EBUSY when another program has it. */
int cache_dev_lock(struct cache_dev *dev, unsigned flags, struct cache_err *err);

/* Reads through io_uring, if the kernel has it; -ENOSYS: read them one by one. */
struct cache_uring;
int cache_uring_read_many(struct cache_uring **ring, int fd,
			  struct cache_dev_req *reqs, unsigned n);
void cache_uring_free(struct cache_uring *ring);

#endif
