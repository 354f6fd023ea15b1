// SPDX-License-Identifier: GPL-2.0-only
#include "disk/read_ahead.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/types.h"

#define AHEAD_BYTES	(4u << 20)

static uint64_t piece_bytes(const struct cache_read_ahead *a)
{
	return cache_div_up(a->nsectors, CACHE_PAGE_SECTORS) * CACHE_PAGE_BYTES;
}

void cache_read_ahead_init(struct cache_read_ahead *a, struct cache_dev *dev, uint64_t nsectors)
{
	*a = (struct cache_read_ahead){ .dev = dev, .nsectors = nsectors, .max = 1 };
	if (cache_dev_is_direct(dev))
		a->max = cache_max_u64(1, cache_min_u64(AHEAD_BYTES / piece_bytes(a),
							CACHE_READ_AHEAD_MAX));
}

void cache_read_ahead_fini(struct cache_read_ahead *a)
{
	free(a->buf);
}

static int reserve(struct cache_read_ahead *a, unsigned n)
{
	if (n <= a->capacity)
		return 0;
	free(a->buf);
	a->buf = cache_dev_buf(n * piece_bytes(a));
	a->capacity = a->buf ? n : 0;
	return a->buf ? 0 : -ENOMEM;
}

/* Reads the piece at @sector, and what seems to come after it. */
static int fill(struct cache_read_ahead *a, uint64_t sector)
{
	uint64_t stride = sector - a->last;
	bool same = a->window && stride == a->stride;
	int ret;

	a->window = same ? cache_min_u64(2 * a->window, a->max) : 1;
	a->stride = stride;
	a->n = 0;
	ret = reserve(a, a->window);
	if (ret)
		return ret;
	for (unsigned i = 0; i < a->window; i++, sector += stride) {
		if (i && !cache_range_ok(sector, a->nsectors, cache_dev_sectors(a->dev)))
			break;
		a->req[a->n++] = (struct cache_dev_req){ .sector = sector, .nsectors = a->nsectors,
							 .buf = a->buf + i * piece_bytes(a) };
	}
	ret = cache_dev_read_many(a->dev, a->req, a->n);
	if (ret)
		a->n = 0;
	return ret;
}

int cache_read_ahead(struct cache_read_ahead *a, uint64_t sector, char **data)
{
	unsigned i = 0;
	int ret = 0;

	while (i < a->n && a->req[i].sector != sector)
		i++;
	if (i == a->n) {
		i = 0;
		ret = fill(a, sector);
	}
	a->last = sector;
	*data = a->buf + i * piece_bytes(a);
	return ret ? ret : a->req[i].result;
}
