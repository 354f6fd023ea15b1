/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_CACHE_BENCH_H
#define CMD_CACHE_BENCH_H

#include "show.h"

#include "bench/bench_gc.h"
#include "kernels.h"

extern const char *const bench_workloads[];	/* by enum cache_bench_workload */

/* One run as fields of the open object, and the histogram for people. */
void bench_show(struct cmd *c, const struct cache_bench_opts *o,
		const struct cache_bench_result *r);
void bench_show_histogram(struct cmd *c, const struct cache_bench_result *r);

/* The latencies of one run, and of the reference unless NULL, as a page. Exit status. */
int bench_html(struct cmd *c, const char *file, const struct cache_bench_opts *o,
	       const struct cache_bench_result *ours, const struct cache_bench_result *reference);

/* --gc: runs @g for each of @eras, from @like if given, and shows a row each. Exit status. */
int bench_show_gc(struct cmd *c, const struct cache_bench_gc_opts *g, uint32_t eras,
		  const struct cache_buckets *like);

/* cache-bench compare A B: exit status. */
int bench_compare(struct cmd *c, const char *before, const char *after);

#endif
