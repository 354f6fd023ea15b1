/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking back what was written in place. A wrapper saves what each write covers, and
 * has it on disk before the write begins; an undo file puts it back, newest first.
 *
 * An undo file is whole or it is refused. It begins with the number of its records,
 * which is on disk before the device is written, so a file that was cut off, at any
 * byte, has fewer than it says. One record may be missing, if the device still has what
 * that write was to overwrite: then the power failed before the write began. The
 * records are a chain of checksums from the header on, and a closing record says that
 * the writer came to its end. One that was killed leaves a file without it, and that
 * file is as good.
 *
 * The checksum of each old and new sector says whether a device is the one that the
 * file was made for, as the writer left it or found it.
 */
#ifndef LIBCACHE_UNDO_H
#define LIBCACHE_UNDO_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/dev.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What an undo file says of its origin. */
struct cache_undo_origin {
	const char *program;	/* that writes; NULL: not known */
	uint64_t made;		/* seconds since 1970 */
	uint8_t run_uuid[16];	/* random */
	uint8_t dev_uuid[16];	/* of the device's superblock; all zero: it has none */
};

/**
 * cache_dev_undo_new() - save to @file what is overwritten on @under
 * @file:   is created, and must not be there yet
 * @origin: for the header; may be NULL
 *
 * Owns @under from now on, also after an error. A write whose old data cannot be
 * saved fails and is not passed on. Discards are dropped: they are advice, and what
 * they take cannot be given back. Closing the device closes the file.
 * Return: 0; -EEXIST and what open(2) and write(2) give; -ENOMEM.
 */
int cache_dev_undo_new(struct cache_dev *under, const char *file,
		       const struct cache_undo_origin *origin, struct cache_dev **dev,
		       struct cache_err *err);

struct cache_undo;

/**
 * cache_undo_open() - read the records of an undo file, and verify all of it
 *
 * Memory: 24 bytes for each saved sector. Return: 0; -EBADMSG when it is no undo
 * file, or not a whole one; -EOPNOTSUPP of another version; what open(2) and read(2)
 * give; -ENOMEM.
 */
int cache_undo_open(const char *file, struct cache_undo **undo, struct cache_err *err);
void cache_undo_close(struct cache_undo *undo);		/* NULL is fine */

const char *cache_undo_device(const struct cache_undo *undo);	/* its name then */
/* ->program is "" if it is not known; lives as long as @undo. */
const struct cache_undo_origin *cache_undo_origin(const struct cache_undo *undo);
uint64_t cache_undo_records(const struct cache_undo *undo);
uint64_t cache_undo_sectors(const struct cache_undo *undo);	/* in all records */
/* Whether its writer came to its end; if not, it was killed. */
bool cache_undo_is_closed(const struct cache_undo *undo);
/* Somebody other than @uid and root can write to the file. */
bool cache_undo_is_exposed(const struct cache_undo *undo, uint32_t uid);

/**
 * cache_undo_check() - is @dev the device, as the writer left it or as it found it?
 *
 * Each saved sector must hold what one of its writes left there, or found: the writer,
 * or an undo, may have been cut off anywhere. Time grows with the saved sectors.
 * Return: 0; -ERANGE when the size differs; -ESTALE when something else was written
 * since, each with the place; -EBADMSG when the device shows that the file lacks a
 * record; -EIO and what reading gives; -ENOMEM.
 */
int cache_undo_check(struct cache_undo *undo, struct cache_dev *dev, struct cache_err *err);

/**
 * cache_undo_apply() - put everything back, newest first, and flush
 *
 * Checks only that the file is whole. Cut off between, it can be done again.
 * Return: 0; -ERANGE when a record goes past @dev, -EBADMSG when saved data does not
 * match its checksum or a record is missing, each found before anything is written;
 * -EIO ...; -ENOMEM.
 */
int cache_undo_apply(struct cache_undo *undo, struct cache_dev *dev, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
