// SPDX-License-Identifier: GPL-2.0-only
/* Copies between devices in memory, some sectors of which cannot be read or written. */
#include "test.h"

#include <errno.h>

#include "base/rng.h"
#include "deny.h"
#include "dev/copy.h"
#include "dev/dev_ops.h"

#define SOURCE_SECTORS	(12u << 11)	/* three batches */
#define TARGET_SECTORS	(16u << 11)
#define BLOCK		8u
#define PIECES_MAX	4096u

/* A device in memory, and what was asked of it. */
struct disk {
	char *data;
	uint8_t *bad_read, *bad_write;	/* one byte per sector: the errno */
	unsigned reads, writes;
};

static int first_bad(const uint8_t *bad, uint64_t sector, uint64_t n)
{
	for (uint64_t i = sector; i < sector + n; i++)
		if (bad[i])
			return -bad[i];
	return 0;
}

static int disk_read(struct cache_dev *dev, uint64_t sector, uint64_t n, void *buf)
{
	struct disk *d = *(struct disk **)dev->priv;
	int ret = first_bad(d->bad_read, sector, n);

	d->reads++;
	if (!ret)
		memcpy(buf, d->data + sector * CACHE_SECTOR_BYTES, n * CACHE_SECTOR_BYTES);
	return ret;
}

static int disk_write(struct cache_dev *dev, uint64_t sector, uint64_t n, const void *buf)
{
	struct disk *d = *(struct disk **)dev->priv;
	int ret = first_bad(d->bad_write, sector, n);

	d->writes++;
	if (!ret)
		memcpy(d->data + sector * CACHE_SECTOR_BYTES, buf, n * CACHE_SECTOR_BYTES);
	return ret;
}

static int disk_flush(struct cache_dev *dev)
{
	return 0;
}

static void disk_close(struct cache_dev *dev)
{
	free(dev->priv);
}

static struct cache_dev *disk_new(struct disk *d, uint64_t nsectors)
{
	static const struct cache_dev_ops ops = { .read = disk_read, .write = disk_write,
						  .flush = disk_flush, .close = disk_close };
	struct cache_dev *under, *dev;

	*d = (struct disk){ .data = calloc(nsectors, CACHE_SECTOR_BYTES),
			    .bad_read = calloc(nsectors, 1), .bad_write = calloc(nsectors, 1) };
	CHECK(d->data && d->bad_read && d->bad_write);
	CHECK_EQ(cache_dev_mem_new("disk", nsectors, &under, NULL), 0);
	dev = cache_dev_wrap(&ops, under, sizeof(d));
	CHECK(dev);
	cache_dev_close(under);
	*(struct disk **)dev->priv = d;
	dev->sectors = nsectors;
	return dev;
}

static void disk_free(struct disk *d, struct cache_dev *dev)
{
	cache_dev_close(dev);
	free(d->data);
	free(d->bad_read);
	free(d->bad_write);
}

/* A source, two targets, what is copied, and what the copy said. */
struct job {
	struct disk disk[3];
	struct cache_dev *dev[3];
	struct cache_copy copy;
	struct cache_copy_piece pieces[PIECES_MAX];
	struct cache_copy_failure failed[PIECES_MAX];
	size_t failed_id[PIECES_MAX];
	unsigned n, next, nfailed, steps;
	uint64_t done;
	unsigned stop_at;		/* batch; 0: never */
	int stop_with;			/* what a failure returns */
};

static bool next(void *ctx, struct cache_copy_piece *p)
{
	struct job *j = ctx;

	if (j->next == j->n)
		return false;
	*p = j->pieces[j->next++];
	return true;
}

static int failed(void *ctx, size_t id, const struct cache_copy_failure *f)
{
	struct job *j = ctx;

	CHECK(j->nfailed < PIECES_MAX);
	j->failed_id[j->nfailed] = id;
	j->failed[j->nfailed++] = *f;
	return j->stop_with;
}

static int progress(void *ctx, uint64_t nsectors)
{
	struct job *j = ctx;

	j->done += nsectors;
	return ++j->steps == j->stop_at;
}

static struct job *job_new(void)
{
	struct job *j = calloc(1, sizeof(*j));
	struct cache_rng rng;

