// SPDX-License-Identifier: GPL-2.0-only
/* The ring: the entries of format 3.3, what is found in hand-made rings, and what
 * the driver's own search would find in them. */
#include "bad_sectors.h"
#include "disk.h"

#include <errno.h>

#include "disk/journal_blocks.h"
#include "disk/journal_search.h"

static uint64_t jset_csum_of(const struct jset_spec *j)
{
	struct cache_sb sb = disk_sb(2048, 1024, 16);
	struct cache_jset_disk *b = calloc(1, CACHE_JSET_MAX_BYTES);
	uint64_t csum;

	make_jset(&sb, b, j);
	csum = cache_le64_get(b->csum);
	free(b);
	return csum;
}

static struct jset_spec spec_entry(uint64_t seq)
{
	struct jset_spec j = {
		.seq = seq, .last_seq = 1, .prio_bucket = 17,
		.uuid_bucket = { 0x9000000040000000, 0, { 0x480001 } },
		.btree_root = { 0x90000000200fffff, 0x7fffffffffffffff, { 0x4c0001 } },
	};

	return j;
}

TEST(an_entry_without_keys_has_the_known_checksum)
{
	struct jset_spec j = spec_entry(1);

	CHECK_EQ(jset_csum_of(&j), 0xaecea86ebefb4f79);
}

TEST(an_entry_with_one_key_has_the_known_checksum)
{
	struct cache_bkey k = extent(0, 2048, 2064, true, 25608, 1);
	struct jset_spec j = spec_entry(2);

	j.keys = &k;
	j.nkeys = 1;
	CHECK_EQ(jset_csum_of(&j), 0xd711807e536d6ee3);
}

/* Entries first .. last into one ring bucket, one behind the other. */
static uint32_t fill(struct disk *d, unsigned index, uint64_t first, uint64_t last,
		     uint64_t last_seq)
{
	uint32_t offset = 0;

	for (uint64_t seq = first; seq <= last; seq++) {
		struct jset_spec j = { .seq = seq, .last_seq = last_seq };

		offset += put_jset(d, index, offset, &j);
	}
	return offset;
}

static struct cache_journal ring(struct disk *d, struct findings *h)
{
	struct cache_sink sink = findings_sink(h);
	struct cache_journal j;

	CHECK_EQ(cache_journal_read(d->dev, &d->sb, &j, &sink, NULL), 0);
	return j;
}

static void done(struct disk *d, struct cache_journal *j)
{
	cache_journal_fini(j);
	cache_dev_close(d->dev);
}

TEST(a_ring_on_its_first_lap_is_found_whole)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 4, 1);
	fill(&d, 2, 5, 6, 3);
	j = ring(&d, &h);
	CHECK_EQ(h.n, 0);
	CHECK_EQ(j.nentries, 6);
	CHECK_EQ(j.newest.pos.seq, 6);
	CHECK_EQ(j.nreplay, 4);
	CHECK_EQ(j.replay[0]->seq, 3);
	CHECK_EQ(j.driver_newest_seq, 6);
	CHECK(j.driver_agrees);
	/* buckets 3 to 7 and 0; bucket 1 still holds 3 and 4 */
	CHECK_EQ(cache_journal_free_buckets(&d.sb, &j), 6);
	done(&d, &j);
}

TEST(a_wrapped_ring_is_found_whole)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	for (unsigned i = 0; i < 8; i++)
		fill(&d, i, 100 + 4 * i, 103 + 4 * i, 100);
	fill(&d, 0, 132, 135, 110);
	fill(&d, 1, 136, 137, 112);	/* two older ones of the last lap lie behind */
	j = ring(&d, &h);
	CHECK_EQ(h.n, 0);
	CHECK_EQ(j.newest.pos.seq, 137);
	CHECK_EQ(j.nentries, 8 * 4);
	CHECK_EQ(j.nreplay, 137 - 112 + 1);
	CHECK_EQ(j.driver_newest_seq, 137);
	CHECK(j.driver_agrees);
	CHECK_EQ(cache_journal_free_buckets(&d.sb, &j), 1);
	done(&d, &j);
}

