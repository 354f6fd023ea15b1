// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single passes, in processor time, ours and the reference allocator's in turn, medians: the LRU
 * pass on every order of priorities, the rescale, the prio write, and the choice of
 * an open bucket against the driver's list walk.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench_impl.h"
#include "alloc/ref_alloc.h"
#include "base/crc64.h"
#include "alloc/simd.h"
#include "walk.h"

#define RUNS_MAX	21

enum order { EQUAL, RANDOM, WEIGHTED, ASCENDING, DESCENDING, ORDERS };
static const char *const order_names[] = {
	"equal", "random", "random x sectors", "ascending", "descending",
};

static int runs = 5;

static double now_us(void)
{
	return cache_bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

static void row(const char *name, double ref_us, double ours_us, double goal)
{
	printf("%-38s %12.1f %12.1f %8.1f", name, ref_us, ours_us, ref_us / ours_us);
	printf(goal ? " %8.1f\n" : "\n", goal);
	fflush(stdout);
}

struct pair {
	struct cache_buckets t;
	struct cache_alloc a;
	struct cache_ref_alloc k;
	struct cache_bucket *saved;
	struct cache_ref_alloc_bucket *saved_reference;
};

static void fill(struct pair *p, enum order order)
{
	struct cache_rng rng;
	uint64_t n = p->t.nbuckets;

	cache_rng_init(&rng, 1);
	for (uint64_t b = 1; b < n; b++) {
		uint32_t prio = CACHE_INITIAL_PRIO, sectors = 1024;

		if (order == RANDOM || order == WEIGHTED)
			prio -= cache_rng_below(&rng, 1024);
		if (order == WEIGHTED)
			sectors = 1 + cache_rng_below(&rng, 1024);
		if (order == ASCENDING)
			prio = 16384 + b * 16384 / n;
		if (order == DESCENDING)
			prio = 32768 - b * 16384 / n;
		cache_bucket_set_mark(&p->t, b, CACHE_GC_MARK_RECLAIMABLE);
		cache_bucket_set_sectors_used(&p->t, b, sectors);
		cache_bucket_set_prio(&p->t, b, prio);
		p->k.b[b] = (struct cache_ref_alloc_bucket) {
			.prio = prio, .mark = CACHE_GC_MARK_RECLAIMABLE, .sectors = sectors,
		};
	}
	p->t.min_prio = p->k.min_prio = 16384;
	memcpy(p->saved, p->t.rec, n * sizeof(*p->saved));
	memcpy(p->saved_reference, p->k.b, n * sizeof(*p->saved_reference));
}

static void make(struct pair *p, uint64_t n, enum cache_simd simd)
{
	struct cache_alloc_opts o = { .policy = CACHE_POLICY_LRU, .prio_buckets = 1, .simd = simd };

	if (cache_buckets_init(&p->t, n, 1, 1024) ||
	    cache_alloc_init(&p->a, &p->t, &o, NULL, NULL) ||
	    cache_ref_alloc_init(&p->k, n, 1, 1024, &o, NULL, NULL))
		exit(1);
	p->saved = malloc(n * sizeof(*p->saved));
	p->saved_reference = malloc(n * sizeof(*p->saved_reference));
	cache_alloc_gc_finish(&p->a, NULL, 0);
	cache_ref_alloc_gc_finish(&p->k);
}

static void unmake(struct pair *p)
{
	cache_alloc_fini(&p->a);
	cache_buckets_fini(&p->t);
	cache_ref_alloc_fini(&p->k);
	free(p->saved);
	free(p->saved_reference);
}

/* Ours without a pool from before: every pass here reads the whole table. */
static double ours_pass(struct pair *p)
{
	double start;

	memcpy(p->t.rec, p->saved, p->t.nbuckets * sizeof(*p->saved));
	p->a.free_inc.used = 0;
	p->a.phase = CACHE_ALLOC_INVALIDATE;
	p->t.version++;
	start = now_us();
	cache_alloc_step(&p->a);
	return now_us() - start;
}

static double ref_pass(struct pair *p)
{
	double start;

	memcpy(p->k.b, p->saved_reference, p->t.nbuckets * sizeof(*p->saved_reference));
	p->k.free_inc.used = 0;
	start = now_us();
	cache_ref_alloc_invalidate(&p->k);
	return now_us() - start;
}

static void lru_passes(uint64_t n, enum cache_simd simd, const char *how, const double *goal)
{
	double fast = 1e18, slow = 0;
	struct pair p;

	make(&p, n, simd);
	for (int order = 0; order < ORDERS; order++) {
		double ours[RUNS_MAX], ref[RUNS_MAX], m;
		char name[64];

		fill(&p, order);
		for (int i = 0; i < runs; i++) {
			ref[i] = ref_pass(&p);
			ours[i] = ours_pass(&p);
		}
		snprintf(name, sizeof(name), "LRU pass, %" PRIu64 " Mi, %s%s", n >> 20,
			 order_names[order], how);
		m = median(ours, runs);
		row(name, median(ref, runs), m, goal ? goal[order] : 0);
		fast = m < fast ? m : fast;
		slow = m > slow ? m : slow;
	}
	printf("%-38s %34.2f %8.1f\n", "  slowest input over fastest", slow / fast, 1.5);
	unmake(&p);
}

static void rescale(uint64_t n)
{
	double ours[RUNS_MAX], ref[RUNS_MAX];
	struct pair p;

	make(&p, n, CACHE_SIMD_AUTO);
	fill(&p, RANDOM);
	cache_buckets_rescale(&p.t);
	for (int i = 0; i < runs; i++) {
		double start = now_us();

		p.k.rescale = 0;
		cache_ref_alloc_rescale(&p.k, 1);
		ref[i] = now_us() - start;
		start = now_us();
		for (int k = 0; k < 1000; k++)
			cache_buckets_rescale(&p.t);
		ours[i] = (now_us() - start) / 1000;
	}
	row("rescale, 1 Mi", median(ref, runs), median(ours, runs), 1000);
	unmake(&p);
}

static void ours_fill(const void *owner, uint64_t first, size_t n, uint8_t *out)
{
	cache_buckets_pack(owner, first, n, out);
}

static void ref_fill(const void *owner, uint64_t first, size_t n, uint8_t *out)
{
	const struct cache_ref_alloc_bucket *b = ((const struct cache_ref_alloc *)owner)->b + first;

	for (; n--; b++) {
		*out++ = b->prio;
		*out++ = b->prio >> 8;
		*out++ = b->gen;
	}
}

static void prio_write(uint64_t n, double goal)
{
	struct cache_bench_opts o = {
		.nbuckets = n, .bucket_sectors = 1024, .commit = CACHE_BENCH_COMMIT_MEMORY,
	};
	double ours[RUNS_MAX], ref[RUNS_MAX], copy[RUNS_MAX], m;
	uint8_t *from = calloc(3, n), *to = calloc(3, n);
	struct cache_bench_prio w;
	struct pair p;
	char name[64];

	make(&p, n, CACHE_SIMD_AUTO);
	fill(&p, RANDOM);
	if (!from || !to || cache_bench_prio_init(&w, &o))
		exit(1);
	for (int i = 0; i < runs; i++) {
		double start = now_us();

		w.fill = ref_fill;
		w.owner = &p.k;
		w.crc = cache_bench_crc64_bytewise;
		cache_bench_prio_write(&w);
		ref[i] = now_us() - start;
		w.fill = ours_fill;
		w.owner = &p.t;
		w.crc = cache_crc64;
		start = now_us();
		cache_bench_prio_write(&w);
		ours[i] = now_us() - start;
		start = now_us();
		memcpy(to, from, 3 * n);
		copy[i] = now_us() - start;
		from[i] += to[i];
	}
	m = median(ours, runs);
	snprintf(name, sizeof(name), "prio write in memory, %" PRIu64 " Mi", n >> 20);
	row(name, median(ref, runs), m, goal);
	printf("%-38s %33.0f%% %7.0f%%\n", "  of the speed of memcpy", 100 * median(copy, runs) / m,
	       75.0);
	cache_bench_prio_fini(&w);
	unmake(&p);
	free(from);
	free(to);
}

/* -- the sector allocator ------------------------------------------------ */

#define CALLS	200000

static double walk_run(struct cache_buckets *t, int streams, bool random)
{
	static struct walk w;
	struct writers wr;
	double start;

	walk_init(&w);
	writers_init(&wr, streams, random);
	start = now_us();
	walk_writes(&w, &wr, t, CALLS);
	return (now_us() - start) / CALLS;
}

static double ours_run(struct cache_alloc *a, int streams, bool random)
{
	static struct cache_sectors s;
	struct cache_alloc *members[] = { a };
	struct writers wr;
	double start;

	cache_sectors_init(&s, members, 1, 8, NULL, NULL);
	writers_init(&wr, streams, random);
	start = now_us();
	ours_writes(&s, &wr, CALLS);
	return (now_us() - start) / CALLS;
}

static void sectors(void)
{
	static const struct { int streams; bool random; double goal; } rows[] = {
		{ 1, false, 1 }, { 2, false, 1 }, { 4, false, 1 }, { 8, false, 1 }, { 32, false, 0 }, { 64, false, 0 },
		{ 128, false, 9 }, { 8, true, 1 }, { 128, true, 4.5 },
	};
	struct pair p;

	make(&p, 4096, CACHE_SIMD_AUTO);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double ours[RUNS_MAX], walk[RUNS_MAX];
		char name[64];

		for (int k = 0; k < runs; k++) {
			walk[k] = walk_run(&p.t, rows[i].streams, rows[i].random) * 1e3;
			ours[k] = ours_run(&p.a, rows[i].streams, rows[i].random) * 1e3;
		}
		snprintf(name, sizeof(name), "open bucket (ns), %d %s", rows[i].streams,
			 rows[i].random ? "random" : "sequential");
		row(name, median(walk, runs), median(ours, runs), rows[i].goal);
	}
	unmake(&p);
}

int main(int argc, char **argv)
{
	static const double at_1mi[ORDERS] = { 9, 18, 18, 0, 150 }, at_4mi[ORDERS] = { 0, 25, 25, 0, 0 };
	cpu_set_t one;

	if (argc > 1)
		runs = atoi(argv[1]);
	runs = runs < 1 ? 1 : runs > RUNS_MAX ? RUNS_MAX : runs;
	CPU_ZERO(&one);
	CPU_SET(1, &one);
	sched_setaffinity(0, sizeof(one), &one);
	printf("%-38s %12s %12s %8s %8s\n", "processor time, median", "reference us", "ours us", "ratio",
	       "goal");
	lru_passes(1 << 20, CACHE_SIMD_AUTO, "", at_1mi);
	lru_passes(1 << 20, CACHE_SIMD_PLAIN, ", C", NULL);
	lru_passes(4 << 20, CACHE_SIMD_AUTO, "", at_4mi);
	rescale(1 << 20);
	prio_write(1 << 20, 27);
	prio_write(4 << 20, 18);
	sectors();
	return 0;
}
