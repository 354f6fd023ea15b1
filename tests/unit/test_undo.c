// SPDX-License-Identifier: GPL-2.0-only
/* The undo device: saved before it is written, put back exactly, never to another. */
#include <libcache/device.h>

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dev/dev_ops.h"
#include "dev/dev_fault.h"
#include "base/rng.h"
#include "base/types.h"
#include "dev/undo_disk.h"
#include "new_file.h"
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#define SECTORS	4096u

static struct cache_dev *random_dev(uint64_t seed, void **before)
{
	struct cache_dev *dev;
	struct cache_rng rng;

	CHECK_EQ(cache_dev_mem_new("mem", SECTORS, &dev, NULL), 0);
	cache_rng_init(&rng, seed);
	for (unsigned i = 0; i < SECTORS * 64; i++)
		((uint64_t *)dev->priv)[i] = cache_rng_u64(&rng);
	if (before)
		*before = memcpy(malloc(SECTORS * 512), dev->priv, SECTORS * 512);
	return dev;
}

/* A device that outlives its wrapper. */
static int pass_read(struct cache_dev *dev, uint64_t sector, uint64_t n, void *buf)
{
	return cache_dev_read(dev->priv, sector, n, buf, NULL);
}

static int pass_write(struct cache_dev *dev, uint64_t sector, uint64_t n, const void *buf)
{
	return cache_dev_write(dev->priv, sector, n, buf, NULL);
}

static int pass_flush(struct cache_dev *dev)
{
	return 0;
}

static const struct cache_dev_ops pass_ops = {
	.read = pass_read, .write = pass_write, .flush = pass_flush,
};

static struct cache_dev *lend(struct cache_dev *mem)
{
	struct cache_dev *dev = cache_dev_alloc(&pass_ops, "mem");

	dev->sectors = mem->sectors;
	dev->writable = true;
	dev->priv = mem;
	return dev;
}

static struct cache_dev *saved(struct cache_dev *mem, const char *path)
{
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_undo_new(lend(mem), path, NULL, &dev, NULL), 0);
	return dev;
}

#define AREA	320u		/* sectors, where writes go */

/* Writes that overlap in every way. */
static void scribble_at_most(struct cache_dev *dev, uint64_t seed, unsigned writes,
			     unsigned sectors)
{
	struct cache_rng rng;
	char *buf = cache_dev_buf(64 * 512);

	cache_rng_init(&rng, seed);
	while (writes--) {
		uint64_t n = 1 + cache_rng_below(&rng, sectors);

		memset(buf, (int)cache_rng_u64(&rng), n * 512);
		CHECK_EQ(cache_dev_write(dev, cache_rng_below(&rng, 256), n, buf, NULL), 0);
	}
	free(buf);
}

static void scribble(struct cache_dev *dev, uint64_t seed, unsigned writes)
{
	scribble_at_most(dev, seed, writes, 63);
}

static struct cache_undo *opened(const char *path)
{
	struct cache_undo *u;

	CHECK_EQ(cache_undo_open(path, NULL, NULL, &u, NULL), 0);
	return u;
}

static void gives_back(struct cache_undo *u, struct cache_dev *mem, const void *before)
{
	CHECK_EQ(cache_undo_check(u, mem, NULL), 0);
	CHECK_EQ(cache_undo_apply(u, mem, NULL), 0);
	CHECK_MEM(mem->priv, before, SECTORS * 512);
}

/* @u and @before may be NULL. */
static void end(struct cache_undo *u, struct cache_dev *mem, void *before)
{
	cache_undo_close(u);
	cache_dev_close(mem);
	free(before);
	unlink(file);
}

TEST(everything_comes_back_through_overlapping_writes)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		void *before;
		struct cache_dev *mem = random_dev(seed, &before);
		struct cache_dev *dev = saved(mem, new_file());
		struct cache_undo *u;

		scribble(dev, seed, 50);
		cache_dev_close(dev);
		CHECK(memcmp(mem->priv, before, SECTORS * 512));
		u = opened(file);
		CHECK_EQ(cache_undo_records(u), 50);
		gives_back(u, mem, before);
		CHECK_STR(cache_undo_device(u), "mem");
		end(u, mem, before);
	}
}

