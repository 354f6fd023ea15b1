// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workloads on our allocator, refilled by the thread that needs a bucket, or by a thread of
 * its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_impl.h"
#include "alloc/alloc_thread.h"

struct ours {
	const struct cache_bench_opts *o;
	struct cache_buckets *t;
	struct cache_alloc a;
	struct cache_alloc_thread *th;
	struct cache_bench_prio prio;
	uint32_t *log;		/* writeback: the last nbuckets / 2 allocations */
	uint64_t logged, log_size;
	bool ended;		/* nothing is left, and no gc would find more */
};

/* -- hooks --------------------------------------------------------------- */

static void fill(const void *owner, uint64_t first, size_t n, uint8_t *out)
{
	cache_buckets_pack(owner, first, n, out);
}

static int commit_gens(void *ctx)
{
	struct ours *u = ctx;

	return cache_bench_prio_write(&u->prio);
}

/* Finds everything clean but what was written in the last nbuckets / 2 allocations. */
static void gc(void *ctx)
{
	struct ours *u = ctx;
	struct cache_buckets *t = u->t;
	uint16_t full = t->bucket_sectors & CACHE_GC_SECTORS_MAX;
	uint64_t n = u->logged < u->log_size ? u->logged : u->log_size;

	if (!u->log) {		/* nothing would change: this is the end */
		u->ended = true;
		cache_alloc_io_disable(&u->a);
		return;
	}
	cache_alloc_gc_begin(&u->a);
	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++)
		if (!t->rec[b].pin)
			t->rec[b].mark = full << 2 | CACHE_GC_MARK_RECLAIMABLE;
	for (uint64_t i = 0; i < n; i++)
		t->rec[u->log[i]].mark = full << 2 | CACHE_GC_MARK_DIRTY;
	cache_alloc_gc_finish(&u->a, NULL, 0);
}

static const struct cache_alloc_ops ops = { .commit_gens = commit_gens, .need_gc = gc };

/* -- one allocation ------------------------------------------------------ */

/* The driver's gc keeps last_gc close to gen; here the allocation does it. */
static inline void stand_for_gc(struct cache_buckets *t, uint64_t b)
{
	t->rec[b].last_gc = t->rec[b].gen;
}

static inline void random_hit(struct cache_bench_worker *w)
{
	struct ours *u = w->on;
	struct cache_buckets *t = u->t;
	uint32_t *hit = &w->hit[w->next++ % CACHE_BENCH_HITS];

	cache_alloc_hit(&u->a, *hit);
	*hit = t->first_bucket + cache_rng_below(&w->rng, t->nbuckets - t->first_bucket);
	__builtin_prefetch(&t->rec[*hit], 1);
}

/* What happens to a bucket that was allocated; under the lock if there is one. */
static inline __attribute__((always_inline))
void use(struct cache_bench_worker *w, uint64_t b, enum cache_bench_workload workload)
{
	struct ours *u = w->on;

	if (workload == CACHE_BENCH_WRITEBACK) {
		cache_alloc_dirty(&u->a, b);
		u->log[u->logged++ % u->log_size] = b;
	} else {
		stand_for_gc(u->t, b);
	}
	cache_alloc_put(&u->a, b);
	if (workload == CACHE_BENCH_AGED) {
		random_hit(w);
		cache_alloc_rescale(&u->a, u->t->bucket_sectors);
	}
}

static inline __attribute__((always_inline))
int get(struct cache_bench_worker *w, uint64_t *b)
{
	struct ours *u = w->on;

	return u->th ? cache_alloc_thread_get(u->th, CACHE_RESERVE_NONE, true, b) :
		       cache_alloc_get_wait(&u->a, CACHE_RESERVE_NONE, b);
}

/* An empty queue takes the time: then the clock is always read. */
static inline __attribute__((always_inline))
int timed_get(struct cache_bench_worker *w, uint64_t i, uint64_t *b)
{
	struct ours *u = w->on;
	bool slow = !u->th && !u->a.free[CACHE_RESERVE_NONE].used;
	uint64_t start;
	int ret;

	if (!slow && i % CACHE_BENCH_SAMPLE)
		return get(w, b);
	if (w->first) {
		cache_bench_tell(u->o, i, w->count);
		cache_bench_at(&w->r, i, w->count);
	}
	start = cache_bench_now_ns();
	ret = get(w, b);
	cache_bench_count(&w->r, cache_bench_now_ns() - start, slow ? 1 : CACHE_BENCH_SAMPLE);
	return ret;
}

