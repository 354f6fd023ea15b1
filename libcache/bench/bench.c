// SPDX-License-Identifier: GPL-2.0-only
/* What a run is made of: a table to start from, and what the clock said. */
#include "bench/bench.h"

#include <errno.h>
#include <string.h>

#include "bench/bench_impl.h"

#define STEPS	16	/* of the histogram to each power of two */

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

/* So many buckets nothing points to: enough for any first prio write. */
static uint64_t nunused(const struct cache_buckets *t)
{
	return 16 + t->nbuckets / 512;
}

/* Everything reclaimable and full; or as used as a cache gets. */
static void fill_table(struct cache_buckets *t, const struct cache_bench_opts *o)
{
	struct cache_rng rng;

	cache_rng_init(&rng, o->seed);
	for (uint64_t b = t->first_bucket + nunused(t); b < t->nbuckets; b++) {
		uint32_t age = 0, sectors = t->bucket_sectors;

		if (o->workload == CACHE_BENCH_AGED) {
			age = cache_rng_below(&rng, CACHE_BENCH_PRIO_STEPS);
			sectors = 1 + cache_rng_below(&rng, t->bucket_sectors);
		}
		if (sectors > CACHE_GC_SECTORS_MAX)
			sectors = CACHE_GC_SECTORS_MAX;
		cache_bucket_set_mark(t, b, CACHE_GC_MARK_RECLAIMABLE);
		cache_bucket_set_sectors_used(t, b, sectors);
		cache_bucket_set_prio(t, b, CACHE_INITIAL_PRIO - age);
	}
}

static int run_on(const struct cache_bench_opts *o, struct cache_buckets *t,
		  struct cache_bench_result *r, struct cache_err *err)
{
	int ret = o->reference ? cache_bench_book(o, t, r) : cache_bench_ours(o, t, r);

	if (!ret && !r->count)
		ret = -ENOSPC;
	if (ret)
		return cache_err_set(err, ret, 0, ret == -ENOSPC ? "not one bucket could be had" :
				     "the run failed: %s", strerror(-ret));
	return 0;
}

int cache_bench_run(const struct cache_bench_opts *opts, struct cache_buckets *loaded,
		    struct cache_bench_result *result, struct cache_err *err)
{
	struct cache_bench_opts o = *opts;
	struct cache_buckets t;
	int ret;

	memset(result, 0, sizeof(*result));
	if (loaded) {
		o.nbuckets = loaded->nbuckets;
		o.first_bucket = loaded->first_bucket;
		o.bucket_sectors = loaded->bucket_sectors;
	}
	if (!o.count || !o.threads ||
	    (o.sectors && (!o.write_points || o.reference || o.allocator_thread || o.threads > 1)))
		return cache_err_set(err, -EINVAL, 0, "nothing to run");
	if (loaded)
		return run_on(&o, loaded, result, err);
	ret = cache_buckets_init(&t, o.nbuckets, o.first_bucket, o.bucket_sectors);
	if (ret)
		return cache_err_set(err, ret, 0, "no table of %llu buckets: %s",
				     (unsigned long long)o.nbuckets, strerror(-ret));
	fill_table(&t, &o);
	ret = run_on(&o, &t, result, err);
	cache_buckets_fini(&t);
	return ret;
}
