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

/* Entries of a bucket that are corrected: each that is not one takes time, and all may be none. */
#define CORRECTED_MAX	64u

#define PIECE_SECTORS	(CACHE_JSET_WINDOW_BYTES / CACHE_SECTOR_BYTES)
#define ENTRY_SECTORS	(CACHE_JSET_MAX_BYTES / CACHE_SECTOR_BYTES)

int cache_ring_reader_init(struct cache_ring_reader *r, struct cache_dev *dev,
			   const struct cache_sb *sb, const struct cache_sink *sink)
{
	*r = (struct cache_ring_reader){
		.dev = dev, .sb = sb, .sink = sink, .index = UINT32_MAX,
		.piece = cache_dev_buf(CACHE_JSET_WINDOW_BYTES),
		.entry = cache_dev_buf(CACHE_JSET_MAX_BYTES),
	};
	return r->piece && r->entry ? 0 : -ENOMEM;
}

void cache_ring_reader_fini(struct cache_ring_reader *r)
{
	free(r->piece);
	free(r->entry);
}

/* The longest entry that can stand at @at. */
static uint64_t longest(const struct cache_ring_reader *r, const struct cache_jset_pos *at)
{
	return cache_min_u64(ENTRY_SECTORS, r->sb->bucket_sectors - at->offset_sectors);
}

/* Reads on, unless all of what can stand at @at is there. */
static int read_piece(struct cache_ring_reader *r, const struct cache_jset_pos *at)
{
	uint64_t offset = at->offset_sectors;
	int ret;

	if (at->index == r->index && offset >= r->from &&
	    (r->failed ? offset < r->to : offset + longest(r, at) <= r->to))
		return 0;
	ret = cache_poll(r->sink, 0, 0, 0);
	if (ret)
		return ret;
	if (at->index != r->index)
		r->corrections = CORRECTED_MAX;
	r->index = at->index;
	r->from = offset;
	r->to = cache_min_u64(r->sb->bucket_sectors, offset + PIECE_SECTORS);
	r->failed = cache_dev_read(r->dev, cache_jset_sector(r->sb, at), r->to - offset, r->piece,
				   NULL);
	return 0;
}

static bool is_magic(const struct cache_ring_reader *r, const void *d)
{
	uint64_t magic = cache_le64_get(((const struct cache_jset_disk *)d)->magic);

	return magic == magic_of(r->sb) || cache_differ_in_one_byte(magic, magic_of(r->sb));
}

/* As much as can be read of what is at @at, into r->entry. Return: sectors, or as cache_ring_block(). */
static int read_alone(struct cache_ring_reader *r, const struct cache_jset_pos *at)
{
	const struct cache_jset_disk *d = (const void *)r->entry;
	uint64_t sector = cache_jset_sector(r->sb, at), n = longest(r, at);

	int ret = cache_poll(r->sink, 0, 0, 0);

	if (ret || cache_dev_read(r->dev, sector, 1, r->entry, NULL))
		return ret ? ret : -EIO;
	if (!is_magic(r, d))
		return 0;
	if (!cache_dev_read(r->dev, sector, n, r->entry, NULL))
		return n;
	if (cache_le64_get(d->magic) != magic_of(r->sb) ||
	    cache_jset_bytes(d) > n * CACHE_SECTOR_BYTES)
		return -EUCLEAN;
	n = cache_div_up(cache_jset_bytes(d), CACHE_SECTOR_BYTES);
	return cache_dev_read(r->dev, sector, n, r->entry, NULL) ? -EIO : (int)n;
}

int cache_ring_block(struct cache_ring_reader *r, const struct cache_jset_pos *at,
		     const struct cache_jset_disk **found)
{
	int n = read_piece(r, at);
	const struct cache_jset_disk *d = (const void *)(r->piece +
		(uint64_t)(at->offset_sectors - r->from) * CACHE_SECTOR_BYTES);

	if (n < 0)
		return n;
	if (r->failed) {
		n = read_alone(r, at);
		if (n <= 0)
			return n;
		d = (const void *)r->entry;
	} else if (!is_magic(r, d)) {
		return 0;
	} else {
		n = longest(r, at);
	}
	*found = d;
	if (cache_le64_get(d->magic) == magic_of(r->sb) &&
	    cache_jset_bytes(d) <= (uint64_t)n * CACHE_SECTOR_BYTES &&
	    cache_jset_csum(d) == cache_le64_get(d->csum))
		return 1;
	if (!r->corrections)
		return -EUCLEAN;
	r->corrections--;
	if (d != (const void *)r->entry)
		memcpy(r->entry, d, (size_t)n * CACHE_SECTOR_BYTES);
	d = *found = (const void *)r->entry;
	return cache_correct_entry(r->entry, CACHE_JSET_HEADER_BYTES, (uint64_t)n * CACHE_SECTOR_BYTES,
				   NULL, NULL) && cache_le64_get(d->magic) == magic_of(r->sb) ?
	       1 : -EUCLEAN;
}

/*
 * Called for each block that starts like an entry of the set, or cannot be read; @d: the entry;
 * NULL: it does not verify, or cannot be read
 */
typedef int block_fn(void *ctx, const struct cache_jset_pos *at,
		     const struct cache_jset_disk *d);

