// SPDX-License-Identifier: GPL-2.0-only
/* A borrowed device: closing it does not close the device that it stands for. */
#include "dev/dev_ops.h"

#include <errno.h>
#include <stdlib.h>

static struct cache_dev *lender(struct cache_dev *dev)
{
	return *(struct cache_dev **)dev->priv;
}

static int borrow_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	return cache_dev_read(lender(dev), sector, nsectors, buf, NULL);
}

static int borrow_write(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
			const void *buf)
{
	return cache_dev_write(lender(dev), sector, nsectors, buf, NULL);
}

static int borrow_flush(struct cache_dev *dev)
{
	return cache_dev_flush(lender(dev), NULL);
}

static int borrow_discard(struct cache_dev *dev, uint64_t sector, uint64_t nsectors)
{
	return cache_dev_discard(lender(dev), sector, nsectors, NULL);
}

static int borrow_read_many(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n)
{
	return cache_dev_read_many(lender(dev), reqs, n);
}

static void borrow_close(struct cache_dev *dev)
{
	free(dev->priv);
}

static const struct cache_dev_ops borrow_ops = {
	.read = borrow_read, .write = borrow_write, .flush = borrow_flush,
	.discard = borrow_discard, .read_many = borrow_read_many, .close = borrow_close,
};

int cache_dev_borrow(struct cache_dev *under, struct cache_dev **devp, struct cache_err *err)
{
	struct cache_dev *dev = cache_dev_alloc(&borrow_ops, under->name);

	if (dev)
		dev->priv = malloc(sizeof(under));
	if (!dev || !dev->priv) {
		cache_dev_close(dev);
		return cache_err_set(err, -ENOMEM, 0, "no memory for a device");
	}
	*(struct cache_dev **)dev->priv = under;
	dev->sectors = under->sectors;
	dev->logical_block_bytes = under->logical_block_bytes;
	dev->preferred_block_bytes = under->preferred_block_bytes;
	dev->discards = under->discards;
	dev->is_block = under->is_block;
	dev->writable = under->writable;
	*devp = dev;
	return 0;
}
