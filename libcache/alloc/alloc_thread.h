/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A lock around an allocator and a thread that keeps its queues filled, as the
 * driver has (behaviour 5.6). One lock guards the allocator, its table and its
 * hooks: the driver's bucket_lock.
 */
#ifndef LIBCACHE_ALLOC_THREAD_H
#define LIBCACHE_ALLOC_THREAD_H

#include "alloc/alloc.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_alloc_thread;

/**
 * cache_alloc_thread_start() - lock @a and keep it filled
 * @a:	 initialised and with its marks valid; the caller's, and until the stop
 *	 touched only between lock and unlock
 * @out: receives the handle; cache_alloc_thread_stop() it
 *
 * Hooks run on the new thread with the lock held. commit_gens and discard may
 * unlock around their I/O and lock again; need_gc must not wait.
 *
 * Return: 0; -ENOMEM; what pthread_create() says.
 */
int cache_alloc_thread_start(struct cache_alloc *a, struct cache_alloc_thread **out);

/* Ends the thread after its current step, waits for it, frees @th; NULL is fine.
 * All who wait get -EIO and must have returned before the caller frees @a. */
void cache_alloc_thread_stop(struct cache_alloc_thread *th);

/*
 * Around any other use of the allocator or its table. Unlock wakes the thread
 * and those who wait, for what was done may be what they wait for.
 */
void cache_alloc_thread_lock(struct cache_alloc_thread *th);
void cache_alloc_thread_unlock(struct cache_alloc_thread *th);

/*
 * cache_alloc_get() for many threads. With @wait it sleeps until there is a
 * bucket: it fails only with -EIO after a stop, a failed hook or I/O-disable,
 * or with -EINVAL.
 */
int cache_alloc_thread_get(struct cache_alloc_thread *th, enum cache_reserve reserve,
			   bool wait, uint64_t *bucket);

/* cache_alloc_put() under the lock; the thread may need the bucket. */
void cache_alloc_thread_put(struct cache_alloc_thread *th, uint64_t bucket);

/* Nothing is given out or written any more; who waits gets -EIO. */
void cache_alloc_thread_io_disable(struct cache_alloc_thread *th);

#ifdef __cplusplus
}
#endif
#endif
