/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device: sectors that can be read, written and flushed. A sector is 512 bytes, always. The
 * rest of the library only uses this interface, so a file, a block device and a device whose
 * overwritten sectors are saved (below) are used in the same way. Functions that are given a
 * device never close it.
 *
 * Threads: a device, or an undo file, is used by one thread at a time; different ones are
 * independent.
 */
#ifndef LIBCACHE_DEVICE_H
#define LIBCACHE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libcache/error.h>

CACHE_DECLS_BEGIN

struct cache_dev;

enum cache_dev_flags {
	CACHE_DEV_READ	 = 0,
	CACHE_DEV_WRITE	 = 1 << 0,
	/*
	 * No other program may write meanwhile: O_EXCL on a block device, which a kernel that
	 * runs bcache on it refuses; a lock on a regular file.
	 */
	CACHE_DEV_EXCL	 = 1 << 1,
	/* Bypass the page cache on a regular file too; for block devices this is always done. */
	CACHE_DEV_DIRECT = 1 << 2,
	/* Opened for reading, as for a dry run, but refused if the device is read-only. */
	CACHE_DEV_MAY_WRITE = 1 << 3,
	/*
	 * With CACHE_DEV_EXCL: another program may hold a shared lock, as udev does on a disk while
	 * it runs a program for it. One that writes holds an exclusive lock, which is refused.
	 */
	CACHE_DEV_SHARED_LOCK = 1 << 4,
};

/**
 * cache_dev_open() - open a block device or a regular file
 * @path:  its path
 * @flags: of enum cache_dev_flags
 * @dev:   receives the device; the caller closes it
 *
 * Return: 0; -ENOTBLK when it is neither; -EBUSY when CACHE_DEV_EXCL finds it in use; -EROFS
 * for a read-only device that must be written; -EAGAIN when the path was changed meanwhile; the
 * error of open(2) or ioctl(2); -ENOMEM.
 */
int cache_dev_open(const char *path, unsigned flags, struct cache_dev **dev,
		   struct cache_err *err);

/* Accepts NULL. Does not flush. A wrapper closes the device beneath it. */
void cache_dev_close(struct cache_dev *dev);

const char *cache_dev_name(const struct cache_dev *dev);
uint64_t cache_dev_sectors(const struct cache_dev *dev);
/* The smallest unit that the hardware reads and writes; 512 for a regular file. */
uint32_t cache_dev_logical_block_bytes(const struct cache_dev *dev);
/*
 * Zeroed memory that is aligned for any transfer; NULL: out of memory. Free it with
 * cache_dev_buf_free(), which accepts NULL.
 */
void *cache_dev_buf(size_t nbytes);
void cache_dev_buf_free(void *buf);

/**
 * cache_dev_read() - read exactly @nsectors at @sector
 *
 * Return: 0; -ERANGE past the end of the device, checked before anything is
 * read; -EIO or the errno of a failed or short transfer, @buf then unspecified.
 */
int cache_dev_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		   void *buf, struct cache_err *err);

/* As cache_dev_read(), for writing. -EBADF on a device not opened to write. */
int cache_dev_write(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		    const void *buf, struct cache_err *err);

/* All earlier writes are durable when this returns 0. */
int cache_dev_flush(struct cache_dev *dev, struct cache_err *err);

/*
 * The content of the range is no longer needed. This is advice: it returns 0 also when the
 * device cannot discard; reading may then give zeros, the old bytes or anything else.
 */
int cache_dev_discard(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		      struct cache_err *err);

/*
 * Undoing writes in place. A wrapper saves the old content of each write, durably, before the
 * write begins; an undo file restores it, newest first.
 *
 * An incomplete undo file is refused. It begins with the number of its records, which is on
 * disk before the device is written, so a truncated file has fewer records than that. One
 * record may be missing if the device still has the old content: then the power failed before
 * the write began. The records are a chain of checksums from the header on, and a closing
 * record says that the writer finished. A killed writer leaves a file without it, and that file
 * can be used too.
 *
 * The checksum of each old and new sector shows whether a device is the one that the file was
 * made for, as it was before or after the writes.
 */

