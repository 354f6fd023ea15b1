/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_CLOCK_H
#define LIBCACHE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of the monotonic clock, to measure spans with. */
static inline uint64_t cache_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* For a measurement that is not always wanted: 0 if @wanted is false. */
static inline uint64_t cache_clock_if(_Bool wanted)
{
	return wanted ? cache_clock_ns() : 0;
}

#endif
