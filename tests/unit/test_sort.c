// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sort of large arrays: its order, and that it can be ended, also where it is called. No clock is
 * looked at.
 */
#include "base/sort.h"

#include <errno.h>
#include <stdlib.h>

#include "base/rng.h"
#include "deny.h"
#include "disk/journal_search.h"
#include "disk/overlay.h"
#include "fsck/fsck_shared.h"
#include "repair/repair_kind.h"
#include "test.h"

/* Sizes with a path of their own, and others. */
static const size_t sizes[] = { 4, 8, 12, 24, 32, 40 };

struct element {
	uint32_t key, at;	/* where it was */
};

static int by_key(const void *a, const void *b, void *ctx)
{
	const struct element *x = a, *y = b;

	(*(uint64_t *)ctx)++;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int by_all(const void *a, const void *b)
{
	const struct element *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Elements of @size bytes of which the first four are the key and the last four where it was. */
static char *bytes_new(struct cache_rng *rng, size_t n, size_t size, uint32_t range)
{
	char *v = calloc(n + 1, size);

	for (size_t i = 0; i < n; i++) {
		uint32_t key = cache_rng_below(rng, range), at = i;

		memset(v + i * size, key, size);
		memcpy(v + i * size, &key, 4);
		if (size > 4)
			memcpy(v + (i + 1) * size - 4, &at, 4);
	}
	return v;
}

static int by_bytes(const void *a, const void *b, void *ctx)
{
	return memcmp(a, b, 4);
}

TEST(elements_of_any_size_are_sorted_and_equal_ones_keep_their_order)
{
	struct cache_rng rng;

	cache_rng_init(&rng, 1);
	for (unsigned i = 0; i < 600; i++) {
		size_t n = cache_rng_below(&rng, i % 3 ? 40 : 3000), size = sizes[i % 6];
		char *v = bytes_new(&rng, n, size, i % 5 ? 10 : UINT32_MAX);
		struct cache_sort how = { .size = size, .cmp = by_bytes };
		uint64_t sum = 0;

		for (size_t k = 0; k < n * size; k++)
			sum += (unsigned char)v[k];
		CHECK_EQ(cache_sort(v, n, &how), 0);
		for (size_t k = 0; k + 1 < n; k++) {
			const char *x = v + k * size, *y = x + size;
			uint32_t at[2];
			int cmp = memcmp(x, y, 4);

			CHECK(cmp <= 0);
			memcpy(&at[0], x + size - 4, 4);
			memcpy(&at[1], y + size - 4, 4);
			CHECK(cmp || size == 4 || at[0] < at[1]);
		}
		for (size_t k = 0; k < n * size; k++)
			sum -= (unsigned char)v[k];
		CHECK_EQ(sum, 0);
		free(v);
	}
}

static struct element *elements_new(size_t n, uint32_t range)
{
	struct element *v = calloc(n + 1, sizeof(*v));
	struct cache_rng rng;

	cache_rng_init(&rng, 7);
	for (size_t i = 0; i < n; i++)
		v[i] = (struct element){ cache_rng_below(&rng, range), i };
	return v;
}

struct asked {
	uint64_t compared;	/* counted by by_key() */
	uint64_t before, most;	/* comparisons at the last poll, and the most between two */
	unsigned polls, stop_at;
};

static int on_poll(void *ctx)
{
	struct asked *a = ctx;

	a->most = a->compared - a->before > a->most ? a->compared - a->before : a->most;
	a->before = a->compared;
	return ++a->polls == a->stop_at ? -ECANCELED : 0;
}

static struct cache_sort asking(struct asked *a)
{
	return (struct cache_sort){ .size = sizeof(struct element), .cmp = by_key,
				    .ctx = &a->compared, .poll = on_poll, .poll_ctx = a };
}

TEST(a_large_sort_gives_what_qsort_gives_and_asks_often_whether_to_go_on)
{
	const size_t n = 10 * CACHE_SORT_POLL + 12345;

	for (unsigned i = 0; i < 2; i++) {
		struct element *v = elements_new(n, i ? 1000 : UINT32_MAX);
		struct element *same = elements_new(n, i ? 1000 : UINT32_MAX);
		struct asked a = { 0 };
		struct cache_sort how = asking(&a);

		CHECK_EQ(cache_sort(v, n, &how), 0);
		qsort(same, n, sizeof(*same), by_all);
		CHECK_MEM(v, same, n * sizeof(*v));
		CHECK(a.polls >= 10);
		on_poll(&a);	/* the comparisons since the last poll */
		CHECK(a.most <= 4 * CACHE_SORT_POLL);
		free(v);
		free(same);
	}
}

TEST(a_sort_ends_at_any_poll_that_says_so_and_all_elements_are_still_there)
{
	const size_t n = CACHE_SORT_POLL + 777;

	for (unsigned stop_at = 1; ; stop_at++) {
		struct element *v = elements_new(n, UINT32_MAX);
		struct element *same = elements_new(n, UINT32_MAX);
		struct asked a = { .stop_at = stop_at };
		struct cache_sort how = asking(&a);
		int ret = cache_sort(v, n, &how);

		CHECK_EQ(ret, a.polls == stop_at ? -ECANCELED : 0);
		CHECK(!ret || a.compared == a.before);
		qsort(v, n, sizeof(*v), by_all);
		qsort(same, n, sizeof(*same), by_all);
		CHECK_MEM(v, same, n * sizeof(*v));
		free(v);
		free(same);
		if (ret)
			continue;
		CHECK(stop_at > 5);
		break;
	}
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

TEST(a_sort_of_numbers_ends_at_any_poll_too_and_all_are_still_there)
{
	const size_t n = 4 * CACHE_SORT_POLL;
	uint64_t *v = calloc(n, sizeof(*v)), *same = calloc(n, sizeof(*same));
	int ret = -ECANCELED;
	unsigned stop_at;

	for (stop_at = 1; ret; stop_at++) {
		struct asked a = { .stop_at = stop_at };
		struct cache_rng rng;

		cache_rng_init(&rng, 3);
		for (size_t i = 0; i < n; i++)
			v[i] = same[i] = cache_rng_u64(&rng) >> 20;
		ret = cache_sort_u64_polled(v, n, on_poll, &a);
		CHECK_EQ(ret, a.polls == stop_at ? -ECANCELED : 0);
		if (ret)
			qsort(v, n, sizeof(*v), by_number);
		qsort(same, n, sizeof(*same), by_number);
		CHECK_MEM(v, same, n * sizeof(*v));
	}
	CHECK(stop_at > 4);
	free(v);
	free(same);
}

TEST(what_is_sorted_already_is_compared_once_and_needs_no_memory)
{
	const size_t n = 3 * CACHE_SORT_POLL;
	struct element *v = elements_new(n, 1);
	struct asked a = { 0 };
	struct cache_sort how = asking(&a);

	deny_in = 0;
	CHECK_EQ(cache_sort(v, n, &how), 0);
	deny_in = -1;
	CHECK_EQ(a.compared, n - 1);
	CHECK(a.polls >= 2);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(v[i].at, i);
	free(v);
}

TEST(without_memory_nothing_is_changed)
{
	const size_t n = 1000;
	struct element *v, *same;
	struct asked a = { 0 };
	struct cache_sort how = asking(&a);
	int ret;

	if (!deny_works())
		SKIP("a sanitizer or valgrind has malloc");
	v = elements_new(n, UINT32_MAX);
	same = elements_new(n, UINT32_MAX);
	deny_in = 0;
	ret = cache_sort(v, n, &how);
	deny_in = -1;
	CHECK_EQ(ret, -ENOMEM);
	CHECK_MEM(v, same, n * sizeof(*v));
	free(v);
	free(same);
}

TEST(no_element_and_one_are_sorted)
{
	struct element one = { 1, 2 };
	struct asked a = { 0 };
	struct cache_sort how = asking(&a);

	CHECK_EQ(cache_sort(NULL, 0, &how), 0);
	CHECK_EQ(cache_sort(&one, 1, &how), 0);
	CHECK_EQ(one.at, 2);
	CHECK_EQ(a.polls, 0);
}

/* What is sorted, by those who call: all with a progress that is to stop at the second poll. */
#define MANY		(4 * CACHE_SORT_POLL)

static unsigned npolls;

static int stop_soon(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	return ++npolls >= 2;
}

static int stop_repair_soon(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	return stop_soon(ctx, pass, current, max);
}

static const struct cache_sink stopping = { cache_sink_ignore, NULL, stop_soon };

TEST(a_sort_of_the_journal_s_keys_is_ended)
{
	struct cache_overlay o;
	struct cache_rng rng;

	cache_rng_init(&rng, 1);
	CHECK_EQ(cache_overlay_init(&o, 3 * (uint64_t)MANY), 0);
	for (unsigned i = 0; i < MANY; i++) {
		struct cache_bkey k = cache_bkey_make(0, 8 + cache_rng_below(&rng, 1 << 20), 8, true);
		size_t at = o.nwords;

		cache_bkey_set_ptrs(&k, 1);
		o.nwords += cache_bkey_encode(&k, o.words + at);
		cache_overlay_add(&o, at);
	}
	npolls = 0;
	CHECK_EQ(cache_overlay_sort(&o, &stopping), -ECANCELED);
	CHECK_EQ(npolls, 2);
	CHECK_EQ(o.n, MANY);
	CHECK_EQ(cache_overlay_sort(&o, NULL), 0);
	cache_overlay_fini(&o);
}

TEST(a_sort_of_the_journal_s_entries_is_ended)
{
	struct cache_sb sb = { .njournal = 8, .bucket_sectors = 1 << 20, .block_sectors = 1 };
	struct cache_journal j = { .entries = calloc(MANY, sizeof(*j.entries)), .nentries = MANY };
	struct cache_journal_gap gap;

	for (unsigned i = 0; i < MANY; i++)
		j.entries[i] = (struct cache_jset_pos){ .seq = MANY - i, .last_seq = MANY - i,
							.offset_sectors = i };
	j.newest.pos = j.entries[0];
	npolls = 0;
	CHECK_EQ(cache_journal_search(&sb, &j, &gap, &stopping), -ECANCELED);
	CHECK_EQ(npolls, 2);
	CHECK_EQ(cache_journal_search(&sb, &j, &gap, NULL), 0);
	free(j.entries);
}

TEST(a_sort_of_the_blocks_in_use_is_ended)
{
	/* a list of all of them is shorter than a map of the device */
	static const struct cache_sb sb = { .block_sectors = 8, .nbuckets = 1 << 16,
					    .bucket_sectors = 1 << 14 };
	struct fsck_shared s;
	uint64_t shared;

	cache_fsck_shared_init(&s, &sb, NULL);
	for (uint64_t i = MANY; i; i--)
		CHECK_EQ(cache_fsck_shared_add(&s, 512 * i, 8, &shared), 0);
	npolls = 0;
	CHECK_EQ(cache_fsck_shared_end(&s, &stopping), -ECANCELED);
	CHECK_EQ(npolls, 2);
	cache_fsck_shared_fini(&s);
}

TEST(a_sort_of_the_keys_of_lost_nodes_is_ended)
{
	const struct cache_repair_opts opts = { .size = sizeof(opts), .progress = stop_repair_soon };
	struct cache_bkey k[64];
	struct cache_keys keys = { .k = k, .n = 64 };
	struct cache_children c = { 0 };

	for (unsigned i = MANY / 64; i; i--) {
		for (unsigned n = 0; n < 64; n++) {
			k[n] = cache_bkey_make(1, 64 * i - n, 1, false);
			cache_bkey_set_ptrs(&k[n], 1);
			k[n].ptr[0] = i;
		}
		CHECK_EQ(cache_children_add(&c, &keys), 0);
	}
	npolls = 0;
	CHECK_EQ(cache_children_sort(&c, &opts), -ECANCELED);
	CHECK_EQ(npolls, 2);
	CHECK(!cache_children_has_any(&c, &keys));
	CHECK_EQ(cache_children_sort(&c, NULL), 0);
	CHECK(cache_children_has_any(&c, &keys));
	cache_children_fini(&c);
}

TEST_MAIN()
