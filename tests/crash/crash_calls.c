// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls that fail, are interrupted or do half, each one in turn: a device in a
 * file, its undo file, a header backup. What can be carried on is; what cannot is said,
 * and the undo file gives back what was there.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev/dev_ops.h"
#include <libcache/backup.h>
#include "format/super.h"
#include "dev/dev.h"
#include "dev/dev_fault.h"
#include "base/types.h"
#include "test.h"
#include "wrap.h"

#define NSECTORS	1024u
#define NBYTES		(NSECTORS * CACHE_SECTOR_BYTES)

/* The n-th call of one kind goes wrong. */
enum call {
	CALL_READ, CALL_WRITE, CALL_SYNC, CALL_OPEN, CALL_STAT, CALL_TRUNCATE,
	CALL_RING, CALL_SUBMIT, CALL_REAP, CALL_IOCTL, CALL_CLOSE
};

enum effect { FAILS, INTERRUPTED, SHORT, NOTHING };

static struct {
	enum call call;
	enum effect effect;
	unsigned at, seen;
	int error;		/* 0: ENOSPC */
	int pipe;		/* what is waited for comes from here, when it is waited for again */
} fault;

/* The file passes for a block device with such blocks; 0: it does not. */
static int block_bytes;
static bool path_changes;	/* between stat() and open() */

static void arm(enum call call, enum effect effect, unsigned at)
{
	fault.call = call;
	fault.effect = effect;
	fault.seen = 0;
	fault.at = at;
}

static bool strikes(enum call call)
{
	if (call != fault.call || !fault.at || ++fault.seen != fault.at)
		return false;
	errno = fault.effect == INTERRUPTED ? EINTR : fault.error ? fault.error : ENOSPC;
	return true;
}

/* A transfer of @nbytes: true when it is to return *@ret; else it does *@nbytes. */
static bool transfer(enum call call, size_t *nbytes, ssize_t *ret)
{
	if (!strikes(call))
		return false;
	*ret = fault.effect == NOTHING ? 0 : -1;
	if (fault.effect != SHORT)
		return true;
	if (*nbytes >= 2 * CACHE_PAGE_BYTES)	/* what bypasses the page cache stays aligned */
		*nbytes = *nbytes / 2 & ~(size_t)(CACHE_PAGE_BYTES - 1);
	else if (*nbytes % CACHE_SECTOR_BYTES)
		*nbytes /= 2;
	return false;
}

#define WRAP_TRANSFER(call, name, buf_type, params, args)		\
	ssize_t __real_##name params;					\
	ssize_t __wrap_##name params;					\
	ssize_t __wrap_##name params					\
	{								\
		ssize_t ret;						\
									\
		return transfer(call, &n, &ret) ? ret : __real_##name args; \
	}

#define WRAP(call, type, name, params, args)				\
	type __real_##name params;					\
	type __wrap_##name params;					\
	type __wrap_##name params					\
	{								\
		return strikes(call) ? -1 : __real_##name args;		\
	}

