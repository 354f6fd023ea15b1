// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the ring block by block. An entry can begin at every block, whatever is before it and
 * whether or not the driver reads that far.
 */
#include "disk/journal_blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "disk/jset_codec.h"
#include "format/correct.h"

static uint64_t magic_of(const struct cache_sb *sb)
{
	return cache_sb_set_magic(sb) ^ CACHE_JSET_MAGIC;
}

int cache_journal_block(struct cache_dev *dev, const struct cache_sb *sb,
			const struct cache_jset_pos *at, char *buf)
{
	const struct cache_jset_disk *d = (const void *)buf;
	uint64_t sector = cache_jset_sector(sb, at), magic = magic_of(sb);
	uint64_t nsectors = cache_min_u64(CACHE_JSET_MAX_BYTES / CACHE_SECTOR_BYTES,
					  sb->bucket_sectors - at->offset_sectors);

	if (cache_dev_read(dev, sector, 1, buf, NULL))
		return -EIO;
	if (cache_le64_get(d->magic) != magic &&
	    !cache_differ_in_one_byte(cache_le64_get(d->magic), magic))
		return 0;
	if (cache_dev_read(dev, sector, nsectors, buf, NULL)) {
		nsectors = cache_div_up(cache_jset_bytes(d), CACHE_SECTOR_BYTES);
		if (cache_le64_get(d->magic) != magic || cache_jset_bytes(d) >
		    cache_min_u64(CACHE_JSET_MAX_BYTES, (sb->bucket_sectors -
				  at->offset_sectors) * CACHE_SECTOR_BYTES))
			return -EUCLEAN;
		if (cache_dev_read(dev, sector, nsectors, buf, NULL))
			return -EIO;
	}
	return cache_correct_entry(buf, CACHE_JSET_HEADER_BYTES, nsectors * CACHE_SECTOR_BYTES,
				   NULL) && cache_le64_get(d->magic) == magic ? 1 : -EUCLEAN;
}

/*
 * Called for each block; @d: the entry at the block; NULL: it does not verify, or cannot be
 * read
 */
typedef int block_fn(void *ctx, const struct cache_jset_pos *at,
		     const struct cache_jset_disk *d);

struct blocks {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	block_fn *fn;
	void *ctx;
	char *window, *buf;
};

/*
 * A window that was read as a whole shows where an entry may begin; otherwise each block is
 * read.
 */
static int each_of_window(struct blocks *b, struct cache_jset_pos at, uint64_t n)
{
	bool read = !cache_dev_read(b->dev, cache_jset_sector(b->sb, &at), n, b->window, NULL);
	int ret = 0;

	for (uint64_t i = 0; i < n && !ret; i += b->sb->block_sectors) {
		const struct cache_jset_disk *d =
			(const void *)(b->window + i * CACHE_SECTOR_BYTES);
		int is;

		if (!read || cache_le64_get(d->magic) == magic_of(b->sb)) {
			is = cache_journal_block(b->dev, b->sb, &at, b->buf);
			if (is)
				ret = b->fn(b->ctx, &at, is == 1 ? (void *)b->buf : NULL);
		}
		at.offset_sectors += b->sb->block_sectors;
	}
	return ret;
}

/*
 * Calls @fn for every block that starts like an entry of the set, or cannot be read, in ring
 * order.
 */
static int each_block(struct cache_dev *dev, const struct cache_sb *sb, block_fn *fn, void *ctx)
{
	struct blocks b = { dev, sb, fn, ctx, cache_dev_buf(CACHE_JSET_WINDOW_BYTES),
			    cache_dev_buf(CACHE_JSET_MAX_BYTES) };
	uint64_t block = sb->block_sectors, size = sb->bucket_sectors;
	uint64_t step = CACHE_JSET_WINDOW_BYTES / CACHE_SECTOR_BYTES / block * block;
	int ret = b.window && b.buf ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < sb->njournal && !ret; i++)
		for (uint64_t at = 0; at < size && !ret; at += step)
			ret = each_of_window(&b, (struct cache_jset_pos){ .index = i,
							.offset_sectors = at },
					     cache_min_u64(size - at, step));
	free(b.window);
	free(b.buf);
	return ret;
}

static int note_seq(void *ctx, const struct cache_jset_pos *at, const struct cache_jset_disk *d)
{
	uint64_t *greatest = ctx;

	if (d)
		*greatest = cache_max_u64(*greatest, cache_le64_get(d->seq));
	return 0;
}

int cache_journal_greatest(struct cache_dev *dev, const struct cache_sb *sb, uint64_t *seq,
			   struct cache_err *err)
{
	*seq = 0;
	if (each_block(dev, sb, note_seq, seq))
		return cache_err_set(err, -ENOMEM, 0, "no memory for a journal window");
	return 0;
}

