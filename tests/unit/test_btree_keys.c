// SPDX-License-Identifier: GPL-2.0-only
/* Nodes of many sets, in order or not: the parser and the plain one say the same. */
#include "disk.h"
#include "plain_node.h"

#include "base/rng.h"

#define NODE_SECTORS	512
#define SEQ		77

struct made {
	struct cache_sb sb;
	struct cache_bkey key;
	char *data;
	uint32_t block;		/* the next free one */
};

/* A key that is mostly in order after @pos, of all kinds that a set can have. */
static struct cache_bkey random_key(struct cache_rng *rng, const struct cache_sb *sb,
				    uint64_t *pos, unsigned level, unsigned wrong)
{
	uint64_t size = 8 * (1 + cache_rng_below(rng, 3));
	uint64_t bucket = sb->first_bucket + cache_rng_below(rng, sb->nbuckets - sb->first_bucket);
	struct cache_bkey k;

	*pos += 8 * cache_rng_below(rng, 6);
	if (cache_rng_below(rng, 1000) < wrong)
		*pos -= cache_min_u64(*pos, 8 * cache_rng_below(rng, 9));
	if (level)
		return node_key(sb, 0, *pos += 8, cache_rng_below(rng, 1000) < wrong ?
				sb->nbuckets : bucket, 1);
	k = extent(cache_rng_below(rng, 1000) < wrong, *pos, *pos + size,
		   cache_rng_below(rng, 2), bucket * sb->bucket_sectors, 1);
	if (cache_rng_below(rng, 1000) < wrong)
		cache_bkey_set_size(&k, cache_rng_below(rng, 2) ? 0 : 4096);
	if (!cache_rng_below(rng, 8))
		cache_bkey_set_ptrs(&k, cache_rng_below(rng, 3));
	*pos += size;
	return k;
}

static void add_set(struct made *m, struct cache_rng *rng, unsigned level, unsigned max,
		    unsigned wrong)
{
	uint64_t pos = 8 * cache_rng_below(rng, 64);
	unsigned n = 1 + cache_rng_below(rng, max);
	struct cache_bkey keys[256];

	for (unsigned i = 0; i < n; i++)
		keys[i] = random_key(rng, &m->sb, &pos, level, wrong);
	m->block += (make_bset(&m->sb, (void *)(m->data + m->block * 4096), &m->key, SEQ, keys,
			       n) + 4095) / 4096;
}

static struct made make_node(struct cache_rng *rng, unsigned level, unsigned nsets,
			     unsigned max, unsigned wrong)
{
	struct made m = { .sb = disk_sb(4096, NODE_SECTORS, 8) };

	m.key = node_key(&m.sb, 0, 8 * cache_rng_below(rng, 4096), 100, 1);
	cache_bkey_set_size(&m.key, NODE_SECTORS);
	m.data = cache_dev_buf(NODE_SECTORS * 512);
	for (unsigned i = 0; i < nsets && m.block < 60; i++)
		add_set(&m, rng, level, max, wrong);
	return m;
}

struct said {
	struct cache_finding f[4096];
	unsigned n;
};

static void say(void *ctx, const struct cache_finding *f)
{
	struct said *s = ctx;

	if (s->n < 4096)
		s->f[s->n++] = *f;
}

static void check_same_findings(const struct said *a, const struct said *b)
{
	CHECK_EQ(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++)
		if (memcmp(&a->f[i], &b->f[i], sizeof(a->f[i])))
			TEST_FAIL("finding %u differs", i);
}

static void check_same_keys(const struct cache_btree_node *a, const struct cache_keys *b)
{
	CHECK_EQ(cache_btree_node_nkeys(a), b->n);
	for (size_t i = 0; i < b->n; i++) {
		struct cache_bkey k = cache_btree_node_key(a, i);

		if (memcmp(&k, &b->k[i], 8 * cache_bkey_words(&k)))
			TEST_FAIL("key %zu differs", i);
	}
}