TEST(a_ring_without_a_free_bucket_has_none)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	for (unsigned i = 0; i < 8; i++)
		fill(&d, i, 1 + 4 * i, 4 + 4 * i, 1);
	j = ring(&d, &h);
	CHECK_EQ(cache_journal_free_buckets(&d.sb, &j), 0);
	done(&d, &j);
}

TEST(a_missing_entry_is_a_gap)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 3, 1);
	fill(&d, 2, 6, 7, 2);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_GAP), 1);
	CHECK_EQ(h.last.start, 4);
	CHECK_EQ(h.last.end, 5);
	CHECK_EQ(j.nreplay, 4);
	done(&d, &j);
}

TEST(a_gap_stops_an_open_without_a_sink)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct cache_err err = { 0 };

	fill(&d, 1, 1, 3, 1);
	fill(&d, 2, 6, 7, 2);
	CHECK_EQ(cache_journal_read(d.dev, &d.sb, &j, NULL, &err), -EUCLEAN);
	CHECK(err.text[0]);
	done(&d, &j);
}

TEST(a_torn_entry_ends_its_bucket_and_is_only_a_note)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 3, 1);
	disk_spoil(&d, cache_bucket_sector(&d.sb, d.sb.journal_bucket[1]) + 16, 100);
	j = ring(&d, &h);
	CHECK_EQ(h.n, 1);
	CHECK_EQ(h.code[0], CACHE_P_JOURNAL_TORN);
	CHECK_EQ(j.newest.pos.seq, 2);
	cache_journal_fini(&j);
	CHECK_EQ(cache_journal_read(d.dev, &d.sb, &j, NULL, NULL), 0);
	done(&d, &j);
}

static void damage(struct disk *d, unsigned index, uint32_t offset, unsigned byte)
{
	disk_spoil(d, cache_bucket_sector(&d->sb, d->sb.journal_bucket[index]) + offset, byte);
}

TEST(entries_behind_a_damaged_one_are_found_and_are_the_newest)
{
	struct disk d = disk_new(1024, 64, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 5, 1);
	damage(&d, 1, 16, 100);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_HIDDEN), 1);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_TORN), 1);
	CHECK_EQ(h.n, 2);
	CHECK_EQ(h.last.seq, 2);
	CHECK_EQ(h.last.got, 5);
	CHECK_EQ(h.last.count, 1);
	CHECK_EQ(j.newest.pos.seq, 5);
	CHECK(j.newest.pos.hidden);
	CHECK_EQ(j.nreplay, 4);
	CHECK_EQ(j.driver_newest_seq, 2);
	CHECK(!j.driver_agrees);
	done(&d, &j);
}

/* Further back than the driver's own look at the bucket gets. */
TEST(a_bucket_that_cannot_be_read_behind_a_damaged_entry_is_reported_once)
{
	static const struct {
		unsigned bad;		/* sectors into the bucket */
		uint64_t newest;
	} rows[] = { { 4000, 5 }, { 2048, 5 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct disk d = disk_new(64, 4096, 8);
		struct cache_journal j;
		struct findings h;
		struct cache_err err = { 0 };

		fill(&d, 1, 1, 5, 1);
		damage(&d, 1, 16, 100);
		d.dev = bad_new(d.dev);
		bad_add(d.dev, cache_bucket_sector(&d.sb, d.sb.journal_bucket[1]) + rows[i].bad, 1);
		j = ring(&d, &h);
		CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_UNREADABLE), 1);
		CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_HIDDEN), 1);
		CHECK_EQ(j.newest.pos.seq, rows[i].newest);
		cache_journal_fini(&j);
		CHECK_EQ(cache_journal_read(d.dev, &d.sb, &j, NULL, &err), -EIO);
		CHECK(err.text[0]);
		done(&d, &j);
	}
}

