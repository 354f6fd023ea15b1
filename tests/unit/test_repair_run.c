// SPDX-License-Identifier: GPL-2.0-only
/* Check, repair, check again: the order, who is asked and told, and what stays open. */
#include "repair_cases.h"

#include "bad_sectors.h"

#include <libcache/repair.h>

/* What was called, in order, a letter each. */
struct calls {
	char made[512];
	unsigned n, nfindings[2];
	struct cache_dev *open;		/* what open gives; NULL: it refuses */
	bool agree;
	bool stop_before_open, stop_after_open;	/* progress says no */
};

static void called(void *ctx, char letter)
{
	struct calls *c = ctx;

	if (c->n < sizeof(c->made) - 1 && (!c->n || c->made[c->n - 1] != letter))
		c->made[c->n++] = letter;
}

static void on_finding(void *ctx, unsigned dev, bool again, const struct cache_finding *f)
{
	struct calls *c = ctx;

	c->nfindings[again]++;
	called(ctx, again ? 'F' : 'f');
}

static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	const struct calls *c = ctx;

	return c->stop_before_open || (c->stop_after_open && strchr(c->made, 'o'));
}

static bool on_confirm(void *ctx, unsigned dev, const struct cache_repair_plan *plan)
{
	called(ctx, plan->rebuild || plan->clear_discard ? 'c' : 's');
	return ((struct calls *)ctx)->agree;
}

static int on_open(void *ctx, unsigned dev, struct cache_dev **writable, struct cache_err *err)
{
	struct calls *c = ctx;

	called(ctx, 'o');
	*writable = c->open;
	return c->open ? 0 : cache_err_set(err, -EBUSY, 0, "in use");
}

static void on_close(void *ctx, unsigned dev, struct cache_dev *writable)
{
	called(ctx, 'x');
}

static void on_repaired(void *ctx, unsigned dev, const struct cache_repair_result *result)
{
	called(ctx, 'r');
}

static struct cache_repair_opts all_of(struct calls *c)
{
	return (struct cache_repair_opts){
		.size = sizeof(struct cache_repair_opts), .seed = 3, .finding = on_finding, .progress = on_progress,
		.confirm = on_confirm, .open = on_open, .close = on_close,
		.repaired = on_repaired, .ctx = c };
}

/* Reads fail from the end of the first pass of the repair up to the end of the second. */
struct late {
	struct bad_sectors *bad;
	bool wrote;
};

static int on_late_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	struct late *l = ctx;

	l->wrote |= pass == CACHE_REPAIR_PASS_WRITE;
	if (l->wrote && pass == CACHE_PASS_PRIOS && l->bad)
		l->bad->n[0] = UINT64_MAX / 2;
	return 0;
}

static void on_late_repaired(void *ctx, unsigned dev, const struct cache_repair_result *result)
{
	struct late *l = ctx;

	l->bad->n[0] = 0;
	l->bad = NULL;
}

static bool agree_late(void *ctx, unsigned dev, const struct cache_repair_plan *plan)
{
	return true;
}

TEST(a_second_pass_that_fails_does_not_hide_what_the_first_one_wrote)
{
	struct disk d = two_devices(0x30, 0x40);
	struct cache_dev *dev;
	struct late l = { 0 };
	struct cache_repair_opts opts = {
		.size = sizeof(opts), .seed = 3, .progress = on_late_progress,
		.confirm = agree_late, .repaired = on_late_repaired, .ctx = &l };
	struct cache_repair_result res;

	put_entry(&d, 2, UUID, 1);
	for (unsigned i = 0; i < BS; i++)
		disk_spoil(&d, SECTOR(ROOT) + i, 0);
	dev = bad_new(d.dev);
	l.bad = dev->priv;
	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK(l.wrote && !l.bad);
	CHECK_EQ(res.ret, -EIO);
	CHECK(res.done && res.checked_again);
	CHECK(res.plan.rebuild && res.plan.new_nodes);
	CHECK(cache_fsck_is_clean(&res.after));
	cache_dev_close(dev);
}

/* A set from a kernel, prio_set and superblock damaged. */
static struct cache_dev *damage(struct cache_dev *dev, bool super)
{
	struct cache_set *set = set_load(dev);
	uint8_t buf[CACHE_SECTOR_BYTES];
	uint64_t at = cache_bucket_sector(&set->sb, set->prios.chain[0]);

