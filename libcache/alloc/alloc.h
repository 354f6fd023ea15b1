/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bucket allocator of one cache device, as the driver's alloc.c describes
 * it (behaviour 5): state, steps and hooks, and no I/O, thread or clock.
 *
 * The allocator cycles through three phases, one step at a time:
 *
 * 	drain	   free_inc -> [discard] -> free[PRIO, BTREE, MOVINGGC, NONE]
 * 	invalidate the policy picks victims, bumps their gens, fills free_inc
 * 	commit	   prio write: the new gens become durable
 *
 * A bucket is handed out only after the commit that followed its invalidation (D1); the one
 * exception are buckets nothing pointed to at start-up. Between any two steps the state is
 * consistent and may be lost, as in a crash.
 *
 * There are no locks here: calls for one allocator, its table and its hooks come from one
 * thread at a time. alloc_thread.h puts a lock and a thread around it.
 */
#ifndef LIBCACHE_ALLOC_H
#define LIBCACHE_ALLOC_H

#include "alloc/bucket.h"
#include "base/checked.h"
#include "base/err.h"
#include "base/rng.h"
#include "format/eras.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The purpose of a bucket, in the driver's order (behaviour 5.1). */
enum cache_reserve {
	CACHE_RESERVE_BTREE,	/* nodes and the uuid table */
	CACHE_RESERVE_PRIO,
	CACHE_RESERVE_MOVINGGC,
	CACHE_RESERVE_NONE,	/* data; every other purpose tries this queue first too */
	CACHE_RESERVE_NR,
};

/* The numbers of enum cache_replacement (format/ondisk.h). */
enum cache_policy {
	CACHE_POLICY_LRU,
	CACHE_POLICY_FIFO,
	CACHE_POLICY_RANDOM,
	CACHE_POLICY_NR,
};

/* Three generations of the driver's allocator (behaviour 6, kernels 2). */
enum cache_alloc_flavour {
	CACHE_ALLOC_NEWER,	/* 5.10 to 6.11: one cache, prio write may be refused */
	CACHE_ALLOC_OLDER,	/* about 4.15: sets of caches, prio write waits */
	CACHE_ALLOC_NEWEST,	/* since 6.12: as newer, and it invalidates while gc runs */
};

/* How the passes over the table are implemented; the results are identical. */
enum cache_simd {
	CACHE_SIMD_AUTO,	/* the widest that this machine supports */
	CACHE_SIMD_PLAIN,
	CACHE_SIMD_AVX2,
	CACHE_SIMD_AVX512,
};

/* What a step waits for. */
enum cache_alloc_wait {
	CACHE_ALLOC_RAN,	/* not waiting: it did something, step again */
	CACHE_ALLOC_WAIT_SPACE,	/* every free queue is full */
	CACHE_ALLOC_WAIT_GC,	/* a gc pass has to finish */
	CACHE_ALLOC_WAIT_PRIO,	/* prio_blocked has to drop to 0 */
	CACHE_ALLOC_WAIT_RESERVE, /* older: too few buckets for the prio write */
};

enum cache_alloc_event {
	CACHE_ALLOC_EV_INVALIDATE, /* it held live sectors; detail: their number */
	CACHE_ALLOC_EV_ALLOC,	   /* detail: reserve asked for */
	CACHE_ALLOC_EV_FAIL,	   /* no bucket available; detail: reserve */
	CACHE_ALLOC_EV_REFUSED,	   /* a prio write was refused, no bucket */
};

/* Each hook may be NULL: then it succeeds and does nothing. */
struct cache_alloc_ops {
	/*
	 * The prio write (behaviour 2). It takes its buckets with cache_alloc_get(a,
	 * CACHE_RESERVE_PRIO, ...) and frees the old ones when the new ones are durable. 0:
	 * every gen in the table is durable. -ENOMEM: nothing was changed, and it must be
	 * called again after a gc. Any other error disables the allocator.
	 */
	int  (*commit_gens)(void *ctx);
	/* Called before a bucket enters a free queue. Failures are only counted. */
	int  (*discard)(void *ctx, uint64_t bucket);
	/* Start a gc pass, now or soon; called last in a step. */
	void (*need_gc)(void *ctx);
	void (*trace)(void *ctx, enum cache_alloc_event ev, uint64_t bucket,
		      uint32_t detail);
};

