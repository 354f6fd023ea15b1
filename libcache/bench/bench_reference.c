// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workloads on the reference allocator, driven as the driver drives its allocator: one lock,
 * a thread that pushes bucket by bucket and wakes two wait queues for each, and
 * consumers that take the lock and wake the thread for each allocation.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_impl.h"
#include "alloc/ref_alloc.h"

struct ref {
	const struct cache_bench_opts *o;
	struct cache_ref_alloc k;
	struct cache_bench_prio prio;
	pthread_t thread;
	pthread_mutex_t bucket_lock;
	pthread_mutex_t sleep_lock;
	pthread_cond_t wake;		/* the allocator thread */
	pthread_cond_t bucket_wait;
	atomic_uint wakeups, sleeping, nwaiting;
	atomic_bool stop;
	uint32_t *log;
	uint64_t logged, log_size;
};

static void fill(const void *owner, uint64_t first, size_t n, uint8_t *out)
{
	const struct cache_ref_alloc *k = owner;

	for (const struct cache_ref_alloc_bucket *b = k->b + first; n--; b++) {
		*out++ = b->prio;
		*out++ = b->prio >> 8;
		*out++ = b->gen;
	}
}

static int commit_gens(void *ctx)
{
	return cache_bench_prio_write(&((struct ref *)ctx)->prio);
}

static void gc(void *ctx)
{
	struct ref *u = ctx;
	struct cache_ref_alloc *k = &u->k;
	uint64_t n = u->logged < u->log_size ? u->logged : u->log_size;

	if (!u->log)
		return;
	cache_ref_alloc_gc_begin(k);
	for (uint64_t b = k->first_bucket; b < k->nbuckets; b++)
		if (!k->b[b].pin) {
			k->b[b].mark = CACHE_GC_MARK_RECLAIMABLE;
			k->b[b].sectors = k->bucket_sectors & CACHE_GC_SECTORS_MAX;
		}
	for (uint64_t i = 0; i < n; i++)
		k->b[u->log[i]].mark = CACHE_GC_MARK_DIRTY;
	cache_ref_alloc_gc_finish(k);
}

static const struct cache_alloc_ops ops = { .commit_gens = commit_gens, .need_gc = gc };

/* -- the allocator thread ------------------------------------------------ */

/* Waking a running thread costs a fence and a load, as in the kernel. */
static void wake_thread(struct ref *u)
{
	atomic_fetch_add(&u->wakeups, 1);
	if (!atomic_load(&u->sleeping))
		return;
	pthread_mutex_lock(&u->sleep_lock);
	pthread_cond_signal(&u->wake);
	pthread_mutex_unlock(&u->sleep_lock);
}

static void wait_queue_wake(struct ref *u)
{
	if (atomic_load(&u->nwaiting))
		pthread_cond_broadcast(&u->bucket_wait);
}

/* Drops the lock until the thread is woken; false when it must stop. */
static bool allocator_wait(struct ref *u, unsigned int seen)
{
	pthread_mutex_unlock(&u->bucket_lock);
	pthread_mutex_lock(&u->sleep_lock);
	atomic_store(&u->sleeping, 1);
	while (atomic_load(&u->wakeups) == seen && !atomic_load(&u->stop))
		pthread_cond_wait(&u->wake, &u->sleep_lock);
	atomic_store(&u->sleeping, 0);
	pthread_mutex_unlock(&u->sleep_lock);
	pthread_mutex_lock(&u->bucket_lock);
	return !atomic_load(&u->stop);
}

static bool push_waiting(struct ref *u, uint64_t b)
{
	for (;;) {
		unsigned int seen = atomic_load(&u->wakeups);

		if (cache_ref_alloc_push(&u->k, b))
			break;
		if (!allocator_wait(u, seen))
			return false;
	}
	wait_queue_wake(u);	/* btree_cache_wait */
	wait_queue_wake(u);	/* bucket_wait */
	return true;
}

static bool one_round(struct ref *u)
{
	struct cache_ref_alloc *k = &u->k;
	uint64_t b;

	while (cache_ref_alloc_pop(&k->free_inc, &b))
		if (!push_waiting(u, b))
			return false;
	do {
		unsigned int seen = atomic_load(&u->wakeups);

		while (k->invalidate_needs_gc) {
			/* without a log there is no gc that could help */
			if (!u->log || !allocator_wait(u, seen))
				return false;
			seen = atomic_load(&u->wakeups);
		}
		cache_ref_alloc_invalidate(k);
	} while (k->free_inc.used < k->free_inc.size);
	return !cache_ref_alloc_commit(k);
}

static void *allocator(void *arg)
{
	struct ref *u = arg;

	pthread_mutex_lock(&u->bucket_lock);
	while (!atomic_load(&u->stop) && one_round(u))
		;
	atomic_store(&u->stop, true);
	pthread_cond_broadcast(&u->bucket_wait);
	pthread_mutex_unlock(&u->bucket_lock);
	return NULL;
}

/* -- consumers ----------------------------------------------------------- */

static int get(struct ref *u, uint64_t *b)
{
	int ret;

	pthread_mutex_lock(&u->bucket_lock);
	while ((ret = cache_ref_alloc_get(&u->k, CACHE_RESERVE_NONE, b)) && !atomic_load(&u->stop)) {
		atomic_fetch_add(&u->nwaiting, 1);
		pthread_cond_wait(&u->bucket_wait, &u->bucket_lock);
		atomic_fetch_sub(&u->nwaiting, 1);
	}
	wake_thread(u);
	if (!ret && u->log) {
		u->k.b[*b].mark = CACHE_GC_MARK_DIRTY;
		u->log[u->logged++ % u->log_size] = *b;
	}
	pthread_mutex_unlock(&u->bucket_lock);
	return ret;
}

