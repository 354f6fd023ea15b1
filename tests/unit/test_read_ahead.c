// SPDX-License-Identifier: GPL-2.0-only
/* Whatever order pieces are asked for in, each is right, and few are read in vain. */
#include "disk/read_ahead.h"

#include <errno.h>
#include <stdlib.h>

#include "dev/dev_ops.h"
#include "test.h"

#define NSECTORS	(1u << 16)
#define PIECE		16u
#define BAD		4096u	/* this sector cannot be read */

struct counted {
	unsigned reads, batches;
};

/* Each sector begins with its number. */
static int count_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	struct counted *c = dev->priv;

	c->reads++;
	for (uint64_t i = 0; i < nsectors; i++)
		*(uint64_t *)((char *)buf + 512 * i) = sector + i;
	return sector <= BAD && BAD < sector + nsectors ? -EIO : 0;
}

static int count_many(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n)
{
	struct counted *c = dev->priv;

	c->batches++;
	for (unsigned i = 0; i < n; i++)
		reqs[i].result = count_read(dev, reqs[i].sector, reqs[i].nsectors, reqs[i].buf);
	return 0;
}

static void count_close(struct cache_dev *dev)
{
	free(dev->priv);
}

static const struct cache_dev_ops ops = {
	.read = count_read, .read_many = count_many, .close = count_close,
};

static struct cache_dev *open_counted(bool direct, struct counted **c)
{
	struct cache_dev *dev = cache_dev_alloc(&ops, "counted");

	CHECK(dev != NULL);
	dev->priv = *c = calloc(1, sizeof(**c));
	CHECK(*c != NULL);
	dev->sectors = NSECTORS;
	dev->direct = direct;
	return dev;
}

static void ask(struct cache_read_ahead *a, uint64_t sector)
{
	bool bad = sector <= BAD && BAD < sector + PIECE;
	char *data;

	CHECK_EQ(cache_read_ahead(a, sector, &data), bad ? -EIO : 0);
	for (unsigned i = 0; i < PIECE && !bad; i++)
		CHECK_EQ(*(uint64_t *)(data + 512 * i), sector + i);
}

static void sequence(bool direct, uint64_t first, int64_t stride, unsigned n, struct counted *sum)
{
	struct cache_read_ahead a;
	struct counted *c;
	struct cache_dev *dev = open_counted(direct, &c);

	cache_read_ahead_init(&a, dev, PIECE);
	for (unsigned i = 0; i < n; i++)
		ask(&a, first + i * stride);
	cache_read_ahead_fini(&a);
	*sum = *c;
	cache_dev_close(dev);
}

TEST(pieces_at_one_distance_are_read_many_at_a_time)
{
	static const int64_t strides[] = { PIECE, 2 * PIECE, -(int64_t)PIECE, 3 };

	for (unsigned i = 0; i < 4; i++) {
		struct counted sum;

		sequence(true, strides[i] < 0 ? NSECTORS - PIECE : 0, strides[i], 1000, &sum);
		CHECK(sum.reads >= 1000 && sum.reads < 1000 + CACHE_READ_AHEAD_MAX);
		CHECK(sum.batches < 24);
	}
}

TEST(nothing_is_read_ahead_of_a_device_that_is_not_read_directly)
{
	struct counted sum;

	sequence(false, 0, PIECE, 1000, &sum);
	CHECK_EQ(sum.reads, 1000);
	CHECK_EQ(sum.batches, 0);
}

TEST(nothing_past_the_device_is_read_ahead)
{
	struct counted sum;

	sequence(true, NSECTORS - 100 * PIECE, PIECE, 100, &sum);
	CHECK_EQ(sum.reads, 100);
	sequence(true, 99 * PIECE, -(int64_t)PIECE, 100, &sum);
	CHECK_EQ(sum.reads, 100);
}

TEST(no_more_is_read_in_vain_than_is_of_use)
{
	struct cache_read_ahead a;
	struct counted *c;
	struct cache_dev *dev = open_counted(true, &c);
	uint64_t state = 1;
	unsigned asked = 0;

	cache_read_ahead_init(&a, dev, PIECE);
	while (asked < 100000) {
		uint64_t sector = 0, n, stride;

		state = state * 6364136223846793005u + 1442695040888963407u;
		n = 1 + (state >> 33) % 9;
		stride = 1 + (state >> 40) % 200;
		sector = (state >> 48) % (NSECTORS - 9 * 200 - PIECE);
		for (uint64_t i = 0; i < n; i++, asked++)
			ask(&a, sector + i * stride);
	}
	CHECK(c->reads < 2 * asked);
	cache_read_ahead_fini(&a);
	cache_dev_close(dev);
}

TEST(a_piece_past_the_device_is_an_error_and_the_next_one_is_right)
{
	struct cache_read_ahead a;
	struct counted *c;
	struct cache_dev *dev = open_counted(true, &c);
	char *data;

	cache_read_ahead_init(&a, dev, PIECE);
	CHECK_EQ(cache_read_ahead(&a, NSECTORS - PIECE + 1, &data), -ERANGE);
	CHECK_EQ(cache_read_ahead(&a, UINT64_MAX, &data), -ERANGE);
	ask(&a, 5);
	cache_read_ahead_fini(&a);
	cache_dev_close(dev);
}

TEST_MAIN()
