/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_SORT_H
#define CACHE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sorts ascending, in place; the time does not depend on the order of @v. */
void cache_sort_u64(uint64_t *v, size_t n);

/*
 * Finds and sorts the least @want of @n values. @v has @capacity values in all. The
 * result is at the returned pointer: at @v, with the other @n - @want values behind it; or behind
 * the first @n values, and then the others are at @v. The others are in no order.
 */
uint64_t *cache_sort_front_u64(uint64_t *v, size_t n, size_t want, size_t capacity);

#endif
