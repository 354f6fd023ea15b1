/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What must be known of each bucket to judge a set: its gen, the oldest gen that a
 * pointer has, and its mark. Either three bytes per bucket, for those who only look, or a
 * window on a bucket table, for those who will allocate; who judges keys does not care.
 * Bucket numbers are not checked here.
 */
#ifndef LIBCACHE_GENS_H
#define LIBCACHE_GENS_H

#include "alloc/bucket.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_gens {
	uint64_t nbuckets;
	struct cache_buckets *table;		/* a window on it; else NULL, and: */
	uint8_t *rec;	/* of each bucket side by side: gen, last_gc, mark */
};

#define CACHE_GENS_BYTES	3u	/* of a record */

/**
 * cache_gens_init() - three bytes per bucket, without a table
 * @gen: of @nbuckets buckets, from malloc(); freed, also after an error. It is the last_gc
 *       of each as well; all marks are CACHE_GC_MARK_NONE
 *
 * Memory that only has gens of 0 is never touched.
 *
 * Return: 0; -ENOMEM. Release with cache_gens_fini(), also after an error.
 */
int cache_gens_init(struct cache_gens *g, uint64_t nbuckets, uint8_t *gen);
void cache_gens_fini(struct cache_gens *g);

/* A window on @t, which must outlive it; needs no release. */
static inline struct cache_gens cache_gens_of(struct cache_buckets *t)
{
	struct cache_gens g = { t->nbuckets, t, NULL };

	return g;
}

/* Only without a table. */
static inline uint8_t *cache_gens_rec(const struct cache_gens *g, uint64_t b)
{
	return g->rec + b * CACHE_GENS_BYTES;
}

static inline uint8_t cache_gens_gen(const struct cache_gens *g, uint64_t b)
{
	return g->table ? cache_bucket_gen(g->table, b) : cache_gens_rec(g, b)[0];
}

static inline uint8_t cache_gens_last_gc(const struct cache_gens *g, uint64_t b)
{
	return g->table ? cache_bucket_last_gc(g->table, b) : cache_gens_rec(g, b)[1];
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
