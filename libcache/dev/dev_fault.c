// SPDX-License-Identifier: GPL-2.0-only
/* A device whose n-th transfer goes wrong. */
#include "dev/dev_ops.h"
#include "dev/dev_fault.h"

#include <errno.h>
#include <stdlib.h>

struct fault_dev {
	struct cache_dev *under;
	struct cache_fault *fault;
};

static struct cache_dev *under(struct cache_dev *dev)
{
	return ((struct fault_dev *)dev->priv)->under;
}

/* Whether this transfer must fail. */
static bool strikes(struct cache_dev *dev, enum cache_fault_kind kind)
{
	struct cache_fault *f = ((struct fault_dev *)dev->priv)->fault;

	if (!(f->kinds & kind))
		return false;
	f->seen++;
	return f->at && (f->seen == f->at ||
			 (f->effect == CACHE_FAULT_GONE && f->seen > f->at));
}

static const struct cache_fault *fault_of(struct cache_dev *dev)
{
	return ((struct fault_dev *)dev->priv)->fault;
}

static int fault_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	bool now = strikes(dev, CACHE_FAULT_READ);
	int ret;

	if (now && fault_of(dev)->effect != CACHE_FAULT_FLIP)
		return fault_of(dev)->error;
	ret = cache_dev_read(under(dev), sector, nsectors, buf, NULL);
	if (now && !ret)
		((char *)buf)[nsectors * 256] ^= 4;
	return ret;
}

static int fault_write(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		       const void *buf)
{
	if (!strikes(dev, CACHE_FAULT_WRITE))
		return cache_dev_write(under(dev), sector, nsectors, buf, NULL);
	if (fault_of(dev)->effect == CACHE_FAULT_SHORT)
		cache_dev_write(under(dev), sector, nsectors / 2, buf, NULL);
	return fault_of(dev)->error;
}

static int fault_flush(struct cache_dev *dev)
{
	return strikes(dev, CACHE_FAULT_FLUSH) ? fault_of(dev)->error
					       : cache_dev_flush(under(dev), NULL);
}

static int fault_discard(struct cache_dev *dev, uint64_t sector, uint64_t nsectors)
{
	return strikes(dev, CACHE_FAULT_WRITE) ?
		fault_of(dev)->error : cache_dev_discard(under(dev), sector, nsectors, NULL);
}

static void fault_close(struct cache_dev *dev)
{
	cache_dev_close(under(dev));
	free(dev->priv);
}

static const struct cache_dev_ops fault_ops = {
	.read = fault_read, .write = fault_write, .flush = fault_flush,
	.discard = fault_discard, .close = fault_close,
};

int cache_dev_fault_new(struct cache_dev *beneath, struct cache_fault *fault,
			struct cache_dev **devp, struct cache_err *err)
{
	struct cache_dev *dev = cache_dev_wrap(&fault_ops, beneath, sizeof(struct fault_dev));
	struct fault_dev *f;

	if (!dev)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a device");
	f = dev->priv;
	f->under = beneath;
	f->fault = fault;
	*devp = dev;
	return 0;
}