/* Calls @fn in ring order. */
static int each_block(struct cache_dev *dev, const struct cache_sb *sb, block_fn *fn, void *ctx,
		      const struct cache_sink *sink)
{
	struct cache_ring_reader r;
	struct cache_jset_pos at = { 0 };
	int ret = cache_ring_reader_init(&r, dev, sb, sink);

	for (; at.index < sb->njournal && !ret; at.index++)
		for (at.offset_sectors = 0; at.offset_sectors < sb->bucket_sectors && !ret;
		     at.offset_sectors += sb->block_sectors) {
			const struct cache_jset_disk *d = NULL;
			int is = cache_ring_block(&r, &at, &d);

			ret = is == -ECANCELED ? is : is ? fn(ctx, &at, is == 1 ? d : NULL) : 0;
		}
	cache_ring_reader_fini(&r);
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
			   const struct cache_sink *sink, struct cache_err *err)
{
	int ret;

	*seq = 0;
	ret = each_block(dev, sb, note_seq, seq, sink);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for a journal window") : ret;
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
	const struct cache_journal *known;	/* what the driver reads; NULL: nothing */
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
		      struct cache_journal *j, const struct cache_sink *sink,
		      struct cache_err *err)
{
	struct run r = { .sb = sb, .j = j };
	int ret;

	memset(j, 0, sizeof(*j));
	ret = each_block(dev, sb, note_entry, &r, sink);
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

/* Whether the entry there and the one behind it were written one after the other. */
static bool goes_on(const struct run *r, size_t i)
{
	const struct cache_jset_pos *e = r->j->entries;
	size_t n = r->j->nentries;

	return cache_journal_can_follow(r->sb, &e[i % n], &e[(i + 1) % n]);
}

/*
 * Whether what follows @last in the ring are misdirected writes: behind them it goes on. Or @last is
 * the newest entry, and the oldest stands behind them; such an entry may be missing elsewhere, and
 * is left out only beside what a driver reads.
 */
static bool is_misplaced(const struct run *r, const struct cache_jset_pos *last, size_t i)
{
	const struct cache_journal *j = r->j;
	bool ends_lap = r->known && j->entries[i].seq <= last->seq;

	if (cache_journal_can_follow(r->sb, last, &j->entries[i]))
		return false;
	for (size_t k = 1; k <= MISPLACED_MAX && k + 1 < j->nentries; k++) {
		const struct cache_jset_pos *next = &j->entries[(i + k) % j->nentries];

		if (cache_journal_can_follow(r->sb, last, next))
			return true;
		if (ends_lap && next->seq < j->entries[i].seq && k + 2 < j->nentries &&
		    goes_on(r, i + k))
			return true;
	}
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

/* What the driver replays though it does not belong where it stands. */
static int add_known(struct run *r, const struct cache_sink *sink)
{
	const struct cache_journal *known = r->known;
	struct cache_journal *j = r->j;
	size_t nfound = j->nentries;
	int ret = 0;

	for (size_t i = 0; known && i < known->nreplay && !ret; i++) {
		struct cache_jset_pos pos = *known->replay[i];
		size_t at = cache_first_index(n, nfound,
					      cache_jset_by_place(&j->entries[n], &pos, NULL) >= 0);

		pos.hidden = false;
		if (at == nfound || cache_jset_by_place(&j->entries[at], &pos, NULL))
			ret = add(r, &pos);
	}
	return ret ? ret : cache_sort_polled(j->entries, j->nentries, sizeof(*j->entries),
					     cache_jset_by_place, NULL, sink);
}

/*
 * Finds the entries that the newest one requires, each seq once; @twice: two with one seq
 * differ.
 */
static int ask_survivors(struct cache_dev *dev, const struct cache_sb *sb,
			 struct cache_journal *j, bool *twice, const struct cache_sink *sink,
			 struct cache_err *err)
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
	if (!ret)
		ret = cache_sort_polled(j->replay, n, sizeof(*j->replay), cache_jset_by_seq, NULL, sink);
	for (size_t i = 0; i < n && !ret; i++) {
		const struct cache_jset_pos *last = j->nreplay ? j->replay[j->nreplay - 1] : NULL;

		if (!last || j->replay[i]->seq != last->seq)
			j->replay[j->nreplay++] = j->replay[i];
		else
			*twice |= j->replay[i]->csum != last->csum;
	}
	return ret;
}

int cache_journal_survivors(struct cache_dev *dev, const struct cache_sb *sb,
			    const struct cache_journal *known, struct cache_journal *j,
			    const struct cache_sink *sink, struct cache_err *err)
{
	struct run r = { .sb = sb, .j = j, .known = known };
	bool broken;
	int ret;

	memset(j, 0, sizeof(*j));
	ret = each_block(dev, sb, note_survivor, &r, sink);
	if (!ret)
		drop_misplaced(&r);
	broken = !ret && contradict(&r);
	if (!ret && (r.doubt || !j->nentries || (broken && !known)))
		return 0;
	if (!ret)
		ret = add_known(&r, sink);
	if (!ret)
		ret = ask_survivors(dev, sb, j, &r.doubt, sink, err);
	if (ret == -ENOMEM)
		cache_err_set(err, ret, 0, "no memory for a journal entry");
	/* where none is missing, what else is in the ring does not matter */
	r.doubt |= broken && j->nreplay != j->newest.pos.seq + 1 - j->newest.pos.last_seq;
	return ret ? ret : !r.doubt;
}
