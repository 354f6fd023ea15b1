// SPDX-License-Identifier: GPL-2.0-only
/* A device that remembers what was done to it. */
#include "dev/dev_ops.h"
#include "base/array.h"
#include "dev/dev_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"

struct log_dev {
	struct cache_dev *under;
	struct cache_dev_log *log;
};

static struct cache_dev *under(struct cache_dev *dev)
{
	return ((struct log_dev *)dev->priv)->under;
}

static int remember(struct cache_dev *dev, enum cache_dev_op_kind kind, uint64_t sector,
		    uint64_t nsectors, const void *buf)
{
	struct cache_dev_log *log = ((struct log_dev *)dev->priv)->log;
	void *copy = NULL, *p = cache_array_grow(log->ops, log->n, &log->capacity, sizeof(*log->ops));

	if (!p)
		return -ENOMEM;
	log->ops = p;
	if (buf) {
		copy = malloc(nsectors * CACHE_SECTOR_BYTES);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, buf, nsectors * CACHE_SECTOR_BYTES);
	}
	log->ops[log->n++] = (struct cache_dev_op){ kind, sector, nsectors, copy };
	return 0;
}

static int log_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	return cache_dev_read(under(dev), sector, nsectors, buf, NULL);
}

static int log_write(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		     const void *buf)
{
	int ret = remember(dev, CACHE_DEV_OP_WRITE, sector, nsectors, buf);

	return ret ? ret : cache_dev_write(under(dev), sector, nsectors, buf, NULL);
}

static int log_flush(struct cache_dev *dev)
{
	int ret = remember(dev, CACHE_DEV_OP_FLUSH, 0, 0, NULL);

	return ret ? ret : cache_dev_flush(under(dev), NULL);
}

static int log_discard(struct cache_dev *dev, uint64_t sector, uint64_t nsectors)
{
	int ret = remember(dev, CACHE_DEV_OP_DISCARD, sector, nsectors, NULL);

	return ret ? ret : cache_dev_discard(under(dev), sector, nsectors, NULL);
}

static int log_read_many(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n)
{
	return cache_dev_read_many(under(dev), reqs, n);
}

static void log_close(struct cache_dev *dev)
{
	cache_dev_close(under(dev));
	free(dev->priv);
}

static const struct cache_dev_ops log_ops = {
	.read = log_read, .write = log_write, .flush = log_flush,
	.discard = log_discard, .read_many = log_read_many, .close = log_close,
};

int cache_dev_log_new(struct cache_dev *beneath, struct cache_dev_log *log,
		      struct cache_dev **devp, struct cache_err *err)
{
	struct cache_dev *dev = cache_dev_wrap(&log_ops, beneath, sizeof(struct log_dev));
	struct log_dev *l;

	if (!dev)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a device");
	l = dev->priv;
	l->under = beneath;
	l->log = log;
	*devp = dev;
	return 0;
}

void cache_dev_log_fini(struct cache_dev_log *log)
{
	for (size_t i = 0; i < log->n; i++)
		free((void *)log->ops[i].data);
	free(log->ops);
	memset(log, 0, sizeof(*log));
}

int cache_dev_op_apply(const struct cache_dev_op *op, struct cache_dev *dev,
		       struct cache_err *err)
{
	void *zeros;
	int ret;

	if (op->kind == CACHE_DEV_OP_FLUSH)
		return 0;
	if (op->kind == CACHE_DEV_OP_WRITE)
		return cache_dev_write(dev, op->sector, op->nsectors, op->data, err);
	zeros = calloc(op->nsectors, CACHE_SECTOR_BYTES);
	if (!zeros)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a discarded range");
	ret = cache_dev_write(dev, op->sector, op->nsectors, zeros, err);
	free(zeros);
	return ret;
}
