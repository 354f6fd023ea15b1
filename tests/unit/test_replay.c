// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of a simulated replay: leaves and interior nodes that fill up and split.
 * Whatever happens to it, its nodes tile the key space, and what was inserted is found
 * in the leaf where it belongs.
 */
#include "disk.h"

#include "base/rng.h"
#include "replay/replay.h"

#define BS	16u		/* sectors a bucket, and a node: two blocks */
#define SPAN	(1u << 20)		/* sectors of the backing device */
#define ROOT	22
#define WORDS	(1u << 18)		/* of keys that a play may insert */

struct play {
	struct disk d;
	struct cache_set *set;
	struct replay r;
	struct replay_reads reads;
	uint64_t *want;		/* what each sector of the device maps to; 0: nothing */
	unsigned leaves, depth;
};

/* A set whose root is a leaf with @k. */
static struct play *play_new(const struct cache_bkey *k, unsigned n)
{
	struct play *p = calloc(1, sizeof(*p));
	static uint16_t prio[1024];
	static uint8_t gen[1024];
	struct cache_bkey root;
	struct jset_spec j = { .seq = 1, .last_seq = 1, .prio_bucket = 20 };
	struct findings h;
	struct cache_sink sink = findings_sink(&h);

	p->d = disk_new(1024, BS, 8);
	root = root_key(&p->d.sb, ROOT, 0);
	j.btree_root = root;
	put_prio_set(&p->d, 20, 1, 0, 0, prio, gen);
	put_bset(&p->d, &root, 5, 0, k, n);
	put_jset(&p->d, 1, 0, &j);
	CHECK_EQ(cache_set_load(p->d.dev, CACHE_LOAD_MARKS, &sink, &p->set, NULL), 0);
	CHECK_EQ(p->set->loaded, CACHE_LOAD_MARKS);
	cache_overlay_fini(&p->set->overlay);
	CHECK_EQ(cache_overlay_init(&p->set->overlay, WORDS), 0);
	p->r = (struct replay){ .set = p->set, .reads = &p->reads, .seq = 1, .ring_blocks = 1u << 30 };
	p->r.alloc = (struct replay_alloc){ .none = UINT32_MAX, .btree = UINT32_MAX, .dry = true };
	p->want = calloc(SPAN, sizeof(*p->want));
	CHECK_EQ(cache_replay_tree_init(&p->r), 0);
	return p;
}

static void play_free(struct play *p)
{
	cache_replay_tree_fini(&p->r);
	for (unsigned i = 0; i < REPLAY_READS; i++)
		cache_btree_node_fini(&p->reads.kept[i].node);
	cache_set_close(p->set);
	cache_dev_close(p->d.dev);
	free(p->want);
	free(p);
}

static void map(uint64_t *map, const struct cache_bkey *k)
{
	for (uint64_t s = cache_key_start(k); s < k->low; s++)
		map[s] = cache_ptr_sector(k->ptr[0]) + s - cache_key_start(k) + 1;
}

/* As if an entry of the journal had it. */
static int insert_key(struct play *p, const struct cache_bkey *k)
{
	struct cache_overlay *o = &p->set->overlay;
	size_t at = o->nwords;

	CHECK(at + CACHE_BKEY_WORDS_MAX <= WORDS);
	o->nwords += cache_bkey_encode(k, o->words + at);
	return cache_replay_insert(&p->r, at);
}

static void insert(struct play *p, uint64_t start, uint64_t size, uint64_t sector)
{
	struct cache_bkey k = extent(0, start, start + size, true, sector, 0);

	map(p->want, &k);
	CHECK_EQ(insert_key(p, &k), 0);
}

static int cmp(const struct cache_bkey *a, const struct cache_bkey *b)
{
	return cache_pos_cmp(cache_key_inode(a), a->low, cache_key_inode(b), b->low);
}

/* What is not written lies within the leaf; @got receives what it was given. */
static void check_leaf(struct play *p, const struct replay_node *n, uint64_t *got)
{
	for (size_t i = 0; i < n->unwritten.n; i++) {
		const struct cache_bkey *k = &n->unwritten.k[i];

		CHECK(cmp(k, &n->hi) <= 0);
		CHECK(cache_pos_cmp(0, cache_key_start(k), cache_key_inode(&n->lo),
				    n->lo.low) >= 0 || !n->lo.low);
	}
	for (size_t i = 0; i < n->added.n; i++) {
		struct cache_bkey k;

		CHECK(!i || n->added.at[i - 1] < n->added.at[i]);
		CHECK(cache_overlay_key(&p->set->overlay, n->added.at[i], &k));
		CHECK(cache_replay_clip(&k, n));
		map(got, &k);
	}
	p->leaves++;
}

