// SPDX-License-Identifier: GPL-2.0-only
/* Devices and what can be put around them. */
#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "deny.h"
#include "dev/dev_ops.h"
#include "dev/dev.h"
#include "dev/dev_fault.h"
#include "dev/dev_log.h"
#include "base/types.h"

#define NSECTORS 64

static struct cache_dev *mem_new(void)
{
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_mem_new("mem", NSECTORS, &dev, NULL), 0);
	return dev;
}

/* A file of NSECTORS in @path, which has space for it. */
static void file_new(char *path)
{
	int fd;

	strcpy(path, "/tmp/test_dev.XXXXXX");
	fd = mkstemp(path);
	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, NSECTORS * 512), 0);
	close(fd);
}

static void put(struct cache_dev *dev, uint64_t sector, uint64_t n, int byte)
{
	void *buf = cache_dev_buf(n * 512);

	memset(buf, byte, n * 512);
	CHECK_EQ(cache_dev_write(dev, sector, n, buf, NULL), 0);
	free(buf);
}

/* The byte that all of the sector holds, -1 when they differ. */
static int get(struct cache_dev *dev, uint64_t sector)
{
	unsigned char *buf = cache_dev_buf(512);
	int byte;

	CHECK_EQ(cache_dev_read(dev, sector, 1, buf, NULL), 0);
	byte = buf[0];
	for (int i = 1; i < 512; i++)
		if (buf[i] != byte)
			byte = -1;
	free(buf);
	return byte;
}

static void reads_back(struct cache_dev *dev)
{
	put(dev, 3, 5, 7);
	put(dev, 5, 1, 9);
	CHECK_EQ(get(dev, 2), 0);
	CHECK_EQ(get(dev, 4), 7);
	CHECK_EQ(get(dev, 5), 9);
	CHECK_EQ(get(dev, 7), 7);
	CHECK_EQ(get(dev, 8), 0);
	CHECK_EQ(cache_dev_flush(dev, NULL), 0);
}

static void stays_inside(struct cache_dev *dev)
{
	char *buf = cache_dev_buf(2 * 512);

	CHECK_EQ(cache_dev_read(dev, NSECTORS, 1, buf, NULL), -ERANGE);
	CHECK_EQ(cache_dev_read(dev, NSECTORS - 1, 2, buf, NULL), -ERANGE);
	CHECK_EQ(cache_dev_write(dev, UINT64_MAX, 2, buf, NULL), -ERANGE);
	CHECK_EQ(cache_dev_write(dev, 1, UINT64_MAX, buf, NULL), -ERANGE);
	CHECK_EQ(cache_dev_discard(dev, NSECTORS, 1, NULL), -ERANGE);
	CHECK_EQ(cache_dev_read(dev, NSECTORS, 0, buf, NULL), 0);
	free(buf);
}

TEST(memory_reads_back_what_was_written_and_stays_inside)
{
	struct cache_dev *dev = mem_new();

	reads_back(dev);
	stays_inside(dev);
	cache_dev_close(dev);
}

TEST(a_file_reads_back_what_was_written_and_stays_inside)
{
	static const unsigned flags[] = { CACHE_DEV_WRITE, CACHE_DEV_WRITE | CACHE_DEV_DIRECT };
	char path[32];

	for (int i = 0; i < 2; i++) {
		struct cache_dev *dev;

		file_new(path);
		CHECK_EQ(cache_dev_open(path, flags[i], &dev, NULL), 0);
		CHECK_EQ(cache_dev_sectors(dev), NSECTORS);
		reads_back(dev);
		stays_inside(dev);
		cache_dev_close(dev);
		unlink(path);
	}
}

TEST(a_device_opened_to_look_is_not_written)
{
	struct cache_dev *dev;
	char path[32], *buf = cache_dev_buf(512);

	file_new(path);
	CHECK_EQ(cache_dev_open(path, CACHE_DEV_READ, &dev, NULL), 0);
	CHECK_EQ(cache_dev_write(dev, 0, 1, buf, NULL), -EBADF);
	CHECK_EQ(cache_dev_flush(dev, NULL), -EBADF);
	CHECK_EQ(cache_dev_discard(dev, 0, 1, NULL), -EBADF);
	cache_dev_close(dev);
	unlink(path);
	free(buf);
}

TEST(a_file_is_locked_for_one_writer)
{
	struct cache_dev *a, *b;
	char path[32];

	file_new(path);
	CHECK_EQ(cache_dev_open(path, CACHE_DEV_WRITE | CACHE_DEV_EXCL, &a, NULL), 0);
	CHECK_EQ(cache_dev_open(path, CACHE_DEV_WRITE | CACHE_DEV_EXCL, &b, NULL), -EBUSY);
	cache_dev_close(a);
	CHECK_EQ(cache_dev_open(path, CACHE_DEV_WRITE | CACHE_DEV_EXCL, &a, NULL), 0);
	cache_dev_close(a);
	unlink(path);
}

