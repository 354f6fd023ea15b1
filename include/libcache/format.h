/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formatting: cache and backing devices of one set.
 *
 * cache_mkcache_plan() makes every check over every device and writes nothing;
 * cache_mkcache_write() then does what the plan says. Between them the caller shows
 * what the plan found, and asks.
 *
 * Threads: a plan and its devices are used by one thread at a time.
 */
#ifndef LIBCACHE_FORMAT_H
#define LIBCACHE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <libcache/device.h>
#include <libcache/superblock.h>

CACHE_DECLS_BEGIN

#define CACHE_MKCACHE_BUCKET_SECTORS	1024u	/* where it fits */
#define CACHE_MKCACHE_LABEL_MAX		(CACHE_SB_LABEL_BYTES - 1)

/* One device to format. */
struct cache_mkcache_dev {
	struct cache_dev *dev;	/* the caller's; writable and exclusive for the write */
	bool	is_bdev;
	uint8_t uuid[16];	/* all zero: the plan makes a new one */

	/* what the plan says */
	struct cache_sb sb;	/* what will be written */
	struct cache_sb old;	/* the superblock found there, if has_old */
	bool	has_old;	/* with the right magic and checksum, sizes usable */
	uint64_t reserved[4];
};

/* What was chosen; zero means the default. */
struct cache_mkcache {
	size_t size;
	struct cache_mkcache_dev *devs;
	unsigned ndevs;

	uint64_t block_sectors;		/* default: the largest that a device prefers */
	uint64_t bucket_sectors;	/* default: 1024, less where a device is small */
	uint64_t data_offset_sectors;	/* default: 16 */
	uint8_t	 set_uuid[16];		/* default: a new one */
	const char *label;		/* of every device; NULL: none */
	enum cache_replacement replacement;
	enum cache_mode mode;		/* of backing devices */
	bool	 discard;
	unsigned set_size, index;	/* members of the set; number of the first here */
	/*
	 * As make-bcache 1.0.8: several caches of one number, no choice of a bucket
	 * size, and what a kernel will refuse is warned of and made.
	 */
	bool	 like_peer;

	/* One line that is worth reading, about @device or, with NULL, about all. */
	void (*note)(void *ctx, bool warning, const char *device, const char *text);
	/* Finds running members of a set that is joined; NULL: all block devices are looked at */
	int (*find_set)(const uint8_t set_uuid[16],
			int (*found)(void *ctx, const char *path, const struct cache_sb *sb),
			void *ctx);
	void *ctx;			/* of note() */

	bool set_is_new;		/* what the plan says: nobody chose the set's uuid */
};

/**
 * cache_mkcache_plan() - check everything, decide everything, write nothing
 * @m:	 choices and devices; defaults are filled in, superblocks made
 * @err: names the device where there is one
 *
 * What a kernel would refuse (format 1.6, behaviour 7 and 8) is refused: fewer than
 * 513 buckets, a block above the page or below the hardware's, a data offset that is
 * not whole blocks, a backing block below the set's, a second cache for a set that
 * has one. Members of a set that @m joins by its uuid are looked for.
 *
 * Return: 0; -EINVAL for a choice that is wrong by itself, and for a wrong size; -ERANGE
 * for a device too small; -EUCLEAN for a rule of the format; -EEXIST for a clash with the
 * set; -EIO and what reading gives.
 */
int cache_mkcache_plan(struct cache_mkcache *m, struct cache_err *err);

/* @label as the uuid table has it; @uuid NULL: the data has no slot in the table. */
typedef void cache_mkcache_dirty_fn(void *ctx, const uint8_t uuid[16], const char *label,
				    uint64_t sectors);

/**
 * cache_mkcache_dirty() - the dirty data of the cache set on @dev, by backing device
 * @dev: only read
 *
 * Reads the whole btree. What a format overwrites is lost for ever: this says whose it is.
 * Return: 0; 1 when the set is damaged, so that there may be more; -EUCLEAN when nothing
 * could be told; -EIO, -ENOMEM.
 */
int cache_mkcache_dirty(struct cache_dev *dev, cache_mkcache_dirty_fn *fn, void *ctx);

/**
 * cache_mkcache_write() - make @m->devs[@i] what the plan says
 * @m: a plan that succeeded
 *
 * In this order, each durable before the next: the old superblock and the 4 KiB in
 * front of it are zeroed; old journal entries, and signatures that libblkid would
 * still see, are wiped; the new superblock is written. Cut off between, the device
 * is no bcache device, never half of one.
 *
 * All journal entries of @m's set are wiped from the ring that the driver will
 * choose (format 1.5), not only the first of each bucket: after its first new entry
 * the driver reads on, and what lies behind it would be replayed (format 8).
 *
 * Return: 0; -EINVAL for a device that is not of the plan, and for a wrong size; -EIO and
 * what reading or writing gives; -ENOMEM.
 */
int cache_mkcache_write(const struct cache_mkcache *m, unsigned i, struct cache_err *err);

CACHE_DECLS_END
#endif
