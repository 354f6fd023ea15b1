/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's choice of an open bucket, a walk over a list, beside ours: the same
 * requests to both, for the benchmark and for the count of instructions.
 */
#ifndef TEST_WALK_H
#define TEST_WALK_H

#include <string.h>

#include "base/rng.h"
#include "alloc/sectors.h"

#define WALK_INODES	64

struct walk_slot {
	struct walk_slot *prev, *next;
	uint64_t offset;
	uint32_t inode, wp, free, nptrs;
	struct cache_alloc_ptr ptr[CACHE_ALLOC_PTRS_MAX];
};

struct walk {
	struct walk_slot head, slot[CACHE_OPEN_BUCKETS];
	uint32_t uuid_flags[WALK_INODES];	/* bit 0: flash only */
	uint64_t sectors_written;
};

static inline void walk_init(struct walk *w)
{
	memset(w, 0, sizeof(*w));
	w->head.prev = w->head.next = &w->head;
	for (int i = 0; i < CACHE_OPEN_BUCKETS; i++) {
		struct walk_slot *s = &w->slot[i];

		s->next = w->head.next;
		s->prev = &w->head;
		s->next->prev = s;
		w->head.next = s;
	}
}

static inline bool walk_flash(const struct walk *w, uint32_t inode)
{
	return w->uuid_flags[inode] & 1;
}

/* The driver's list, most recently used last (behaviour 5.8). */
static inline struct walk_slot *walk_pick(struct walk *w, const struct cache_sectors_req *r)
{
	struct walk_slot *s, *task = NULL;

	for (s = w->head.prev; s != &w->head; s = s->prev) {
		if (walk_flash(w, s->inode) != walk_flash(w, r->inode))
			continue;
		if (s->inode == r->inode && s->offset == r->offset)
			return s;
		if (s->wp == r->write_point)
			task = s;
	}
	return task ? task : w->head.next;
}

/* All that it does for a write, but for the lock and atomic operations. */
static __attribute__((noinline))
void walk_alloc(struct walk *w, const struct cache_sectors_req *r,
		struct cache_buckets *t, struct cache_sectors_space *space)
{
	struct walk_slot *s = walk_pick(w, r);

	if (!s->free) {
		s->free = 1024;
		s->nptrs = r->nptrs;
		s->ptr[0] = (struct cache_alloc_ptr) { .bucket = 1 };
	}
	space->sectors = r->sectors < s->free ? r->sectors : s->free;
	space->nptrs = s->nptrs;
	memcpy(space->ptr, s->ptr, s->nptrs * sizeof(s->ptr[0]));
	s->prev->next = s->next;
	s->next->prev = s->prev;
	s->prev = w->head.prev;
	s->next = &w->head;
	w->head.prev->next = s;
	w->head.prev = s;
	s->inode = r->inode;
	s->offset = r->offset + space->sectors;
	s->wp = r->write_point;
	s->free -= space->sectors;
	for (uint32_t i = 0; i < s->nptrs; i++) {
		s->ptr[i].sector += space->sectors;
		w->sectors_written += space->sectors;
	}
	if (s->free < 8)
		s->free = 0;
	for (uint32_t i = 0; s->free && i < s->nptrs; i++)
		cache_bucket_pin_get(t, s->ptr[i].bucket);
}

/* So many streams write in turn, each on from where it was or anywhere. */
struct writers {
	uint64_t next[CACHE_OPEN_BUCKETS];
	struct cache_rng rng;
	int streams, turn;
	bool random;
};

static inline void writers_init(struct writers *wr, int streams, bool random)
{
	*wr = (struct writers) { .streams = streams, .random = random };
	cache_rng_init(&wr->rng, 1);
	for (int i = 0; i < streams; i++)
		wr->next[i] = (uint64_t)i << 40;
}

static inline struct cache_sectors_req writers_next(struct writers *wr)
{
	int i = wr->turn;
	struct cache_sectors_req r = {
		.inode = 1, .sectors = 8, .write_point = i + 1, .nptrs = 1,
		.offset = wr->random ? cache_rng_u64(&wr->rng) >> 30 : wr->next[i],
	};

	wr->next[i] = r.offset + 8;
	wr->turn = i + 1 < wr->streams ? i + 1 : 0;
	return r;
}

static __attribute__((noinline, unused))
void walk_writes(struct walk *w, struct writers *wr, struct cache_buckets *t, int calls)
{
	struct cache_sectors_space space;

	while (calls--) {
		struct cache_sectors_req r = writers_next(wr);

		walk_alloc(w, &r, t, &space);
	}
}

/* A bucket is always in hand: only the choice is measured, as in the walk. */
static __attribute__((noinline, unused))
void ours_writes(struct cache_sectors *s, struct writers *wr, int calls)
{
	struct cache_alloc_ptr spare = { .bucket = 1 };
	struct cache_sectors_space space;

	while (calls--) {
		struct cache_sectors_req r = writers_next(wr);
		unsigned int n = 1;

		cache_sectors_try(s, &r, &spare, &n, &space);
	}
}

#endif
