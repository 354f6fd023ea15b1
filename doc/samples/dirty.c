// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the dirty ranges of a cache device: what its backing devices do not have yet.
 * A line each: uuid of the backing device, first sector, number of sectors, sector on the
 * cache device.
 *
 *	cc dirty.c $(pkg-config --cflags --libs libcache) -o dirty
 *
 * Compiles as C and as C++.
 */
#include <libcache/libcache.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int on_range(void *ctx, const struct cache_range *r)
{
	const struct cache_set *set = (const struct cache_set *)ctx;
	struct cache_slot slot;

	if (!r->dirty || !r->readable)
		return 0;
	if (cache_set_slot(set, r->inode, &slot))
		memset(&slot, 0, sizeof(slot));		/* no device has it: all zero */
	for (unsigned i = 0; i < sizeof(slot.uuid); i++)
		printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", slot.uuid[i]);
	printf(" %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", r->start, r->end - r->start,
	       r->cache_sector);
	return 0;
}

int main(int argc, char **argv)
{
	struct cache_set *set = NULL;
	struct cache_dev *dev;
	struct cache_err err;
	int ret;

	if (argc != 2) {
		fprintf(stderr, "usage: dirty DEVICE\n");
		return 2;
	}
	memset(&err, 0, sizeof(err));
	ret = cache_dev_open(argv[1], CACHE_DEV_READ, &dev, &err);
	if (ret) {
		fprintf(stderr, "%s: %s\n", argv[1], cache_err_text(&err, ret));
		return 1;
	}
	/* without a sink the first damage is the error: dirty data of such a set needs more care */
	ret = cache_set_load(dev, CACHE_LOAD_GENS, NULL, &set, &err);
	if (!ret)
		ret = cache_set_each_range(set, on_range, set, NULL, &err);
	if (ret)
		fprintf(stderr, "%s: %s\n", argv[1], cache_err_text(&err, ret));
	cache_set_close(set);
	cache_dev_close(dev);
	return ret != 0;
}
