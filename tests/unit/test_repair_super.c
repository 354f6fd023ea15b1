// SPDX-License-Identifier: GPL-2.0-only
#include "disk.h"
#include "set.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev/dev_fault.h"
#include "repair/repair.h"
#include "super/repair_super.h"

static unsigned told, guessed;

static void on_field(void *ctx, unsigned dev, const struct cache_repair_field *f)
{
	told++;
	guessed += f->guessed;
	CHECK(f->name && f->proof);
}

static int repair(struct cache_dev *dev, const struct cache_sb *backing, bool guess,
		struct cache_repair_plan *plan)
{
	struct cache_repair_opts opts = { .seed = 7, .guess = guess, .field = on_field,
					  .backing = backing, .nbacking = !!backing };

	told = guessed = 0;
	return cache_repair_super(dev, &opts, plan, NULL);
}

static void get(struct cache_dev *dev, uint8_t *buf)
{
	CHECK_EQ(cache_dev_read(dev, CACHE_SB_SECTOR, 8, buf, NULL), 0);
}

static void put(struct cache_dev *dev, const uint8_t *buf)
{
	CHECK_EQ(cache_dev_write(dev, CACHE_SB_SECTOR, 8, buf, NULL), 0);
}

TEST(any_byte_of_a_superblock_is_found_by_its_checksum)
{
	struct cache_dev *dev = set_open("registered");
	uint8_t was[CACHE_SB_BYTES], now[CACHE_SB_BYTES];
	struct cache_repair_plan plan;

	get(dev, was);
	/* 208 bytes and 16 journal buckets are under the checksum */
	for (unsigned at = 0; at < 208 + 16 * 8; at++) {
		memcpy(now, was, sizeof(now));
		now[at] ^= 1u << at % 8;
		put(dev, now);
		CHECK_EQ(repair(dev, NULL, false, &plan), 0);
		CHECK(plan.super && plan.safe && !guessed);
		get(dev, now);
		CHECK_MEM(now, was, sizeof(now));
	}
	cache_dev_close(dev);
}

TEST(what_is_right_is_not_touched)
{
	static const char *const names[] = { "registered", "fresh", "wb-clean", "ring-full" };
	struct cache_repair_plan plan;

	for (unsigned i = 0; i < 4; i++) {
		struct cache_dev *dev = set_open(names[i]);

		CHECK_EQ(repair(dev, NULL, false, &plan), 0);
		CHECK(!plan.super && !plan.wipe_old_ring && !plan.cannot);
		cache_dev_close(dev);
	}
}

/* Everything that a kernel needs, from nothing but what lies behind the superblock. */
static void rebuild(const char *name)
{
	struct cache_dev *dev = set_open(name);
	uint8_t buf[CACHE_SB_BYTES] = { 0 };
	struct cache_repair_plan plan;
	struct cache_sb was, now;

	CHECK_EQ(cache_sb_read(dev, &was, NULL), 0);
	put(dev, buf);
	CHECK_EQ(repair(dev, NULL, false, &plan), -EUCLEAN);
	CHECK(plan.cannot);
	/* a backing device at hand knows the set's uuid */
	CHECK_EQ(repair(dev, &was, false, &plan), 0);
	CHECK(!guessed && !plan.safe);
	CHECK_EQ(cache_sb_read(dev, &now, NULL), 0);
	CHECK_MEM(now.set_uuid, was.set_uuid, 16);
	CHECK_EQ(now.version, was.version);
	CHECK_EQ(now.flags, was.flags);
	CHECK_EQ(now.nbuckets, was.nbuckets);
	CHECK_EQ(now.bucket_sectors, was.bucket_sectors);
	CHECK_EQ(now.block_sectors, was.block_sectors);
	CHECK_EQ(now.first_bucket, was.first_bucket);
	CHECK_EQ(now.njournal, was.njournal);
	CHECK_MEM(now.journal_bucket, was.journal_bucket, sizeof(was.journal_bucket));
	CHECK_EQ(repair(dev, &was, false, &plan), 0);
	CHECK(!plan.super);
	cache_dev_close(dev);
}

TEST(a_journal_of_another_set_than_that_of_a_dirty_device_at_hand_proves_nothing)
{
	struct cache_dev *dev = set_open("registered");
	uint8_t buf[CACHE_SB_BYTES] = { 0 };
	struct cache_sb back = { .version = CACHE_SB_VERSION_BDEV, .set_uuid = "another set",
				 .flags = (uint64_t)CACHE_BDEV_STATE_DIRTY <<
					  CACHE_BDEV_STATE_SHIFT };
	struct cache_repair_plan plan;

	put(dev, buf);
	CHECK_EQ(repair(dev, &back, true, &plan), -EUCLEAN);
	CHECK(strstr(plan.cannot, "another set"));
	get(dev, buf);
	for (unsigned i = 0; i < sizeof(buf); i++)
		CHECK(!buf[i]);
	/* that it is attached to nothing is no contradiction */
	back.flags = 0;
	CHECK_EQ(repair(dev, &back, true, &plan), 0);
	CHECK(guessed);
	cache_dev_close(dev);
}

