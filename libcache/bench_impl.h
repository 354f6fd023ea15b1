/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_BENCH_IMPL_H
#define CACHE_BENCH_IMPL_H

#include <time.h>

#include "libcache/bench.h"

#define CACHE_BENCH_SAMPLE	64	/* of the fast allocations one in so many is timed */
#define CACHE_BENCH_HITS	16	/* known ahead, as from I/O in flight */
#define CACHE_BENCH_PRIO_STEPS	1024	/* priorities of an aged cache */

/* The prio write without a set: every prio_set filled, checksummed, maybe written. */
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
/* A byte a step, as the driver did for years. */
uint64_t cache_bench_crc64_bytewise(const void *data, size_t nbytes);

void cache_bench_count(struct cache_bench_result *r, uint64_t ns, uint64_t weight);
int cache_bench_ours(const struct cache_bench_opts *o, struct cache_buckets *t,
		     struct cache_bench_result *r);
int cache_bench_sectors(const struct cache_bench_opts *o, struct cache_alloc *a,
			struct cache_bench_result *r);
int cache_bench_book(const struct cache_bench_opts *o, const struct cache_buckets *t,
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
