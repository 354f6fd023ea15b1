// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver does not read the whole ring. It probes buckets in a golden-ratio order, searches
 * between the hit and the next bucket read, then walks down until a bucket gives nothing new,
 * all the while keeping one list of entries that may be needed (behaviour 3.2). Simulating
 * those steps on the entries that we read says which of them the driver will find.
 */
#include "disk/journal_search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With more open entries than this the driver fails in other ways. */
#define LIST_MAX	(CACHE_JOURNAL_OPEN_MAX + 2)

struct search {
	const struct cache_journal *j;
	uint32_t nbuckets;
	/* the entries of bucket i are first[i] .. first[i + 1] - 1 */
	size_t first[CACHE_SB_JOURNAL_BUCKETS + 1];
	bool seen[CACHE_SB_JOURNAL_BUCKETS];
	const struct cache_jset_pos **list;	/* ascending seq, list[head .. head+n) */
	size_t head, n, capacity;
};

static const struct cache_jset_pos *at(const struct search *s, size_t i)
{
	return s->list[s->head + i];
}

static uint64_t newest_seq(const struct search *s)
{
	return s->n ? at(s, s->n - 1)->seq : 0;
}

static void drop_expired(struct search *s, uint64_t last_seq)
{
	while (s->n && at(s, 0)->seq < last_seq) {
		s->head++;
		s->n--;
	}
}

/* Adds @e; returns whether it was put into the list. */
static bool offer(struct search *s, const struct cache_jset_pos *e)
{
	size_t i;

	drop_expired(s, e->last_seq);
	for (i = s->n; i; i--) {
		if (e->seq == at(s, i - 1)->seq || e->seq < at(s, i - 1)->last_seq)
			return false;
		if (e->seq > at(s, i - 1)->seq)
			break;
	}
	if (s->n >= LIST_MAX)
		return false;
	if (s->head + s->n == s->capacity) {
		memmove(s->list, s->list + s->head, s->n * sizeof(*s->list));
		s->head = 0;
	}
	memmove(s->list + s->head + i + 1, s->list + s->head + i,
		(s->n - i) * sizeof(*s->list));
	s->list[s->head + i] = e;
	s->n++;
	return true;
}

static bool read_bucket(struct search *s, uint32_t i)
{
	bool any = false;

	s->seen[i] = true;
	for (size_t e = s->first[i]; e < s->first[i + 1]; e++)
		any |= !s->j->entries[e].hidden && offer(s, &s->j->entries[e]);
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
	*gap = (struct cache_journal_gap){ 0 };
	if (!s->n)
		return;
	gap->start = gap->missed = at(s, s->n - 1)->last_seq;
	gap->end = at(s, s->n - 1)->seq;
	for (size_t i = 0; i < s->n; i++) {
		if (at(s, i)->seq < gap->missed)
			continue;
		if (at(s, i)->seq != gap->missed)
			break;
		gap->missed++;
	}
}

int cache_journal_search(const struct cache_sb *sb, struct cache_journal *j,
			 struct cache_journal_gap *gap)
{
	struct search *s = calloc(1, sizeof(*s));
	size_t e = 0;

	if (!s)
		return -ENOMEM;
	s->j = j;
	s->nbuckets = sb->njournal;
	s->capacity = 2 * LIST_MAX;
	s->list = calloc(s->capacity, sizeof(*s->list));
	if (!s->list) {
		free(s);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < s->nbuckets; i++) {
		while (e < j->nentries && j->entries[e].index == i)
			e++;
		s->first[i + 1] = e;
	}
	run(s);
	j->driver_newest_seq = newest_seq(s);
	follow_replay(s, gap);
	j->driver_agrees = j->driver_newest_seq == j->newest.pos.seq &&
			   gap->missed == gap->end + 1;
	free(s->list);
	free(s);
	return 0;
}