TEST(a_wiped_superblock_is_rebuilt_from_what_lies_behind_it)
{
	rebuild("flash-73");
	rebuild("registered");
	rebuild("wb-crash");
	rebuild("wb-clean");
	rebuild("churn-lru");
	rebuild("two-backs");
	rebuild("flash-vol");
	rebuild("ring-full");
}

TEST(half_of_a_set_uuid_is_a_guess_and_needs_permission)
{
	struct cache_dev *dev = set_open("registered");
	uint8_t buf[CACHE_SB_BYTES] = { 0 };
	struct cache_repair_plan plan;

	put(dev, buf);
	CHECK_EQ(repair(dev, NULL, false, &plan), -EUCLEAN);
	CHECK_EQ(repair(dev, NULL, true, &plan), 0);
	CHECK_EQ(guessed, 1);
	cache_set_close(set_load(dev));
	cache_dev_close(dev);
}

TEST(a_device_that_was_never_a_cache_is_left_alone)
{
	struct cache_repair_plan plan;
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_mem_new("zeros", 65536, &dev, NULL), 0);
	CHECK_EQ(repair(dev, NULL, true, &plan), -EUCLEAN);
	CHECK(plan.cannot);
	cache_dev_close(dev);
	CHECK_EQ(cache_dev_mem_new("small", 8, &dev, NULL), 0);
	CHECK_EQ(repair(dev, NULL, true, &plan), -ERANGE);
	cache_dev_close(dev);
}

TEST(a_feature_under_a_right_checksum_may_be_meant)
{
	struct cache_dev *dev = set_open("registered");
	uint8_t buf[CACHE_SB_BYTES];
	struct cache_repair_plan plan;
	struct cache_sb sb;

	get(dev, buf);
	cache_sb_decode(buf, &sb);
	sb.version = CACHE_SB_VERSION_CDEV_WITH_FEATURES;
	sb.feature_compat = 1;
	cache_sb_encode(&sb, buf);
	put(dev, buf);
	CHECK_EQ(repair(dev, NULL, true, &plan), -EUCLEAN);
	CHECK(plan.cannot);
	cache_dev_close(dev);
}

TEST(a_first_bucket_under_a_right_checksum_follows_the_journal_buckets)
{
	struct cache_dev *dev = set_open("registered");
	uint8_t buf[CACHE_SB_BYTES];
	struct cache_repair_plan plan;
	struct cache_sb was, sb;

	get(dev, buf);
	cache_sb_decode(buf, &was);
	sb = was;
	sb.first_bucket = 33;
	cache_sb_encode(&sb, buf);
	put(dev, buf);
	CHECK_EQ(repair(dev, NULL, false, &plan), 0);
	CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
	CHECK_EQ(sb.first_bucket, was.first_bucket);
	CHECK_MEM(sb.journal_bucket, was.journal_bucket, sizeof(sb.journal_bucket));
	cache_dev_close(dev);
}

/* The superblock changed, and its checksum lost beside it. */
static void put_wrong_csum(struct cache_dev *dev, const struct cache_sb *sb)
{
	uint8_t buf[CACHE_SB_BYTES] = { 0 };

	cache_sb_encode(sb, buf);
	memset(buf, 0x55, 8);
	put(dev, buf);
}

TEST(features_that_no_checksum_vouches_for_are_not_kept)
{
	struct cache_dev *dev = set_open("registered");
	struct cache_repair_plan plan;
	struct cache_sb sb;

	CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
	sb.version = CACHE_SB_VERSION_CDEV_WITH_FEATURES;
	sb.feature_compat = sb.feature_ro_compat = 1;
	sb.feature_incompat = 8;
	put_wrong_csum(dev, &sb);
	CHECK_EQ(repair(dev, NULL, false, &plan), 0);
	CHECK(plan.super && !guessed);
	CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
	CHECK_EQ(sb.version, CACHE_SB_VERSION_CDEV_WITH_FEATURES);
	CHECK_EQ(sb.feature_compat | sb.feature_ro_compat | sb.feature_incompat, 0);
	CHECK_EQ(sb.csum_stored, sb.csum_computed);
	cache_dev_close(dev);
}

/* A set that never ran: nothing lies behind its superblock. */
static struct disk never_ran(void)
{
	struct disk d = disk_new(1024, 32, 0);

	d.sb.version = CACHE_SB_VERSION_CDEV;
	d.sb.flags = 0;
	return d;
}

