// SPDX-License-Identifier: GPL-2.0-only
/*
 * A damaged entry ends its bucket for the driver, whatever stands behind it. An entry is
 * only written when the one before it is durable, so what stands behind was there, and
 * was acknowledged: the damage came later.
 *
 * Not all that verifies there belongs to the set as it is: a ring is written over in
 * laps, and a set that was started on what the damage left has since written other
 * entries of the same seqs, in the next bucket. So they are looked for only right
 * behind the newest entry, or right behind one that the replay lacks a successor of,
 * and must have the seqs that follow it: what an earlier lap left has smaller ones, and
 * after another start the newest entry stands elsewhere.
 */
#include "disk/journal_hidden.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "disk/journal_blocks.h"
#include "disk/jset_codec.h"

struct hidden {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	struct cache_journal *j;
	const struct cache_sink *sink;
	struct cache_err *err;
	uint64_t seq, last_seq;	/* of the last one believed */
	uint64_t max;
	uint32_t gap;		/* entries that can have stood since */
	char *buf;		/* CACHE_JSET_MAX_BYTES */
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

static bool is_known(const struct cache_journal *j, const struct cache_jset_pos *pos)
{
	for (size_t i = 0; i < j->nentries; i++)
		if (j->entries[i].index == pos->index &&
		    j->entries[i].offset_sectors == pos->offset_sectors)
			return true;
	return false;
}

/*
 * In ring order, then by place, as all of them. One behind the end of the ring stands
 * before those that led to it, who then asks again: it is there already.
 */
static int insert(struct hidden *h, const struct cache_jset_pos *pos)
{
	struct cache_journal *j = h->j;
	size_t i = j->nentries;
	struct cache_jset_pos *p;

	if (is_known(j, pos))
		return 0;
	p = reallocarray(j->entries, j->nentries + 1, sizeof(*p));
	if (!p)
		return cache_err_set(h->err, -ENOMEM, 0, "no memory for a journal entry");
	j->entries = p;
	for (; i && (p[i - 1].index > pos->index || (p[i - 1].index == pos->index &&
			p[i - 1].offset_sectors > pos->offset_sectors)); i--)
		p[i] = p[i - 1];
	p[i] = *pos;
	j->nentries++;
	h->found++;
	return 0;
}

/* Whether it can be one that followed, unless it is the very next, which is not hidden. */
static bool goes_on(const struct hidden *h, const struct cache_jset_pos *pos)
{
	uint64_t least = h->seq + 1 + !!h->gap;

	return pos->seq >= least && pos->seq - h->seq <= (uint64_t)h->gap + 1 &&
	       pos->seq <= h->max && pos->last_seq >= h->last_seq && pos->last_seq <= pos->seq;
}

/* The entry at @offset, if one is there and to be believed: its sectors; else 0, or an error. */
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
	ret = insert(h, &jset.pos);
	h->seq = jset.pos.seq;
	h->last_seq = jset.pos.last_seq;
	h->gap = 0;
	return ret ? ret : (int)cache_jset_sectors(h->sb, jset.pos.nwords);
}

static int look(struct hidden *h, uint32_t index, uint32_t offset)
{
	while (offset < h->sb->bucket_sectors && !h->j->bucket_unreadable[index]) {
		int used = take(h, index, offset);

		if (used < 0)
			return used;
		h->gap += !used;	/* an entry takes a block at least */
		offset += used ? (uint32_t)used : h->sb->block_sectors;
	}
	return 0;
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
	if (!h.buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a journal entry");
	ret = look(&h, index, end);
	/* the damaged one did not fit behind it: it began the next bucket; and the next again */
	for (int found = -1; !ret && next != index && !j->bucket_seq[next] && found != h.found;
	     next = (next + 1) % sb->njournal) {
		found = h.found;
		h.gap = 0;
		ret = look(&h, next, 0);
	}
	free(h.buf);
	return ret ? ret : h.found;
}
