// SPDX-License-Identifier: GPL-2.0-only
/* The parts of a run: a table to start from, the warm-up, the run itself. */
#include "bench/bench.h"

#include <errno.h>
#include <string.h>

#include "bench/bench_impl.h"

/* Number of buckets without pointers: enough for any first prio write. */
static uint64_t nunused(const struct cache_buckets *t)
{
	return 16 + t->nbuckets / 512;
}

/* Every bucket is reclaimable and full; or as in the most worn cache. */
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
	int ret = o->reference ? cache_bench_reference(o, t, r) : cache_bench_ours(o, t, r);

	if (!ret && !r->count)
		ret = -ENOSPC;
	if (ret)
		return cache_err_set(err, ret, 0, ret == -ENOSPC ? "no bucket could be allocated" :
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