TEST(a_set_that_never_ran_gets_the_block_that_its_backing_devices_can_have)
{
	struct cache_sb back = { .block_sectors = 2 }, odd = { .block_sectors = 3 };
	const struct cache_sb *backs[] = { NULL, &odd, &back };

	for (unsigned i = 0; i < 3; i++) {
		struct disk d = never_ran();
		struct cache_repair_plan plan;
		struct cache_sb sb;

		d.sb.block_sectors = 0;
		put_wrong_csum(d.dev, &d.sb);
		CHECK_EQ(repair(d.dev, backs[i], false, &plan), 0);
		CHECK_EQ(cache_sb_read(d.dev, &sb, NULL), 0);
		CHECK_EQ(sb.block_sectors, i == 2 ? 2 : 8);
		cache_dev_close(d.dev);
	}
}

TEST(a_set_that_never_ran_gets_the_bucket_of_which_the_device_has_so_many)
{
	struct disk d = never_ran();
	struct cache_repair_plan plan;
	struct cache_sb sb;

	d.sb.bucket_sectors = 24;
	put_wrong_csum(d.dev, &d.sb);
	CHECK_EQ(repair(d.dev, NULL, false, &plan), 0);
	CHECK_EQ(cache_sb_read(d.dev, &sb, NULL), 0);
	CHECK_EQ(sb.bucket_sectors, 32);
	CHECK_EQ(sb.nbuckets, 1024);
	d.sb.nbuckets = 1000;		/* no size gives that many */
	put_wrong_csum(d.dev, &d.sb);
	CHECK_EQ(repair(d.dev, NULL, true, &plan), -EUCLEAN);
	CHECK(plan.cannot);
	cache_dev_close(d.dev);
}

