/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_SORT_H
#define CACHE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sorts ascending, in place; the time does not depend on the order of @v. */
void cache_sort_u64(uint64_t *v, size_t n);

/*
 * Sorts the least @want values, and maybe some more, to the front; the others stay
 * behind in no order. Returns how many are sorted; @want <= @n.
 */
size_t cache_sort_front_u64(uint64_t *v, size_t n, size_t want);

#endif
