// SPDX-License-Identifier: GPL-2.0-only
/* What journal entries and prio_sets tell of a device that has no superblock. */
#include "disk.h"

#include "super/repair_evidence.h"

#define BS	32u		/* sectors a bucket */
#define PRIO	40

static struct cache_bkey table_key(uint64_t nsectors, uint64_t sector)
{
	struct cache_bkey k = cache_bkey_make(0, 0, nsectors, false);

	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(0, sector, 1);
	return k;
}

/* One more entry at the start of ring bucket @index, of the set whose uuid begins @set. */
static void put_entry(struct disk *d, unsigned index, uint8_t set, uint64_t seq)
{
	struct jset_spec j = { .seq = seq, .last_seq = 1, .prio_bucket = PRIO,
			       .uuid_bucket = table_key(BS, 50 * BS),
			       .btree_root = root_key(&d->sb, 60, 1) };

	disk_uuid(d->sb.set_uuid, set);
	put_jset(d, index, 0, &j);
}

static void put_prios(struct disk *d, uint64_t bucket, uint64_t seq, uint64_t next)
{
	static uint16_t prio[8192];
	static uint8_t gen[8192];

	put_prio_set(d, bucket, seq, next, 0, prio, gen);
}

static struct repair_evidence look(struct disk *d, uint64_t set_magic)
{
	struct repair_evidence ev;

	CHECK_EQ(cache_repair_evidence(d->dev, set_magic, &ev, NULL), 0);
	return ev;
}

static uint64_t magic_of(struct disk *d, uint8_t set)
{
	disk_uuid(d->sb.set_uuid, set);
	return cache_sb_set_magic(&d->sb);
}

TEST(the_set_of_most_entries_was_here_last_unless_it_is_known)
{
	struct disk d = disk_new(1024, BS, 8);
	struct repair_evidence ev;

	put_entry(&d, 0, 0x70, 9);
	for (unsigned i = 1; i < 4; i++)
		put_entry(&d, i, 0x20, i);
	ev = look(&d, 0);
	CHECK(ev.nentries > ev.nstrangers && ev.nstrangers);	/* some are met at several sizes */
	CHECK_EQ(ev.set_magic, magic_of(&d, 0x20));
	CHECK_EQ(ev.newest.pos.seq, 3);
	ev = look(&d, magic_of(&d, 0x70));
	CHECK(ev.nentries && ev.nentries < ev.nstrangers);
	CHECK_EQ(ev.newest.pos.seq, 9);
	cache_dev_close(d.dev);
}

TEST(entries_of_many_sets_are_not_followed_without_end)
{
	struct disk d = disk_new(32768, BS, 200);
	struct repair_evidence ev;

	for (unsigned i = 0; i < 200; i++)
		put_entry(&d, i, 1 + i, 5);
	ev = look(&d, 0);
	CHECK(ev.nentries && ev.nstrangers && ev.bucket_sectors == BS);
	cache_dev_close(d.dev);
}

TEST(an_entry_that_breaks_a_rule_is_none)
{
	struct disk d = disk_new(1024, BS, 8);
	struct jset_spec j = { .seq = 0 };

	put_jset(&d, 0, 0, &j);
	j = (struct jset_spec){ .seq = 3, .last_seq = 4 };
	put_jset(&d, 1, 0, &j);
	put_entry(&d, 2, 0x20, 5);
	disk_flip(&d, BS * d.sb.journal_bucket[2], 100);
	CHECK_EQ(look(&d, 0).nentries, 0);
	cache_dev_close(d.dev);
}

TEST(the_uuid_table_s_key_tells_the_bucket_size_where_no_prio_set_proves_it)
{
	struct disk d = disk_new(1024, BS, 8);
	struct jset_spec j = { .seq = 1, .last_seq = 1, .prio_bucket = PRIO };
	static const struct {
		uint64_t nsectors, sector, want;
	} rows[] = {
		{ BS, 50 * BS, BS }, { 24, 50 * BS, 0 }, { 4, 50 * BS, 0 },
		{ 8192, 0, 0 }, { BS, 50 * BS + 8, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		j.uuid_bucket = table_key(rows[i].nsectors, rows[i].sector);
		put_jset(&d, 0, 0, &j);
		CHECK(!look(&d, 0).bucket_proven);
		CHECK_EQ(look(&d, 0).bucket_sectors, rows[i].want);
	}
	j.uuid_bucket = cache_bkey_make(0, 0, BS, false);	/* no pointer */
	put_jset(&d, 0, 0, &j);
	CHECK_EQ(look(&d, 0).bucket_sectors, 0);
	cache_dev_close(d.dev);
}

TEST(a_prio_set_proves_the_bucket_size_and_its_chain_has_members)
{
	struct disk d = disk_new(1024, BS, 8);
	struct repair_evidence ev;

	put_entry(&d, 0, 0x20, 1);
	put_prios(&d, PRIO, 4, 41);
	put_prios(&d, 41, 4, 42);
	put_prios(&d, 42, 3, 0);	/* of an older chain */
	ev = look(&d, 0);
	CHECK(ev.bucket_proven);
	CHECK_EQ(ev.bucket_sectors, BS);
	CHECK_EQ(ev.members, 2);
	put_prios(&d, 41, 4, UINT64_MAX / 2);
	CHECK_EQ(look(&d, 0).members, 2);
	put_prios(&d, 41, 4, PRIO);	/* a ring: each of them counts once */
	CHECK_EQ(look(&d, 0).members, 2);
	disk_flip(&d, 41 * BS, 200);
	CHECK_EQ(look(&d, 0).members, 1);
	cache_dev_close(d.dev);
}

TEST_MAIN()
