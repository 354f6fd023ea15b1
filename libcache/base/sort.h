/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_SORT_H
#define CACHE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sorts ascending, in place; the time does not depend on the order of @v. */
void cache_sort_u64(uint64_t *v, size_t n);

/*
 * Finds and sorts the least @want of @n values. They are at @v or behind the @n, where
 * there is @room for so many values in all; what is returned says where. The other
 * @n - @want stand behind them if they are at @v, else alone at @v, in no order.
 */
uint64_t *cache_sort_front_u64(uint64_t *v, size_t n, size_t want, size_t room);

#endif