	CHECK(j);
	for (unsigned i = 0; i < 3; i++)
		j->dev[i] = disk_new(&j->disk[i], i ? TARGET_SECTORS : SOURCE_SECTORS);
	cache_rng_init(&rng, 1);
	for (uint64_t i = 0; i < SOURCE_SECTORS; i++) {
		uint64_t word = cache_rng_u64(&rng);

		memcpy(j->disk[0].data + i * CACHE_SECTOR_BYTES, &word, sizeof(word));
	}
	j->copy = (struct cache_copy){ .source = j->dev[0], .block_sectors = BLOCK, .ctx = j,
				       .next = next, .failed = failed, .progress = progress };
	return j;
}

static void job_free(struct job *j)
{
	for (unsigned i = 0; i < 3; i++)
		disk_free(&j->disk[i], j->dev[i]);
	free(j);
}

static void add(struct job *j, unsigned target, uint64_t from, uint64_t to, uint64_t n)
{
	CHECK(j->n < PIECES_MAX && from + n <= SOURCE_SECTORS && to + n <= TARGET_SECTORS);
	j->pieces[j->n] = (struct cache_copy_piece){ j->n, j->dev[target], from, to, n };
	j->n++;
}

static int run(struct job *j)
{
	struct cache_err err = { 0 };
	int ret;

	j->next = j->nfailed = j->steps = 0;
	j->done = 0;
	for (unsigned i = 0; i < 3; i++)
		j->disk[i].reads = j->disk[i].writes = 0;
	ret = cache_copy_run(&j->copy, &err);
	CHECK(!ret || j->stop_with || err.text[0]);
	return ret;
}

static bool is_copied(const struct job *j, unsigned target, uint64_t from, uint64_t to, uint64_t n)
{
	return !memcmp(j->disk[0].data + from * CACHE_SECTOR_BYTES,
		       j->disk[target].data + to * CACHE_SECTOR_BYTES, n * CACHE_SECTOR_BYTES);
}

TEST(pieces_go_to_their_places_on_several_targets)
{
	struct job *j = job_new();

	add(j, 1, 0, 640, 10u << 11);	/* more than two batches */
	add(j, 2, 8, 0, 8);
	add(j, 1, 11u << 11, 15u << 11, 1u << 11);
	CHECK_EQ(run(j), 0);
	CHECK(is_copied(j, 1, 0, 640, 10u << 11));
	CHECK(is_copied(j, 2, 8, 0, 8));
	CHECK(is_copied(j, 1, 11u << 11, 15u << 11, 1u << 11));
	CHECK_EQ(j->done, (11u << 11) + 8);
	CHECK(!j->nfailed && !j->copy.stopped);
	CHECK_EQ(j->disk[0].writes, 0);
	job_free(j);
}

TEST(no_piece_at_all_is_no_transfer)
{
	struct job *j = job_new();

	CHECK_EQ(run(j), 0);
	CHECK(!j->disk[0].reads && !j->steps && !j->copy.stopped);
	job_free(j);
}

TEST(what_touches_on_a_device_is_one_transfer)
{
	struct job *j = job_new();

	for (unsigned i = 0; i < 100; i++)
		add(j, 1, i * 16, i * BLOCK, BLOCK);
	CHECK_EQ(run(j), 0);
	CHECK_EQ(j->disk[0].reads, 100);
	CHECK_EQ(j->disk[1].writes, 1);
	j->n = 0;
	for (unsigned i = 0; i < 100; i++)
		add(j, 1, i * BLOCK, i * 16, BLOCK);
	CHECK_EQ(run(j), 0);
	CHECK_EQ(j->disk[0].reads, 1);
	CHECK_EQ(j->disk[1].writes, 100);
	job_free(j);
}

/* One block of the second piece, of 64 sectors. */
static struct job *hurt(enum cache_copy_step step)
{
	struct job *j = job_new();

	add(j, 1, 0, 0, 64);
	add(j, 1, 64, 64, 64);
	add(j, 1, 128, 128, 64);
	if (step == CACHE_COPY_READ)
		j->disk[0].bad_read[64 + 19] = EIO;
	else
		j->disk[1].bad_write[64 + 19] = EIO;
	CHECK_EQ(run(j), 0);
	CHECK_EQ(j->nfailed, 1);
	CHECK_EQ(j->failed_id[0], 1);
	CHECK_EQ(j->failed[0].step, step);
	CHECK_EQ(j->failed[0].from, 64 + 16);
	CHECK_EQ(j->failed[0].to, 64 + 16);
	CHECK_EQ(j->failed[0].nsectors, BLOCK);
	CHECK_EQ(j->failed[0].error, -EIO);
	CHECK(is_copied(j, 1, 0, 0, 80) && is_copied(j, 1, 88, 88, 104));
	CHECK(!is_copied(j, 1, 80, 80, BLOCK));
	return j;
}

