// SPDX-License-Identifier: GPL-2.0-only
/* Header backups: what is put back, what state is never turned back, whose device it is. */
#include "disk.h"
#include "new_file.h"
#include "set.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "super/backup_disk.h"
#include "base/crc64.h"
#include "dev/dev_fault.h"

static struct cache_backup take(struct cache_dev *dev)
{
	struct cache_backup b;

	CHECK_EQ(cache_backup_take(dev, 77, &b, NULL), 0);
	return b;
}

static unsigned told;

static void on_field(void *ctx, const struct cache_repair_field *f)
{
	told++;
	CHECK(f->name && f->proof && !f->guessed);
}

static int put_back(struct cache_dev *dev, const struct cache_backup *b, bool force,
		    bool *differs)
{
	struct cache_backup_opts opts = { .size = sizeof(opts), .force = force, .field = on_field };
	struct cache_err err = { 0 };
	int ret = cache_backup_restore(dev, b, &opts, differs, &err);

	CHECK_EQ(!ret, !err.text[0]);
	return ret;
}

static void get(struct cache_dev *dev, uint8_t *buf)
{
	CHECK_EQ(cache_dev_read(dev, CACHE_SB_SECTOR, 8, buf, NULL), 0);
}

static void lose(struct cache_dev *dev)
{
	static const uint8_t zeros[CACHE_SB_BYTES];

	CHECK_EQ(cache_dev_write(dev, CACHE_SB_SECTOR, 8, zeros, NULL), 0);
}

static struct cache_sb super_of(struct cache_dev *dev)
{
	struct cache_sb sb;

	CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
	return sb;
}

/* Changes a field of the superblock on @dev, under a right checksum. */
static void change(struct cache_dev *dev, void (*fn)(struct cache_sb *sb))
{
	uint8_t buf[CACHE_SB_BYTES];
	struct cache_sb sb = super_of(dev);

	get(dev, buf);
	fn(&sb);
	cache_sb_encode(&sb, buf);
	CHECK_EQ(cache_dev_write(dev, CACHE_SB_SECTOR, 8, buf, NULL), 0);
}

/* An attached backing device as make-cache and a kernel leave it. */
static struct cache_dev *backing(enum cache_bdev_state state)
{
	struct cache_sb sb = {
		.offset_sector = CACHE_SB_SECTOR, .version = CACHE_SB_VERSION_BDEV,
		.uuid = { 1, 2 }, .set_uuid = { 3, 4 }, .block_sectors = 1,
		.flags = CACHE_MODE_WRITEBACK | (uint64_t)state << CACHE_BDEV_STATE_SHIFT,
		.seq = 5, .last_mount = 6,
	};
	uint8_t buf[CACHE_SB_BYTES] = { 0 };
	struct cache_dev *dev;

	memcpy(sb.magic, cache_sb_magic, sizeof(sb.magic));
	CHECK_EQ(cache_dev_mem_new("back", 4096, &dev, NULL), 0);
	cache_sb_encode(&sb, buf);
	CHECK_EQ(cache_dev_write(dev, CACHE_SB_SECTOR, 8, buf, NULL), 0);
	return dev;
}

TEST(a_file_gives_back_what_was_saved)
{
	struct cache_dev *dev = set_open("registered");
	struct cache_backup b = take(dev), again;

	CHECK_EQ(cache_backup_save(&b, new_file(), NULL), 0);
	CHECK_EQ(cache_backup_save(&b, file, NULL), -EEXIST);
	CHECK_EQ(cache_backup_read(file, &again, NULL), 0);
	CHECK_MEM(&again, &b, sizeof(b));
	CHECK_EQ(again.saved_at, 77);
	CHECK_STR(again.device, "registered");
	unlink(file);
	cache_dev_close(dev);
}

