// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each structure alone, on a small set of the input's own making: the first byte says
 * which, the second how the set is shaped, the rest is its content, with the
 * checksum that the driver would have written, so that every rule behind the checksum is reached.
 *
 *	superblock	8 bytes a change of a good one: offset (2), bytes (6)
 *	journal		entries in ring order: see put_jset()
 *	prios		members of a chain: see put_member()
 *	uuids		4 bytes a change of the table: offset (2), bytes (2)
 *	nodes		sets of one node: see put_bset()
 *
 * What must hold: no crash, no over-read, an end; who stops at the first broken rule
 * stops exactly where damage is found by who goes on; what was decoded and is encoded
 * again is the same; what is said of a structure lies within it.
 */
#include "base/checked.h"

#include <stdlib.h>
#include <string.h>

#include "format/bset_codec.h"
#include "disk/jset_codec.h"
#include "disk/btree.h"
#include "base/crc64.h"
#include "disk/journal.h"
#include "disk/prio.h"
#include "format/super.h"
#include "disk/uuids.h"
#include "disk/prio_codec.h"
#include "target.h"

#define BUCKETS		256u
#define RING		8u
#define FIRST_FREE	(3 + RING)

/* The input, taken from the front; past its end there are zeros. */
struct input {
	const uint8_t *data;
	size_t left;
};

static unsigned take(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static uint64_t take_n(struct input *in, unsigned nbytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < nbytes; i++)
		v |= (uint64_t)take(in) << 8 * i;
	return v;
}

/* Damage found by a caller that goes on, and the errno for one that stops. */
struct findings {
	unsigned n;
	int first;
};

static void on_finding(void *ctx, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	struct cache_err err = { 0 };
	char line[CACHE_ERR_TEXT_BYTES];
	struct findings *h = ctx;
	int ret = cache_found(NULL, &err, f);

	cache_finding_text(f, line, sizeof(line));
	if ((ret != 0) != (info->severity == CACHE_SEVERITY_CORRUPT))
		abort();
	if (ret && !h->n++)
		h->first = ret;
}

static void must_agree(const struct findings *h, int going_on, int stopping)
{
	if (!going_on && stopping != h->first)
		abort();
}

struct set {
	struct cache_sb sb;
	struct cache_dev *dev;
	uint64_t magic;
};

static void put(struct set *s, uint64_t sector, uint64_t n, const void *buf)
{
	if (cache_dev_write(s->dev, sector, n, buf, NULL))
		abort();
}

/* Blocks of 1, 2, 4 or 8 sectors, buckets of 16, 32, 64 or 128. */
static void set_init(struct set *s, unsigned shape)
{
	memset(s, 0, sizeof(*s));
	s->sb = (struct cache_sb){
		.offset_sector = CACHE_SB_SECTOR, .version = CACHE_SB_VERSION_CDEV_WITH_UUID,
		.flags = CACHE_SB_SYNC, .nbuckets = BUCKETS, .block_sectors = 1 << (shape & 3),
		.bucket_sectors = 16 << (shape >> 2 & 3), .nr_in_set = 1, .first_bucket = 3,
		.njournal = RING,
	};
	memcpy(s->sb.magic, cache_sb_magic, sizeof(s->sb.magic));
	s->sb.uuid[0] = s->sb.set_uuid[0] = 1;
	for (unsigned i = 0; i < RING; i++)
		s->sb.journal_bucket[i] = s->sb.first_bucket + i;
	s->magic = cache_sb_set_magic(&s->sb);
	if (cache_dev_mem_new("set", BUCKETS * s->sb.bucket_sectors, &s->dev, NULL))
		abort();
}