/* Its first sector can be read, and says how long it is. */
TEST(a_hidden_entry_of_which_the_end_cannot_be_read_is_none)
{
	struct disk d = disk_new(64, 4096, 8);
	struct cache_bkey k[200];
	struct jset_spec last = { .seq = 3, .last_seq = 1, .keys = k, .nkeys = 200 };
	struct cache_journal j;
	struct findings h;
	uint32_t at;

	for (unsigned i = 0; i < 200; i++)
		k[i] = extent(0, 8 * i, 8 * i + 8, true, 4096 * 40 + 8 * i, 1);
	at = fill(&d, 1, 1, 2, 1);
	CHECK(put_jset(&d, 1, 2104, &last) > 8);
	damage(&d, 1, at - 8, 100);
	d.dev = bad_new(d.dev);
	bad_add(d.dev, cache_bucket_sector(&d.sb, d.sb.journal_bucket[1]) + 2105, 1);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_UNREADABLE), 1);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_HIDDEN), 0);
	CHECK_EQ(j.newest.pos.seq, 1);
	done(&d, &j);
}

TEST(what_the_tree_has_is_not_lost_with_its_entry)
{
	struct disk d = disk_new(1024, 64, 8);
	struct jset_spec last = { .seq = 4, .last_seq = 4 };
	struct cache_journal j;
	struct findings h;

	put_jset(&d, 1, fill(&d, 1, 1, 3, 1), &last);
	damage(&d, 1, 16, 8);	/* its magic: not even torn */
	j = ring(&d, &h);
	CHECK_EQ(h.n, 1);
	CHECK_EQ(h.code[0], CACHE_P_JOURNAL_HIDDEN);
	CHECK_EQ(h.last.count, 0);
	CHECK_EQ(j.newest.pos.seq, 4);
	done(&d, &j);
}

TEST(an_entry_hidden_at_the_start_of_the_next_bucket_is_found)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 4, 1);
	fill(&d, 2, 5, 6, 1);
	damage(&d, 2, 0, 100);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_HIDDEN), 1);
	CHECK_EQ(j.newest.pos.seq, 6);
	done(&d, &j);
}

TEST(entries_of_an_earlier_lap_are_not_hidden_ones)
{
	struct disk d = disk_new(1024, 64, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 8, 1);
	fill(&d, 1, 30, 31, 30);
	damage(&d, 1, 8, 100);
	j = ring(&d, &h);
	CHECK_EQ(h.n, 1);
	CHECK_EQ(h.code[0], CACHE_P_JOURNAL_TORN);
	CHECK_EQ(j.newest.pos.seq, 30);
	done(&d, &j);
}

TEST(entries_of_an_earlier_format_far_ahead_are_not_hidden_ones)
{
	struct disk d = disk_new(1024, 64, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 4001, 4008, 4001);
	fill(&d, 1, 30, 31, 30);
	damage(&d, 1, 8, 100);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_HIDDEN), 0);
	CHECK_EQ(j.newest.pos.seq, 30);
	done(&d, &j);
}

/* It went on from entry 2, in the next bucket: what was hidden never came to be. */
TEST(after_a_start_on_what_was_left_the_hidden_ones_are_of_the_past)
{
	struct disk d = disk_new(1024, 64, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 8, 1);
	damage(&d, 1, 16, 100);
	for (unsigned n = 1; n <= 8; n++) {
		fill(&d, 2, 3, 2 + n, 1);
		j = ring(&d, &h);
		CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_HIDDEN), 0);
		CHECK_EQ(j.newest.pos.seq, 2 + n);
		CHECK(j.driver_agrees);
		cache_journal_fini(&j);
	}
	j = ring(&d, &h);
	done(&d, &j);
}

