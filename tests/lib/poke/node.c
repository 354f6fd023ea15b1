// SPDX-License-Identifier: GPL-2.0-only
/* Btree nodes: their sets, the keys in them, and new ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/bset_codec.h"
#include "poke.h"

#define BSET cache_bset_disk

static const struct poke_field fields[] = {
	POKE_FIELD(BSET, csum),
	POKE_FIELD(BSET, magic),
	POKE_FIELD(BSET, seq),
	POKE_FIELD(BSET, version),
	POKE_FIELD(BSET, keys),
};

/* A seq for nodes made here; any but zero will do. */
#define NEW_SEQ UINT64_C(0x656b6f70)

struct node {
	struct cache_bkey key;
	struct cache_keys live;		/* merged, as the driver sees them */
	char *data;
	uint64_t nsectors;
	uint32_t block_bytes, nblocks;
	struct BSET *last;		/* set of the log; NULL: none */
	uint32_t used_blocks;
	/* while looking for it */
	int level;			/* 0 leaf, 1 interior, -1 by bucket */
	uint64_t skip, bucket;
	bool found;
};

static int visit(void *ctx, const struct cache_btree_node *n)
{
	struct node *t = ctx;

	if (t->level < 0 ? n->bucket != t->bucket : t->level != !!n->level || t->skip--)
		return 0;
	t->key = n->key;
	t->found = true;
	for (size_t i = 0; i < n->keys.n; i++)
		if (cache_keys_push(&t->live, &n->keys.k[i]))
			poke_fail("no memory");
	return 1;
}

static struct BSET *block_at(const struct node *t, uint32_t block)
{
	return (void *)(t->data + (size_t)block * t->block_bytes);
}

static uint32_t blocks_of(const struct node *t, const struct BSET *d)
{
	return (cache_bset_bytes(d) + t->block_bytes - 1) / t->block_bytes;
}

/* Set number @want of the log, or as many as there are: then NULL. */
static struct BSET *walk_log(struct node *t, uint64_t want)
{
	cache_le64 seq = block_at(t, 0)->seq;

	t->last = NULL;
	t->used_blocks = 0;
	while (t->used_blocks < t->nblocks) {
		struct BSET *d = block_at(t, t->used_blocks);

		if (d->seq.raw != seq.raw || !seq.raw ||
		    blocks_of(t, d) > t->nblocks - t->used_blocks)
			break;
		t->last = d;
		if (!want--)
			return d;
		t->used_blocks += blocks_of(t, d);
	}
	return NULL;
}

static struct BSET *find_set(struct node *t, const struct poke *p, const char *index)
{
	struct BSET *d = walk_log(t, UINT64_MAX);

	if (strcmp(index, "last"))
		d = walk_log(t, poke_number(p, index, 0));
	else
		d = t->last;
	if (!d)
		poke_fail("the node has no set %s", index);
	return d;
}

static void put_csum(const struct node *t, struct BSET *d)
{
	uint64_t left = t->data + t->nsectors * CACHE_SECTOR_BYTES - (char *)d;

	if (cache_bset_bytes(d) <= left)
		d->csum = cache_le64_of(cache_bset_csum(d, t->key.ptr[0]));
}

static void load(const struct poke *p, struct node *t)
{
	t->block_bytes = p->set->sb.block_sectors * CACHE_SECTOR_BYTES;
	t->nsectors = cache_key_size(&t->key);
	t->nblocks = t->nsectors / p->set->sb.block_sectors;
	t->data = poke_read(p, cache_ptr_sector(t->key.ptr[0]), t->nsectors);
	if (!t->nblocks)
		poke_fail("the node is too small");
}

static void find_node(struct poke *p, struct node *t)
{
	const struct cache_sink ignore = { cache_sink_ignore, NULL };
	const struct poke_seg *s = &p->seg[0];

	t->level = -1;
	if (!strcmp(s->name, "root")) {
		t->key = p->set->journal.newest.btree_root;
		t->bucket = cache_ptr_bucket(&p->set->sb, &t->key, 0);
	} else if (s->nindex != 1) {
		poke_unknown(p);
	} else if (!strcmp(s->name, "node")) {
		t->bucket = poke_number(p, s->index[0], 0);
	} else {
		t->level = *s->name == 'i';
		t->skip = poke_number(p, s->index[0], 0);
	}
	cache_set_each_node(p->set, visit, t, &ignore, NULL);
	if (!t->found)
		poke_fail("no such node is reached from the root");
	load(p, t);
}

/* Makes @d a set of the keys that the value says, beginning with its first @keep words. */
static void write_set(const struct poke *p, struct node *t, struct BSET *d, uint32_t keep)
{
	uint64_t left = t->data + t->nsectors * CACHE_SECTOR_BYTES - (char *)d;
	cache_le64 *words = (void *)(d + 1);
	uint32_t capacity;

	if (left < sizeof(*d) + 8 * (uint64_t)keep)
		poke_fail("the node is full");
	capacity = (left - sizeof(*d)) / 8 - keep;
	keep += poke_keys_parse(p, p->value, &t->live, words + keep, capacity);
	d->magic = cache_le64_of(cache_sb_set_magic(&p->set->sb) ^ CACHE_BSET_MAGIC);
	d->version = cache_le32_of(CACHE_BSET_VERSION);
	d->keys = cache_le32_of(keep);
	put_csum(t, d);
}

