// SPDX-License-Identifier: GPL-2.0-only
/* cache-bench --gc: how long allocations wait for gc with each driver, in simulated time. */
#include "cache_bench.h"

static const struct cache_field cols[] = {
	{ "kernel", "Kernel", CACHE_UNIT_TEXT },
	{ "count", "Allocations", CACHE_UNIT_COUNT },
	{ "stalls", "Stalls", CACHE_UNIT_COUNT },
	{ "stalled_ns", "Stalled", CACHE_UNIT_NS },
	{ "p99", "99 % below", CACHE_UNIT_NS },
	{ "p999", "99.9 % below", CACHE_UNIT_NS },
	{ "max", "Longest", CACHE_UNIT_NS },
	{ "gc_runs", "Gc runs", CACHE_UNIT_COUNT },
	{ "gc_ns", "Gc", CACHE_UNIT_NS },
	{ "during_gc", "Invalidated during gc", CACHE_UNIT_COUNT },
};

static void show_row(struct cache_report *r, const char *name, const struct cache_bench_gc_result *g)
{
	cache_report_row(r);
	cache_report_str(r, NULL, name);
	cache_report_u64(r, NULL, g->latency.count);
	cache_report_u64(r, NULL, g->stalls);
	cache_report_u64(r, NULL, g->stalled_ns);
	cache_report_u64(r, NULL, cache_bench_percentile_ns(&g->latency, 0.99));
	cache_report_u64(r, NULL, cache_bench_percentile_ns(&g->latency, 0.999));
	cache_report_u64(r, NULL, g->latency.max_ns);
	cache_report_u64(r, NULL, g->latency.gc_runs);
	cache_report_u64(r, NULL, g->gc_ns);
	cache_report_u64(r, NULL, g->during_gc);
	cache_report_end(r);
}

static void show_setting(struct cache_report *r, const struct cache_bench_gc_opts *g)
{
	static const struct cache_field
		policy = { "policy", "Policy", CACHE_UNIT_TEXT },
		nbuckets = { "nbuckets", "Buckets", CACHE_UNIT_COUNT },
		sectors = { "bucket_sectors", "Bucket size", CACHE_UNIT_SECTORS },
		rate = { "rate", "Buckets asked for per second", CACHE_UNIT_COUNT },
		nodes = { "btree_nodes", "Btree nodes", CACHE_UNIT_COUNT },
		seed = { "seed", "Seed", CACHE_UNIT_COUNT };

	cache_report_str(r, &policy, cache_policy_name(g->policy));
	cache_report_u64(r, &nbuckets, g->nbuckets);
	cache_report_u64(r, &sectors, g->bucket_sectors);
	cache_report_u64(r, &rate, g->rate);
	cache_report_u64(r, &nodes, g->nodes);
	cache_report_u64(r, &seed, g->seed);
	cache_report_line(r, "Simulated time: only gc takes any, 0.1 ms a node and the driver's pauses.");
	cache_report_line(r, "%s", "");
}

int bench_show_gc(struct cmd *c, const struct cache_bench_gc_opts *opts, uint32_t eras,
		  const struct cache_buckets *like)
{
	static struct cache_bench_gc_result result;
	struct cache_report *r = cmd_report(c);
	struct cache_bench_gc_opts g = *opts;

	show_setting(r, &g);
	cache_report_table(r, "kernels", cols, sizeof(cols) / sizeof(cols[0]), 0);
	for (unsigned era = 0; era < CACHE_ERAS; era++) {
		struct cache_err err = { 0 };
		int ret;

		if (!(eras >> era & 1))
			continue;
		g.driver = cache_driver_of(era);
		ret = cache_bench_gc_run(&g, like, &result, &err);
		if (ret)
			return cmd_error(c, NULL, ret, &err);
		show_row(r, g.driver->name, &result);
		if (result.latency.count < g.count)
			cmd_warn(c, NULL, "%s: after %llu allocations gc found no bucket either",
				 g.driver->name, (unsigned long long)result.latency.count);
	}
	cache_report_end(r);
	return EXIT_DONE;
}
