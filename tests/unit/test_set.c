// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole set, made by hand and loaded: marks, gens, and the extents that remain
 * when the journal has been laid over the tree. Then the same with damage, with the
 * n-th read failing and with the n-th allocation failing.
 */
#include "deny.h"
#include "disk.h"

#include <errno.h>

#include "dev/dev_fault.h"

#define BS	32u		/* sectors a bucket */
#define PRIO	20
#define UUID	21
#define ROOT	22
#define SECTOR(b) ((b) * BS)

static struct cache_bkey uuid_key(const struct disk *d)
{
	struct cache_bkey k = cache_bkey_make(0, 0, cache_meta_bucket_bytes(&d->sb) / 512, false);

	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(0, SECTOR(UUID), 1);
	return k;
}

static void put_uuids(struct disk *d)
{
	struct cache_uuid_disk *e = cache_dev_buf(cache_meta_bucket_bytes(&d->sb));

	disk_uuid(e[0].uuid, 0x30);
	disk_write(d, SECTOR(UUID), cache_meta_bucket_bytes(&d->sb) / 512, e);
	free(e);
}

static void put_tree(struct disk *d)
{
	struct cache_bkey root = root_key(&d->sb, ROOT, 1);
	struct cache_bkey k[] = {
		extent(0, 100, 132, true, SECTOR(30), 1),
		extent(0, 200, 208, false, SECTOR(31), 1),
		extent(0, 300, 308, false, SECTOR(32), 0),	/* stale */
		extent(0, 400, 408, false, SECTOR(33), 2),	/* its gen is not on disk yet */
		extent(0, 500, 508, false, 0, 0),		/* a miss in flight */
	};

	k[4].ptr[0] = cache_ptr_make(CACHE_PTR_CHECK_DEV, 77, 3);
	put_bset(d, &root, 5, 0, k, 5);
}

static void put_journal(struct disk *d)
{
	struct cache_bkey k[] = {
		extent(0, 110, 120, true, SECTOR(34), 1), hole(0, 204, 206),
		extent(0, 600, 608, true, SECTOR(35), 1),
	};
	struct jset_spec j = {
		.seq = 1, .last_seq = 1, .uuid_bucket = uuid_key(d), .prio_bucket = PRIO,
		.btree_root = root_key(&d->sb, ROOT, 1), .keys = k, .nkeys = 2,
	};
	uint32_t at = put_jset(d, 1, 0, &j);

	j.seq = 2;
	j.keys = k + 2;
	j.nkeys = 1;
	put_jset(d, 1, at, &j);
}

static struct disk whole(void)
{
	struct disk d = disk_new(1024, BS, 8);
	uint16_t prio[1024];
	uint8_t gen[1024];

	for (unsigned b = 0; b < 1024; b++) {
		prio[b] = CACHE_INITIAL_PRIO;
		gen[b] = 1;
	}
	put_prio_set(&d, PRIO, 1, 0, 0, prio, gen);
	put_uuids(&d);
	put_tree(&d);
	put_journal(&d);
	return d;
}

static struct cache_set *load(struct disk *d, const struct cache_sink *sink)
{
	struct cache_err err = { 0 };
	struct cache_set *set;
	int ret = cache_set_load(d->dev, CACHE_LOAD_MARKS, sink, &set, &err);

	if (ret)
		TEST_FAIL("load failed: %s", err.text);
	return set;
}

static void end(struct cache_set *set)
{
	struct cache_dev *dev = set->dev;

	cache_set_close(set);
	cache_dev_close(dev);
}

static int strict(struct disk *d)
{
	struct cache_err err = { 0 };
	struct cache_set *set;
	int ret = cache_set_load(d->dev, CACHE_LOAD_MARKS, NULL, &set, &err);

	if (!ret)
		cache_set_close(set);
	cache_dev_close(d->dev);
	CHECK_EQ(err.code, ret);
	return ret;
}

