/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is needed of each bucket to check a set: its gen, the oldest gen that a pointer has, and
 * its mark. Either three bytes per bucket, for callers that only read, or a view of a bucket
 * table, for callers that will allocate; code that checks keys works with both. Bucket numbers
 * are not checked here.
 */
#ifndef LIBCACHE_GENS_H
#define LIBCACHE_GENS_H

#include "alloc/bucket.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_gens {
	uint64_t nbuckets;
	/* the table that it is a view of; NULL: it is @rec */
	struct cache_buckets *table;
	uint8_t *rec;	/* gen, last_gc and mark of each bucket, in this order */
};

#define CACHE_GENS_BYTES	3u	/* size of a record */

/**
 * cache_gens_init() - three bytes per bucket, without a table
 * @gen: of @nbuckets buckets, from malloc(); it is freed, also after an error. last_gc of each
 *       bucket is set to its gen; all marks are CACHE_GC_MARK_NONE
 *
 * Memory that only has gens of 0 is never touched.
 *
 * Return: 0; -ENOMEM. Release with cache_gens_fini(), also after an error.
 */
int cache_gens_init(struct cache_gens *g, uint64_t nbuckets, uint8_t *gen);
void cache_gens_fini(struct cache_gens *g);

/* Makes a view of @t, which must outlive it; needs no release. */
static inline struct cache_gens cache_gens_of(struct cache_buckets *t)
{
	struct cache_gens g = { t->nbuckets, t, NULL };

	return g;
}

/* Only if there is no table. */
static inline uint8_t *cache_gens_rec(const struct cache_gens *g, uint64_t b)
{
	return g->rec + b * CACHE_GENS_BYTES;
}

/* How many keys before it is looked at the bucket of a key is asked for. */
#define CACHE_GENS_AHEAD	32u

/*
 * Where the record of bucket @b is. To be given to __builtin_prefetch() by the function that
 * loops: gcc 12 leaves out calls of a function that does nothing but prefetch, inline or not.
 */
static inline const void *cache_gens_place(const struct cache_gens *g, uint64_t b)
{
	return g->table ? (const void *)&g->table->rec[b] : cache_gens_rec(g, b);
}

static inline uint8_t cache_gens_gen(const struct cache_gens *g, uint64_t b)
{
	return g->table ? cache_bucket_gen(g->table, b) : cache_gens_rec(g, b)[0];
}

static inline uint8_t cache_gens_last_gc(const struct cache_gens *g, uint64_t b)
{
	return g->table ? cache_bucket_last_gc(g->table, b) : cache_gens_rec(g, b)[1];
}

/* How far the gen is ahead of the last that gc saw. */
static inline uint8_t cache_gens_lag(const struct cache_gens *g, uint64_t b)
{
	return cache_gens_gen(g, b) - cache_gens_last_gc(g, b);
}

static inline enum cache_gc_mark cache_gens_mark(const struct cache_gens *g, uint64_t b)
{
	return g->table ? cache_bucket_mark(g->table, b) : (enum cache_gc_mark)cache_gens_rec(g, b)[2];
}

static inline void cache_gens_set_gen(struct cache_gens *g, uint64_t b, uint8_t gen)
{
	if (g->table)
		cache_bucket_set_gen(g->table, b, gen);
	else
		cache_gens_rec(g, b)[0] = gen;
}

static inline void cache_gens_set_last_gc(struct cache_gens *g, uint64_t b, uint8_t gen)
{
	if (g->table)
		cache_bucket_set_last_gc(g->table, b, gen);
	else
		cache_gens_rec(g, b)[1] = gen;
}

static inline void cache_gens_set_mark(struct cache_gens *g, uint64_t b,
				       enum cache_gc_mark mark)
{
	if (g->table)
		cache_bucket_set_mark(g->table, b, mark);
	else
		cache_gens_rec(g, b)[2] = mark;
}

#ifdef __cplusplus
}
#endif
#endif
