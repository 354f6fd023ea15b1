/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Superblock backups: the superblock (format 1) of a device in a file, in case it is
 * overwritten. Geometry, identity and the place of the journal ring never change once
 * a set has run, so these are still right years later. What does change is state: whether
 * the set has run, whether a backing device has dirty data in a cache, and in which.
 * A restore never sets the state back:
 *
 *	- if the superblock on the device is still valid, its state is kept;
 *	- a backing device whose superblock is gone, and that had a cache when it was
 *	  saved, is marked dirty: the kernel then looks for the dirty data, and finding
 *	  none is no harm, while not looking is;
 *	- one that had no cache then may have one by now, so that is refused;
 *	- the backup of a set that had not run yet is refused once it has: a kernel would
 *	  begin it anew.
 *
 * And whether it is the device is asked of its size, its superblock and its journal.
 *
 * Threads: a backup and its device are used by one thread at a time.
 */
#ifndef LIBCACHE_BACKUP_H
#define LIBCACHE_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include <libcache/device.h>
#include <libcache/repair.h>
#include <libcache/superblock.h>

CACHE_DECLS_BEGIN

#define CACHE_BACKUP_NAME_BYTES	464u

struct cache_backup {
	uint64_t dev_sectors;
	uint64_t saved_at;			/* Unix time */
	char	 device[CACHE_BACKUP_NAME_BYTES];	/* its name then, terminated */
	uint8_t	 super[CACHE_SB_BYTES];
	struct cache_sb sb;			/* the same, decoded */
};

/**
 * cache_backup_take() - read the superblock of @dev
 * @saved_at: Unix time, for people
 *
 * Only one that breaks no rule is worth keeping. Return: 0; the errno of the first
 * rule that it breaks; -ERANGE for a device too small; -EIO, -ENOMEM.
 */
int cache_backup_take(struct cache_dev *dev, uint64_t saved_at, struct cache_backup *b,
		      struct cache_err *err);

/**
 * cache_backup_save() - write it to @file, which must not be there yet
 *
 * After 0 it is durable; after an error there is no such file.
 * Return: 0; -EEXIST and what open(2), write(2) and fsync(2) give.
 */
int cache_backup_save(const struct cache_backup *b, const char *file, struct cache_err *err);

/**
 * cache_backup_read() - read a file that cache_backup_save() made
 *
 * Return: 0; -EBADMSG when it is none, or damaged; -EOPNOTSUPP of a later version;
 * the errno of a rule that the superblock in it breaks; what open(2) and read(2) give.
 */
int cache_backup_read(const char *file, struct cache_backup *b, struct cache_err *err);

struct cache_backup_opts {
	size_t size;
	bool dry_run;	/* say what would change, write nothing */
	/*
	 * Also where nothing on the device says that the backup is of it, and where a
	 * backing device without a cache then may have one now.
	 */
	bool force;
	/* Each field that gets another value. */
	void (*field)(void *ctx, const struct cache_repair_field *f);
	void *ctx;
};

/**
 * cache_backup_restore() - put the superblock of @b on @dev
 * @dev:     opened to write, exclusively (or to read, for a dry run); stays the caller's
 * @differs: receives whether anything had, or has, to be written; may be NULL
 *
 * One write of 4 KiB, then a flush. Torn by a power cut it leaves a superblock whose
 * checksum is wrong: restore again.
 *
 * Return: 0; -EUCLEAN when @dev is not the device of the backup, or state would be
 * turned back; -EAGAIN for the same where @opts->force would go on; -ERANGE when its
 * size is another; the errno of a rule that the result would break on @dev; -EINVAL for
 * a wrong size of @opts; -EIO, -ENOMEM.
 */
int cache_backup_restore(struct cache_dev *dev, const struct cache_backup *b,
			 const struct cache_backup_opts *opts, bool *differs,
			 struct cache_err *err);

CACHE_DECLS_END
#endif
