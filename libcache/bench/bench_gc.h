/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long allocations wait while gc runs, by the version of the driver (doc/kernels.md 2, E and K).
 *
 * Time is simulated: buckets are asked for at a constant rate, gc takes its steps and pauses as
 * the driver does under load, and nothing else takes time. So the result shows the cost of the
 * driver's choice; it is the same on every machine and is not a measurement of a device.
 */
#ifndef LIBCACHE_BENCH_GC_H
#define LIBCACHE_BENCH_GC_H

#include "bench/bench.h"
#include "format/eras.h"

struct cache_bench_gc_opts {
	uint64_t nbuckets;		/* these three: of the table when one is given */
	uint32_t first_bucket;
	uint32_t bucket_sectors;
	enum cache_policy policy;
	const struct cache_driver *driver;
	uint64_t count;			/* buckets asked for, one at a time */
	uint64_t rate;			/* of them per second; not 0 */
	uint64_t nodes;			/* of the btree, which gc walks; not 0 */
	uint64_t node_ns;		/* that gc takes for one */
	uint64_t seed;
	/* May be NULL; called once in 4096 allocations, as of cache_bench_run(). */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
	void *ctx;
};

struct cache_bench_gc_result {
	struct cache_bench_result latency;	/* count, hist, max_ns and gc_runs alone */
	uint64_t stalls;		/* allocations that had to wait */
	uint64_t stalled_ns;		/* how long, together */
	uint64_t gc_ns;			/* how long gc ran, all runs together */
	uint64_t during_gc;		/* buckets invalidated while it ran */
};

/**
 * cache_bench_gc_run() - ask for opts->count buckets while gc runs again and again
 * @opts: what to run
 * @like: a table with marks, as loaded from a device, to start from; not changed. NULL: all
 *	  buckets are clean
 * @r:	  filled on success
 *
 * A bucket is dirty until a gc finds it older than nbuckets / 2 allocations, as in the workload
 * "writeback". A gc starts once a sixteenth of the cache was written, and when the allocator
 * asks for one.
 *
 * Return: 0, with fewer than asked if even a gc finds nothing; -EINVAL for what cannot be
 * run; -ENOMEM.
 */
int cache_bench_gc_run(const struct cache_bench_gc_opts *opts, const struct cache_buckets *like,
		       struct cache_bench_gc_result *r, struct cache_err *err);

#endif
