/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An error has two parts: a negative errno for the program, which every function returns, and
 * one line of text for people, in a struct cache_err.
 *
 *   -EBADMSG	 magic or checksum is wrong
 *   -EUCLEAN	 the checksum is right and the content breaks a rule
 *   -EOPNOTSUPP version or feature unknown to us
 *   -ERANGE	 past the end of the device or of the structure
 *   -EIO	 a transfer failed or was short
 *   -EINVAL	 the caller's mistake
 *   -ECANCELED	 a callback asked to stop, or declined
 *   -ENOMEM, and whatever errno a system call gave
 *
 * Structs of options begin with their size, which is sizeof of the struct. A program that was
 * compiled with older, shorter ones works: the missing fields count as zero, which always means
 * what older versions did. An invalid size gives -EINVAL; so does a struct that is longer than
 * in this library and has an unknown field that is not zero. Fields called reserved must be
 * zero. Callbacks may be NULL.
 *
 * Threads: a struct cache_err is used by one thread at a time.
 */
#ifndef LIBCACHE_ERROR_H
#define LIBCACHE_ERROR_H

#include <stdint.h>

#include <libcache/version.h>

CACHE_DECLS_BEGIN

/* A sector is 512 bytes, always, whatever the hardware says. */
#define CACHE_SECTOR_BYTES	512u

#define CACHE_ERR_TEXT_BYTES	256

/* Set to zero before use. The first cause is kept; callers put context in front. */
struct cache_err {
	int	 code;		/* 0, or the negative errno of the first cause */
	uint64_t sector;	/* of the device where it was found, or 0 */
	char	 text[CACHE_ERR_TEXT_BYTES];	/* one line, no newline */
};

/* The text, or strerror(-@code) if there is none. Never NULL. */
const char *cache_err_text(const struct cache_err *err, int code);

CACHE_DECLS_END
#endif
