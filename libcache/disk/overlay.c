// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sweep over the extents in the order of their starts. The extents that contain the current
 * position are open. The newest open extent is on top, until it ends or a newer one begins. The
 * age of an extent is given by its index in @words; nothing else is stored for it. Offsets are
 * compared unsigned, because no extent wraps, even if the disk is hostile.
 */
#include "disk/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cache_overlay_init(struct cache_overlay *o, uint64_t nwords)
{
	memset(o, 0, sizeof(*o));
	if (nwords > UINT32_MAX)
		return -ENOMEM;
	/* pages that are never written are never allocated */
	o->words = reallocarray(NULL, nwords + 1, sizeof(*o->words));
	o->at = reallocarray(NULL, nwords / CACHE_BKEY_WORDS_MIN + 1, sizeof(*o->at));
	if (o->words && o->at)
		return 0;
	cache_overlay_fini(o);
	return -ENOMEM;
}

void cache_overlay_fini(struct cache_overlay *o)
{
	free(o->words);
	free(o->at);
	memset(o, 0, sizeof(*o));
}

void cache_overlay_add(struct cache_overlay *o, size_t at)
{
	o->at[o->n++] = at;
}

unsigned cache_overlay_key(const struct cache_overlay *o, size_t at, struct cache_bkey *k)
{
	return cache_bkey_decode(o->words + at, o->nwords - at, k);
}

/* Inode, size and end of the extent at @at: all that is compared. */
static struct cache_bkey range_of(const struct cache_overlay *o, uint32_t at)
{
	return (struct cache_bkey){ cache_le64_get(o->words[at]),
				    cache_le64_get(o->words[at + 1]), { 0 } };
}

static int by_start(const void *a, const void *b, void *ctx)
{
	uint32_t at_x = *(const uint32_t *)a, at_y = *(const uint32_t *)b;
	struct cache_bkey x = range_of(ctx, at_x), y = range_of(ctx, at_y);
	uint64_t inode_x = cache_key_inode(&x), inode_y = cache_key_inode(&y);
	uint64_t start_x = cache_key_start(&x), start_y = cache_key_start(&y);

	if (inode_x != inode_y)
		return inode_x < inode_y ? -1 : 1;
	if (start_x != start_y)
		return start_x < start_y ? -1 : 1;
	return at_x < at_y ? -1 : at_x > at_y;
}

int cache_overlay_sort(struct cache_overlay *o, const struct cache_sink *sink)
{
	return cache_sort_polled(o->at, o->n, sizeof(*o->at), by_start, o, sink);
}

int cache_overlay_walk_init(struct cache_overlay_walk *w, const struct cache_overlay *o)
{
	memset(w, 0, sizeof(*w));
	w->o = o;
	w->open = reallocarray(NULL, o->n + 1, sizeof(*w->open));
	return w->open ? 0 : -ENOMEM;
}

void cache_overlay_walk_fini(struct cache_overlay_walk *w)
{
	free(w->open);
	memset(w, 0, sizeof(*w));
}

/* The next extent in the order of starts becomes open. */
static void push(struct cache_overlay_walk *w)
{
	uint32_t at = w->o->at[w->next++];
	size_t i = w->nopen++;

	for (; i && w->open[(i - 1) / 2] < at; i = (i - 1) / 2)
		w->open[i] = w->open[(i - 1) / 2];
	w->open[i] = at;
}

/* The newest open extent ends. */
static void pop(struct cache_overlay_walk *w)
{
	uint32_t at = w->open[--w->nopen];
	size_t i = 0, c;

	for (; (c = 2 * i + 1) < w->nopen; i = c) {
		c += c + 1 < w->nopen && w->open[c + 1] > w->open[c];
		if (w->open[c] < at)
			break;
		w->open[i] = w->open[c];
	}
	w->open[i] = at;
}

/*
 * The newest open extent at the current position, after moving to the next start if none is
 * open; false: no extent is left.
 */
static bool find_top(struct cache_overlay_walk *w)
{
	while (w->nopen && range_of(w->o, w->open[0]).low <= w->pos)
		pop(w);
	if (!w->nopen && w->next < w->o->n) {
		struct cache_bkey k = range_of(w->o, w->o->at[w->next]);

		w->pos = cache_key_start(&k);
		push(w);
	}
	return w->nopen;
}

/*
 * The end of the visible part of @top, at w->at; an older extent that begins there stays below
 * it.
 */
static uint64_t follow(struct cache_overlay_walk *w, const struct cache_bkey *top)
{
	while (w->next < w->o->n) {
		uint32_t at = w->o->at[w->next];
		struct cache_bkey k = range_of(w->o, at);

		if (cache_key_inode(&k) != cache_key_inode(top) ||
		    cache_key_start(&k) >= top->low)
			break;
		push(w);
		if (at > w->at)
			return cache_key_start(&k);
	}
	return top->low;
}

bool cache_overlay_next(struct cache_overlay_walk *w, struct cache_bkey *k)
{
	while (find_top(w)) {
		uint64_t start = w->pos;

		w->at = w->open[0];
		cache_overlay_key(w->o, w->at, k);
		w->pos = follow(w, k);
		if (w->pos == start)
			continue;
		cache_bkey_cut_back(k, w->pos);
		cache_bkey_cut_front(k, start);
		return true;
	}
	return false;
}