WRAP_TRANSFER(CALL_READ, pread64, void *, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
WRAP_TRANSFER(CALL_WRITE, pwrite64, const void *, (int fd, const void *p, size_t n, off_t at),
	      (fd, p, n, at))
WRAP_TRANSFER(CALL_WRITE, write, const void *, (int fd, const void *p, size_t n), (fd, p, n))
WRAP(CALL_SYNC, int, fsync, (int fd), (fd))
WRAP(CALL_SYNC, int, fdatasync, (int fd), (fd))
WRAP(CALL_OPEN, int, open64, (const char *path, int flags, int mode), (path, flags, mode))
/* what FORTIFY_SOURCE makes of one without a mode */
WRAP(CALL_OPEN, int, __open64_2, (const char *path, int flags), (path, flags))
WRAP(CALL_TRUNCATE, int, ftruncate64, (int fd, off_t size), (fd, size))

/* Closed it is, whatever it says. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	int ret = __real_close(fd);

	return strikes(CALL_CLOSE) ? -1 : ret;
}

int __real_stat64(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st)
{
	int ret = __real_stat64(path, st);

	if (!ret && block_bytes)
		st->st_mode = S_IFBLK;
	return ret;
}

int __real_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st)
{
	int ret = strikes(CALL_STAT) ? -1 : __real_fstat64(fd, st);

	if (!ret && block_bytes && !path_changes)
		st->st_mode = S_IFBLK;
	return ret;
}

int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	if (strikes(CALL_IOCTL))
		return -1;
	if (request == BLKGETSIZE64)
		*(uint64_t *)arg = NBYTES;
	else if (request == BLKSSZGET)
		*(int *)arg = block_bytes;
	return 0;
}

/* These return what went wrong. */
#define WRAP_RING(call, name, params, args)				\
	int __real_##name params;					\
	int __wrap_##name params;					\
	int __wrap_##name params					\
	{								\
		return strikes(call) ? -errno : __real_##name args;	\
	}

WRAP_RING(CALL_RING, io_uring_queue_init, (unsigned n, struct io_uring *r, unsigned flags),
	  (n, r, flags))
WRAP_RING(CALL_SUBMIT, io_uring_submit, (struct io_uring *r), (r))

int __real___io_uring_get_cqe(struct io_uring *r, struct io_uring_cqe **cqe, unsigned submit,
			      unsigned wait, sigset_t *mask);
int __wrap___io_uring_get_cqe(struct io_uring *r, struct io_uring_cqe **cqe, unsigned submit,
			      unsigned wait, sigset_t *mask);
int __wrap___io_uring_get_cqe(struct io_uring *r, struct io_uring_cqe **cqe, unsigned submit,
			      unsigned wait, sigset_t *mask)
{
	char xs[2 * CACHE_SECTOR_BYTES];

	if (strikes(CALL_REAP))
		return -errno;
	if (fault.pipe) {
		memset(xs, 'x', sizeof(xs));
		CHECK_EQ(write(fault.pipe, xs, sizeof(xs)), (ssize_t)sizeof(xs));
		fault.pipe = 0;
	}
	return __real___io_uring_get_cqe(r, cqe, submit, wait, mask);
}

/* What the kernel took and has not answered may still be written to. */
void __real_io_uring_queue_exit(struct io_uring *r);
void __wrap_io_uring_queue_exit(struct io_uring *r);
void __wrap_io_uring_queue_exit(struct io_uring *r)
{
	CHECK_EQ(*r->sq.khead, *r->cq.khead);
	__real_io_uring_queue_exit(r);
}

struct place {
	unsigned flags;		/* to open the device with */
	bool until_closed;	/* faults strike while the device is closed, too */
	char dir[32], dev[48], undo[48];
	char *was, *now;
};

static void fill(char *p, unsigned seed)
{
	for (size_t i = 0; i < NBYTES; i++)
		p[i] = (i * 31 + i / 512 * 7) * seed;
}

static void put_file(const char *path, const char *p)
{
	FILE *f = fopen(path, "w");

	CHECK(f);
	CHECK_EQ(fwrite(p, 1, NBYTES, f), NBYTES);
	CHECK_EQ(fclose(f), 0);
}

static void has(const char *path, const char *want)
{
	char *got = malloc(NBYTES);
	FILE *f = fopen(path, "r");

	CHECK(f);
	CHECK_EQ(fread(got, 1, NBYTES, f), NBYTES);
	fclose(f);
	CHECK_MEM(got, want, NBYTES);
	free(got);
}

static struct place place_new(unsigned flags)
{
	struct place p = { .flags = CACHE_DEV_READ | CACHE_DEV_WRITE | CACHE_DEV_EXCL | flags,
			   .dir = "/tmp/calls.XXXXXX" };

	fault.at = 0;
	CHECK(mkdtemp(p.dir));
	snprintf(p.dev, sizeof(p.dev), "%s/dev", p.dir);
	snprintf(p.undo, sizeof(p.undo), "%s/undo", p.dir);
	p.was = cache_dev_buf(NBYTES);
	p.now = cache_dev_buf(NBYTES);
	fill(p.was, 3);
	fill(p.now, 5);
	put_file(p.dev, p.was);
	return p;
}

static void place_free(struct place *p)
{
	unlink(p->dev);
	unlink(p->undo);
	rmdir(p->dir);
	free(p->was);
	free(p->now);
}

/* All of the device rewritten, an undo file beside it. */
static int rewrite(const struct place *p, struct cache_err *err)
{
	struct cache_dev *file = NULL, *dev = NULL;
	int ret = cache_dev_open(p->dev, p->flags, &file, err);

	if (!ret)
		ret = cache_dev_undo_new(file, p->undo, NULL, &dev, err);
	if (!ret)
		ret = cache_dev_write(dev, 0, 3, p->now, err);
	if (!ret)
		ret = cache_dev_write(dev, 3, NSECTORS - 3, p->now + 3 * CACHE_SECTOR_BYTES, err);
	if (!ret)
		ret = cache_dev_flush(dev, err);
	if (!p->until_closed)
		fault.at = 0;
	cache_dev_close(dev);
	return ret;
}

static int take_back(const struct place *p, struct cache_err *err)
{
	struct cache_undo *u = NULL;
	struct cache_dev *dev = NULL;
	int ret = cache_undo_open(p->undo, NULL, NULL, &u, err);

	if (!ret)
		ret = cache_dev_open(p->dev, CACHE_DEV_READ | CACHE_DEV_WRITE, &dev, err);
	if (!ret)
		ret = cache_undo_check(u, dev, err);
	if (!ret)
		ret = cache_undo_apply(u, dev, err);
	cache_dev_close(dev);
	cache_undo_close(u);
	return ret;
}

/* Without an undo file to speak of, nothing was written either. */
static void is_given_back(const struct place *p)
{
	struct cache_err err = { 0 };
	int ret = access(p->undo, F_OK) ? 0 : take_back(p, &err);

	if (ret && ret != -EBADMSG)
		TEST_FAIL("not taken back: %d %s", ret, err.text);
	has(p->dev, p->was);
}

/* One run with a fault; false: there was no such call. */
static bool rewrite_badly(unsigned flags, enum call call, enum effect effect, unsigned at)
{
	struct place p = place_new(flags);
	struct cache_err err = { 0 };
	bool struck, fatal = effect == FAILS || effect == NOTHING;
	int ret;

	arm(call, effect, at);
	ret = rewrite(&p, &err);
	struck = fault.seen >= at;
	fault.at = 0;
	if (!ret != !(struck && fatal))
		TEST_FAIL("call %u, effect %u, the %u.: %d %s", call, effect, at, ret, err.text);
	if (ret && !err.text[0])
		TEST_FAIL("call %u, effect %u, the %u.: not a word", call, effect, at);
	if (!ret)
		has(p.dev, p.now);
	is_given_back(&p);
	place_free(&p);
	return struck;
}

/* Every call of a kind in turn, through the page cache and past it. */
static unsigned rewrite_each_badly(enum call call, enum effect effect)
{
	unsigned runs = 0;

	for (unsigned at = 1; rewrite_badly(0, call, effect, at); at++)
		runs++;
	for (unsigned at = 1; rewrite_badly(CACHE_DEV_DIRECT, call, effect, at); at++)
		runs++;
	CHECK(runs);
	return runs;
}

TEST(a_writer_whose_calls_fail_says_so_and_can_be_undone)
{
	static const enum call calls[] = { CALL_READ, CALL_WRITE, CALL_SYNC, CALL_OPEN,
					   CALL_STAT };
	unsigned runs = rewrite_each_badly(CALL_WRITE, NOTHING) +
			rewrite_each_badly(CALL_READ, NOTHING);

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		runs += rewrite_each_badly(calls[i], FAILS);
	printf("# %u runs with a call that fails\n", runs);
}

/* Its closing record is not there then, as if it had been killed. */
TEST(an_undo_file_that_cannot_be_closed_is_as_good)
{
	bool struck = true;

	for (unsigned at = 1; struck; at++) {
		struct place p = place_new(0);
		struct cache_err err = { 0 };

		p.until_closed = true;
		arm(at % 2 ? CALL_WRITE : CALL_SYNC, FAILS, (at + 1) / 2);
		rewrite(&p, &err);
		struck = fault.seen >= fault.at;
		fault.at = 0;
		is_given_back(&p);
		place_free(&p);
	}
}

TEST(a_writer_that_is_interrupted_or_does_half_goes_on)
{
	unsigned runs = 0;

	for (enum effect e = INTERRUPTED; e <= SHORT; e++)
		runs += rewrite_each_badly(CALL_READ, e) + rewrite_each_badly(CALL_WRITE, e);
	printf("# %u runs with a call that does less\n", runs);
}

TEST(a_writer_without_memory_says_so_and_can_be_undone)
{
	bool struck = true;

	for (uint64_t n = 1; struck; n++) {
		struct place p = place_new(CACHE_DEV_DIRECT);
		struct cache_err err = { 0 };

		crash_alloc_fail(n);
		struck = crash_alloc_said(rewrite(&p, &err), &err);
		is_given_back(&p);
		place_free(&p);
	}
}

/* The reader of the undo file in the same way; afterwards it still can be done. */
static bool take_back_badly(const struct place *p, enum call call, enum effect effect, unsigned at)
{
	bool struck, fatal = effect == FAILS || effect == NOTHING;
	struct cache_err err = { 0 };
	int ret;

	put_file(p->dev, p->now);
	arm(call, effect, at);
	ret = take_back(p, &err);
	struck = fault.seen >= at;
	fault.at = 0;
	if (ret && (!struck || !fatal || !err.text[0]))
		TEST_FAIL("call %u, effect %u, the %u.: %d %s", call, effect, at, ret, err.text);
	if (ret)
		CHECK_EQ(take_back(p, NULL), 0);
	if (!ret && !struck)
		has(p->dev, p->was);
	return struck;
}

TEST(an_undo_whose_calls_fail_says_so_and_can_be_run_again)
{
	static const enum call calls[] = { CALL_READ, CALL_WRITE, CALL_SYNC, CALL_OPEN, CALL_STAT };
	struct place p = place_new(0);
	unsigned runs = 0;

	CHECK_EQ(rewrite(&p, NULL), 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (enum effect e = FAILS; e <= (i < 2 ? NOTHING : FAILS); e++)
			for (unsigned at = 1; take_back_badly(&p, calls[i], e, at); at++)
				runs++;
	printf("# %u runs with a call that fails or does less\n", runs);
	place_free(&p);
}

/* Of a backing device. */
static void make_super(struct cache_backup *b)
{
	struct cache_sb sb = {
		.offset_sector = CACHE_SB_SECTOR, .version = CACHE_SB_VERSION_BDEV,
		.uuid = { 1 }, .block_sectors = 1,
	};

	memcpy(sb.magic, cache_sb_magic, sizeof(sb.magic));
	cache_sb_encode(&sb, b->super);
}

/* One save and one read with a fault each; false: there was no such call. */
static bool back_up_badly(enum call call, enum effect effect, unsigned at)
{
	struct cache_backup b = { .dev_sectors = 4096, .device = "dev" }, again;
	/* a folder that was synced, and a file that was read, may fail to close */
	bool struck, fatal = (effect == FAILS || effect == NOTHING) && (call != CALL_CLOSE || at == 1);
	struct place p = place_new(0);
	struct cache_err err = { 0 };
	int ret;

	make_super(&b);
	arm(call, effect, at);
	ret = cache_backup_save(&b, p.undo, &err);
	struck = fault.seen >= at;
	if (!ret != !(struck && fatal) || !ret != !access(p.undo, F_OK) || !ret != !err.text[0])
		TEST_FAIL("call %u, effect %u, the %u.: %d %s", call, effect, at, ret, err.text);
	if (!ret && !struck) {
		ret = cache_backup_read(p.undo, &again, &err);
		struck = fault.seen >= at;
		if (!ret != !(struck && fatal) || !ret != !err.text[0])
			TEST_FAIL("call %u, effect %u, the %u. to read: %d %s", call, effect, at,
				  ret, err.text);
	}
	if (!ret && !access(p.undo, F_OK)) {
		fault.at = 0;
		CHECK_EQ(cache_backup_read(p.undo, &again, NULL), 0);
		CHECK_MEM(again.super, b.super, sizeof(b.super));
	}
	fault.at = 0;
	place_free(&p);
	return struck;
}

TEST(a_backup_whose_calls_fail_is_not_there_and_not_believed)
{
	static const enum call calls[] = { CALL_READ, CALL_WRITE, CALL_SYNC, CALL_OPEN, CALL_STAT,
					   CALL_CLOSE };
	unsigned runs = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (enum effect e = FAILS; e <= (i < 2 ? NOTHING : FAILS); e++)
			for (unsigned at = 1; back_up_badly(calls[i], e, at); at++)
				runs++;
	CHECK(runs >= 14);
	printf("# %u runs with a call that fails or does less\n", runs);
}

/* A superblock in memory, behind a wrapper, and a backup of it. */
static int back_up_memory(struct cache_backup *b, struct cache_err *err)
{
	struct cache_fault fault = { 0 };
	struct cache_dev *dev;
	int ret = cache_dev_mem_new("mem", 64, &dev, err);

	if (!ret)
		ret = cache_dev_fault_new(dev, &fault, &dev, err);
	if (ret)
		return ret;
	make_super(b);
	CHECK_EQ(cache_dev_write(dev, CACHE_SB_SECTOR, 8, b->super, NULL), 0);
	ret = cache_backup_take(dev, 0, b, err);
	cache_dev_close(dev);
	return ret;
}

TEST(a_backup_and_the_device_it_is_of_say_what_memory_they_lack)
{
	bool struck = true;

	for (uint64_t n = 1; struck; n++) {
		struct cache_backup b = { 0 };
		struct cache_err err = { 0 };

		crash_alloc_fail(n);
		struck = crash_alloc_said(back_up_memory(&b, &err), &err);
	}
}

/* Reads of many places at once, from @dev as it was. */
static int read_batch(struct cache_dev *dev, const struct place *p, unsigned n)
{
	struct cache_dev_req req[256];
	char *buf = cache_dev_buf(256 * CACHE_PAGE_BYTES);
	int ret;

	for (unsigned i = 0; i < n; i++)
		req[i] = (struct cache_dev_req){ .sector = i * 37 % 127 * 8, .nsectors = 8,
						 .buf = buf + i * CACHE_PAGE_BYTES };
	ret = cache_dev_read_many(dev, req, n);
	for (unsigned i = 0; i < n && !ret; i++) {
		ret = req[i].result;
		if (!ret)
			CHECK_MEM(req[i].buf, p->was + req[i].sector * CACHE_SECTOR_BYTES,
				  CACHE_PAGE_BYTES);
	}
	free(buf);
	return ret;
}

TEST(a_batch_that_the_ring_does_not_take_is_read_anyway)
{
	static const enum call calls[] = { CALL_RING, CALL_SUBMIT, CALL_REAP };
	unsigned runs = 0;

	for (unsigned i = 0; i < 2 * sizeof(calls) / sizeof(*calls); i++) {
		struct place p = place_new(0);
		struct cache_dev *dev;

		CHECK_EQ(cache_dev_open(p.dev, CACHE_DEV_READ, &dev, NULL), 0);
		arm(calls[i / 2], i & 1 ? INTERRUPTED : FAILS, 1);
		CHECK_EQ(read_batch(dev, &p, 200), 0);
		runs += fault.seen >= 1;
		fault.at = 0;
		CHECK_EQ(read_batch(dev, &p, 200), 0);
		cache_dev_close(dev);
		place_free(&p);
	}
	printf("# %u runs with a ring that fails\n", runs);
}

/* Reads that the kernel cannot answer yet, from a pipe with nothing in it. */
TEST(what_is_in_flight_when_waiting_fails_is_awaited_anyway)
{
	struct cache_uring *ring = NULL;
	struct cache_dev_req req[2];
	int fd[2], ret;

	for (unsigned i = 0; i < 2; i++)
		req[i] = (struct cache_dev_req){ .nsectors = 1,
						 .buf = cache_dev_buf(CACHE_SECTOR_BYTES) };
	CHECK_EQ(pipe(fd), 0);
	arm(CALL_REAP, FAILS, 1);
	fault.pipe = fd[1];
	ret = cache_uring_read_many(&ring, fd[0], req, 2);
	if (ret == -ENOSYS)
		SKIP("no io_uring here");
	CHECK_EQ(ret, 0);
	CHECK(fault.seen > 1);
	CHECK(!ring);
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(req[i].result, 0);
		CHECK_EQ(*(char *)req[i].buf, 'x');
		free(req[i].buf);
	}
	close(fd[0]);
	close(fd[1]);
	fault.at = 0;
}

TEST(a_batch_past_the_end_of_a_file_cut_short_is_an_error)
{
	struct place p = place_new(0);
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_open(p.dev, CACHE_DEV_READ, &dev, NULL), 0);
	CHECK_EQ(truncate(p.dev, NBYTES / 2), 0);
	CHECK_EQ(read_batch(dev, &p, 200), -EIO);
	cache_dev_close(dev);
	place_free(&p);
}

