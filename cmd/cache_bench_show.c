// SPDX-License-Identifier: GPL-2.0-only
/* cache-bench: shows a run as a table, as a histogram, or compared with another run. */
#include "cache_bench.h"

#include <json-c/json.h>
#include <string.h>

#define BAR_WIDTH	50

static void show_latency(struct cache_report *r, const struct cache_bench_result *b)
{
	static const struct { struct cache_field f; double share; } rows[] = {
		{ { "p50", "Latency, half below", CACHE_UNIT_NS }, 0.5 },
		{ { "p90", "Latency, 90 % below", CACHE_UNIT_NS }, 0.9 },
		{ { "p99", "Latency, 99 % below", CACHE_UNIT_NS }, 0.99 },
		{ { "p999", "Latency, 99.9 % below", CACHE_UNIT_NS }, 0.999 },
	};
	static const struct cache_field max = { "max", "Latency, longest", CACHE_UNIT_NS };

	cache_report_object(r, "latency_ns");
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cache_report_u64(r, &rows[i].f, cache_bench_percentile_ns(b, rows[i].share));
	cache_report_u64(r, &max, b->max_ns);
	cache_report_end(r);
}

/* The same as numbers, for a comparison later. */
static void json_histogram(struct cache_report *r, const struct cache_bench_result *b)
{
	static const struct cache_field cols[] = {
		{ "from_ns", NULL, CACHE_UNIT_COUNT }, { "allocations", NULL, CACHE_UNIT_COUNT },
	};
	struct bench_run run;

	if (!cache_report_is_json(r))
		return;
	bench_run_of(b, "", &run);
	cache_report_table(r, "histogram", cols, 2, 0);
	for (unsigned int k = 0; k < BENCH_POWERS; k++) {
		if (!run.power[k])
			continue;
		cache_report_row(r);
		cache_report_u64(r, NULL, UINT64_C(1) << k);
		cache_report_u64(r, NULL, run.power[k]);
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void json_throughput(struct cache_report *r, const struct cache_bench_result *b)
{
	static const struct cache_field cols[] = {
		{ "until_seconds", NULL, CACHE_UNIT_COUNT },
		{ "allocs_per_second", NULL, CACHE_UNIT_COUNT },
	};
	struct bench_run run;

	if (!cache_report_is_json(r))
		return;
	bench_run_of(b, "", &run);
	cache_report_table(r, "throughput", cols, 2, 0);
	for (unsigned int i = 0; i < run.nspeeds; i++) {
		cache_report_row(r);
		cache_report_real(r, NULL, run.speed[i].until_seconds);
		cache_report_u64(r, NULL, run.speed[i].per_second);
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void show_setting(struct cache_report *r, const struct cache_bench_opts *o,
			 const struct cache_bench_result *b)
{
	static const struct cache_field
		policy = { "policy", "Policy", CACHE_UNIT_TEXT },
		workload = { "workload", "Workload", CACHE_UNIT_TEXT },
		nbuckets = { "nbuckets", "Buckets", CACHE_UNIT_COUNT },
		sectors = { "bucket_sectors", "Bucket size", CACHE_UNIT_SECTORS },
		count = { "count", "Allocations", CACHE_UNIT_COUNT },
		threads = { "threads", "Threads", CACHE_UNIT_COUNT },
		allocator = { "allocator", "Allocator", CACHE_UNIT_TEXT };
	const char *kind = o->allocator_thread || o->threads > 1 || o->reference ? "thread" : "inline";

	cache_report_str(r, &policy, cache_policy_name(o->policy));
	cache_report_str(r, &workload, o->sectors ? "sectors" : bench_workloads[o->workload]);
	cache_report_u64(r, &nbuckets, o->nbuckets);
	cache_report_u64(r, &sectors, o->bucket_sectors);
	cache_report_u64(r, &count, b->count);
	cache_report_u64(r, &threads, o->threads);
	cache_report_str(r, &allocator, kind);
}

static void show_counts(struct cache_report *r, const struct cache_bench_opts *o,
			const struct cache_bench_result *b)
{
	static const struct cache_field
		passes = { "invalidate_passes", "Refills", CACHE_UNIT_COUNT },
		sweeps = { "sweeps", "Table sweeps", CACHE_UNIT_COUNT },
		writes = { "prio_writes", "Prio writes", CACHE_UNIT_COUNT },
		bytes = { "prio_bytes", "Prio bytes", CACHE_UNIT_BYTES },
		rescales = { "rescales", "Rescales", CACHE_UNIT_COUNT },
		gcs = { "gc_runs", "Gc runs", CACHE_UNIT_COUNT },
		memory = { "bytes_per_bucket", "Bytes per bucket", CACHE_UNIT_COUNT },
		seed = { "seed", "Seed", CACHE_UNIT_COUNT };

	cache_report_u64(r, &passes, b->invalidate_passes);
	cache_report_u64(r, &sweeps, b->sweeps);
	cache_report_u64(r, &writes, b->prio_writes);
	cache_report_u64(r, &bytes, b->prio_bytes);
	cache_report_u64(r, &rescales, b->rescales);
	cache_report_u64(r, &gcs, b->gc_runs);
	cache_report_real(r, &memory, b->bytes_per_bucket);
	cache_report_u64(r, &seed, o->seed);
}

void bench_show(struct cmd *c, const struct cache_bench_opts *o,
		const struct cache_bench_result *b)
{
	static const struct cache_field
		seconds = { "seconds", "Seconds", CACHE_UNIT_COUNT },
		ns = { "ns_per_alloc", "ns per allocation", CACHE_UNIT_COUNT },
		rate = { "allocs_per_second", "Allocations per second", CACHE_UNIT_COUNT };
	struct cache_report *r = cmd_report(c);

	show_setting(r, o, b);
	cache_report_real(r, &seconds, b->seconds);
	cache_report_real(r, &ns, b->seconds * 1e9 / b->count);
	cache_report_u64(r, &rate, b->seconds ? b->count / b->seconds : 0);
	show_latency(r, b);
	show_counts(r, o, b);
	json_histogram(r, b);
	json_throughput(r, b);
}

/* One line per power of two; the length of a bar is its share of the greatest count. */
void bench_show_histogram(struct cmd *c, const struct cache_bench_result *b)
{
	static const char bar[] = "##################################################";
	struct cache_report *r = cmd_report(c);
	uint64_t row[64] = { 0 }, most = 1;
	char text[CACHE_HUMAN_BYTES];

	for (unsigned int i = 0; i < CACHE_BENCH_HIST; i++) {
		uint64_t ns = cache_bench_hist_ns(i);
		unsigned int k = ns ? 63 - __builtin_clzll(ns) : 0;

		row[k] += b->hist[i];
		most = row[k] > most ? row[k] : most;
	}
	cache_report_line(r, "%s", "");
	for (unsigned int k = 0; k < 64; k++)
		if (row[k])
			cache_report_line(r, "%10s %12llu %.*s",
					  cache_ns_show(text, UINT64_C(1) << k),
					  (unsigned long long)row[k],
					  (int)(1 + row[k] * (BAR_WIDTH - 1) / most), bar);
}

/* -- compare ------------------------------------------------------------- */

static bool number_of(struct json_object *doc, const char *key, double *v)
{
	struct json_object *x;

	if (!json_object_object_get_ex(doc, key, &x) ||
	    (!json_object_is_type(x, json_type_int) && !json_object_is_type(x, json_type_double)))
		return false;
	*v = json_object_get_double(x);
	return true;
}

static struct json_object *part(struct json_object *doc, const char *key)
{
	struct json_object *x = NULL;

	json_object_object_get_ex(doc, key, &x);
	return x;
}

static void compare_row(struct cache_report *r, struct json_object *before,
			struct json_object *after, const char *key, const char *label)
{
	double x, y;

	if (!number_of(before, key, &x) || !number_of(after, key, &y))
		return;
	cache_report_row(r);
	cache_report_str(r, NULL, label);
	cache_report_real(r, NULL, x);
	cache_report_real(r, NULL, y);
	if (y)
		cache_report_real(r, NULL, x / y);
	else
		cache_report_null(r, NULL);
	cache_report_end(r);
}

static void compare_docs(struct cmd *c, struct json_object *before, struct json_object *after)
{
	static const struct cache_field cols[] = {
		{ "what", "WHAT", CACHE_UNIT_TEXT }, { "value_before", "BEFORE", CACHE_UNIT_COUNT },
		{ "value_after", "AFTER", CACHE_UNIT_COUNT }, { "ratio", "BEFORE/AFTER", CACHE_UNIT_COUNT },
	};
	static const char *const latency[] = { "p50", "p90", "p99", "p999", "max" };
	struct cache_report *r = cmd_report(c);

	cache_report_table(r, "compare", cols, 4, 0);
	compare_row(r, before, after, "ns_per_alloc", "ns_per_alloc");
	compare_row(r, before, after, "allocs_per_second", "allocs_per_second");
	for (unsigned int i = 0; i < sizeof(latency) / sizeof(latency[0]); i++)
		compare_row(r, part(before, "latency_ns"), part(after, "latency_ns"), latency[i],
			    latency[i]);
	compare_row(r, before, after, "bytes_per_bucket", "bytes_per_bucket");
	cache_report_end(r);
}

/* Runs with different parameters are compared, but with a message. */
static void warn_if_different(struct cmd *c, struct json_object *x, struct json_object *y)
{
	static const char *const keys[] = { "policy", "workload", "nbuckets", "threads" };

	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *a = json_object_get_string(part(x, keys[i]));
		const char *b = json_object_get_string(part(y, keys[i]));

		if (!a || !b || strcmp(a, b))
			cmd_warn(c, NULL, "%s differs: %s and %s", keys[i], a ? a : "none",
				 b ? b : "none");
	}
}

static struct json_object *load(struct cmd *c, const char *path)
{
	struct json_object *doc = json_object_from_file(path);
	double v;

	if (!doc)
		cmd_fail(c, path, "not a JSON document that can be read");
	else if (!json_object_is_type(doc, json_type_object) ||
		 !number_of(doc, "ns_per_alloc", &v))
		cmd_fail(c, path, "not what cache-bench --json writes");
	else
		return doc;
	json_object_put(doc);
	return NULL;
}

static void read_histogram(struct json_object *rows, struct bench_run *run)
{
	double from, n;

	if (!json_object_is_type(rows, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (json_object_is_type(row, json_type_object) && number_of(row, "from_ns", &from) &&
		    number_of(row, "allocations", &n) && from >= 1 && from < 0x1p63 && n >= 0 &&
		    n < 0x1p53)
			run->power[63 - __builtin_clzll((uint64_t)from)] += n;
	}
}

static void read_throughput(struct json_object *rows, struct bench_run *run)
{
	double last = 0, until, speed;

	if (!json_object_is_type(rows, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(rows) &&
	     run->nspeeds < CACHE_BENCH_POINTS; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (!json_object_is_type(row, json_type_object) ||
		    !number_of(row, "until_seconds", &until) ||
		    !number_of(row, "allocs_per_second", &speed) || !(until > last) ||
		    !(until < 1e9) || !(speed >= 0 && speed < 0x1p63))
			continue;
		last = run->speed[run->nspeeds].until_seconds = until;
		run->speed[run->nspeeds++].per_second = speed;
	}
}

static double number_or_0(struct json_object *doc, const char *key)
{
	double v;

	return json_object_is_type(doc, json_type_object) && number_of(doc, key, &v) && v > 0 &&
	       v < 0x1p63 ? v : 0;
}

/* As bench_run_of(), from a document. */
static void read_run(struct json_object *doc, const char *name, struct bench_run *run)
{
	static const char *const latency[] = { "p50", "p90", "p99", "p999", "max" };

	*run = (struct bench_run){
		.name = name, .count = number_or_0(doc, "count"),
		.per_second = number_or_0(doc, "allocs_per_second"),
	};
	for (unsigned int i = 0; i < sizeof(latency) / sizeof(latency[0]); i++)
		run->latency_ns[i] = number_or_0(part(doc, "latency_ns"), latency[i]);
	read_histogram(part(doc, "histogram"), run);
	read_throughput(part(doc, "throughput"), run);
}

int bench_compare(struct cmd *c, const char *before, const char *after, const char *html)
{
	struct json_object *x = load(c, before), *y = x ? load(c, after) : NULL;
	int status = x && y ? EXIT_DONE : EXIT_FAILED;
	struct bench_run run[2];

	if (x && y) {
		warn_if_different(c, x, y);
		compare_docs(c, x, y);
	}
	if (x && y && html) {
		read_run(x, before, &run[0]);
		read_run(y, after, &run[1]);
		status = bench_html(c, html, run, 2);
	}
	json_object_put(x);
	json_object_put(y);
	return status;
}
