// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ours and the reference allocator side by side in one process on one core, interleaved, the
 * median of each: ns per allocation and the ratio, against the goal.
 * bench_alloc [RUNS [PART-OF-A-NAME [avx512|avx2|plain]]]; without the last the widest vectors
 * that this machine has.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

#define RUNS_MAX	9

struct row {
	const char *name;
	enum cache_policy policy;
	enum cache_bench_workload workload;
	enum cache_bench_commit commit;
	uint64_t nbuckets;
	double goal;
	uint64_t count_reference;
};

#define K	1024ull
#define MI	(1024 * K)

static const struct row rows[] = {
	{ "LRU clean, 1 Mi",	  CACHE_POLICY_LRU,    CACHE_BENCH_CLEAN, 0, MI, 12, 200000 },
	{ "LRU aged, 1 Mi",	  CACHE_POLICY_LRU,    CACHE_BENCH_AGED,  0, MI, 70, 60000 },
	{ "LRU writeback, 1 Mi",  CACHE_POLICY_LRU,    CACHE_BENCH_WRITEBACK, 0, MI, 0, 2000000 },
	{ "FIFO clean, 1 Mi",	  CACHE_POLICY_FIFO,   CACHE_BENCH_CLEAN, 0, MI, 4.5, 2000000 },
	{ "FIFO aged, 1 Mi",	  CACHE_POLICY_FIFO,   CACHE_BENCH_AGED,  0, MI, 120, 60000 },
	{ "RANDOM clean, 1 Mi",	  CACHE_POLICY_RANDOM, CACHE_BENCH_CLEAN, 0, MI, 5.5, 2000000 },
	{ "RANDOM aged, 1 Mi",	  CACHE_POLICY_RANDOM, CACHE_BENCH_AGED,  0, MI, 100, 60000 },
	{ "LRU + prio write, 1 Mi", CACHE_POLICY_LRU,  CACHE_BENCH_CLEAN, 1, MI, 22, 60000 },
	{ "FIFO + prio write, 1 Mi", CACHE_POLICY_FIFO, CACHE_BENCH_CLEAN, 1, MI, 22, 60000 },
	{ "LRU clean, 16 Ki",	  CACHE_POLICY_LRU,    CACHE_BENCH_CLEAN, 0, 16 * K, 0, 200000 },
	{ "LRU aged, 4 Mi",	  CACHE_POLICY_LRU,    CACHE_BENCH_AGED,  0, 4 * MI, 0, 80000 },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static enum cache_simd simd_of(const char *name)
{
	static const struct { const char *name; enum cache_simd simd; } all[] = {
		{ "avx512", CACHE_SIMD_AVX512 }, { "avx2", CACHE_SIMD_AVX2 },
		{ "plain", CACHE_SIMD_PLAIN },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(name, all[i].name))
			return all[i].simd;
	return CACHE_SIMD_AUTO;
}

static enum cache_simd simd;

static double run(const struct row *row, bool reference, uint64_t *max_ns)
{
	struct cache_bench_opts o = {
		.nbuckets = row->nbuckets, .first_bucket = 1, .bucket_sectors = 1024,
		.policy = row->policy, .workload = row->workload, .commit = row->commit,
		.threads = 1, .reference = reference, .seed = 1, .simd = simd,
		.count = reference ? row->count_reference : 4000000,
	};
	static struct cache_bench_result r;
	struct cache_err err = { 0 };

	if (cache_bench_run(&o, NULL, &r, &err)) {
		fprintf(stderr, "%s: %s\n", row->name, err.text);
		exit(1);
	}
	*max_ns = r.max_ns;
	return r.cpu_seconds * 1e9 / r.count;
}

int main(int argc, char **argv)
{
	int runs = argc > 1 ? atoi(argv[1]) : 3;
	const char *only = argc > 2 ? argv[2] : "";
	cpu_set_t one;

	simd = simd_of(argc > 3 ? argv[3] : "");
	runs = runs < 1 ? 1 : runs > RUNS_MAX ? RUNS_MAX : runs;
	CPU_ZERO(&one);
	CPU_SET(1, &one);
	sched_setaffinity(0, sizeof(one), &one);
	printf("%-26s %12s %12s %8s %8s %12s\n", "one core, median", "reference ns", "ours ns",
	       "ratio", "goal", "stall us");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double ref[RUNS_MAX], ours[RUNS_MAX];
		uint64_t stall = 0;

		if (!strstr(rows[i].name, only))
			continue;
		for (int k = 0; k < runs; k++) {
			ref[k] = run(&rows[i], true, &stall);
			ours[k] = run(&rows[i], false, &stall);
		}
		qsort(ref, runs, sizeof(*ref), by_value);
		qsort(ours, runs, sizeof(*ours), by_value);
		printf("%-26s %12.1f %12.1f %8.1f %8.1f %12.1f\n", rows[i].name, ref[runs / 2],
		       ours[runs / 2], ref[runs / 2] / ours[runs / 2], rows[i].goal,
		       stall / 1e3);
		fflush(stdout);
	}
	return 0;
}
