// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-place radix sort, most significant digit first: divide the range of values into about as
 * many parts as there are values, move each value to its part in cycles, and do the same in
 * each part that is not small. A part is at least 16 times narrower than its parent, so the
 * depth is 16.
 */
#include "base/sort.h"

#include <stdbool.h>
#include <string.h>

#include "base/checked.h"

#define PART_BITS_MAX	11
#define PARTS_MAX	(1u << PART_BITS_MAX)
#define SMALL		24

/* Who is asked whether to go on, and how many values were placed since. */
struct asking {
	int (*poll)(void *ctx);
	void *ctx;
	size_t placed;
};

static inline int placed(struct asking *a, size_t n)
{
	if (!a || (a->placed += n) < CACHE_SORT_POLL)
		return 0;
	a->placed = 0;
	return a->poll(a->ctx);
}

static void insertion_sort(uint64_t *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint64_t x = v[i];
		size_t j = i;

		for (; j && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

static unsigned int log2_of(uint64_t v)
{
	return 63 - __builtin_clzll(v | 1);
}

/* The shift that maps a distance to its part, for @n values over @range. */
static unsigned int shift_for(uint64_t range, size_t n)
{
	unsigned int parts = log2_of(n), bits = log2_of(range) + 1;

	parts = parts < PART_BITS_MAX ? parts : PART_BITS_MAX;
	return bits > parts ? bits - parts : 0;
}

/* Follows cycles: @home[p] is where the next value of part p goes. */
static int permute(struct asking *a, uint64_t *v, uint64_t least, unsigned int shift,
		   uint32_t *home, const uint32_t *end, unsigned int parts)
{
	int ret = 0;

	for (unsigned int p = 0; p < parts; p++) {
		while (home[p] < end[p] && !ret) {
			uint64_t x = v[home[p]];
			unsigned int q = (x - least) >> shift;
			size_t n = 1;

			for (; q != p; n++) {
				uint64_t y = v[home[q]];

				v[home[q]++] = x;
				x = y;
				q = (x - least) >> shift;
			}
			v[home[p]++] = x;
			ret = placed(a, n);
		}
	}
	return ret;
}

static int sort_large(struct asking *a, uint64_t *v, size_t n);

static int sort_parts(struct asking *a, uint64_t *v, const uint32_t *end, unsigned int parts)
{
	uint32_t start = 0;
	int ret = 0;

	for (unsigned int p = 0; p < parts && !ret; start = end[p++]) {
		uint32_t n = end[p] - start;

		if (n > SMALL)
			ret = sort_large(a, v + start, n);
		else if (n > 1)
			insertion_sort(v + start, n);
	}
	return ret;
}

/* Widens @least and @most. */
static int extent(struct asking *a, const uint64_t *v, size_t n, uint64_t *least, uint64_t *most)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; ) {
		size_t end = cache_min_u64(i + CACHE_SORT_POLL, n);

		ret = placed(a, end - i);
		for (; i < end; i++) {
			*least = v[i] < *least ? v[i] : *least;
			*most = v[i] > *most ? v[i] : *most;
		}
	}
	return ret;
}

static int sort_large(struct asking *a, uint64_t *v, size_t n)
{
	uint32_t home[PARTS_MAX], end[PARTS_MAX], sum = 0;
	unsigned int shift, parts;
	uint64_t least, most;
	int ret;

	least = most = v[0];
	ret = extent(a, v, n, &least, &most);
	if (ret || least == most)
		return ret;
	shift = shift_for(most - least, n);
	parts = ((most - least) >> shift) + 1;
	memset(home, 0, parts * sizeof(*home));
	for (size_t i = 0; i < n; i++)
		home[(v[i] - least) >> shift]++;
	for (unsigned int p = 0; p < parts; p++) {
		uint32_t count = home[p];

		home[p] = sum;
		sum += count;
		end[p] = sum;
	}
	ret = placed(a, n);
	if (!ret)
		ret = permute(a, v, least, shift, home, end, parts);
	return ret || !shift ? ret : sort_parts(a, v, end, parts);
}

static bool is_sorted(const uint64_t *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (v[i - 1] > v[i])
			return false;
	return true;
}

static int sort_u64(struct asking *a, uint64_t *v, size_t n)
{
	if (is_sorted(v, n))
		return 0;
	if (n > SMALL)
		return sort_large(a, v, n);
	insertion_sort(v, n);
	return 0;
}

void cache_sort_u64(uint64_t *v, size_t n)
{
	sort_u64(NULL, v, n);
}

int cache_sort_u64_polled(uint64_t *v, size_t n, int (*poll)(void *ctx), void *ctx)
{
	struct asking a = { .poll = poll, .ctx = ctx };

	return sort_u64(poll ? &a : NULL, v, n);
}

/* Parts that were filled in the order of the input may be sorted already. */
static void sort_parts_that_need_it(uint64_t *v, const uint32_t *end, unsigned int parts)
{
	uint32_t start = 0;

	for (unsigned int p = 0; p < parts; start = end[p++])
		cache_sort_u64(v + start, end[p] - start);
}

/* Moves values below @bound to the front. */
static void partition(uint64_t *v, size_t n, uint64_t bound)
{
	size_t i = 0;

	for (size_t j = 0; j < n; j++) {
		uint64_t x = v[j];

		v[j] = v[i];
		v[i] = x;
		i += x < bound;
	}
}

uint64_t *cache_sort_front_u64(uint64_t *v, size_t n, size_t want, size_t capacity)
{
	uint32_t end[PARTS_MAX] = { 0 }, sum = 0, kept = 0;
	unsigned int shift, parts = 0;
	uint64_t least, most, *front = v + n;

	if (want >= n || is_sorted(v, n)) {
		cache_sort_u64(v, n);
		return v;
	}
	least = most = v[0];
	extent(NULL, v, n, &least, &most);
	shift = shift_for(most - least, n);
	for (size_t i = 0; i < n; i++)
		end[(v[i] - least) >> shift]++;
	while (sum < want) {
		uint32_t count = end[parts];

		end[parts++] = sum;
		sum += count;
	}
	if (sum > capacity - n) {
		if (sum < n)
			partition(v, n, least + ((uint64_t)parts << shift));
		cache_sort_u64(v, sum);
		return v;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t part = (v[i] - least) >> shift;

		if (part < parts)
			front[end[part]++] = v[i];
		else
			v[kept++] = v[i];
	}
	sort_parts_that_need_it(front, end, parts);
	memcpy(v + kept, front + want, (sum - want) * sizeof(*v));
	return front;
}
