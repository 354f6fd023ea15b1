/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lets the n-th allocation of a test program fail, the library's and everybody
 * else's: set deny_in to n before, to -1 after; below zero then, it was reached.
 */
#ifndef TESTS_LIB_DENY_H
#define TESTS_LIB_DENY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define DENY_MALLOC 0
#elif defined(__has_feature)
#define DENY_MALLOC (!__has_feature(address_sanitizer))
#else
#define DENY_MALLOC 1
#endif

static long deny_in = -1;	/* allocations until one fails; -1: never */

#if DENY_MALLOC
static bool deny(void)
{
	if (deny_in < 0)
		return false;
	return !deny_in--;
}

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

void *malloc(size_t n)
{
	return deny() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return deny() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return deny() ? NULL : __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	return deny() ? NULL : __libc_realloc(p, n * size);
}

void *aligned_alloc(size_t align, size_t n)
{
	return deny() ? NULL : __libc_memalign(align, n);
}
#endif

/* Not where a sanitizer or valgrind has malloc. */
static bool deny_works(void)
{
	void *(*volatile ask)(size_t) = malloc;	/* else the compiler knows better */
	void *p;

	deny_in = 0;
	p = ask(1);
	deny_in = -1;
	free(p);
	return !p;
}

#endif
