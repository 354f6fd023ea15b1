// SPDX-License-Identifier: GPL-2.0-only
/* Many threads on one allocator; make check-tsan runs this under ThreadSanitizer. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "alloc/alloc_thread.h"
#include "test.h"

#define N		4096u
#define NTHREADS	8
#define PER_THREAD	20000

struct fixture {
	struct cache_buckets t;
	struct cache_alloc a;
	struct cache_alloc_thread *th;
	int commits, fail_at;
	uint8_t owner[N];	/* by atomic exchange: who holds a bucket */
	int clashes;
};

static int commit_gens(void *ctx)
{
	struct fixture *f = ctx;

	/* a prio write: others may allocate meanwhile */
	if (f->th)
		cache_alloc_thread_unlock(f->th);
	usleep(1);
	if (f->th)
		cache_alloc_thread_lock(f->th);
	return ++f->commits == f->fail_at ? -EIO : 0;
}

static const struct cache_alloc_ops ops = { .commit_gens = commit_gens };

static void start(struct fixture *f)
{
	static const struct cache_alloc_opts o = { .prio_buckets = 1, .sync = true };

	memset(f, 0, sizeof(*f));
	CHECK_EQ(cache_buckets_init(&f->t, N, 1, 64), 0);
	CHECK_EQ(cache_alloc_init(&f->a, &f->t, &o, &ops, f), 0);
	for (unsigned int b = 32; b < N; b++)
		cache_bucket_set_mark(&f->t, b, CACHE_GC_MARK_RECLAIMABLE);
	cache_alloc_gc_finish(&f->a, NULL, 0);
	cache_alloc_seed_free(&f->a);
}

static void go(struct fixture *f)
{
	struct cache_alloc_thread *th;

	CHECK_EQ(cache_alloc_thread_start(&f->a, &th), 0);
	cache_alloc_thread_lock(th);
	f->th = th;
	cache_alloc_thread_unlock(th);
}

/* With nothing to give, and nothing that could be taken; done() would call that wrong. */
static void go_dry(struct fixture *f)
{
	start(f);
	for (unsigned int i = 1; i < N; i++)
		cache_bucket_pin_get(&f->t, i);
	f->a.free[CACHE_RESERVE_BTREE].used = f->a.free[CACHE_RESERVE_PRIO].used = 0;
	go(f);
}

static void done(struct fixture *f)
{
	struct cache_err err = { 0 };

	if (cache_alloc_check(&f->a, &err))
		TEST_FAIL("%s", err.text);
	cache_alloc_fini(&f->a);
	cache_buckets_fini(&f->t);
}

static void *allocate_many(void *arg)
{
	struct fixture *f = arg;

	for (int i = 0; i < PER_THREAD; i++) {
		uint64_t b;

		if (cache_alloc_thread_get(f->th, CACHE_RESERVE_NONE, true, &b))
			break;
		if (__atomic_exchange_n(&f->owner[b], 1, __ATOMIC_ACQ_REL))
			__atomic_fetch_add(&f->clashes, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&f->owner[b], 0, __ATOMIC_RELEASE);
		cache_alloc_thread_lock(f->th);
		cache_bucket_set_last_gc(&f->t, b, cache_bucket_gen(&f->t, b));
		cache_alloc_put(&f->a, b);
		cache_alloc_rescale(&f->a, 64);
		cache_alloc_thread_unlock(f->th);
	}
	return NULL;
}

static void run_threads(struct fixture *f, void *(*fn)(void *))
{
	pthread_t tid[NTHREADS];

	for (int i = 0; i < NTHREADS; i++)
		CHECK_EQ(pthread_create(&tid[i], NULL, fn, f), 0);
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(tid[i], NULL);
}

TEST(no_two_threads_are_given_the_same_bucket)
{
	static struct fixture f;

	start(&f);
	go(&f);
	run_threads(&f, allocate_many);
	CHECK_EQ(f.clashes, 0);
	cache_alloc_thread_stop(f.th);
	CHECK_EQ(f.a.stats.allocated, NTHREADS * PER_THREAD);
	done(&f);
}

