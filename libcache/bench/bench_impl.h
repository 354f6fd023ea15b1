/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_BENCH_IMPL_H
#define CACHE_BENCH_IMPL_H

#include <time.h>

#include "bench/bench.h"
#include "base/rng.h"

#define CACHE_BENCH_SAMPLE	64	/* one of this many fast allocations is timed */
#define CACHE_BENCH_TELL	4096	/* allocations between two calls of progress() */
#define CACHE_BENCH_HITS	16	/* known ahead, as from I/O in flight */
#define CACHE_BENCH_PRIO_STEPS	1024	/* priorities of an aged cache */

/* The prio write without a set: every prio_set is filled, checksummed, and with a file written. */
struct cache_bench_prio {
	const struct cache_bench_opts *o;
	uint32_t area_bytes, per_set;
	uint64_t sets, seq, writes, bytes;
	uint8_t	*buf;
	uint64_t (*crc)(const void *data, size_t nbytes);
	void	 (*fill)(const void *owner, uint64_t first, size_t n, uint8_t *out);
	const void *owner;
};

int cache_bench_prio_init(struct cache_bench_prio *w, const struct cache_bench_opts *o);
void cache_bench_prio_fini(struct cache_bench_prio *w);
int cache_bench_prio_write(struct cache_bench_prio *w);
/* One byte per step, as the driver computed it for years. */
uint64_t cache_bench_crc64_bytewise(const void *data, size_t nbytes);

/* One of the threads that allocate. */
struct cache_bench_worker {
	void *on;			/* what it works on */
	struct cache_rng rng;
	uint64_t count, done;
	uint32_t hit[CACHE_BENCH_HITS];	/* to come, their records asked for */
	unsigned int next;
	bool first;			/* of all workers: the one that tells of progress */
	int ret;
	struct cache_bench_result r;	/* only the latencies are used */
};

/*
 * o->count allocations by o->threads of @work, which gets a worker; a single one runs
 * here. Adds up what they did and how long all took. Return: the error of one of them,
 * but for -EAGAIN: nothing was left; -ENOMEM.
 */
int cache_bench_workers(const struct cache_bench_opts *o, void *on, void *(*work)(void *),
			struct cache_bench_result *r);

/* After @i of the @count allocations of a worker, or of all. */
static inline void cache_bench_tell(const struct cache_bench_opts *o, uint64_t i, uint64_t count)
{
	if (o->progress && !(i % CACHE_BENCH_TELL))
		o->progress(o->ctx, o->reference ? CACHE_BENCH_PASS_REFERENCE :
			    CACHE_BENCH_PASS_OURS, i, count);
}

void cache_bench_add_point(struct cache_bench_result *r, uint64_t done);
/* Remembers, a few times in a run, that @i of @count allocations are done. */
static inline void cache_bench_at(struct cache_bench_result *r, uint64_t i, uint64_t count)
{
	if (r->npoints < CACHE_BENCH_POINTS && i >= count / CACHE_BENCH_POINTS * r->npoints)
		cache_bench_add_point(r, i);
}

void cache_bench_count(struct cache_bench_result *r, uint64_t ns, uint64_t weight);
int cache_bench_ours(const struct cache_bench_opts *o, struct cache_buckets *t,
		     struct cache_bench_result *r);
int cache_bench_sectors(const struct cache_bench_opts *o, struct cache_alloc *a,
			struct cache_bench_result *r);
int cache_bench_reference(const struct cache_bench_opts *o, const struct cache_buckets *t,
		     struct cache_bench_result *r);

static inline uint64_t cache_bench_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static inline uint64_t cache_bench_now_ns(void)
{
	return cache_bench_clock_ns(CLOCK_MONOTONIC);
}

#endif
