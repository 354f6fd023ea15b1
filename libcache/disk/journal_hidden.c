// SPDX-License-Identifier: GPL-2.0-only
/*
 * For the driver a damaged entry ends its bucket, whatever is behind it. An entry is only
 * written when the one before it is durable, so the entries behind the damage were written and
 * acknowledged, and the damage came later.
 *
 * Not every entry that verifies there belongs to the current state. The ring is overwritten in
 * laps; and a set that was started from what the damage left has written other entries with the
 * same seqs, in the next bucket. So entries are searched for only right behind the newest
 * entry, or right behind one whose successor the replay lacks, and must have the seqs that
 * follow: entries of an earlier lap have smaller seqs, and after another start the newest entry
 * is in another place.
 */
#include "disk/journal_hidden.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/checked.h"
#include "disk/journal_blocks.h"
#include "disk/jset_codec.h"

/* All that verifies in a ring bucket, also what lies inside of an entry, by its place. */
struct content {
	struct cache_jset_pos *pos;
	size_t n, capacity;
	uint32_t from;		/* sector from which on it was read; UINT32_MAX: it was not */
	uint32_t to;		/* where it could not be read */
};

struct cache_journal_search {
	const struct cache_sb *sb;
	struct cache_journal *j;
	const struct cache_sink *sink;
	struct cache_err *err;
	struct cache_ring_reader reader;
	struct content content[CACHE_SB_JOURNAL_BUCKETS];
	/* of one call of cache_journal_hidden() */
	uint64_t seq, last_seq;	/* of the last entry that was accepted */
	uint64_t max;
	uint32_t gap;		/* number of entries that can have been between */
	/* entries that were accepted and are not in j->entries yet */
	struct cache_jset_pos *pos;
	size_t npos, capacity;
};

int cache_journal_unreadable(const struct cache_sb *sb, struct cache_journal *j, uint32_t index,
			     uint64_t sector, const struct cache_sink *sink,
			     struct cache_err *err)
{
	if (j->bucket_unreadable[index])
		return 0;
	j->bucket_unreadable[index] = true;
	return cache_found(sink, err, &(struct cache_finding){
		.code = CACHE_P_JOURNAL_UNREADABLE, .bucket = sb->journal_bucket[index],
		.sector = sector });
}

static bool is_before(const struct cache_jset_pos *a, const struct cache_jset_pos *b)
{
	return cache_jset_by_place(a, b, NULL) < 0;
}

static bool is_known(const struct cache_journal *j, const struct cache_jset_pos *pos)
{
	uint64_t at = cache_first_index(i, j->nentries, !is_before(&j->entries[i], pos));

	return at < j->nentries && !is_before(pos, &j->entries[at]);
}

/* An earlier call may have found it. */
static int add(struct cache_journal_search *h, const struct cache_jset_pos *pos)
{
	struct cache_jset_pos *p;

	if (is_known(h->j, pos))
		return 0;
	p = cache_array_grow(h->pos, h->npos, &h->capacity, sizeof(*p));
	if (!p)
		return cache_err_set(h->err, -ENOMEM, 0, "no memory for a journal entry");
	h->pos = p;
	h->pos[h->npos++] = *pos;
	return 0;
}

/* Inserts the added entries among all others, in ring order, then by offset. Return: how many. */
static int insert_all(struct cache_journal_search *h)
{
	struct cache_journal *j = h->j;
	size_t i = j->nentries, n = h->npos;
	struct cache_jset_pos *p;
	int ret;

	if (!n)
		return 0;
	ret = cache_sort_polled(h->pos, n, sizeof(*h->pos), cache_jset_by_place, NULL, h->sink);
	if (ret && ret != -ENOMEM)
		return ret;
	p = ret ? NULL : reallocarray(j->entries, i + n, sizeof(*p));
	if (!p)
		return cache_err_set(h->err, -ENOMEM, 0, "no memory for a journal entry");
	j->entries = p;
	j->nentries += n;
	while (n) {
		bool old_last = i && is_before(&h->pos[n - 1], &p[i - 1]);

		p[i + n - 1] = old_last ? p[i - 1] : h->pos[n - 1];
		i -= old_last;
		n -= !old_last;
	}
	return (int)h->npos;
}

/*
 * Whether the entry can be a later one. With a gap it is not the very next seq, which would not be
 * hidden, unless that is known to be missing: then the one before it was written to a wrong place.
 */
static bool goes_on(const struct cache_journal_search *h, const struct cache_jset_pos *pos)
{
	uint64_t least = h->seq + 1 + (h->gap && h->max == UINT64_MAX);

	return pos->seq >= least && pos->seq - h->seq <= (uint64_t)h->gap + 1 &&
	       pos->seq <= h->max && pos->last_seq >= h->last_seq && pos->last_seq <= pos->seq;
}

