// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread sleeps when a refill returns what it waits for, and is woken when that may have
 * happened: for space when half of free[NONE] is used, so that it is woken once for many
 * buckets; for gc or unblocked prios by unlock.
 */
#include "alloc/alloc_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct cache_alloc_thread {
	struct cache_alloc *a;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;		/* the allocator thread sleeps here */
	pthread_cond_t bucket_wait;	/* threads that wait for a bucket sleep here */
	int  asleep_for;		/* enum cache_alloc_wait, or 0 when it runs */
	unsigned int nwaiting;
	bool stop;
};

static bool half_used(const struct cache_alloc *a)
{
	return a->free[CACHE_RESERVE_NONE].used <= a->free[CACHE_RESERVE_NONE].size / 2;
}

static void wake_waiters(struct cache_alloc_thread *th)
{
	if (th->nwaiting)
		pthread_cond_broadcast(&th->bucket_wait);
}

static void sleep_for(struct cache_alloc_thread *th, int what)
{
	th->asleep_for = what;
	wake_waiters(th);
	pthread_cond_wait(&th->work, &th->lock);
	th->asleep_for = CACHE_ALLOC_RAN;
}

/* After an error, or when disabled, the thread only waits for the stop. */
static void *run(void *arg)
{
	struct cache_alloc_thread *th = arg;

	pthread_mutex_lock(&th->lock);
	while (!th->stop) {
		int ret = cache_alloc_refill(th->a);

		if (!th->stop)
			sleep_for(th, ret);
	}
	wake_waiters(th);
	pthread_mutex_unlock(&th->lock);
	return NULL;
}

int cache_alloc_thread_start(struct cache_alloc *a, struct cache_alloc_thread **out)
{
	struct cache_alloc_thread *th = calloc(1, sizeof(*th));
	int ret;

	*out = NULL;
	if (!th)
		return -ENOMEM;
	th->a = a;
	pthread_mutex_init(&th->lock, NULL);
	pthread_cond_init(&th->work, NULL);
	pthread_cond_init(&th->bucket_wait, NULL);
	ret = pthread_create(&th->thread, NULL, run, th);
	if (ret) {
		free(th);
		return -ret;
	}
	*out = th;
	return 0;
}

void cache_alloc_thread_stop(struct cache_alloc_thread *th)
{
	if (!th)
		return;
	pthread_mutex_lock(&th->lock);
	th->stop = true;
	pthread_cond_broadcast(&th->work);
	pthread_cond_broadcast(&th->bucket_wait);
	while (th->nwaiting)
		pthread_cond_wait(&th->work, &th->lock);
	pthread_mutex_unlock(&th->lock);
	pthread_join(th->thread, NULL);
	pthread_cond_destroy(&th->bucket_wait);
	pthread_cond_destroy(&th->work);
	pthread_mutex_destroy(&th->lock);
	free(th);
}

void cache_alloc_thread_lock(struct cache_alloc_thread *th)
{
	pthread_mutex_lock(&th->lock);
}

void cache_alloc_thread_unlock(struct cache_alloc_thread *th)
{
	if (th->asleep_for)
		pthread_cond_signal(&th->work);
	wake_waiters(th);
	pthread_mutex_unlock(&th->lock);
}

static bool dead(const struct cache_alloc_thread *th)
{
	return th->stop || th->a->io_disabled;
}

/* A thread that waits needs a bucket now, however little space there is. */
static int wait_for_bucket(struct cache_alloc_thread *th, enum cache_reserve reserve,
			   uint64_t *bucket)
{
	int ret = -EAGAIN;

	th->nwaiting++;
	while (ret == -EAGAIN && !dead(th)) {
		if (th->asleep_for == CACHE_ALLOC_WAIT_SPACE)
			pthread_cond_signal(&th->work);
		pthread_cond_wait(&th->bucket_wait, &th->lock);
		ret = cache_alloc_get(th->a, reserve, bucket);
	}
	if (!--th->nwaiting && th->stop)
		pthread_cond_broadcast(&th->work);
	return ret == -EAGAIN ? -EIO : ret;
}

int cache_alloc_thread_get(struct cache_alloc_thread *th, enum cache_reserve reserve,
			   bool wait, uint64_t *bucket)
{
	int ret;

	pthread_mutex_lock(&th->lock);
	ret = th->stop ? -EIO : cache_alloc_get(th->a, reserve, bucket);
	if (ret == -EAGAIN && wait)
		ret = wait_for_bucket(th, reserve, bucket);
	if (th->asleep_for == CACHE_ALLOC_WAIT_SPACE && half_used(th->a))
		pthread_cond_signal(&th->work);
	pthread_mutex_unlock(&th->lock);
	return ret;
}

void cache_alloc_thread_put(struct cache_alloc_thread *th, uint64_t bucket)
{
	pthread_mutex_lock(&th->lock);
	cache_alloc_put(th->a, bucket);
	pthread_mutex_unlock(&th->lock);
}

void cache_alloc_thread_io_disable(struct cache_alloc_thread *th)
{
	cache_alloc_thread_lock(th);
	cache_alloc_io_disable(th->a);
	cache_alloc_thread_unlock(th);
}
