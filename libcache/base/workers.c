// SPDX-License-Identifier: GPL-2.0-only
/* One lock for all jobs: each of them works on many kilobytes, so it is seldom taken. */
#include "base/workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct cache_workers {
	pthread_mutex_t lock;
	pthread_cond_t work;	/* a job was queued, or all is to end */
	pthread_cond_t done;	/* a job has run */
	struct cache_job *first, *last;
	bool stop;
	unsigned n;
	pthread_t thread[CACHE_WORKERS_MAX];
};

/* Takes a job that was not begun out of the queue. */
static void take_out(struct cache_workers *w, struct cache_job *job)
{
	struct cache_job **p = &w->first, *before = NULL;

	while (*p != job) {
		before = *p;
		p = &before->next;
	}
	*p = job->next;
	if (w->last == job)
		w->last = before;
	job->state = CACHE_JOB_IDLE;
}

/* Runs a job of the queue; the lock is held before and after. */
static void run(struct cache_workers *w, struct cache_job *job)
{
	take_out(w, job);
	job->state = CACHE_JOB_RUNNING;
	pthread_mutex_unlock(&w->lock);
	job->fn(job->ctx);
	pthread_mutex_lock(&w->lock);
	job->state = CACHE_JOB_DONE;
	pthread_cond_broadcast(&w->done);
}

static void *work(void *arg)
{
	struct cache_workers *w = arg;

	pthread_mutex_lock(&w->lock);
	while (w->first || !w->stop)
		if (w->first)
			run(w, w->first);
		else
			pthread_cond_wait(&w->work, &w->lock);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int cache_workers_new(unsigned n, struct cache_workers **workers)
{
	struct cache_workers *w;
	sigset_t all, was;

	*workers = NULL;
	if (!n)
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	pthread_cond_init(&w->done, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	while (w->n < n && w->n < CACHE_WORKERS_MAX &&
	       !pthread_create(&w->thread[w->n], NULL, work, w))
		w->n++;
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	*workers = w;
	return 0;
}

void cache_workers_free(struct cache_workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n; i++)
		pthread_join(w->thread[i], NULL);
	pthread_cond_destroy(&w->done);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* The lock is held. */
static void queue_last(struct cache_workers *w, struct cache_job *job)
{
	job->next = NULL;
	if (w->last)
		w->last->next = job;
	else
		w->first = job;
	w->last = job;
}

static void queue_first(struct cache_workers *w, struct cache_job *job)
{
	job->next = w->first;
	w->first = job;
	if (!w->last)
		w->last = job;
}

static void start(struct cache_workers *w, struct cache_job *job,
		  void (*queue)(struct cache_workers *w, struct cache_job *job))
{
	if (!w) {
		job->state = CACHE_JOB_QUEUED;
		return;
	}
	pthread_mutex_lock(&w->lock);
	job->state = CACHE_JOB_QUEUED;
	queue(w, job);
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

void cache_workers_start(struct cache_workers *w, struct cache_job *job)
{
	start(w, job, queue_last);
}

void cache_workers_start_next(struct cache_workers *w, struct cache_job *job)
{
	start(w, job, queue_first);
}

/* What a thread may run while it waits for another job; NULL: nothing. */
static struct cache_job *first_short(const struct cache_workers *w)
{
	struct cache_job *job = w->first;

	while (job && job->reads)
		job = job->next;
	return job;
}

/* Whether @job was not begun: then it is idle. Otherwise it has run, or was not started. */
static bool take_back(struct cache_workers *w, struct cache_job *job)
{
	bool queued;

	if (!w) {
		queued = job->state == CACHE_JOB_QUEUED;
		job->state = CACHE_JOB_IDLE;
		return queued;
	}
	pthread_mutex_lock(&w->lock);
	queued = job->state == CACHE_JOB_QUEUED;
	if (queued)
		take_out(w, job);
	while (job->state == CACHE_JOB_RUNNING) {
		struct cache_job *other = first_short(w);

		if (other)
			run(w, other);
		else
			pthread_cond_wait(&w->done, &w->lock);
	}
	job->state = CACHE_JOB_IDLE;
	pthread_mutex_unlock(&w->lock);
	return queued;
}

void cache_workers_wait(struct cache_workers *w, struct cache_job *job)
{
	if (take_back(w, job))
		job->fn(job->ctx);
}

void cache_workers_drop(struct cache_workers *w, struct cache_job *job)
{
	take_back(w, job);
}