TEST(a_gap_is_one_for_the_driver_though_some_of_it_is_hidden)
{
	struct disk d = disk_new(1024, 48, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 6, 1);
	fill(&d, 2, 7, 8, 1);
	damage(&d, 1, 16, 100);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_HIDDEN), 0);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_GAP), 1);
	CHECK_EQ(h.last.start, 3);
	CHECK_EQ(h.last.end, 6);
	CHECK_EQ(j.nreplay, 7);		/* 4, 5 and 6 can be repaired with */
	CHECK_EQ(j.newest.pos.seq, 8);
	done(&d, &j);
}

/* The first block of the ring's bucket @index, as if nothing had been written there. */
static void zero_block(struct disk *d, unsigned index)
{
	uint8_t *zeros = cache_dev_buf(8 * CACHE_SECTOR_BYTES);

	disk_write(d, cache_bucket_sector(&d->sb, d->sb.journal_bucket[index]), 8, zeros);
	free(zeros);
}

/* It was written to a wrong place: where it is missing, what stands behind it is hidden. */
TEST(an_entry_in_a_wrong_place_does_not_hide_those_that_stood_behind_it)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 4, 1);
	fill(&d, 2, 5, 8, 1);
	fill(&d, 3, 9, 12, 1);
	fill(&d, 6, 5, 5, 1);
	zero_block(&d, 2);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_GAP), 1);
	CHECK_EQ(j.nreplay, 12);
	done(&d, &j);
}

TEST(the_newest_entry_in_a_wrong_place_does_not_hide_those_that_came_after_it)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 4, 1);
	fill(&d, 2, 5, 8, 1);
	fill(&d, 6, 5, 5, 1);
	zero_block(&d, 2);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_HIDDEN), 1);
	CHECK_EQ(j.newest.pos.seq, 8);
	CHECK_EQ(j.nreplay, 8);
	done(&d, &j);
}

/* Bucket 2 is as it was a lap ago, and in bucket 3 the first entry is damaged. */
TEST(behind_a_bucket_that_lost_its_writes_entries_of_the_gap_are_found)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 101, 104, 101);
	fill(&d, 2, 5, 8, 1);
	fill(&d, 3, 109, 112, 101);
	fill(&d, 4, 113, 116, 101);
	damage(&d, 3, 0, 100);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_GAP), 1);
	CHECK_EQ(j.newest.pos.seq, 116);
	CHECK_EQ(j.nreplay, 4 + 3 + 4);
	done(&d, &j);
}

TEST(an_empty_ring_of_a_set_that_ran_is_damage)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_EMPTY), 1);
	CHECK_EQ(j.nentries, 0);
	done(&d, &j);
}

/* The seqs that are replayed are @first to @last; @first 0: nothing is believed. */
static void check_run(struct disk *d, uint64_t first, uint64_t last)
{
	struct cache_journal j;

	CHECK_EQ(cache_journal_run(d->dev, &d->sb, &j, NULL, NULL), first != 0);
	if (first) {
		CHECK_EQ(j.newest.pos.seq, last);
		CHECK_EQ(j.nreplay, last - first + 1);
		for (size_t i = 0; i < j.nreplay; i++) {
			CHECK_EQ(j.replay[i]->seq, first + i);
			CHECK(j.replay[i]->hidden);
		}
		for (unsigned i = 0; i < d->sb.njournal; i++)
			CHECK_EQ(j.bucket_seq[i], 0);
	}
	cache_journal_fini(&j);
}

TEST(the_entries_behind_a_damaged_first_one_are_a_run)
{
	struct disk d = disk_new(1024, 64, 8);

	check_run(&d, 0, 0);
	fill(&d, 1, 1, 6, 1);
	damage(&d, 1, 0, 100);
	check_run(&d, 2, 6);
	damage(&d, 1, 24, 100);
	check_run(&d, 5, 6);
	cache_dev_close(d.dev);
}

TEST(of_a_run_only_what_the_newest_asks_for_is_replayed)
{
	struct disk d = disk_new(1024, 64, 8);
	struct jset_spec j = { .seq = 7, .last_seq = 4 };

	fill(&d, 1, 1, 6, 1);
	put_jset(&d, 1, 48, &j);
	damage(&d, 1, 0, 100);
	check_run(&d, 4, 7);
	cache_dev_close(d.dev);
}

