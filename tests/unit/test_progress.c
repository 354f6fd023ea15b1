// SPDX-License-Identifier: GPL-2.0-only
/*
 * How often a load asks for progress and whether to stop, counted in sectors that are read
 * between: never more than one window of the journal, one prio_set or one batch of nodes; and the
 * same of a repair that looks for what is lost on the whole device.
 */
#include "disk.h"

#include "dev/dev_ops.h"
#include "disk/jset_codec.h"

#include <libcache/repair.h>

#define RING_BUCKETS	16u

static struct {
	struct cache_dev *below;
	uint64_t since, most;	/* sectors read since the last poll, and the most there were */
	unsigned asked;
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

static int watched_write(struct cache_dev *dev, uint64_t sector, uint64_t n, const void *buf)
{
	return cache_dev_write(watch.below, sector, n, buf, NULL);
}

static int watched_flush(struct cache_dev *dev)
{
	return 0;
}

static const struct cache_dev_ops watched_ops = {
	.read = watched_read, .write = watched_write, .flush = watched_flush,
};

static int on_poll(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	watch.since = 0;
	watch.asked++;
	watch.polls[pass < 8 ? pass : 0]++;
	CHECK(current <= max);
	return watch.stop_in_pass && pass == watch.stop_in_pass;
}

static const struct cache_sink sink = { cache_sink_ignore, NULL, on_poll };

/* A ring whose buckets are full of entries, a whole chain of prio_sets, an empty root. */
static struct disk full_disk(uint64_t nbuckets, uint32_t bucket_sectors)
{
	struct disk d = disk_new(nbuckets, bucket_sectors, RING_BUCKETS);
	struct jset_spec spec = { .seq = 1, .last_seq = 1, .uuid_bucket = root_key(&d.sb, 30, 0),
				  .btree_root = root_key(&d.sb, 31, 0), .prio_bucket = 40 };
	uint64_t per = cache_prios_per_bucket(&d.sb), n = (d.sb.nbuckets + per - 1) / per;
	uint16_t *prio = calloc(d.sb.nbuckets, sizeof(*prio));
	uint8_t *gen = calloc(d.sb.nbuckets, 1);

	for (unsigned i = 0; i < RING_BUCKETS; i++)
		for (uint32_t at = 0; at < bucket_sectors; spec.seq++)
			at += put_jset(&d, i, at, &spec);
	for (uint64_t i = 0; i < n; i++)
		put_prio_set(&d, 40 + i, 9, 41 + i, i * per, prio, gen);
	put_bset(&d, &spec.btree_root, 7, 0, NULL, 0);
	free(prio);
	free(gen);
	return d;
}

static struct cache_dev *watched(const struct disk *d)
{
	struct cache_dev *dev = cache_dev_alloc(&watched_ops, "watched");

