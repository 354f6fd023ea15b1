// SPDX-License-Identifier: GPL-2.0-only
/* Keys: the words of format 3.3, their fields, what makes one invalid, and cuts. */
#include "disk.h"

TEST(the_key_of_the_spec_decodes_field_by_field)
{
	cache_le64 words[3] = {
		cache_le64_of(0x9000001001000000), cache_le64_of(0x810), cache_le64_of(0x640801),
	};
	struct cache_bkey k;

	CHECK_EQ(cache_bkey_decode(words, 3, &k), 3);
	CHECK_EQ(cache_key_inode(&k), 0);
	CHECK_EQ(cache_key_offset(&k), 2064);
	CHECK_EQ(cache_key_start(&k), 2048);
	CHECK_EQ(cache_key_size(&k), 16);
	CHECK(cache_key_dirty(&k));
	CHECK_EQ(cache_key_ptrs(&k), 1);
	CHECK_EQ(cache_ptr_sector(k.ptr[0]), 25608);
	CHECK_EQ(cache_ptr_dev(k.ptr[0]), 0);
	CHECK_EQ(cache_ptr_gen(k.ptr[0]), 1);
}

TEST(making_the_key_of_the_spec_gives_its_words)
{
	struct cache_bkey k = extent(0, 2048, 2064, true, 25608, 1);
	cache_le64 words[CACHE_BKEY_WORDS_MAX];

	CHECK_EQ(cache_bkey_encode(&k, words), 3);
	CHECK_EQ(cache_le64_get(words[0]), 0x9000001001000000);
	CHECK_EQ(cache_le64_get(words[1]), 0x810);
	CHECK_EQ(cache_le64_get(words[2]), 0x640801);
}

TEST(a_key_that_needs_more_words_than_are_left_is_not_decoded)
{
	cache_le64 words[CACHE_BKEY_WORDS_MAX] = { cache_le64_of(UINT64_C(7) << 60) };
	struct cache_bkey k;

	CHECK_EQ(cache_bkey_decode(words, 8, &k), 0);
	CHECK_EQ(cache_bkey_decode(words, 9, &k), 9);
	CHECK_EQ(cache_bkey_decode(words, 1, &k), 0);
	CHECK_EQ(cache_bkey_decode(words, 0, &k), 0);
}

TEST(positions_compare_inode_first_and_offsets_as_signed)
{
	CHECK(cache_pos_cmp(1, 0, 0, CACHE_KEY_OFFSET_MAX) > 0);
	CHECK(cache_pos_cmp(0, 7, 0, 8) < 0);
	CHECK_EQ(cache_pos_cmp(3, 9, 3, 9), 0);
}

TEST(the_greatest_and_the_freeing_position_are_known)
{
	struct cache_sb sb = disk_sb(1024, 16, 8);
	struct cache_bkey max = root_key(&sb, 20, 1), freed = node_key(&sb, 0, 0, 21, 2);

	CHECK(cache_bkey_is_max(&max));
	CHECK(!cache_bkey_is_freeing(&max));
	CHECK(cache_bkey_is_freeing(&freed));
}

TEST(an_extent_is_judged_by_the_drivers_range_test)
{
	struct cache_sb sb = disk_sb(1024, 16, 8);
	struct cache_bkey ok = extent(0, 16, 24, false, 400, 1);
	struct cache_bkey over_bucket = extent(0, 16, 24, false, 409, 1);
	struct cache_bkey in_super = extent(0, 16, 24, false, 16, 1);
	struct cache_bkey past_end = extent(0, 16, 24, false, 1024 * 16, 1);
	struct cache_bkey in_journal = extent(0, 16, 24, false, 2 * 16, 1);
	struct cache_bkey before_zero = cache_bkey_make(0, 4, 8, false);

	CHECK(!cache_extent_invalid(&sb, &ok));
	CHECK(!cache_extent_invalid(&sb, &in_journal));	/* the driver lets it pass */
	CHECK(cache_extent_invalid(&sb, &over_bucket));
	CHECK(cache_extent_invalid(&sb, &in_super));
	CHECK(cache_extent_invalid(&sb, &past_end));
	CHECK(cache_extent_invalid(&sb, &before_zero));
}

TEST(a_check_key_is_valid_and_points_nowhere)
{
	struct cache_sb sb = disk_sb(1024, 16, 8);
	struct cache_bkey k = extent(0, 16, 24, false, 0, 0);

	k.ptr[0] = cache_ptr_make(CACHE_PTR_CHECK_DEV, 0xfffffffff, 9);
	CHECK(!cache_ptr_is_available(&sb, &k, 0));
	CHECK(!cache_extent_invalid(&sb, &k));
}

TEST(a_node_pointer_is_never_dirty_empty_or_without_pointer)
{
	struct cache_sb sb = disk_sb(1024, 16, 8);
	struct cache_bkey ok = root_key(&sb, 20, 1), k = ok;

	CHECK(!cache_btree_ptr_invalid(&sb, &ok));
	cache_bkey_set_dirty(&k, true);
	CHECK(cache_btree_ptr_invalid(&sb, &k));
	k = ok;
	cache_bkey_set_size(&k, 0);
	CHECK(cache_btree_ptr_invalid(&sb, &k));
	k = ok;
	cache_bkey_set_ptrs(&k, 0);
	CHECK(cache_btree_ptr_invalid(&sb, &k));
}

TEST(cutting_the_front_moves_pointers_and_cutting_the_back_does_not)
{
	struct cache_bkey k = extent(2, 100, 140, true, 1000, 5);

	cache_bkey_cut_front(&k, 110);
	CHECK_EQ(cache_key_start(&k), 110);
	CHECK_EQ(cache_key_offset(&k), 140);
	CHECK_EQ(cache_ptr_sector(k.ptr[0]), 1010);
	cache_bkey_cut_back(&k, 120);
	CHECK_EQ(cache_key_start(&k), 110);
	CHECK_EQ(cache_key_offset(&k), 120);
	CHECK_EQ(cache_ptr_sector(k.ptr[0]), 1010);
	CHECK_EQ(cache_ptr_gen(k.ptr[0]), 5);
	CHECK(cache_key_dirty(&k));
	CHECK_EQ(cache_key_inode(&k), 2);
}

TEST_MAIN()
