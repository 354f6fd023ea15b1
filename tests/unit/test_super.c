// SPDX-License-Identifier: GPL-2.0-only
/* The worked superblocks of format 1.7, and the sizes of format 0.2 and 1.5. */
#include "format/super.h"
#include "test.h"

static void count_up(uint8_t *uuid, uint8_t first)
{
	for (int i = 0; i < 16; i++)
		uuid[i] = first + i;
}

static struct cache_sb case_a(void)
{
	struct cache_sb sb = {
		.offset_sector = CACHE_SB_SECTOR, .nbuckets = 2048, .block_sectors = 8,
		.bucket_sectors = 1024, .nr_in_set = 1, .first_bucket = 1,
	};

	memcpy(sb.magic, cache_sb_magic, 16);
	count_up(sb.uuid, 0x10);
	count_up(sb.set_uuid, 0x20);
	return sb;
}

static uint64_t encoded_csum(const struct cache_sb *sb)
{
	uint8_t buf[CACHE_SB_BYTES] = { 0 };
	struct cache_sb back;

	cache_sb_encode(sb, buf);
	cache_sb_decode(buf, &back);
	CHECK_EQ(back.csum_stored, back.csum_computed);
	return back.csum_stored;
}

TEST(a_fresh_cache_has_the_known_checksum)
{
	struct cache_sb sb = case_a();

	CHECK_EQ(encoded_csum(&sb), 0x219bc7e11775223c);
}

TEST(a_cache_that_ran_has_the_known_checksum)
{
	struct cache_sb sb = case_a();

	sb.version = 3;
	sb.flags = CACHE_SB_SYNC;
	sb.seq = 1;
	sb.last_mount = 1700000000;
	sb.njournal = 16;
	for (int i = 0; i < 16; i++)
		sb.journal_bucket[i] = 1 + i;
	CHECK_EQ(encoded_csum(&sb), 0xd487cf6fb95080d2);
}

TEST(a_backing_device_has_the_known_checksum)
{
	struct cache_sb sb = case_a();

	sb.version = 4;
	count_up(sb.uuid, 0x30);
	sb.nr_in_set = sb.first_bucket = 0;
	sb.nbuckets = 0;
	sb.data_offset_sectors = 2048;
	memcpy(sb.label, "data", 4);
	sb.flags = CACHE_MODE_WRITEBACK |
		   (uint64_t)CACHE_BDEV_STATE_CLEAN << CACHE_BDEV_STATE_SHIFT;
	CHECK_EQ(encoded_csum(&sb), 0x6c22ce4ac7355f9f);
}

TEST(set_magic_is_the_first_word_of_the_set_uuid)
{
	struct cache_sb sb = case_a();

	CHECK_EQ(cache_sb_set_magic(&sb), 0x2726252423222120);
	CHECK_EQ(cache_sb_set_magic(&sb) ^ CACHE_JSET_MAGIC, 0x037410e580407112);
	CHECK_EQ(cache_sb_set_magic(&sb) ^ CACHE_PSET_MAGIC, 0x4076c47ba4115eb1);
	CHECK_EQ(cache_sb_set_magic(&sb) ^ CACHE_BSET_MAGIC, 0xb735795c9abc26d5);
}