TEST(a_file_with_any_byte_changed_or_cut_off_is_refused)
{
	struct cache_dev *dev = set_open("registered");
	struct cache_backup b = take(dev), again;
	struct cache_backup_disk d;
	int fd;

	CHECK_EQ(cache_backup_save(&b, new_file(), NULL), 0);
	fd = open(file, O_RDWR);
	CHECK_EQ(pread(fd, &d, sizeof(d), 0), (ssize_t)sizeof(d));
	for (size_t at = 0; at < sizeof(d); at += at < 600 ? 1 : 61) {
		((uint8_t *)&d)[at] ^= 0x20;
		CHECK_EQ(pwrite(fd, &d, sizeof(d), 0), (ssize_t)sizeof(d));
		CHECK_EQ(cache_backup_read(file, &again, NULL), -EBADMSG);
		((uint8_t *)&d)[at] ^= 0x20;
	}
	d.version = cache_le32_of(CACHE_BACKUP_VERSION + 1);
	d.csum = cache_le64_of(cache_crc64(d.magic, sizeof(d) - 8));
	CHECK_EQ(pwrite(fd, &d, sizeof(d), 0), (ssize_t)sizeof(d));
	CHECK_EQ(cache_backup_read(file, &again, NULL), -EOPNOTSUPP);
	CHECK_EQ(ftruncate(fd, sizeof(d) - 1), 0);
	CHECK_EQ(cache_backup_read(file, &again, NULL), -EBADMSG);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(cache_backup_read(file, &again, NULL), -EBADMSG);
	unlink(file);
	CHECK_EQ(cache_backup_read(file, &again, NULL), -ENOENT);
	CHECK_EQ(cache_backup_read("/", &again, NULL), -EBADMSG);
	close(fd);
	cache_dev_close(dev);
}

TEST(a_superblock_that_breaks_a_rule_is_not_saved)
{
	struct cache_dev *dev = set_open("registered");
	struct cache_backup b;
	uint8_t buf[CACHE_SB_BYTES];

	get(dev, buf);
	buf[80] ^= 1;
	CHECK_EQ(cache_dev_write(dev, CACHE_SB_SECTOR, 8, buf, NULL), 0);
	CHECK_EQ(cache_backup_take(dev, 0, &b, NULL), -EBADMSG);
	lose(dev);
	CHECK_EQ(cache_backup_take(dev, 0, &b, NULL), -EBADMSG);
	cache_dev_close(dev);
}

TEST(a_lost_superblock_comes_back_as_it_was)
{
	static const char *const names[] = { "registered", "churn-lru", "ring-full", "wb-clean" };

	for (unsigned i = 0; i < 4; i++) {
		struct cache_dev *dev = set_open(names[i]);
		struct cache_backup b = take(dev);
		uint8_t now[CACHE_SB_BYTES];
		bool differs;

		CHECK_EQ(put_back(dev, &b, false, &differs), 0);
		CHECK(!differs);
		lose(dev);
		CHECK_EQ(put_back(dev, &b, false, &differs), 0);
		CHECK(differs);
		get(dev, now);
		CHECK_MEM(now, b.super, sizeof(now));
		cache_dev_close(dev);
	}
}

TEST(a_dry_run_says_what_would_change_and_writes_nothing)
{
	struct cache_dev *dev = set_open("registered");
	struct cache_backup b = take(dev);
	struct cache_backup_opts opts = { .size = sizeof(opts), .dry_run = true, .field = on_field };
	uint8_t now[CACHE_SB_BYTES], zeros[CACHE_SB_BYTES] = { 0 };
	bool differs;

	lose(dev);
	told = 0;
	CHECK_EQ(cache_backup_restore(dev, &b, &opts, &differs, NULL), 0);
	CHECK(differs && told > 8);
	get(dev, now);
	CHECK_MEM(now, zeros, sizeof(now));
	cache_dev_close(dev);
}

TEST(a_device_of_another_size_set_or_uuid_is_refused)
{
	struct cache_dev *dev = set_open("registered"), *other = set_open("churn-lru"), *small;
	struct cache_backup b = take(dev), c = take(other);

	CHECK_EQ(cache_dev_mem_new("small", 16384, &small, NULL), 0);
	CHECK_EQ(put_back(small, &b, true, NULL), -ERANGE);
	/* as if it had the size */
	b.dev_sectors = c.dev_sectors = cache_dev_sectors(other);
	CHECK_EQ(put_back(other, &b, true, NULL), -EUCLEAN);
	lose(other);
	CHECK_EQ(put_back(other, &b, true, NULL), -EUCLEAN);	/* by its journal */
	CHECK_EQ(put_back(other, &c, false, NULL), 0);
	cache_dev_close(small);
	cache_dev_close(other);
	cache_dev_close(dev);
}

