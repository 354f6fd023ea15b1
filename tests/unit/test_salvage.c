// SPDX-License-Identifier: GPL-2.0-only
/* What is kept of a damaged node, and which wrong bytes are corrected. */
#include "disk.h"
#include "set.h"

#include "disk/btree_salvage.h"
#include "disk/jset_codec.h"
#include "format/bset_codec.h"
#include "format/correct.h"

struct sample {
	struct cache_set *set;
	struct cache_dev *dev;
	struct cache_btree_node node;	/* key, level, bucket and range of the fullest leaf */
	uint32_t nsets, at[64], nwords[64];	/* of its sets: block, length */
	char *whole, *buf;
	size_t nbytes;
};

static int see(void *ctx, const struct cache_btree_node *n)
{
	struct sample *s = ctx;

	if (n->level || n->nsets <= s->nsets || n->nsets > 64 ||
	    n->used_blocks + 2 > n->nblocks)
		return 0;
	s->node = (struct cache_btree_node){ .key = n->key, .bucket = n->bucket,
		.lo_inode = n->lo_inode, .lo_offset = n->lo_offset };
	s->nsets = n->nsets;
	for (uint32_t i = 0; i < n->nsets; i++) {
		s->at[i] = n->sets[i].block;
		s->nwords[i] = n->sets[i].nwords;
	}
	return 0;
}

static void setup(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	s->dev = set_open("flash-73");
	s->set = set_load(s->dev);
	CHECK_EQ(cache_set_each_node(s->set, see, s, NULL, NULL), 0);
	CHECK(s->nsets >= 3);
	s->nbytes = cache_key_size(&s->node.key) * CACHE_SECTOR_BYTES;
	s->whole = cache_dev_buf(s->nbytes);
	s->buf = cache_dev_buf(s->nbytes);
	CHECK_EQ(cache_dev_read(s->dev, cache_ptr_sector(s->node.key.ptr[0]),
				cache_key_size(&s->node.key), s->whole, NULL), 0);
	memcpy(s->buf, s->whole, s->nbytes);
}

static void teardown(struct sample *s)
{
	free(s->whole);
	free(s->buf);
	cache_set_close(s->set);
	cache_dev_close(s->dev);
}

static char *set_of(const struct sample *s, char *buf, uint32_t i)
{
	return buf + (size_t)s->at[i] * s->set->sb.block_sectors * CACHE_SECTOR_BYTES;
}

struct seen {
	unsigned corrected, other;
	enum cache_problem code;
};

static void on_finding(void *ctx, const struct cache_finding *f)
{
	struct seen *seen = ctx;

	seen->code = f->code;
	*(f->corrected ? &seen->corrected : &seen->other) += 1;
}

static struct cache_btree_node salvage(const struct sample *s, char *buf, struct seen *seen)
{
	const struct cache_sink sink = { .report = on_finding, .ctx = seen };
	struct cache_btree_node n = s->node;

	memset(seen, 0, sizeof(*seen));
	CHECK_EQ(cache_btree_node_salvage(&s->set->sb, buf, &n, &sink, NULL), 0);
	return n;
}

static bool same_keys(const struct cache_keys *a, const struct cache_keys *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++)
		if (a->k[i].high != b->k[i].high || a->k[i].low != b->k[i].low ||
		    (cache_key_ptrs(&a->k[i]) && a->k[i].ptr[0] != b->k[i].ptr[0]))
			return false;
	return a->n == b->n;
}

TEST(one_wrong_byte_anywhere_in_a_set_is_corrected)
{
	struct sample s;
	struct cache_btree_node right, n;
	struct seen seen;

	setup(&s);
	right = salvage(&s, s.buf, &seen);
	CHECK(!right.damaged && !seen.other);
	for (uint32_t i = 0; i < s.nsets; i++) {
		size_t nbytes = CACHE_BSET_HEADER_BYTES + 8 * (size_t)s.nwords[i];

		for (size_t b = 0; b < nbytes; b += b < 40 ? 1 : 37) {
			memcpy(s.buf, s.whole, s.nbytes);
			set_of(&s, s.buf, i)[b] ^= 0x40 >> b % 7;
			n = salvage(&s, s.buf, &seen);
			if (n.damaged || !same_keys(&n.keys, &right.keys) || seen.corrected != 1 ||
			    memcmp(s.buf, s.whole, s.nbytes))
				TEST_FAIL("byte %zu of set %u: not corrected", b, i);
			cache_btree_node_fini(&n);
		}
	}
	cache_btree_node_fini(&right);
	teardown(&s);
}

/* What the sets but @without give, merged one by one. */
static struct cache_keys merge_all_but(const struct sample *s, uint32_t without)
{
	struct cache_keys keys = { 0 };

	for (uint32_t i = 0; i < s->nsets; i++) {
		const cache_le64 *words = (const void *)(set_of(s, s->whole, i) +
							 CACHE_BSET_HEADER_BYTES);
		struct cache_keys newer = { 0 }, out = { 0 };
		struct cache_bkey k;

		for (uint32_t at = 0; i != without && at < s->nwords[i];) {
			at += cache_bkey_decode(words + at, s->nwords[i] - at, &k);
			if (cache_key_size(&k))
				CHECK_EQ(cache_keys_push(&newer, &k), 0);
		}
		CHECK_EQ(cache_keys_settle(&newer, 0), 0);
		CHECK_EQ(cache_keys_overlay(&keys, &newer, &out), 0);
		cache_keys_fini(&newer);
		cache_keys_fini(&keys);
		keys = out;
	}
	return keys;
}

