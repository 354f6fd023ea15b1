// SPDX-License-Identifier: GPL-2.0-only
/* Nodes: the sets of format 6.2, where a log ends, how sets merge; and walks over
 * trees that are whole or not. */
#include "disk.h"

#include <errno.h>

#define SEQ	UINT64_C(0x1122334455667788)

static uint64_t bset_csum_of(const struct cache_bkey *keys, unsigned n, unsigned version)
{
	struct cache_sb sb = disk_sb(2048, 1024, 16);
	struct cache_bkey node = root_key(&sb, 19, 1);
	struct cache_bset_disk *b = calloc(1, CACHE_PAGE_BYTES);
	uint64_t csum;

	CHECK_EQ(node.ptr[0], 0x4c0001);
	make_bset(&sb, b, &node, SEQ, keys, n);
	b->version = cache_le32_of(version);
	csum = cache_bset_csum(b, node.ptr[0]);
	free(b);
	return csum;
}

TEST(the_sets_of_the_spec_have_the_known_checksums)
{
	struct cache_bkey k = extent(0, 2048, 2064, true, 25608, 1);

	CHECK_EQ(bset_csum_of(NULL, 0, 1), 0xd15ebad17dbf29bc);
	CHECK_EQ(bset_csum_of(&k, 1, 1), 0x92adc0ab9501cb01);
	CHECK_EQ(bset_csum_of(&k, 1, 0), 0x15be5311f711b31b);
}

/* A node of 64 sectors, eight blocks, in memory. */
struct node {
	struct disk d;
	struct cache_bkey key;
	struct cache_btree_node n;
	void *data;
};

static struct node node_new(void)
{
	struct node t = { .d = disk_new(1024, 64, 8) };

	t.key = root_key(&t.d.sb, 100, 1);
	return t;
}

static int parse(struct node *t, unsigned level, const struct cache_sink *sink)
{
	uint64_t sectors = cache_key_size(&t->key);

	cache_btree_node_fini(&t->n);
	free(t->data);
	t->data = cache_dev_buf(sectors * CACHE_SECTOR_BYTES);
	t->n = (struct cache_btree_node){ .key = t->key, .level = level, .bucket = 100 };
	CHECK_EQ(cache_dev_read(t->d.dev, cache_ptr_sector(t->key.ptr[0]), sectors, t->data,
				NULL), 0);
	return cache_btree_node_parse(&t->d.sb, t->data, &t->n, sink, NULL);
}

static void node_free(struct node *t)
{
	cache_btree_node_fini(&t->n);
	free(t->data);
	cache_dev_close(t->d.dev);
}

/* Parses with a sink that must receive @code, and without one must fail with @error. */
static void check_damage(struct node *t, unsigned level, enum cache_problem code, int error)
{
	struct findings h;
	struct cache_sink sink = findings_sink(&h);

	CHECK_EQ(parse(t, level, &sink), 0);
	if (!findings_count(&h, code))
		TEST_FAIL("%s was not found", cache_problem_info(code)->code);
	CHECK_EQ(parse(t, level, NULL), error);
}

static uint32_t append(struct node *t, uint32_t block, const struct cache_bkey *k, unsigned n)
{
	return block + put_bset(&t->d, &t->key, SEQ, block, k, n);
}

TEST(later_sets_win_and_the_log_ends_where_the_seq_does)
{
	struct node t = node_new();
	struct cache_bkey a = extent(0, 0, 32, false, 4096, 1);
	struct cache_bkey b = extent(0, 8, 16, true, 8192, 1), c = hole(0, 24, 32);
	uint32_t at = append(&t, 0, &a, 1);

	at = append(&t, at, &b, 1);
	at = append(&t, at, &c, 1);
	CHECK_EQ(parse(&t, 0, NULL), 0);
	CHECK_EQ(t.n.nsets, 3);
	CHECK_EQ(t.n.used_blocks, 3);
	CHECK_EQ(t.n.keys.n, 4);
	CHECK_EQ(t.n.keys.k[0].low, 8);
	CHECK_EQ(cache_ptr_sector(t.n.keys.k[1].ptr[0]), 8192);
	CHECK_EQ(cache_ptr_sector(t.n.keys.k[2].ptr[0]), 4096 + 16);
	CHECK_EQ(t.n.keys.k[2].low, 24);
	CHECK_EQ(cache_key_ptrs(&t.n.keys.k[3]), 0);
	node_free(&t);
}