TEST(what_is_neither_file_nor_block_device_is_not_opened)
{
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_open("/dev/null", CACHE_DEV_READ, &dev, NULL), -ENOTBLK);
	CHECK_EQ(cache_dev_open("/tmp", CACHE_DEV_READ, &dev, NULL), -ENOTBLK);
	CHECK_EQ(cache_dev_open("/nowhere", CACHE_DEV_READ, &dev, NULL), -ENOENT);
}

TEST(each_of_many_reads_has_its_own_result)
{
	struct cache_dev *dev = mem_new();
	struct cache_dev_req r[3] = {
		{ .sector = 1, .nsectors = 1 }, { .sector = NSECTORS, .nsectors = 1 },
		{ .sector = 3, .nsectors = 2 },
	};

	put(dev, 1, 1, 1);
	put(dev, 3, 2, 3);
	for (int i = 0; i < 3; i++)
		r[i].buf = cache_dev_buf(1024);
	CHECK_EQ(cache_dev_read_many(dev, r, 3), 0);
	CHECK_EQ(r[0].result, 0);
	CHECK_EQ(r[1].result, -ERANGE);
	CHECK_EQ(r[2].result, 0);
	CHECK_EQ(*(char *)r[0].buf, 1);
	CHECK_EQ(((char *)r[2].buf)[1023], 3);
	for (int i = 0; i < 3; i++)
		free(r[i].buf);
	cache_dev_close(dev);
}

TEST(a_loan_that_is_closed_leaves_the_device_open)
{
	struct cache_dev *dev = mem_new(), *loan;

	CHECK_EQ(cache_dev_borrow(dev, &loan, NULL), 0);
	CHECK_EQ(cache_dev_sectors(loan), NSECTORS);
	reads_back(loan);
	stays_inside(loan);
	cache_dev_close(loan);
	CHECK_EQ(get(dev, 4), 7);
	cache_dev_close(dev);
}

static int no_discard(struct cache_dev *dev, uint64_t sector, uint64_t nsectors)
{
	return *(int *)dev->priv;
}

TEST(a_device_that_cannot_discard_is_no_error_and_one_that_fails_is)
{
	static const struct cache_dev_ops ops = { .discard = no_discard };
	struct cache_dev *dev = cache_dev_alloc(&ops, "dev");
	struct cache_err err = { 0 };
	int ret = -EOPNOTSUPP;

	dev->sectors = NSECTORS;
	dev->writable = true;
	dev->priv = &ret;
	CHECK_EQ(cache_dev_discard(dev, 0, 8, &err), 0);
	CHECK_EQ(cache_dev_discard(dev, 0, 0, &err), 0);
	ret = -EIO;
	CHECK_EQ(cache_dev_discard(dev, 0, 8, &err), -EIO);
	CHECK(strstr(err.text, "discard"));
	cache_dev_close(dev);
}

TEST(a_fault_affects_a_discard_as_it_does_a_write)
{
	struct cache_fault fault = { .kinds = CACHE_FAULT_WRITE, .at = 2, .error = -EIO };
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_fault_new(mem_new(), &fault, &dev, NULL), 0);
	put(dev, 0, 2, 7);
	CHECK_EQ(cache_dev_discard(dev, 0, 1, NULL), -EIO);
	CHECK_EQ(get(dev, 0), 7);
	CHECK_EQ(cache_dev_discard(dev, 0, 1, NULL), 0);
	CHECK_EQ(get(dev, 0), 0);
	CHECK_EQ(get(dev, 1), 7);
	cache_dev_close(dev);
}

TEST(a_discard_in_a_file_touches_nothing_beside_it)
{
	struct cache_dev *dev;
	char path[32];

	file_new(path);
	CHECK_EQ(cache_dev_open(path, CACHE_DEV_WRITE, &dev, NULL), 0);
	put(dev, 0, 24, 7);
	CHECK_EQ(cache_dev_discard(dev, 8, 8, NULL), 0);
	CHECK_EQ(get(dev, 7), 7);
	CHECK(get(dev, 8) == 0 || get(dev, 8) == 7);	/* where the filesystem has no holes */
	CHECK_EQ(get(dev, 16), 7);
	cache_dev_close(dev);
	unlink(path);
}

