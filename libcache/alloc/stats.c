// SPDX-License-Identifier: GPL-2.0-only
/* priority_stats without a sort: ranks are computed from the counts of each priority. */
#include "alloc/stats.h"

/*
 * The kernel drops priorities of 0 at the end of its sorted array and of 65535 at its front;
 * the rest is ranked, greatest first.
 */
static uint64_t ranked(const struct cache_stats_count *c)
{
	uint64_t n = 0;

	for (uint32_t prio = 1; prio < CACHE_BTREE_PRIO; prio++)
		n += c->of_prio[prio];
	return n;
}

static uint64_t sum_of_ages(const struct cache_stats_count *c)
{
	uint64_t sum = 0;

	for (uint32_t prio = 1; prio < CACHE_BTREE_PRIO; prio++)
		sum += c->of_prio[prio] * ((uint64_t)CACHE_INITIAL_PRIO - prio);
	return sum;
}

static void fill_quantiles(const struct cache_stats_count *c, struct cache_stats *s)
{
	uint32_t prio = CACHE_BTREE_PRIO - 1;
	uint64_t before = 0;	/* ranked buckets with a priority above @prio */

	for (unsigned i = 0; i < CACHE_QUANTILES; i++) {
		uint64_t rank = s->nranked * (i + 1) / (CACHE_QUANTILES + 1);

		while (prio && before + c->of_prio[prio] <= rank)
			before += c->of_prio[prio--];
		s->quantile[i] = CACHE_INITIAL_PRIO - prio;
	}
}

void cache_stats_of(const struct cache_stats_count *c, uint64_t nbuckets,
		    uint64_t bucket_sectors, struct cache_stats *s)
{
	*s = (struct cache_stats){
		.unused_percent = c->unused * 100 / nbuckets,
		.clean_percent = c->marked[CACHE_GC_MARK_RECLAIMABLE] * 100 / nbuckets,
		.dirty_percent = c->marked[CACHE_GC_MARK_DIRTY] * 100 / nbuckets,
		.metadata_percent = c->marked[CACHE_GC_MARK_METADATA] * 100 / nbuckets,
		.nranked = ranked(c),
	};
	if (s->nranked)
		s->average = sum_of_ages(c) / s->nranked;
	s->sectors_per_q = s->nranked * bucket_sectors / (CACHE_QUANTILES + 1);
	fill_quantiles(c, s);
}