struct cache_alloc_opts {
	enum cache_policy	 policy;
	enum cache_alloc_flavour flavour;
	uint64_t seed;		/* for RANDOM: same seed, same buckets */
	uint32_t njournal;	/* of the superblock, 0 on the very first start */
	uint32_t btree_buckets;	/* size of the btree reserve; 0: @njournal, or 8 if that is 0 */
	uint32_t prio_buckets;	/* prio_sets per generation, at least 1 */
	bool	 sync;		/* CACHE_SYNC: without it gens are never written */
	bool	 discard;
	bool	 debug;		/* the driver's expensive_debug_checks */
	/*
	 * The newer driver's hazard (behaviour 2): after a refused prio write hand the buckets
	 * out anyway. If false, they wait for the next prio write.
	 */
	bool	 hand_out_unwritten;
	enum cache_simd simd;
	/* from the superblock: the device number in pointers to this member */
	uint32_t nr_this_dev;
};

/* A queue of bucket numbers: push at the back, pop at the front. */
struct cache_ring {
	uint32_t *slot;
	uint32_t  head, used, size, mask;
};

struct cache_alloc_stats {
	uint64_t allocated, failed, freed;
	uint64_t invalidated, invalidate_passes, ran_dry;
	uint64_t sweeps;	/* LRU passes that read the whole table */
	uint64_t commits, commits_refused;
	uint64_t discards, discard_errors;
	uint64_t rescales, gcs;
};

enum cache_alloc_phase {
	CACHE_ALLOC_DRAIN,
	CACHE_ALLOC_INVALIDATE,
	CACHE_ALLOC_COMMIT,
};

struct cache_lru;
struct cache_policy_ops;

struct cache_alloc {
	struct cache_buckets *buckets;	/* belongs to the caller, who frees it after us */
	const struct cache_alloc_ops *ops;
	void *ctx;
	struct cache_alloc_opts opts;
	const struct cache_policy_ops *policy;

	struct cache_ring free[CACHE_RESERVE_NR];
	struct cache_ring free_inc;
	enum cache_alloc_phase phase;

	bool	 gc_mark_valid;		/* 0 while a gc runs, and before the first */
	bool	 gc_runs;		/* between gc_begin and gc_finish */
	bool	 invalidate_needs_gc;	/* the policy found nothing or a write was refused */
	bool	 io_disabled;
	bool	 want_gc;		/* the hook must be called at the end of the step */
	bool	 refused;		/* free_inc waits for another prio write */
	uint8_t	 need_gc;		/* max gen lag since the last finish */
	uint32_t prio_blocked;
	int32_t	 rescale;
	int64_t	 sectors_to_gc;
	uint64_t avail_nbuckets;
	/*
	 * newest: the buckets that could be invalidated when gc began, one bit per bucket; else
	 * NULL
	 */
	uint64_t *reclaimable_in_gc;

	/* older: all members of the set, the first one counts for all; see cache_alloc_join() */
	struct cache_alloc *const *members;
	unsigned int nmembers;

	/* The prio buckets of the set, 0 for none yet; belongs to the caller, may be NULL. */
	const uint64_t *prio_current, *prio_previous;

	uint64_t fifo_last_bucket;
	struct cache_rng rng;
	uint32_t draw[16], draws, drawn; /* RANDOM: numbers drawn in advance and not tried yet */
	struct cache_lru *lru;

	struct cache_alloc_stats stats;
};

