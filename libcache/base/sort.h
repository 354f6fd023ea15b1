/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_SORT_H
#define CACHE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sorts ascending, in place; the time does not depend on the order of @v. */
void cache_sort_u64(uint64_t *v, size_t n);

/* Elements between two polls of the sorts that ask whether to go on: a few milliseconds. */
#define CACHE_SORT_POLL	(1u << 16)

/*
 * The same; @poll, which may be NULL, is asked from time to time, and other than 0 ends it. Return:
 * 0, or what @poll returned: then the values are in another order.
 */
int cache_sort_u64_polled(uint64_t *v, size_t n, int (*poll)(void *ctx), void *ctx);

/*
 * Finds and sorts the least @want of @n values. @v has @capacity values in all. The
 * result is at the returned pointer: at @v, with the other @n - @want values behind it; or behind
 * the first @n values, and then the others are at @v. The others are in no order.
 */
uint64_t *cache_sort_front_u64(uint64_t *v, size_t n, size_t want, size_t capacity);

/* What is sorted, and how. */
struct cache_sort {
	size_t size;		/* of an element, in bytes */
	int (*cmp)(const void *a, const void *b, void *ctx);	/* as of qsort_r() */
	void *ctx;
	/* Asked from time to time; other than 0: the sort ends. May be NULL. */
	int (*poll)(void *poll_ctx);
	void *poll_ctx;
};

/**
 * cache_sort() - sort an array that may be so large that it takes a while
 * @v:   @n elements; may be NULL if @n is 0
 * @how: all of it is used
 *
 * Elements that compare as equal keep their order. If @v is sorted already, it is read once.
 *
 * Memory: half of that of @v while it works, none if @v is sorted.
 *
 * Return: 0; -ENOMEM, and @v is as before; or what the poll returned. Then @v has the same
 * elements in another order.
 */
int cache_sort(void *v, size_t n, const struct cache_sort *how);

#endif
