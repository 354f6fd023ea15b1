/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A few threads that work off jobs beside their owner. The owner starts jobs and waits for them;
 * a job that nobody has begun by then runs in the waiting thread, and while another thread is at
 * it, the waiting one runs what else is queued, but no job that waits for a device. So without
 * threads (NULL) the same code works, in one thread.
 */
#ifndef LIBCACHE_WORKERS_H
#define LIBCACHE_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_WORKERS_MAX	64u

struct cache_workers;

enum cache_job_state { CACHE_JOB_IDLE, CACHE_JOB_QUEUED, CACHE_JOB_RUNNING, CACHE_JOB_DONE };

/* The caller's storage, zero before the first use; it must stay while the job is started. */
struct cache_job {
	void (*fn)(void *ctx);	/* it may start other jobs, and must not wait for any */
	void *ctx;
	bool reads;		/* it waits for a device: not run by a thread that waits for another job */
	enum cache_job_state state;	/* this and the next are only for workers.c */
	struct cache_job *next;
};

/**
 * cache_workers_new() - start @n threads, at most CACHE_WORKERS_MAX; 0: none, and *@workers is NULL
 *
 * All signals are blocked in them. If the machine gives fewer threads, there are fewer.
 * Return: 0 or -ENOMEM.
 */
int cache_workers_new(unsigned n, struct cache_workers **workers);

/* Ends the threads; no job may be started. NULL is accepted. */
void cache_workers_free(struct cache_workers *w);

/* Queues @job, which is idle. Jobs are begun in the order in which they were started. */
void cache_workers_start(struct cache_workers *w, struct cache_job *job);

/* The same, but @job is begun before all that are queued. */
void cache_workers_start_next(struct cache_workers *w, struct cache_job *job);

/* Returns when @job has run, which then is idle again; one that was not started is left alone. */
void cache_workers_wait(struct cache_workers *w, struct cache_job *job);

/* The same, but a job that was not begun is not run. */
void cache_workers_drop(struct cache_workers *w, struct cache_job *job);

#ifdef __cplusplus
}
#endif
#endif
