// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the entries of a ring mean together: the newest of them, then the range from its last_seq
 * to itself; each seq of that range must exist exactly once.
 */
#include "base/array.h"
#include "base/checked.h"
#include "base/sort.h"
#include "disk/journal_discard.h"
#include "disk/journal_hidden.h"
#include "disk/journal_scan.h"
#include "disk/journal_search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of copies the one that the driver can read, then the first. */
static int by_seq(const void *a, const void *b, void *ctx)
{
	const struct cache_jset_pos *x = *(const struct cache_jset_pos *const *)a;
	const struct cache_jset_pos *y = *(const struct cache_jset_pos *const *)b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	if (x->hidden != y->hidden)
		return x->hidden ? 1 : -1;
	return x < y ? -1 : x > y;
}

static const struct cache_jset_pos *find_newest(const struct cache_journal *j)
{
	const struct cache_jset_pos *best = &j->entries[0], *e;

	for (size_t i = 1; i < j->nentries; i++) {
		e = &j->entries[i];
		if (e->seq > best->seq || (e->seq == best->seq && best->hidden && !e->hidden))
			best = e;
	}
	return best;
}

static int entries_failed(struct cache_journal_scan *s, int ret)
{
	return ret != -ENOMEM ? ret : cache_err_set(s->err, ret, 0,
						    "no memory for %zu journal entries",
						    s->j->nentries);
}

/* The entries of the replay range, sorted, one per seq. */
static int collect_replay(struct cache_journal_scan *s)
{
	struct cache_journal *j = s->j;
	uint64_t first = j->newest.pos.last_seq, last = j->newest.pos.seq;
	size_t n = 0, unique = 0;
	int ret;

	j->replay = calloc(j->nentries, sizeof(*j->replay));
	if (!j->replay)
		return entries_failed(s, -ENOMEM);
	for (size_t i = 0; i < j->nentries; i++)
		if (j->entries[i].seq >= first && j->entries[i].seq <= last)
			j->replay[n++] = &j->entries[i];
	ret = cache_sort_polled(j->replay, n, sizeof(*j->replay), by_seq, NULL, s->sink);
	if (ret)
		return entries_failed(s, ret);
	for (size_t i = 0; i < n; i++) {
		const struct cache_jset_pos *prev = unique ? j->replay[unique - 1] : NULL;

		if (!prev || prev->seq != j->replay[i]->seq) {
			j->replay[unique++] = j->replay[i];
			continue;
		}
		/* A copy is harmless: the driver keeps the one that it reads first. */
		if (prev->csum == j->replay[i]->csum && prev->nwords == j->replay[i]->nwords)
			continue;
		ret = cache_found(s->sink, s->err, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_TWICE, .seq = prev->seq,
			.bucket = cache_jset_bucket(s->sb, prev),
			.other = cache_jset_bucket(s->sb, j->replay[i]) });
		if (ret)
			return ret;
	}
	j->nreplay = unique;
	return 0;
}

/* Whether all entries from @start to before @end exist, intact, behind damage. */
static bool is_hidden(const struct cache_journal *j, uint64_t start, uint64_t end)
{
	uint64_t n = 0;

	for (size_t i = 0; i < j->nreplay; i++)
		n += j->replay[i]->seq >= start && j->replay[i]->seq < end;
	return n == end - start;
}

/* The driver's start accepts a gap at the front if the set uses discards (journal_discard.c). */
static int found_gap(struct cache_journal_scan *s, uint64_t start,
		     const struct cache_jset_pos *next)
{
	const struct cache_jset_pos *newest = &s->j->newest.pos;
	enum cache_problem code = CACHE_P_JOURNAL_GAP;

	if (s->sb->flags & CACHE_SB_DISCARD && start == newest->last_seq) {
		int ret = cache_journal_was_discarded(s->dev, s->sb, s->j, next, s->err);

		if (ret < 0)
			return ret;
		code = ret ? CACHE_P_JOURNAL_DISCARDED : CACHE_P_JOURNAL_FRONT_GAP;
	}
	return cache_found(s->sink, s->err, &(struct cache_finding){
		.code = code, .start = start, .end = next->seq - 1,
		.want = newest->last_seq, .seq = newest->seq,
		.corrected = is_hidden(s->j, start, next->seq) });
}