static void super(struct set *s, struct input *in)
{
	uint8_t buf[CACHE_SB_BYTES] = { 0 }, again[CACHE_SB_BYTES];
	struct findings h = { 0 };
	struct cache_sink sink = { on_finding, &h };
	uint64_t n = cache_dev_sectors(s->dev);
	struct cache_sb sb;
	int ret;

	cache_sb_encode(&s->sb, buf);
	while (in->left) {
		unsigned at = take_n(in, 2) % sizeof(struct cache_sb_disk);

		for (unsigned i = 0; i < 6; i++)
			buf[at + i] = take(in);
	}
	((struct cache_sb_disk *)buf)->csum = cache_le64_of(cache_sb_csum(buf));
	cache_sb_decode(buf, &sb);
	ret = cache_sb_check(&sb, n, 512, &sink, NULL);
	must_agree(&h, ret, cache_sb_check(&sb, n, 512, NULL, NULL));
	if (h.n)
		return;
	memcpy(again, buf, sizeof(buf));
	cache_sb_encode(&sb, again);
	if (memcmp(buf, again, sizeof(buf)))
		abort();
	if (cache_sb_is_usable(&sb, n) && !cache_sb_is_bdev(&sb) &&
	    (!cache_prio_buckets(&sb) || !cache_nr_uuids(&sb) || !cache_btree_node_sectors(&sb)))
		abort();
}

static struct cache_bkey take_key(struct input *in)
{
	struct cache_bkey k = cache_bkey_make(take(in), take_n(in, 2), take(in), false);
	unsigned bits = take(in);

	cache_bkey_set_dirty(&k, bits & 8);
	cache_bkey_set_ptrs(&k, bits & 4 ? bits & 3 : bits & 1);
	for (unsigned i = 0; i < cache_key_ptrs(&k); i++)
		k.ptr[i] = cache_ptr_make(bits & 16 ? take(in) : 0,
					  take_n(in, bits & 32 ? 5 : 2), take(in));
	if (bits & 64)
		k.high ^= UINT64_C(1) << (take(in) & 63);
	return k;
}

static unsigned take_keys(struct input *in, cache_le64 *words, unsigned max_keys)
{
	unsigned n = take(in) % max_keys, at = 0;

	for (unsigned i = 0; i < n; i++) {
		struct cache_bkey k = take_key(in), again;

		if (!cache_bkey_encode(&k, words + at) ||
		    cache_bkey_decode(words + at, cache_bkey_words(&k), &again) !=
		    cache_bkey_words(&k) || again.high != k.high || again.low != k.low ||
		    memcmp(again.ptr, k.ptr, 8 * cache_key_ptrs(&k)))
			abort();
		at += cache_bkey_words(&k);
	}
	return at;
}

/* An entry: ring bucket and flags, block, seq, how far back last_seq lies, its keys. */
static void put_jset(struct set *s, struct input *in)
{
	static char buf[CACHE_JSET_MAX_BYTES];
	struct cache_jset_disk *d = (void *)buf;
	unsigned head = take(in), block = take(in);
	struct cache_jset j = { .pos = { .seq = take(in), .version = head >> 6 } };
	uint64_t per = s->sb.bucket_sectors / s->sb.block_sectors, n;
	cache_le64 words[16 * CACHE_BKEY_WORDS_MAX];

	j.pos.last_seq = j.pos.seq - take(in) % 64;
	j.pos.level = head & 8 ? take(in) : 0;
	j.btree_root = take_key(in);
	j.uuid_bucket = take_key(in);
	j.pos.nwords = take_keys(in, words, 16);
	memset(buf, 0, sizeof(buf));
	cache_jset_encode(&j, s->magic, words, buf);
	if (head & 16)
		d->keys = cache_le32_of(take_n(in, 4));
	if (head & 32 && cache_jset_bytes(d) <= sizeof(buf))
		d->csum = cache_le64_of(cache_jset_csum(d));
	n = cache_jset_sectors(&s->sb, j.pos.nwords);
	block %= per;
	if (n > s->sb.bucket_sectors - block * s->sb.block_sectors)
		n = s->sb.bucket_sectors - block * s->sb.block_sectors;
	put(s, cache_bucket_sector(&s->sb, s->sb.journal_bucket[head & 7]) +
	    block * s->sb.block_sectors, n, buf);
}

struct count {
	uint64_t seq, n;
};

