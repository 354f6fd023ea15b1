// SPDX-License-Identifier: GPL-2.0-only
#include "fsck/fsck_shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/bits.h"
#include "base/checked.h"
#include "base/huge_pages.h"
#include "base/sort.h"

#define LIST_SHARE	4	/* the list takes at most 1/4 of the bit map's size */
#define LIST_NEAR	16384	/* entries of the list that the near caches hold */
#define AHEAD		32
#define LEN_BITS	FSCK_SHARED_LEN_BITS
#define LEN_MASK	((UINT64_C(1) << FSCK_SHARED_LEN_BITS) - 1)

/* Sets the bits. Return: how many were set before. */
static uint64_t take(struct fsck_shared *s, uint64_t block, uint64_t n)
{
	uint64_t taken = 0;

	for (uint64_t b = block; b < block + n; b++)
		taken += cache_bit_test_and_set(s->bits, b);
	return taken;
}

static void drop_list(struct fsck_shared *s)
{
	free(s->list);
	s->list = NULL;
	s->n = s->capacity = 0;
}

/* Puts a full list into the bit map, in any order, with prefetches. */
static void put_into_bits(void *ctx)
{
	struct fsck_shared *s = ctx;
	struct fsck_shared_full *f = &s->full;

	for (size_t i = 0; i < f->n; i++) {
		uint64_t e = f->list[i];

		if (i + AHEAD < f->n)
			__builtin_prefetch(&s->bits[(f->list[i + AHEAD] >> LEN_BITS) / 64], 1);
		f->again |= take(s, e >> LEN_BITS, e & LEN_MASK) != 0;
	}
	f->n = 0;
}

void cache_fsck_shared_init(struct fsck_shared *s, const struct cache_sb *sb,
			    struct cache_workers *workers)
{
	memset(s, 0, sizeof(*s));
	s->shift = __builtin_ctz(cache_max_u64(sb->block_sectors, CACHE_PAGE_SECTORS));
	s->nblocks = (sb->nbuckets * sb->bucket_sectors) >> s->shift;
	s->limit = cache_bits_bytes(s->nblocks) / LIST_SHARE / sizeof(*s->list);
	s->workers = workers;
	s->job.fn = put_into_bits;
	s->job.ctx = s;
}

void cache_fsck_shared_fini(struct fsck_shared *s)
{
	cache_workers_drop(s->workers, &s->job);
	free(s->bits);
	free(s->list);
	free(s->full.list);
	memset(s, 0, sizeof(*s));
}

/* Waits for the list before, and exchanges it with the one that is full now. */
static void exchange(struct fsck_shared *s)
{
	struct fsck_shared_full *f = &s->full;
	uint64_t *list = f->list;
	size_t capacity = f->capacity;

	cache_workers_wait(s->workers, &s->job);
	f->list = s->list;
	f->n = s->n;
	f->capacity = s->capacity;
	s->list = list;
	s->n = 0;
	s->capacity = capacity;
}

static int flush(struct fsck_shared *s)
{
	if (!s->bits) {
		s->bits = cache_bits_new(s->nblocks);
		if (!s->bits)
			return -ENOMEM;
		cache_huge_pages(s->bits, cache_bits_bytes(s->nblocks));
		s->limit = cache_min_u64(s->limit, LIST_NEAR);
	}
	exchange(s);
	cache_workers_start(s->workers, &s->job);
	if (!s->workers)
		cache_workers_wait(NULL, &s->job);
	return 0;
}

static int append(struct fsck_shared *s, uint64_t block, uint64_t n)
{
	void *p = cache_array_grow(s->list, s->n, &s->capacity, sizeof(*s->list));

	if (!p)
		return -ENOMEM;
	s->list = p;
	s->list[s->n++] = block << LEN_BITS | n;
	return 0;
}

int cache_fsck_shared_add(struct fsck_shared *s, uint64_t sector, uint64_t nsectors,
			  uint64_t *shared)
{
	uint64_t first = cache_div_up(sector, UINT64_C(1) << s->shift);
	uint64_t end = cache_min_u64((sector + nsectors) >> s->shift, s->nblocks);
	int ret = 0;

	*shared = 0;
	if (first >= end)
		return 0;
	if (s->answers) {
		*shared = take(s, first, end - first) << s->shift;
		return 0;
	}
	if (s->n + 1 > s->limit)
		ret = flush(s);
	return ret ? ret : append(s, first, end - first);
}

int cache_fsck_shared_reserve(struct fsck_shared *s, size_t n)
{
	int ret = s->n + n > s->limit ? flush(s) : 0;

	while (!ret && s->capacity - s->n < n) {
		void *p = cache_array_grow(s->list, s->capacity, &s->capacity, sizeof(*s->list));

		if (!p)
			return -ENOMEM;
		s->list = p;
	}
	return ret;
}

static int list_overlaps(struct fsck_shared *s, const struct cache_sink *sink, bool *overlaps)
{
	int ret = cache_sort_u64_polled(s->list, s->n, cache_poll_sink, (void *)sink);
	uint64_t end = 0;

	*overlaps = false;
	for (size_t i = 0; i < s->n && !ret && !*overlaps; i++) {
		uint64_t block = s->list[i] >> LEN_BITS;

		*overlaps = block < end;
		end = block + (s->list[i] & LEN_MASK);
	}
	return ret;
}

int cache_fsck_shared_end(struct fsck_shared *s, const struct cache_sink *sink)
{
	int ret = 0;

	if (s->answers)
		return 0;
	if (s->bits) {
		ret = flush(s);
		cache_workers_wait(s->workers, &s->job);
		s->again = s->full.again;
	} else if (s->list) {
		ret = list_overlaps(s, sink, &s->again);
	}
	drop_list(s);
	if (ret || !s->again)
		return ret;
	s->answers = true;
	if (s->bits)
		memset(s->bits, 0, cache_bits_bytes(s->nblocks));
	else
		s->bits = cache_bits_new(s->nblocks);
	return s->bits ? 0 : -ENOMEM;
}