TEST(an_intact_set_loads_silently)
{
	struct disk d = whole();
	struct findings h;
	struct cache_sink sink = findings_sink(&h);
	struct cache_set *set = load(&d, &sink);

	CHECK(!findings_damage(&h));
	CHECK_EQ(set->loaded, CACHE_LOAD_MARKS);
	CHECK_EQ(set->journal_keys, 3);
	CHECK_EQ(set->nnodes[0], 1);
	CHECK_EQ(set->uuids.n, 128);
	end(set);
}

TEST(every_bucket_has_its_role)
{
	static const struct { unsigned bucket; enum cache_role role; } want[] = {
		{ 0, CACHE_ROLE_SUPERBLOCK }, { 1, CACHE_ROLE_JOURNAL }, { 8, CACHE_ROLE_JOURNAL },
		{ 9, CACHE_ROLE_FREE }, { PRIO, CACHE_ROLE_PRIO }, { UUID, CACHE_ROLE_UUID },
		{ ROOT, CACHE_ROLE_BTREE }, { 30, CACHE_ROLE_DIRTY }, { 31, CACHE_ROLE_CLEAN },
		{ 32, CACHE_ROLE_FREE }, { 33, CACHE_ROLE_CLEAN }, { 34, CACHE_ROLE_DIRTY },
	};
	struct disk d = whole();
	struct cache_set *set = load(&d, NULL);

	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		CHECK_EQ(cache_set_role(set, want[i].bucket), want[i].role);
	CHECK_EQ(set->raised, 1);
	CHECK_EQ(set->prios.gen[33], 1);
	CHECK_EQ(cache_bucket_gen(&set->buckets, 33), 2);
	CHECK_EQ(cache_bucket_prio(&set->buckets, ROOT), CACHE_BTREE_PRIO);
	CHECK_EQ(set->prios.prio[ROOT], CACHE_INITIAL_PRIO);
	end(set);
}

struct seen {
	uint64_t start, end, sector;
	bool journal, stale, check;
};

struct list {
	struct seen e[16];
	unsigned n;
};

static int note_extent(void *ctx, const struct cache_extent *e)
{
	struct list *l = ctx;

	CHECK(l->n < 16);
	l->e[l->n++] = (struct seen){
		cache_key_start(&e->key), e->key.low, cache_ptr_sector(e->key.ptr[0]),
		e->from_journal, e->staleness, e->check_key,
	};
	return 0;
}

TEST(the_journal_is_laid_over_the_tree)
{
	static const struct seen want[] = {
		{ 100, 110, SECTOR(30), false, false, false },
		{ 110, 120, SECTOR(34), true, false, false },
		{ 120, 132, SECTOR(30) + 20, false, false, false },
		{ 200, 204, SECTOR(31), false, false, false },
		{ 206, 208, SECTOR(31) + 6, false, false, false },
		{ 300, 308, SECTOR(32), false, true, false },
		{ 400, 408, SECTOR(33), false, false, false },
		{ 500, 508, 77, false, false, true },
		{ 600, 608, SECTOR(35), true, false, false },
	};
	struct disk d = whole();
	struct cache_set *set = load(&d, NULL);
	struct list l = { .n = 0 };

	CHECK_EQ(cache_set_each_extent(set, note_extent, &l, NULL, NULL), 0);
	CHECK_EQ(l.n, 9);
	for (unsigned i = 0; i < 9; i++) {
		CHECK_EQ(l.e[i].start, want[i].start);
		CHECK_EQ(l.e[i].end, want[i].end);
		CHECK_EQ(l.e[i].sector, want[i].sector);
		CHECK_EQ(l.e[i].journal, want[i].journal);
		CHECK_EQ(l.e[i].stale, want[i].stale);
		CHECK_EQ(l.e[i].check, want[i].check);
	}
	end(set);
}

