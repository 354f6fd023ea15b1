// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile WHAT N	builds an image that is hostile in one way, N times over, and reads it
 *
 * What the worst images take must grow with what they hold. Only what reads is counted:
 * callgrind --toggle-collect='measured*'. tests/hostile/run holds the growth to a bound.
 */
#include "disk.h"

#include "repair/repair_impl.h"
#include "super/repair_evidence.h"

static __attribute__((noinline)) int measured_parse(const struct disk *d, const void *data,
						    struct cache_btree_node *n)
{
	return cache_btree_node_parse(&d->sb, data, n, NULL, NULL);
}

/* One node of @n sets of eight keys, each set over a part of the one before. */
static int sets(uint64_t n)
{
	struct disk d = disk_new(64, 8 * n, 8);
	struct cache_btree_node node = { .key = root_key(&d.sb, 40, 1), .bucket = 40 };
	struct cache_bkey keys[8];
	char *data = cache_dev_buf(n * CACHE_PAGE_BYTES);
	int ret;

	cache_bkey_set_size(&node.key, 8 * n);
	for (uint64_t i = 0; i < n; i++) {
		for (uint64_t j = 0; j < 8; j++)
			keys[j] = extent(0, 64 * i + 16 * j, 64 * i + 16 * j + 16, true,
					 50 * d.sb.bucket_sectors, 1);
		make_bset(&d.sb, (void *)(data + i * CACHE_PAGE_BYTES), &node.key, 7, keys, 8);
	}
	ret = measured_parse(&d, data, &node);
	ret = ret || node.nsets != n;
	cache_btree_node_fini(&node);
	free(data);
	cache_dev_close(d.dev);
	return ret;
}

static int no_visit(void *ctx, const struct cache_btree_node *n)
{
	return 0;
}

static __attribute__((noinline)) int measured_walk(struct cache_btree_walk *w)
{
	return cache_btree_walk(w, NULL);
}

/* @n children of 4 MiB that lead into holes. */
static int holes(uint64_t n)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct disk d = disk_new(64 + n, 8192, 8);
	struct cache_bkey *child = calloc(n, sizeof(*child));
	struct cache_gens gens;
	struct cache_btree_walk w = {
		.dev = d.dev, .sb = &d.sb, .gens = &gens, .sink = &silent,
		.root = root_key(&d.sb, 50, 1), .root_level = 1, .node = no_visit,
	};
	uint8_t *gen = malloc(64 + n);
	int ret;

	memset(gen, 1, 64 + n);
	for (uint64_t i = 0; i < n; i++) {
		child[i] = node_key(&d.sb, 0, 8 + 8 * i, 64 + i, 1);
		cache_bkey_set_size(&child[i], 8192);
	}
	cache_bkey_set_size(&w.root, 8 * (n / 100 + 1));
	put_bset(&d, &w.root, 7, 0, child, n);
	ret = cache_gens_init(&gens, 64 + n, gen);
	if (!ret)
		ret = measured_walk(&w);
	ret = ret || w.nnodes[0] != n;
	cache_gens_fini(&gens);
	free(child);
	cache_dev_close(d.dev);
	return ret;
}

static __attribute__((noinline)) int measured_journal(const struct disk *d,
						      struct cache_journal *j)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };

	return cache_journal_read(d->dev, &d->sb, j, &silent, NULL);
}

/* @n entries behind a damaged one, in one bucket. */
static int hidden(uint64_t n)
{
	struct disk d = disk_new(64, 8 * (n + 2), 8);
	struct jset_spec spec = { .seq = 1, .last_seq = 1, .uuid_bucket = root_key(&d.sb, 30, 1),
				  .btree_root = root_key(&d.sb, 31, 1), .prio_bucket = 32 };
	struct cache_journal j;
	int ret;

	for (uint32_t at = 0; spec.seq < n + 2; spec.seq++)
		at += put_jset(&d, 0, at, &spec);
	disk_flip(&d, cache_bucket_sector(&d.sb, d.sb.journal_bucket[0]) + 8, 40);
	ret = measured_journal(&d, &j);
	ret = ret || j.nentries != n;
	cache_journal_fini(&j);
	cache_dev_close(d.dev);
	return ret;
}

static __attribute__((noinline)) int measured_search(struct cache_set *set)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };

	bool unread = false;

	return cache_repair_find_lost(set, false, &silent, &unread, NULL);
}

