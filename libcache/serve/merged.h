/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One device of a cache set as the kernel would show it: its backing device with what the
 * cache has of it on top, or a flash volume, which the cache alone has. Nothing is written.
 *
 * The extents are read once, from tree and journal, into a sorted map of 24 bytes each; a read
 * looks its sectors up there.
 */
#ifndef LIBCACHE_SERVE_MERGED_H
#define LIBCACHE_SERVE_MERGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/dev.h"
#include "set/set.h"

struct cache_merged;

struct cache_merged_opts {
	/* Do not check the set: the caller has checked it, or accepts a damaged one. */
	bool unchecked;
	/* Of a flash volume. May be NULL if a backing device is given, or the set has one volume. */
	const uint8_t *volume_uuid;
	/* May be NULL; non-zero asks to stop. */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
	void *ctx;
};

/**
 * cache_merged_open() - check the set and learn what is where
 * @cache:   the cache device; the caller's, and open until cache_merged_close()
 * @backing: the backing device, likewise; NULL: a flash volume
 *
 * Memory: that of a check, then 24 bytes per extent of the device.
 * Return: 0; -EUCLEAN when the check finds the set damaged; -EINVAL when the devices are not
 * what they should be, or not of one set; -ENODEV when the set has no such volume; -ECANCELED; the
 * errors of reading; -ENOMEM.
 */
int cache_merged_open(struct cache_dev *cache, struct cache_dev *backing,
		      const struct cache_merged_opts *opts, struct cache_merged **m,
		      struct cache_err *err);
void cache_merged_close(struct cache_merged *m);	/* NULL is fine */

/* What it is; valid as long as @m. */
struct cache_merged_info {
	uint32_t slot;			/* of the uuid table: inode of the extents */
	uint8_t	 uuid[16];
	uint8_t	 label[CACHE_SB_LABEL_BYTES + 1];
	bool	 flash;
	uint64_t sectors;		/* of the merged device */
	uint64_t extents, cached_sectors, dirty_sectors;
	uint32_t block_bytes;		/* what a reader had better ask for at least */
};
const struct cache_merged_info *cache_merged_info(const struct cache_merged *m);

/**
 * cache_merged_read() - @nbytes at @offset, neither of which need be whole sectors
 *
 * May be called by several threads at once if the devices are of cache_dev_open(). What cannot
 * be read from the cache is read from the backing device if it is clean.
 * Return: 0; -ERANGE past the end; the errors of reading, such as -EIO.
 */
int cache_merged_read(struct cache_merged *m, void *buf, uint64_t nbytes, uint64_t offset);

enum cache_merged_kind {
	CACHE_MERGED_DATA,
	CACHE_MERGED_HOLE,	/* reads as zeros: nothing is allocated for it */
};

/**
 * cache_merged_extent() - of which kind the sectors from @sector on are
 * @nsectors: receives how many are; at least one. They end where an extent does, so the next
 *            ones may be of the same kind
 */
enum cache_merged_kind cache_merged_extent(struct cache_merged *m, uint64_t sector,
					   uint64_t *nsectors);

#endif
