/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets made by hand that are then repaired: one leaf, two slots, one journal entry, and what
 * must come of it.
 */
#ifndef TESTS_LIB_REPAIR_CASES_H
#define TESTS_LIB_REPAIR_CASES_H

#include "disk.h"
#include "set.h"

#include <errno.h>

#include <libcache/fsck.h>
#include "repair/losses.h"
#include "repair/repair.h"

#define BS	32u		/* sectors a bucket */
#define PRIO	20
#define UUID	21
#define ROOT	22
#define OLDER	25		/* another uuid table */
#define SECTOR(b) ((b) * BS)
#define NMAX	8192

struct loss {
	uint64_t sectors;	/* named as lost for certain */
	const char *why;	/* the last of them */
};

static inline void on_loss(void *ctx, unsigned dev, const struct cache_repair_loss *l)
{
	struct loss *loss = ctx;

	if (!l->certain)
		return;
	loss->sectors += l->end - l->start;
	loss->why = cache_loss_text(l->code);
}

static inline struct cache_bkey table_key(const struct disk *d, uint64_t bucket)
{
	struct cache_bkey k = cache_bkey_make(0, 0, cache_meta_bucket_bytes(&d->sb) / 512, false);

	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(0, SECTOR(bucket), 1);
	return k;
}

/* A slot of the table: 0 is free, 0xff the tombstone, else how its uuid begins. */
static inline void put_table(struct disk *d, uint64_t bucket, const uint8_t *slot, unsigned n)
{
	struct cache_uuid_disk *e = cache_dev_buf(cache_meta_bucket_bytes(&d->sb));

	for (unsigned i = 0; i < n; i++) {
		if (slot[i])
			disk_uuid(e[i].uuid, slot[i]);
		if (slot[i] == 0xff)
			memcpy(e[i].uuid, cache_uuid_tombstone, 16);
	}
	disk_write(d, SECTOR(bucket), cache_meta_bucket_bytes(&d->sb) / 512, e);
	free(e);
}

/* Metadata is in @meta, and from PRIO to ROOT. */
static inline void put_prios_beside(struct disk *d, uint64_t bucket, uint64_t seq, uint64_t next,
			     uint64_t first, uint64_t meta)
{
	static uint16_t prio[NMAX];
	static uint8_t gen[NMAX];

	for (unsigned b = 0; b < d->sb.nbuckets; b++) {
		prio[b] = (b >= PRIO && b <= ROOT) || b == meta ? CACHE_BTREE_PRIO :
			  CACHE_INITIAL_PRIO;
		gen[b] = 1;
	}
	put_prio_set(d, bucket, seq, next, first, prio, gen);
}

static inline void put_prios(struct disk *d, uint64_t bucket, uint64_t seq, uint64_t next,
		      uint64_t first)
{
	put_prios_beside(d, bucket, seq, next, first, ROOT);
}

/* Another table, of two slots. */
static inline void put_older(struct disk *d, uint8_t a, uint8_t b)
{
	put_table(d, OLDER, (uint8_t []){ a, b }, 2);
	put_prios_beside(d, PRIO, 1, 0, 0, OLDER);
}

static inline void put_entry(struct disk *d, uint64_t seq, uint64_t table, unsigned level)
{
	struct jset_spec j = {
		.seq = seq, .last_seq = seq, .uuid_bucket = table_key(d, table),
		.prio_bucket = PRIO, .btree_root = root_key(&d->sb, ROOT, 1), .level = level,
	};

	put_jset(d, seq, 0, &j);
}

/* One leaf with @k, and slots @a and @b, named by one entry. */
static inline struct disk make_of(uint64_t nbuckets, const struct cache_bkey *k, unsigned n,
				  uint8_t a, uint8_t b)
{
	struct disk d = disk_new(nbuckets, BS, 8);
	struct cache_bkey root = root_key(&d.sb, ROOT, 1);

	put_prios(&d, PRIO, 1, 0, 0);
	put_table(&d, UUID, (uint8_t []){ a, b }, 2);
	put_bset(&d, &root, 5, 0, k, n);
	put_entry(&d, 1, UUID, 0);
	return d;
}

static inline struct disk make(const struct cache_bkey *k, unsigned n, uint8_t a, uint8_t b)
{
	return make_of(1024, k, n, a, b);
}

/* Extents of the first two slots, one of each dirty. */
static inline struct disk two_devices(uint8_t a, uint8_t b)
{
	struct cache_bkey k[] = {
		extent(0, 100, 132, true, SECTOR(30), 1), extent(0, 200, 208, false, SECTOR(31), 1),
		extent(1, 100, 116, true, SECTOR(32), 1), extent(1, 200, 208, false, SECTOR(33), 1),
	};

	return make(k, 4, a, b);
}

static inline int repair(struct disk *d, struct cache_repair_opts opts, struct cache_repair_plan *plan,
		struct cache_err *err)
{
	memset(err, 0, sizeof(*err));
	opts.seed = 3;
	return cache_repair_cache(d->dev, &opts, plan, err);
}

static inline void repairs(struct disk *d, struct cache_repair_opts opts, struct cache_repair_plan *plan)
{
	struct cache_err err;
	int ret = repair(d, opts, plan, &err);

	if (ret || plan->cannot)
		TEST_FAIL("%d: %s", ret, ret ? err.text : plan->cannot);
	CHECK(plan->rebuild);
}

/* Refused, and not one byte is another. */
static inline void refuses(struct disk *d, struct cache_repair_opts opts, const char *why)
{
	struct set_state before = set_state(d->dev), after;
	struct cache_repair_plan plan;
	struct cache_err err;

	CHECK_EQ(repair(d, opts, &plan, &err), -EUCLEAN);
	if (!strstr(err.text, why))
		TEST_FAIL("\"%s\", want \"%s\"", err.text, why);
	after = set_state(d->dev);
	CHECK(set_same(&before, &after));
}

/* A clean set; release the image with leave(). */
static inline struct cache_set *enter(struct disk *d)
{
	struct set_state s = set_state(d->dev);

	CHECK_EQ(s.ret, 0);
	CHECK_EQ(s.findings, 0);
	return set_load(d->dev);
}

static inline void leave(struct disk *d, struct cache_set *set)
{
	cache_set_close(set);
	cache_dev_close(d->dev);
}

static inline void is_slot(const struct cache_set *set, unsigned i, uint8_t first)
{
	uint8_t want[16] = { 0 };

	if (first)
		disk_uuid(want, first);
	CHECK_MEM(set->uuids.slot[i].uuid, want, 16);
}

static inline uint64_t dirty_of(struct disk *d)
{
	return set_state(d->dev).dirty_sectors;
}

/* The newest entry names a table without slot 1, the one before it another. */
static inline struct disk with_older_table(const uint8_t *slots, unsigned n)
{
	struct disk d = two_devices(0x30, 0);

	put_table(&d, OLDER, slots, n);
	put_entry(&d, 1, OLDER, 0);
	put_entry(&d, 2, UUID, 0);
	return d;
}

/* The superblock of a dirty backing device. */
static inline struct cache_sb backing(uint8_t uuid, uint8_t set)
{
	struct cache_sb sb = { .version = CACHE_SB_VERSION_BDEV, .last_mount = 77,
			       .label = "back",
			       .flags = (uint64_t)CACHE_BDEV_STATE_DIRTY << CACHE_BDEV_STATE_SHIFT };

	disk_uuid(sb.uuid, uuid);
	disk_uuid(sb.set_uuid, set);
	return sb;
}

#endif