/* No ring, and @n prio_sets of one seq that follow each other, none of them a whole chain. */
static int prios(uint64_t n)
{
	uint64_t nbuckets = 64 + 4 * n;
	struct disk d = disk_new(nbuckets, 8, 8);
	uint16_t *prio = malloc(nbuckets * sizeof(*prio));
	uint8_t *gen = calloc(nbuckets, 1);
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_set *set;
	int ret;

	for (uint64_t b = 0; b < nbuckets; b++)
		prio[b] = CACHE_BTREE_PRIO;
	for (uint64_t i = 0; i < n; i++)
		put_prio_set(&d, 64 + i, 9, i + 1 < n ? 65 + i : 64, 0, prio, gen);
	ret = cache_set_load(d.dev, CACHE_LOAD_JOURNAL, &silent, &set, NULL);
	if (!ret) {
		ret = measured_search(set);
		cache_set_close(set);
	}
	free(prio);
	free(gen);
	return ret;
}

static __attribute__((noinline)) int measured_evidence(const struct disk *d,
						       struct repair_evidence *ev)
{
	return cache_repair_evidence(d->dev, 0, ev, NULL);
}

/* A prio_set that links to itself, on a device of @n buckets. */
static int link(uint64_t n)
{
	struct disk d = disk_new(n, 1024, 8);
	uint16_t *prio = calloc(n, sizeof(*prio));
	uint8_t *gen = calloc(n, 1);
	struct jset_spec spec = { .seq = 1, .last_seq = 1, .uuid_bucket = root_key(&d.sb, 30, 1),
				  .btree_root = root_key(&d.sb, 31, 1), .prio_bucket = 32 };
	struct repair_evidence ev;
	int ret;

	put_jset(&d, 0, 0, &spec);
	put_prio_set(&d, 32, 9, 32, 0, prio, gen);
	ret = measured_evidence(&d, &ev);
	ret = ret || ev.members != 1;
	free(prio);
	free(gen);
	cache_dev_close(d.dev);
	return ret;
}

/* @n entries in one bucket, each older than the one before it. */
static int backwards(uint64_t n)
{
	struct disk d = disk_new(64, 8 * (n + 2), 8);
	struct jset_spec spec = { .last_seq = 1, .uuid_bucket = root_key(&d.sb, 30, 1),
				  .btree_root = root_key(&d.sb, 31, 1), .prio_bucket = 32 };
	struct cache_journal j;
	uint32_t at = 0;
	int ret;

	for (spec.seq = n; spec.seq; spec.seq--)
		at += put_jset(&d, 0, at, &spec);
	ret = measured_journal(&d, &j);
	ret = ret || j.nentries != n;
	cache_journal_fini(&j);
	cache_dev_close(d.dev);
	return ret;
}

/* A ring of @n buckets with an entry each, every one older than the one before it by two. */
static int rings(uint64_t n)
{
	struct disk d = disk_new(64 + n, 512, n);
	struct jset_spec spec = { .seq = 2 * n, .last_seq = 1,
				  .uuid_bucket = root_key(&d.sb, 30 + n, 1),
				  .btree_root = root_key(&d.sb, 31 + n, 1), .prio_bucket = 32 + n };
	struct cache_journal j;
	int ret;

	for (uint64_t i = 0; i < n; i++, spec.seq -= 2)
		put_jset(&d, i, 0, &spec);
	ret = measured_journal(&d, &j);
	ret = ret || j.nentries != n;
	cache_journal_fini(&j);
	cache_dev_close(d.dev);
	return ret;
}

/* @n entries in one bucket behind a good one, with more wrong bytes than can be corrected. */
static int torn(uint64_t n)
{
	struct disk d = disk_new(64, 8 * (n + 2), 8);
	struct jset_spec spec = { .seq = 1, .last_seq = 1, .uuid_bucket = root_key(&d.sb, 30, 1),
				  .btree_root = root_key(&d.sb, 31, 1), .prio_bucket = 32 };
	struct cache_journal j;
	uint32_t at = put_jset(&d, 0, 0, &spec);
	int ret;

	while (++spec.seq < n + 2) {
		at += put_jset(&d, 0, at, &spec);
		disk_spoil(&d, cache_bucket_sector(&d.sb, d.sb.journal_bucket[0]) + at - 8, 40);
	}
	ret = measured_journal(&d, &j);
	ret = ret || j.nentries != 1;
	cache_journal_fini(&j);
	cache_dev_close(d.dev);
	return ret;
}

