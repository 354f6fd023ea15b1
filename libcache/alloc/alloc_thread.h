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
 * @a:      initialised and with valid marks; belongs to the caller, who until the stop uses it
 *          only between lock and unlock
 * @out: receives the handle; release it with cache_alloc_thread_stop()
 *
 * Hooks run on the new thread with the lock held. commit_gens and discard may
 * unlock around their I/O and lock again; need_gc must not wait.
 *
 * Return: 0; -ENOMEM; the error of pthread_create().
 */
int cache_alloc_thread_start(struct cache_alloc *a, struct cache_alloc_thread **out);

/*
 * Ends the thread after its current step, waits for it, frees @th; @th may be NULL. All waiting
 * callers get -EIO and must have returned before the caller frees @a.
 */
void cache_alloc_thread_stop(struct cache_alloc_thread *th);

/*
 * For any other use of the allocator or its table. Unlock wakes the thread and waiting callers,
 * since the change may be what they wait for.
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

/* cache_alloc_put() with the lock held; the thread may need the bucket. */
void cache_alloc_thread_put(struct cache_alloc_thread *th, uint64_t bucket);

/* From now on no bucket is handed out and nothing is written; waiting callers get -EIO. */
void cache_alloc_thread_io_disable(struct cache_alloc_thread *th);

#ifdef __cplusplus
}
#endif
#endif