TEST(every_set_behind_a_spoiled_one_is_kept)
{
	struct sample s;
	struct seen seen;

	setup(&s);
	for (uint32_t i = 0; i < s.nsets; i++) {
		struct cache_keys want = merge_all_but(&s, i);
		struct cache_btree_node n;

		memcpy(s.buf, s.whole, s.nbytes);
		memset(set_of(&s, s.buf, i), 0xa5, CACHE_BSET_HEADER_BYTES + 16);
		n = salvage(&s, s.buf, &seen);
		CHECK(i == s.nsets - 1 || n.damaged);
		if (!same_keys(&n.keys, &want))
			TEST_FAIL("without set %u: %zu keys, not %zu", i, n.keys.n, want.n);
		cache_btree_node_fini(&n);
		cache_keys_fini(&want);
	}
	teardown(&s);
}

TEST(a_copy_of_an_older_set_behind_the_end_hides_nothing)
{
	struct sample s;
	struct cache_btree_node right, n;
	struct seen seen;
	uint32_t block_bytes, gap;

	setup(&s);
	block_bytes = s.set->sb.block_sectors * CACHE_SECTOR_BYTES;
	right = salvage(&s, s.buf, &seen);
	gap = right.used_blocks + 1;
	CHECK(gap < right.nblocks);
	memcpy(s.buf + gap * block_bytes, set_of(&s, s.buf, 0), block_bytes);
	n = salvage(&s, s.buf, &seen);
	CHECK(n.damaged);
	CHECK_EQ(seen.code, CACHE_P_NODE_AFTER_END);
	CHECK(same_keys(&n.keys, &right.keys));
	cache_btree_node_fini(&n);
	cache_btree_node_fini(&right);
	teardown(&s);
}

/* A node of a set of two blocks, and two of one; the last has the newest key for its range. */
static struct disk three_sets(struct cache_bkey *key)
{
	struct disk d = disk_new(1024, 64, 8);
	struct cache_bkey first[200];
	struct cache_bkey over[] = { extent(0, 800, 808, true, 64 * 31, 1),
				     extent(0, 800, 808, true, 64 * 32, 1) };

	*key = root_key(&d.sb, 22, 1);
	for (unsigned i = 0; i < 200; i++)
		first[i] = extent(0, 8 * i, 8 * i + 8, true, 64 * 30, 1);
	CHECK_EQ(put_bset(&d, key, 5, 0, first, 200), 2);
	put_bset(&d, key, 5, 2, &over[0], 1);
	put_bset(&d, key, 5, 3, &over[1], 1);
	return d;
}

/* Where 0:800 is then. */
static uint64_t place_of_800(struct disk *d, const struct cache_bkey *key)
{
	struct cache_btree_node n = { .key = *key, .bucket = 22 };
	char *buf = cache_dev_buf(64 * CACHE_SECTOR_BYTES);
	struct seen seen = { 0 };
	const struct cache_sink sink = { .report = on_finding, .ctx = &seen };
	uint64_t place = 0;

	CHECK_EQ(cache_dev_read(d->dev, 22 * 64, 64, buf, NULL), 0);
	CHECK_EQ(cache_btree_node_salvage(&d->sb, buf, &n, &sink, NULL), 0);
	CHECK(n.damaged);
	for (size_t i = 0; i < n.keys.n; i++)
		if (n.keys.k[i].low == 808)
			place = cache_ptr_sector(n.keys.k[i].ptr[0]);
	cache_btree_node_fini(&n);
	free(buf);
	return place;
}

/* Over its first block what remains behind it is the rest of it, over its second one its header. */
TEST(of_two_sets_that_are_the_same_the_one_that_stands_over_another_is_the_copy)
{
	for (unsigned block = 0; block < 2; block++)
		for (unsigned from = 2; from < 4; from++) {
			struct cache_bkey key;
			struct disk d = three_sets(&key);
			char *buf = cache_dev_buf(8 * CACHE_SECTOR_BYTES);

			CHECK_EQ(cache_dev_read(d.dev, 22 * 64 + from * 8, 8, buf, NULL), 0);
			disk_write(&d, 22 * 64 + block * 8, 8, buf);
			CHECK_EQ(place_of_800(&d, &key), 64 * 32);
			free(buf);
			cache_dev_close(d.dev);
		}
}

TEST(one_wrong_byte_anywhere_in_a_journal_entry_is_corrected)
{
	char entry[CACHE_JSET_HEADER_BYTES + 800] = { 0 }, was[sizeof(entry)];
	struct cache_jset_disk *d = (void *)entry;
	struct cache_correction done;

	for (size_t i = 0; i < sizeof(entry); i++)
		entry[i] = i * 37 + i / 7;
	d->keys = cache_le32_of(70);	/* 30 words of something else follow */
	d->csum = cache_le64_of(cache_jset_csum(d));
	memcpy(was, entry, sizeof(was));
	for (size_t i = 0; i < CACHE_JSET_HEADER_BYTES + 70 * 8; i++) {
		entry[i] ^= 1 + i % 255;
		CHECK(cache_correct_entry(entry, CACHE_JSET_HEADER_BYTES, sizeof(entry), NULL, &done));
		CHECK(!memcmp(entry, was, sizeof(was)));
		CHECK_EQ(done.at, i);
		CHECK_EQ(done.flip, 1 + i % 255);
	}
	entry[100] ^= 1;
	entry[103] ^= 1;
	memcpy(was, entry, sizeof(was));
	CHECK(!cache_correct_entry(entry, CACHE_JSET_HEADER_BYTES, sizeof(entry), NULL, NULL));
	CHECK(!memcmp(entry, was, sizeof(was)));
}

TEST_MAIN()