static __attribute__((noinline)) int measured_prios(const struct disk *d, struct cache_prios *p)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };

	return cache_prio_read(d->dev, &d->sb, 64, p, &silent, NULL);
}

/* A chain of @n prio_sets in 64 and the buckets behind it, on the part of a device that is there. */
static struct disk put_chain(uint64_t n)
{
	struct disk d = disk_new(64 + n, 8, 8);
	uint16_t *prio;
	uint8_t *gen;

	d.sb.nbuckets = n * cache_prios_per_bucket(&d.sb);
	prio = calloc(d.sb.nbuckets, sizeof(*prio));
	gen = calloc(d.sb.nbuckets, 1);
	for (uint64_t i = 0; i < n; i++)
		put_prio_set(&d, 64 + i, 9, i + 1 < n ? 65 + i : 64,
			     i * cache_prios_per_bucket(&d.sb), prio, gen);
	free(prio);
	free(gen);
	return d;
}

static int chain(uint64_t n)
{
	struct disk d = put_chain(n);
	struct cache_prios p;
	int ret = measured_prios(&d, &p);

	ret = ret || p.nfollowed != n;
	cache_prio_fini(&p);
	cache_dev_close(d.dev);
	return ret;
}

static __attribute__((noinline)) int measured_roles(const struct cache_set *set, uint64_t n)
{
	uint64_t members = 0;

	for (uint64_t b = 64; b < 64 + n; b++)
		members += cache_set_role(set, b) == CACHE_ROLE_PRIO;
	return members != n;
}

/* What each of the @n buckets of a chain is for. */
static int roles(uint64_t n)
{
	struct disk d = put_chain(n);
	struct cache_set set = { .dev = d.dev, .sb = d.sb };
	const struct cache_sink silent = { .report = cache_sink_ignore };
	int ret = cache_prio_read(d.dev, &d.sb, 64, &set.prios, &silent, NULL);

	if (!ret)
		ret = cache_gens_init(&set.gens, d.sb.nbuckets, calloc(d.sb.nbuckets, 1));
	for (uint64_t b = 64; b < 64 + n; b++)
		cache_gens_set_mark(&set.gens, b, CACHE_GC_MARK_METADATA);
	if (!ret)
		ret = measured_roles(&set, n);
	cache_gens_fini(&set.gens);
	cache_prio_fini(&set.prios);
	cache_dev_close(d.dev);
	return ret;
}

/* No ring, and @n nodes that nothing leads to, beside a chain that calls them all metadata. */
static int claims(uint64_t n)
{
	uint64_t nbuckets = 64 + n;
	struct disk d = disk_new(nbuckets, 8, 8);
	uint64_t per = cache_prios_per_bucket(&d.sb);
	uint16_t *prio = malloc(nbuckets * sizeof(*prio));
	uint8_t *gen = calloc(nbuckets, 1);
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_set *set;
	int ret;

	for (uint64_t b = 0; b < nbuckets; b++)
		prio[b] = CACHE_BTREE_PRIO;
	for (uint64_t i = 0; i * per < nbuckets; i++)
		put_prio_set(&d, 40 + i, 9, 41 + i, i * per, prio, gen);
	for (uint64_t i = 0; i < n; i++) {
		struct cache_bkey node = node_key(&d.sb, 0, 64 * (i + 1), 64 + i, 0);
		struct cache_bkey key = extent(0, 64 * i, 64 * i + 8, true, 512, 0);

		put_bset(&d, &node, 7 + i, 0, &key, 1);
	}
	ret = cache_set_load(d.dev, CACHE_LOAD_JOURNAL, &silent, &set, NULL);
	if (!ret) {
		ret = measured_search(set);
		cache_set_close(set);
	}
	free(prio);
	free(gen);
	return ret;
}

static __attribute__((noinline)) int measured_load(const struct disk *d)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_set *set = NULL;
	int ret = cache_set_load(d->dev, CACHE_LOAD_GENS, &silent, &set, NULL);

	if (!ret)
		cache_set_close(set);
	return ret;
}

