// SPDX-License-Identifier: GPL-2.0-only
/*
 * The common code of every device: bounds and access mode are checked here, so that a back end
 * only sees transfers inside the device.
 */
#include "base/checked.h"
#include "dev/dev_ops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/types.h"

struct cache_dev *cache_dev_alloc(const struct cache_dev_ops *ops, const char *name)
{
	struct cache_dev *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return NULL;
	dev->name = strdup(name);
	if (!dev->name) {
		free(dev);
		return NULL;
	}
	dev->ops = ops;
	dev->fd = dev->lock_fd = -1;
	dev->logical_block_bytes = CACHE_SECTOR_BYTES;
	dev->preferred_block_bytes = CACHE_PAGE_BYTES;
	return dev;
}

struct cache_dev *cache_dev_wrap(const struct cache_dev_ops *ops, struct cache_dev *under,
				 size_t priv_bytes)
{
	struct cache_dev *dev = cache_dev_alloc(ops, under->name);
	void *priv = calloc(1, priv_bytes);

	if (!dev || !priv) {
		if (dev)
			free(dev->name);
		free(dev);
		free(priv);
		cache_dev_close(under);
		return NULL;
	}
	dev->sectors = under->sectors;
	dev->logical_block_bytes = under->logical_block_bytes;
	dev->preferred_block_bytes = under->preferred_block_bytes;
	dev->discards = under->discards;
	dev->is_block = under->is_block;
	dev->direct = under->direct;
	dev->writable = under->writable;
	dev->fd = under->fd;
	dev->priv = priv;
	return dev;
}

void cache_dev_close(struct cache_dev *dev)
{
	if (!dev)
		return;
	if (dev->ops->close)
		dev->ops->close(dev);
	free(dev->name);
	free(dev);
}

bool cache_dev_is_direct(const struct cache_dev *dev)
{
	return dev->direct;
}

bool cache_dev_is_same(const struct cache_dev *a, const struct cache_dev *b)
{
	struct stat x, y;

	if (a->fd < 0 || b->fd < 0 || fstat(a->fd, &x) || fstat(b->fd, &y))
		return a == b;
	if (S_ISBLK(x.st_mode) && S_ISBLK(y.st_mode))
		return x.st_rdev == y.st_rdev;
	return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int cache_dev_fd(const struct cache_dev *dev)
{
	return dev->fd;
}

const char *cache_dev_name(const struct cache_dev *dev)
{
	return dev->name;
}

uint64_t cache_dev_sectors(const struct cache_dev *dev)
{
	return dev->sectors;
}

uint32_t cache_dev_logical_block_bytes(const struct cache_dev *dev)
{
	return dev->logical_block_bytes;
}

enum cache_dev_discards cache_dev_discards(const struct cache_dev *dev)
{
	return dev->discards;
}

uint32_t cache_dev_preferred_block_bytes(const struct cache_dev *dev)
{
	return dev->preferred_block_bytes;
}

void *cache_dev_buf(size_t nbytes)
{
	size_t rounded = (nbytes + CACHE_PAGE_BYTES - 1) & ~(size_t)(CACHE_PAGE_BYTES - 1);
	void *p;

	if (rounded < nbytes)
		return NULL;
	if (!rounded)
		rounded = CACHE_PAGE_BYTES;
	p = aligned_alloc(CACHE_PAGE_BYTES, rounded);
	if (p)
		memset(p, 0, rounded);
	return p;
}

void cache_dev_buf_free(void *buf)
{
	free(buf);
}

static int check_range(const struct cache_dev *dev, const char *what, uint64_t sector,
		       uint64_t nsectors, struct cache_err *err)
{
	if (cache_range_ok(sector, nsectors, dev->sectors))
		return 0;
	return cache_err_set(err, -ERANGE, sector,
			     "%s of %" PRIu64 " sectors at sector %" PRIu64
			     " goes past the end of the device, which has %" PRIu64,
			     what, nsectors, sector, dev->sectors);
}

static int transfer_error(int ret, const char *what, uint64_t sector, uint64_t nsectors,
			  struct cache_err *err)
{
	return cache_err_set(err, ret, sector,
			     "%s of %" PRIu64 " sectors at sector %" PRIu64 " failed: %s",
			     what, nsectors, sector, strerror(-ret));
}

int cache_dev_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		   void *buf, struct cache_err *err)
{
	int ret = check_range(dev, "read", sector, nsectors, err);

	if (ret || !nsectors)
		return ret;
	ret = dev->ops->read(dev, sector, nsectors, buf);
	return ret ? transfer_error(ret, "read", sector, nsectors, err) : 0;
}

static int check_writable(const struct cache_dev *dev, struct cache_err *err)
{
	if (dev->writable)
		return 0;
	return cache_err_set(err, -EBADF, 0, "the device was opened read-only");
}

int cache_dev_write(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		    const void *buf, struct cache_err *err)
{
	int ret = check_writable(dev, err);

	if (!ret)
		ret = check_range(dev, "write", sector, nsectors, err);
	if (ret || !nsectors)
		return ret;
	ret = dev->ops->write(dev, sector, nsectors, buf);
	return ret ? transfer_error(ret, "write", sector, nsectors, err) : 0;
}

int cache_dev_flush(struct cache_dev *dev, struct cache_err *err)
{
	int ret = check_writable(dev, err);

	if (ret)
		return ret;
	ret = dev->ops->flush(dev);
	if (!ret)
		return 0;
	return cache_err_set(err, ret, 0, "flush failed: %s", strerror(-ret));
}

int cache_dev_discard(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		      struct cache_err *err)
{
	int ret = check_writable(dev, err);

	if (!ret)
		ret = check_range(dev, "discard", sector, nsectors, err);
	if (ret || !nsectors || !dev->ops->discard)
		return ret;
	ret = dev->ops->discard(dev, sector, nsectors);
	if (ret == -EOPNOTSUPP)
		return 0;
	return ret ? transfer_error(ret, "discard", sector, nsectors, err) : 0;
}

int cache_dev_read_many(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n)
{
	bool inside = true;

	for (unsigned i = 0; i < n; i++)
		inside &= cache_range_ok(reqs[i].sector, reqs[i].nsectors, dev->sectors);
	if (inside && n > 1 && dev->ops->read_many) {
		int ret = dev->ops->read_many(dev, reqs, n);

		if (ret != -ENOSYS)
			return ret;
	}
	for (unsigned i = 0; i < n; i++)
		reqs[i].result = cache_dev_read(dev, reqs[i].sector, reqs[i].nsectors,
						reqs[i].buf, NULL);
	return 0;
}
