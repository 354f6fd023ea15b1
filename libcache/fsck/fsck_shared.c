// SPDX-License-Identifier: GPL-2.0-only
#include "fsck/fsck_shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/bits.h"
#include "base/checked.h"
#include "base/sort.h"

#define LEN_BITS	16u	/* of an extent's size in sectors */
#define GIVE_BACK	65536u	/* entries at a time */

void cache_fsck_shared_init(struct fsck_shared *s, const struct cache_sb *sb)
{
	memset(s, 0, sizeof(*s));
	s->shift = __builtin_ctz(cache_max_u64(sb->block_sectors, CACHE_PAGE_SECTORS));
	s->nblocks = (sb->nbuckets * sb->bucket_sectors) >> s->shift;
}

void cache_fsck_shared_fini(struct fsck_shared *s)
{
	free(s->bits);
	free(s->list);
	memset(s, 0, sizeof(*s));
}

/* How many of the blocks were taken before. */
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

static void give_back(struct fsck_shared *s)
{
	void *p = realloc(s->list, s->n * sizeof(*s->list));

	if (p)
		s->list = p;
}

/*
 * From a list, which no longer takes less, to bits. In order and from its end: where the
 * bits begin to take memory the list has given it back.
 */
static int switch_over(struct fsck_shared *s)
{
	s->bits = cache_bits_new(s->nblocks);
	if (!s->bits)
		return -ENOMEM;
	cache_sort_u64(s->list, s->n);
	while (s->n) {
		uint64_t e = s->list[--s->n];

		s->again |= take(s, e >> LEN_BITS, e & ((1u << LEN_BITS) - 1)) != 0;
		if (s->n && !(s->n % GIVE_BACK))
			give_back(s);
	}
	drop_list(s);
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
	if (!s->bits && (s->n + 1) * sizeof(*s->list) > cache_bits_bytes(s->nblocks))
		ret = switch_over(s);
	if (ret)
		return ret;
	if (!s->bits)
		return append(s, first, end - first);
	*shared = take(s, first, end - first) << s->shift;
	return 0;
}

static bool list_overlaps(struct fsck_shared *s)
{
	uint64_t end = 0;

	cache_sort_u64(s->list, s->n);
	for (size_t i = 0; i < s->n; i++) {
		uint64_t block = s->list[i] >> LEN_BITS;

		if (block < end)
			return true;
		end = block + (s->list[i] & ((1u << LEN_BITS) - 1));
	}
	return false;
}

int cache_fsck_shared_end(struct fsck_shared *s)
{
	if (s->list)
		s->again = list_overlaps(s);
	if (!s->again)
		return 0;
	drop_list(s);
	if (s->bits)
		memset(s->bits, 0, cache_bits_bytes(s->nblocks));
	else
		s->bits = cache_bits_new(s->nblocks);
	return s->bits ? 0 : -ENOMEM;
}
