// SPDX-License-Identifier: GPL-2.0-only
/*
 * The check, the formatter and the undo, with transfers and allocations that fail:
 * nobody says that all is well, and the device is what it was, what it should be, or
 * clearly nothing.
 */
#include <errno.h>
#include <unistd.h>

#include "harness.h"
#include "bench/bench.h"
#include <libcache/fsck.h>
#include <libcache/format.h>
#include "offline/offline.h"
#include <libcache/device.h>
#include "wrap.h"

#define FORMAT_SECTORS	(1024 * 16)	/* 1024 buckets of 8 KiB */

static struct cache_fsck_result look(struct cache_dev *dev, int *ret)
{
	struct cache_fsck_result res = { 0 };
	struct cache_fsck f = { .size = sizeof(f), .devs = &dev, .ndevs = 1, .results = &res };

	*ret = cache_fsck_run(&f);
	return res;
}

static struct cache_dev *faulty(struct cache_dev *under, struct cache_fault *fault)
{
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_fault_new(set_lend(under), fault, &dev, NULL), 0);
	return dev;
}

/* The check with its @n-th read gone wrong; false: there was no n-th. */
static bool look_badly(struct cache_dev *base, enum cache_fault_effect effect, uint64_t n)
{
	struct cache_fault fault = { .kinds = CACHE_FAULT_READ, .at = n, .effect = effect,
				     .error = -EIO };
	struct cache_dev *dev = faulty(base, &fault);
	int ret;
	struct cache_fsck_result res = look(dev, &ret);

	CHECK_EQ(ret, 0);
	cache_dev_close(dev);
	if (fault.seen < n && !cache_fsck_is_clean(&res))
		TEST_FAIL("not clean, though every read went well");
	if (fault.seen >= n && effect != CACHE_FAULT_FLIP && cache_fsck_is_clean(&res))
		TEST_FAIL("read %" PRIu64 " failed, and the set is called clean", n);
	if (res.ret && !res.err.text[0])
		TEST_FAIL("read %" PRIu64 " failed without a message", n);
	return fault.seen >= n;
}

static void look_at(const char *image, unsigned step)
{
	static const enum cache_fault_effect effects[] = {
		CACHE_FAULT_FAIL, CACHE_FAULT_GONE, CACHE_FAULT_FLIP,
	};
	struct cache_dev *base = set_open(image);
	unsigned runs = 0;

	for (size_t i = 0; i < sizeof(effects) / sizeof(*effects); i++)
		for (uint64_t n = 1; look_badly(base, effects[i], n); n += step)
			runs++;
	printf("# %u runs with a fault\n", runs);
	cache_dev_close(base);
}

TEST(a_read_that_fails_is_never_called_clean) { look_at("registered", 1); }
TEST(a_read_that_fails_in_a_deep_tree_is_never_called_clean) { look_at("churn-lru", 1); }

TEST(each_failed_allocation_of_a_check_is_reported)
{
	struct cache_dev *base = set_open("registered");
	bool struck = true;

	for (uint64_t n = 1; struck; n++) {
		struct cache_fsck_result res;
		int ret;

		crash_alloc_fail(n);
		res = look(base, &ret);
		struck = crash_alloc_said(ret ? ret : res.ret, ret ? NULL : &res.err);
	}
	cache_dev_close(base);
}

static int nobody(const uint8_t set_uuid[16],
		  int (*found)(void *ctx, const char *path, const struct cache_sb *sb),
		  void *ctx)
{
	return 0;
}

/* Formats @dev and leaves it open. */
static int format(struct cache_dev *dev, struct cache_err *err)
{
	struct cache_mkcache_dev d = { .dev = dev, .uuid = { 1 } };
	struct cache_mkcache m = { .size = sizeof(m), .devs = &d, .ndevs = 1, .bucket_sectors = 16,
				   .block_sectors = 1, .set_uuid = { 2 }, .find_set = nobody };
	int ret = cache_mkcache_plan(&m, err);

	return ret ? ret : cache_mkcache_write(&m, 0, err);
}