/* An undo cut off after any number of its writes is an undo that can be done again. */
TEST(an_undo_cut_off_can_be_done_again)
{
	for (unsigned at = 1; at <= 30; at++) {
		struct cache_fault fault = {
			.kinds = CACHE_FAULT_WRITE, .at = at, .effect = CACHE_FAULT_SHORT,
			.error = -EIO,
		};
		void *before;
		struct cache_dev *mem = random_dev(at, &before), *dev = saved(mem, new_file());
		struct cache_undo *u;

		scribble(dev, at, 30);
		cache_dev_close(dev);
		u = opened(file);
		CHECK_EQ(cache_dev_fault_new(lend(mem), &fault, &dev, NULL), 0);
		CHECK_EQ(cache_undo_apply(u, dev, NULL), -EIO);
		cache_dev_close(dev);
		gives_back(u, mem, before);
		CHECK_EQ(cache_undo_check(u, mem, NULL), 0);
		end(u, mem, before);
	}
}

TEST(a_write_longer_than_a_record_comes_back)
{
	void *before;
	struct cache_dev *mem = random_dev(1, &before);
	struct cache_dev *dev = saved(mem, new_file());
	char *zeros = cache_dev_buf(3000 * 512);
	struct cache_undo *u;

	CHECK_EQ(cache_dev_write(dev, 7, 3000, zeros, NULL), 0);
	cache_dev_close(dev);
	u = opened(file);
	CHECK_EQ(cache_undo_sectors(u), 3000);
	gives_back(u, mem, before);
	end(u, mem, before);
	free(zeros);
}

/* Cut the writer off at its n-th write, after half of it: the file knows all of it. */
TEST(a_writer_cut_off_in_any_write_can_be_undone)
{
	for (unsigned at = 1; at <= 20; at++) {
		struct cache_fault fault = {
			.kinds = CACHE_FAULT_WRITE, .at = at, .effect = CACHE_FAULT_SHORT,
			.error = -EIO,
		};
		void *before;
		struct cache_dev *mem = random_dev(at, &before), *under, *dev;
		char *buf = cache_dev_buf(16 * 512);
		struct cache_undo *u;
		int ret = 0;

		CHECK_EQ(cache_dev_fault_new(lend(mem), &fault, &under, NULL), 0);
		CHECK_EQ(cache_dev_undo_new(under, new_file(), NULL, &dev, NULL), 0);
		for (unsigned i = 0; i < 20 && !ret; i++)
			ret = cache_dev_write(dev, i * 5, 16, buf, NULL);
		CHECK_EQ(ret, -EIO);
		cache_dev_close(dev);
		u = opened(file);
		CHECK_EQ(cache_undo_records(u), at);
		gives_back(u, mem, before);
		end(u, mem, before);
		free(buf);
	}
}

/* Bytes of a file, to be changed and written again. */
struct bytes {
	char *p;
	size_t n;
};

static struct bytes file_bytes(void)
{
	struct bytes b;
	struct stat st;
	int fd = open(file, O_RDONLY);

	CHECK(fd >= 0 && !fstat(fd, &st));
	b.n = st.st_size;
	b.p = malloc(b.n);
	CHECK_EQ(read(fd, b.p, b.n), (ssize_t)b.n);
	close(fd);
	return b;
}

static void put_bytes(const struct bytes *b, size_t n)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, b->p, n), (ssize_t)n);
	close(fd);
}

static int take_back(struct cache_dev *mem)
{
	struct cache_undo *u = NULL;
	int ret = cache_undo_open(file, NULL, NULL, &u, NULL);

	if (!ret)
		ret = cache_undo_check(u, mem, NULL);
	if (!ret)
		ret = cache_undo_apply(u, mem, NULL);
	cache_undo_close(u);
	return ret;
}

/* Refused and nothing written, or all of @before is there again. Whether it is. */
static bool is_all_or_nothing(struct cache_dev *mem, const void *before, const void *after,
			      const char *what, size_t at)
{
	int ret = take_back(mem);

	if (memcmp(mem->priv, ret ? after : before, AREA * 512))
		TEST_FAIL("%s %zu: a mixture, and it returned %d", what, at, ret);
	memcpy(mem->priv, after, AREA * 512);
	return !ret;
}

