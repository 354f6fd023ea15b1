// SPDX-License-Identifier: GPL-2.0-only
/* The threads of a run, of ours or of the reference allocator, and their combined result. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_impl.h"

static void add_worker(struct cache_bench_result *r, const struct cache_bench_worker *w)
{
	r->count += w->done;
	r->max_ns = w->r.max_ns > r->max_ns ? w->r.max_ns : r->max_ns;
	for (unsigned int i = 0; i < CACHE_BENCH_HIST; i++)
		r->hist[i] += w->r.hist[i];
	if (!w->first)
		return;
	memcpy(r->point, w->r.point, sizeof(r->point));
	r->npoints = w->r.npoints;
	r->first_ns = w->r.first_ns;
	if (r->npoints)
		cache_bench_add_point(r, w->done);
}

int cache_bench_workers(const struct cache_bench_opts *o, void *on, void *(*work)(void *),
			struct cache_bench_result *r)
{
	unsigned int n = o->threads, started = 0;
	struct cache_bench_worker *w = calloc(n, sizeof(*w));
	pthread_t *tid = calloc(n, sizeof(*tid));
	uint64_t start = cache_bench_now_ns();
	uint64_t cpu = cache_bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int ret = w && tid ? 0 : -ENOMEM;

	for (unsigned int i = 0; !ret && i < n; i++) {
		w[i].on = on;
		w[i].first = !i;
		w[i].count = o->count / n + (i < o->count % n);
		cache_rng_init(&w[i].rng, o->seed + i);
		if (n == 1)
			work(&w[i]);
		else
			ret = -pthread_create(&tid[i], NULL, work, &w[i]);
		started += !ret;
	}
	for (unsigned int i = 0; i < started; i++) {
		if (n > 1)
			pthread_join(tid[i], NULL);
		if (w[i].ret && w[i].ret != -EAGAIN)
			ret = w[i].ret;
		add_worker(r, &w[i]);
	}
	r->seconds = (cache_bench_now_ns() - start) / 1e9;
	r->cpu_seconds = (cache_bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9;
	free(tid);
	free(w);
	return ret;
}