/* An older set is there; the new one has another uuid. */
static struct cache_dev *used_device(void)
{
	struct cache_dev *dev = set_open("registered"), *small;
	char *buf = cache_dev_buf(FORMAT_SECTORS * CACHE_SECTOR_BYTES);

	CHECK_EQ(cache_dev_mem_new("dev", FORMAT_SECTORS, &small, NULL), 0);
	CHECK_EQ(cache_dev_read(dev, 0, FORMAT_SECTORS, buf, NULL), 0);
	CHECK_EQ(cache_dev_write(small, 0, FORMAT_SECTORS, buf, NULL), 0);
	free(buf);
	cache_dev_close(dev);
	return small;
}

enum { OLD, NOTHING, NEW };

/* What a kernel would see. */
static int what_is(struct cache_dev *dev)
{
	struct cache_sb sb;

	CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
	if (memcmp(sb.magic, cache_sb_magic, 16) || sb.csum_stored != sb.csum_computed)
		return NOTHING;
	return sb.uuid[0] == 1 && sb.set_uuid[0] == 2 && !sb.set_uuid[1] ? NEW : OLD;
}

static bool format_badly(struct cache_dev *base, unsigned kind, enum cache_fault_effect effect,
			 uint64_t n)
{
	struct cache_fault fault = { .kinds = kind, .at = n, .effect = effect, .error = -ENOSPC };
	struct cache_dev *copy = set_copy(base), *dev = faulty(copy, &fault);
	struct cache_err err = { 0 };
	int ret = format(dev, &err), is = what_is(copy);
	bool struck = fault.seen >= n;

	cache_dev_close(dev);
	if (ret && !err.text[0])
		TEST_FAIL("transfer %" PRIu64 " of kind %u failed without a message", n, kind);
	if (!ret && is != NEW)
		TEST_FAIL("done, it says, and the superblock is not the new one");
	if (struck && !ret && kind != CACHE_FAULT_READ)
		TEST_FAIL("transfer %" PRIu64 " of kind %u failed and nobody said so", n, kind);
	if (!struck && ret)
		TEST_FAIL("failed with %d though nothing had", ret);
	/* once it is as it should be, nothing changes that */
	if (ret && format(copy, NULL))
		TEST_FAIL("cannot be formatted any more");
	cache_dev_close(copy);
	return struck;
}

TEST(a_formatter_whose_device_fails_says_so_and_can_be_run_again)
{
	static const struct {
		unsigned kind;
		enum cache_fault_effect effect;
	} all[] = {
		{ CACHE_FAULT_READ, CACHE_FAULT_FAIL }, { CACHE_FAULT_READ, CACHE_FAULT_FLIP },
		{ CACHE_FAULT_READ, CACHE_FAULT_GONE },
		{ CACHE_FAULT_WRITE, CACHE_FAULT_FAIL }, { CACHE_FAULT_WRITE, CACHE_FAULT_SHORT },
		{ CACHE_FAULT_WRITE, CACHE_FAULT_GONE }, { CACHE_FAULT_FLUSH, CACHE_FAULT_FAIL },
	};
	struct cache_dev *base = used_device();
	unsigned runs = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		for (uint64_t n = 1; format_badly(base, all[i].kind, all[i].effect, n); n++)
			runs++;
	printf("# %u runs with a fault\n", runs);
	CHECK(runs);
	cache_dev_close(base);
}