/* A last_seq never falls, and is none of the future. */
TEST(a_run_whose_entries_contradict_each_other_is_none)
{
	static const uint64_t last_seq[] = { 2, 8 };

	for (unsigned i = 0; i < 2; i++) {
		struct disk d = disk_new(1024, 64, 8);
		struct jset_spec j = { .seq = 7, .last_seq = last_seq[i] };

		fill(&d, 1, 3, 6, 3);
		put_jset(&d, 1, 32, &j);
		damage(&d, 1, 0, 100);
		check_run(&d, 0, 0);
		cache_dev_close(d.dev);
	}
}

/*
 * Three entries in each of five buckets, of which the first of each is lost, and these two are
 * in each other's place.
 */
static struct disk swapped(unsigned a, unsigned b)
{
	struct disk d = disk_new(1024, 32, 8);

	for (unsigned i = 0; i < 15; i++) {
		unsigned seq = i == a ? b : i == b ? a : i;
		struct jset_spec j = { .seq = 100 + seq, .last_seq = 110 };

		if (seq < 10)
			j.last_seq = 100;
		put_jset(&d, 1 + i / 3, i % 3 * 8, &j);
	}
	for (unsigned i = 0; i < 5; i++)
		damage(&d, 1 + i, 0, 100);
	return d;
}

TEST(entries_in_a_wrong_place_do_not_hide_the_others_of_a_ring_without_first_ones)
{
	/* of 110, 111, 113 and 114 so many are replayed; behind the newest nothing tells */
	static const unsigned place[][3] = { { 4, 11, 3 }, { 2, 10, 3 }, { 1, 13, 4 }, { 0, 0, 4 } };

	for (unsigned i = 0; i < sizeof(place) / sizeof(*place); i++) {
		struct disk d = swapped(place[i][0], place[i][1]);
		struct cache_journal j;

		CHECK_EQ(cache_journal_survivors(d.dev, &d.sb, NULL, &j, NULL, NULL), 1);
		CHECK_EQ(j.newest.pos.seq, 114);
		CHECK_EQ(j.newest.pos.index, 5);
		CHECK_EQ(j.nreplay, place[i][2]);
		cache_journal_fini(&j);
		cache_dev_close(d.dev);
	}
}

TEST(a_key_that_looks_like_an_entry_is_none)
{
	/* in the second block of its entry, where the magic of one would be */
	const unsigned nth = (CACHE_PAGE_BYTES + offsetof(struct cache_jset_disk, magic) -
			      CACHE_JSET_HEADER_BYTES) / 16;
	struct disk d = disk_new(1024, 64, 8);
	struct cache_bkey k[300];
	struct jset_spec j = { .seq = 3, .last_seq = 1, .keys = k, .nkeys = 300 };

	for (unsigned i = 0; i < 300; i++)
		k[i] = hole(0, 8, 16);
	k[nth].low = cache_sb_set_magic(&d.sb) ^ CACHE_JSET_MAGIC;
	fill(&d, 1, 1, 2, 1);
	CHECK_EQ(put_jset(&d, 1, 16, &j), 16);
	damage(&d, 1, 0, 100);
	check_run(&d, 2, 3);
	cache_dev_close(d.dev);
}

TEST(a_driver_misled_to_an_entry_that_it_cannot_replay_gives_up)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 0, 3, 3, 3);
	fill(&d, 1, 2, 2, 10);
	j = ring(&d, &h);
	CHECK_EQ(j.newest.pos.seq, 3);
	CHECK_EQ(j.driver_newest_seq, 2);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_SEARCH), 1);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_SEARCH_GAP), 1);
	done(&d, &j);
}

