/* SPDX-License-Identifier: GPL-2.0-only */
/* Include once in a crash test: the linker sends every allocation of ours here. */
#ifndef TESTS_CRASH_WRAP_H
#define TESTS_CRASH_WRAP_H

#include <errno.h>
#include <stdlib.h>

#include "memory.h"

struct crash_alloc crash_alloc;

static int crash_alloc_fails(void)
{
	if (!crash_alloc.at || ++crash_alloc.seen != crash_alloc.at)
		return 0;
	errno = ENOMEM;
	return 1;
}

#define CRASH_WRAP(type, name, params, args)			\
	type __real_##name params;				\
	type __wrap_##name params;				\
	type __wrap_##name params				\
	{							\
		return crash_alloc_fails() ? NULL : __real_##name args;	\
	}

CRASH_WRAP(void *, malloc, (size_t n), (n))
CRASH_WRAP(void *, calloc, (size_t n, size_t size), (n, size))
CRASH_WRAP(void *, realloc, (void *p, size_t n), (p, n))
CRASH_WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
CRASH_WRAP(void *, aligned_alloc, (size_t align, size_t n), (align, n))
CRASH_WRAP(char *, strdup, (const char *s), (s))

#endif