TEST(sizes_follow_from_the_bucket_as_in_the_table)
{
	static const struct {
		uint64_t kib;
		uint32_t meta, prios, uuids, node;
	} rows[] = {
		{ 4, 4096, 1352, 32, 8 }, { 64, 65536, 21832, 512, 128 },
		{ 128, 131072, 43677, 1024, 256 }, { 256, 262144, 87368, 2048, 512 },
		{ 512, 524288, 174749, 4096, 512 }, { 1024, 1048576, 349512, 8192, 512 },
		{ 2048, 2097152, 699037, 16384, 1024 }, { 4096, 4194304, 1398088, 32768, 2048 },
		{ 65536, 4194304, 1398088, 32768, 2048 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cache_sb sb = { .bucket_sectors = rows[i].kib * 2 };

		CHECK_EQ(cache_meta_bucket_bytes(&sb), rows[i].meta);
		CHECK_EQ(cache_prios_per_bucket(&sb), rows[i].prios);
		CHECK_EQ(cache_nr_uuids(&sb), rows[i].uuids);
		CHECK_EQ(cache_btree_node_sectors(&sb), rows[i].node);
	}
}

TEST(geometry_follows_as_in_the_worked_examples)
{
	CHECK_EQ(cache_first_bucket_for(8), 3);
	CHECK_EQ(cache_first_bucket_for(16), 2);
	CHECK_EQ(cache_first_bucket_for(1024), 1);
	CHECK_EQ(cache_njournal_for(514), 4);
	CHECK_EQ(cache_njournal_for(128), 2);
	CHECK_EQ(cache_njournal_for(20480), 160);
	CHECK_EQ(cache_njournal_for(2097152), 256);
}

static struct cache_finding last;
static int count;

static void remember(void *ctx, const struct cache_finding *f)
{
	last = *f;
	count++;
}

static enum cache_problem only_finding(const struct cache_sb *sb)
{
	struct cache_sink sink = { remember, NULL };

	count = 0;
	CHECK_EQ(cache_sb_check(sb, 4 << 20, 512, &sink, NULL), 0);
	CHECK_EQ(count, 1);
	return last.code;
}

TEST(each_rule_names_its_own_damage_and_no_other)
{
	struct cache_sb good = case_a(), sb;

	good.flags = CACHE_SB_SYNC;
	good.njournal = 16;
	for (int i = 0; i < 16; i++)
		good.journal_bucket[i] = 1 + i;
	count = 0;
	CHECK_EQ(cache_sb_check(&good, 4 << 20, 512, NULL, NULL), 0);
#define BREAK(change, code) sb = good; change; CHECK_EQ(only_finding(&sb), CACHE_P_##code)
	BREAK(sb.offset_sector = 9, SB_OFFSET);
	BREAK(sb.magic[3] ^= 1, SB_MAGIC);
	BREAK(sb.csum_stored ^= 1, SB_CSUM);
	BREAK(memset(sb.uuid, 0, 16), SB_UUID);
	BREAK(sb.version = 7, SB_VERSION);
	BREAK(sb.version = 2, SB_VERSION);
	BREAK(sb.version = 5; sb.feature_compat = 1, SB_COMPAT);
	BREAK(sb.version = 5; sb.feature_ro_compat = 1, SB_RO_COMPAT);
	BREAK(sb.version = 5; sb.feature_incompat = 4, SB_INCOMPAT);
	BREAK(sb.njournal = 257, SB_JOURNAL_MANY);
	BREAK(sb.block_sectors = 3, SB_BLOCK_POW2);
	BREAK(sb.block_sectors = 16, SB_BLOCK_PAGE);
	BREAK(sb.bucket_sectors = 1000, SB_BUCKET_POW2);
	BREAK(sb.bucket_sectors = 8192, SB_CAPACITY);
	BREAK(memset(sb.set_uuid, 0, 16), SB_SET_UUID);
	BREAK(sb.nr_this_dev = 1, SB_MEMBER);
	BREAK(sb.nr_in_set = 0, SB_MEMBER);
	BREAK(sb.journal_bucket[7] = 99, SB_JOURNAL_ORDER);
	BREAK(sb.flags |= 5 << 2, SB_REPLACEMENT);
	BREAK(sb.nr_in_set = 2, SB_MULTI_MEMBER);
	BREAK(sb.pad[2] = 5, SB_PAD);
	BREAK(sb.flags |= CACHE_SB_DISCARD, SB_DISCARD);
	BREAK(sb.flags = 0, SB_NOT_SYNCED);
}

TEST(opening_stops_at_the_first_broken_rule_and_says_found_and_expected)
{
	struct cache_sb sb = case_a();
	struct cache_err err = { 0 };

	sb.csum_stored = 1;
	sb.csum_computed = 2;
	sb.nbuckets = 5;
	CHECK_EQ(cache_sb_check(&sb, 0, 512, NULL, &err), -74);
	CHECK_STR(err.text, "superblock checksum is 0x1, computed 0x2");
}

TEST(no_field_of_any_value_makes_a_size_divide_by_zero)
{
	uint8_t buf[CACHE_SB_BYTES];
	struct cache_sb sb;

	for (int fill = 0; fill < 256; fill++) {
		memset(buf, fill, sizeof(buf));
		cache_sb_decode(buf, &sb);
		memcpy(sb.magic, cache_sb_magic, 16);
		cache_sb_check(&sb, 1 << 20, 512, NULL, NULL);
		if (cache_sb_is_usable(&sb, 1 << 20) && !cache_sb_is_bdev(&sb))
			CHECK(cache_prio_buckets(&sb) > 0);
	}
}

TEST_MAIN()