TEST(an_entry_left_ahead_of_the_ring_is_one_the_driver_would_not_see)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 0, 10, 13, 10);
	fill(&d, 1, 14, 17, 10);
	fill(&d, 3, 18, 18, 10);
	j = ring(&d, &h);
	CHECK_EQ(j.newest.pos.seq, 18);
	CHECK_EQ(j.nreplay, 9);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_SEARCH) +
		 findings_count(&h, CACHE_P_JOURNAL_SEARCH_GAP), j.driver_agrees ? 0 : 1);
	CHECK(!j.driver_agrees);
	done(&d, &j);
}

TEST(two_entries_of_one_seq_that_differ_are_reported)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 4, 1);
	fill(&d, 2, 4, 5, 2);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_TWICE), 1);
	CHECK_EQ(j.nreplay, 4);
	done(&d, &j);
}

TEST(a_copy_of_an_entry_is_harmless)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 4, 1);
	fill(&d, 2, 4, 5, 1);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_TWICE), 0);
	CHECK_EQ(j.nreplay, 5);
	done(&d, &j);
}

TEST(a_replay_range_that_begins_after_its_end_is_damage)
{
	struct disk d = disk_new(1024, 32, 8);
	struct jset_spec spec = { .seq = 9, .last_seq = 11 };
	struct cache_journal j;
	struct findings h;

	put_jset(&d, 1, 0, &spec);
	j = ring(&d, &h);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_LAST_SEQ), 1);
	CHECK_EQ(j.nreplay, 0);
	done(&d, &j);
}

TEST(a_count_of_words_past_the_bucket_ends_it)
{
	struct disk d = disk_new(1024, 32, 8);
	uint64_t sector = cache_bucket_sector(&d.sb, d.sb.journal_bucket[1]);
	struct cache_jset_disk *b = cache_dev_buf(CACHE_PAGE_BYTES);
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 3, 1);
	CHECK_EQ(cache_dev_read(d.dev, sector + 16, 8, b, NULL), 0);
	b->keys = cache_le32_of(UINT32_MAX);
	disk_write(&d, sector + 16, 8, b);
	j = ring(&d, &h);
	CHECK_EQ(j.nentries, 2);
	free(b);
	done(&d, &j);
}

struct replayed {
	uint64_t seq[16];
	unsigned n;
};

static int note_key(void *ctx, const struct cache_jset_pos *pos, unsigned index,
		    const struct cache_bkey *k)
{
	struct replayed *r = ctx;

	CHECK_EQ(k->low, 100 * pos->seq + index + 8);
	r->seq[r->n++] = pos->seq;
	return r->n == 4 ? 1 : 0;
}

TEST(keys_come_in_the_order_asked_for_and_the_walk_can_be_ended)
{
	struct disk d = disk_new(1024, 32, 8);
	struct replayed r = { .n = 0 };
	struct cache_journal j;
	struct findings h;
	uint32_t at = 0;

	for (uint64_t seq = 1; seq <= 3; seq++) {
		struct cache_bkey k[2] = {
			hole(0, 100 * seq, 100 * seq + 8), hole(0, 100 * seq + 1, 100 * seq + 9),
		};
		struct jset_spec spec = { .seq = seq, .last_seq = 1, .keys = k, .nkeys = 2 };

		at += put_jset(&d, 1, at, &spec);
	}
	j = ring(&d, &h);
	CHECK_EQ(cache_journal_each_key(d.dev, &d.sb, &j, false, note_key, &r, NULL, NULL), 1);
	CHECK_EQ(r.n, 4);
	CHECK_EQ(r.seq[0], 1);
	CHECK_EQ(r.seq[3], 2);
	r.n = 0;
	CHECK_EQ(cache_journal_each_key(d.dev, &d.sb, &j, true, note_key, &r, NULL, NULL), 1);
	CHECK_EQ(r.seq[0], 3);
	CHECK_EQ(r.seq[3], 2);
	done(&d, &j);
}