static void *take_all(void *arg)
{
	struct fixture *f = arg;
	uint64_t b;

	while (!cache_alloc_thread_get(f->th, CACHE_RESERVE_NONE, true, &b))
		;
	return NULL;
}

/* All take and keep until nothing is left; then they wait, and must be released. */
TEST(io_disable_wakes_all_waiting_threads)
{
	static struct fixture f;
	pthread_t tid[NTHREADS];

	start(&f);
	go(&f);
	for (int i = 0; i < NTHREADS; i++)
		CHECK_EQ(pthread_create(&tid[i], NULL, take_all, &f), 0);
	usleep(20000);
	cache_alloc_thread_io_disable(f.th);
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(tid[i], NULL);
	cache_alloc_thread_stop(f.th);
	done(&f);
}

TEST(a_failed_prio_write_wakes_all_waiting_threads)
{
	static struct fixture f;

	start(&f);
	f.fail_at = 3;
	go(&f);
	run_threads(&f, take_all);
	CHECK_EQ(f.commits, 3);
	CHECK(f.a.io_disabled);
	cache_alloc_thread_stop(f.th);
	done(&f);
}

static void *stop_it(void *arg)
{
	struct fixture *f = arg;

	usleep(20000);
	cache_alloc_thread_stop(f->th);
	return NULL;
}

TEST(a_stop_wakes_a_waiting_thread_with_an_error)
{
	static struct fixture f;
	pthread_t tid;
	uint64_t b;
	int ret;

	go_dry(&f);
	CHECK_EQ(pthread_create(&tid, NULL, stop_it, &f), 0);
	ret = cache_alloc_thread_get(f.th, CACHE_RESERVE_NONE, true, &b);
	pthread_join(tid, NULL);
	CHECK_EQ(ret, -EIO);
	cache_alloc_fini(&f.a);
	cache_buckets_fini(&f.t);
}

TEST(a_caller_that_does_not_wait_is_answered_at_once)
{
	static struct fixture f;
	uint64_t b;
	int ret;

	go_dry(&f);
	ret = cache_alloc_thread_get(f.th, CACHE_RESERVE_NONE, false, &b);
	CHECK_EQ(ret, -EAGAIN);
	CHECK_EQ(cache_alloc_thread_get(f.th, CACHE_RESERVE_NR, false, &b), -EINVAL);
	cache_alloc_thread_stop(f.th);
	cache_alloc_fini(&f.a);
	cache_buckets_fini(&f.t);
}

TEST(a_bucket_that_was_put_is_not_pinned_any_more)
{
	static struct fixture f;
	uint64_t b;

	start(&f);
	go(&f);
	CHECK_EQ(cache_alloc_thread_get(f.th, CACHE_RESERVE_NONE, true, &b), 0);
	CHECK_EQ(f.t.rec[b].pin, 1);
	cache_alloc_thread_put(f.th, b);
	CHECK_EQ(f.t.rec[b].pin, 0);
	cache_alloc_thread_stop(f.th);
	done(&f);
}

TEST(a_gc_that_ends_wakes_the_thread)
{
	static struct fixture f;
	uint64_t b;
	int ret;

	start(&f);
	for (unsigned int i = 1; i < N; i++)
		if (!f.t.rec[i].pin)
			cache_alloc_dirty(&f.a, i);
	go(&f);
	usleep(2000);
	cache_alloc_thread_lock(f.th);
	cache_alloc_gc_begin(&f.a);
	cache_alloc_gc_finish(&f.a, NULL, 0);
	cache_alloc_thread_unlock(f.th);
	ret = cache_alloc_thread_get(f.th, CACHE_RESERVE_NONE, true, &b);
	CHECK_EQ(ret, 0);
	cache_alloc_thread_stop(f.th);
	done(&f);
}

TEST_MAIN()
