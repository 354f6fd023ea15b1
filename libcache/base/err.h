/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An error is two things: a negative errno for the program, which every
 * function returns, and one line for the person, kept in a struct cache_err.
 *
 *   -EBADMSG	 magic or checksum is wrong
 *   -EUCLEAN	 the checksum is right and the content breaks a rule
 *   -EOPNOTSUPP version or feature unknown to us
 *   -ERANGE	 past the end of the device or of the structure
 *   -EIO	 a transfer failed or was short
 *   -EINVAL	 the caller's mistake
 *   -ENOMEM, and whatever errno a system call gave
 */
#ifndef LIBCACHE_ERR_H
#define LIBCACHE_ERR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_ERR_TEXT_BYTES	256

/* Zero it, then pass it. The first cause wins; callers put context in front. */
struct cache_err {
	int	 code;		/* 0, or the negative errno of the first cause */
	uint64_t sector;	/* of the device where it was found, or 0 */
	char	 text[CACHE_ERR_TEXT_BYTES];	/* one line, no newline */
};

/**
 * cache_err_set() - record the first cause of a failure
 * @err:    may be NULL; left alone if it already holds a cause
 * @code:   negative errno
 * @sector: device sector it was found at; 0 when there is none
 * @fmt:    one lower-case line: what was found and what was expected
 *
 * Return: @code, so that a caller can return it in the same line.
 */
int cache_err_set(struct cache_err *err, int code, uint64_t sector,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/**
 * cache_err_prefix() - put "context: " in front of what went wrong
 * @err:  may be NULL; an empty one receives strerror(-@code) first
 * @code: negative errno
 *
 * Return: @code.
 */
int cache_err_prefix(struct cache_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The text, or strerror(-@code) when nobody left one. Never NULL. */
const char *cache_err_text(const struct cache_err *err, int code);

#ifdef __cplusplus
}
#endif
#endif
