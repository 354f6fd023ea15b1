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
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "disk/journal_blocks.h"
#include "disk/jset_codec.h"
#include "format/correct.h"

struct hidden {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	struct cache_journal *j;
	const struct cache_sink *sink;
	struct cache_err *err;
	uint64_t seq, last_seq;	/* of the last entry that was accepted */
	uint64_t max;
	uint32_t gap;		/* number of entries that can have been between */
	char *buf;		/* CACHE_JSET_MAX_BYTES */
	char *window;		/* CACHE_JSET_WINDOW_BYTES */
	/* entries of one bucket that were accepted and are not in j->entries yet */
	struct cache_jset_pos *pos;
	size_t npos, capacity;
	int found;
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
	return a->index != b->index ? a->index < b->index : a->offset_sectors < b->offset_sectors;
}

static bool is_known(const struct cache_journal *j, const struct cache_jset_pos *pos)
{
	size_t lo = 0, hi = j->nentries;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (is_before(&j->entries[mid], pos))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < j->nentries && !is_before(pos, &j->entries[lo]);
}

/*
 * The search goes on at the first ring bucket after the last one, and then may find an entry
 * that it has added already.
 */
static int add(struct hidden *h, const struct cache_jset_pos *pos)
{
	struct cache_jset_pos *p;

	if (is_known(h->j, pos))
		return 0;
	p = cache_array_grow(h->pos, h->npos, &h->capacity, sizeof(*p));
	if (!p)
		return cache_err_set(h->err, -ENOMEM, 0, "no memory for a journal entry");
	h->pos = p;
	h->pos[h->npos++] = *pos;
	h->found++;
	return 0;
}

/* Inserts the added entries among all others, in ring order, then by offset. */
static int insert_all(struct hidden *h)
{
	struct cache_journal *j = h->j;
	size_t i = j->nentries, n = h->npos;
	struct cache_jset_pos *p;

	if (!n)
		return 0;
	p = reallocarray(j->entries, i + n, sizeof(*p));
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
	h->npos = 0;
	return 0;
}

/*
 * Whether the entry can be a later one. With a gap it is not the very next seq, which would not be
 * hidden.
 */
static bool goes_on(const struct hidden *h, const struct cache_jset_pos *pos)
{
	uint64_t least = h->seq + 1 + !!h->gap;

	return pos->seq >= least && pos->seq - h->seq <= (uint64_t)h->gap + 1 &&
	       pos->seq <= h->max && pos->last_seq >= h->last_seq && pos->last_seq <= pos->seq;
}

/*
 * Takes the entry at @offset if one is there and is acceptable. Return: its sectors, 0, or an
 * error.
 */
static int take(struct hidden *h, uint32_t index, uint32_t offset)
{
	struct cache_jset_pos at = { .index = index, .offset_sectors = offset };
	struct cache_jset jset;
	int ret = cache_journal_block(h->dev, h->sb, &at, h->buf);

	if (ret == -EIO)
		return cache_journal_unreadable(h->sb, h->j, index,
						cache_jset_sector(h->sb, &at), h->sink, h->err);
	if (ret <= 0)
		return 0;
	cache_jset_decode((void *)h->buf, &jset);
	jset.pos.index = index;
	jset.pos.offset_sectors = offset;
	jset.pos.hidden = true;
	if (!goes_on(h, &jset.pos))
		return 0;
	ret = add(h, &jset.pos);
	h->seq = jset.pos.seq;
	h->last_seq = jset.pos.last_seq;
	h->gap = 0;
	return ret ? ret : (int)cache_jset_sectors(h->sb, jset.pos.nwords);
}

/* Sectors of one bucket that were read at once. */
struct window {
	uint32_t from, to;
	bool read;		/* otherwise each block is read */
	uint64_t failed;	/* a sector that could not be read; 0: none */
};

/* Whether an entry can begin at @offset, according to a window that was read there. */
static bool may_begin(struct hidden *h, struct window *w, uint32_t index, uint32_t offset)
{
	struct cache_jset_pos at = { .index = index, .offset_sectors = offset };
	uint64_t sector = cache_jset_sector(h->sb, &at);
	uint64_t magic = cache_sb_set_magic(h->sb) ^ CACHE_JSET_MAGIC, got;

	if (offset >= w->to) {
		w->from = offset;
		w->to = cache_min_u64(h->sb->bucket_sectors, (uint64_t)offset +
				      CACHE_JSET_WINDOW_BYTES / CACHE_SECTOR_BYTES);
		w->read = !cache_dev_read(h->dev, sector, w->to - offset, h->window, NULL);
		w->failed = w->read ? w->failed : sector;
	}
	got = cache_le64_get(((const struct cache_jset_disk *)(h->window +
			     (uint64_t)(offset - w->from) * CACHE_SECTOR_BYTES))->magic);
	/* as in cache_journal_block(), a wrong byte is corrected in it */
	return !w->read || got == magic || cache_differ_in_one_byte(got, magic);
}

static int look(struct hidden *h, uint32_t index, uint32_t offset)
{
	struct window w = { 0 };

	while (offset < h->sb->bucket_sectors && !h->j->bucket_unreadable[index]) {
		int used = offset >= w.to ? cache_poll(h->sink, 0, 0, 0) : 0;

		if (!used && may_begin(h, &w, index, offset))
			used = take(h, index, offset);
		if (used < 0)
			return used;
		h->gap += !used;	/* an entry takes at least one block */
		offset += used ? (uint32_t)used : h->sb->block_sectors;
	}
	/* all of it could be read block by block, but it failed before */
	if (w.failed) {
		int ret = cache_journal_unreadable(h->sb, h->j, index, w.failed, h->sink, h->err);

		if (ret)
			return ret;
	}
	return insert_all(h);
}

/*
 * Whether to look in bucket @next too. The damaged entry did not fit behind @before and began
 * the next bucket, or the one after that, as long as each has something (@found: what was found
 * before the last one). Between two entries that are known the buckets may have nothing, or
 * only what was there before a write that was lost.
 */
static bool goes_on_in(const struct hidden *h, const struct cache_jset_pos *before, uint32_t next,
		       int found)
{
	uint64_t seq = h->j->bucket_seq[next];

	return h->max == UINT64_MAX ? !seq && found != h->found : seq < before->seq;
}

int cache_journal_hidden(struct cache_dev *dev, const struct cache_sb *sb,
			 struct cache_journal *j, const struct cache_jset_pos *before,
			 uint64_t max, const struct cache_sink *sink, struct cache_err *err)
{
	struct hidden h = { .dev = dev, .sb = sb, .j = j, .sink = sink, .err = err,
			    .seq = before->seq, .last_seq = before->last_seq, .max = max };
	uint32_t end = before->offset_sectors + cache_jset_sectors(sb, before->nwords);
	uint32_t next = (before->index + 1) % sb->njournal, index = before->index;
	int ret;

	h.buf = cache_dev_buf(CACHE_JSET_MAX_BYTES);
	h.window = cache_dev_buf(CACHE_JSET_WINDOW_BYTES);
	if (!h.buf || !h.window)
		ret = cache_err_set(err, -ENOMEM, 0, "no memory for a journal entry");
	else
		ret = look(&h, index, end);
	for (int found = -1; !ret && next != index && goes_on_in(&h, before, next, found);
	     next = (next + 1) % sb->njournal) {
		found = h.found;
		if (max == UINT64_MAX)
			h.gap = 0;
		ret = look(&h, next, 0);
	}
	free(h.pos);
	free(h.window);
	free(h.buf);
	return ret ? ret : h.found;
}