/* What was done until the n-th operation: the old device, none, or the new one. */
TEST(a_formatter_cut_off_leaves_no_half_device)
{
	struct cache_dev *base = used_device(), *copy = set_copy(base), *logged;
	struct cache_dev_log log = { 0 };
	int before = OLD;

	CHECK_EQ(cache_dev_log_new(set_lend(copy), &log, &logged, NULL), 0);
	CHECK_EQ(format(logged, NULL), 0);
	cache_dev_close(logged);
	CHECK_EQ(what_is(base), OLD);
	for (size_t i = 0; i < log.n; i++) {
		if (log.ops[i].kind == CACHE_DEV_OP_FLUSH)
			continue;
		CHECK_EQ(cache_dev_op_apply(&log.ops[i], base, NULL), 0);
		if (what_is(base) < before)
			TEST_FAIL("back to %d at operation %zu", what_is(base), i);
		before = what_is(base);
	}
	CHECK_EQ(before, NEW);
	cache_dev_log_fini(&log);
	cache_dev_close(copy);
	cache_dev_close(base);
}

TEST(each_failed_allocation_of_a_formatter_is_reported)
{
	struct cache_dev *base = used_device();
	bool struck = true;

	for (uint64_t n = 1; struck; n++) {
		struct cache_dev *copy = set_copy(base);
		struct cache_err err = { 0 };

		crash_alloc_fail(n);
		struck = crash_alloc_said(format(copy, &err), &err);
		if (!struck && what_is(copy) != NEW)
			TEST_FAIL("done, it says, and the superblock is not the new one");
		cache_dev_close(copy);
	}
	cache_dev_close(base);
}

static bool same(struct cache_dev *a, struct cache_dev *b)
{
	size_t nbytes = FORMAT_SECTORS * CACHE_SECTOR_BYTES;
	char *x = cache_dev_buf(nbytes), *y = cache_dev_buf(nbytes);
	bool equal;

	CHECK_EQ(cache_dev_read(a, 0, FORMAT_SECTORS, x, NULL), 0);
	CHECK_EQ(cache_dev_read(b, 0, FORMAT_SECTORS, y, NULL), 0);
	equal = !memcmp(x, y, nbytes);
	free(x);
	free(y);
	return equal;
}

static int take_back(struct cache_dev *dev, const char *file)
{
	struct cache_undo *u = NULL;
	int ret = cache_undo_open(file, NULL, NULL, &u, NULL);

	if (!ret)
		ret = cache_undo_check(u, dev, NULL);
	if (!ret)
		ret = cache_undo_apply(u, dev, NULL);
	cache_undo_close(u);
	return ret;
}

/* A device formatted with an undo file, and what it was. */
struct taken {
	struct cache_dev *before, *after;
	char file[32];
};

static struct taken format_with_undo(void)
{
	struct taken t = { used_device(), NULL, "/tmp/undo.XXXXXX" };
	struct cache_dev *dev;
	int fd = mkstemp(t.file);

	CHECK(fd >= 0);
	close(fd);
	unlink(t.file);
	t.after = set_copy(t.before);
	CHECK_EQ(cache_dev_undo_new(set_lend(t.after), t.file, NULL, &dev, NULL), 0);
	CHECK_EQ(format(dev, NULL), 0);
	cache_dev_close(dev);
	CHECK_EQ(what_is(t.after), NEW);
	return t;
}

static void taken_fini(struct taken *t)
{
	unlink(t->file);
	cache_dev_close(t->before);
	cache_dev_close(t->after);
}

TEST(an_undo_whose_device_fails_says_so_and_can_be_run_again)
{
	struct taken t = format_with_undo();
	unsigned kinds[] = { CACHE_FAULT_READ, CACHE_FAULT_WRITE, CACHE_FAULT_FLUSH };
	enum cache_fault_effect effects[] = { CACHE_FAULT_FAIL, CACHE_FAULT_SHORT };
	unsigned runs = 0;

	for (unsigned i = 0; i < 6; i++) {
		struct cache_fault fault = { .kinds = kinds[i % 3], .effect = effects[i / 3],
					     .at = 1, .error = -EIO };

		for (; fault.seen >= fault.at || fault.at == 1; fault.at++) {
			struct cache_dev *copy = set_copy(t.after), *dev;
			int ret;

			fault.seen = 0;
			dev = faulty(copy, &fault);
			ret = take_back(dev, t.file);
			cache_dev_close(dev);
			if ((fault.seen >= fault.at) != !!ret)
				TEST_FAIL("transfer %" PRIu64 " of kind %u: %d", fault.at,
					  fault.kinds, ret);
			CHECK_EQ(take_back(copy, t.file), 0);
			CHECK(same(copy, t.before));
			cache_dev_close(copy);
			runs++;
			if (fault.seen < fault.at)
				break;
		}
	}
	printf("# %u runs with a fault\n", runs);
	taken_fini(&t);
}