uint64_t cache_journal_blocks_between(const struct cache_sb *sb, const struct cache_jset_pos *a,
				      const struct cache_jset_pos *b)
{
	uint64_t end = a->offset_sectors + cache_jset_sectors(sb, a->nwords);
	uint64_t buckets = (b->index + sb->njournal - a->index) % sb->njournal;

	if (!buckets && b->offset_sectors <= a->offset_sectors)
		buckets = sb->njournal;
	return (buckets * sb->bucket_sectors + b->offset_sectors - end) / sb->block_sectors;
}

bool cache_journal_can_follow(const struct cache_sb *sb, const struct cache_jset_pos *a,
			      const struct cache_jset_pos *b)
{
	return b->seq > a->seq && b->last_seq >= a->last_seq &&
	       b->seq - a->seq <= cache_journal_blocks_between(sb, a, b) + 1;
}

struct run {
	const struct cache_sb *sb;
	struct cache_journal *j;	/* its entries are those of the run */
	size_t capacity;
	uint32_t index, end;	/* bucket of the entries; where the last one ended */
	/* there is an entry; and behind the last one something that does not verify */
	bool any, broken;
	bool doubt;
};

static int add(struct run *r, const struct cache_jset_pos *pos)
{
	struct cache_journal *j = r->j;
	void *p = cache_array_grow(j->entries, j->nentries, &r->capacity, sizeof(*j->entries));

	if (!p)
		return -ENOMEM;
	j->entries = p;
	j->entries[j->nentries++] = *pos;
	return 0;
}

static int note_entry(void *ctx, const struct cache_jset_pos *at,
		      const struct cache_jset_disk *d)
{
	struct run *r = ctx;
	struct cache_journal *j = r->j;
	const struct cache_jset_pos *last = j->nentries ? &j->entries[j->nentries - 1] : NULL;
	struct cache_jset jset;

	if (last && at->index == last->index && at->offset_sectors < r->end)
		return 0;	/* it lies inside that entry */
	r->doubt |= r->any && at->index != r->index;
	r->any = true;
	r->index = at->index;
	r->broken |= !d;
	if (!d || r->doubt)
		return 0;
	cache_jset_decode(d, &jset);
	jset.pos.index = at->index;
	jset.pos.offset_sectors = at->offset_sectors;
	jset.pos.hidden = true;
	r->doubt |= jset.pos.last_seq > jset.pos.seq;
	if (last)
		r->doubt |= !cache_journal_can_follow(r->sb, last, &jset.pos);
	/* an entry that is missing between them may have named what those before it name */
	if (last && (at->offset_sectors != r->end || jset.pos.seq != last->seq + 1))
		j->nentries = 0;
	r->broken = false;
	r->end = at->offset_sectors + cache_jset_sectors(r->sb, jset.pos.nwords);
	return add(r, &jset.pos);
}

/* Finds what the newest entry of the run requires, as far as it exists. */
static int ask_newest(struct cache_dev *dev, const struct cache_sb *sb,
		      struct cache_journal *j, struct cache_err *err)
{
	const struct cache_jset_pos *newest = &j->entries[j->nentries - 1];
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	int ret = -ENOMEM;

	j->replay = calloc(j->nentries, sizeof(*j->replay));
	if (words && j->replay)
		ret = cache_jset_read(dev, sb, newest, &j->newest, words, err);
	free(words);
	for (size_t i = 0; i < j->nentries && !ret; i++)
		if (j->entries[i].seq >= newest->last_seq)
			j->replay[j->nreplay++] = &j->entries[i];
	return ret;
}

int cache_journal_run(struct cache_dev *dev, const struct cache_sb *sb,
		      struct cache_journal *j, struct cache_err *err)
{
	struct run r = { .sb = sb, .j = j };
	int ret;

	memset(j, 0, sizeof(*j));
	ret = each_block(dev, sb, note_entry, &r);
	if (!ret && (r.doubt || r.broken || !j->nentries))
		return 0;
	if (!ret)
		ret = ask_newest(dev, sb, j, err);
	if (ret == -ENOMEM)
		cache_err_set(err, ret, 0, "no memory for a journal entry");
	return ret ? ret : 1;
}

/* Adds every entry that does not lie inside another one. */
static int note_survivor(void *ctx, const struct cache_jset_pos *at,
			 const struct cache_jset_disk *d)
{
	struct run *r = ctx;
	struct cache_jset jset;

	if (!d || (r->any && at->index == r->index && at->offset_sectors < r->end))
		return 0;
	cache_jset_decode(d, &jset);
	r->doubt |= jset.pos.last_seq > jset.pos.seq;
	jset.pos.index = r->index = at->index;
	jset.pos.offset_sectors = at->offset_sectors;
	jset.pos.hidden = r->any = true;
	r->end = at->offset_sectors + cache_jset_sectors(r->sb, jset.pos.nwords);
	return add(r, &jset.pos);
}

