/* SPDX-License-Identifier: GPL-2.0-only */
/* Arrays that grow by doubling, and search in sorted ones. */
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

/*
 * Binary search: the first index @i, below @n, for which @holds, an expression of @i that is false
 * up to some index and true from there on; @n if it is false for all.
 */
#define cache_first_index(i, n, holds) __extension__ ({			\
	uint64_t lo_ = 0, hi_ = (n);					\
									\
	while (lo_ < hi_) {						\
		uint64_t i = lo_ + (hi_ - lo_) / 2;			\
									\
		if (holds)						\
			hi_ = i;					\
		else							\
			lo_ = i + 1;					\
	}								\
	lo_;								\
})

#endif
