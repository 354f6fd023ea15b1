// SPDX-License-Identifier: GPL-2.0-only
/* A device in memory, for tests and simulation. */
#include "base/checked.h"
#include "dev/dev_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"

static char *at(struct cache_dev *dev, uint64_t sector)
{
	return (char *)dev->priv + sector * CACHE_SECTOR_BYTES;
}

static int mem_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	memcpy(buf, at(dev, sector), nsectors * CACHE_SECTOR_BYTES);
	return 0;
}

static int mem_write(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		     const void *buf)
{
	memcpy(at(dev, sector), buf, nsectors * CACHE_SECTOR_BYTES);
	return 0;
}

static int mem_flush(struct cache_dev *dev)
{
	return 0;
}

static int mem_discard(struct cache_dev *dev, uint64_t sector, uint64_t nsectors)
{
	memset(at(dev, sector), 0, nsectors * CACHE_SECTOR_BYTES);
	return 0;
}

static void mem_close(struct cache_dev *dev)
{
	free(dev->priv);
}

static const struct cache_dev_ops mem_ops = {
	.read = mem_read, .write = mem_write, .flush = mem_flush,
	.discard = mem_discard, .close = mem_close,
};

int cache_dev_mem_new(const char *name, uint64_t nsectors, struct cache_dev **devp,
		      struct cache_err *err)
{
	struct cache_dev *dev = NULL;
	uint64_t nbytes;

	if (cache_mul_ok(nsectors, CACHE_SECTOR_BYTES, &nbytes))
		dev = cache_dev_alloc(&mem_ops, name);
	if (dev)
		dev->priv = calloc(1, nbytes ? nbytes : 1);
	if (!dev || !dev->priv) {
		cache_dev_close(dev);
		return cache_err_set(err, -ENOMEM, 0, "no memory for a device");
	}
	dev->sectors = nsectors;
	dev->writable = true;
	*devp = dev;
	return 0;
}