/**
 * cache_alloc_init() - empty queues of the driver's sizes (behaviour 5.1)
 * @a:	     caller's storage
 * @buckets: table the allocator works on; stays the caller's
 * @opts:    copied
 * @ops:     hooks; stays the caller's; may be NULL
 * @ctx:     passed to every hook
 *
 * Nothing can be allocated before cache_alloc_gc_finish() said that the marks
 * are right, and cache_alloc_seed_free() or a few steps filled the queues.
 *
 * Return: 0; -EINVAL for an unknown policy or flavour, no prio_buckets or fewer than 513
 * buckets, for which the driver has no queue sizes; -EOPNOTSUPP if opts->simd
 * names what this machine lacks; -ENOMEM.
 */
int cache_alloc_init(struct cache_alloc *a, struct cache_buckets *buckets,
		     const struct cache_alloc_opts *opts,
		     const struct cache_alloc_ops *ops, void *ctx);
void cache_alloc_fini(struct cache_alloc *a);

/* Capacity of the driver's fifo made for @n: exact if small, else a power of two less one. */
static inline uint64_t cache_fifo_size(uint64_t n)
{
	return n <= 4 ? n : cache_roundup_pow2(n) - 1;
}

/* Number of buckets that fill all queues of an allocator of @nbuckets. */
uint64_t cache_alloc_queue_buckets(const struct cache_alloc_opts *o, uint64_t nbuckets);

/* Number of buckets in the set of @a, or of @a alone. */
uint64_t cache_alloc_set_nbuckets(const struct cache_alloc *a);

/*
 * Sets the fields of @o that depend on the driver @d: flavour and btree reserve. o->njournal is
 * set before.
 */
void cache_alloc_opts_of(struct cache_alloc_opts *o, const struct cache_driver *d,
			 uint64_t nbuckets);

/**
 * cache_alloc_join() - make allocators the members of one set of the older driver
 * @members:  in load order; the array stays the caller's and must outlive them
 * @nmembers: 1 .. 8
 *
 * Such a set ages all its buckets together: it has one counter of sectors, one min_prio and one
 * count of available buckets, which from now on are those of the first member. Call it before
 * any gc_begin.
 *
 * Return: 0; -EINVAL for another number, or a member of another flavour.
 */
int cache_alloc_join(struct cache_alloc *const *members, unsigned int nmembers);

/* The member whose rescale and avail_nbuckets count: the first of the set, or @a alone. */
static inline struct cache_alloc *cache_alloc_leader(struct cache_alloc *a)
{
	return a->nmembers ? a->members[0] : a;
}

/* Memory held besides the table. */
uint64_t cache_alloc_bytes(const struct cache_alloc *a);

/* "lru", "fifo", "random"; NULL when out of range. */
const char *cache_policy_name(enum cache_policy policy);

/*
 * A gc pass, or start-up (behaviour 4.3, 4.4): begin, mark the table, finish.
 *
 * Begin clears the marks of every unpinned bucket and remembers gens in last_gc; on a fresh
 * table it is not needed. The caller then marks what the tree points to. Finish marks @meta,
 * the uuid, journal and prio buckets, METADATA (numbers past the table are an -ERANGE, with
 * nothing finished), counts what is available and lets the policies run again. In between, the
 * newest driver invalidates buckets that it could have invalidated when gc began; the others
 * wait.
 */
void cache_alloc_gc_begin(struct cache_alloc *a);
int cache_alloc_gc_finish(struct cache_alloc *a, const uint64_t *meta, size_t n);

/*
 * Fills free[PRIO] and free[BTREE] with buckets without pointers to them (behaviour 4.3), at
 * start-up only: their gens need not be durable. Call it after gc_finish.
 */
void cache_alloc_seed_free(struct cache_alloc *a);

/**
 * cache_alloc_step() - one step of refilling (behaviour 5.6)
 *
 * Moves one bucket out of free_inc, or runs the policy once, or commits once.
 *
 * Return: CACHE_ALLOC_RAN, or what it waits for, and then nothing changed; -EIO when disabled;
 * the error of commit_gens, which disables the allocator.
 */
int cache_alloc_step(struct cache_alloc *a);

/* Steps until one waits or fails; returns the result of that step. */
int cache_alloc_refill(struct cache_alloc *a);

