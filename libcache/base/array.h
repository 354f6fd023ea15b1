/* SPDX-License-Identifier: GPL-2.0-only */
/* Arrays that grow by doubling. */
#ifndef LIBCACHE_ARRAY_H
#define LIBCACHE_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define CACHE_ARRAY_FIRST	16	/* elements of the first allocation */

/*
 * An array with a capacity for more than @n elements of @size bytes: @list itself, or a larger
 * one, and @capacity is updated. NULL without memory: @list is unchanged.
 */
static inline void *cache_array_grow(void *list, size_t n, size_t *capacity, size_t size)
{
	size_t more = *capacity ? 2 * *capacity : CACHE_ARRAY_FIRST;
	void *p;

	if (n < *capacity)
		return list;
	p = reallocarray(list, more, size);
	if (p)
		*capacity = more;
	return p;
}

#endif
