// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads that fail, of each block of metadata of each image, one at a time. What cannot be
 * read is not known: the set is not clean, no repair without permission writes a byte, and with
 * permission nothing is overwritten that the set may still need.
 */
#include "set.h"

#include <errno.h>

#include "bad_sectors.h"
#include "base/bits.h"
#include "dev/dev_log.h"
#include <libcache/fsck.h>
#include "repair/repair.h"

static bool named;

static void on_loss(void *ctx, unsigned dev, const struct cache_repair_loss *loss)
{
	named = true;
}

static void ignore_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
}

static struct cache_fsck_result look(struct cache_dev *dev)
{
	struct cache_fsck_result res = { 0 };
	struct cache_fsck f = { .size = sizeof(f), .devs = &dev, .ndevs = 1, .results = &res, .report = ignore_finding };

	CHECK_EQ(cache_fsck_run(&f), 0);
	return res;
}

/* What the set needs, its every block read: bits by bucket. */
struct needed {
	uint64_t *metadata, *dirty;
	uint64_t nbuckets, bucket_sectors, reserved, dirty_sectors;
};

static struct needed needed_of(struct cache_dev *base)
{
	struct cache_set *set = set_load(base);
	struct needed n = { .nbuckets = set->sb.nbuckets, .bucket_sectors = set->sb.bucket_sectors,
			    .reserved = cache_sb_reserved_buckets(&set->sb) };

	n.metadata = cache_bits_new(n.nbuckets);
	n.dirty = cache_bits_new(n.nbuckets);
	for (uint64_t b = 0; b < n.nbuckets; b++) {
		enum cache_role role = cache_set_role(set, b);

		if (role == CACHE_ROLE_PRIO || role == CACHE_ROLE_UUID || role == CACHE_ROLE_BTREE)
			cache_bit_set(n.metadata, b);
		if (role == CACHE_ROLE_DIRTY)
			cache_bit_set(n.dirty, b);
	}
	for (uint32_t i = 0; i < set->sb.njournal; i++)
		cache_bit_set(n.metadata, set->sb.journal_bucket[i]);
	cache_set_close(set);
	n.dirty_sectors = set_state(base).dirty_sectors;
	return n;
}

static void needed_fini(struct needed *n)
{
	free(n->metadata);
	free(n->dirty);
}

/* @base, owned, with one range that cannot be read; what is written is in @log too. */
static struct cache_dev *bad_copy(struct cache_dev *base, uint64_t sector, uint64_t n,
				  struct cache_dev_log *log)
{
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_log_new(base, log, &dev, NULL), 0);
	dev = bad_new(dev);
	bad_add(dev, sector, n);
	return dev;
}

static int repair(struct cache_dev *dev, bool leave, struct cache_repair_plan *plan)
{
	struct cache_repair_opts opts = { .allow_data_loss = leave, .seed = 1, .loss = on_loss };

	named = false;
	struct cache_err err = { 0 };
	int ret = cache_repair_cache(dev, &opts, plan, &err);

	if (ret && ret != -EIO && ret != -ENOBUFS)
		TEST_FAIL("returned %d: %s", ret, err.text);
	return ret;
}

/* Without permission: refused, and not one byte written. */
static void is_refused(struct cache_dev *base, const char *image, uint64_t bucket, uint64_t sector,
		       uint64_t n)
{
	struct cache_dev_log log = { 0 };
	struct cache_dev *dev = bad_copy(set_lend(base), sector, n, &log);
	struct cache_fsck_result res = look(dev);
	struct cache_repair_plan plan;
	int ret = repair(dev, false, &plan);

	if (cache_fsck_is_clean(&res))
		TEST_FAIL("%s: bucket %" PRIu64 " cannot be read, and the set is called clean", image,
			  bucket);
	if (ret != -EIO || plan.safe || log.n)
		TEST_FAIL("%s: bucket %" PRIu64 " cannot be read: returned %d, %zu writes, safe %d",
			  image, bucket, ret, log.n, plan.safe);
	cache_dev_close(dev);
	cache_dev_log_fini(&log);
}

/*
 * With permission: until the journal entry that makes the change is written, nothing is
 * overwritten that the set needs, even if the structure that needs it cannot be read.
 */
static void is_spared(struct cache_dev *base, const struct needed *need, const char *image,
		      uint64_t bucket, uint64_t sector, uint64_t n)
{
	struct cache_dev_log log = { 0 };
	struct cache_dev *copy = set_copy(base), *dev = bad_copy(set_lend(copy), sector, n, &log);
	struct cache_repair_plan plan;
	int ret = repair(dev, true, &plan);
	struct set_state now;

	for (size_t i = 0; i < log.n; i++) {
		uint64_t b = log.ops[i].sector / need->bucket_sectors;

		if (log.ops[i].kind == CACHE_DEV_OP_FLUSH)
			continue;
		if (b < need->reserved)
			break;
		if ((cache_bit(need->metadata, b) || cache_bit(need->dirty, b)))
			TEST_FAIL("%s: bucket %" PRIu64 " cannot be read, and bucket %" PRIu64
				  ", which the set needs, is overwritten", image, bucket, b);
	}
	now = set_state(copy);
	if (!ret && now.dirty_sectors < need->dirty_sectors && !named && !plan.drop_all_clean)
		TEST_FAIL("%s: bucket %" PRIu64 " cannot be read, dirty data is gone without a message",
			  image, bucket);
	cache_dev_close(dev);
	cache_dev_close(copy);
	cache_dev_log_fini(&log);
}

/* Every @step-th bucket of metadata; READ_ERRORS=1: every one. */
static unsigned try_image(const char *name, unsigned step)
{
	struct cache_dev *base = set_open(name);
	struct needed need = needed_of(base);
	unsigned runs = 0, seen = 0;

	for (uint64_t b = 0; b < need.nbuckets; b++) {
		if (!cache_bit(need.metadata, b) || seen++ % step)
			continue;
		is_refused(base, name, b, b * need.bucket_sectors, need.bucket_sectors);
		if (!(runs++ % 3))
			is_spared(base, &need, name, b, b * need.bucket_sectors,
				  need.bucket_sectors);
	}
	needed_fini(&need);
	cache_dev_close(base);
	return runs;
}

TEST(metadata_that_cannot_be_read_is_never_repaired_without_permission_nor_called_clean)
{
	static const char *const images[] = {
		"registered", "churn-lru", "churn-510", "flash-73", "flash-vol",
		"rewrite-61", "ring-full", "ring-narrow", "two-backs", "wb-clean", "wb-crash",
	};
	unsigned runs = 0, step = getenv("READ_ERRORS") ? 1 : 11;

	for (size_t i = 0; i < sizeof(images) / sizeof(*images); i++) {
		unsigned n = try_image(images[i], step);

		CHECK(n);
		runs += n;
	}
	printf("# %u buckets of metadata that cannot be read\n", runs);
}

TEST(a_superblock_that_cannot_be_read_is_not_clean_and_stays)
{
	struct cache_dev *base = set_open("registered");
	struct cache_dev_log log = { 0 };
	struct cache_dev *dev = bad_copy(set_lend(base), CACHE_SB_SECTOR, 8, &log);
	struct cache_fsck_result res = look(dev);
	struct cache_repair_plan plan;

	CHECK_EQ(res.ret, -EIO);
	CHECK(!cache_fsck_is_clean(&res));
	CHECK_EQ(repair(dev, true, &plan), -EIO);
	CHECK_EQ(log.n, 0);
	cache_dev_close(dev);
	cache_dev_close(base);
	cache_dev_log_fini(&log);
}

TEST_MAIN()
