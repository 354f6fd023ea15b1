/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bucket table: what the driver keeps in memory for every bucket of one cache device
 * (behaviour 1). A record has eight bytes, so that a pass over millions of them is sequential
 * and a single one costs one cache line.
 *
 * Priorities age lazily. In the driver a rescale (behaviour 5.3) decrements the prio of every
 * bucket that is not pinned and whose prio is neither 0 nor CACHE_BTREE_PRIO; here it only
 * increments @epoch. What a record stores depends on its pin:
 *
 * 	pinned		the priority itself: a pinned bucket does not age
 * 	not pinned	priority + epoch at the time it was set, or 65535 for
 * 			CACHE_BTREE_PRIO; it has aged to 0 when epoch caught up
 *
 * So no code reads or writes .prio or .pin of a record directly: the accessors use true
 * priorities. (The driver's loops start at first_bucket; a priority given to a superblock
 * bucket, which has no meaning, ages here too.) Buckets 0 .. nbuckets-1 exist; the index is not
 * checked here, so check numbers from a disk before.
 */
#ifndef LIBCACHE_BUCKET_H
#define LIBCACHE_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_BTREE_PRIO	65535u	/* nodes, prio and uuid buckets */
#define CACHE_INITIAL_PRIO	32768u
#define CACHE_GC_GEN_MAX	96u	/* most that gen may run ahead of last_gc */
#define CACHE_GC_SECTORS_MAX	8191u	/* where GC_SECTORS_USED saturates */
#define CACHE_PIN_MAX		65535u	/* a pin count of this value never drops */
#define CACHE_NBUCKETS_MAX	UINT32_MAX

enum cache_gc_mark {
	CACHE_GC_MARK_NONE	  = 0,	/* nothing points to it */
	CACHE_GC_MARK_RECLAIMABLE = 1,	/* clean cached data */
	CACHE_GC_MARK_DIRTY	  = 2,
	CACHE_GC_MARK_METADATA	  = 3,
};

struct cache_bucket {
	uint16_t prio;		/* see above: not the true priority */
	uint16_t mark;		/* GC_MARK:2 GC_SECTORS_USED:13 GC_MOVE:1 */
	uint8_t	 gen;
	uint8_t	 last_gc;	/* oldest gen a pointer has, as of the last gc */
	uint16_t pin;
};

struct cache_buckets {
	struct cache_bucket *rec;
	uint64_t nbuckets;
	uint32_t first_bucket;
	uint32_t bucket_sectors;
	uint32_t epoch;		/* number of rescales that are not applied to the records yet */
	uint32_t min_prio;	/* as after the last rescale; 0 at start */
	/*
	 * Incremented when a change may have made a bucket a better victim than it was. Code
	 * that remembers victims forgets them then.
	 */
	uint64_t version;
	/*
	 * Number of unpinned buckets that store each prio in [hist_base, hist_base + hist_len),
	 * so that a rescale finds min_prio without a pass.
	 */
	uint32_t *hist;
	uint32_t hist_base, hist_len;
	uint32_t hist_min;	/* no stored prio above epoch is below it */
	bool	 hist_valid;
};

/**
 * cache_buckets_init() - a table of buckets with gen, prio, mark and pin 0
 * @t:		    caller's storage
 * @nbuckets:	    from the superblock; 1 .. CACHE_NBUCKETS_MAX
 * @first_bucket:   first one the allocator may use; below @nbuckets
 * @bucket_sectors: not 0
 *
 * Return: 0; -EINVAL for numbers out of these bounds; -ENOMEM. After a failure
 * cache_buckets_fini() is allowed and not needed.
 */
int cache_buckets_init(struct cache_buckets *t, uint64_t nbuckets,
		       uint32_t first_bucket, uint32_t bucket_sectors);

/* Frees the records; @t may be zeroed, NULL or already released. */
void cache_buckets_fini(struct cache_buckets *t);

/* Memory the table holds, records and counters. */
uint64_t cache_buckets_bytes(const struct cache_buckets *t);

/**
 * cache_buckets_rescale() - age every bucket by one (behaviour 5.3)
 *
 * The arithmetic of one rescale, without the counter that decides when. Sets
 * min_prio to the least priority that was aged, or to 65535 if none was.
 */
void cache_buckets_rescale(struct cache_buckets *t);

/*
 * Applies the epoch to every record. Priorities do not change; the accessors call it when a
 * priority would no longer fit beside the epoch.
 */
void cache_buckets_settle(struct cache_buckets *t);

/*
 * Packs prio (little-endian) and gen of buckets @first .. @first + @n - 1 into
 * @out, three bytes each, as they lie in a prio_set (format 2.2). The buckets
 * must exist.
 */
void cache_buckets_pack(const struct cache_buckets *t, uint64_t first, size_t n,
			void *out);

/* How far gen @a is ahead of gen @b; 0 if it is not (modulo 256). */
static inline uint8_t cache_gen_after(uint8_t a, uint8_t b)
{
	uint8_t r = a - b;

	return r > 128 ? 0 : r;
}

static inline uint8_t cache_bucket_gen(const struct cache_buckets *t, uint64_t b)
{
	return t->rec[b].gen;
}

static inline uint8_t cache_bucket_last_gc(const struct cache_buckets *t, uint64_t b)
{
	return t->rec[b].last_gc;
}

/* How far gen is ahead of the oldest pointer: at CACHE_GC_GEN_MAX a gc is needed first. */
static inline uint8_t cache_bucket_gc_gen(const struct cache_buckets *t, uint64_t b)
{
	return t->rec[b].gen - t->rec[b].last_gc;
}