static int count_key(void *ctx, const struct cache_jset_pos *pos, unsigned index,
		     const struct cache_bkey *k)
{
	struct count *c = ctx;

	if (pos->seq < c->seq)
		abort();	/* not oldest first */
	c->seq = pos->seq;
	c->n++;
	return 0;
}

static void journal(struct set *s, struct input *in)
{
	struct findings h = { 0 };
	struct cache_sink sink = { on_finding, &h };
	struct cache_journal j, stopped;
	struct count c = { 0 };
	int ret;

	for (unsigned i = 0; in->left && i < 64; i++)
		put_jset(s, in);
	ret = cache_journal_read(s->dev, &s->sb, &j, &sink, NULL);
	must_agree(&h, ret, cache_journal_read(s->dev, &s->sb, &stopped, NULL, NULL));
	if (!ret && j.nentries) {
		const struct cache_jset_pos *p = &j.newest.pos;

		if ((p->last_seq <= p->seq && j.nreplay > p->seq - p->last_seq + 1) ||
		    j.nreplay > j.nentries ||
		    cache_journal_free_buckets(&s->sb, &j) >= RING)
			abort();
		cache_journal_each_key(s->dev, &s->sb, &j, false, count_key, &c, &sink, NULL);
	}
	cache_journal_fini(&j);
	cache_journal_fini(&stopped);
}

/* A member: its bucket, the next one, flags, seq, and a few gens. */
static void put_member(struct set *s, struct input *in)
{
	uint32_t nbytes = cache_meta_bucket_bytes(&s->sb);
	uint8_t *buf = cache_dev_buf(nbytes);
	struct cache_prio_set_disk *d = (void *)buf;
	unsigned bucket = take(in), next = take(in), flags = take(in);

	d->magic = cache_le64_of((s->magic ^ CACHE_PSET_MAGIC) + !(flags & 15));
	d->next_bucket = cache_le64_of(flags & 16 ? UINT64_MAX - next : next);
	d->seq = cache_le64_of(flags & 32 ? take(in) : 1);
	for (unsigned i = 0; i < 16; i++)
		buf[CACHE_PRIO_SET_HEADER_BYTES + take_n(in, 1) * 3] = i;
	d->csum = cache_le64_of(cache_crc64(buf + 8, nbytes - 8) + !!(flags & 64));
	put(s, cache_bucket_sector(&s->sb, bucket), nbytes / CACHE_SECTOR_BYTES, buf);
	free(buf);
}

static void prios(struct set *s, struct input *in)
{
	struct findings h = { 0 };
	struct cache_sink sink = { on_finding, &h };
	struct cache_prios p, stopped;
	uint64_t head = take(in);
	int ret;

	s->sb.bucket_sectors = 8;	/* the smallest, so that a chain has members */
	s->sb.nbuckets = cache_dev_sectors(s->dev) / 8;
	for (unsigned i = 0; in->left && i < 16; i++)
		put_member(s, in);
	ret = cache_prio_read(s->dev, &s->sb, head, &p, &sink, NULL);
	must_agree(&h, ret, cache_prio_read(s->dev, &s->sb, head, &stopped, NULL, NULL));
	if (p.nfollowed > p.nmembers)
		abort();
	for (uint64_t i = 0; !ret && i < p.nfollowed; i++)
		for (uint64_t k = 0; k < i; k++)
			if (p.chain[i] == p.chain[k])
				abort();
	for (uint64_t b = 0; !ret && b < p.nbuckets; b++)
		if (!cache_prio_is_known(&s->sb, &p, b) && (p.gen[b] || p.prio[b]))
			abort();
	cache_prio_fini(&p);
	cache_prio_fini(&stopped);
}