static void append(const struct poke *p, struct node *t)
{
	struct BSET *d;

	walk_log(t, UINT64_MAX);
	if (t->used_blocks >= t->nblocks)
		poke_fail("the node is full");
	d = block_at(t, t->used_blocks);
	memset(d, 0, t->block_bytes);
	d->seq = block_at(t, 0)->seq;
	write_set(p, t, d, 0);
}

static void add(const struct poke *p, struct node *t)
{
	struct BSET *d = find_set(t, p, p->seg[1].index[0]);

	write_set(p, t, d, cache_le32_get(d->keys));
}

static void create(const struct poke *p, struct node *t)
{
	memset(t->data, 0, t->nsectors * CACHE_SECTOR_BYTES);
	block_at(t, 0)->seq = cache_le64_of(NEW_SEQ);
	write_set(p, t, block_at(t, 0), 0);
}

/* A block past the end of the log, and past a hole, that carries the node's seq. */
static void after_end(struct node *t)
{
	walk_log(t, UINT64_MAX);
	if (t->used_blocks + 1 >= t->nblocks)
		poke_fail("the node has no space for a hole");
	block_at(t, t->nblocks - 1)->seq = block_at(t, 0)->seq;
}

static void csum_all(struct node *t)
{
	struct BSET *d;

	for (uint64_t i = 0; (d = walk_log(t, i)); i++)
		put_csum(t, d);
}

static void change_key(const struct poke *p, struct node *t)
{
	struct BSET *d = find_set(t, p, p->seg[1].index[0]);
	cache_le64 *words = (void *)(d + 1);
	uint32_t nwords = cache_le32_get(d->keys);
	uint32_t at = poke_key_at(p, words, nwords, p->seg[1].index[1]), n;
	struct cache_bkey k;

	if (p->nsegs == 3) {
		poke_set_key(p, words + at, p->seg[2].name,
			     p->seg[2].nindex ? p->seg[2].index[0] : NULL, p->value);
	} else if (!strcmp(p->value, "drop")) {
		n = cache_bkey_decode(words + at, nwords - at, &k);
		memmove(words + at, words + at + n, 8 * (nwords - at - n));
		d->keys = cache_le32_of(nwords - n);
	} else {
		poke_unknown(p);
	}
	if (!p->raw)
		put_csum(t, d);
}

static void change_set(const struct poke *p, struct node *t)
{
	struct BSET *d = find_set(t, p, p->seg[1].index[0]);

	poke_set(p, d, fields, sizeof(fields) / sizeof(*fields), 2);
	if (!p->raw && strcmp(p->seg[2].name, "csum"))
		put_csum(t, d);
}

static void change(struct poke *p, struct node *t)
{
	const struct poke_seg *s = &p->seg[1];

	if (p->nsegs == 1 && !strcmp(p->value, "zero"))
		memset(t->data, 0, t->nsectors * CACHE_SECTOR_BYTES);
	else if (p->nsegs == 3 && !strcmp(s->name, "set") && s->nindex == 1)
		change_set(p, t);
	else if (p->nsegs > 1 && !strcmp(s->name, "key") && s->nindex == 2)
		change_key(p, t);
	else if (p->nsegs != 2)
		poke_unknown(p);
	else if (!strcmp(s->name, "add") && s->nindex == 1)
		add(p, t);
	else if (!strcmp(s->name, "append"))
		append(p, t);
	else if (!strcmp(s->name, "create"))
		create(p, t);
	else if (!strcmp(s->name, "after_end"))
		after_end(t);
	else if (!strcmp(s->name, "recsum"))
		csum_all(t);
	else
		poke_unknown(p);
}

void poke_node(struct poke *p)
{
	struct node t = { 0 };

	find_node(p, &t);
	change(p, &t);
	poke_write(p, cache_ptr_sector(t.key.ptr[0]), t.nsectors, t.data);
	cache_keys_fini(&t.live);
	free(t.data);
}

/* A set that is written again: of every eighth key, all of it and the second half in turn. */
static void write_again(struct poke *p, struct node *t)
{
	size_t len = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		poke_fail("no memory");
	for (size_t i = 0; i < t->live.n; i += 8)
		fprintf(f, "%s{like=%zu%s}", i ? ";" : "", i, i % 16 ? ",size=4,sector=+4" : "");
	fclose(f);
	p->value = text;
	append(p, t);
	free(text);
}

struct chosen {
	struct poke *p;
	uint64_t nleaves, percent;
};

static int overlap_leaf(void *ctx, const struct cache_btree_node *n)
{
	struct chosen *c = ctx;
	struct node t = { .key = n->key, .live = n->keys };

	if (n->level || !n->keys.n || c->nleaves++ * 37 % 100 >= c->percent)
		return 0;
	load(c->p, &t);
	write_again(c->p, &t);
	poke_write(c->p, cache_ptr_sector(t.key.ptr[0]), t.nsectors, t.data);
	free(t.data);
	return 0;
}

/* overlap=PERCENT: that share of the leaves, of extents as in extents.c, gets a second set. */
void poke_overlap(struct poke *p)
{
	const struct cache_sink ignore = { cache_sink_ignore, NULL };
	struct chosen c = { .p = p, .percent = poke_number(p, p->value, 0) };

	cache_set_each_node(p->set, overlap_leaf, &c, &ignore, NULL);
}
