/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a finding is delivered; what it is: findings.h.
 *
 * A rule is written once. The code that knows the rule fills a struct
 * cache_finding and hands it to a sink. Opening passes no sink: the first
 * finding that means damage becomes the error. fsck passes one and receives all findings.
 */
#ifndef LIBCACHE_PROBLEM_H
#define LIBCACHE_PROBLEM_H

#include <errno.h>

#include <libcache/findings.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The content of a place is not known, so nothing may be concluded from its absence. */
static inline bool cache_doubt_is_unread(enum cache_doubt doubt)
{
	return doubt >= CACHE_DOUBT_UNREAD;
}

/* A report function of a cache_sink that ignores findings, for a second walk. */
void cache_sink_ignore(void *ctx, const struct cache_finding *f);

/**
 * cache_found() - deliver a finding
 * @sink: receives it; NULL: a finding of severity CORRUPT becomes the error
 * @err:  used without a sink only; may be NULL
 *
 * Return: 0 to go on; without a sink, the row's negative errno for damage.
 */
int cache_found(const struct cache_sink *sink, struct cache_err *err,
		const struct cache_finding *f);

/* Says how far a pass (0: none) has come, where @sink wants to know. Return: 0, or -ECANCELED to stop. */
static inline int cache_poll(const struct cache_sink *sink, unsigned pass, uint64_t current,
			     uint64_t max)
{
	return sink && sink->progress && sink->progress(sink->ctx, pass, current, max) ?
	       -ECANCELED : 0;
}

/* The same of a struct cache_sink, or NULL, as the poll of a sort. */
int cache_poll_sink(void *sink);

/* cache_sort() that asks @sink, which may be NULL, whether to go on. Return: also -ECANCELED. */
int cache_sort_polled(void *v, size_t n, size_t size,
		      int (*cmp)(const void *a, const void *b, void *ctx), void *ctx,
		      const struct cache_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
