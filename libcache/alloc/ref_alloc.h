/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reference allocator: the allocator written as simply as possible, with an array for each
 * field, a rescale that visits every bucket and a heap over all of them. Tests compare the fast
 * one with it; cache-bench measures both side by side.
 */
#ifndef CACHE_REF_ALLOC_H
#define CACHE_REF_ALLOC_H

#include "alloc/alloc.h"

struct cache_ref_alloc_bucket {	/* twelve bytes and a flag, as in the driver */
	uint32_t pin;
	uint16_t prio, mark, sectors;
	uint8_t	 gen, last_gc;
	bool	 reclaimable_in_gc;
};

struct cache_ref_alloc_fifo {
	uint64_t *v, head, used, size, mask;
};

struct cache_ref_alloc {
	struct cache_alloc_opts opts;
	const struct cache_alloc_ops *ops;
	void *ctx;
	struct cache_ref_alloc_bucket *b;
	uint64_t nbuckets, first_bucket, bucket_sectors;
	struct cache_ref_alloc_fifo free[CACHE_RESERVE_NR], free_inc;
	uint32_t *heap;
	uint64_t heap_used, heap_size;
	uint64_t fifo_last_bucket, avail;
	struct cache_rng rng;
	uint32_t min_prio, prio_blocked;
	int32_t	 rescale;
	uint8_t	 need_gc;
	bool	 gc_mark_valid, gc_runs, invalidate_needs_gc, refused, io_disabled;
	enum cache_alloc_phase phase;
	uint64_t passes, commits, rescales, gcs;
	/* For tests: these victims, of equal weights, instead of the heap's. */
	const uint32_t *follow;
	uint64_t nfollow;
	bool	 strayed;	/* that choice was not valid */
};

int cache_ref_alloc_init(struct cache_ref_alloc *k, uint64_t nbuckets, uint32_t first_bucket,
		    uint32_t bucket_sectors, const struct cache_alloc_opts *opts,
		    const struct cache_alloc_ops *ops, void *ctx);
void cache_ref_alloc_fini(struct cache_ref_alloc *k);

uint64_t cache_ref_alloc_weight(const struct cache_ref_alloc *k, uint64_t b);
bool cache_ref_alloc_rescale(struct cache_ref_alloc *k, uint32_t sectors);
void cache_ref_alloc_free(struct cache_ref_alloc *k, uint64_t b);
void cache_ref_alloc_gc_begin(struct cache_ref_alloc *k);
void cache_ref_alloc_gc_finish(struct cache_ref_alloc *k);
void cache_ref_alloc_seed_free(struct cache_ref_alloc *k);

/* The parts of a step, for a thread that takes the lock for each of them. */
bool cache_ref_alloc_push(struct cache_ref_alloc *k, uint64_t b);
bool cache_ref_alloc_pop(struct cache_ref_alloc_fifo *f, uint64_t *b);
void cache_ref_alloc_invalidate(struct cache_ref_alloc *k);
int cache_ref_alloc_commit(struct cache_ref_alloc *k);

int cache_ref_alloc_step(struct cache_ref_alloc *k);
int cache_ref_alloc_get(struct cache_ref_alloc *k, enum cache_reserve reserve, uint64_t *b);

#endif