	cache_set_close(set);
	CHECK_EQ(cache_dev_read(dev, at, 1, buf, NULL), 0);
	buf[300] ^= 1;
	CHECK_EQ(cache_dev_write(dev, at, 1, buf, NULL), 0);
	CHECK_EQ(cache_dev_read(dev, CACHE_SB_SECTOR, 1, buf, NULL), 0);
	buf[100] ^= super;	/* in the label */
	CHECK_EQ(cache_dev_write(dev, CACHE_SB_SECTOR, 1, buf, NULL), 0);
	return dev;
}

static struct cache_dev *damaged(bool super)
{
	return damage(set_open("registered"), super);
}

static bool is_same(struct cache_dev *a, struct cache_dev *b)
{
	struct set_state x = set_state(a), y = set_state(b);

	return set_same(&x, &y);
}

TEST(without_any_callback_a_set_is_repaired_and_checked_again)
{
	struct cache_repair_opts opts = { .size = sizeof(opts), .seed = 3 };
	struct cache_dev *dev = damaged(true);
	struct cache_repair_result res;

	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK(res.tried && res.done && res.super && res.checked_again && !res.declined);
	CHECK(!cache_fsck_is_clean(&res.before));
	CHECK(cache_fsck_is_clean(&res.after));
	CHECK_EQ(set_state(dev).findings, 0);
	cache_dev_close(dev);
}

TEST(a_check_without_a_report_counts_what_it_finds)
{
	struct cache_fsck_result res = { 0 };
	struct cache_dev *dev = damaged(false);
	struct cache_fsck f = { .size = sizeof(f), .devs = &dev, .ndevs = 1, .results = &res };

	CHECK_EQ(cache_fsck_run(&f), 0);
	CHECK(res.count[CACHE_SEVERITY_CORRUPT]);
	CHECK(cache_dev_sectors(dev));
	cache_dev_close(dev);
}

TEST(superblock_then_the_rest_then_the_second_check)
{
	struct cache_dev *dev = damaged(true);
	struct calls c = { .agree = true, .open = dev };
	struct cache_repair_opts opts = all_of(&c);
	struct cache_repair_result res;

	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK(!strncmp(c.made, "foscrx", 6));
	CHECK_EQ(c.nfindings[1], res.after.count[CACHE_SEVERITY_NOTE]);
	cache_dev_close(dev);
}

TEST(a_device_is_opened_to_be_written_only_when_it_needs_repair)
{
	struct cache_dev *dev = set_open("registered");
	struct calls c = { .agree = true, .open = dev };
	struct cache_repair_opts opts = all_of(&c);
	struct cache_repair_result res;

	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK(!strchr(c.made, 'o') && !res.tried && !res.checked_again);
	CHECK(cache_fsck_is_clean(&res.after));
	cache_dev_close(dev);
}

/* Runs with @c and @opts on a damaged set, which must stay as it is. */
static struct cache_repair_result leaves_it(struct calls *c, struct cache_repair_opts opts,
					    int want)
{
	struct cache_dev *dev = damage(set_open("churn-lru"), false), *before = set_copy(dev);
	struct cache_repair_result res;

	if (c->agree)
		c->open = dev;
	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), want);
	CHECK(is_same(dev, before));
	CHECK(!res.done && !res.checked_again);
	cache_dev_close(before);
	cache_dev_close(dev);
	return res;
}

TEST(what_cannot_be_opened_is_left_and_the_reason_is_kept)
{
	struct calls c = { 0 };
	struct cache_repair_result res = leaves_it(&c, all_of(&c), 0);

	CHECK_EQ(res.ret, -EBUSY);
	CHECK(!res.tried && !strchr(c.made, 'x') && !strchr(c.made, 'r'));
}

TEST(a_plan_that_is_declined_is_not_carried_out)
{
	struct calls c = { .agree = true };
	struct cache_repair_opts opts = all_of(&c);
	struct cache_dev *dev = damaged(false), *before = set_copy(dev);
	struct cache_repair_result res;

	c.agree = false;
	c.open = dev;
	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK(res.tried && res.declined && !res.done);
	CHECK_EQ(res.ret, -ECANCELED);
	CHECK(is_same(dev, before));
	cache_dev_close(before);
	cache_dev_close(dev);
}

/* A set from a kernel with a damaged root: the plan is not safe. */
static struct cache_dev *without_root(void)
{
	struct cache_dev *dev = set_open("churn-lru");
	struct cache_set *set = set_load(dev);
	uint8_t buf[CACHE_SECTOR_BYTES];
	uint64_t root = cache_ptr_sector(set->journal.newest.btree_root.ptr[0]);

	cache_set_close(set);
	CHECK_EQ(cache_dev_read(dev, root, 1, buf, NULL), 0);
	buf[200] ^= 1;
	buf[300] ^= 1;	/* one wrong byte alone would be corrected */
	CHECK_EQ(cache_dev_write(dev, root, 1, buf, NULL), 0);
	return dev;
}