/*
 * Checks every seq from last_seq to the newest that the driver can read; each run of missing
 * ones is one finding. Hidden entries are missing for the driver.
 */
static int check_gaps(struct cache_journal_scan *s, bool *complete)
{
	const struct cache_journal *j = s->j;
	uint64_t next = j->newest.pos.last_seq;
	int ret;

	*complete = true;
	if (next > j->newest.pos.seq) {
		*complete = false;
		return cache_found(s->sink, s->err, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_LAST_SEQ, .seq = j->newest.pos.seq,
			.got = next });
	}
	for (size_t i = 0; i < j->nreplay && j->replay[i]->seq <= s->seen; i++) {
		if (j->replay[i]->hidden)
			continue;
		if (j->replay[i]->seq != next) {
			*complete = false;
			ret = found_gap(s, next, j->replay[i]);
			if (ret)
				return ret;
		}
		next = j->replay[i]->seq + 1;
	}
	return 0;
}

/* Checks the range from there to the newest entry, for seqs that are neither read nor hidden. */
static uint64_t count_lost(const struct cache_journal *j)
{
	return j->newest.pos.seq + 1 - j->newest.pos.last_seq - j->nreplay;
}

/*
 * The newest entries are behind a damaged one: the driver would start from an older state of
 * the set, whose buckets may have been reused since.
 */
static int check_hidden(struct cache_journal_scan *s)
{
	const struct cache_jset_pos *newest = &s->j->newest.pos;

	if (newest->seq == s->seen)
		return 0;
	return cache_found(s->sink, s->err, &(struct cache_finding){
		.code = CACHE_P_JOURNAL_HIDDEN, .bucket = cache_jset_bucket(s->sb, newest),
		.seq = s->seen, .got = newest->seq, .count = count_lost(s->j),
		.sector = cache_jset_sector(s->sb, newest) });
}

static int check_search(struct cache_journal_scan *s)
{
	struct cache_journal *j = s->j;
	struct cache_journal_gap gap;
	int ret = cache_journal_search(s->sb, j, &gap, s->sink);

	if (ret == -ENOMEM)
		cache_err_set(s->err, ret, 0, "no memory to follow the driver's search");
	if (ret)
		return ret;
	if (j->driver_newest_seq == s->seen && j->newest.pos.hidden)
		return 0;	/* reported already */
	if (j->driver_newest_seq != j->newest.pos.seq)
		ret = cache_found(s->sink, s->err, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_SEARCH, .got = j->driver_newest_seq,
			.want = j->newest.pos.seq });
	if (!ret && j->driver_newest_seq && gap.missed != gap.end + 1)
		ret = cache_found(s->sink, s->err, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_SEARCH_GAP, .got = gap.missed,
			.start = gap.start, .end = gap.end });
	return ret;
}

static int check_newest(struct cache_journal_scan *s)
{
	const struct cache_jset_pos *newest = &s->j->newest.pos;
	int ret = 0;

	if (newest->version > CACHE_JSET_VERSION)
		ret = cache_found(s->sink, s->err, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_VERSION, .seq = newest->seq,
			.got = newest->version, .want = CACHE_JSET_VERSION });
	if (!ret && s->j->nreplay > CACHE_JOURNAL_OPEN_MAX)
		ret = cache_found(s->sink, s->err, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_MANY, .got = s->j->nreplay,
			.want = CACHE_JOURNAL_OPEN_MAX });
	return ret;
}

/* The seqs of all entries that the driver can read, sorted. */
static int sort_seqs(struct cache_journal_scan *s, uint64_t **seqs)
{
	const struct cache_journal *j = s->j;
	uint64_t *seq = calloc(j->nentries, sizeof(*seq));
	int ret = seq ? 0 : -ENOMEM;

	*seqs = seq;
	for (size_t i = 0; i < j->nentries && !ret; i++)
		seq[i] = j->entries[i].seq;
	if (!ret)
		ret = cache_sort_u64_polled(seq, j->nentries, cache_poll_sink, (void *)s->sink);
	return ret ? entries_failed(s, ret) : 0;
}

