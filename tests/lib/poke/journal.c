// SPDX-License-Identifier: GPL-2.0-only
/* Entries of the journal, and new ones. */
#include <stdlib.h>
#include <string.h>

#include "disk/jset_codec.h"
#include "poke.h"

#define JSET cache_jset_disk

static const struct poke_field fields[] = {
	POKE_FIELD(JSET, csum),
	POKE_FIELD(JSET, magic),
	POKE_FIELD(JSET, seq),
	POKE_FIELD(JSET, version),
	POKE_FIELD(JSET, keys),
	POKE_FIELD(JSET, last_seq),
	{ .name = "level", .offset = offsetof(struct JSET, btree_level), .nbytes = 2 },
	{ .name = "uuid", .offset = offsetof(struct JSET, uuid_bucket), .kind = POKE_KEY },
	{ .name = "root", .offset = offsetof(struct JSET, btree_root), .kind = POKE_KEY },
	{ .name = "prio", .offset = offsetof(struct JSET, prio_bucket), .nbytes = 8,
	  .count = CACHE_MAX_CACHES_PER_SET },
};

/* "newest" "oldest" (to be replayed), "first" (in the ring), "atINDEX", or a seq */
static const struct cache_jset_pos *find_entry(const struct poke *p, const char *name)
{
	const struct cache_journal *j = &p->set->journal;
	const struct cache_jset_pos *best = NULL;
	bool at = !strncmp(name, "at", 2);
	uint64_t n = 0;

	if (!strcmp(name, "newest"))
		return &j->newest.pos;
	if (!strcmp(name, "oldest"))
		return j->replay[0];
	if (strcmp(name, "first"))
		n = poke_number(p, at ? name + 2 : name, 0);
	for (size_t i = 0; i < j->nentries; i++) {
		const struct cache_jset_pos *e = &j->entries[i];

		if (at ? e->index == n && !e->offset_sectors :
		    n ? e->seq == n && !best : !best || e->seq < best->seq)
			best = e;
	}
	if (!best)
		poke_fail("there is no journal entry %s", name);
	return best;
}

static void put_csum(struct JSET *d)
{
	if (cache_jset_bytes(d) <= CACHE_JSET_MAX_BYTES)
		d->csum = cache_le64_of(cache_jset_csum(d));
}

/* From the entry's start to its bucket's end, and space for any number of keys. */
static struct JSET *read_entry(const struct poke *p, const struct cache_jset_pos *pos,
			       uint64_t *nsectors)
{
	struct JSET *d;
	void *data;

	*nsectors = p->set->sb.bucket_sectors - pos->offset_sectors;
	data = poke_read(p, cache_jset_sector(&p->set->sb, pos), *nsectors);
	d = calloc(1, *nsectors * CACHE_SECTOR_BYTES + CACHE_JSET_MAX_BYTES);
	if (!d)
		poke_fail("no memory");
	memcpy(d, data, *nsectors * CACHE_SECTOR_BYTES);
	free(data);
	return d;
}

static void poke_entry(struct poke *p, const struct cache_jset_pos *pos)
{
	const char *name = p->nsegs > 1 ? p->seg[1].name : "";
	uint64_t sector = cache_jset_sector(&p->set->sb, pos), nsectors;
	struct JSET *d = read_entry(p, pos, &nsectors);

	if (p->nsegs == 1 && !strcmp(p->value, "zero")) {
		poke_zero(p, sector, cache_jset_sectors(&p->set->sb, pos->nwords));
		goto out;
	}
	if (p->nsegs == 3 && !strcmp(name, "key") && p->seg[1].nindex == 1) {
		cache_le64 *words = (void *)(d + 1);

		words += poke_key_at(p, words, pos->nwords, p->seg[1].index[0]);
		poke_set_key(p, words, p->seg[2].name,
			     p->seg[2].nindex ? p->seg[2].index[0] : NULL, p->value);
	} else {
		poke_set(p, d, fields, sizeof(fields) / sizeof(*fields), 1);
	}
	if (!p->raw && strcmp(name, "csum"))
		put_csum(d);
	poke_write(p, sector, nsectors, d);
out:
	free(d);
}

/* Where the driver would write next: after the newest entry, or in the next bucket. */
static void advance(const struct poke *p, struct cache_jset_pos *pos, uint32_t nwords)
{
	pos->offset_sectors += cache_jset_sectors(&p->set->sb, pos->nwords);
	pos->nwords = nwords;
	if (pos->offset_sectors + cache_jset_sectors(&p->set->sb, nwords) <=
	    p->set->sb.bucket_sectors)
		return;
	pos->offset_sectors = 0;
	pos->index = (pos->index + 1) % p->set->sb.njournal;
}