static void double_buckets(struct cache_sb *sb)
{
	sb->bucket_sectors *= 2;
	sb->bucket_field *= 2;
	sb->nbuckets /= 2;
}

static void move_ring(struct cache_sb *sb)
{
	sb->first_bucket += 100;
	for (unsigned i = 0; i < sb->njournal; i++)
		sb->journal_bucket[i] += 100;
}

static void halve_blocks(struct cache_sb *sb)
{
	sb->block_sectors /= 2;
}

static void second_of_two(struct cache_sb *sb)
{
	sb->nr_in_set = 2;
	sb->nr_this_dev = 1;
}

/* Which needs fewer prio_sets than the chain has. */
static void half_as_many(struct cache_sb *sb)
{
	sb->nbuckets /= 2;
}

/* A backup that came from before a change of geometry. */
TEST(a_backup_of_another_geometry_is_refused)
{
	static const struct {
		const char *image;
		void (*change)(struct cache_sb *);
	} rows[] = {
		{ "registered", double_buckets }, { "registered", move_ring },
		{ "churn-lru", halve_blocks }, { "registered", second_of_two },
		{ "wb-crash", half_as_many },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cache_dev *dev = set_open(rows[i].image);
		struct cache_backup b = take(dev), other = b;
		uint8_t now[CACHE_SB_BYTES];

		rows[i].change(&other.sb);
		cache_sb_encode(&other.sb, other.super);
		lose(dev);
		CHECK_EQ(put_back(dev, &other, true, NULL), -EUCLEAN);
		get(dev, now);
		CHECK(!now[24]);	/* nothing was written */
		CHECK_EQ(put_back(dev, &b, false, NULL), 0);
		cache_dev_close(dev);
	}
}

static void to_backing(struct cache_sb *sb)
{
	sb->version = CACHE_SB_VERSION_BDEV;
}

static void to_another_set(struct cache_sb *sb)
{
	sb->set_uuid[15] ^= 1;
}

/* With the uuid of the backup, and a right checksum. */
TEST(a_superblock_of_another_kind_or_set_is_not_replaced)
{
	void (*const changes[])(struct cache_sb *) = { to_backing, to_another_set };

	for (unsigned i = 0; i < 2; i++) {
		struct cache_dev *dev = set_open("registered"), *back;
		struct cache_backup b = take(dev);
		uint8_t was[CACHE_SB_BYTES], now[CACHE_SB_BYTES];

		change(dev, changes[i]);
		get(dev, was);
		CHECK_EQ(put_back(dev, &b, true, NULL), -EUCLEAN);
		get(dev, now);
		CHECK_MEM(now, was, sizeof(now));
		cache_dev_close(dev);

		back = backing(CACHE_BDEV_STATE_CLEAN);
		memcpy(b.sb.uuid, super_of(back).uuid, 16);
		cache_sb_encode(&b.sb, b.super);
		b.dev_sectors = cache_dev_sectors(back);
		CHECK_EQ(put_back(back, &b, true, NULL), -EUCLEAN);
		cache_dev_close(back);
	}
}

static void as_formatted(struct cache_sb *sb)
{
	sb->flags &= ~(uint64_t)CACHE_SB_SYNC;
	sb->njournal = 0;
	sb->version = CACHE_SB_VERSION_CDEV;
}

TEST(a_set_that_has_run_is_not_made_one_that_has_not)
{
	struct cache_dev *dev = set_open("registered");
	struct cache_backup b = take(dev);

	as_formatted(&b.sb);
	cache_sb_encode(&b.sb, b.super);
	CHECK_EQ(put_back(dev, &b, true, NULL), -EUCLEAN);
	lose(dev);
	CHECK_EQ(put_back(dev, &b, true, NULL), -EUCLEAN);
	cache_dev_close(dev);
}

TEST(without_a_journal_the_device_is_in_doubt)
{
	struct cache_dev *dev = set_open("fresh"), *blank;
	struct cache_backup b = take(dev);

	lose(dev);
	CHECK_EQ(put_back(dev, &b, false, NULL), -EAGAIN);
	CHECK_EQ(put_back(dev, &b, true, NULL), 0);
	CHECK_EQ(put_back(dev, &b, false, NULL), 0);	/* its superblock says so now */
	cache_dev_close(dev);
	dev = set_open("registered");
	b = take(dev);
	CHECK_EQ(cache_dev_mem_new("blank", cache_dev_sectors(dev), &blank, NULL), 0);
	CHECK_EQ(put_back(blank, &b, false, NULL), -EAGAIN);
	cache_dev_close(blank);
	cache_dev_close(dev);
}