/*
 * The least of @n sorted seqs that follows a gap after @from, UINT64_MAX: there is no gap. An
 * entry that was written to a wrong place is among them, though it may be what is missing here.
 */
static uint64_t seq_after_gap(const uint64_t *seq, size_t n, uint64_t from)
{
	uint64_t at = cache_first_index(i, n, seq[i] > from);

	for (; at < n && seq[at] <= from + 1; at++)
		from = seq[at];
	return at < n ? seq[at] : UINT64_MAX;
}

/* Whether the driver can have written @next right after @e: behind it, or into the next bucket. */
static bool stands_behind(const struct cache_sb *sb, const struct cache_jset_pos *e,
			  const struct cache_jset_pos *next)
{
	if (next->index == e->index)
		return next->offset_sectors == e->offset_sectors + cache_jset_sectors(sb, e->nwords);
	return next->index == (e->index + 1) % sb->njournal && !next->offset_sectors;
}

/* The first of the entries, back to the oldest of the replay, that lead up to @newest without a gap. */
static const struct cache_jset_pos *first_of_run(const struct cache_journal_scan *s,
						 const struct cache_jset_pos *newest)
{
	const struct cache_jset_pos *entry = s->j->entries, *e;
	size_t n = s->j->nentries, i = 0;

	while (entry[i].index != newest->index || entry[i].offset_sectors != newest->offset_sectors)
		i++;
	for (size_t steps = n; steps && entry[i].seq > newest->last_seq; steps--) {
		e = &entry[i ? i - 1 : n - 1];
		if (e->seq + 1 != entry[i].seq || !stands_behind(s->sb, e, &entry[i]))
			break;
		i = e - entry;
	}
	return &entry[i];
}

/*
 * The entry before those that lead up to @newest, if they do not stand right behind it: then they
 * were written to a wrong place, and what came after them stands behind the hole that they left.
 * NULL: they do, or there is none.
 */
static const struct cache_jset_pos *before_misplaced(const struct cache_journal_scan *s,
						     const struct cache_jset_pos *newest)
{
	const struct cache_jset_pos *e = NULL, *first = first_of_run(s, newest);

	for (size_t i = 0; i < s->j->nentries && !e; i++)
		if (s->j->entries[i].seq + 1 == first->seq)
			e = &s->j->entries[i];
	return e && !stands_behind(s->sb, e, first) ? e : NULL;
}

/* Behind entries that end a bucket before a gap; @seqs: the @n that the driver can read, sorted. */
static int find_in_gaps(struct cache_journal_scan *s, struct cache_journal_search *search,
			const struct cache_jset_pos *newest, const uint64_t *seqs, size_t n)
{
	struct cache_journal *j = s->j;
	int ret = 0;

	for (size_t i = 0; i < j->nentries && ret >= 0; i++) {
		struct cache_jset_pos e = j->entries[i];
		uint64_t next;

		if (e.hidden || e.seq >= newest->seq ||
		    (i + 1 < j->nentries && j->entries[i + 1].index == e.index &&
		     !j->entries[i + 1].hidden))
			continue;
		next = seq_after_gap(seqs, n, e.seq);
		if (next > newest->last_seq && next != UINT64_MAX)
			ret = cache_journal_hidden(search, &e, next - 1);
		/* entries that were added in a bucket before it have moved it */
		while (j->entries[i].index != e.index ||
		       j->entries[i].offset_sectors != e.offset_sectors)
			i++;
	}
	return ret;
}