TEST(an_empty_first_set_is_an_empty_node)
{
	struct node t = node_new();

	append(&t, 0, NULL, 0);
	CHECK_EQ(parse(&t, 0, NULL), 0);
	CHECK_EQ(t.n.keys.n, 0);
	CHECK_EQ(t.n.nsets, 1);
	node_free(&t);
}

TEST(zero_size_keys_are_dropped_silently)
{
	struct node t = node_new();
	struct cache_bkey k[2] = { extent(0, 8, 8, false, 4096, 1), extent(0, 8, 16, false, 4096, 1) };

	append(&t, 0, k, 2);
	CHECK_EQ(parse(&t, 0, NULL), 0);
	CHECK_EQ(t.n.keys.n, 1);
	node_free(&t);
}

TEST(a_node_never_written_is_a_bad_header)
{
	struct node t = node_new();

	check_damage(&t, 0, CACHE_P_NODE_HEADER, -EUCLEAN);
	node_free(&t);
}

TEST(a_torn_append_is_a_bad_checksum_and_the_sets_before_it_stay)
{
	struct node t = node_new();
	struct cache_bkey a = extent(0, 0, 8, false, 4096, 1), b = extent(0, 8, 16, false, 4104, 1);

	append(&t, append(&t, 0, &a, 1), &b, 1);
	disk_flip(&t.d, cache_ptr_sector(t.key.ptr[0]) + 8, 40);
	check_damage(&t, 0, CACHE_P_NODE_CSUM, -EBADMSG);
	parse(&t, 0, &(struct cache_sink){ cache_sink_ignore, NULL });
	CHECK(t.n.damaged);
	CHECK_EQ(t.n.keys.n, 1);
	node_free(&t);
}

TEST(an_empty_later_set_is_damage)
{
	struct node t = node_new();
	struct cache_bkey a = extent(0, 0, 8, false, 4096, 1);

	append(&t, append(&t, 0, &a, 1), NULL, 0);
	check_damage(&t, 0, CACHE_P_NODE_EMPTY_SET, -EUCLEAN);
	node_free(&t);
}

TEST(a_set_behind_the_end_is_damage)
{
	struct node t = node_new();
	struct cache_bkey a = extent(0, 0, 8, false, 4096, 1);

	append(&t, 0, &a, 1);
	append(&t, 5, &a, 1);
	check_damage(&t, 0, CACHE_P_NODE_AFTER_END, -EUCLEAN);
	node_free(&t);
}

TEST(a_wrong_magic_is_damage)
{
	struct node t = node_new();

	append(&t, 0, NULL, 0);
	disk_flip(&t.d, cache_ptr_sector(t.key.ptr[0]), 8);
	check_damage(&t, 0, CACHE_P_NODE_MAGIC, -EBADMSG);
	node_free(&t);
}

TEST(an_unknown_set_version_is_not_supported)
{
	struct node t = node_new();

	append(&t, 0, NULL, 0);
	disk_flip(&t.d, cache_ptr_sector(t.key.ptr[0]), 25);
	check_damage(&t, 0, CACHE_P_NODE_VERSION, -EOPNOTSUPP);
	node_free(&t);
}

TEST(a_set_longer_than_its_node_is_a_bad_header)
{
	struct node t = node_new();

	append(&t, 0, NULL, 0);
	disk_flip(&t.d, cache_ptr_sector(t.key.ptr[0]), 31);
	check_damage(&t, 0, CACHE_P_NODE_HEADER, -EUCLEAN);
	node_free(&t);
}

TEST(keys_out_of_order_and_overlapping_keys_are_told_apart)
{
	struct node t = node_new();
	struct cache_bkey k[2] = { extent(0, 16, 24, false, 4096, 1), extent(0, 0, 8, false, 4104, 1) };

	append(&t, 0, k, 2);
	check_damage(&t, 0, CACHE_P_NODE_ORDER, -EUCLEAN);
	k[1] = extent(0, 20, 28, false, 4104, 1);
	append(&t, 0, k, 2);
	check_damage(&t, 0, CACHE_P_NODE_OVERLAP, -EUCLEAN);
	node_free(&t);
}

TEST(an_extent_past_the_device_is_invalid_and_left_out)
{
	struct node t = node_new();
	struct cache_bkey k = extent(0, 0, 8, false, 1024 * 64, 1);

	append(&t, 0, &k, 1);
	check_damage(&t, 0, CACHE_P_EXTENT_PTR, -EUCLEAN);
	parse(&t, 0, &(struct cache_sink){ cache_sink_ignore, NULL });
	CHECK_EQ(t.n.keys.n, 0);
	node_free(&t);
}