/* @n is used again and again, as a walk does. */
static void check_node(const struct made *m, unsigned level, struct cache_btree_node *n)
{
	static struct said ours, plain;
	const struct cache_sink sinks[2] = { { say, &ours }, { say, &plain } };
	struct cache_btree_node p = { .key = m->key, .level = level, .bucket = 100 };
	int ret;

	ours.n = plain.n = 0;
	n->key = m->key;
	n->level = level;
	n->bucket = 100;
	CHECK_EQ(cache_btree_node_parse(&m->sb, m->data, n, &sinks[0], NULL), 0);
	CHECK_EQ(plain_node_parse(&m->sb, m->data, &p, &sinks[1], NULL), 0);
	check_same_findings(&ours, &plain);
	check_same_keys(n, &p.keys);
	CHECK(!n->stored || (n->undecoded && n->plain && n->nsets == 1));
	CHECK_EQ(n->damaged, p.damaged);
	CHECK_EQ(n->nsets, p.nsets);
	CHECK_EQ(n->used_blocks, p.used_blocks);
	cache_btree_node_fini(&p);
	p = (struct cache_btree_node){ .key = m->key, .level = level, .bucket = 100 };
	ret = plain_node_parse(&m->sb, m->data, &p, NULL, NULL);
	CHECK_EQ(cache_btree_node_parse(&m->sb, m->data, n, NULL, NULL), ret);
	cache_btree_node_fini(&p);
}

static void check_random(unsigned runs, unsigned max, unsigned wrong)
{
	struct cache_btree_node n = { 0 };
	struct cache_rng rng;

	cache_rng_init(&rng, 1);
	for (unsigned i = 0; i < runs; i++) {
		unsigned level = cache_rng_below(&rng, 2);
		struct made m = make_node(&rng, level, 1 + cache_rng_below(&rng, 60), max, wrong);

		if (wrong && !cache_rng_below(&rng, 4))
			m.data[cache_rng_below(&rng, NODE_SECTORS * 512)] ^= 1;
		n.undecoded = cache_rng_below(&rng, 2);
		check_node(&m, level, &n);
		free(m.data);
	}
	cache_btree_node_fini(&n);
}

TEST(nodes_of_sets_in_order_merge_as_one_set_after_the_other_would)
{
	check_random(400, 200, 0);
	check_random(400, 4, 0);
}

TEST(nodes_of_damaged_sets_give_the_same_findings_in_the_same_order)
{
	check_random(400, 200, 20);
	check_random(1000, 6, 200);
}

/* Sorted extents of one set, of which @flaw is what its number says; 0: nothing. */
static struct made make_leaf(struct cache_rng *rng, unsigned flaw)
{
	struct made m = { .sb = disk_sb(4096, NODE_SECTORS, 8) };
	unsigned n = 1 + cache_rng_below(rng, 200), at = cache_rng_below(rng, n);
	struct cache_bkey k[201];
	uint64_t pos = 16;

	for (unsigned i = 0; i < n; i++, pos += 24)
		k[i] = extent(i > n / 2, pos, pos + 8, i & 1, 100 * m.sb.bucket_sectors + 8 * (i % 60), 1);
	m.key = node_key(&m.sb, 1, pos, 100, 1);
	cache_bkey_set_size(&m.key, NODE_SECTORS);
	if (flaw == 1)
		cache_bkey_set_size(&k[at], 0);
	else if (flaw == 2)
		cache_bkey_set_size(&k[at], k[at].low + 1);
	else if (flaw == 3)
		k[at].low += 40;
	else if (flaw == 4)
		k[at].ptr[0] = cache_ptr_make(0, m.sb.nbuckets * m.sb.bucket_sectors, 1);
	else if (flaw == 5)
		k[at].ptr[0] = cache_ptr_make(CACHE_PTR_CHECK_DEV, 0, 1);
	else if (flaw == 6)
		cache_bkey_set_ptrs(&k[at], 2);
	else if (flaw == 7)
		k[at].low |= UINT64_C(1) << 63;
	else if (flaw == 8)
		m.key.low -= 64;
	else if (flaw == 9)
		k[at].high ^= 1;
	m.data = cache_dev_buf(NODE_SECTORS * 512);
	make_bset(&m.sb, (void *)m.data, &m.key, SEQ, k, n);
	return m;
}

TEST(keys_that_stay_where_they_are_stored_are_those_that_would_be_decoded)
{
	struct cache_btree_node n = { .undecoded = true };
	struct cache_rng rng;
	unsigned stored = 0;

	cache_rng_init(&rng, 2);
	for (unsigned i = 0; i < 2000; i++) {
		unsigned flaw = i % 10;
		struct made m = make_leaf(&rng, flaw);

		check_node(&m, 0, &n);
		stored += n.stored != NULL;
		CHECK(flaw || n.stored);
		CHECK(flaw != 2 || !n.stored);
		CHECK(flaw != 4 || !n.stored);
		free(m.data);
	}
	CHECK(stored < 1000);
	cache_btree_node_fini(&n);
}

TEST_MAIN()