/* What an undo file records about its origin. */
struct cache_undo_origin {
	const char *program;	/* name of the program that writes; NULL: not known */
	uint64_t made;		/* seconds since 1970 */
	uint8_t run_uuid[16];	/* random */
	uint8_t dev_uuid[16];	/* of the device's superblock; all zero: it has none */
};

/**
 * cache_dev_undo_new() - save to @file what is overwritten on @under
 * @file:   is created, and must not exist
 * @origin: for the header; may be NULL
 *
 * Owns @under from now on, also after an error. A write whose old data cannot be saved fails
 * and is not passed on. Discards are dropped: they are only advice, and cannot be undone.
 * Closing the device closes the file.
 * Return: 0; -EEXIST and the errors of open(2) and write(2); -ENOMEM.
 */
int cache_dev_undo_new(struct cache_dev *under, const char *file,
		       const struct cache_undo_origin *origin, struct cache_dev **dev,
		       struct cache_err *err);

struct cache_undo;

enum cache_undo_pass {
	CACHE_UNDO_PASS_READ = 1,	/* of the undo file */
	CACHE_UNDO_PASS_COMPARE,	/* with the device */
	CACHE_UNDO_PASS_VERIFY,		/* of the saved data, once more before the first write */
	CACHE_UNDO_PASS_WRITE,
};

/**
 * cache_undo_open() - read the records of an undo file, and verify all of it
 *
 * @progress: may be NULL; called from time to time, here and by cache_undo_check() and
 *	      cache_undo_apply(), with a pass of enum cache_undo_pass and amounts whose unit is not
 *	      said. A non-zero return asks to stop, which they do as long as nothing was written.
 *
 * Memory: 24 bytes for each saved sector. Return: 0; -EBADMSG when it is no undo file, or
 * incomplete; -EOPNOTSUPP for another version; -ECANCELED; the errors of open(2) and read(2);
 * -ENOMEM.
 */
int cache_undo_open(const char *file,
		    int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max),
		    void *ctx, struct cache_undo **undo, struct cache_err *err);
void cache_undo_close(struct cache_undo *undo);		/* accepts NULL */

const char *cache_undo_device(const struct cache_undo *undo);	/* the name at that time */
/* ->program is "" if it is not known; valid as long as @undo. */
const struct cache_undo_origin *cache_undo_origin(const struct cache_undo *undo);
uint64_t cache_undo_records(const struct cache_undo *undo);
uint64_t cache_undo_sectors(const struct cache_undo *undo);	/* in all records */
/* Whether its writer finished; if not, it was killed. */
bool cache_undo_is_closed(const struct cache_undo *undo);
/* Whether a user other than @uid and root can write to the file. */
bool cache_undo_is_exposed(const struct cache_undo *undo, uint32_t uid);

/**
 * cache_undo_check() - is @dev the device, as it was before or after the writes?
 *
 * Each saved sector must hold what was there before or after one of its writes: the writer, or
 * an undo, may have been interrupted at any point. The time depends on the number of saved
 * sectors.
 * Return: 0; -ERANGE when the size differs; -ESTALE when something else was written since (both
 * with the sector); -EBADMSG when the device shows that the file lacks a record; -ECANCELED; the
 * errors of reading, such as -EIO; -ENOMEM.
 */
int cache_undo_check(struct cache_undo *undo, struct cache_dev *dev, struct cache_err *err);

/**
 * cache_undo_apply() - restore everything, newest first, and flush
 *
 * Checks only that the file is complete. If it is interrupted, it can be repeated.
 * Return: 0; -ERANGE when a record goes past @dev, -EBADMSG when saved data does not match its
 * checksum or a record is missing, -ECANCELED, all of them before anything is written; -EIO ...;
 * -ENOMEM.
 */
int cache_undo_apply(struct cache_undo *undo, struct cache_dev *dev, struct cache_err *err);

CACHE_DECLS_END
#endif
