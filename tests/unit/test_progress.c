// SPDX-License-Identifier: GPL-2.0-only
/*
 * How often a load asks for progress and whether to stop, counted in sectors that are read
 * between: never more than one window of the journal, one prio_set or one batch of nodes.
 */
#include "disk.h"

#include "dev/dev_ops.h"
#include "disk/jset_codec.h"

#define RING		16u

static struct {
	struct cache_dev *below;
	uint64_t since, most;	/* sectors read since the last poll, and the most there were */
	unsigned polls[8];	/* by pass */
	unsigned stop_in_pass;	/* 0: never */
} watch;

static int watched_read(struct cache_dev *dev, uint64_t sector, uint64_t n, void *buf)
{
	watch.since += n;
	if (watch.since > watch.most)
		watch.most = watch.since;
	return cache_dev_read(watch.below, sector, n, buf, NULL);
}

static const struct cache_dev_ops watched_ops = { .read = watched_read };

static int on_poll(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	watch.since = 0;
	watch.polls[pass < 8 ? pass : 0]++;
	CHECK(current <= max);
	return watch.stop_in_pass && pass == watch.stop_in_pass;
}

static const struct cache_sink sink = { cache_sink_ignore, NULL, on_poll };

/* A ring whose buckets are full of entries, a whole chain of prio_sets, an empty root. */
static struct disk full_disk(uint64_t nbuckets, uint32_t bucket_sectors)
{
	struct disk d = disk_new(nbuckets, bucket_sectors, RING);
	struct jset_spec spec = { .seq = 1, .last_seq = 1, .uuid_bucket = root_key(&d.sb, 30, 0),
				  .btree_root = root_key(&d.sb, 31, 0), .prio_bucket = 40 };
	uint64_t per = cache_prios_per_bucket(&d.sb), n = (d.sb.nbuckets + per - 1) / per;
	uint16_t *prio = calloc(d.sb.nbuckets, sizeof(*prio));
	uint8_t *gen = calloc(d.sb.nbuckets, 1);

	for (unsigned i = 0; i < RING; i++)
		for (uint32_t at = 0; at < bucket_sectors; spec.seq++)
			at += put_jset(&d, i, at, &spec);
	for (uint64_t i = 0; i < n; i++)
		put_prio_set(&d, 40 + i, 9, 41 + i, i * per, prio, gen);
	put_bset(&d, &spec.btree_root, 7, 0, NULL, 0);
	free(prio);
	free(gen);
	return d;
}

static int load(const struct disk *d, enum cache_load upto, unsigned stop_in_pass)
{
	struct cache_dev *dev = cache_dev_alloc(&watched_ops, "watched");
	struct cache_set *set = NULL;
	int ret;

	memset(&watch, 0, sizeof(watch));
	watch.below = d->dev;
	watch.stop_in_pass = stop_in_pass;
	dev->sectors = cache_dev_sectors(d->dev);
	ret = cache_set_load(dev, upto, &sink, &set, NULL);
	if (!ret)
		cache_set_close(set);
	cache_dev_close(dev);
	return ret;
}

TEST(no_more_than_a_window_of_the_journal_is_read_between_two_polls)
{
	const uint32_t window = CACHE_JSET_WINDOW_BYTES / CACHE_SECTOR_BYTES;
	struct disk d = full_disk(200, 4 * window);

	CHECK_EQ(load(&d, CACHE_LOAD_JOURNAL, 0), 0);
	CHECK(watch.most <= 2 * window);
	CHECK(watch.polls[CACHE_PASS_JOURNAL] >= 4 * RING);
	cache_dev_close(d.dev);
}

TEST(no_more_than_a_prio_set_is_read_between_two_polls)
{
	struct disk d = full_disk(20000, 16);

	CHECK_EQ(load(&d, CACHE_LOAD_MARKS, 0), 0);
	CHECK(cache_prio_buckets(&d.sb) > 4);
	CHECK(watch.polls[CACHE_PASS_PRIOS] >= cache_prio_buckets(&d.sb));
	CHECK(watch.most <= 4 * 16);
	cache_dev_close(d.dev);
}

TEST(a_load_ends_at_the_first_poll_that_asks_to_stop)
{
	static const unsigned passes[] = { CACHE_PASS_JOURNAL, CACHE_PASS_PRIOS, CACHE_PASS_BTREE };
	struct disk d = full_disk(20000, 16);

	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(load(&d, CACHE_LOAD_MARKS, passes[i]), -ECANCELED);
		CHECK_EQ(watch.polls[passes[i]], 1);
	}
	cache_dev_close(d.dev);
}

TEST_MAIN()
