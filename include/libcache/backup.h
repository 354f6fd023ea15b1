/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Superblock backups: the superblock (format 1) of a device in a file, in case it is
 * overwritten. Geometry, identity and the place of the journal ring never change once a set has
 * run, so these are still right years later. The state does change: whether the set has run,
 * whether a backing device has dirty data in a cache, and in which cache. A restore never puts
 * back an old state:
 *
 * 	- if the superblock on the device is still valid, its state is kept;
 * 	- a backing device whose superblock is gone, and that had a cache when it was
 * 	  saved, is marked dirty: then the kernel looks for dirty data. If there is none, no
 * 	  harm is done; without the mark, dirty data would be abandoned;
 * 	- a backing device that had no cache then may have one by now, so the restore is refused;
 * 	- the backup of a set that had not run yet is refused once the set has run: a kernel
 * 	  would initialise it again.
 *
 * Size, superblock and journal of the device show whether the backup belongs to it.
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
	/* name of the device at that time, terminated */
	char	 device[CACHE_BACKUP_NAME_BYTES];
	uint8_t	 super[CACHE_SB_BYTES];
	struct cache_sb sb;			/* the same, decoded */
};

/**
 * cache_backup_take() - read the superblock of @dev
 * @saved_at: Unix time, for information only
 *
 * A superblock that breaks a rule is not saved. Return: 0; the errno of the first rule that it
 * breaks; -ERANGE for a device too small; -EIO, -ENOMEM.
 */
int cache_backup_take(struct cache_dev *dev, uint64_t saved_at, struct cache_backup *b,
		      struct cache_err *err);

/**
 * cache_backup_save() - write it to @file, which must not exist
 *
 * After 0 it is durable; after an error there is no such file.
 * Return: 0; -EEXIST and the errors of open(2), write(2) and fsync(2).
 */
int cache_backup_save(const struct cache_backup *b, const char *file, struct cache_err *err);

/**
 * cache_backup_read() - read a file that cache_backup_save() made
 *
 * Return: 0; -EBADMSG when it is no backup, or damaged; -EOPNOTSUPP for a later version; the
 * errno of a rule that the superblock in it breaks; the errors of open(2) and read(2).
 */
int cache_backup_read(const char *file, struct cache_backup *b, struct cache_err *err);

struct cache_backup_opts {
	size_t size;
	bool dry_run;	/* report what would change, write nothing */
	/*
	 * Restore even if nothing on the device shows that the backup belongs to it, and if a
	 * backing device that had no cache may have one now.
	 */
	bool force;
	/* Called for each field that gets another value. */
	void (*field)(void *ctx, const struct cache_repair_field *f);
	void *ctx;
};

/**
 * cache_backup_restore() - put the superblock of @b on @dev
 * @dev:     opened to write, exclusively (or to read, for a dry run); stays owned by the caller
 * @differs: receives whether anything was, or would be, written; may be NULL
 *
 * One write of 4 KiB, then a flush. If a power cut tears it, the superblock has a wrong
 * checksum: restore again.
 *
 * Return: 0; -EUCLEAN when @dev is not the device of the backup, or an old state would be put
 * back; -EAGAIN for the same if @opts->force would allow it; -ERANGE when its size differs; the
 * errno of a rule that the result would break on @dev; -EINVAL for a wrong size of @opts; -EIO,
 * -ENOMEM.
 */
int cache_backup_restore(struct cache_dev *dev, const struct cache_backup *b,
			 const struct cache_backup_opts *opts, bool *differs,
			 struct cache_err *err);

CACHE_DECLS_END
#endif