TEST(a_block_that_cannot_be_read_fails_alone) { job_free(hurt(CACHE_COPY_READ)); }
TEST(a_block_that_cannot_be_written_fails_alone) { job_free(hurt(CACHE_COPY_WRITE)); }

TEST(a_target_that_takes_nothing_more_ends_the_copy)
{
	struct job *j = job_new();

	add(j, 1, 0, 0, 10u << 11);
	j->disk[1].bad_write[5u << 11] = ENOSPC;
	CHECK_EQ(run(j), -ENOSPC);
	CHECK_EQ(j->nfailed, 0);
	CHECK(is_copied(j, 1, 0, 0, 4u << 11));
	job_free(j);
}

TEST(a_source_without_memory_ends_the_copy)
{
	struct job *j = job_new();

	add(j, 1, 0, 0, 10u << 11);
	j->disk[0].bad_read[5u << 11] = ENOMEM;
	CHECK_EQ(run(j), -ENOMEM);
	CHECK_EQ(j->nfailed, 0);
	job_free(j);
}

TEST(the_caller_may_end_it_at_a_failure)
{
	struct job *j = job_new();

	add(j, 1, 0, 0, 10u << 11);
	add(j, 1, 10u << 11, 10u << 11, 64);
	j->disk[0].bad_read[100] = EIO;
	j->disk[0].bad_read[200] = EIO;
	j->stop_with = -EBADMSG;
	CHECK_EQ(run(j), -EBADMSG);
	CHECK_EQ(j->nfailed, 1);
	CHECK_EQ(j->disk[1].writes, 0);
	job_free(j);
}

TEST(verify_writes_nothing_and_names_what_differs)
{
	struct job *j = job_new();

	add(j, 1, 0, 640, 10u << 11);
	add(j, 2, 512, 0, 64);
	CHECK_EQ(run(j), 0);
	j->copy.verify = true;
	CHECK_EQ(run(j), 0);
	CHECK(!j->nfailed && !j->disk[1].writes && !j->disk[2].writes);
	j->disk[2].data[17 * CACHE_SECTOR_BYTES + 5] ^= 1;
	j->disk[1].bad_read[640 + (9u << 11)] = EIO;
	j->disk[0].bad_read[0] = EIO;
	CHECK_EQ(run(j), 0);
	CHECK(!j->disk[1].writes && !j->disk[2].writes);
	/* the source's block; the part of the last batch that the target does not return; the byte */
	CHECK(j->nfailed > 2);
	CHECK_EQ(j->failed[0].step, CACHE_COPY_READ);
	CHECK_EQ(j->failed[0].nsectors, BLOCK);
	CHECK_EQ(j->failed[1].step, CACHE_COPY_VERIFY);
	CHECK_EQ(j->failed[1].error, -EIO);
	CHECK_EQ(j->failed_id[j->nfailed - 1], 1);
	CHECK_EQ(j->failed[j->nfailed - 1].to, 16);
	CHECK_EQ(j->failed[j->nfailed - 1].nsectors, BLOCK);
	CHECK_EQ(j->failed[j->nfailed - 1].error, 0);
	job_free(j);
}

TEST(when_asked_to_stop_what_was_read_is_written_and_the_rest_is_told)
{
	struct job *j = job_new();

	for (unsigned i = 0; i < 12 * 4; i++)	/* of 256 KiB: 16 in a batch */
		add(j, 1, i * 512, i * 512, 512);
	j->stop_at = 1;
	CHECK_EQ(run(j), 0);
	CHECK(j->copy.stopped);
	CHECK_EQ(j->copy.first_left, 32);
	CHECK(is_copied(j, 1, 0, 0, 32 * 512));
	CHECK(!is_copied(j, 1, 32 * 512, 32 * 512, 512));
	/* in the last batch there is nothing left to stop */
	j->stop_at = 3;
	CHECK_EQ(run(j), 0);
	CHECK(!j->copy.stopped);
	CHECK(is_copied(j, 1, 0, 0, 48 * 512));
	/* a piece of which a part was reached was not wholly reached */
	j->n = 0;
	add(j, 1, 0, 0, 12u << 11);
	j->stop_at = 1;
	CHECK_EQ(run(j), 0);
	CHECK(j->copy.stopped);
	CHECK_EQ(j->copy.first_left, 0);
	job_free(j);
}

