/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pieces of one size that are read one after the other, where one may name the next: ring buckets,
 * the prio chain. While they are as far from each other as the last two were, those to come are
 * read too, all at once: twice as many each time. So no more is read in vain than was of use.
 */
#ifndef LIBCACHE_READ_AHEAD_H
#define LIBCACHE_READ_AHEAD_H

#include "dev/dev.h"

#define CACHE_READ_AHEAD_MAX	64u

struct cache_read_ahead {
	struct cache_dev *dev;
	uint64_t nsectors;		/* of a piece */
	unsigned max;			/* pieces at once */
	char *buf;			/* of @capacity pieces */
	unsigned capacity, window, n;
	uint64_t last, stride;		/* of the pieces that were asked for, in sectors */
	struct cache_dev_req req[CACHE_READ_AHEAD_MAX];	/* @n that are in @buf */
};

/* Allocates nothing. One piece is read at a time if @dev is not read directly. */
void cache_read_ahead_init(struct cache_read_ahead *a, struct cache_dev *dev, uint64_t nsectors);
void cache_read_ahead_fini(struct cache_read_ahead *a);

/*
 * The piece at @sector; *@data is valid until the next call. Return: 0; -ENOMEM; as
 * cache_dev_read(), and then the content of *@data is not known.
 */
int cache_read_ahead(struct cache_read_ahead *a, uint64_t sector, char **data);

#endif
