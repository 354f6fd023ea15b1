// SPDX-License-Identifier: GPL-2.0-only
/* cache-bench: measures how fast buckets are allocated, also side by side with the reference. */
#include "applet.h"
#include "cache_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const bench_workloads[] = { "clean", "aged", "writeback", NULL };
static const char *const allocators[] = { "inline", "thread", NULL };

struct opts {
	struct show show;
	struct cache_bench_opts bench;
	const char *compare[2];
	const char *commit_path, *html;
	struct cmd_kernels kernels;
	uint64_t rate, nodes;	/* of --gc: buckets per second, btree nodes */
	bool gc, count_given;
	bool policy_given;
	bool with_reference;
	struct cmd_progress progress;
	int  ncompare;		/* files named so far; -1: not comparing */
	int  cpu;
};

enum { OPT_NBUCKETS = 256, OPT_BUCKET, OPT_POLICY, OPT_WORKLOAD, OPT_THREADS, OPT_ALLOCATOR,
       OPT_SECTORS, OPT_WRITE_POINTS, OPT_SEQUENTIAL, OPT_COMMIT, OPT_REFERENCE, OPT_SEED,
       OPT_CPU, OPT_GC, OPT_KERNEL, OPT_RATE, OPT_NODES, OPT_HTML };

static const struct argp_option options[] = {
	{ "nbuckets", OPT_NBUCKETS, "N", 0, "buckets of the cache in memory (1m; k, m and g are 1024 times more each)" },
	{ "bucket", OPT_BUCKET, "SIZE", 0, "size of a bucket (512k)" },
	{ "policy", OPT_POLICY, "NAME", 0, "lru, fifo or random (lru, or what DEV says)" },
	{ "count", 'c', "N", 0, "allocations to make, k, m and g allowed too (4000000)" },
	{ "workload", OPT_WORKLOAD, "NAME", 0, "clean, aged or writeback (clean)" },
	{ "threads", OPT_THREADS, "N", 0, "threads that allocate at the same time (1)" },
	{ "allocator", OPT_ALLOCATOR, "NAME", 0,
	  "inline: the caller that finds no bucket refills; thread: in the background (inline)" },
	{ "sectors", OPT_SECTORS, NULL, 0, "ask the sector allocator for 4 KiB at a time" },
	{ "write-points", OPT_WRITE_POINTS, "N", 0, "streams that ask for them (32)" },
	{ "sequential", OPT_SEQUENTIAL, NULL, 0, "each stream continues after its last place" },
	{ "commit", OPT_COMMIT, "WHERE", 0,
	  "at each refill write prios and gens: none, memory, or to a new FILE (none)" },
	{ "reference", OPT_REFERENCE, NULL, 0,
	  "run the plain allocator too: heap, thread and lock as in the kernel" },
	{ "gc", OPT_GC, NULL, 0,
	  "simulate instead how long allocations wait while gc runs, a row for each driver" },
	{ "kernel", OPT_KERNEL, CMD_KERNEL_ARG, 0, "with --gc: " CMD_KERNEL_DOC },
	{ "rate", OPT_RATE, "N", 0, "with --gc: buckets asked for per second (1000)" },
	{ "nodes", OPT_NODES, "N", 0,
	  "with --gc: btree nodes that gc walks (those of DEV, else one for 64 buckets)" },
	{ "html", OPT_HTML, "FILE", 0, "write the latencies as a page, with those of --reference or of both that are compared" },
	{ "seed", OPT_SEED, "N", 0, "seed of all random numbers (1)" },
	{ "cpu", OPT_CPU, "N", 0, "run on this processor only, for figures that can be repeated" },
	CMD_PROGRESS_OPTION,
	{ }
};

static int one_of(const struct argp_state *state, const char *what,
		  const char *const *names, const char *arg)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], arg))
			return i;
	argp_error(state, "unknown %s '%s'", what, arg);
	return 0;
}

