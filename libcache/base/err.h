/* SPDX-License-Identifier: GPL-2.0-only */
/* How an error is recorded, and how structs of options are read. The public part is in error.h. */
#ifndef LIBCACHE_ERR_H
#define LIBCACHE_ERR_H

#include <stddef.h>

#include <libcache/error.h>

#ifdef __cplusplus
extern "C" {
#endif

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

/**
 * cache_opts_read() - copy a caller's struct of options to the size of this library version
 * @to:      receives it, the rest is zero if the caller's is shorter
 * @nbytes:  sizeof(*@to)
 * @from:    begins with a size_t, its own size; may be NULL
 *
 * Return: 0; -EINVAL for an invalid size, and for a longer struct that has a field set which is
 * not known here.
 */
int cache_opts_read(void *to, size_t nbytes, const void *from, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
