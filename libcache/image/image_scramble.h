/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scrambling: UUIDs and labels are replaced, and with them the magics that are made of the
 * set's UUID; the positions of extents are all moved by one distance, a multiple of the block;
 * checksums are made again, right where they were right, and wrong by the same bits where they
 * were wrong. What is not understood is replaced by random bytes where it was not zero.
 */
#ifndef LIBCACHE_IMAGE_SCRAMBLE_H
#define LIBCACHE_IMAGE_SCRAMBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/dev.h"
#include "format/super.h"

struct cache_scramble;

/**
 * cache_scramble_new() - learn what is needed from the device
 * @dev: only read
 * @sb:  its superblock, usable if it is a cache device
 *
 * Return: 0; -ENOMEM.
 */
int cache_scramble_new(struct cache_dev *dev, const struct cache_sb *sb, uint64_t seed,
		       struct cache_scramble **s, struct cache_err *err);
void cache_scramble_free(struct cache_scramble *s);

/*
 * @buf holds the first @nsectors of @bucket, zeros where nothing was read; what is not zero
 * is scrambled in place.
 */
int cache_scramble_bucket(struct cache_scramble *s, uint64_t bucket, void *buf,
			  uint64_t nsectors);

/* The 4 KiB of a superblock. */
int cache_scramble_super(struct cache_scramble *s, void *buf);

#endif
