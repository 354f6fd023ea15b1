// SPDX-License-Identifier: GPL-2.0-only
/* Reading the ring: every valid entry of every bucket. */
#include "base/checked.h"
#include "base/array.h"
#include "disk/jset_codec.h"
#include "disk/journal_hidden.h"
#include "disk/journal_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int add_entry(struct cache_journal_scan *s, const struct cache_jset_pos *pos)
{
	struct cache_journal *j = s->j;
	void *p = cache_array_grow(j->entries, j->nentries, &s->capacity, sizeof(*j->entries));

	if (!p)
		return cache_err_set(s->err, -ENOMEM, 0, "no memory for more than %zu journal entries",
				     j->nentries);
	j->entries = p;
	j->entries[j->nentries++] = *pos;
	if (pos->seq > j->bucket_seq[pos->index])
		j->bucket_seq[pos->index] = pos->seq;
	return 0;
}

static int found_torn(struct cache_journal_scan *s, const struct cache_jset_disk *d, uint32_t index,
		      uint32_t offset)
{
	return cache_found(s->sink, s->err, &(struct cache_finding){
		.code = CACHE_P_JOURNAL_TORN, .bucket = s->sb->journal_bucket[index],
		.offset = offset, .seq = cache_le64_get(d->seq),
		.got = cache_le64_get(d->csum), .want = cache_jset_csum(d) });
}

/*
 * Reads one entry at @offset of bucket @index; @left sectors of the bucket are in @d. Return: 1
 * there is an entry, of @used sectors; 0 the bucket ends here; -EAGAIN the entry goes past what
 * was read; otherwise an error.
 */
static int scan_entry(struct cache_journal_scan *s, const struct cache_jset_disk *d, uint32_t index,
		      uint32_t offset, uint64_t left, uint32_t *used)
{
	uint64_t nbytes = cache_jset_bytes(d);
	struct cache_jset jset;
	int ret;

	if (cache_le64_get(d->magic) != s->magic) {
		if (__builtin_bswap64(cache_le64_get(d->magic)) != s->magic || offset)
			return 0;
		return cache_found(s->sink, s->err, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_BIG_ENDIAN,
			.bucket = s->sb->journal_bucket[index] });
	}
	if (nbytes > CACHE_JSET_MAX_BYTES ||
	    nbytes > (s->sb->bucket_sectors - offset) * CACHE_SECTOR_BYTES)
		return 0;
	if (nbytes > left * CACHE_SECTOR_BYTES)
		return -EAGAIN;
	if (cache_le64_get(d->csum) != cache_jset_csum(d))
		return found_torn(s, d, index, offset);

	cache_jset_decode(d, &jset);
	jset.pos.index = index;
	jset.pos.offset_sectors = offset;
	*used = cache_jset_sectors(s->sb, jset.pos.nwords);
	ret = add_entry(s, &jset.pos);
	return ret ? ret : 1;
}

static int no_window(struct cache_err *err)
{
	return cache_err_set(err, -ENOMEM, 0, "no memory for a journal window");
}

/* @n sectors at @sector; those of a bucket that come first are read ahead. */
static int read_window(struct cache_journal_scan *s, uint64_t sector, uint64_t n, bool first, char **data)
{
	*data = s->buf;
	return first ? cache_read_ahead(&s->first, sector, data)
		     : cache_dev_read(s->dev, sector, n, s->buf, NULL);
}

static int scan_bucket(struct cache_journal_scan *s, uint32_t index)
{
	uint64_t start = cache_bucket_sector(s->sb, s->sb->journal_bucket[index]);
	uint64_t size = s->sb->bucket_sectors, offset = 0;

	while (offset < size) {
		uint64_t n = cache_min_u64(size - offset,
					   CACHE_JSET_WINDOW_BYTES / CACHE_SECTOR_BYTES);
		uint64_t at = 0;
		char *data;
		int ret = cache_poll(s->sink, CACHE_PASS_JOURNAL, index, s->sb->njournal);

		if (ret)
			return ret;
		ret = read_window(s, start + offset, n, !offset, &data);
		if (ret == -ENOMEM)
			return no_window(s->err);
		if (ret)
			return cache_journal_unreadable(s->sb, s->j, index, start + offset,
							s->sink, s->err);
		while (at < n) {
			const void *d = data + at * CACHE_SECTOR_BYTES;
			uint32_t used = 0;

			ret = scan_entry(s, d, index, offset + at, n - at, &used);
			if (ret == -EAGAIN)
				break;
			if (ret <= 0)
				return ret;
			at += used;
		}
		offset += at;
	}
	return 0;
}

