/* SPDX-License-Identifier: GPL-2.0-only */
/* A device of which some sectors cannot be read; the rest goes to the one beneath. */
#ifndef TESTS_LIB_BAD_SECTORS_H
#define TESTS_LIB_BAD_SECTORS_H

#include "test.h"

#include <errno.h>

#include "dev/dev_ops.h"

struct bad_sectors {
	struct cache_dev *under;
	uint64_t first[4], n[4];	/* n 0: not used */
};

static inline struct cache_dev *bad_under(struct cache_dev *dev)
{
	return ((struct bad_sectors *)dev->priv)->under;
}

static inline int bad_read(struct cache_dev *dev, uint64_t sector, uint64_t n, void *buf)
{
	const struct bad_sectors *b = dev->priv;

	for (unsigned i = 0; i < 4; i++)
		if (b->n[i] && sector < b->first[i] + b->n[i] && b->first[i] < sector + n)
			return -EIO;
	return cache_dev_read(b->under, sector, n, buf, NULL);
}

static inline int bad_write(struct cache_dev *dev, uint64_t sector, uint64_t n, const void *buf)
{
	return cache_dev_write(bad_under(dev), sector, n, buf, NULL);
}

static inline int bad_flush(struct cache_dev *dev)
{
	return cache_dev_flush(bad_under(dev), NULL);
}

static inline void bad_close(struct cache_dev *dev)
{
	cache_dev_close(bad_under(dev));
	free(dev->priv);
}

/* Owns @under, as every wrapper. */
static inline struct cache_dev *bad_new(struct cache_dev *under)
{
	static const struct cache_dev_ops ops = {
		.read = bad_read, .write = bad_write, .flush = bad_flush, .close = bad_close,
	};
	struct cache_dev *dev = cache_dev_wrap(&ops, under, sizeof(struct bad_sectors));

	CHECK(dev);
	((struct bad_sectors *)dev->priv)->under = under;
	return dev;
}

static inline void bad_add(struct cache_dev *dev, uint64_t first, uint64_t n)
{
	struct bad_sectors *b = dev->priv;

	for (unsigned i = 0; i < 4; i++) {
		if (b->n[i])
			continue;
		b->first[i] = first;
		b->n[i] = n;
		return;
	}
	TEST_FAIL("too many bad sectors");
}

#endif