TEST(an_unsafe_plan_is_declined_unasked_where_only_safe_ones_are_wanted)
{
	struct cache_dev *dev = without_root();
	struct calls c = { .agree = true, .open = dev };
	struct cache_repair_opts opts = all_of(&c);
	struct cache_repair_result res;

	opts.safe_only = true;
	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK(res.declined && !res.done && !res.plan.safe);
	CHECK(!strchr(c.made, 'c'));
	cache_dev_close(dev);
}

TEST(without_confirm_a_plan_that_may_lose_data_is_declined)
{
	struct cache_dev *dev = without_root(), *before = set_copy(dev);
	struct cache_repair_opts opts = { .size = sizeof(opts), .seed = 3 };
	struct cache_repair_result res;

	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK(res.tried && res.declined && !res.done && !res.plan.safe);
	CHECK(is_same(dev, before));
	opts.allow_data_loss = true;
	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK(res.declined && !res.done);
	CHECK(is_same(dev, before));
	cache_dev_close(before);
	cache_dev_close(dev);
}

TEST(without_confirm_a_dry_run_shows_every_plan)
{
	struct cache_dev *dev = without_root(), *before = set_copy(dev);
	struct cache_repair_opts opts = { .size = sizeof(opts), .seed = 3, .dry_run = true };
	struct cache_repair_result res;

	CHECK_EQ(cache_repair_run(&dev, 1, &opts, &res), 0);
	CHECK(!res.declined && !res.done && res.plan.rebuild && !res.plan.safe);
	CHECK(is_same(dev, before));
	cache_dev_close(before);
	cache_dev_close(dev);
}

TEST(only_looking_plans_nothing)
{
	struct calls c = { .agree = true };
	struct cache_repair_opts opts = all_of(&c);
	struct cache_repair_result res;

	opts.look_only = true;
	res = leaves_it(&c, opts, 0);
	CHECK(!res.tried && !strchr(c.made, 'o'));
}

TEST(a_dry_run_plans_and_writes_nothing)
{
	struct calls c = { .agree = true };
	struct cache_repair_opts opts = all_of(&c);
	struct cache_repair_result res;

	opts.dry_run = true;
	res = leaves_it(&c, opts, 0);
	CHECK(res.tried && res.plan.rebuild);
}

TEST(asked_to_stop_it_stops_in_the_check_and_in_the_repair)
{
	for (int i = 0; i < 2; i++) {
		struct calls c = { .agree = true, .stop_before_open = !i, .stop_after_open = i };

		leaves_it(&c, all_of(&c), -ECANCELED);
		CHECK_EQ(!!strchr(c.made, 'o'), i);
	}
}

/* A backing device at hand is evidence, whether it is among the devices or only its superblock. */
TEST(more_than_sixteen_backing_devices_are_all_evidence)
{
	enum { N = 20 };
	struct cache_dev *devs[N + 1];
	struct cache_repair_result res[N + 1];
	struct cache_repair_opts opts = { .size = sizeof(opts), .seed = 3 };
	uint8_t buf[CACHE_SB_BYTES] __attribute__((aligned(4096))) = { 0 };
	struct cache_sb sb, cache;

	devs[0] = damaged(false);
	CHECK_EQ(cache_sb_read(devs[0], &cache, NULL), 0);
	for (unsigned i = 1; i <= N; i++) {
		sb = (struct cache_sb){ .offset_sector = CACHE_SB_SECTOR,
			.version = CACHE_SB_VERSION_BDEV, .uuid = { i }, .set_uuid = { 77 },
			.block_sectors = 8, .bucket_sectors = 1024, .nr_in_set = 1,
			.data_offset_sectors = CACHE_BDEV_DATA_START_SECTORS };
		memcpy(sb.magic, cache_sb_magic, 16);
		cache_sb_encode(&sb, buf);
		CHECK_EQ(cache_dev_mem_new("backing", 4096, &devs[i], NULL), 0);
		CHECK_EQ(cache_dev_write(devs[i], CACHE_SB_SECTOR, 8, buf, NULL), 0);
	}
	opts.backing = &cache;
	opts.nbacking = 1;
	CHECK_EQ(cache_repair_run(devs, N + 1, &opts, res), 0);
	CHECK(res[0].done && cache_fsck_is_clean(&res[0].after));
	for (unsigned i = 0; i <= N; i++) {
		CHECK_EQ(res[i].before.is_backing, i > 0);
		cache_dev_close(devs[i]);
	}
}

TEST_MAIN()
