// SPDX-License-Identifier: GPL-2.0-only
/* Several devices side by side as one, to be read. A read that leaves its device fails. */
#include "base/checked.h"
#include "dev/dev_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct join {
	unsigned n;
	struct cache_dev_part part[];
};

static int join_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	const struct join *j = dev->priv;

	for (unsigned i = 0; i < j->n; i++) {
		const struct cache_dev_part *p = &j->part[i];

		if (sector >= p->first && cache_range_ok(sector - p->first, nsectors, p->nsectors))
			return cache_dev_read(p->dev, sector - p->first, nsectors, buf, NULL);
	}
	return -EIO;
}

static void join_close(struct cache_dev *dev)
{
	free(dev->priv);
}

static const struct cache_dev_ops join_ops = { .read = join_read, .close = join_close };

int cache_dev_join(const struct cache_dev_part *parts, unsigned n, uint64_t nsectors,
		   struct cache_dev **devp, struct cache_err *err)
{
	struct cache_dev *dev = cache_dev_alloc(&join_ops, cache_dev_name(parts[0].dev));
	struct join *j = malloc(sizeof(*j) + n * sizeof(*parts));

	if (!dev || !j) {
		cache_dev_close(dev);
		free(j);
		return cache_err_set(err, -ENOMEM, 0, "no memory for a device");
	}
	j->n = n;
	memcpy(j->part, parts, n * sizeof(*parts));
	dev->sectors = nsectors;
	dev->logical_block_bytes = cache_dev_logical_block_bytes(parts[0].dev);
	dev->discards = cache_dev_discards(parts[0].dev);
	dev->priv = j;
	*devp = dev;
	return 0;
}