TEST(a_key_past_its_node_is_a_short_key_only_where_the_driver_looks)
{
	struct node t = node_new();
	struct cache_bkey k[10];

	for (unsigned i = 0; i < 10; i++)
		k[i] = extent(0, 8 * i, 8 * i + 8, false, 4096 + 64 * i, 1);
	t.key = node_key(&t.d.sb, 0, 72, 100, 1);
	append(&t, 0, k, 10);
	check_damage(&t, 0, CACHE_P_NODE_SHORT_KEY, -EUCLEAN);
	append(&t, 0, k + 8, 2);
	check_damage(&t, 0, CACHE_P_CHILD_RANGE, -EUCLEAN);
	node_free(&t);
}

/* A root over two leaves: [.., 1000] in bucket 101, up to the greatest key in 102. */
static struct node tree_new(void)
{
	struct node t = node_new();
	struct cache_bkey child[2] = {
		node_key(&t.d.sb, 0, 1000, 101, 1), root_key(&t.d.sb, 102, 1),
	};
	struct cache_bkey a = extent(0, 0, 8, false, 200 * 64, 1);
	struct cache_bkey b = extent(0, 1000, 1008, true, 201 * 64, 1);

	append(&t, 0, child, 2);
	put_bset(&t.d, &child[0], 5, 0, &a, 1);
	put_bset(&t.d, &child[1], 6, 0, &b, 1);
	return t;
}

struct visit {
	uint64_t bucket[8];
	unsigned n, stop_after;
};

static int note_node(void *ctx, const struct cache_btree_node *n)
{
	struct visit *v = ctx;

	v->bucket[v->n++ % 8] = n->bucket;
	return v->stop_after && v->n == v->stop_after ? 7 : 0;
}

static int walk(struct node *t, unsigned level, struct visit *v, struct cache_gens *gens,
		const struct cache_sink *sink)
{
	struct cache_btree_walk w = {
		.dev = t->d.dev, .sb = &t->d.sb, .gens = gens, .sink = sink,
		.root = t->key, .root_level = level, .node = note_node, .ctx = v,
	};

	return cache_btree_walk(&w, NULL);
}

static struct cache_gens gens_of_one(const struct cache_sb *sb)
{
	uint8_t *gen = malloc(sb->nbuckets);
	struct cache_gens gens;

	memset(gen, 1, sb->nbuckets);
	CHECK_EQ(cache_gens_init(&gens, sb->nbuckets, gen), 0);
	return gens;
}

TEST(a_walk_goes_from_parents_to_children_in_order)
{
	struct node t = tree_new();
	struct cache_gens gens = gens_of_one(&t.d.sb);
	struct visit v = { .n = 0 };

	CHECK_EQ(walk(&t, 1, &v, &gens, NULL), 0);
	CHECK_EQ(v.n, 3);
	CHECK_EQ(v.bucket[0], 100);
	CHECK_EQ(v.bucket[1], 101);
	CHECK_EQ(v.bucket[2], 102);
	v = (struct visit){ .stop_after = 2 };
	CHECK_EQ(walk(&t, 1, &v, &gens, NULL), 7);
	CHECK_EQ(v.n, 2);
	cache_gens_fini(&gens);
	node_free(&t);
}

/* Walks with a sink that must receive @code, then without one. */
static void check_walk(struct node *t, unsigned level, struct cache_gens *gens,
		       enum cache_problem code, int error, unsigned nodes)
{
	struct visit v = { .n = 0 };
	struct findings h;
	struct cache_sink sink = findings_sink(&h);

	CHECK_EQ(walk(t, level, &v, gens, &sink), 0);
	if (!findings_count(&h, code))
		TEST_FAIL("%s was not found", cache_problem_info(code)->code);
	CHECK_EQ(v.n, nodes);
	CHECK_EQ(walk(t, level, &v, gens, NULL), error);
}

TEST(a_stale_child_is_not_followed_and_leaves_a_hole)
{
	struct node t = tree_new();
	struct cache_gens gens = gens_of_one(&t.d.sb);

	cache_gens_set_gen(&gens, 102, 2);
	check_walk(&t, 1, &gens, CACHE_P_CHILD_MISSING, -EUCLEAN, 2);
	cache_gens_set_gen(&gens, 101, 2);
	check_walk(&t, 1, &gens, CACHE_P_ROOT_NO_CHILD, -EUCLEAN, 1);
	cache_gens_fini(&gens);
	node_free(&t);
}

