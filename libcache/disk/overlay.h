/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a replay will insert, and which extent is on top at each position. Extents are kept as
 * on disk, in the order of insertion; only their indices are kept in the order of position. A
 * walk returns them cut as the driver would cut them (format 6.5).
 */
#ifndef LIBCACHE_OVERLAY_H
#define LIBCACHE_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "format/bkey.h"
#include "format/problem.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_overlay {
	/* keys, and other words between them; later keys override earlier ones */
	cache_le64 *words;
	uint32_t *at;		/* the index in @words of each extent; finally sorted by start */
	size_t nwords, n;
};

/* Makes space for @nwords and as many extents as they can hold. Return: 0, -ENOMEM. */
int cache_overlay_init(struct cache_overlay *o, uint64_t nwords);
void cache_overlay_fini(struct cache_overlay *o);

/* The extent at word @at is used; its size is not 0 and not greater than its end. */
void cache_overlay_add(struct cache_overlay *o, size_t at);
/*
 * Sorts; call it when all extents were added. Of @sink, which may be NULL, the progress alone is
 * called. Return: 0, -ENOMEM, -ECANCELED.
 */
int cache_overlay_sort(struct cache_overlay *o, const struct cache_sink *sink);

/* Decodes the key at word @at, as cache_bkey_decode(). */
unsigned cache_overlay_key(const struct cache_overlay *o, size_t at, struct cache_bkey *k);

struct cache_overlay_walk {
	const struct cache_overlay *o;
	size_t next;		/* index in o->at of the first extent that is not open yet */
	uint32_t *open;		/* open extents: a heap, the newest first */
	size_t nopen;
	/* everything before this offset, of the current inode, was returned */
	uint64_t pos;
	uint32_t at;		/* the extent of the last piece */
};

/**
 * cache_overlay_walk_init() - begin a walk over the extents on top
 * @o: sorted; stays the caller's, and unchanged until cache_overlay_walk_fini()
 *
 * Memory: what @o takes, 28 bytes per extent of one pointer, and 4 more per open extent.
 * Return: 0 or -ENOMEM.
 */
int cache_overlay_walk_init(struct cache_overlay_walk *w, const struct cache_overlay *o);
void cache_overlay_walk_fini(struct cache_overlay_walk *w);
/*
 * The next piece, in key order, or false. An extent without pointers hides others too and is
 * also returned.
 */
bool cache_overlay_next(struct cache_overlay_walk *w, struct cache_bkey *k);

#ifdef __cplusplus
}
#endif
#endif