static int found_empty(struct cache_journal_scan *s)
{
	if (!cache_sb_is_synced(s->sb))
		return 0;
	return cache_found(s->sink, s->err, &(struct cache_finding){
		.code = CACHE_P_JOURNAL_EMPTY, .count = s->sb->njournal });
}

int cache_journal_read(struct cache_dev *dev, const struct cache_sb *sb,
		       struct cache_journal *journal, const struct cache_sink *sink,
		       struct cache_err *err)
{
	struct cache_journal_scan s = {
		.dev = dev, .sb = sb, .j = journal, .sink = sink, .err = err,
		.magic = cache_sb_set_magic(sb) ^ CACHE_JSET_MAGIC,
		.buf = cache_dev_buf(CACHE_JSET_WINDOW_BYTES),
	};
	int ret = 0;

	memset(journal, 0, sizeof(*journal));
	if (!s.buf)
		return no_window(err);
	cache_read_ahead_init(&s.first, dev, cache_min_u64(sb->bucket_sectors,
							   CACHE_JSET_WINDOW_BYTES / CACHE_SECTOR_BYTES));
	for (uint32_t i = 0; i < sb->njournal && !ret; i++)
		ret = scan_bucket(&s, i);
	if (!ret)
		ret = journal->nentries ? cache_journal_understand(&s) : found_empty(&s);
	if (!ret)
		ret = cache_poll(sink, CACHE_PASS_JOURNAL, sb->njournal, sb->njournal);
	free(s.buf);
	cache_read_ahead_fini(&s.first);
	return ret;
}

void cache_journal_fini(struct cache_journal *journal)
{
	free(journal->entries);
	free(journal->replay);
	memset(journal, 0, sizeof(*journal));
}

static int each_key_of(const struct cache_jset_pos *pos, const cache_le64 *words,
		       cache_journal_key_fn *fn, void *ctx,
		       const struct cache_sink *sink, struct cache_err *err)
{
	uint32_t at = 0;

	for (unsigned index = 0; at < pos->nwords; index++) {
		struct cache_bkey k;
		unsigned n = cache_bkey_decode(words + at, pos->nwords - at, &k);
		int ret;

		if (!n)
			return cache_found(sink, err, &(struct cache_finding){
				.code = CACHE_P_JOURNAL_TILING, .seq = pos->seq,
				.got = at, .want = pos->nwords });
		ret = fn(ctx, pos, index, &k);
		if (ret)
			return ret;
		at += n;
	}
	return 0;
}

int cache_journal_each_key(struct cache_dev *dev, const struct cache_sb *sb,
			   const struct cache_journal *journal, bool newest_first,
			   cache_journal_key_fn *fn, void *ctx,
			   const struct cache_sink *sink, struct cache_err *err)
{
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	int ret = 0;

	if (!words)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a journal entry");
	for (size_t i = 0; i < journal->nreplay && !ret; i++) {
		const struct cache_jset_pos *pos =
			journal->replay[newest_first ? journal->nreplay - 1 - i : i];

		if (!pos->nwords)
			continue;
		ret = cache_poll(sink, 0, 0, 0);
		if (!ret)
			ret = cache_jset_read(dev, sb, pos, NULL, words, err);
		if (!ret)
			ret = each_key_of(pos, words, fn, ctx, sink, err);
	}
	free(words);
	return ret;
}

uint32_t cache_journal_free_buckets(const struct cache_sb *sb,
				    const struct cache_journal *journal)
{
	uint32_t n = 0, i = journal->newest.pos.index;

	for (; n + 1 < sb->njournal; n++) {
		i = (i + 1) % sb->njournal;
		if (journal->bucket_seq[i] >= journal->newest.pos.last_seq)
			break;
	}
	return n;
}
