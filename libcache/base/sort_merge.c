// SPDX-License-Identifier: GPL-2.0-only
/*
 * Merge sort in halves. The left half of two that are merged is moved aside, and what is left of
 * it fits at each moment between what was merged and what is left of the right half: so the sort
 * can be ended there with all elements in place.
 */
#include "base/sort.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define SMALL		6
#define STACK_BYTES	1024

struct sorting {
	const struct cache_sort *how;
	char *aside;
	size_t placed;		/* elements since the last poll */
};

/* The sizes that occur are constants here, for which the compiler calls no function. */
static inline void move(char *to, const char *from, size_t size)
{
	switch (size) {
	case 4:
		memcpy(to, from, 4);
		break;
	case 8:
		memcpy(to, from, 8);
		break;
	case 24:
		memcpy(to, from, 24);
		break;
	default:
		memcpy(to, from, size);
	}
}

static inline bool is_after(const struct cache_sort *how, const char *a, const char *b)
{
	return how->cmp(a, b, how->ctx) > 0;
}

static inline int placed(struct sorting *s, size_t n)
{
	s->placed += n;
	if (s->placed < CACHE_SORT_POLL)
		return 0;
	s->placed = 0;
	return s->how->poll ? s->how->poll(s->how->poll_ctx) : 0;
}

static void insertion_sort(struct sorting *s, char *v, size_t n)
{
	const struct cache_sort *how = s->how;
	size_t size = how->size;

	for (size_t i = 1; i < n; i++) {
		char *at = v + i * size;

		if (!is_after(how, at - size, at))
			continue;
		move(s->aside, at, size);
		do
			move(at, at - size, size);
		while ((at -= size) > v && is_after(how, at - size, s->aside));
		move(at, s->aside, size);
	}
}

/* The halves [@v, @mid) and [@mid, @end), each sorted. */
static int merge(struct sorting *s, char *v, char *mid, char *end)
{
	const struct cache_sort *how = s->how;
	size_t size = how->size, left_bytes = mid - v;
	char *left = s->aside, *left_end = left + left_bytes;
	int ret = 0;

	for (size_t at = 0; at < left_bytes && !ret; at += CACHE_SORT_POLL * size) {
		size_t nbytes = cache_min_u64(CACHE_SORT_POLL * size, left_bytes - at);

		memcpy(left + at, v + at, nbytes);
		ret = placed(s, nbytes / size);
	}
	if (ret)
		return ret;
	while (left < left_end && mid < end && !ret) {
		if (is_after(how, left, mid)) {
			move(v, mid, size);
			mid += size;
		} else {
			move(v, left, size);
			left += size;
		}
		v += size;
		ret = placed(s, 1);
	}
	memcpy(v, left, left_end - left);
	return ret;
}

static int sort_halves(struct sorting *s, char *v, size_t n)
{
	size_t half = n / 2, size = s->how->size;
	char *mid = v + half * size;
	int ret;

	if (n <= SMALL) {
		insertion_sort(s, v, n);
		return placed(s, n);
	}
	ret = sort_halves(s, v, half);
	if (!ret)
		ret = sort_halves(s, mid, n - half);
	if (ret || !is_after(s->how, mid - size, mid))
		return ret;
	return merge(s, v, mid, mid + (n - half) * size);
}

/* Return: 1 if it is sorted already, 0, or what the poll returned. */
static int is_sorted(struct sorting *s, const char *v, size_t n)
{
	size_t size = s->how->size;
	int ret = 0;

	for (size_t i = 1; i < n && !ret; i++) {
		if (is_after(s->how, v + (i - 1) * size, v + i * size))
			return 0;
		ret = placed(s, 1);
	}
	return ret ? ret : 1;
}

int cache_sort(void *v, size_t n, const struct cache_sort *how)
{
	char stack[STACK_BYTES] __attribute__((aligned(16)));
	struct sorting s = { .how = how, .aside = stack };
	size_t nbytes = (n > 3 ? n / 2 : 1) * how->size;
	int ret = is_sorted(&s, v, n);

	if (ret)
		return ret == 1 ? 0 : ret;
	if (nbytes > sizeof(stack))
		s.aside = malloc(nbytes);
	if (!s.aside)
		return -ENOMEM;
	ret = sort_halves(&s, v, n);
	if (s.aside != stack)
		free(s.aside);
	return ret;
}