TEST(each_failed_allocation_of_an_undo_is_reported)
{
	struct taken t = format_with_undo();
	bool struck = true;

	for (uint64_t n = 1; struck; n++) {
		struct cache_dev *copy = set_copy(t.after);

		crash_alloc_fail(n);
		struck = crash_alloc_said(take_back(copy, t.file), NULL);
		if (struck)
			CHECK_EQ(take_back(copy, t.file), 0);
		CHECK(same(copy, t.before));
		cache_dev_close(copy);
	}
	taken_fini(&t);
}

/* The allocator on a set, planned and not written. */
static int allocate(struct cache_dev *dev, unsigned write_points, struct cache_err *err)
{
	struct cache_offline_opts opts = { .policy = CACHE_POLICY_LRU, .count = 20, .seed = 1,
					   .reserve = CACHE_RESERVE_NONE,
					   .write_points = write_points };
	struct cache_fsck_result found = { 0 };
	struct cache_offline_written w;
	struct cache_offline_result res;
	struct cache_offline *o = NULL;
	struct cache_set *set = NULL;
	int ret = cache_offline_open(dev, 0, NULL, &found, &set, err);

	if (!ret)
		ret = cache_offline_new(set, &opts, &o, err);
	if (!ret)
		ret = cache_offline_run(o, &res, err);
	if (!ret)
		ret = cache_offline_plan(o, &w, err);
	cache_offline_free(o);
	cache_set_close(set);
	return ret;
}

TEST(each_failed_allocation_of_the_allocator_on_a_set_is_reported)
{
	struct cache_dev *base = set_open("registered");

	for (unsigned points = 0; points < 2; points++) {
		bool struck = true;

		for (uint64_t n = 1; struck; n++) {
			struct cache_err err = { 0 };

			crash_alloc_fail(n);
			struck = crash_alloc_said(allocate(base, points * 4, &err), &err);
		}
	}
	cache_dev_close(base);
}

TEST(each_failed_allocation_of_a_benchmark_is_reported)
{
	static struct cache_bench_result r;
	static const struct cache_bench_opts rows[] = {
		{ .workload = CACHE_BENCH_CLEAN }, { .workload = CACHE_BENCH_WRITEBACK },
		{ .workload = CACHE_BENCH_WRITEBACK, .reference = true },
		{ .workload = CACHE_BENCH_CLEAN, .commit = CACHE_BENCH_COMMIT_MEMORY },
		{ .workload = CACHE_BENCH_CLEAN, .commit = CACHE_BENCH_COMMIT_MEMORY,
		  .reference = true },
		{ .workload = CACHE_BENCH_CLEAN, .sectors = true, .write_points = 4 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cache_bench_opts o = rows[i];
		bool struck = true;

		o.nbuckets = 4096;
		o.first_bucket = 1;
		o.bucket_sectors = 1024;
		o.count = 500;
		o.threads = 1;
		o.seed = 1;
		o.commit_fd = -1;
		for (uint64_t n = 1; struck; n++) {
			struct cache_err err = { 0 };

			crash_alloc_fail(n);
			struck = crash_alloc_said(cache_bench_run(&o, NULL, &r, &err), &err);
		}
	}
}

TEST_MAIN()