TEST(a_device_too_large_for_memory_is_refused)
{
	struct cache_err err = { 0 };
	struct cache_dev *dev;

	if (!deny_works())
		SKIP("a sanitizer or valgrind has malloc");
	CHECK_EQ(cache_dev_mem_new("mem", UINT64_MAX / 256, &dev, &err), -ENOMEM);
	CHECK(err.text[0]);
	deny_in = 0;
	CHECK_EQ(cache_dev_mem_new("mem", 8, &dev, NULL), -ENOMEM);
	deny_in = -1;
}

TEST(a_buffer_is_aligned_and_zero_and_never_too_small)
{
	char *p = cache_dev_buf(0);

	CHECK(p && !((uintptr_t)p % CACHE_PAGE_BYTES) && !*p);
	free(p);
	CHECK(!cache_dev_buf(SIZE_MAX));
}

TEST(the_log_repeats_what_was_done)
{
	struct cache_dev *under = mem_new(), *again = mem_new(), *loan, *dev;
	struct cache_dev_log log = { 0 };

	CHECK_EQ(cache_dev_borrow(under, &loan, NULL), 0);
	CHECK_EQ(cache_dev_log_new(loan, &log, &dev, NULL), 0);
	put(dev, 1, 4, 5);
	CHECK_EQ(cache_dev_flush(dev, NULL), 0);
	CHECK_EQ(cache_dev_discard(dev, 2, 1, NULL), 0);
	CHECK_EQ(get(dev, 1), 5);
	cache_dev_close(dev);
	CHECK_EQ(log.n, 3);
	CHECK_EQ(log.ops[0].kind, CACHE_DEV_OP_WRITE);
	CHECK_EQ(log.ops[1].kind, CACHE_DEV_OP_FLUSH);
	CHECK_EQ(log.ops[2].kind, CACHE_DEV_OP_DISCARD);
	for (size_t i = 0; i < log.n; i++)
		CHECK_EQ(cache_dev_op_apply(&log.ops[i], again, NULL), 0);
	for (uint64_t s = 0; s < NSECTORS; s++)
		CHECK_EQ(get(again, s), get(under, s));
	cache_dev_log_fini(&log);
	CHECK_EQ(log.n, 0);
	cache_dev_close(under);
	cache_dev_close(again);
}

/* The results of four writes of two sectors and what is left of them. */
static void faulty_writes(enum cache_fault_effect effect, int want[4], int first[4],
			  int second[4])
{
	struct cache_fault f = { .kinds = CACHE_FAULT_WRITE, .at = 2, .effect = effect,
				 .error = -EIO };
	struct cache_dev *under = mem_new(), *loan, *dev;
	char *buf = cache_dev_buf(1024);

	memset(buf, 1, 1024);
	CHECK_EQ(cache_dev_borrow(under, &loan, NULL), 0);
	CHECK_EQ(cache_dev_fault_new(loan, &f, &dev, NULL), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(cache_dev_write(dev, 2 * i, 2, buf, NULL), want[i]);
		CHECK_EQ(get(dev, 2 * i), first[i]);
		CHECK_EQ(get(dev, 2 * i + 1), second[i]);
	}
	CHECK_EQ(f.seen, 4);
	free(buf);
	cache_dev_close(dev);
	cache_dev_close(under);
}

TEST(the_second_write_fails_as_it_was_told_to)
{
	int once[] = { 0, -EIO, 0, 0 }, on[] = { 0, -EIO, -EIO, -EIO };
	int there[] = { 1, 0, 1, 1 }, gone[] = { 1, 0, 0, 0 }, all[] = { 1, 1, 1, 1 };

	faulty_writes(CACHE_FAULT_FAIL, once, there, there);
	faulty_writes(CACHE_FAULT_GONE, on, gone, gone);
	faulty_writes(CACHE_FAULT_SHORT, once, all, there);
}

TEST(a_flipped_read_succeeds_with_one_bit_wrong)
{
	struct cache_fault f = { .kinds = CACHE_FAULT_READ, .at = 1,
				 .effect = CACHE_FAULT_FLIP, .error = -EIO };
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_fault_new(mem_new(), &f, &dev, NULL), 0);
	CHECK_EQ(get(dev, 0), -1);
	CHECK_EQ(get(dev, 0), 0);
	cache_dev_close(dev);
}

TEST(a_failing_flush_is_reported)
{
	struct cache_fault f = { .kinds = CACHE_FAULT_FLUSH, .at = 1, .error = -EIO };
	struct cache_err err = { 0 };
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_fault_new(mem_new(), &f, &dev, NULL), 0);
	CHECK_EQ(cache_dev_flush(dev, &err), -EIO);
	CHECK_EQ(err.code, -EIO);
	CHECK_EQ(cache_dev_flush(dev, NULL), 0);
	cache_dev_close(dev);
}

TEST_MAIN()