static void check_node(struct play *p, uint32_t index, unsigned depth, uint64_t *got)
{
	const struct replay_node *n = &p->r.node[index];

	CHECK(!n->loaded || n->written <= n->nblocks);
	if (depth > p->depth)
		p->depth = depth;
	if (!n->level) {
		check_leaf(p, n, got);
		return;
	}
	CHECK(n->nchildren);
	for (uint32_t i = 0; i < n->nchildren; i++) {
		const struct replay_node *c = &p->r.node[n->child[i]];

		CHECK_EQ(c->parent, index);
		CHECK_EQ(c->level, n->level - 1);
		CHECK_EQ(cmp(&c->lo, i ? &p->r.node[n->child[i - 1]].hi : &n->lo), 0);
		check_node(p, n->child[i], depth + 1, got);
	}
	CHECK_EQ(cmp(&p->r.node[n->child[n->nchildren - 1]].hi, &n->hi), 0);
}

static void check(struct play *p)
{
	uint64_t *got = calloc(SPAN, sizeof(*got));

	p->leaves = p->depth = 0;
	check_node(p, p->r.root, 0, got);
	CHECK_EQ(p->r.node[p->r.root].parent, REPLAY_NONE);
	CHECK_MEM(got, p->want, SPAN * sizeof(*got));
	free(got);
}

TEST(a_key_over_another_hides_what_it_covers)
{
	struct play *p = play_new(NULL, 0);
	const struct cache_keys *set;
	uint64_t live = 0;

	insert(p, 100, 16, 40 * BS);
	insert(p, 104, 4, 41 * BS);	/* the middle: two pieces stay */
	insert(p, 96, 8, 42 * BS);	/* the head of the first */
	insert(p, 112, 8, 43 * BS);	/* its tail */
	insert(p, 104, 4, 44 * BS);	/* all of the second */
	check(p);
	set = &p->r.node[p->r.root].unwritten;
	for (size_t i = 0; i < set->n; i++)
		live += cache_key_size(&set->k[i]);
	CHECK_EQ(live, 120 - 96);
	CHECK_EQ(p->leaves, 1);
	play_free(p);
}

TEST(a_key_is_written_over_an_empty_one_of_its_place)
{
	struct play *p = play_new(NULL, 0);

	insert(p, 100, 16, 40 * BS);
	insert(p, 100, 16, 41 * BS);
	CHECK_EQ(p->r.node[p->r.root].unwritten.n, 1);
	insert(p, 100, 16, 42 * BS);
	CHECK_EQ(p->r.node[p->r.root].unwritten.n, 1);
	check(p);
	play_free(p);
}

/* Every other block, so that nothing continues anything: a leaf holds 300 or so. */
TEST(a_full_root_gives_way_to_two_leaves_below_a_new_one)
{
	struct play *p = play_new(NULL, 0);
	unsigned n = 0;

	for (; !p->r.node[p->r.root].level; n++)
		insert(p, n * 16, 8, (40 + n % 900) * BS);
	check(p);
	CHECK_EQ(p->r.node[p->r.root].level, 1);
	CHECK_EQ(p->leaves, 2);
	CHECK(n > 150 && n < 400);
	CHECK_EQ(p->r.entries, 2);	/* each new root was named: first a leaf written anew */
	/* a key that ends in the second leaf starts in the first */
	insert(p, p->r.node[p->r.node[p->r.root].child[0]].hi.low - 4, 8, 30 * BS);
	check(p);
	play_free(p);
}

TEST(keys_that_continue_each_other_become_one_when_a_leaf_is_written_anew)
{
	struct play *apart = play_new(NULL, 0), *joined = play_new(NULL, 0);

	for (unsigned n = 0; n < 2000; n++) {
		insert(apart, n * 16, 8, (40 + n % 900) * BS);
		insert(joined, n * 8, 8, (40 + n / 2 % 900) * BS + n % 2 * 8);
	}
	check(apart);
	check(joined);
	CHECK(joined->leaves < apart->leaves);
	play_free(apart);
	play_free(joined);
}

static void insert_randomly(struct play *p, unsigned n, uint64_t seed)
{
	struct cache_rng rng;

	cache_rng_init(&rng, seed);
	while (n--) {
		uint64_t size = 1 + cache_rng_below(&rng, BS);

		insert(p, cache_rng_below(&rng, SPAN - BS), size,
		       (40 + cache_rng_below(&rng, 900)) * BS);
	}
}

TEST(whatever_is_inserted_the_nodes_tile_and_nothing_is_lost)
{
	struct play *p = play_new(NULL, 0);

	for (unsigned round = 1; round <= 8; round++) {
		insert_randomly(p, 5000, round);
		check(p);
	}
	printf("# %u leaves, depth %u\n", p->leaves, p->depth);
	CHECK(p->depth >= 2);	/* an interior node was split as well */
	CHECK(p->leaves > 170);
	play_free(p);
}