/* Buckets of 64 MiB, 1024 of them: a device so large is a file without content. */
TEST(a_lost_size_of_more_than_16_bits_is_kept_as_its_exponent)
{
	int fd = memfd_create("large", MFD_CLOEXEC);
	struct cache_repair_plan plan;
	struct cache_dev *dev;
	struct cache_sb sb = disk_sb(1024, 131072, 0);
	char path[32];

	CHECK_EQ(ftruncate(fd, (off_t)1024 * 131072 * 512), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_EQ(cache_dev_open(path, CACHE_DEV_READ | CACHE_DEV_WRITE, &dev, NULL), 0);
	close(fd);
	sb.version = CACHE_SB_VERSION_CDEV;
	sb.flags = 0;
	sb.bucket_sectors = 24;
	put_wrong_csum(dev, &sb);
	CHECK_EQ(repair(dev, NULL, false, &plan), 0);
	CHECK(plan.super && !guessed);
	CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
	CHECK_EQ(sb.bucket_sectors, 131072);
	CHECK_EQ(sb.version, CACHE_SB_VERSION_CDEV_WITH_FEATURES);
	CHECK_EQ(sb.feature_incompat, CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET);
	CHECK_EQ(cache_sb_check(&sb, cache_dev_sectors(dev), 512, NULL, NULL), 0);
	cache_dev_close(dev);
}

TEST(a_set_that_never_ran_has_no_reason_to_keep_the_uuid_of_another)
{
	struct cache_sb back = { .block_sectors = 8 }, none = back;
	const struct cache_sb *backs[] = { NULL, &none, &back };

	disk_uuid(back.set_uuid, 0x60);
	for (unsigned i = 0; i < 3; i++) {
		struct disk d = never_ran();
		struct cache_repair_plan plan;
		struct cache_sb sb;

		memset(d.sb.set_uuid, 0, 16);
		put_wrong_csum(d.dev, &d.sb);
		CHECK_EQ(repair(d.dev, backs[i], false, &plan), 0);
		CHECK(!guessed);
		CHECK_EQ(cache_sb_read(d.dev, &sb, NULL), 0);
		if (i == 2)
			CHECK_MEM(sb.set_uuid, back.set_uuid, 16);
		else
			CHECK_EQ(sb.set_uuid[6] >> 4, 4);	/* a random one */
		cache_dev_close(d.dev);
	}
}

/* Half of the device is not here: its number of buckets is not what is wrong. */
TEST(of_a_device_that_was_cut_no_field_is_made_up)
{
	struct cache_dev *whole = set_open("registered"), *half;
	uint64_t n = cache_dev_sectors(whole) * 3 / 4;
	uint8_t buf[CACHE_SB_BYTES], now[CACHE_SB_BYTES];
	struct cache_repair_plan plan;
	char *data = cache_dev_buf(n * CACHE_SECTOR_BYTES);

	CHECK_EQ(cache_dev_mem_new("half", n, &half, NULL), 0);
	CHECK_EQ(cache_dev_read(whole, 0, n, data, NULL), 0);
	CHECK_EQ(cache_dev_write(half, 0, n, data, NULL), 0);
	get(half, buf);
	CHECK_EQ(repair(half, NULL, true, &plan), -EUCLEAN);
	CHECK(strstr(plan.cannot, "smaller than its superblock says"));
	get(half, now);
	CHECK_MEM(now, buf, sizeof(buf));
	free(data);
	cache_dev_close(half);
	cache_dev_close(whole);
}

/* The number of buckets is lost, and one bucket of the ring too: its length still tells. */
TEST(a_ring_tells_how_many_buckets_there_are_though_one_of_it_is_wrong)
{
	for (unsigned i = 0; i < 16; i++) {
		struct cache_dev *dev = set_open("registered");
		struct cache_repair_plan plan;
		struct cache_sb was, sb;

		CHECK_EQ(cache_sb_read(dev, &was, NULL), 0);
		sb = was;
		sb.nbuckets = 1200;
		sb.journal_bucket[i] = 77;
		put_wrong_csum(dev, &sb);
		CHECK_EQ(repair(dev, NULL, false, &plan), 0);
		CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
		CHECK_EQ(sb.nbuckets, was.nbuckets);
		CHECK_EQ(sb.njournal, was.njournal);
		CHECK_MEM(sb.journal_bucket, was.journal_bucket, sizeof(sb.journal_bucket));
		cache_dev_close(dev);
	}
}

/* 704 buckets would have a prio chain as long as 2048 have, and a shorter ring. */
static void count_is_repaired(const char *name, bool magic)
{
	struct cache_dev *dev = set_open(name);
	struct cache_repair_plan plan;
	struct cache_sb was, sb;

	CHECK_EQ(cache_sb_read(dev, &was, NULL), 0);
	sb = was;
	sb.nbuckets = 704;
	sb.njournal = 77;
	memset(sb.magic, magic ? sb.magic[0] : 1, magic ? 1 : sizeof(sb.magic));
	put_wrong_csum(dev, &sb);
	CHECK_EQ(repair(dev, NULL, false, &plan), 0);
	CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
	CHECK_EQ(sb.nbuckets, was.nbuckets);
	CHECK_EQ(sb.njournal, was.njournal);
	cache_dev_close(dev);
}

TEST(what_lies_where_the_superblock_was_does_not_say_how_many_buckets_there_are)
{
	count_is_repaired("registered", false);
	count_is_repaired("churn-lru", false);
}

TEST(a_number_of_buckets_that_the_journal_does_not_fit_in_is_not_believed)
{
	count_is_repaired("churn-lru", true);
}

/* Entries one behind the other tell how large a block is, a single one not for sure. */
TEST(a_block_size_that_one_entry_alone_suggests_is_a_guess)
{
	struct disk d = disk_new(1024, 32, 8);
	struct cache_repair_plan plan;
	struct jset_spec j = { .seq = 1, .last_seq = 1, .btree_root = root_key(&d.sb, 22, 1),
			       .uuid_bucket = root_key(&d.sb, 21, 1) };
	struct cache_sb sb;

	/* the size of the table is that of a bucket */
	put_jset(&d, 0, 0, &j);
	d.sb.block_sectors = 24;
	put_wrong_csum(d.dev, &d.sb);
	CHECK_EQ(repair(d.dev, NULL, false, &plan), -EUCLEAN);
	if (!strstr(plan.cannot, "guess"))
		TEST_FAIL("%s", plan.cannot);
	CHECK_EQ(repair(d.dev, NULL, true, &plan), 0);
	CHECK_EQ(guessed, 1);
	CHECK_EQ(cache_sb_read(d.dev, &sb, NULL), 0);
	CHECK_EQ(sb.block_sectors, 8);
	cache_dev_close(d.dev);
}

TEST(each_read_and_write_that_fails_is_an_error_or_no_matter)
{
	struct cache_dev *dev = set_open("registered"), *faulty;
	uint8_t buf[CACHE_SB_BYTES], now[CACHE_SB_BYTES];
	struct cache_repair_plan plan;

	get(dev, buf);
	buf[192] ^= 4;
	for (uint64_t at = 1; at < 4; at++) {
		struct cache_fault fault = { .kinds = CACHE_FAULT_WRITE | CACHE_FAULT_FLUSH,
					     .at = at, .error = -EIO };

		put(dev, buf);
		CHECK_EQ(cache_dev_fault_new(set_lend(dev), &fault, &faulty, NULL), 0);
		CHECK_EQ(repair(faulty, NULL, false, &plan), at < 3 ? -EIO : 0);
		get(dev, now);
		CHECK_EQ(!memcmp(now, buf, sizeof(now)), at == 1);
		cache_dev_close(faulty);
	}
	cache_dev_close(dev);
}

TEST_MAIN()
