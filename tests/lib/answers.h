/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a cache answers: for every sector of its devices, where in the cache the block
 * lies, if there, and whether the backing device has it too. Two of these tell what a
 * repair did to the data: what is lost, and what is answered wrong.
 */
#ifndef TESTS_LIB_ANSWERS_H
#define TESTS_LIB_ANSWERS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "set/set.h"

struct answer {
	uint64_t inode, start, end;	/* sectors of the device */
	uint64_t place;			/* sector of the cache */
	uint8_t gen;
	bool dirty;
};

struct answers {
	struct answer *a;
	size_t n, capacity;
	uint64_t flash;		/* bit an inode: nothing behind it, so all counts as dirty */
};

static inline int answers_see(void *ctx, const struct cache_extent *e)
{
	struct answers *s = ctx;
	uint64_t inode = cache_key_inode(&e->key);

	if (e->staleness || e->check_key || !e->available)
		return 0;
	if (s->n == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 1024;
		s->a = reallocarray(s->a, s->capacity, sizeof(*s->a));
		if (!s->a)
			return -ENOMEM;
	}
	s->a[s->n++] = (struct answer){
		inode, cache_key_start(&e->key), e->key.low, cache_ptr_sector(e->key.ptr[0]),
		cache_ptr_gen(e->key.ptr[0]),
		cache_key_dirty(&e->key) || (inode < 64 && s->flash >> inode & 1) };
	return 0;
}

static inline void answers_flash(struct answers *s, const struct cache_uuids *u)
{
	for (unsigned i = 0; i < u->n && i < 64; i++)
		if (cache_uuid_state(&u->slot[i]) == CACHE_SLOT_FLASH)
			s->flash |= UINT64_C(1) << i;
}

static inline int answers_of(struct cache_set *set, struct answers *s)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };

	memset(s, 0, sizeof(*s));
	answers_flash(s, &set->uuids);
	if (set->loaded >= CACHE_LOAD_JOURNAL && !cache_sb_is_synced(&set->sb))
		return 0;	/* never ran: all is on the backing devices */
	return set->loaded == CACHE_LOAD_MARKS ?
	       cache_set_each_extent(set, answers_see, s, &silent, NULL) : -EUCLEAN;
}

static inline void answers_fini(struct answers *s)
{
	free(s->a);
	memset(s, 0, sizeof(*s));
}

enum answers_change {
	ANSWERS_LOST,		/* dirty data is not there any more */
	ANSWERS_OTHER,		/* dirty: other data, which is dirty too, is in its place */
	ANSWERS_STALE,		/* clean data is answered that was not there before */
};

struct answers_piece {
	enum answers_change change;
	uint64_t inode, start, end;
	const struct answer *was, *now;		/* what covers it; either may be NULL */
};

/* The first that ends after (@inode, @at), from *@i on: that is moved there. */
static inline size_t answers_from(const struct answers *s, size_t *i, uint64_t inode,
				  uint64_t at)
{
	while (*i < s->n && (s->a[*i].inode < inode ||
			     (s->a[*i].inode == inode && s->a[*i].end <= at)))
		++*i;
	return *i;
}

/* The part of @a that covers (@inode, @at), or begins after it. */
static inline const struct answer *answers_at(const struct answers *s, size_t *i,
					      uint64_t inode, uint64_t at)
{
	answers_from(s, i, inode, at);
	return *i < s->n && s->a[*i].inode == inode ? &s->a[*i] : NULL;
}

static inline bool answers_same(const struct answer *a, const struct answer *b, uint64_t at)
{
	return a->gen == b->gen && a->place + (at - a->start) == b->place + (at - b->start);
}

/* What is wrong with @now, given that @was was right; -1: nothing. Either may be NULL. */
static inline int answers_judge(const struct answer *was, const struct answer *now, uint64_t at)
{
	if (was && now && answers_same(was, now, at))
		return was->dirty && !now->dirty ? ANSWERS_LOST : -1;
	if (now)
		return now->dirty ? ANSWERS_OTHER : ANSWERS_STALE;
	return was && was->dirty ? ANSWERS_LOST : -1;
}

/* The one that covers (@inode, @at); NULL: none does. Asked in any order. */
static inline const struct answer *answers_find(const struct answers *s, uint64_t inode,
						uint64_t at)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->a[mid].inode < inode || (s->a[mid].inode == inode && s->a[mid].end <= at))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->a[lo].inode == inode && s->a[lo].start <= at ? &s->a[lo] : NULL;
}

/* Every piece of a device that @now answers otherwise than @was, to the worse. */
static inline void answers_compare(const struct answers *was, const struct answers *now,
				   void (*fn)(void *ctx, const struct answers_piece *p), void *ctx)
{
	uint64_t inode = 0, at = 0;
	size_t i = 0, j = 0;

	for (;;) {
		const struct answer *a = answers_at(was, &i, inode, at);
		const struct answer *b = answers_at(now, &j, inode, at);
		uint64_t end = UINT64_MAX;
		int change;

		if (!a && !b) {		/* to the next device that has anything */
			if (i == was->n && j == now->n)
				return;
			inode = i < was->n ? was->a[i].inode : UINT64_MAX;
			if (j < now->n && now->a[j].inode < inode)
				inode = now->a[j].inode;
			at = 0;
			continue;
		}
		if (a)
			end = a->start > at ? a->start : a->end;
		if (b && (b->start > at ? b->start : b->end) < end)
			end = b->start > at ? b->start : b->end;
		a = a && a->start <= at ? a : NULL;
		b = b && b->start <= at ? b : NULL;
		change = answers_judge(a, b, at);
		if (change >= 0)
			fn(ctx, &(struct answers_piece){ change, inode, at, end, a, b });
		at = end;
	}
}

#endif