TEST(a_walk_of_a_tree_with_a_cycle_ends)
{
	struct node t = tree_new();
	struct cache_gens gens = gens_of_one(&t.d.sb);
	struct cache_bkey self = root_key(&t.d.sb, 100, 1);

	append(&t, 0, &self, 1);
	check_walk(&t, 16, &gens, CACHE_P_NODE_TWICE, -EUCLEAN, 1);
	cache_gens_fini(&gens);
	node_free(&t);
}

TEST(a_root_deeper_than_any_tree_is_not_followed)
{
	struct node t = tree_new();
	struct cache_gens gens = gens_of_one(&t.d.sb);

	check_walk(&t, 17, &gens, CACHE_P_ROOT_LEVEL, -EUCLEAN, 0);
	cache_gens_fini(&gens);
	node_free(&t);
}

TEST(two_live_children_that_end_alike_are_damage)
{
	struct node t = tree_new();
	struct cache_gens gens = gens_of_one(&t.d.sb);
	struct cache_bkey child[2] = { root_key(&t.d.sb, 101, 1), root_key(&t.d.sb, 102, 1) };

	append(&t, 0, child, 2);
	check_walk(&t, 1, &gens, CACHE_P_CHILD_TWICE, -EUCLEAN, 3);
	cache_gens_fini(&gens);
	node_free(&t);
}

TEST(a_key_before_its_left_neighbours_end_is_out_of_range)
{
	struct node t = tree_new();
	struct cache_gens gens = gens_of_one(&t.d.sb);
	struct cache_bkey right = root_key(&t.d.sb, 102, 1);
	struct cache_bkey b = extent(0, 992, 1008, true, 201 * 64, 1);

	put_bset(&t.d, &right, 6, 0, &b, 1);
	check_walk(&t, 1, &gens, CACHE_P_CHILD_RANGE, -EUCLEAN, 3);
	cache_gens_fini(&gens);
	node_free(&t);
}

/* A root of @n children, each @sectors long in a bucket of its own, or all in one. */
static uint64_t read_of_children(uint32_t bucket_sectors, unsigned n, uint64_t sectors,
				 bool all_in_one, uint64_t *written)
{
	struct disk d = disk_new(64 + 2 * n, bucket_sectors, 8);
	struct cache_bkey *child = calloc(n, sizeof(*child));
	struct cache_gens gens = gens_of_one(&d.sb);
	struct findings h;
	struct cache_sink sink = findings_sink(&h);
	struct visit v = { .n = 0 };
	struct cache_btree_walk w = {
		.dev = d.dev, .sb = &d.sb, .gens = &gens, .sink = &sink,
		.root = root_key(&d.sb, 50, 1), .root_level = 1, .node = note_node, .ctx = &v,
	};

	for (unsigned i = 0; i < n; i++) {
		child[i] = node_key(&d.sb, 0, 8 + 8 * i, 64 + (all_in_one ? 0 : i), 1);
		cache_bkey_set_size(&child[i], sectors);
		if (written)
			put_bset(&d, &child[i], 5, 0, NULL, 0);
	}
	put_bset(&d, &w.root, 7, 0, child, n);
	CHECK_EQ(cache_btree_walk(&w, NULL), 0);
	CHECK_EQ(w.nnodes[0], all_in_one ? 1 : n);
	if (written)
		*written = n * sectors * CACHE_SECTOR_BYTES;
	cache_gens_fini(&gens);
	cache_dev_close(d.dev);
	free(child);
	return w.read_bytes;
}

TEST(a_child_that_leads_into_a_hole_costs_a_block_and_not_a_node)
{
	uint64_t large = read_of_children(8192, 40, 8192, false, NULL);
	uint64_t small = read_of_children(1024, 400, 1024, false, NULL);

	CHECK(large <= 40 * CACHE_PAGE_BYTES + (12 << 20));	/* with the root */
	CHECK(small <= 400 * CACHE_PAGE_BYTES + (10 << 20));
	CHECK(read_of_children(1024, 800, 1024, false, NULL) <= small + 401 * CACHE_PAGE_BYTES);
}

TEST(a_bucket_is_read_once_however_many_children_lead_there)
{
	uint64_t once = read_of_children(1024, 1, 1024, true, NULL);

	CHECK_EQ(read_of_children(1024, 500, 1024, true, NULL), once);
}

TEST(nodes_that_are_whole_are_read_whole_and_once)
{
	uint64_t written, got = read_of_children(8192, 40, 8192, false, &written);

	CHECK(got >= written && got <= written + (4 << 20));
}

TEST_MAIN()