TEST(keys_that_do_not_tile_end_their_entry)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_jset_disk *b = cache_dev_buf(CACHE_JSET_MAX_BYTES);
	struct cache_bkey k = hole(0, 0, 8);
	struct jset_spec spec = { .seq = 1, .last_seq = 1, .keys = &k, .nkeys = 1 };
	struct cache_sink sink;
	struct cache_journal j;
	struct findings h;

	make_jset(&d.sb, b, &spec);
	((cache_le64 *)(b + 1))[0] = cache_le64_of(UINT64_C(7) << 60);
	b->csum = cache_le64_of(cache_jset_csum(b));
	disk_write(&d, cache_bucket_sector(&d.sb, d.sb.journal_bucket[1]), 8, b);
	j = ring(&d, &h);
	sink = findings_sink(&h);
	CHECK_EQ(cache_journal_each_key(d.dev, &d.sb, &j, false, note_key, NULL, &sink, NULL), 0);
	CHECK_EQ(findings_count(&h, CACHE_P_JOURNAL_TILING), 1);
	CHECK_EQ(cache_journal_each_key(d.dev, &d.sb, &j, false, note_key, NULL, NULL, NULL),
		 -EUCLEAN);
	free(b);
	done(&d, &j);
}

TEST(an_entry_that_changes_between_two_reads_is_reported)
{
	struct disk d = disk_new(1024, 32, 8);
	cache_le64 words[CACHE_JSET_MAX_WORDS];
	struct cache_journal j;
	struct findings h;

	fill(&d, 1, 1, 1, 1);
	j = ring(&d, &h);
	fill(&d, 1, 2, 2, 1);
	CHECK_EQ(cache_jset_read(d.dev, &d.sb, &j.entries[0], NULL, words, NULL), -EUCLEAN);
	done(&d, &j);
}

/* What the driver's search finds among entries that are all of them in bucket @index. */
static struct cache_journal_gap search(struct cache_journal *j, const struct cache_sb *sb)
{
	struct cache_journal_gap gap;

	j->newest.pos = j->entries[j->nentries - 1];
	CHECK_EQ(cache_journal_search(sb, j, &gap, NULL), 0);
	return gap;
}

TEST(a_ring_of_more_entries_than_the_driver_remembers_is_searched_anyway)
{
	struct cache_sb sb = disk_sb(1024, 32, 8);
	size_t n = 3 * CACHE_JOURNAL_OPEN_MAX;
	struct cache_journal j = { .entries = calloc(n, sizeof(*j.entries)), .nentries = n };
	struct cache_journal_gap gap;

	/* each makes the one before it needless: the list moves on, and comes round */
	for (size_t i = 0; i < n; i++)
		j.entries[i] = (struct cache_jset_pos){ .seq = i + 1, .last_seq = i + 1 };
	gap = search(&j, &sb);
	CHECK_EQ(gap.start, n);
	CHECK_EQ(gap.missed, n + 1);
	CHECK(j.driver_agrees);

	/* none is ever needless: what is more than can be open is not believed */
	for (size_t i = 0; i < n; i++)
		j.entries[i].last_seq = 1;
	gap = search(&j, &sb);
	CHECK(!j.driver_agrees);
	CHECK_EQ(gap.missed, gap.end + 1);
	CHECK_EQ(j.driver_newest_seq, CACHE_JOURNAL_OPEN_MAX + 2);
	free(j.entries);
}

TEST(a_ring_of_which_all_is_hidden_is_empty_to_the_driver)
{
	struct cache_sb sb = disk_sb(1024, 32, 8);
	struct cache_jset_pos pos = { .seq = 5, .last_seq = 5, .hidden = true, .index = 3 };
	struct cache_journal j = { .entries = &pos, .nentries = 1 };
	struct cache_journal_gap gap = search(&j, &sb);

	CHECK_EQ(j.driver_newest_seq, 0);
	CHECK(!j.driver_agrees);
	CHECK_EQ(gap.end, 0);
}

TEST_MAIN()