/* A writer that was closed, or killed and its closing record never written. */
struct writer {
	struct cache_dev *mem;
	void *before, *after;
	struct bytes bytes;
	bool closed;
};

static struct writer writer_run(uint64_t seed, unsigned writes, unsigned sectors, bool closed)
{
	struct writer w = { .closed = closed };
	struct cache_dev *dev;

	w.mem = random_dev(seed, &w.before);
	dev = saved(w.mem, new_file());
	scribble_at_most(dev, seed, writes, sectors);
	cache_dev_close(dev);
	w.after = memcpy(malloc(SECTORS * 512), w.mem->priv, SECTORS * 512);
	w.bytes = file_bytes();
	if (!closed)
		w.bytes.n -= sizeof(struct cache_undo_end_disk);
	put_bytes(&w.bytes, w.bytes.n);
	return w;
}

static void writer_fini(struct writer *w)
{
	free(w->after);
	free(w->bytes.p);
	end(NULL, w->mem, w->before);
}

/* Of larger files not every byte: a few hundred places, or as UNDO_STEP says. */
static size_t large_step(void)
{
	const char *s = getenv("UNDO_STEP");

	return s ? strtoul(s, NULL, 0) : 2111;
}

/* Without its closing record it is the file of a writer that was killed, and as good. */
static void cut_file(unsigned writes, unsigned sectors, size_t step)
{
	struct writer w = writer_run(writes + 1, writes, sectors, true);
	size_t whole = w.bytes.n - sizeof(struct cache_undo_end_disk);
	size_t counts = 2 * CACHE_UNDO_COUNT_AT + sizeof(struct cache_undo_count_disk);

	for (size_t n = w.bytes.n; n; n -= n > step ? step : n) {
		CHECK_EQ(truncate(file, n), 0);
		CHECK_EQ(is_all_or_nothing(w.mem, w.before, w.after, "cut at", n),
			 n >= (writes ? whole : counts));
	}
	writer_fini(&w);
}

TEST(a_file_cut_off_at_any_byte_gives_all_back_or_writes_nothing)
{
	cut_file(0, 1, 1);
	cut_file(1, 1, 1);
	cut_file(4, 1, 1);
	for (unsigned writes = 5; writes < 12; writes++)
		cut_file(writes, 63, large_step());
}

static void change_file(unsigned writes, unsigned sectors, size_t step, bool closed)
{
	struct writer w = writer_run(writes, writes, sectors, closed);
	int fd = open(file, O_WRONLY);

	CHECK(fd >= 0);
	for (size_t at = 0; at < w.bytes.n; at += step) {
		char c = w.bytes.p[at] ^ 1 << at % 8;

		CHECK_EQ(pwrite(fd, &c, 1, at), 1);
		is_all_or_nothing(w.mem, w.before, w.after, "changed at", at);
		CHECK_EQ(pwrite(fd, &w.bytes.p[at], 1, at), 1);
	}
	close(fd);
	writer_fini(&w);
}

TEST(a_byte_changed_anywhere_gives_all_back_or_writes_nothing)
{
	change_file(1, 1, 1, true);
	change_file(4, 1, 1, true);
	change_file(4, 1, 1, false);
	for (unsigned writes = 5; writes < 11; writes++)
		change_file(writes, 63, large_step(), writes % 2);
}