static int open_block(const struct place *p, int nbytes, struct cache_dev **dev,
		      struct cache_err *err)
{
	int ret;

	memset(err, 0, sizeof(*err));
	block_bytes = nbytes;
	ret = cache_dev_open(p->dev, CACHE_DEV_WRITE | CACHE_DEV_EXCL, dev, err);
	block_bytes = 0;
	if (ret)
		CHECK(err->text[0]);
	return ret;
}

TEST(a_block_device_is_what_its_driver_says_or_is_not_opened)
{
	struct place p = place_new(0);
	struct cache_err err;
	struct cache_dev *dev;

	CHECK_EQ(open_block(&p, 4096, &dev, &err), 0);
	CHECK_EQ(cache_dev_sectors(dev), NSECTORS);
	CHECK_EQ(cache_dev_logical_block_bytes(dev), 4096);
	cache_dev_close(dev);
	CHECK_EQ(open_block(&p, 256, &dev, &err), -EINVAL);
	CHECK_EQ(open_block(&p, 3072, &dev, &err), -EINVAL);
	path_changes = true;
	CHECK_EQ(open_block(&p, 512, &dev, &err), -EAGAIN);
	path_changes = false;
	for (unsigned at = 1; at <= 2; at++) {
		arm(CALL_IOCTL, FAILS, at);
		CHECK_EQ(open_block(&p, 512, &dev, &err), -ENOSPC);
	}
	arm(CALL_OPEN, FAILS, 1);
	fault.error = EBUSY;
	CHECK_EQ(open_block(&p, 512, &dev, &err), -EBUSY);
	CHECK(strstr(err.text, "in use by the kernel"));
	fault.error = 0;
	place_free(&p);
}

TEST(a_discard_that_a_device_does_not_know_is_no_error)
{
	struct place p = place_new(0);
	struct cache_err err;
	struct cache_dev *dev;

	CHECK_EQ(open_block(&p, 512, &dev, &err), 0);
	CHECK_EQ(cache_dev_discard(dev, 0, 8, &err), 0);
	arm(CALL_IOCTL, FAILS, 1);
	fault.error = EOPNOTSUPP;
	CHECK_EQ(cache_dev_discard(dev, 0, 8, &err), 0);
	fault.seen = 0;
	fault.error = EIO;
	CHECK_EQ(cache_dev_discard(dev, 0, 8, &err), -EIO);
	fault.error = 0;
	cache_dev_close(dev);
	has(p.dev, p.was);
	place_free(&p);
}

TEST_MAIN()
