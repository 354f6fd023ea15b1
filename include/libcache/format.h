/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formatting the cache and backing devices of one set.
 *
 * cache_mkcache_plan() makes every check of every device and writes nothing;
 * cache_mkcache_write() then carries out the plan. Between them the caller shows what the plan
 * found, and asks the user.
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

#define CACHE_MKCACHE_BUCKET_SECTORS	1024u	/* on devices that are large enough */
#define CACHE_MKCACHE_LABEL_MAX		(CACHE_SB_LABEL_BYTES - 1)
#define CACHE_MKCACHE_PASS_WIPE		16u	/* old journal entries are looked for and erased */

/* One device to format. */
struct cache_mkcache_dev {
	struct cache_dev *dev;	/* owned by the caller; writable and exclusive for the write */
	bool	is_bdev;
	uint8_t uuid[16];	/* all zero: the plan makes a new one */

	/* set by the plan: */
	struct cache_sb sb;	/* what will be written */
	struct cache_sb old;	/* the superblock found on the device, if has_old */
	bool	has_old;	/* with the right magic and checksum, sizes usable */
	uint64_t reserved[4];
};

/* The user's choices; zero means the default. */
struct cache_mkcache {
	size_t size;
	struct cache_mkcache_dev *devs;
	unsigned ndevs;

	uint64_t block_sectors;		/* default: the largest that a device prefers */
	uint64_t bucket_sectors;	/* default: 1024, less on a small device */
	uint64_t data_offset_sectors;	/* default: 16 */
	uint8_t	 set_uuid[16];		/* default: a new one */
	const char *label;		/* of every device; NULL: none */
	enum cache_replacement replacement;
	enum cache_mode mode;		/* of backing devices */
	bool	 discard;
	unsigned set_size, index;	/* number of members; index of the first one here */
	/*
	 * As make-bcache 1.0.8: several cache devices with one number, no automatic bucket
	 * size, and what a kernel will refuse only gives a warning.
	 */
	bool	 like_peer;

	/* Receives one line of information about @device or, with NULL, about all. */
	void (*note)(void *ctx, bool warning, const char *device, const char *text);
	/* Finds running members of a set that is joined; NULL: all block devices are examined */
	int (*find_set)(const uint8_t set_uuid[16],
			int (*found)(void *ctx, const char *path, const struct cache_sb *sb),
			void *ctx);
	void *ctx;			/* for note() and progress() */

	bool set_is_new;		/* set by the plan: no uuid was given for the set */
	/*
	 * Called by cache_mkcache_write() from time to time, with CACHE_MKCACHE_PASS_WIPE and
	 * sectors, and by cache_mkcache_dirty() as a check would. NULL: not wanted. A non-zero
	 * return asks to stop: a device whose write had begun is no bcache device then.
	 */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
};

/**
 * cache_mkcache_plan() - check and choose everything, write nothing
 * @m:   choices and devices; defaults and superblocks are filled in
 * @err: names the device, if the error is about one
 *
 * What a kernel would refuse (format 1.6, behaviour 7 and 8) is refused: fewer than 513
 * buckets, a block above the page or below the hardware's, a data offset that is not whole
 * blocks, a backing block below the set's, a second cache for a set that has one. If @m joins a
 * set by its uuid, its members are searched for.
 *
 * Return: 0; -EINVAL for an invalid choice, and for a wrong size; -ERANGE for a device too
 * small; -EUCLEAN for a rule of the format; -EEXIST for a conflict with the set; the errors of
 * reading, such as -EIO.
 */
int cache_mkcache_plan(struct cache_mkcache *m, struct cache_err *err);

/* @label as in the uuid table; @uuid NULL: the data has no slot in the table. */
typedef void cache_mkcache_dirty_fn(void *ctx, const uint8_t uuid[16], const char *label,
				    uint64_t sectors);

/**
 * cache_mkcache_dirty() - the dirty data of the cache set on a device, by backing device
 * @m: the device is @m->devs[@i], only read; @m->progress() is called
 *
 * Reads the whole btree. A format destroys this data; the callback tells to which devices it
 * belongs.
 * Return: 0; 1 when the set is damaged, so that there may be more; -EUCLEAN when nothing could
 * be determined; -EINVAL as cache_mkcache_write(); -ECANCELED, -EIO, -ENOMEM.
 */
int cache_mkcache_dirty(const struct cache_mkcache *m, unsigned i, cache_mkcache_dirty_fn *fn,
			void *ctx);

/**
 * cache_mkcache_write() - write the planned format to @m->devs[@i]
 * @m: a plan that succeeded
 *
 * In this order, each durable before the next: the old superblock and the 4 KiB in front of it
 * are zeroed; old journal entries, and signatures that libblkid would still find, are erased;
 * the new superblock is written. If it is interrupted, the device is no bcache device, never
 * half of one.
 *
 * All journal entries of @m's set are wiped from the ring that the driver will choose (format
 * 1.5), not only the first of each bucket: after its first new entry the driver reads on, and
 * old entries behind it would be replayed (format 8).
 *
 * Return: 0; -EINVAL for a device that is not in the plan, and for a wrong size; -ECANCELED; the
 * errors of reading or writing, such as -EIO; -ENOMEM.
 */
int cache_mkcache_write(const struct cache_mkcache *m, unsigned i, struct cache_err *err);

CACHE_DECLS_END
#endif