/* What must be on the target, and which sectors must be listed, by the plainest way. */
static void expect(const struct job *j, char *want, uint8_t *lost)
{
	for (unsigned i = 0; i < j->n; i++) {
		const struct cache_copy_piece *p = &j->pieces[i];

		for (uint64_t s = 0; s < p->nsectors; s += BLOCK) {
			uint64_t n = BLOCK < p->nsectors - s ? BLOCK : p->nsectors - s;
			bool bad = first_bad(j->disk[0].bad_read, p->from + s, n) ||
				   first_bad(j->disk[1].bad_write, p->to + s, n);

			memset(lost + p->to + s, bad, n);
			if (!bad)
				memcpy(want + (p->to + s) * CACHE_SECTOR_BYTES,
				       j->disk[0].data + (p->from + s) * CACHE_SECTOR_BYTES,
				       n * CACHE_SECTOR_BYTES);
		}
	}
}

/* Pieces of one to 32 blocks, behind each other or with gaps, from anywhere; bad blocks on both. */
static struct job *random_job(uint64_t seed)
{
	struct job *j = job_new();
	struct cache_rng rng;
	uint64_t to = 0;

	cache_rng_init(&rng, seed);
	while (j->n < 400) {
		uint64_t n = (1 + cache_rng_below(&rng, 32)) * BLOCK;

		to += cache_rng_below(&rng, 3) ? 0 : cache_rng_below(&rng, 4) * BLOCK;
		if (to + n > TARGET_SECTORS)
			break;
		add(j, 1, cache_rng_below(&rng, (SOURCE_SECTORS - n) / BLOCK) * BLOCK, to, n);
		to += n;
	}
	for (unsigned i = 0; i < 20; i++) {
		j->disk[0].bad_read[cache_rng_below(&rng, SOURCE_SECTORS)] = EIO;
		j->disk[1].bad_write[cache_rng_below(&rng, TARGET_SECTORS)] = EIO;
	}
	return j;
}

TEST(random_pieces_and_bad_blocks_are_copied_and_listed_as_by_the_plainest_copy)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct job *j = random_job(seed);
		char *want = calloc(TARGET_SECTORS, CACHE_SECTOR_BYTES);
		uint8_t *lost = calloc(TARGET_SECTORS, 1), *listed = calloc(TARGET_SECTORS, 1);

		CHECK(want && lost && listed);
		expect(j, want, lost);
		CHECK_EQ(run(j), 0);
		for (unsigned i = 0; i < j->nfailed; i++) {
			const struct cache_copy_failure *f = &j->failed[i];
			const struct cache_copy_piece *p = &j->pieces[j->failed_id[i]];

			CHECK(f->to >= p->to && f->to + f->nsectors <= p->to + p->nsectors);
			CHECK_EQ(f->to - p->to, f->from - p->from);
			memset(listed + f->to, 1, f->nsectors);
		}
		CHECK_MEM(listed, lost, TARGET_SECTORS);
		CHECK_MEM(j->disk[1].data, want, (size_t)TARGET_SECTORS * CACHE_SECTOR_BYTES);
		free(want);
		free(lost);
		free(listed);
		job_free(j);
	}
}

TEST(without_memory_nothing_is_copied)
{
	struct job *j = job_new();
	int ret = -ENOMEM;

	if (!deny_works()) {
		job_free(j);
		SKIP("a sanitizer has malloc");
	}
	add(j, 1, 0, 0, 64);
	for (long n = 0; ret && n < 20; n++) {
		struct cache_err err = { 0 };

		j->next = 0;
		deny_in = n;
		ret = cache_copy_run(&j->copy, &err);
		if (deny_in >= 0 && ret)
			TEST_FAIL("failed with %d, and no allocation had", ret);
		deny_in = -1;
		CHECK(!ret || (ret == -ENOMEM && err.text[0]));
		CHECK(!ret || !j->disk[1].writes);
	}
	CHECK_EQ(ret, 0);
	CHECK(is_copied(j, 1, 0, 0, 64));
	job_free(j);
}

TEST_MAIN()