static void run_once(struct cache_sb *sb)
{
	sb->seq += 3;
	sb->last_mount += 100;
	sb->flags |= CACHE_SB_DISCARD;
	memcpy(sb->label, "renamed", 8);
}

TEST(of_a_right_superblock_what_counts_up_stays)
{
	struct cache_dev *dev = set_open("registered");
	struct cache_backup b = take(dev);
	struct cache_sb now;

	change(dev, run_once);
	CHECK_EQ(put_back(dev, &b, false, NULL), 0);
	now = super_of(dev);
	CHECK_EQ(now.csum_stored, now.csum_computed);
	CHECK_EQ(now.seq, b.sb.seq + 3);
	CHECK_EQ(now.last_mount, b.sb.last_mount + 100);
	CHECK_EQ(now.flags, b.sb.flags);
	CHECK_STR((char *)now.label, (char *)b.sb.label);
	cache_dev_close(dev);
}

static void attach_dirty(struct cache_sb *sb)
{
	sb->flags |= (uint64_t)CACHE_BDEV_STATE_DIRTY << CACHE_BDEV_STATE_SHIFT;
	sb->set_uuid[0] = 99;
	sb->flags &= ~(uint64_t)CACHE_BDEV_MODE_MASK;
}

TEST(a_backing_device_keeps_its_state_and_its_set)
{
	struct cache_dev *dev = backing(CACHE_BDEV_STATE_NONE);
	struct cache_backup b = take(dev);
	struct cache_sb now;

	change(dev, attach_dirty);
	CHECK_EQ(put_back(dev, &b, false, NULL), 0);
	now = super_of(dev);
	CHECK_EQ(cache_sb_bdev_state(&now), CACHE_BDEV_STATE_DIRTY);
	CHECK_EQ(now.set_uuid[0], 99);
	CHECK_EQ(cache_sb_bdev_mode(&now), CACHE_MODE_WRITEBACK);	/* no state, but a choice */
	cache_dev_close(dev);
}

TEST(a_backing_device_without_a_superblock_is_dirty_until_a_kernel_has_looked)
{
	static const enum cache_bdev_state states[] = { CACHE_BDEV_STATE_CLEAN,
							CACHE_BDEV_STATE_DIRTY };

	for (unsigned i = 0; i < 2; i++) {
		struct cache_dev *dev = backing(states[i]);
		struct cache_backup b = take(dev);
		struct cache_sb now;

		lose(dev);
		CHECK_EQ(put_back(dev, &b, false, NULL), 0);
		now = super_of(dev);
		CHECK_EQ(cache_sb_bdev_state(&now), CACHE_BDEV_STATE_DIRTY);
		CHECK_MEM(now.set_uuid, b.sb.set_uuid, 16);
		cache_dev_close(dev);
	}
}

TEST(a_backing_device_that_had_no_cache_may_have_one_now)
{
	struct cache_dev *dev = backing(CACHE_BDEV_STATE_NONE);
	struct cache_backup b = take(dev);
	uint8_t now[CACHE_SB_BYTES];

	lose(dev);
	CHECK_EQ(put_back(dev, &b, false, NULL), -EAGAIN);
	CHECK_EQ(put_back(dev, &b, true, NULL), 0);
	get(dev, now);
	CHECK_MEM(now, b.super, sizeof(now));
	cache_dev_close(dev);
}

TEST(a_superblock_that_cannot_be_read_is_a_lost_one)
{
	struct cache_dev *base = set_open("registered"), *dev;
	struct cache_fault fault = { .kinds = CACHE_FAULT_READ, .at = 1,
				     .effect = CACHE_FAULT_FAIL, .error = -EIO };
	struct cache_backup b = take(base);
	bool differs;

	CHECK_EQ(cache_dev_fault_new(set_lend(base), &fault, &dev, NULL), 0);
	CHECK_EQ(put_back(dev, &b, false, &differs), 0);
	CHECK(differs);
	cache_dev_close(dev);
	cache_dev_close(base);
}

TEST_MAIN()
