/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Versions. The macros give the version of the headers, cache_version() that of the library in
 * use. The Makefile takes the version of a release from these three lines.
 *
 * Threads: everything here may be called from any thread at any time.
 */
#ifndef LIBCACHE_VERSION_H
#define LIBCACHE_VERSION_H

#define CACHE_VERSION_MAJOR	0
#define CACHE_VERSION_MINOR	1
#define CACHE_VERSION_PATCH	0

/* For comparisons: #if CACHE_VERSION >= CACHE_VERSION_OF(1, 2, 0) */
#define CACHE_VERSION_OF(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))
#define CACHE_VERSION \
	CACHE_VERSION_OF(CACHE_VERSION_MAJOR, CACHE_VERSION_MINOR, CACHE_VERSION_PATCH)

/*
 * Around the declarations of each public header: C names, and visible in the shared library,
 * whose map, include/libcache.map, lists the same functions.
 */
#ifdef __cplusplus
#define CACHE_DECLS_BEGIN extern "C" { _Pragma("GCC visibility push(default)")
#define CACHE_DECLS_END _Pragma("GCC visibility pop") }
#else
#define CACHE_DECLS_BEGIN _Pragma("GCC visibility push(default)")
#define CACHE_DECLS_END _Pragma("GCC visibility pop")
#endif

CACHE_DECLS_BEGIN

/**
 * cache_version() - the version of the library in use
 * @number: receives it as CACHE_VERSION_OF() makes it; may be NULL
 *
 * Return: the same as a static string, "1.2.3".
 */
const char *cache_version(unsigned *number);

CACHE_DECLS_END
#endif