/**
 * cache_alloc_get() - take a bucket (behaviour 5.7)
 * @bucket: receives its number; its pin, now 1, is the caller's
 *
 * From free[NONE] first, then from @reserve. The bucket is marked METADATA with
 * CACHE_BTREE_PRIO for BTREE and PRIO, else RECLAIMABLE with the initial prio.
 *
 * Return: 0; -EAGAIN if there is none now; -EIO when disabled (newer); -EINVAL for no such
 * reserve; -EUCLEAN if the bucket from the queue has a wrong state.
 */
int cache_alloc_get(struct cache_alloc *a, enum cache_reserve reserve,
		    uint64_t *bucket);

/*
 * The same, but refills while there is none, as the driver waits. -EAGAIN then means that
 * refilling itself waits, as cache_alloc_step() returns.
 */
int cache_alloc_get_wait(struct cache_alloc *a, enum cache_reserve reserve,
			 uint64_t *bucket);

/* Whether the policy may take @b: clean, not pinned, gen not too far ahead (behaviour 5.4). */
bool cache_alloc_can_invalidate(const struct cache_alloc *a, uint64_t b);

/* Frees @b: nothing is stored in it any more (behaviour 5.7). Gen and pin stay. */
void cache_alloc_free(struct cache_alloc *a, uint64_t b);

/* Drops a pin; after the last one the policy may take @b again. */
void cache_alloc_put(struct cache_alloc *a, uint64_t b);

/* Increments the gen of @b (behaviour 5.2), as when a node is replaced. */
uint8_t cache_alloc_inc_gen(struct cache_alloc *a, uint64_t b);

/* A read hit: @b gets the priority of a new bucket. */
void cache_alloc_hit(struct cache_alloc *a, uint64_t b);

/* @b now holds dirty data (behaviour 5.9). */
void cache_alloc_dirty(struct cache_alloc *a, uint64_t b);

/*
 * Accounts @sectors of cached I/O and ages the table when it is due (behaviour 5.3). Returns
 * whether it was.
 */
bool cache_alloc_rescale(struct cache_alloc *a, uint32_t sectors);

/* While parents of replaced nodes are not yet on disk no prio write may start. */
void cache_alloc_prio_block(struct cache_alloc *a);
void cache_alloc_prio_unblock(struct cache_alloc *a);

/* CACHE_SET_IO_DISABLE: from now on no bucket is handed out and nothing is written. */
void cache_alloc_io_disable(struct cache_alloc *a);

/**
 * cache_alloc_check() - do the invariants D2-D4, D6, D8, D9, D11, D14 hold?
 *
 * Reads the whole table and every queue. For tests and the offline run.
 *
 * Return: 0; -EUCLEAN with the first violated one in @err; -ENOMEM.
 */
int cache_alloc_check(const struct cache_alloc *a, struct cache_err *err);

#define CACHE_ALLOC_PTRS_MAX	8

/* Where the caller may write: the values for a key's pointer. */
struct cache_alloc_ptr {
	uint64_t bucket;
	uint64_t sector;	/* where the bucket starts */
	uint32_t dev;		/* the member's nr_this_dev, whatever its index in the array */
	uint8_t	 gen;
};

/**
 * cache_alloc_set_get() - a bucket from each of the first @n members of a set
 * @members:   allocators in load order, all of one flavour
 * @nmembers:  how many there are
 * @wait:      refill members that are empty
 * @ptr:       receives @n pointers, @ptr[i] of @members[i]; each holds a pin on its bucket
 *
 * All or nothing: if one fails, the buckets taken before it are freed and unpinned, and become
 * reclaimable. The newer driver has sets of one member only.
 *
 * Return: as cache_alloc_get(); -EINVAL for @n not in 1 .. 8 or above @nmembers.
 */
int cache_alloc_set_get(struct cache_alloc *const *members, unsigned int nmembers,
			enum cache_reserve reserve, unsigned int n, bool wait,
			struct cache_alloc_ptr *ptr);

#ifdef __cplusplus
}
#endif
#endif
