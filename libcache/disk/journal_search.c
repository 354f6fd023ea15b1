// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver does not read the whole ring. It probes buckets in a golden-ratio order, searches
 * between the hit and the next bucket read, then walks down until a bucket gives nothing new,
 * all the while keeping one list of entries that may be needed (behaviour 3.2). Simulating
 * those steps on the entries that we read says which of them the driver will find.
 */
#include "base/checked.h"
#include "disk/journal_blocks.h"
#include "disk/journal_search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With more open entries than this the driver fails in other ways. */
#define LIST_MAX	(CACHE_JOURNAL_OPEN_MAX + 2)

/*
 * The list is kept as a tree over all entries in the order of their seq: it grows and shrinks by
 * one path from a leaf to the root, whatever order a ring offers its entries in.
 */
struct search {
	const struct cache_journal *j;
	uint32_t nbuckets;
	/* the entries of bucket i are first[i] .. first[i + 1] - 1 */
	size_t first[CACHE_SB_JOURNAL_BUCKETS + 1];
	bool seen[CACHE_SB_JOURNAL_BUCKETS];
	const struct cache_jset_pos **sorted;	/* all entries, ascending seq */
	size_t *place;		/* of entry i: the first of its seq in sorted */
	/* a heap of 2 * nleaves: the greatest last_seq + 1 below; 0: nothing is in the list */
	uint64_t *tree;
	const struct cache_jset_pos **listed;	/* for each place: its entry, or NULL */
	size_t nleaves, n;
};

static void set_leaf(struct search *s, size_t place, const struct cache_jset_pos *e)
{
	size_t i = s->nleaves + place;

	s->listed[place] = e;
	s->tree[i] = !e ? 0 : e->last_seq == UINT64_MAX ? UINT64_MAX : e->last_seq + 1;
	for (i /= 2; i; i /= 2)
		s->tree[i] = cache_max_u64(s->tree[2 * i], s->tree[2 * i + 1]);
}

/* The oldest leaf below @i that is in the list, or the newest; there is one. */
static size_t end_leaf(const struct search *s, size_t i, bool newest)
{
	while (i < s->nleaves)
		i = s->tree[2 * i + newest] ? 2 * i + newest : 2 * i + !newest;
	return i;
}

/* The place of the oldest entry of the list, or the newest; the list is not empty. */
static size_t end_place(const struct search *s, bool newest)
{
	return end_leaf(s, 1, newest) - s->nleaves;
}

/*
 * The greatest last_seq + 1 of those that the driver compares with an entry at @place before it
 * has found where to put it: all newer ones, and the one before it. 0: there are none.
 */
static uint64_t greatest_passed(const struct search *s, size_t place)
{
	uint64_t max = 0;
	bool before = false;

	for (size_t i = s->nleaves + place; i > 1; i /= 2) {
		if (!(i & 1)) {
			max = cache_max_u64(max, s->tree[i + 1]);
		} else if (!before && s->tree[i - 1]) {
			before = true;
			max = cache_max_u64(max, s->tree[end_leaf(s, i - 1, true)]);
		}
	}
	return max;
}

static uint64_t newest_seq(const struct search *s)
{
	return s->n ? s->listed[end_place(s, true)]->seq : 0;
}

static void drop_expired(struct search *s, uint64_t last_seq)
{
	while (s->n) {
		size_t oldest = end_place(s, false);

		if (s->listed[oldest]->seq >= last_seq)
			return;
		set_leaf(s, oldest, NULL);
		s->n--;
	}
}

/* Adds @e, entry @index; returns whether it was put into the list. */
static bool offer(struct search *s, const struct cache_jset_pos *e, size_t index)
{
	size_t place = s->place[index];

	drop_expired(s, e->last_seq);
	/* it is there, or another one does without it */
	if (s->listed[place] || greatest_passed(s, place) > e->seq + 1 || s->n >= LIST_MAX)
		return false;
	set_leaf(s, place, e);
	s->n++;
	return true;
}

static bool read_bucket(struct search *s, uint32_t i)
{
	bool any = false;

	s->seen[i] = true;
	for (size_t e = s->first[i]; e < s->first[i + 1]; e++)
		any |= !s->j->entries[e].hidden && offer(s, &s->j->entries[e], e);
	return any;
}