static uint64_t number(const struct argp_state *state, const char *what, const char *arg,
		       uint64_t most)
{
	uint64_t n = cmd_arg_count(state, what, arg);

	if (!n || n > most)
		argp_error(state, "%s must be 1 to %llu", what, (unsigned long long)most);
	return n;
}

static void parse_commit(struct opts *o, const char *arg)
{
	o->bench.commit = CACHE_BENCH_COMMIT_FILE;
	if (!strcmp(arg, "none"))
		o->bench.commit = CACHE_BENCH_COMMIT_NONE;
	else if (!strcmp(arg, "memory"))
		o->bench.commit = CACHE_BENCH_COMMIT_MEMORY;
	else
		o->commit_path = arg;
}

static uint32_t bucket_sectors(const struct argp_state *state, const char *arg)
{
	uint64_t bytes = cmd_arg_bytes(state, "bucket size", arg);

	if (bytes < 4096 || bytes % 4096 || bytes >> 32)
		argp_error(state, "bucket size must be a multiple of 4k below 4g");
	return bytes / 512;
}

static error_t parse_word(struct opts *o, char *arg, struct argp_state *state)
{
	if (o->ncompare < 0 && !o->show.spec && !strcmp(arg, "compare")) {
		o->ncompare = 0;
		return 0;
	}
	if (o->ncompare < 0)
		return show_parse_device(&o->show, ARGP_KEY_ARG, arg, state);
	if (o->ncompare == 2)
		argp_error(state, "compare takes two files");
	o->compare[o->ncompare++] = arg;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;
	struct cache_bench_opts *b = &o->bench;

	switch (key) {
	case OPT_NBUCKETS:
		b->nbuckets = number(state, "number of buckets", arg, CACHE_NBUCKETS_MAX);
		break;
	case OPT_BUCKET:
		b->bucket_sectors = bucket_sectors(state, arg);
		break;
	case OPT_POLICY:
		b->policy = cmd_arg_name(state, "policy", arg, cache_replacement_name, CACHE_POLICY_NR);
		o->policy_given = true;
		break;
	case 'c':
		b->count = number(state, "count", arg, UINT64_C(1) << 50);
		o->count_given = true;
		break;
	case OPT_WORKLOAD:
		b->workload = one_of(state, "workload", bench_workloads, arg);
		break;
	case OPT_THREADS:
		b->threads = number(state, "number of threads", arg, 256);
		break;
	case OPT_ALLOCATOR:
		b->allocator_thread = one_of(state, "allocator", allocators, arg);
		break;
	case OPT_SECTORS:
		b->sectors = true;
		break;
	case OPT_WRITE_POINTS:
		b->write_points = number(state, "number of write points", arg, 1 << 20);
		break;
	case OPT_SEQUENTIAL:
		b->sequential = true;
		break;
	case OPT_COMMIT:
		parse_commit(o, arg);
		break;
	case OPT_REFERENCE:
		o->with_reference = true;
		break;
	case OPT_SEED:
		b->seed = cmd_arg_number(state, "seed", arg);
		break;
	case OPT_HTML:
		o->html = arg;
		break;
	case OPT_GC:
		o->gc = true;
		break;
	case OPT_KERNEL:
		cmd_kernels_arg(&o->kernels, arg, state);
		break;
	case OPT_RATE:
		o->rate = number(state, "rate", arg, UINT64_C(1) << 30);
		break;
	case OPT_NODES:
		o->nodes = number(state, "number of nodes", arg, CACHE_NBUCKETS_MAX);
		break;
	case OPT_CPU:
		o->cpu = cmd_arg_number(state, "processor", arg) % CPU_SETSIZE;
		break;
	case 'C':
		return show_parse_device(&o->show, key, arg, state);
	case ARGP_KEY_ARG:
		return parse_word(o, arg, state);
	case ARGP_KEY_END:
		if (o->ncompare >= 0 && o->ncompare < 2)
			argp_error(state, "compare takes two files");
		if (o->html && o->gc)
			argp_error(state, "--html does not go with --gc");
		if (!o->gc && (o->kernels.eras || o->rate || o->nodes))
			argp_error(state, "--kernel, --rate and --nodes go with --gc");
		if (o->gc && (b->sectors || o->with_reference || b->allocator_thread ||
			      b->threads > 1 || b->commit || b->workload))
			argp_error(state, "--gc goes with --policy, --count, --seed and a geometry alone");
		if (b->sectors && (o->with_reference || b->allocator_thread || b->threads > 1))
			argp_error(state, "--sectors goes with one thread, inline, alone");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	options, parse, "[DEV]\ncompare BEFORE.json AFTER.json",
	"Measure the bucket allocator: on a cache in memory, or on the geometry, priorities "
	"and marks of DEV, of which nothing is changed."
};

/* Only a new file: an existing one might be a disk with data. */
static int open_commit_file(struct opts *o)
{
	int fd;

	if (!o->commit_path)
		return 0;
	fd = open(o->commit_path, O_WRONLY | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EINVAL)		/* no direct writes on this file system */
		fd = open(o->commit_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return cmd_fail(&o->show.cmd, o->commit_path, "cannot create: %s", strerror(errno));
	o->bench.commit_fd = fd;
	return 0;
}

static void close_commit_file(struct opts *o)
{
	if (!o->commit_path)
		return;
	close(o->bench.commit_fd);
	unlink(o->commit_path);
}

static void stay_on_cpu(struct opts *o)
{
	cpu_set_t set;

	if (o->cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(o->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		cmd_warn(&o->show.cmd, NULL, "cannot stay on processor %d: %s", o->cpu,
			 strerror(errno));
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct opts *o = ctx;

	if (!current)		/* the next kernel of --gc */
		o->progress.pass = 0;
	cmd_progress(&o->progress, pass, pass == CACHE_BENCH_PASS_REFERENCE ? "reference" :
		     "allocating", current, max);
	return 0;
}

/* Only if it is shown: otherwise the measured code calls no function for it. */
static void watch(struct opts *o)
{
	cmd_progress_init(&o->progress, &o->show.cmd, o->show.path ? o->show.path : "memory",
			  o->show.progress_fd, 0);
	if (o->progress.bar || o->progress.fd >= 0) {
		o->bench.progress = on_progress;
		o->bench.ctx = o;
	}
}

static int run(struct opts *o, bool reference, struct cache_bench_result *r)
{
	struct cache_buckets *t = o->show.set ? &o->show.set->buckets : NULL;
	struct cache_bench_opts b = o->bench;
	struct cache_err err = { 0 };
	int ret;

	b.reference = reference;
	ret = cache_bench_run(&b, t, r, &err);
	cmd_progress_end(&o->progress);
	if (ret)
		return cmd_error(&o->show.cmd, o->show.path, ret, &err);
	if (r->count < b.count)
		cmd_warn(&o->show.cmd, o->show.path, "after %llu allocations gc would have to free "
			 "buckets first", (unsigned long long)r->count);
	return 0;
}

static double ns_per_alloc(const struct cache_bench_result *r)
{
	return r->seconds * 1e9 / r->count;
}

static void show_reference(struct opts *o, const struct cache_bench_result *ours,
			   const struct cache_bench_result *ref)
{
	static const struct cache_field ratio = { "ratio", "Ratio", CACHE_UNIT_COUNT };
	struct cache_report *r = cmd_report(&o->show.cmd);
	struct cache_bench_opts b = o->bench;

	b.reference = true;
	cache_report_line(r, "%s", "");
	cache_report_line(r, "Reference (a heap over every bucket, a thread and a lock):");
	cache_report_object(r, "reference");
	bench_show(&o->show.cmd, &b, ref);
	cache_report_end(r);
	cache_report_real(r, &ratio, ns_per_alloc(ref) / ns_per_alloc(ours));
}

static int write_page(struct opts *o, const struct cache_bench_result *ours,
		      const struct cache_bench_result *ref)
{
	static struct bench_run run[2];

	bench_run_of(ours, "this allocator", &run[0]);
	if (o->with_reference)
		bench_run_of(ref, "the reference allocator", &run[1]);
	return bench_html(&o->show.cmd, o->html, run, 1 + o->with_reference);
}

/* The reference allocator copies the table it is given, so it goes first. */
static int bench(struct opts *o)
{
	static struct cache_bench_result ours, ref;
	int ret;

	if (o->show.set) {
		o->bench.nbuckets = o->show.set->buckets.nbuckets;
		o->bench.bucket_sectors = o->show.set->buckets.bucket_sectors;
	}
	ret = o->with_reference ? run(o, true, &ref) : 0;
	if (!ret)
		ret = run(o, false, &ours);
	if (ret)
		return ret;
	bench_show(&o->show.cmd, &o->bench, &ours);
	if (o->with_reference)
		show_reference(o, &ours, &ref);
	bench_show_histogram(&o->show.cmd, &ours);
	return o->html ? write_page(o, &ours, &ref) : EXIT_DONE;
}

/* One row per driver; the shares of 1 % and 0.1 % are of all allocations. */
static int bench_gc(struct opts *o)
{
	const struct cache_set *set = o->show.set;
	struct cache_bench_gc_opts g = {
		.nbuckets = o->bench.nbuckets, .first_bucket = o->bench.first_bucket,
		.bucket_sectors = o->bench.bucket_sectors, .policy = o->bench.policy,
		.rate = o->rate ? o->rate : 1000, .nodes = o->nodes, .node_ns = 100000,
		.seed = o->bench.seed,
	};
	int status;

	g.progress = o->bench.progress;
	g.ctx = o;
	cmd_kernels_default(&o->kernels);
	if (set) {
		g.nbuckets = set->buckets.nbuckets;
		g.bucket_sectors = set->buckets.bucket_sectors;
		for (unsigned level = 0; !o->nodes && level <= CACHE_BTREE_LEVEL_MAX; level++)
			g.nodes += set->nnodes[level];
	}
	g.nodes = g.nodes ? g.nodes : 1 + g.nbuckets / 64;
	g.count = o->count_given ? o->bench.count : 2 * g.nbuckets;
	status = bench_show_gc(&o->show.cmd, &g, o->kernels.eras, set ? &set->buckets : NULL);
	cmd_progress_end(&o->progress);
	return status;
}

static void policy_of_device(struct opts *o)
{
	uint32_t policy = cache_sb_replacement(&o->show.set->sb);

	if (!o->policy_given && policy < CACHE_POLICY_NR)
		o->bench.policy = policy;
}

int cache_bench_main(int argc, char **argv)
{
	static struct opts o = {
		.show = SHOW_INIT, .ncompare = -1, .cpu = -1,
		.bench = { .nbuckets = 1 << 20, .first_bucket = 1, .bucket_sectors = 1024,
			   .count = 4000000, .threads = 1, .write_points = 32, .seed = 1 },
	};
	int status = EXIT_DONE;

	cmd_parse(&o.show.cmd, &argp, argc, argv, 0);
	if (o.ncompare == 2)
		return cmd_end(&o.show.cmd, bench_compare(&o.show.cmd, o.compare[0], o.compare[1],
							   o.html));
	o.show.makes_files = o.commit_path || o.html;
	if (o.show.spec) {
		if (!show_open(&o.show, CACHE_LOAD_MARKS, &status))
			return show_end(&o.show, status);
		policy_of_device(&o);
	}
	stay_on_cpu(&o);
	watch(&o);
	status = open_commit_file(&o);
	if (!status)
		status = o.gc ? bench_gc(&o) : bench(&o);
	close_commit_file(&o);
	return o.show.spec ? show_end(&o.show, status) : cmd_end(&o.show.cmd, status);
}
