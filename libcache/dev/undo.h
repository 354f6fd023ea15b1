/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking back what was written in place. A wrapper saves what each write covers, and
 * has it on disk before the write begins; an undo file puts it back, newest first.
 *
 * The file is a header of 512 bytes, then records: 48 bytes, a checksum of each new
 * sector, and the old sectors. So what lies on a device now says whether the file is
 * about this device as it was left. A torn record at the end belongs to a write that
 * never began.
 */
#ifndef LIBCACHE_UNDO_H
#define LIBCACHE_UNDO_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/dev.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * cache_dev_undo_new() - save to @file what is overwritten on @under
 * @file: is created, and must not be there yet
 *
 * Owns @under from now on, also after an error. A write whose old data cannot be
 * saved fails and is not passed on. Discards are dropped: they are advice, and what
 * they take cannot be given back.
 * Return: 0; -EEXIST and what open(2) and write(2) give; -ENOMEM.
 */
int cache_dev_undo_new(struct cache_dev *under, const char *file, struct cache_dev **dev,
		       struct cache_err *err);

struct cache_undo;

/**
 * cache_undo_open() - read the records of an undo file
 *
 * Reading stops at a record that is torn. Return: 0; -EBADMSG when it is no undo
 * file; -EOPNOTSUPP of a later version; what open(2) and read(2) give; -ENOMEM.
 */
int cache_undo_open(const char *file, struct cache_undo **undo, struct cache_err *err);
void cache_undo_close(struct cache_undo *undo);		/* NULL is fine */

const char *cache_undo_device(const struct cache_undo *undo);	/* its name then */
uint64_t cache_undo_records(const struct cache_undo *undo);
uint64_t cache_undo_sectors(const struct cache_undo *undo);	/* in all records */

/**
 * cache_undo_check() - is @dev the device, as the writer left it or as it found it?
 *
 * Each saved sector must hold what one of its writes left there, or found: the writer,
 * or an undo, may have been cut off anywhere.
 * Return: 0; -ERANGE when the size differs, -ESTALE when something else was written
 * since, each with the place; -EIO and what reading gives; -ENOMEM.
 */
int cache_undo_check(struct cache_undo *undo, struct cache_dev *dev, struct cache_err *err);

/**
 * cache_undo_apply() - put everything back, newest first, and flush
 *
 * Does not check. Cut off between, it can be done again.
 * Return: 0; -ERANGE when a record goes past @dev, found before anything is written;
 * -EBADMSG when saved data does not match its checksum; -EIO ...; -ENOMEM.
 */
int cache_undo_apply(struct cache_undo *undo, struct cache_dev *dev, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