/* So many entries can stand together where others belong. */
#define MISPLACED_MAX	8

/* Whether what follows @last in the ring are misdirected writes, and behind them it goes on. */
static bool is_misplaced(const struct run *r, const struct cache_jset_pos *last, size_t i)
{
	const struct cache_journal *j = r->j;

	if (cache_journal_can_follow(r->sb, last, &j->entries[i]))
		return false;
	for (size_t k = 1; k <= MISPLACED_MAX && k + 1 < j->nentries; k++)
		if (cache_journal_can_follow(r->sb, last, &j->entries[(i + k) % j->nentries]))
			return true;
	return false;
}

/* Leaves out entries that stand between two of which the second was written soon after the first. */
static void drop_misplaced(struct run *r)
{
	struct cache_journal *j = r->j;
	size_t first = 0, kept = 0, last;

	/* begin behind one that is in its place */
	while (first < j->nentries &&
	       !cache_journal_can_follow(r->sb, &j->entries[first],
					 &j->entries[(first + 1) % j->nentries]))
		first++;
	last = first;
	for (size_t n = 1; n < j->nentries && first < j->nentries; n++) {
		size_t i = (first + n) % j->nentries;

		if (is_misplaced(r, &j->entries[last], i))
			j->entries[i].nwords = UINT32_MAX;
		else
			last = i;
	}
	for (size_t i = 0; i < j->nentries; i++)
		if (j->entries[i].nwords != UINT32_MAX)
			j->entries[kept++] = j->entries[i];
	j->nentries = kept;
}

/* In one bucket an entry is followed by the next one, or by what is left of an earlier lap. */
static bool contradict(const struct run *r)
{
	const struct cache_jset_pos *e = r->j->entries;

	for (size_t i = 1; i < r->j->nentries; i++)
		if (e[i].index == e[i - 1].index && e[i].seq > e[i - 1].seq &&
		    !cache_journal_can_follow(r->sb, &e[i - 1], &e[i]))
			return true;
	return false;
}

static int by_seq(const void *a, const void *b)
{
	uint64_t x = (*(const struct cache_jset_pos *const *)a)->seq;
	uint64_t y = (*(const struct cache_jset_pos *const *)b)->seq;

	return x < y ? -1 : x > y;
}

/*
 * Finds the entries that the newest one requires, each seq once; @twice: two with one seq
 * differ.
 */
static int ask_survivors(struct cache_dev *dev, const struct cache_sb *sb,
			 struct cache_journal *j, bool *twice, struct cache_err *err)
{
	const struct cache_jset_pos *newest = j->entries;
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	size_t n = 0;
	int ret = -ENOMEM;

	for (size_t i = 1; i < j->nentries; i++)
		if (j->entries[i].seq > newest->seq)
			newest = &j->entries[i];
	j->replay = calloc(j->nentries, sizeof(*j->replay));
	if (words && j->replay)
		ret = cache_jset_read(dev, sb, newest, &j->newest, words, err);
	free(words);
	for (size_t i = 0; i < j->nentries && !ret; i++)
		if (j->entries[i].seq >= newest->last_seq)
			j->replay[n++] = &j->entries[i];
	if (n)
		qsort(j->replay, n, sizeof(*j->replay), by_seq);
	for (size_t i = 0; i < n; i++) {
		const struct cache_jset_pos *last = j->nreplay ? j->replay[j->nreplay - 1] : NULL;

		if (!last || j->replay[i]->seq != last->seq)
			j->replay[j->nreplay++] = j->replay[i];
		else
			*twice |= j->replay[i]->csum != last->csum;
	}
	return ret;
}

int cache_journal_survivors(struct cache_dev *dev, const struct cache_sb *sb,
			    struct cache_journal *j, struct cache_err *err)
{
	struct run r = { .sb = sb, .j = j };
	int ret;

	memset(j, 0, sizeof(*j));
	ret = each_block(dev, sb, note_survivor, &r);
	if (!ret)
		drop_misplaced(&r);
	if (!ret && (r.doubt || !j->nentries || contradict(&r)))
		return 0;
	if (!ret)
		ret = ask_survivors(dev, sb, j, &r.doubt, err);
	if (ret == -ENOMEM)
		cache_err_set(err, ret, 0, "no memory for a journal entry");
	return ret ? ret : !r.doubt;
}
