/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a replay will insert, and which of it lies on top where: extents as they lie on
 * disk, in the order they were made, and in the order of what they cover only the places
 * of them. Who walks it gets them cut as the driver would have (format 6.5).
 */
#ifndef LIBCACHE_OVERLAY_H
#define LIBCACHE_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "format/bkey.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_overlay {
	cache_le64 *words;	/* keys, and whatever stands between them; later ones win */
	uint32_t *at;		/* the index in @words of each extent; sorted by start at the end */
	size_t nwords, n;
};

/* Room for @nwords, and so many extents as they can hold. Return: 0, -ENOMEM. */
int cache_overlay_init(struct cache_overlay *o, uint64_t nwords);
void cache_overlay_fini(struct cache_overlay *o);

/* The extent at word @at counts: its size is not 0, nor greater than its end. */
void cache_overlay_add(struct cache_overlay *o, size_t at);
/* When all are there. */
void cache_overlay_sort(struct cache_overlay *o);

/* The key at word @at: cache_bkey_decode(). */
unsigned cache_overlay_key(const struct cache_overlay *o, size_t at, struct cache_bkey *k);

struct cache_overlay_walk {
	const struct cache_overlay *o;
	size_t next;		/* of o->at: the first that was not reached */
	uint32_t *open;		/* those that were and go on: a heap, the newest first */
	size_t nopen;
	uint64_t pos;		/* up to there all was said, of the inode that is open */
	uint32_t at;		/* the extent that the last piece was of */
};

/**
 * cache_overlay_walk_init() - begin a walk over what lies on top
 * @o: sorted; stays the caller's, and unchanged until cache_overlay_walk_fini()
 *
 * Memory: what @o takes, 28 bytes per extent of one pointer, and 4 more per extent where
 * many lie upon each other. Return: 0 or -ENOMEM.
 */
int cache_overlay_walk_init(struct cache_overlay_walk *w, const struct cache_overlay *o);
void cache_overlay_walk_fini(struct cache_overlay_walk *w);
/*
 * The next piece, in key order, or false. One without pointers hides like any other and
 * is among them.
 */
bool cache_overlay_next(struct cache_overlay_walk *w, struct cache_bkey *k);

#ifdef __cplusplus
}
#endif
#endif
