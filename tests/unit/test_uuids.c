// SPDX-License-Identifier: GPL-2.0-only
/* The uuid table: both layouts, what a slot may look like, where it may lie. */
#include "disk.h"

#include <errno.h>

#define BUCKET	20

static struct cache_bkey table_key(const struct disk *d)
{
	struct cache_bkey k = cache_bkey_make(0, 0, cache_meta_bucket_bytes(&d->sb) / 512, false);

	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(0, cache_bucket_sector(&d->sb, BUCKET), 1);
	return k;
}

static void put_table(struct disk *d, const void *entries, size_t nbytes)
{
	uint8_t *buf = cache_dev_buf(cache_meta_bucket_bytes(&d->sb));

	memcpy(buf, entries, nbytes);
	disk_write(d, cache_bucket_sector(&d->sb, BUCKET), cache_meta_bucket_bytes(&d->sb) / 512, buf);
	free(buf);
}

static struct cache_uuids read_table(struct disk *d, const struct cache_bkey *k,
				     unsigned version, struct findings *h)
{
	struct cache_sink sink = findings_sink(h);
	struct cache_uuids u;

	CHECK_EQ(cache_uuids_read(d->dev, &d->sb, k, version, &u, &sink, NULL), 0);
	return u;
}

static int strict(struct disk *d, const struct cache_bkey *k)
{
	struct cache_uuids u;
	int ret = cache_uuids_read(d->dev, &d->sb, k, 1, &u, NULL, NULL);

	cache_uuids_fini(&u);
	return ret;
}

static void done(struct disk *d, struct cache_uuids *u)
{
	cache_uuids_fini(u);
	cache_dev_close(d->dev);
}

TEST(every_kind_of_slot_is_told_apart)
{
	struct disk d = disk_new(1024, 16, 8);
	struct cache_uuid_disk e[4] = { 0 };
	struct cache_bkey k = table_key(&d);
	struct cache_uuids u;
	struct findings h;

	disk_uuid(e[0].uuid, 0x30);
	memset(e[0].label, 'x', sizeof(e[0].label));	/* not terminated */
	e[0].first_reg = cache_le32_of(11);
	e[0].last_reg = cache_le32_of(22);
	memcpy(e[1].uuid, cache_uuid_tombstone, 16);
	e[1].invalidated = cache_le32_of(33);
	disk_uuid(e[2].uuid, 0x40);
	e[2].flags = cache_le32_of(CACHE_UUID_FLASH_ONLY);
	e[2].sectors = cache_le64_of(2048);
	put_table(&d, e, sizeof(e));
	u = read_table(&d, &k, 1, &h);
	CHECK_EQ(h.n, 0);
	CHECK_EQ(u.n, 64);
	CHECK_EQ(cache_uuid_state(&u.slot[0]), CACHE_SLOT_BACKING);
	CHECK_EQ(strlen((char *)u.slot[0].label), 32);
	CHECK_EQ(u.slot[0].first_reg, 11);
	CHECK_EQ(u.slot[0].last_reg, 22);
	CHECK_EQ(cache_uuid_state(&u.slot[1]), CACHE_SLOT_RETIRED);
	CHECK_EQ(u.slot[1].invalidated, 33);
	CHECK_EQ(cache_uuid_state(&u.slot[2]), CACHE_SLOT_FLASH);
	CHECK_EQ(u.slot[2].sectors, 2048);
	CHECK_EQ(cache_uuid_state(&u.slot[3]), CACHE_SLOT_FREE);
	CHECK_EQ(cache_uuid_find(&u, e[2].uuid), 2);
	e[2].uuid[0] ^= 1;
	CHECK_EQ(cache_uuid_find(&u, e[2].uuid), -1);
	done(&d, &u);
}

TEST(the_old_layout_is_half_as_wide_and_a_note)
{
	struct disk d = disk_new(1024, 16, 8);
	struct cache_uuid_v0_disk e[2] = { 0 };
	struct cache_bkey k = table_key(&d);
	struct cache_uuids u;
	struct findings h;

	disk_uuid(e[0].uuid, 0x30);
	disk_uuid(e[1].uuid, 0x40);
	e[1].last_reg = cache_le32_of(7);
	put_table(&d, e, sizeof(e));
	u = read_table(&d, &k, 0, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_UUID_OLD), 1);
	CHECK(!findings_damage(&h));
	CHECK(u.old_layout);
	CHECK_EQ(u.slot[1].last_reg, 7);
	CHECK_EQ(u.slot[1].flags, 0);
	CHECK_EQ(cache_uuid_find(&u, e[1].uuid), 1);
	done(&d, &u);
}

TEST(one_uuid_in_two_slots_is_damage)
{
	struct disk d = disk_new(1024, 16, 8);
	struct cache_uuid_disk e[9] = { 0 };
	struct cache_bkey k = table_key(&d);
	struct cache_uuids u;
	struct findings h;

	disk_uuid(e[1].uuid, 0x30);
	disk_uuid(e[8].uuid, 0x30);
	put_table(&d, e, sizeof(e));
	CHECK_EQ(strict(&d, &k), -EUCLEAN);
	u = read_table(&d, &k, 1, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_UUID_TWICE), 1);
	CHECK_EQ(h.last.index, 1);
	CHECK_EQ(h.last.other, 8);
	done(&d, &u);
}

TEST(two_retired_slots_are_nothing_odd)
{
	struct disk d = disk_new(1024, 16, 8);
	struct cache_uuid_disk e[2] = { 0 };
	struct cache_bkey k = table_key(&d);

	memcpy(e[0].uuid, cache_uuid_tombstone, 16);
	memcpy(e[1].uuid, cache_uuid_tombstone, 16);
	put_table(&d, e, sizeof(e));
	CHECK_EQ(strict(&d, &k), 0);
	cache_dev_close(d.dev);
}

TEST(a_slot_no_driver_writes_is_reported)
{
	struct disk d = disk_new(1024, 16, 8);
	struct cache_uuid_disk e[3] = { 0 };
	struct cache_bkey k = table_key(&d);
	struct cache_uuids u;
	struct findings h;

	disk_uuid(e[0].uuid, 0x30);
	e[0].pad[55] = 1;
	disk_uuid(e[1].uuid, 0x40);
	e[1].flags = cache_le32_of(2);
	e[2].last_reg = cache_le32_of(1);
	put_table(&d, e, sizeof(e));
	u = read_table(&d, &k, 1, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_UUID_GARBAGE), 3);
	done(&d, &u);
}

TEST(a_pointer_that_cannot_be_the_tables_is_not_followed)
{
	struct disk d = disk_new(1024, 16, 8);
	struct cache_bkey k = table_key(&d);
	struct cache_uuids u;
	struct findings h;

	k.ptr[0] = cache_ptr_make(0, UINT64_C(1) << 40, 1);
	u = read_table(&d, &k, 1, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_UUID_PTR), 1);
	CHECK_EQ(u.n, 0);
	cache_bkey_set_ptrs(&k, 0);
	u = read_table(&d, &k, 1, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_UUID_PTR), 1);
	k = table_key(&d);
	cache_bkey_set_size(&k, 8);
	CHECK_EQ(strict(&d, &k), -EUCLEAN);
	done(&d, &u);
}

TEST_MAIN()
