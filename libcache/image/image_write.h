/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes an image file from start to end; see image_disk.h. */
#ifndef LIBCACHE_IMAGE_WRITE_H
#define LIBCACHE_IMAGE_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/dev.h"

struct cache_image_writer;

/**
 * cache_image_writer_new() - write the header
 * @dev: of which it is an image: for its size
 *
 * Return: 0; -EOPNOTSUPP without zstd; the errors of write(2); -ENOMEM.
 */
int cache_image_writer_new(int fd, const struct cache_dev *dev, bool scrambled,
			   struct cache_image_writer **w, struct cache_err *err);
void cache_image_writer_free(struct cache_image_writer *w);

/*
 * One stretch, behind all before it. @buf NULL: it could not be read. 0; -EFBIG for more stretches
 * than an image can have; the errors of write(2); -ENOMEM.
 */
int cache_image_writer_add(struct cache_image_writer *w, uint64_t sector, uint64_t nsectors,
			   const void *buf, struct cache_err *err);

/* The tables. Does not sync. */
int cache_image_writer_finish(struct cache_image_writer *w, struct cache_err *err);

uint64_t cache_image_writer_bytes(const struct cache_image_writer *w);
uint64_t cache_image_writer_frames(const struct cache_image_writer *w);

#endif
