/* SPDX-License-Identifier: GPL-2.0-only */
/* A device that remembers what was read of the one beneath it. */
#ifndef LIBCACHE_IMAGE_RECORD_H
#define LIBCACHE_IMAGE_RECORD_H

#include "dev/dev.h"

struct cache_image_run {
	uint64_t sector;
	uint64_t nsectors : 63, search : 1;	/* a search for lost nodes has read it */
};

struct cache_image_poll {
	int (*fn)(void *ctx);	/* 0, or -ECANCELED to stop */
	void *ctx;
};

/* Reads of @under, which stays the caller's. 0 or -ENOMEM. */
int cache_image_record_new(struct cache_dev *under, struct cache_dev **dev,
			   struct cache_err *err);

/* From now on what is read is read by a search. */
void cache_image_record_search(struct cache_dev *dev);

/**
 * cache_image_record_take() - what was read, by sector
 * @runs: they may overlap only where one is of a search and one is not; the caller frees them
 *
 * @poll: asked whether to go on while they are sorted; NULL: it is not asked
 *
 * Return: 0; -ENOMEM when it was not possible to remember all; or what @poll returned.
 */
int cache_image_record_take(struct cache_dev *dev, struct cache_image_run **runs, size_t *n,
			    const struct cache_image_poll *poll, struct cache_err *err);

#endif
