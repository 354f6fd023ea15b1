/* SPDX-License-Identifier: GPL-2.0-only */
/* Allocation throughput, of our allocator and of the reference allocator beside it. */
#ifndef LIBCACHE_BENCH_H
#define LIBCACHE_BENCH_H

#include "alloc/alloc.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum cache_bench_workload {
	CACHE_BENCH_CLEAN,	/* equal prios, full buckets, nothing dirty */
	CACHE_BENCH_AGED,	/* 1024 prio steps, random live sectors; a random hit
				 * and the sectors of a bucket to age by per allocation */
	CACHE_BENCH_WRITEBACK,	/* dirty until gc finds it nbuckets/2 allocations old */
};

enum cache_bench_commit {
	CACHE_BENCH_COMMIT_NONE,
	CACHE_BENCH_COMMIT_MEMORY,	/* fill and checksum the prio_sets at each refill */
	CACHE_BENCH_COMMIT_FILE,	/* and write them, O_DIRECT where the file allows */
};

struct cache_bench_opts {
	uint64_t nbuckets;		/* the next three: from the table when one is given */
	uint32_t first_bucket;
	uint32_t bucket_sectors;
	enum cache_policy policy;
	enum cache_bench_workload workload;
	uint64_t count;			/* allocations, of all threads together */
	unsigned int threads;
	/* otherwise the thread that finds the queue empty refills it */
	bool	 allocator_thread;
	bool	 reference;		/* the reference allocator: heap, thread and lock as the driver has */
	bool	 sectors;		/* 4 KiB requests to the sector allocator */
	unsigned int write_points;
	bool	 sequential;
	enum cache_bench_commit commit;
	int	 commit_fd;
	uint64_t seed;
	enum cache_simd simd;
	/*
	 * May be NULL; what it returns is ignored. Called by the first of the threads, inside of
	 * what is measured: once in 4096 allocations, so it has to be fast.
	 */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
	void *ctx;
};

/* After those of loading a set. */
#define CACHE_BENCH_PASS_REFERENCE	16u
#define CACHE_BENCH_PASS_OURS		17u

#define CACHE_BENCH_HIST	1024	/* sixteen steps to each power of two */

#define CACHE_BENCH_POINTS	64

/* Where a run was at some moment. */
struct cache_bench_point {
	uint64_t done;			/* allocations of the first of the threads */
	uint64_t ns;			/* since its first one */
};

struct cache_bench_result {
	/* allocations done; fewer than asked for if nothing was left */
	uint64_t count;
	double	 seconds;
	double	 cpu_seconds;		/* of all threads: on one core, without foreign load */
	uint64_t hist[CACHE_BENCH_HIST];
	uint64_t max_ns;
	/* of the run, in order, from 0 to its end; fewer of a run of few allocations */
	struct cache_bench_point point[CACHE_BENCH_POINTS + 1];
	unsigned int npoints;
	uint64_t first_ns;		/* by the clock */
	uint64_t invalidate_passes, sweeps, prio_writes, prio_bytes, rescales, gc_runs;
	double	 bytes_per_bucket;
};

/**
 * cache_bench_run() - allocate opts->count buckets and say how long it took
 * @opts:   what to run
 * @loaded: a table with marks, as loaded from a device: its prios and marks are
 * 	    the start. It is changed. NULL: a synthetic one is made
 * @result: filled on success
 *
 * Every slow allocation is timed, of the fast ones each 64th, counted 64 times.
 *
 * Return: 0; -EINVAL for what cannot be run; -ENOMEM; -EIO, or the error of a write to
 * commit_fd; -ENOSPC if no bucket could be allocated.
 */
int cache_bench_run(const struct cache_bench_opts *opts, struct cache_buckets *loaded,
		    struct cache_bench_result *result, struct cache_err *err);

/* The latency that a fraction @share of all allocations did not exceed; 0 < @share <= 1. */
uint64_t cache_bench_percentile_ns(const struct cache_bench_result *r, double share);

/* First nanosecond of histogram step @i. */
uint64_t cache_bench_hist_ns(unsigned int i);

#ifdef __cplusplus
}
#endif
#endif