static void use(struct cache_bench_worker *w, uint64_t b)
{
	struct ref *u = w->on;
	struct cache_ref_alloc *k = &u->k;
	uint32_t *hit;

	if (!u->log)
		k->b[b].last_gc = k->b[b].gen;
	__atomic_fetch_sub(&k->b[b].pin, 1, __ATOMIC_SEQ_CST);
	if (u->o->workload != CACHE_BENCH_AGED)
		return;
	hit = &w->hit[w->next++ % CACHE_BENCH_HITS];
	k->b[*hit].prio = CACHE_INITIAL_PRIO;
	*hit = k->first_bucket + cache_rng_below(&w->rng, k->nbuckets - k->first_bucket);
	__builtin_prefetch(&k->b[*hit], 1);
	pthread_mutex_lock(&u->bucket_lock);
	cache_ref_alloc_rescale(k, k->bucket_sectors);
	pthread_mutex_unlock(&u->bucket_lock);
}

static void *work(void *arg)
{
	struct cache_bench_worker *w = arg;
	struct ref *u = w->on;

	for (unsigned int i = 0; i < CACHE_BENCH_HITS; i++)
		w->hit[i] = u->k.first_bucket;
	for (uint64_t i = 0; i < w->count; i++) {
		bool slow = !u->k.free[CACHE_RESERVE_NONE].used;
		bool timed = slow || !(i % CACHE_BENCH_SAMPLE);
		uint64_t start = timed ? cache_bench_now_ns() : 0, b;

		if (timed && w->first) {
			cache_bench_tell(u->o, i, w->count);
			cache_bench_at(&w->r, i, w->count);
		}
		if (get(u, &b))
			break;
		if (timed)
			cache_bench_count(&w->r, cache_bench_now_ns() - start,
					  slow ? 1 : CACHE_BENCH_SAMPLE);
		use(w, b);
		w->done++;
	}
	return NULL;
}

/* -- a run --------------------------------------------------------------- */

static void copy_table(struct cache_ref_alloc *k, const struct cache_buckets *t)
{
	for (uint64_t b = 0; b < t->nbuckets; b++)
		k->b[b] = (struct cache_ref_alloc_bucket) {
			.pin = cache_bucket_pin(t, b), .prio = cache_bucket_prio(t, b),
			.mark = cache_bucket_mark(t, b),
			.sectors = cache_bucket_sectors_used(t, b),
			.gen = cache_bucket_gen(t, b), .last_gc = cache_bucket_last_gc(t, b),
		};
	k->min_prio = t->min_prio;
}

static int setup(struct ref *u, const struct cache_buckets *t)
{
	const struct cache_bench_opts *o = u->o;
	struct cache_alloc_opts opts = { .policy = o->policy, .seed = o->seed, .sync = true };
	int ret = cache_bench_prio_init(&u->prio, o);

	if (ret)
		return ret;
	u->prio.fill = fill;
	u->prio.crc = cache_bench_crc64_bytewise;
	u->prio.owner = &u->k;
	opts.prio_buckets = u->prio.sets;
	ret = cache_ref_alloc_init(&u->k, o->nbuckets, o->first_bucket, o->bucket_sectors, &opts,
			      &ops, u);
	if (ret)
		return ret;
	copy_table(&u->k, t);
	u->log_size = o->nbuckets / 2;
	if (o->workload == CACHE_BENCH_WRITEBACK) {
		u->log = calloc(u->log_size, sizeof(*u->log));
		if (!u->log)
			return -ENOMEM;
	}
	cache_ref_alloc_gc_finish(&u->k);
	cache_ref_alloc_seed_free(&u->k);
	for (int i = 0; i < 100000 && cache_ref_alloc_step(&u->k) == CACHE_ALLOC_RAN; i++)
		;
	return -pthread_create(&u->thread, NULL, allocator, u);
}

static void stop(struct ref *u)
{
	pthread_mutex_lock(&u->sleep_lock);
	atomic_store(&u->stop, true);
	pthread_cond_signal(&u->wake);
	pthread_mutex_unlock(&u->sleep_lock);
	pthread_join(u->thread, NULL);
}

int cache_bench_reference(const struct cache_bench_opts *o, const struct cache_buckets *t,
		     struct cache_bench_result *r)
{
	struct ref u = {
		.o = o, .bucket_lock = PTHREAD_MUTEX_INITIALIZER,
		.sleep_lock = PTHREAD_MUTEX_INITIALIZER,
		.wake = PTHREAD_COND_INITIALIZER, .bucket_wait = PTHREAD_COND_INITIALIZER,
	};
	int ret = setup(&u, t);

	if (!ret) {
		ret = cache_bench_workers(o, &u, work, r);
		stop(&u);
		r->invalidate_passes = u.k.passes;
		r->prio_writes = u.prio.writes;
		r->prio_bytes = u.prio.bytes;
		r->rescales = u.k.rescales;
		r->gc_runs = u.k.gcs;
		r->bytes_per_bucket = sizeof(*u.k.b) + (double)u.k.heap_size *
				      sizeof(*u.k.heap) / o->nbuckets;
	}
	cache_ref_alloc_fini(&u.k);
	cache_bench_prio_fini(&u.prio);
	free(u.log);
	return ret;
}
