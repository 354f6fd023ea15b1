/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Metadata-only images of a cache device: what a check of it reads, and no data.
 *
 * An image is a file of zstd frames, so that zstd(1) unpacks it, with tables of where each
 * frame belongs in skippable frames (image_disk.h). It is read through a device of the
 * original size on which everything that was not saved reads as zeros, so a check finds in an
 * image what it finds on the device. A sector that could not be read when the image was made
 * cannot be read from the image either.
 */
#ifndef LIBCACHE_IMAGE_H
#define LIBCACHE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "dev/dev.h"

/* Whether this library was built with zstd; without it every call here gives -EOPNOTSUPP. */
bool cache_image_is_supported(void);

struct cache_image_save {
	bool scramble;		/* see cache_image_scramble_new() */
	uint64_t seed;		/* of what is random in that */
	/* May be NULL; non-zero asks to stop. Passes as in a check; then CACHE_IMAGE_PASS_SAVE. */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
	void *ctx;

	/* filled */
	uint64_t frames, saved_sectors, unreadable_sectors, file_bytes;
	unsigned findings;	/* warnings and errors of the check */
};

#define CACHE_IMAGE_PASS_SAVE	16u

/**
 * cache_image_save() - write the image of @dev to a new file
 * @dev: a cache or backing device; only read
 * @fd:  the file, empty, open for writing; stays the caller's
 *
 * Checks @dev as cache-fsck does, and if something is wrong plans a repair, and saves what
 * these read: superblock, journal ring, prio_sets, uuid table, btree nodes. Of a sound node
 * only the written part is kept. Buckets that only a search for lost nodes has looked into are
 * kept when something in them starts like metadata of this set.
 *
 * Memory: that of a repair, and 16 bytes per node.
 * Return: 0; -EUCLEAN when @scramble is set and the superblock cannot be used; -ECANCELED; -ENOMEM;
 * the errors of reading and writing. After an error the caller removes the file.
 */
int cache_image_save(struct cache_dev *dev, int fd, struct cache_image_save *save,
		     struct cache_err *err);

/* Whether @dev begins as an image does. */
bool cache_image_is(struct cache_dev *dev);

/**
 * cache_image_open() - the device of which @file is an image
 * @file: a regular file open to read; owned by @dev from now on, closed after an error
 * @dev:  read-only, of the original size
 *
 * Memory: 24 bytes per frame, and two frames. Every frame is checked when it is read, which
 * fails with -EBADMSG where it is damaged.
 * Return: 0; -EBADMSG when it is no image, or not a whole one; -EOPNOTSUPP of a newer
 * version, or without zstd; -EIO; -ENOMEM.
 */
int cache_image_open(struct cache_dev *file, struct cache_dev **dev, struct cache_err *err);

/* About the image behind @dev, which must be a device of cache_image_open(), not NULL. */
bool cache_image_is_scrambled(const struct cache_dev *dev);
uint64_t cache_image_saved_sectors(const struct cache_dev *dev);

/* Called for each stretch that was saved, in order; non-zero ends the walk. */
typedef int cache_image_range_fn(void *ctx, uint64_t sector, uint64_t nsectors);
int cache_image_each_range(const struct cache_dev *dev, cache_image_range_fn *fn, void *ctx);

/**
 * cache_image_restore() - write what an image holds to its place on another device
 * @image:  from cache_image_open()
 * @to:     at least as large, open to write. What the image does not hold is left alone
 *
 * The superblock is written last, so that an interrupted restore leaves no cache device.
 * Every frame is read and checked before the first write.
 * Return: 0; -ERANGE when @to is too small; -EBADMSG; the errors of reading and writing.
 */
int cache_image_restore(struct cache_dev *image, struct cache_dev *to,
			int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max),
			void *ctx, struct cache_err *err);

#endif
