/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_CACHE_BENCH_H
#define CMD_CACHE_BENCH_H

#include "show.h"

#include "bench/bench_gc.h"
#include "kernels.h"

extern const char *const bench_workloads[];	/* by enum cache_bench_workload */

/* Writes one run as fields of the open object and, as text, the histogram. */
void bench_show(struct cmd *c, const struct cache_bench_opts *o,
		const struct cache_bench_result *r);
void bench_show_histogram(struct cmd *c, const struct cache_bench_result *r);

#define BENCH_POWERS	64	/* of two, of nanoseconds */

/* What a page shows of a run. */
struct bench_run {
	const char *name;
	uint64_t power[BENCH_POWERS];	/* allocations by the power of two of their latency */
	double	 count, per_second;
	double	 latency_ns[5];		/* of 50, 90, 99, 99.9 % and all */
	/* of all threads; each from the moment before it on, the first from 0 */
	struct { double until_seconds, per_second; } speed[CACHE_BENCH_POINTS];
	unsigned nspeeds;
};
void bench_run_of(const struct cache_bench_result *b, const char *name, struct bench_run *run);

/* One or two runs as a page (n). Exit status. */
int bench_html(struct cmd *c, const char *file, const struct bench_run *run, unsigned n);

/* --gc: runs @g for each of @eras, from @like if given, and shows a row each. Exit status. */
int bench_show_gc(struct cmd *c, const struct cache_bench_gc_opts *g, uint32_t eras,
		  const struct cache_buckets *like);

/* cache-bench compare A B: exit status. @html: a page of both too, or NULL. */
int bench_compare(struct cmd *c, const char *before, const char *after, const char *html);

#endif