/* Entries after @pos, each with the same keys and all else as that one has it. */
static void append(const struct poke *p, struct cache_jset_pos *pos, uint64_t n,
		   const cache_le64 *words, uint32_t nwords)
{
	uint64_t unused;
	struct JSET *d = read_entry(p, pos, &unused);
	char *buf = cache_dev_buf(CACHE_JSET_MAX_BYTES);

	if (!buf)
		poke_fail("no memory");
	while (n--) {
		advance(p, pos, nwords);
		d->seq = cache_le64_of(++pos->seq);
		d->keys = cache_le32_of(nwords);
		memcpy(buf, d, sizeof(*d));
		if (nwords)
			memcpy(buf + sizeof(*d), words, 8 * (size_t)nwords);
		put_csum((void *)buf);
		poke_write(p, cache_jset_sector(&p->set->sb, pos),
			   cache_jset_sectors(&p->set->sb, nwords), buf);
	}
	free(buf);
	free(d);
}

static int take_live(void *ctx, const struct cache_extent *e)
{
	if (!e->available || e->check_key || e->staleness)
		return 0;
	return cache_keys_push(ctx, &e->key);
}

static void append_keys(const struct poke *p)
{
	const struct cache_sink ignore = { cache_sink_ignore, NULL };
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	struct cache_jset_pos pos = p->set->journal.newest.pos;
	struct cache_keys live = { 0 };
	uint32_t n;

	if (!words || cache_set_each_extent(p->set, take_live, &live, &ignore, NULL))
		poke_fail("no memory, or no extents");
	n = poke_keys_parse(p, p->value, &live, words, CACHE_JSET_MAX_WORDS);
	append(p, &pos, 1, words, n);
	cache_keys_fini(&live);
	free(words);
}

static void fill(const struct poke *p, uint64_t n)
{
	struct cache_jset_pos pos = p->set->journal.newest.pos;

	append(p, &pos, n, NULL, 0);
}

/* As many words of keys as an entry can have on this set. */
static uint32_t max_words(const struct cache_sb *sb)
{
	uint64_t capacity = sb->bucket_sectors * CACHE_SECTOR_BYTES - CACHE_JSET_HEADER_BYTES;

	return capacity / 8 < CACHE_JSET_MAX_WORDS ? capacity / 8 : CACHE_JSET_MAX_WORDS;
}

/*
 * @n clean extents in no order, as many as fit in an entry: memory is measured with them.
 * An odd stride below a power of two reaches each place once.
 */
static void append_extents(const struct poke *p, uint64_t n)
{
	const struct cache_sb *sb = &p->set->sb;
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	struct cache_jset_pos pos = p->set->journal.newest.pos;
	uint32_t nwords = 0, first = pos.index;
	uint64_t places = 1;

	if (!words)
		poke_fail("no memory");
	while (places < n)
		places *= 2;
	for (uint64_t i = 0; i < n; i++) {
		struct cache_bkey k = poke_extent(sb, i * 2654435769u % places, places, 1);

		nwords += cache_bkey_encode(&k, words + nwords);
		if (i + 1 < n && nwords + cache_bkey_words(&k) <= max_words(sb))
			continue;
		append(p, &pos, 1, words, nwords);
		nwords = 0;
		if ((pos.index + 1) % sb->njournal == first)
			poke_fail("the ring is too small for that many extents");
	}
	free(words);
}

/* The same entry once more, at the start of another ring bucket. */
static void copy(const struct poke *p, const struct cache_jset_pos *pos)
{
	struct cache_jset_pos to = *pos;
	uint64_t nsectors;
	struct JSET *d = read_entry(p, pos, &nsectors);

	to.index = poke_index(p, p->value, p->set->sb.njournal);
	to.offset_sectors = 0;
	poke_write(p, cache_jset_sector(&p->set->sb, &to),
		   cache_jset_sectors(&p->set->sb, to.nwords), d);
	free(d);
}

static void wipe(const struct poke *p)
{
	const struct cache_sb *sb = &p->set->sb;

	for (uint32_t i = 0; i < sb->njournal; i++)
		poke_zero(p, cache_bucket_sector(sb, sb->journal_bucket[i]), sb->bucket_sectors);
}

void poke_journal(struct poke *p)
{
	const struct poke_seg *s = &p->seg[1];

	if (p->seg[0].nindex == 1)
		poke_entry(p, find_entry(p, p->seg[0].index[0]));
	else if (p->nsegs != 2)
		poke_unknown(p);
	else if (!strcmp(s->name, "append"))
		append_keys(p);
	else if (!strcmp(s->name, "fill"))
		fill(p, poke_number(p, p->value, 0));
	else if (!strcmp(s->name, "extents"))
		append_extents(p, poke_number(p, p->value, 0));
	else if (!strcmp(s->name, "copy") && s->nindex == 1)
		copy(p, find_entry(p, s->index[0]));
	else if (!strcmp(s->name, "wipe"))
		wipe(p);
	else
		poke_unknown(p);
}