/* Keys until something ends the play. */
TEST(nodes_that_are_kept_or_read_again_give_the_same_play)
{
	struct cache_bkey k = extent(0, 0, 4096, false, 40 * BS, 0);
	struct play *keeps = play_new(&k, 1), *reads = play_new(&k, 1);

	reads->reads.bytes = REPLAY_READS_BYTES;
	insert_randomly(keeps, 3000, 7);
	insert_randomly(reads, 3000, 7);
	check(reads);
	CHECK(keeps->reads.kept[ROOT].has_keys);
	CHECK(reads->reads.kept[ROOT].node.nblocks && !reads->reads.kept[ROOT].has_keys);
	CHECK(reads->r.splits > 10);
	CHECK_EQ(reads->r.splits, keeps->r.splits);
	CHECK_EQ(reads->r.nnodes, keeps->r.nnodes);
	CHECK_EQ(reads->r.entries, keeps->r.entries);
	play_free(keeps);
	play_free(reads);
}

static int insert_until_it_ends(struct play *p)
{
	int ret = 0;

	for (unsigned n = 0; !ret && n < 1000; n++) {
		struct cache_bkey k = extent(0, n * 16, n * 16 + 8, true, 40 * BS, 0);

		ret = insert_key(p, &k);
	}
	return ret;
}

TEST(a_replay_without_buckets_or_space_in_the_ring_hangs)
{
	struct play *p = play_new(NULL, 0);

	p->r.alloc.none = p->r.alloc.btree = 0;
	CHECK_EQ(insert_until_it_ends(p), REPLAY_HANGS);
	play_free(p);
	p = play_new(NULL, 0);
	p->r.alloc.none = 7;		/* the driver splits no leaf without its reserve */
	p->r.alloc.btree = 0;
	CHECK_EQ(insert_until_it_ends(p), REPLAY_HANGS);
	play_free(p);
	p = play_new(NULL, 0);
	p->r.ring_blocks = 0;
	p->r.set->sb.njournal = 2;
	p->r.ring_discard = 1;
	p->r.ring_seq[1] = 7;		/* not replayed yet */
	CHECK_EQ(insert_until_it_ends(p), REPLAY_HANGS);
	CHECK(p->r.waiting);
	play_free(p);
}

TEST(a_replay_too_long_is_given_up)
{
	struct play *p = play_new(NULL, 0);

	p->r.splits = UINT32_MAX;
	CHECK_EQ(insert_until_it_ends(p), REPLAY_TOO_LONG);
	play_free(p);
}

TEST(a_leaf_that_is_written_at_each_key_is_split_sooner)
{
	struct play *calm = play_new(NULL, 0), *storm = play_new(NULL, 0);

	storm->r.storm = true;
	for (unsigned n = 0; n < 400; n++) {
		insert(calm, n * 16, 8, (40 + n % 900) * BS);
		insert(storm, n * 16, 8, (40 + n % 900) * BS);
		CHECK(storm->r.splits >= calm->r.splits);
		CHECK(storm->r.entries >= calm->r.entries);
	}
	check(storm);
	CHECK(storm->r.splits > 10 * calm->r.splits);
	play_free(calm);
	play_free(storm);
}

struct asked {
	unsigned times, stop_at;
};

static int asks(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct asked *a = ctx;

	CHECK_EQ(pass, 0);
	return ++a->times == a->stop_at;
}

/* More keys than the free buckets of the ring have entries: the ring is played. */
TEST(a_forecast_asks_whether_to_go_on_and_stops)
{
	struct disk d = disk_new(1024, BS, 8);
	struct jset_spec j = { .seq = 1, .last_seq = 1, .prio_bucket = 20, .nkeys = 200,
			       .btree_root = root_key(&d.sb, ROOT, 0) };
	struct asked a = { 0 };
	const struct cache_sink sink = { cache_sink_ignore, &a, asks };
	const struct cache_sink silent = { .report = cache_sink_ignore };
	static uint16_t prio[1024];
	static uint8_t gen[1024];
	struct cache_replay_forecast f;
	struct cache_bkey keys[200];
	struct cache_set *set;

	for (unsigned i = 0; i < 200; i++)
		keys[i] = extent(0, 16 * i, 16 * i + 8, true, (40 + i) * BS, 0);
	j.keys = keys;
	put_prio_set(&d, 20, 1, 0, 0, prio, gen);
	put_bset(&d, &j.btree_root, 5, 0, NULL, 0);
	put_jset(&d, 1, 0, &j);
	CHECK_EQ(cache_set_load(d.dev, CACHE_LOAD_MARKS, &silent, &set, NULL), 0);
	CHECK_EQ(set->journal_keys, 200);
	CHECK_EQ(cache_replay_forecast(set, UINT32_MAX, &sink, &f, NULL), 0);
	CHECK(a.times > 1);
	a = (struct asked){ .stop_at = a.times };
	CHECK_EQ(cache_replay_forecast(set, UINT32_MAX, &sink, &f, NULL), -ECANCELED);
	CHECK_EQ(cache_replay_forecast(set, UINT32_MAX, NULL, &f, NULL), 0);
	cache_set_close(set);
	cache_dev_close(d.dev);
}

TEST_MAIN()