/* Records of another run, or in another order, are no part of this one. */
TEST(a_record_that_is_missing_twice_there_or_from_another_file_is_refused)
{
	struct writer w = writer_run(1, 0, 1, true), other;
	size_t one = 64 + 8 + 512, at = CACHE_UNDO_RECORDS_AT;
	struct cache_dev *dev = saved(w.mem, new_file());
	char sector[512] = { 0 }, copy[64 + 8 + 512];

	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(cache_dev_write(dev, i, 1, sector, NULL), 0);
	cache_dev_close(dev);
	memcpy(w.after, w.mem->priv, SECTORS * 512);
	free(w.bytes.p);
	w.bytes = file_bytes();
	memcpy(copy, w.bytes.p + at + one, one);
	memmove(w.bytes.p + at + one, w.bytes.p + at + 2 * one, w.bytes.n - at - 2 * one);
	put_bytes(&w.bytes, w.bytes.n - one);
	CHECK(!is_all_or_nothing(w.mem, w.before, w.after, "missing", 1));
	memmove(w.bytes.p + at + 2 * one, w.bytes.p + at + one, w.bytes.n - at - 2 * one);
	memcpy(w.bytes.p + at + one, w.bytes.p + at + 2 * one, one);
	put_bytes(&w.bytes, w.bytes.n);
	CHECK(!is_all_or_nothing(w.mem, w.before, w.after, "twice", 1));
	other = writer_run(9, 3, 63, true);
	memcpy(w.bytes.p + at + one, other.bytes.p + at, one);
	put_bytes(&w.bytes, w.bytes.n);
	CHECK(!is_all_or_nothing(w.mem, w.before, w.after, "foreign", 1));
	writer_fini(&other);
	writer_fini(&w);
}

/* The power failed after the count was on disk, and before the record was. */
TEST(a_record_that_is_missing_does_not_matter_if_its_write_never_began)
{
	struct writer w = writer_run(1, 6, 63, false);
	struct cache_undo *u;
	size_t n;

	u = opened(file);
	CHECK(!cache_undo_is_closed(u));
	CHECK_EQ(cache_undo_records(u), 6);
	cache_undo_close(u);
	n = w.bytes.n - 1;
	put_bytes(&w.bytes, n);
	CHECK_EQ(cache_undo_open(file, NULL, NULL, &u, NULL), 0);
	CHECK_EQ(cache_undo_records(u), 5);
	CHECK_EQ(cache_undo_check(u, w.mem, NULL), -EBADMSG);
	CHECK_EQ(cache_undo_apply(u, w.mem, NULL), -EBADMSG);	/* not with -f either */
	CHECK_MEM(w.mem->priv, w.after, SECTORS * 512);
	cache_undo_close(u);
	/* five writes done, the sixth not */
	memcpy(w.mem->priv, w.before, SECTORS * 512);
	put_bytes(&w.bytes, w.bytes.n);
	{
		struct cache_dev *dev = saved(w.mem, new_file());

		scribble(dev, 1, 5);
		cache_dev_close(dev);
		unlink(file);
	}
	put_bytes(&w.bytes, n);
	CHECK_EQ(take_back(w.mem), 0);
	CHECK_MEM(w.mem->priv, w.before, SECTORS * 512);
	writer_fini(&w);
}

/* Many writes to one place, as a journal makes them: no search in all for each. */
TEST(a_thousand_writes_to_one_sector_are_taken_back)
{
	void *before;
	struct cache_dev *mem = random_dev(1, &before), *dev = saved(mem, new_file());
	char sector[512] = { 0 };
	struct cache_undo *u;

	for (unsigned i = 0; i < 1000; i++) {
		memcpy(sector, &i, sizeof(i));
		CHECK_EQ(cache_dev_write(dev, 7, 1, sector, NULL), 0);
	}
	cache_dev_close(dev);
	u = opened(file);
	CHECK_EQ(cache_undo_records(u), 1000);
	gives_back(u, mem, before);
	end(u, mem, before);
}

TEST(an_undo_file_says_what_it_was_made_for_and_by_whom)
{
	struct cache_undo_origin o = { .program = "a-program", .made = 1700000000,
				       .run_uuid = { 7 }, .dev_uuid = { 9 } };
	struct cache_dev *mem = random_dev(1, NULL), *dev;
	const struct cache_undo_origin *got;
	struct cache_undo *u;

	CHECK_EQ(cache_dev_undo_new(lend(mem), new_file(), &o, &dev, NULL), 0);
	cache_dev_close(dev);
	u = opened(file);
	got = cache_undo_origin(u);
	CHECK_STR(got->program, "a-program");
	CHECK_EQ(got->made, 1700000000);
	CHECK_MEM(got->run_uuid, o.run_uuid, 16);
	CHECK_MEM(got->dev_uuid, o.dev_uuid, 16);
	CHECK(cache_undo_is_closed(u));
	CHECK(!cache_undo_is_exposed(u, getuid()));
	CHECK(getuid() || !cache_undo_is_exposed(u, 1234));	/* root's own */
	cache_undo_close(u);
	CHECK_EQ(chmod(file, 0620), 0);
	u = opened(file);
	CHECK(cache_undo_is_exposed(u, getuid()));
	end(u, mem, NULL);
}