/* Behind the newest entry, and behind those that end a bucket before a gap. */
static int find_hidden(struct cache_journal_scan *s)
{
	struct cache_journal *j = s->j;
	struct cache_jset_pos newest = *find_newest(j);
	size_t n = j->nentries;
	uint64_t *seqs;
	struct cache_journal_search *search = NULL;
	const struct cache_jset_pos *before;
	int ret = sort_seqs(s, &seqs);

	if (!ret)
		search = cache_journal_search_begin(s->dev, s->sb, j, s->sink, s->err);
	if (!ret)
		ret = search ? cache_journal_hidden(search, &newest, UINT64_MAX) : -ENOMEM;
	s->seen = newest.seq;
	before = ret < 0 ? NULL : before_misplaced(s, &newest);
	if (before) {
		struct cache_jset_pos e = *before;	/* the list of them may move */

		ret = cache_journal_hidden(search, &e, UINT64_MAX);
	}
	if (ret >= 0)
		ret = find_in_gaps(s, search, &newest, seqs, n);
	cache_journal_search_end(search);
	free(seqs);
	return ret < 0 ? ret : 0;
}

static int read_newest(struct cache_journal_scan *s)
{
	const struct cache_jset_pos *newest = find_newest(s->j);
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	int ret;

	if (!words)
		return cache_err_set(s->err, -ENOMEM, 0, "no memory for a journal entry");
	ret = cache_jset_read(s->dev, s->sb, newest, &s->j->newest, words, s->err);
	free(words);
	return ret;
}

/* The newest entry, those to replay, and which of them are missing. */
static int judge(struct cache_journal_scan *s, bool *complete)
{
	int ret = read_newest(s);

	if (!ret)
		ret = collect_replay(s);
	if (!ret)
		ret = check_hidden(s);
	return ret ? ret : check_gaps(s, complete);
}

int cache_journal_understand(struct cache_journal_scan *s)
{
	bool complete;
	int ret = find_hidden(s);

	if (!ret)
		ret = judge(s, &complete);
	if (!ret && complete)
		ret = check_search(s);
	return ret ? ret : check_newest(s);
}

/* The entries of @ring behind those that are there. */
static void add_ring(struct cache_journal_scan *s, const struct cache_journal *ring, unsigned member)
{
	struct cache_journal *j = s->j;

	for (size_t i = 0; i < ring->nentries; i++) {
		struct cache_jset_pos *e = &j->entries[j->nentries++];

		*e = ring->entries[i];
		e->member = member;
		if (!e->hidden)
			s->seen = cache_max_u64(s->seen, e->seq);
	}
	j->driver_newest_seq = cache_max_u64(j->driver_newest_seq, ring->driver_newest_seq);
}

static int join(struct cache_journal_scan *s, const struct cache_journal *const ring[], unsigned leader)
{
	struct cache_journal *j = s->j;
	size_t n = 0;

	for (unsigned i = 0; i < CACHE_MAX_CACHES_PER_SET; i++)
		n += ring[i] ? ring[i]->nentries : 0;
	j->entries = calloc(n + 1, sizeof(*j->entries));
	if (!j->entries)
		return cache_err_set(s->err, -ENOMEM, 0, "no memory for %zu journal entries", n);
	memcpy(j->bucket_seq, ring[leader]->bucket_seq, sizeof(j->bucket_seq));
	memcpy(j->bucket_unreadable, ring[leader]->bucket_unreadable,
	       sizeof(j->bucket_unreadable));
	add_ring(s, ring[leader], leader);
	for (unsigned i = 0; i < CACHE_MAX_CACHES_PER_SET; i++)
		if (ring[i] && i != leader)
			add_ring(s, ring[i], i);
	return 0;
}

int cache_journal_join(struct cache_dev *dev, const struct cache_sb *sb,
		       const struct cache_journal *const ring[CACHE_MAX_CACHES_PER_SET],
		       unsigned leader, struct cache_journal *journal,
		       const struct cache_sink *sink, struct cache_err *err)
{
	struct cache_journal_scan s = { .dev = dev, .sb = sb, .j = journal, .sink = sink,
					.err = err };
	bool complete;
	int ret;

	memset(journal, 0, sizeof(*journal));
	ret = join(&s, ring, leader);
	if (ret || !journal->nentries)
		return ret;
	ret = judge(&s, &complete);
	for (unsigned i = 0; i < CACHE_MAX_CACHES_PER_SET && !ret; i++)
		journal->driver_agrees |= ring[i] && ring[i]->driver_agrees &&
					  ring[i]->newest.pos.seq == journal->newest.pos.seq;
	return ret ? ret : check_newest(&s);
}