/* The next bucket that has an entry, or nbuckets. */
static uint32_t probe(struct search *s)
{
	for (uint32_t k = 0; k < s->nbuckets; k++) {
		uint32_t i = k * 2654435769u % s->nbuckets;

		if (s->seen[i])
			break;
		if (read_bucket(s, i))
			return i;
	}
	for (uint32_t i = 0; i < s->nbuckets; i++)
		if (!s->seen[i] && read_bucket(s, i))
			return i;
	return s->nbuckets;
}

static uint32_t next_seen(const struct search *s, uint32_t i)
{
	for (i++; i < s->nbuckets && !s->seen[i]; i++)
		;
	return i;
}

static void run(struct search *s)
{
	uint32_t l = probe(s), m = l, r;

	if (l == s->nbuckets)
		return;
	r = next_seen(s, l);
	while (l + 1 < r) {
		uint64_t before = newest_seq(s);

		m = (l + r) / 2;
		read_bucket(s, m);
		if (newest_seq(s) != before)
			l = m;
		else
			r = m;
	}
	l = m;
	for (;;) {
		l = l ? l - 1 : s->nbuckets - 1;
		if (l == m)
			return;
		if (!s->seen[l] && !read_bucket(s, l))
			return;
	}
}

/* The seq at which the replay of the newest entry found would stop. */
static void follow_replay(const struct search *s, struct cache_journal_gap *gap)
{
	const struct cache_jset_pos *newest;

	*gap = (struct cache_journal_gap){ 0 };
	if (!s->n)
		return;
	newest = s->listed[end_place(s, true)];
	gap->start = gap->missed = newest->last_seq;
	gap->end = newest->seq;
	for (size_t i = 0; i < s->j->nentries; i++) {
		if (!s->listed[i] || s->listed[i]->seq < gap->missed)
			continue;
		if (s->listed[i]->seq != gap->missed)
			break;
		gap->missed++;
	}
}

static int init(struct search *s, const struct cache_sink *sink)
{
	const struct cache_journal *j = s->j;
	size_t place = 0, e = 0;
	int ret;

	s->nleaves = cache_roundup_pow2(j->nentries + 1);
	s->sorted = calloc(j->nentries + 1, sizeof(*s->sorted));
	s->place = calloc(j->nentries + 1, sizeof(*s->place));
	s->listed = calloc(s->nleaves, sizeof(*s->listed));
	s->tree = calloc(2 * s->nleaves, sizeof(*s->tree));
	if (!s->sorted || !s->place || !s->listed || !s->tree)
		return -ENOMEM;
	for (size_t i = 0; i < j->nentries; i++)
		s->sorted[i] = &j->entries[i];
	ret = cache_sort_polled(s->sorted, j->nentries, sizeof(*s->sorted),
				cache_jset_by_seq, NULL, sink);
	if (ret)
		return ret;
	for (size_t i = 0; i < j->nentries; i++) {
		if (i && s->sorted[i]->seq != s->sorted[i - 1]->seq)
			place = i;
		s->place[s->sorted[i] - j->entries] = place;
	}
	for (uint32_t i = 0; i < s->nbuckets; i++) {
		while (e < j->nentries && j->entries[e].index == i)
			e++;
		s->first[i + 1] = e;
	}
	return 0;
}

int cache_journal_search(const struct cache_sb *sb, struct cache_journal *j,
			 struct cache_journal_gap *gap, const struct cache_sink *sink)
{
	struct search *s = calloc(1, sizeof(*s));
	int ret = -ENOMEM;

	if (!s)
		return ret;
	s->j = j;
	s->nbuckets = sb->njournal;
	ret = init(s, sink);
	if (!ret) {
		run(s);
		j->driver_newest_seq = newest_seq(s);
		follow_replay(s, gap);
		j->driver_agrees = j->driver_newest_seq == j->newest.pos.seq &&
				   gap->missed == gap->end + 1;
	}
	free(s->sorted);
	free(s->place);
	free(s->listed);
	free(s->tree);
	free(s);
	return ret;
}