static inline enum cache_gc_mark cache_bucket_mark(const struct cache_buckets *t,
						   uint64_t b)
{
	return (enum cache_gc_mark)(t->rec[b].mark & 3);
}

static inline uint32_t cache_bucket_sectors_used(const struct cache_buckets *t,
						 uint64_t b)
{
	return t->rec[b].mark >> 2 & CACHE_GC_SECTORS_MAX;
}

static inline bool cache_bucket_move(const struct cache_buckets *t, uint64_t b)
{
	return t->rec[b].mark >> 15;
}

static inline uint32_t cache_bucket_pin(const struct cache_buckets *t, uint64_t b)
{
	return t->rec[b].pin;
}

/* The true priority of a record. */
static inline uint16_t cache_bucket_prio_of(const struct cache_bucket *r,
					    uint32_t epoch)
{
	if (r->pin || r->prio == CACHE_BTREE_PRIO)
		return r->prio;
	return r->prio > epoch ? r->prio - epoch : 0;
}

static inline uint16_t cache_bucket_prio(const struct cache_buckets *t, uint64_t b)
{
	return cache_bucket_prio_of(&t->rec[b], t->epoch);
}

static inline void cache_bucket_set_gen(struct cache_buckets *t, uint64_t b, uint8_t gen)
{
	t->rec[b].gen = gen;
	t->version++;
}

static inline void cache_bucket_set_last_gc(struct cache_buckets *t, uint64_t b,
					    uint8_t gen)
{
	t->rec[b].last_gc = gen;
	t->version++;
}

static inline void cache_bucket_set_mark(struct cache_buckets *t, uint64_t b,
					 enum cache_gc_mark mark)
{
	t->rec[b].mark = (t->rec[b].mark & ~3u) | mark;
	t->version++;
}

/* Kept modulo 8192, as the driver's bit field does; saturate before the call. */
static inline void cache_bucket_set_sectors_used(struct cache_buckets *t, uint64_t b,
						 uint32_t sectors)
{
	t->rec[b].mark = (t->rec[b].mark & 0x8003u) |
			 (sectors & CACHE_GC_SECTORS_MAX) << 2;
	t->version++;
}

static inline void cache_bucket_set_move(struct cache_buckets *t, uint64_t b, bool move)
{
	t->rec[b].mark = (t->rec[b].mark & 0x7fffu) | (uint16_t)(move << 15);
}

/*
 * The two functions below update hist; only the accessors use them. Superblock buckets do not
 * age.
 */
static inline void cache_buckets_count(struct cache_buckets *t, uint64_t b,
				       uint32_t stored)
{
	uint32_t i = stored - t->hist_base;

	if (b < t->first_bucket)
		return;
	if (i < t->hist_len)
		t->hist[i]++;
	else if (stored < t->hist_base && stored > t->epoch)
		t->hist_valid = false;
	if (stored < t->hist_min)
		t->hist_min = stored;
}

static inline void cache_buckets_uncount(struct cache_buckets *t, uint64_t b,
					 uint32_t stored)
{
	uint32_t i = stored - t->hist_base;

	if (i < t->hist_len && b >= t->first_bucket)
		t->hist[i]--;
}

/* The value that an unpinned bucket of priority @prio stores now; may apply the epoch. */
static inline uint16_t cache_buckets_stamp(struct cache_buckets *t, uint16_t prio)
{
	if (prio == CACHE_BTREE_PRIO)
		return prio;
	if (__builtin_expect(prio + t->epoch >= CACHE_BTREE_PRIO, 0))
		cache_buckets_settle(t);
	return prio + t->epoch;
}

/* Sets the priority of bucket @b; it does not change version. */
static inline void cache_bucket_touch(struct cache_buckets *t, uint64_t b, uint16_t prio)
{
	struct cache_bucket *r = &t->rec[b];

	if (r->pin) {
		r->prio = prio;
		return;
	}
	prio = cache_buckets_stamp(t, prio);
	cache_buckets_uncount(t, b, r->prio);
	r->prio = prio;
	cache_buckets_count(t, b, prio);
}

static inline void cache_bucket_set_prio(struct cache_buckets *t, uint64_t b,
					 uint16_t prio)
{
	cache_bucket_touch(t, b, prio);
	t->version++;
}

/* Takes a reference; at CACHE_PIN_MAX the bucket stays pinned forever. */
static inline void cache_bucket_pin_get(struct cache_buckets *t, uint64_t b)
{
	struct cache_bucket *r = &t->rec[b];

	if (!r->pin) {
		cache_buckets_uncount(t, b, r->prio);
		r->prio = cache_bucket_prio_of(r, t->epoch);
	}
	if (r->pin < CACHE_PIN_MAX)
		r->pin++;
}

/* Drops a reference without changing version: after the last one the bucket ages again. */
static inline void cache_bucket_pin_drop(struct cache_buckets *t, uint64_t b)
{
	struct cache_bucket *r = &t->rec[b];

	if (!r->pin || r->pin == CACHE_PIN_MAX)
		return;
	if (r->pin == 1) {
		r->prio = cache_buckets_stamp(t, r->prio);
		cache_buckets_count(t, b, r->prio);
	}
	r->pin--;
}

/* Drops a reference; a bucket without one is unchanged. */
static inline void cache_bucket_pin_put(struct cache_buckets *t, uint64_t b)
{
	cache_bucket_pin_drop(t, b);
	t->version++;
}

/* Sets the count; more than CACHE_PIN_MAX counts as CACHE_PIN_MAX. */
void cache_bucket_set_pin(struct cache_buckets *t, uint64_t b, uint32_t pin);

#ifdef __cplusplus
}
#endif
#endif
