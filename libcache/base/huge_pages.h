/* SPDX-License-Identifier: GPL-2.0-only */
/* Large pages for tables that are used at random: fewer misses in the processor's page tables. */
#ifndef LIBCACHE_HUGE_PAGES_H
#define LIBCACHE_HUGE_PAGES_H

#include <stdint.h>
#include <sys/mman.h>

#define CACHE_HUGE_PAGE_BYTES	(UINT64_C(2) << 20)

/*
 * Asks for them in [p, p + nbytes), of which nearly all will be touched. What is not yet touched
 * gets them; without them all works as well, but slower.
 */
static inline void cache_huge_pages(void *p, uint64_t nbytes)
{
	uint64_t at = ((uintptr_t)p + CACHE_HUGE_PAGE_BYTES - 1) & ~(CACHE_HUGE_PAGE_BYTES - 1);
	uint64_t end = ((uintptr_t)p + nbytes) & ~(CACHE_HUGE_PAGE_BYTES - 1);

	if (at < end)
		madvise((void *)(uintptr_t)at, end - at, MADV_HUGEPAGE);
}

#endif
