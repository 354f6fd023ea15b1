// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal of a set of several cache devices. Each has a ring of its own; an entry is written
 * to each ring that has space for it, and a start takes what all of them have together. So
 * whether entries are missing is asked of all rings, and whether a bucket is torn of one.
 */
#include <stdlib.h>

#include "base/array.h"
#include "set/set_impl.h"

#define MEMBERS_MAX	CACHE_MAX_CACHES_PER_SET

/* Keeps what only all rings together can tell; the rest goes to the sink of the device. */
struct filter {
	const struct cache_sink *to;
	struct cache_set_ring *ring;
	int ret;
	struct cache_err *err;
};

static bool is_of_all(enum cache_problem code)
{
	switch (code) {
	case CACHE_P_JOURNAL_EMPTY:
	case CACHE_P_JOURNAL_TWICE:
	case CACHE_P_JOURNAL_GAP:
	case CACHE_P_JOURNAL_DISCARDED:
	case CACHE_P_JOURNAL_FRONT_GAP:
	case CACHE_P_JOURNAL_LAST_SEQ:
	case CACHE_P_JOURNAL_HIDDEN:
	case CACHE_P_JOURNAL_SEARCH:
	case CACHE_P_JOURNAL_SEARCH_GAP:
	case CACHE_P_JOURNAL_VERSION:
	case CACHE_P_JOURNAL_MANY:
		return true;
	default:
		return false;
	}
}

static void on_finding(void *ctx, const struct cache_finding *f)
{
	struct filter *filter = ctx;

	if (f->code == CACHE_P_JOURNAL_SEARCH || f->code == CACHE_P_JOURNAL_SEARCH_GAP)
		filter->ring->search = *f;
	if (!is_of_all(f->code) && !filter->ret)
		filter->ret = cache_found(filter->to, filter->err, f);
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	const struct filter *filter = ctx;

	return filter->to && filter->to->progress ?
	       filter->to->progress(filter->to->ctx, pass, current, max) : 0;
}

static int read_ring(const struct cache_set_member *d, struct cache_set_ring *r,
		     struct cache_err *err)
{
	struct filter filter = { .to = d->sink, .ring = r, .err = err };
	const struct cache_sink sink = { on_finding, &filter, on_progress };
	int ret;

	r->read = true;
	if (!cache_sb_is_synced(d->sb))
		return 0;
	ret = cache_journal_read(d->dev, d->sb, &r->journal, &sink, err);
	return ret ? ret : filter.ret;
}

/* The newer one, then the one that has more of what a replay needs. */
static bool is_better(const struct cache_journal *a, const struct cache_journal *b)
{
	if (!a->nentries || !b->nentries)
		return a->nentries > b->nentries;
	if (a->newest.pos.seq != b->newest.pos.seq)
		return a->newest.pos.seq > b->newest.pos.seq;
	return a->nreplay > b->nreplay;
}

int cache_set_rings_read(struct cache_set_members *m, struct cache_set_rings *r,
			 struct cache_err *err)
{
	int ret = 0;

	m->leader = CACHE_SET_NO_MEMBER;
	for (unsigned i = 0; i < MEMBERS_MAX && !ret; i++) {
		if (m->index[i] == CACHE_SET_NO_MEMBER)
			continue;
		ret = read_ring(&m->given[m->index[i]], &r->ring[i], err);
		if (m->leader == CACHE_SET_NO_MEMBER ||
		    is_better(&r->ring[i].journal, &r->ring[m->leader].journal))
			m->leader = i;
	}
	return ret;
}

/* Entries of @all to replay that the driver does not find in @ring. @has: one for each, cleared */
static size_t count_lacking(const struct cache_journal *all, const struct cache_journal *ring,
			    bool *has, uint64_t *newest)
{
	uint64_t first = all->newest.pos.last_seq;
	size_t n = all->nreplay;

	*newest = 0;
	for (size_t i = 0; i < ring->nentries; i++) {
		const struct cache_jset_pos *e = &ring->entries[i];
		size_t at;

		if (e->hidden)
			continue;
		*newest = e->seq > *newest ? e->seq : *newest;
		if (e->seq < first)
			continue;
		at = cache_first_index(k, all->nreplay, all->replay[k]->seq >= e->seq);
		if (at == all->nreplay || all->replay[at]->seq != e->seq || has[at])
			continue;
		has[at] = true;
		n--;
	}
	return n;
}

static int report_lacking(const struct cache_set *set, const struct cache_set_rings *r,
			  struct cache_err *err)
{
	const struct cache_set_members *m = set->members;
	const struct cache_journal *all = &set->journal;
	int ret = 0;

	for (unsigned i = 0; i < MEMBERS_MAX && !ret; i++) {
		bool *has = r->ring[i].read ? calloc(all->nreplay + 1, sizeof(*has)) : NULL;
		uint64_t newest;

		if (!r->ring[i].read)
			continue;
		if (!has)
			return cache_err_set(err, -ENOMEM, 0, "no memory for %zu journal entries",
					     all->nreplay);
		if (count_lacking(all, &r->ring[i].journal, has, &newest))
			ret = cache_found(m->given[m->index[i]].sink, err, &(struct cache_finding){
				.code = CACHE_P_JOURNAL_MEMBER_RING, .index = i,
				.got = newest, .want = all->newest.pos.seq });
		free(has);
	}
	return ret;
}

/* No ring alone has all that the driver's search has to find: what it misses in the leader's. */
static int report_search(const struct cache_set *set, const struct cache_set_rings *r,
			 const struct cache_sink *sink, struct cache_err *err)
{
	const struct cache_finding *f = &r->ring[set->members->leader].search;

	return set->journal.driver_agrees || !f->code ? 0 : cache_found(sink, err, f);
}

int cache_set_rings_join(struct cache_set *set, const struct cache_set_rings *r,
			 const struct cache_sink *sink, struct cache_err *err)
{
	const struct cache_set_members *m = set->members;
	const struct cache_sb *sb = m->given[m->index[m->leader]].sb;
	const struct cache_journal *ring[MEMBERS_MAX];
	int ret;

	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		ring[i] = r->ring[i].read ? &r->ring[i].journal : NULL;
	ret = cache_journal_join(set->dev, &set->sb, ring, m->leader, &set->journal, sink, err);
	if (ret)
		return ret;
	set->loaded = CACHE_LOAD_JOURNAL;
	set->has_journal = set->journal.nentries;
	if (set->has_journal)
		ret = report_lacking(set, r, err);
	else if (cache_sb_is_synced(sb))
		ret = cache_found(sink, err, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_EMPTY, .count = sb->njournal });
	return ret ? ret : report_search(set, r, sink, err);
}

void cache_set_rings_fini(struct cache_set_rings *r)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++)
		cache_journal_fini(&r->ring[i].journal);
}