TEST(an_open_without_a_sink_fails_with_what_is_wrong)
{
	static const struct { uint64_t sector; unsigned byte; int error; } damage[] = {
		{ CACHE_SB_SECTOR, 0x18, -EBADMSG },		/* magic */
		{ CACHE_SB_SECTOR, 0x48, -EBADMSG },		/* label, so the checksum */
		{ SECTOR(2), 16, -EUCLEAN },			/* entry 1: 2 needs it */
		{ SECTOR(PRIO), 100, -EBADMSG },
		{ SECTOR(UUID), 127, -EUCLEAN },		/* reserved bytes of a slot */
		{ SECTOR(ROOT), 8, -EBADMSG },
		{ SECTOR(ROOT), 33, -EBADMSG },
	};

	for (unsigned i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		struct disk d = whole();

		disk_flip(&d, damage[i].sector, damage[i].byte);
		CHECK_EQ(strict(&d), damage[i].error);
	}
}

TEST(gens_of_a_lost_prio_set_come_from_keys)
{
	struct disk d = whole();
	struct findings h;
	struct cache_sink sink = findings_sink(&h);
	struct cache_set *set;

	disk_flip(&d, SECTOR(PRIO), 100);
	set = load(&d, &sink);
	CHECK_EQ(findings_count(&h, CACHE_P_PRIO_CSUM), 1);
	CHECK(set->gen_unknown);
	CHECK_EQ(cache_bucket_gen(&set->buckets, 33), 2);
	CHECK(!(set->gen_unknown[0] >> 33 & 1));
	CHECK(set->gen_unknown[0] >> 50 & 1);
	end(set);
}

TEST(a_set_that_never_ran_has_only_a_superblock)
{
	struct disk d = disk_new(1024, BS, 0);
	struct cache_set *set;

	d.sb.flags = 0;
	disk_put_sb(&d);
	CHECK_EQ(cache_set_load(d.dev, CACHE_LOAD_MARKS, NULL, &set, NULL), 0);
	CHECK(!set->has_journal);
	CHECK_EQ(set->loaded, CACHE_LOAD_JOURNAL);
	end(set);
}

/* Loads and walks with a sink; the fault may make it fail, and may not do worse. */
static int load_and_walk(struct disk *d, struct findings *h)
{
	struct cache_sink sink = findings_sink(h);
	struct list l = { .n = 0 };
	struct cache_set *set;
	int ret = cache_set_load(d->dev, CACHE_LOAD_MARKS, &sink, &set, NULL);

	if (ret) {
		cache_dev_close(d->dev);
		return ret;
	}
	if (set->loaded == CACHE_LOAD_MARKS)
		ret = cache_set_each_extent(set, note_extent, &l, &sink, NULL);
	end(set);
	return ret;
}

/* Returns whether the n-th read was there to fail. */
static bool nth_read(unsigned n, enum cache_fault_effect effect)
{
	struct disk d = whole();
	struct cache_fault f = { CACHE_FAULT_READ, n, effect, -EIO, 0 };
	struct findings h;
	int ret;

	CHECK_EQ(cache_dev_fault_new(d.dev, &f, &d.dev, NULL), 0);
	ret = load_and_walk(&d, &h);
	CHECK(!ret || ret == -EIO || ret == -EUCLEAN);
	if (effect == CACHE_FAULT_FAIL && f.seen >= n)
		CHECK(ret || findings_damage(&h));
	return f.seen >= n;
}

TEST(whichever_read_fails_it_is_reported)
{
	for (unsigned n = 1; nth_read(n, CACHE_FAULT_FAIL); n++)
		CHECK(n < 200);
	for (unsigned n = 1; nth_read(n, CACHE_FAULT_GONE); n++)
		CHECK(n < 200);
}

TEST(a_wrong_bit_in_any_read_is_survived)
{
	for (unsigned n = 1; nth_read(n, CACHE_FAULT_FLIP); n++)
		CHECK(n < 200);
}

TEST(whichever_allocation_fails_it_is_no_memory)
{
	if (!deny_works())
		SKIP("a sanitizer or valgrind has malloc");
	for (long n = 0;; n++) {
		struct disk d = whole();
		struct findings h;
		bool hit;
		int ret;

		deny_in = n;
		ret = load_and_walk(&d, &h);
		hit = deny_in < 0;
		deny_in = -1;
		if (!hit)
			break;
		if (ret != -ENOMEM)
			TEST_FAIL("allocation %ld failed and the answer was %d", n, ret);
		CHECK(n < 10000);
	}
}

TEST_MAIN()
