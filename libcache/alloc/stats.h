/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The numbers of the kernel's priority_stats, with the kernel's arithmetic.
 *
 * The kernel sorts the priorities of all buckets; counting them gives the same figures in one
 * pass. Two things differ on purpose: the buckets below first_bucket, whose place in the
 * kernel's array is never filled, count as priority 0 here; and a quantile without any bucket
 * is that of priority 0.
 */
#ifndef LIBCACHE_STATS_H
#define LIBCACHE_STATS_H

#include <stdint.h>

#include "alloc/bucket.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_QUANTILES		31

/* 512 KiB; zero it, then add every bucket from first_bucket on. */
struct cache_stats_count {
	uint64_t unused;		/* buckets with GC_SECTORS_USED 0, whatever their mark */
	uint64_t marked[4];		/* by enum cache_gc_mark */
	uint64_t of_prio[CACHE_BTREE_PRIO + 1];
};

static inline void cache_stats_add(struct cache_stats_count *c, uint16_t prio,
				   enum cache_gc_mark mark, uint32_t sectors_used)
{
	c->unused += !sectors_used;
	c->marked[mark & 3]++;
	c->of_prio[prio]++;
}

/* Ages count down from CACHE_INITIAL_PRIO: 0 is the age of a new bucket. */
struct cache_stats {
	unsigned unused_percent, clean_percent, dirty_percent, metadata_percent;
	uint64_t nranked;		/* buckets whose priority is neither 0 nor 65535 */
	uint64_t average;		/* age, over nranked */
	uint64_t sectors_per_q;
	uint16_t quantile[CACHE_QUANTILES];	/* ages; modulo 65536, as the kernel keeps them */
};

/**
 * cache_stats_of() - compute the numbers
 * @nbuckets:          of the whole device: what the percentages are of; not 0
 * @bucket_sectors: of the device
 */
void cache_stats_of(const struct cache_stats_count *c, uint64_t nbuckets,
		    uint64_t bucket_sectors, struct cache_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