static int note_entry(struct cache_journal_search *h, struct content *c,
		      const struct cache_jset_pos *at, const struct cache_jset_disk *d)
{
	struct cache_jset_pos *p = cache_array_grow(c->pos, c->n, &c->capacity, sizeof(*p));
	struct cache_jset jset;

	if (!p)
		return cache_err_set(h->err, -ENOMEM, 0, "no memory for a journal entry");
	cache_jset_decode(d, &jset);
	c->pos = p;
	p += c->n++;
	*p = jset.pos;
	p->index = at->index;
	p->offset_sectors = at->offset_sectors;
	p->hidden = true;
	return 0;
}

/* Reads what is in bucket @index from sector @offset on, unless that was done. */
static int read_content(struct cache_journal_search *h, uint32_t index, uint32_t offset)
{
	struct cache_jset_pos at = { .index = index, .offset_sectors = offset };
	struct content *c = &h->content[index];
	uint64_t failed = 0;
	int ret = 0;

	if (c->from <= offset)
		return 0;
	c->n = 0;
	c->from = offset;
	for (; at.offset_sectors < h->sb->bucket_sectors && !ret;
	     at.offset_sectors += h->sb->block_sectors) {
		const struct cache_jset_disk *d;
		int is = cache_ring_block(&h->reader, &at, &d);

		if (is == 1)
			ret = note_entry(h, c, &at, d);
		else if (is == -ECANCELED)
			ret = is;
		if (is == -EIO || (h->reader.failed && !failed))
			failed = cache_jset_sector(h->sb, &at);
		if (is == -EIO)
			break;
	}
	c->to = at.offset_sectors;
	/* all of it could be read block by block, but it failed before */
	return ret || !failed ? ret : cache_journal_unreadable(h->sb, h->j, index, failed,
							       h->sink, h->err);
}

/* Takes what goes on from the last entry, at sector @offset of bucket @index or behind it. */
static int look(struct cache_journal_search *h, uint32_t index, uint32_t offset)
{
	const struct content *c = &h->content[index];
	int ret = h->j->bucket_unreadable[index] ? 0 : read_content(h, index, offset);

	if (c->from > offset)
		return ret;
	for (size_t i = 0; i < c->n && !ret; i++) {
		const struct cache_jset_pos *pos = &c->pos[i];

		if (pos->offset_sectors < offset)
			continue;
		/* an entry takes at least one block */
		h->gap += (pos->offset_sectors - offset) / h->sb->block_sectors;
		offset = pos->offset_sectors;
		if (!goes_on(h, pos))
			continue;
		ret = add(h, pos);
		h->seq = pos->seq;
		h->last_seq = pos->last_seq;
		h->gap = 0;
		offset += cache_jset_sectors(h->sb, pos->nwords);
	}
	if (offset < c->to)
		h->gap += (c->to - offset) / h->sb->block_sectors;
	return ret;
}

/*
 * Whether to look in bucket @next too. The damaged entry did not fit behind @before and began
 * the next bucket, or the one after that, as long as each has something (@found: what was found
 * before the last one). Between two entries that are known the buckets may have nothing, or
 * only what was there before a write that was lost.
 */
static bool goes_on_in(const struct cache_journal_search *h, const struct cache_jset_pos *before,
		       uint32_t next, size_t found)
{
	uint64_t seq = h->j->bucket_seq[next];

	return h->max == UINT64_MAX ? !seq && found != h->npos : seq < before->seq;
}

int cache_journal_hidden(struct cache_journal_search *h, const struct cache_jset_pos *before,
			 uint64_t max)
{
	uint32_t end = before->offset_sectors + cache_jset_sectors(h->sb, before->nwords);
	uint32_t next = (before->index + 1) % h->sb->njournal;
	int ret;

	h->seq = before->seq;
	h->last_seq = before->last_seq;
	h->max = max;
	h->npos = h->gap = 0;
	ret = look(h, before->index, end);
	for (size_t found = SIZE_MAX; !ret && next != before->index &&
	     goes_on_in(h, before, next, found); next = (next + 1) % h->sb->njournal) {
		found = h->npos;
		if (max == UINT64_MAX)
			h->gap = 0;
		ret = look(h, next, 0);
	}
	return ret ? ret : insert_all(h);
}

struct cache_journal_search *cache_journal_search_begin(struct cache_dev *dev,
							const struct cache_sb *sb,
							struct cache_journal *j,
							const struct cache_sink *sink,
							struct cache_err *err)
{
	struct cache_journal_search *h = calloc(1, sizeof(*h));

	if (!h || cache_ring_reader_init(&h->reader, dev, sb, sink)) {
		cache_err_set(err, -ENOMEM, 0, "no memory for a search of the journal");
		cache_journal_search_end(h);
		return NULL;
	}
	h->sb = sb;
	h->j = j;
	h->sink = sink;
	h->err = err;
	for (unsigned i = 0; i < CACHE_SB_JOURNAL_BUCKETS; i++)
		h->content[i].from = UINT32_MAX;
	return h;
}

void cache_journal_search_end(struct cache_journal_search *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < CACHE_SB_JOURNAL_BUCKETS; i++)
		free(h->content[i].pos);
	free(h->pos);
	cache_ring_reader_fini(&h->reader);
	free(h);
}
