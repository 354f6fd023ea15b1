// SPDX-License-Identifier: GPL-2.0-only
/* What a run counts: latencies, in steps of a sixteenth of a power of two, and how far it is. */
#include "bench/bench.h"

#include "bench/bench_impl.h"

#define STEPS	16	/* of the histogram to each power of two */

void cache_bench_add_point(struct cache_bench_result *r, uint64_t done)
{
	uint64_t now = cache_bench_now_ns();

	if (!r->npoints)
		r->first_ns = now;
	r->point[r->npoints++] = (struct cache_bench_point){ done, now - r->first_ns };
}

static unsigned int hist_index(uint64_t ns)
{
	unsigned int top;

	if (ns < STEPS)
		return ns;
	top = 63 - __builtin_clzll(ns);
	return (top - 3) * STEPS + (ns >> (top - 4) & (STEPS - 1));
}

uint64_t cache_bench_hist_ns(unsigned int i)
{
	unsigned int top = i / STEPS + 3;

	return i < STEPS ? i : (uint64_t)(STEPS + i % STEPS) << (top - 4);
}

void cache_bench_count(struct cache_bench_result *r, uint64_t ns, uint64_t weight)
{
	r->hist[hist_index(ns)] += weight;
	r->max_ns = ns > r->max_ns ? ns : r->max_ns;
}

uint64_t cache_bench_percentile_ns(const struct cache_bench_result *r, double share)
{
	uint64_t total = 0, seen = 0;

	for (unsigned int i = 0; i < CACHE_BENCH_HIST; i++)
		total += r->hist[i];
	for (unsigned int i = 0; i < CACHE_BENCH_HIST; i++) {
		seen += r->hist[i];
		if (seen && seen >= share * total)
			return cache_bench_hist_ns(i);
	}
	return r->max_ns;
}