TEST(another_device_is_refused)
{
	struct cache_dev *mem = random_dev(1, NULL), *other = random_dev(2, NULL), *small;
	struct cache_dev *dev = saved(mem, new_file());
	struct cache_err err = { 0 };
	struct cache_undo *u;

	scribble(dev, 3, 10);
	cache_dev_close(dev);
	u = opened(file);
	CHECK_EQ(cache_undo_check(u, other, &err), -ESTALE);
	CHECK(strstr(err.text, "has other content than the undo file says"));
	CHECK_EQ(cache_dev_mem_new("small", 100, &small, NULL), 0);
	CHECK_EQ(cache_undo_check(u, small, NULL), -ERANGE);
	CHECK_EQ(cache_undo_apply(u, small, NULL), -ERANGE);
	cache_undo_close(u);
	cache_dev_close(mem);
	cache_dev_close(other);
	cache_dev_close(small);
	unlink(file);
}

TEST(a_device_written_to_since_is_refused)
{
	struct cache_dev *mem = random_dev(1, NULL), *dev = saved(mem, new_file());
	struct cache_err err = { 0 };
	struct cache_undo *u;

	scribble(dev, 3, 10);
	cache_dev_close(dev);
	u = opened(file);
	CHECK_EQ(cache_undo_check(u, mem, NULL), 0);
	for (unsigned s = 0; s < 300 && !err.code; s++) {
		((char *)mem->priv)[s * 512 + 99] ^= 1;
		cache_undo_check(u, mem, &err);
		((char *)mem->priv)[s * 512 + 99] ^= 1;
	}
	CHECK_EQ(err.code, -ESTALE);
	end(u, mem, NULL);
}

TEST(what_cannot_be_saved_is_not_written)
{
	void *before;
	struct cache_dev *mem = random_dev(1, &before), *dev = saved(mem, new_file());
	struct rlimit old, limit;
	char *zeros = cache_dev_buf(64 * 512);
	struct cache_undo *u;

	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ 4096, old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_EQ(cache_dev_write(dev, 5, 64, zeros, NULL), -EFBIG);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK_MEM(mem->priv, before, SECTORS * 512);
	CHECK_EQ(cache_dev_write(dev, 5, 1, zeros, NULL), 0);	/* and it goes on */
	cache_dev_close(dev);
	u = opened(file);
	CHECK_EQ(cache_undo_records(u), 1);
	end(u, mem, before);
	free(zeros);
}

/* Its name is free for the next run, and nobody takes it for a file that can be applied. */
TEST(an_undo_file_whose_beginning_cannot_be_written_is_not_left)
{
	struct cache_dev *mem = random_dev(1, NULL), *dev;
	struct rlimit old, limit;

	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t nbytes = 0; nbytes < CACHE_UNDO_RECORDS_AT; nbytes += 512) {
		limit = (struct rlimit){ nbytes, old.rlim_max };
		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
		CHECK_EQ(cache_dev_undo_new(lend(mem), new_file(), NULL, &dev, NULL), -EFBIG);
		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
		CHECK_EQ(access(file, F_OK), -1);
	}
	cache_dev_close(saved(mem, file));
	end(NULL, mem, NULL);
}

TEST(an_undo_file_is_never_overwritten_and_a_discard_is_dropped)
{
	void *before;
	struct cache_dev *mem = random_dev(1, &before), *dev = saved(mem, new_file()), *second;
	struct cache_err err = { 0 };

	CHECK_EQ(cache_dev_discard(dev, 0, SECTORS, NULL), 0);
	CHECK_MEM(mem->priv, before, SECTORS * 512);
	CHECK_EQ(cache_dev_undo_new(lend(mem), file, NULL, &second, &err), -EEXIST);
	CHECK(strstr(err.text, "File exists"));
	cache_dev_close(dev);
	end(NULL, mem, before);
}

TEST_MAIN()
