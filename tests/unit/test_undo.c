// SPDX-License-Identifier: GPL-2.0-only
/* The undo device: saved before it is written, put back exactly, never to another. */
#include "dev/undo.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dev/dev_ops.h"
#include "dev/dev_fault.h"
#include "base/rng.h"
#include "base/types.h"
#include "new_file.h"
#include "test.h"

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

	CHECK_EQ(cache_dev_undo_new(lend(mem), path, &dev, NULL), 0);
	return dev;
}

/* Writes that overlap in every way. */
static void scribble(struct cache_dev *dev, uint64_t seed, unsigned writes)
{
	struct cache_rng rng;
	char *buf = cache_dev_buf(64 * 512);

	cache_rng_init(&rng, seed);
	while (writes--) {
		uint64_t n = 1 + cache_rng_below(&rng, 63);

		memset(buf, (int)cache_rng_u64(&rng), n * 512);
		CHECK_EQ(cache_dev_write(dev, cache_rng_below(&rng, 256), n, buf, NULL), 0);
	}
	free(buf);
}

static struct cache_undo *opened(const char *path)
{
	struct cache_undo *u;

	CHECK_EQ(cache_undo_open(path, &u, NULL), 0);
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
		CHECK_EQ(cache_dev_undo_new(under, new_file(), &dev, NULL), 0);
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

/* Cut the file off anywhere: a record is there whole, or its write never began. */
TEST(a_file_cut_off_anywhere_is_read_up_to_there)
{
	struct cache_dev *mem = random_dev(1, NULL), *dev = saved(mem, new_file());
	char buf[512] = { 0 };
	uint64_t last = 0;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(cache_dev_write(dev, i, 1, buf, NULL), 0);
	cache_dev_close(dev);
	for (off_t size = 512 + 3 * (48 + 8 + 512); size >= 512; size--) {
		struct cache_undo *u;

		CHECK_EQ(truncate(file, size), 0);
		u = opened(file);
		CHECK_EQ(cache_undo_records(u), (size - 512) / (48 + 8 + 512));
		last = cache_undo_records(u);
		cache_undo_close(u);
	}
	CHECK_EQ(last, 0);
	CHECK_EQ(truncate(file, 511), 0);
	CHECK_EQ(cache_undo_open(file, &(struct cache_undo *){ NULL }, NULL), -EBADMSG);
	cache_dev_close(mem);
	unlink(file);
}

TEST(a_changed_byte_anywhere_is_never_put_on_a_device)
{
	struct cache_dev *mem = random_dev(1, NULL), *dev = saved(mem, new_file());
	void *after;
	char buf[1024] = { 0 };

	CHECK_EQ(cache_dev_write(dev, 3, 2, buf, NULL), 0);
	CHECK_EQ(cache_dev_write(dev, 9, 2, buf, NULL), 0);
	cache_dev_close(dev);
	after = memcpy(malloc(SECTORS * 512), mem->priv, SECTORS * 512);
	for (long at = 0; at < 512 + 2 * (48 + 16 + 1024); at += 5) {
		struct cache_undo *u = NULL;
		FILE *f = fopen(file, "r+");
		int c;

		fseek(f, at, SEEK_SET);
		c = fgetc(f);
		fseek(f, at, SEEK_SET);
		fputc(c ^ 1, f);
		fclose(f);
		if (!cache_undo_open(file, &u, NULL)) {
			bool whole = cache_undo_records(u) == 2;
			int ret = cache_undo_apply(u, mem, NULL);

			/* damage in the first record stops all, in the last drops it */
			CHECK(ret || !whole || (at >= 512 + 48 && at < 512 + 48 + 16));
			if (ret)
				CHECK_MEM(mem->priv, after, SECTORS * 512);
			cache_undo_close(u);
		}
		memcpy(mem->priv, after, SECTORS * 512);
		f = fopen(file, "r+");
		fseek(f, at, SEEK_SET);
		fputc(c, f);
		fclose(f);
	}
	free(after);
	cache_dev_close(mem);
	unlink(file);
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
	CHECK(strstr(err.text, "is not as the undo file knows it"));
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

TEST(an_undo_file_is_never_overwritten_and_a_discard_is_dropped)
{
	void *before;
	struct cache_dev *mem = random_dev(1, &before), *dev = saved(mem, new_file()), *second;
	struct cache_err err = { 0 };

	CHECK_EQ(cache_dev_discard(dev, 0, SECTORS, NULL), 0);
	CHECK_MEM(mem->priv, before, SECTORS * 512);
	CHECK_EQ(cache_dev_undo_new(lend(mem), file, &second, &err), -EEXIST);
	CHECK(strstr(err.text, "File exists"));
	cache_dev_close(dev);
	end(NULL, mem, before);
}

TEST_MAIN()