static inline __attribute__((always_inline))
int loop(struct cache_bench_worker *w, enum cache_bench_workload workload)
{
	struct cache_alloc_thread *th = ((struct ours *)w->on)->th;

	for (uint64_t i = 0; i < w->count; i++) {
		uint64_t b;
		int ret = timed_get(w, i, &b);

		if (ret)
			return ret;
		if (th)
			cache_alloc_thread_lock(th);
		use(w, b, workload);
		if (th)
			cache_alloc_thread_unlock(th);
		w->done++;
	}
	return 0;
}

static void *work(void *arg)
{
	struct cache_bench_worker *w = arg;
	const struct ours *u = w->on;

	for (unsigned int i = 0; i < CACHE_BENCH_HITS; i++)
		w->hit[i] = u->t->first_bucket;
	switch (u->o->workload) {
	case CACHE_BENCH_CLEAN:
		w->ret = loop(w, CACHE_BENCH_CLEAN);
		break;
	case CACHE_BENCH_AGED:
		w->ret = loop(w, CACHE_BENCH_AGED);
		break;
	default:
		w->ret = loop(w, CACHE_BENCH_WRITEBACK);
	}
	return NULL;
}

/* -- a run --------------------------------------------------------------- */

static int setup(struct ours *u)
{
	struct cache_alloc_opts opts = {
		.policy = u->o->policy, .seed = u->o->seed, .sync = true, .simd = u->o->simd,
	};
	int ret = cache_bench_prio_init(&u->prio, u->o);

	if (ret)
		return ret;
	u->prio.fill = fill;
	u->prio.owner = u->t;
	opts.prio_buckets = u->prio.sets;
	ret = cache_alloc_init(&u->a, u->t, &opts, &ops, u);
	if (ret)
		return ret;
	u->log_size = u->t->nbuckets / 2;
	if (u->o->workload == CACHE_BENCH_WRITEBACK) {
		u->log = calloc(u->log_size, sizeof(*u->log));
		if (!u->log)
			return -ENOMEM;
	}
	ret = cache_alloc_gc_finish(&u->a, NULL, 0);
	if (ret)
		return ret;
	cache_alloc_seed_free(&u->a);
	ret = cache_alloc_refill(&u->a);
	ret = ret < 0 && !u->ended ? ret : 0;
	if (!ret && (u->o->allocator_thread || u->o->threads > 1))
		ret = cache_alloc_thread_start(&u->a, &u->th);
	return ret;
}

static void collect(const struct ours *u, struct cache_bench_result *r)
{
	const struct cache_alloc_stats *s = &u->a.stats;

	r->invalidate_passes = s->invalidate_passes;
	r->sweeps = s->sweeps;
	r->prio_writes = u->prio.writes;
	r->prio_bytes = u->prio.bytes;
	r->rescales = s->rescales;
	r->gc_runs = s->gcs;
	r->bytes_per_bucket = (double)(cache_buckets_bytes(u->t) + cache_alloc_bytes(&u->a)) /
			      u->t->nbuckets;
}

static int run_sectors(struct ours *u, struct cache_bench_result *r)
{
	uint64_t start = cache_bench_now_ns();
	uint64_t cpu = cache_bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int ret = cache_bench_sectors(u->o, &u->a, r);

	r->seconds = (cache_bench_now_ns() - start) / 1e9;
	r->cpu_seconds = (cache_bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e9;
	return ret;
}

int cache_bench_ours(const struct cache_bench_opts *o, struct cache_buckets *t,
		     struct cache_bench_result *r)
{
	struct ours u = { .o = o, .t = t };
	int ret = setup(&u);

	if (!ret) {
		ret = o->sectors ? run_sectors(&u, r) : cache_bench_workers(o, &u, work, r);
		ret = u.ended ? 0 : ret;
	}
	cache_alloc_thread_stop(u.th);
	if (!ret)
		collect(&u, r);
	cache_alloc_fini(&u.a);
	cache_bench_prio_fini(&u.prio);
	free(u.log);
	return ret;
}