/* A root whose @n children are all one bucket, with a gen that is past. */
static int stale(uint64_t n)
{
	struct disk d = disk_new(2048, 1024, 8);
	struct jset_spec spec = { .seq = 1, .last_seq = 1, .uuid_bucket = root_key(&d.sb, 30, 0),
				  .btree_root = root_key(&d.sb, 31, 9), .level = 1,
				  .prio_bucket = 32 };
	struct cache_bkey *child = calloc(n, sizeof(*child)), node = node_key(&d.sb, 0, 8, 40, 8);
	uint16_t *prio = calloc(2048, sizeof(*prio));
	uint8_t *gen = malloc(2048);
	int ret;

	memset(gen, 9, 2048);
	for (uint64_t i = 0; i < n; i++)
		child[i] = node_key(&d.sb, 0, 8 + 8 * i, 40, i % 8);
	put_jset(&d, 0, 0, &spec);
	put_prio_set(&d, 32, 1, 32, 0, prio, gen);
	put_bset(&d, &node, 7, 0, NULL, 0);
	put_bset(&d, &spec.btree_root, 7, 0, child, n);
	ret = measured_load(&d);
	free(child);
	free(prio);
	free(gen);
	cache_dev_close(d.dev);
	return ret;
}

static __attribute__((noinline)) int measured_drop(struct cache_set *set)
{
	return cache_repair_drop_flushed(set, NULL, NULL);
}

/* A leaf of @n sets and entries of eight times @n keys, all of one start and no two the same. */
static int flushed(uint64_t n)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct disk d = disk_new(128, 8192, 8);
	struct jset_spec spec = { .seq = 1, .last_seq = 1, .uuid_bucket = root_key(&d.sb, 30, 0),
				  .btree_root = root_key(&d.sb, 31, 0), .prio_bucket = 32,
				  .nkeys = n };
	struct cache_bkey *keys = calloc(8 * n, sizeof(*keys));
	uint16_t *prio = calloc(128, sizeof(*prio));
	uint8_t *gen = calloc(128, 1);
	struct cache_set *set = NULL;
	uint32_t at = 0;
	int ret;

	cache_bkey_set_size(&spec.btree_root, 8192);
	for (uint64_t i = 0; i < 8 * n; i++) {
		keys[i] = extent(0, 0, 8, true, 64 * d.sb.bucket_sectors + 16 * i, 0);
		if (i < n)
			at += put_bset(&d, &spec.btree_root, 7, at, &keys[i], 1);
		keys[i].ptr[0] += UINT64_C(8) << 8;
	}
	for (uint32_t to = 0; spec.seq <= 8; spec.seq++) {
		spec.keys = keys + (spec.seq - 1) * n;
		to += put_jset(&d, 0, to, &spec);
	}
	put_prio_set(&d, 32, 1, 32, 0, prio, gen);
	ret = cache_set_load(d.dev, CACHE_LOAD_MARKS, &silent, &set, NULL);
	if (!ret && (set->loaded != CACHE_LOAD_MARKS || set->overlay.n != 8 * n))
		ret = -EINVAL;
	if (!ret)
		ret = measured_drop(set);
	cache_set_close(set);
	free(keys);
	free(prio);
	free(gen);
	cache_dev_close(d.dev);
	return ret;
}

static const struct {
	const char *name;
	int (*run)(uint64_t n);
} cases[] = {
	{ "sets", sets }, { "holes", holes }, { "hidden", hidden }, { "prios", prios },
	{ "link", link }, { "backwards", backwards }, { "chain", chain }, { "roles", roles },
	{ "claims", claims }, { "stale", stale }, { "rings", rings }, { "torn", torn },
	{ "flushed", flushed },
};

static int ret_of_run;
static uint64_t n_of_run;
static int (*run_of_run)(uint64_t n);

TEST(it_is_read)
{
	ret_of_run = run_of_run(n_of_run);
	CHECK_EQ(ret_of_run, 0);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof(cases) / sizeof(*cases); i++) {
		if (strcmp(argv[1], cases[i].name))
			continue;
		n_of_run = strtoull(argv[2], NULL, 10);
		run_of_run = cases[i].run;
		return test_run_one(&test_of_it_is_read);
	}
	fputs("usage: hostile KIND N, where KIND is a row of cases[]\n", stderr);
	return 2;
}