	memset(&watch, 0, sizeof(watch));
	watch.below = d->dev;
	dev->sectors = cache_dev_sectors(d->dev);
	dev->writable = true;
	return dev;
}

static int load(const struct disk *d, enum cache_load upto, unsigned stop_in_pass)
{
	struct cache_dev *dev = watched(d);
	struct cache_set *set = NULL;
	int ret;

	watch.stop_in_pass = stop_in_pass;
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
	CHECK(watch.polls[CACHE_PASS_JOURNAL] >= 4 * RING_BUCKETS);
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

/* What a repair can find lost, so that it looks for it on the whole device. */
enum lost { NOTHING, HEADS_OF_RING, RING, PRIOS, ROOT, SUPER, LOST_MAX };

static void lose(struct disk *d, enum lost what)
{
	for (unsigned i = 0; i < RING_BUCKETS && (what == RING || what == HEADS_OF_RING); i++)
		for (uint32_t at = 0; at < (what == RING ? d->sb.bucket_sectors : 8); at += 8)
			disk_spoil(d, cache_bucket_sector(&d->sb, d->sb.journal_bucket[i]) + at, 16);
	if (what == PRIOS)
		disk_spoil(d, cache_bucket_sector(&d->sb, 40), 16);
	if (what == ROOT)
		disk_spoil(d, cache_bucket_sector(&d->sb, 31), 8);
	if (what == SUPER)
		for (unsigned i = 0; i < 512; i += 8)
			disk_spoil(d, CACHE_SB_SECTOR, i);
}

static int on_repair(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	return on_poll(ctx, pass, 0, 0);
}

TEST(no_more_than_a_megabyte_is_read_between_two_polls_of_a_repair)
{
	for (enum lost what = NOTHING; what < LOST_MAX; what++)
		for (unsigned dry_run = 0; dry_run < 2; dry_run++) {
			struct disk d = full_disk(20000, 16);
			struct cache_dev *dev = watched(&d);
			struct cache_repair_opts opts = {
				.size = sizeof(opts), .seed = 1, .dry_run = dry_run,
				.allow_data_loss = true, .progress = on_repair,
			};
			struct cache_repair_result res;

			lose(&d, what);
			cache_repair_run(&dev, 1, &opts, &res);
			CHECK(watch.asked);
			if (watch.most > 2048)
				TEST_FAIL("lost %u: %" PRIu64 " sectors", what, watch.most);
			cache_dev_close(dev);
			cache_dev_close(d.dev);
		}
}

#define LEAVES		10u
#define LEAF_EXTENTS	10000u

/* Leaves of dirty extents, whose root is lost. @backwards: the later one is, the earlier it lies. */
static struct disk disk_without_root(bool backwards)
{
	const uint64_t n = LEAVES * LEAF_EXTENTS, per = 512 / 8;
	struct disk d = disk_new(100 + n / per, 512, 8);
	struct jset_spec spec = { .seq = 1, .last_seq = 1, .uuid_bucket = root_key(&d.sb, 30, 0),
				  .btree_root = root_key(&d.sb, 31, 0), .prio_bucket = 40, .level = 1 };
	struct cache_bkey *k = calloc(LEAF_EXTENTS, sizeof(*k)), child;
	uint16_t *prio = calloc(d.sb.nbuckets, sizeof(*prio));
	uint8_t *gen = calloc(d.sb.nbuckets, 1);

	put_jset(&d, 0, 0, &spec);
	put_prio_set(&d, 40, 9, 41, 0, prio, gen);
	for (unsigned i = 0; i < LEAVES; i++) {
		for (unsigned e = 0; e < LEAF_EXTENTS; e++) {
			uint64_t at = (uint64_t)i * LEAF_EXTENTS + e;
			uint64_t place = backwards ? n - 1 - at : at;

			k[e] = extent(0, 8 * at, 8 * at + 8, true, 512 * 60 + 8 * place, 0);
		}
		child = node_key(&d.sb, 0, 8 * (uint64_t)(i + 1) * LEAF_EXTENTS, 45 + i, 0);
		put_bset(&d, &child, 100 + i, 0, k, LEAF_EXTENTS);
	}
	disk_spoil(&d, cache_bucket_sector(&d.sb, 31), 8);
	free(k);
	free(prio);
	free(gen);
	return d;
}

/* Polls of a repair of it that is looked at. */
static unsigned polls_of_repair(bool backwards)
{
	struct disk d = disk_without_root(backwards);
	struct cache_dev *dev = watched(&d);
	struct cache_repair_opts opts = { .size = sizeof(opts), .seed = 1, .dry_run = true,
					  .progress = on_repair };
	struct cache_repair_result res;

	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK_EQ(res.plan.kept_extents, LEAVES * LEAF_EXTENTS);
	cache_dev_close(dev);
	cache_dev_close(d.dev);
	return watch.asked;
}

TEST(a_repair_asks_while_it_sorts_what_is_kept)
{
	CHECK(polls_of_repair(true) >= polls_of_repair(false) + 10);
}

TEST_MAIN()