static void uuids(struct set *s, struct input *in)
{
	uint32_t nbytes = cache_meta_bucket_bytes(&s->sb);
	struct cache_bkey key = cache_bkey_make(0, 0, nbytes / CACHE_SECTOR_BYTES, false);
	struct findings h = { 0 };
	struct cache_sink sink = { on_finding, &h };
	struct cache_uuids u, stopped;
	unsigned flags = take(in);
	uint8_t *buf = cache_dev_buf(nbytes);
	int ret;

	if (flags & 1) {
		key = take_key(in);
	} else {
		cache_bkey_set_ptrs(&key, 1);
		key.ptr[0] = cache_ptr_make(0, cache_bucket_sector(&s->sb, FIRST_FREE), 0);
	}
	while (in->left) {
		unsigned at = take_n(in, 2) % (nbytes - 1);

		buf[at] = take(in);
		buf[at + 1] = take(in);
	}
	put(s, cache_bucket_sector(&s->sb, FIRST_FREE), nbytes / CACHE_SECTOR_BYTES, buf);
	free(buf);
	ret = cache_uuids_read(s->dev, &s->sb, &key, flags >> 1 & 1, &u, &sink, NULL);
	must_agree(&h, ret, cache_uuids_read(s->dev, &s->sb, &key, flags >> 1 & 1, &stopped,
					     NULL, NULL));
	for (uint32_t i = 0; i < u.n; i++)
		if (cache_uuid_find(&u, u.slot[i].uuid) > i)
			abort();
	cache_uuids_fini(&u);
	cache_uuids_fini(&stopped);
}

/* A set of a node at @block: flags, what of its header differs, its keys. */
static uint32_t put_bset(struct set *s, struct input *in, const struct cache_bkey *node,
			 char *buf, uint32_t block)
{
	uint32_t bytes = s->sb.block_sectors * CACHE_SECTOR_BYTES;
	uint32_t capacity = cache_key_size(node) * CACHE_SECTOR_BYTES - block * bytes;
	cache_le64 words[48 * CACHE_BKEY_WORDS_MAX];
	unsigned flags = take(in), n;
	struct cache_bset_disk *d = (void *)(buf + block * bytes);

	d->magic = cache_le64_of((s->magic ^ CACHE_BSET_MAGIC) + !(flags & 15));
	d->seq = cache_le64_of(flags & 16 ? take(in) : 7);
	d->version = cache_le32_of(flags & 32 ? take(in) : CACHE_BSET_VERSION);
	n = take_keys(in, words, 48);
	d->keys = cache_le32_of(flags & 64 ? take_n(in, 4) : n);
	memcpy(d + 1, words, cache_min_u64(8 * (uint64_t)n, capacity - sizeof(*d)));
	if (cache_bset_bytes(d) <= capacity)
		d->csum = cache_le64_of(cache_bset_csum(d, node->ptr[0]) + !!(flags & 128));
	return (cache_bset_bytes(d) + bytes - 1) / bytes;
}

static void nodes(struct set *s, struct input *in)
{
	uint32_t nsectors = cache_btree_node_sectors(&s->sb), block = 0;
	uint32_t nblocks = nsectors / s->sb.block_sectors;
	struct cache_btree_node n = { .bucket = FIRST_FREE }, stopped;
	char *buf = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);
	struct findings h = { 0 };
	struct cache_sink sink = { on_finding, &h };
	int ret;

	n.level = take(in) & 1;
	n.key = cache_bkey_make(take(in), take_n(in, 2), nsectors, false);
	cache_bkey_set_ptrs(&n.key, 1);
	n.key.ptr[0] = cache_ptr_make(0, cache_bucket_sector(&s->sb, FIRST_FREE), 3);
	stopped = n;
	while (in->left && block < nblocks)
		block += put_bset(s, in, &n.key, buf, block);
	ret = cache_btree_node_parse(&s->sb, buf, &n, &sink, NULL);
	must_agree(&h, ret, cache_btree_node_parse(&s->sb, buf, &stopped, NULL, NULL));
	if (n.used_blocks > n.nblocks || (!h.n && !cache_keys_are_sorted(&n.keys, n.level)))
		abort();
	cache_btree_node_fini(&n);
	cache_btree_node_fini(&stopped);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(struct set *s, struct input *in) = {
		super, journal, prios, uuids, nodes,
	};
	struct input in = { data, size };
	unsigned kind = take(&in) % (sizeof(kinds) / sizeof(*kinds));
	struct set s;

	set_init(&s, take(&in));
	kinds[kind](&s, &in);
	cache_dev_close(s.dev);
	return 0;
}
