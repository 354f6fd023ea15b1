// SPDX-License-Identifier: GPL-2.0-only
/*
 * cache-tune that is cut off at any write: dirty data over what the backing device has is the
 * data that was there before; a device that the kernel would attach as clean or new has no
 * dirty data in the set; and a second run does the rest.
 */
#include "pair.h"
#include "wrap.h"
#include "writeback/tune.h"
#include "writeback/writeback.h"

enum kind { LABEL, UUID, MODE, MOVE, DETACH, ATTACH, CLEAR, RELINK };

struct tuning {
	struct pair p;
	enum kind kind;
	uint64_t dirty;			/* before; all of it stays, unless it is dropped */
};

static const uint8_t new_uuid[16] = { 9, 8, 7, 6, 5, 4, 3, 2, 1 };

struct look {
	struct cache_sb cache, back;
	int64_t slot;			/* of the backing device */
	uint64_t slot_dirty, dirty;
	uint8_t first[16];		/* uuid of slot 0 */
};

static int add_dirty(void *ctx, const struct cache_extent *e)
{
	struct look *l = ctx;

	if (!cache_key_dirty(&e->key) || e->staleness || e->check_key || !e->available)
		return 0;
	l->dirty += cache_key_size(&e->key);
	if ((int64_t)cache_key_inode(&e->key) == l->slot)
		l->slot_dirty += cache_key_size(&e->key);
	return 0;
}

static struct look look_at(const struct pair *p, struct cache_dev *both)
{
	struct cache_dev *back = window(both, p->cache_sectors, p->back_sectors);
	struct cache_set *set = set_load(both);
	struct look l = { .cache = set->sb };

	CHECK_EQ(cache_sb_read(back, &l.back, NULL), 0);
	CHECK_EQ(l.back.csum_stored, l.back.csum_computed);
	cache_dev_close(back);
	l.slot = cache_uuid_find(&set->uuids, l.back.uuid);
	memcpy(l.first, set->uuids.slot[0].uuid, sizeof(l.first));
	CHECK_EQ(cache_set_each_extent(set, add_dirty, &l, NULL, NULL), 0);
	cache_set_close(set);
	return l;
}

static int work(void *ctx, struct cache_dev *both)
{
	const struct tuning *t = ctx;
	struct cache_dev *cache = window(both, 0, t->p.cache_sectors);
	struct cache_dev *back = window(both, t->p.cache_sectors, t->p.back_sectors);
	struct cache_tune o = { .cache = cache, .backing = back, .seed = 3, .mode = -1,
				.relink_slot = -1 };
	struct cache_err err = { 0 };
	struct cache_sb sb;
	int ret;

	CHECK_EQ(cache_sb_read(cache, &sb, NULL), 0);
	o.label = t->kind == LABEL ? "other" : NULL;
	o.uuid = t->kind == UUID ? new_uuid : NULL;
	o.mode = t->kind == MODE ? CACHE_MODE_WRITEAROUND : -1;
	o.detach = t->kind == DETACH;
	o.attach = t->kind == ATTACH || t->kind == MOVE ? sb.set_uuid : NULL;
	o.clear_inconsistent = t->kind == CLEAR;
	o.relink = t->kind == RELINK;
	o.force = t->kind == RELINK || t->kind == MOVE || t->kind == CLEAR;
	ret = cache_tune(&o, &err);
	if (ret < 0 && !err.text[0])
		TEST_FAIL("failed with %d without a message", ret);
	cache_dev_close(cache);
	cache_dev_close(back);
	return ret < 0 ? ret : 0;
}

static void check(const struct tuning *t, struct cache_dev *both, const char *what, size_t at)
{
	struct look l = look_at(&t->p, both);
	enum cache_bdev_state state = cache_sb_bdev_state(&l.back);
	char *data = merged(&t->p, both, NULL);

	if (t->kind != CLEAR && !is_true(&t->p, data))
		TEST_FAIL("%s %zu: data is wrong", what, at);
	if (t->kind != CLEAR && l.dirty != t->dirty)
		TEST_FAIL("%s %zu: %" PRIu64 " sectors are dirty, and there were %" PRIu64, what, at,
			  l.dirty, t->dirty);
	/* the kernel gives up what the slot of such a device has */
	if (t->kind != CLEAR && l.slot_dirty && state != CACHE_BDEV_STATE_DIRTY &&
	    !memcmp(l.back.set_uuid, l.cache.set_uuid, 16))
		TEST_FAIL("%s %zu: its slot has dirty data, and its state is %d", what, at, state);
	free(data);
}

static void check_done(const struct tuning *t, struct cache_dev *both)
{
	struct look l = look_at(&t->p, both);
	enum cache_bdev_state state = cache_sb_bdev_state(&l.back);
	bool of_set = !memcmp(l.back.set_uuid, l.cache.set_uuid, 16);

	CHECK(t->kind != LABEL || !strcmp((const char *)l.back.label, "other"));
	CHECK(t->kind != MODE || cache_sb_bdev_mode(&l.back) == CACHE_MODE_WRITEAROUND);
	CHECK(t->kind != UUID || (!memcmp(l.back.uuid, new_uuid, 16) && l.slot == 0));
	CHECK(t->kind != MOVE || (of_set && l.slot == 0 && state == CACHE_BDEV_STATE_DIRTY));
	CHECK(t->kind != DETACH || (!of_set && l.slot < 0 && state == CACHE_BDEV_STATE_NONE));
	CHECK(t->kind != ATTACH || (of_set && state == CACHE_BDEV_STATE_NONE));
	CHECK(t->kind != CLEAR || (l.slot < 0 && !l.dirty && state == CACHE_BDEV_STATE_NONE));
	CHECK(t->kind != RELINK || (of_set && l.slot == 0 && state == CACHE_BDEV_STATE_DIRTY));
}

static void see(void *ctx, struct cache_dev *both, const char *what, size_t at)
{
	struct tuning *t = ctx;
	struct cache_dev *copy;
	struct look l;

	check(t, both, what, at);
	if (strcmp(what, "cut before operation"))
		return;
	l = look_at(&t->p, both);
	copy = set_copy(both);
	/* where it has left the set already, or is no longer stale, nothing is asked any more */
	if (work(t, copy)) {
		if (!(t->kind == CLEAR && cache_sb_bdev_state(&l.back) == CACHE_BDEV_STATE_NONE) &&
		    !(t->kind == RELINK && l.slot == 0))
			TEST_FAIL("%s %zu: cannot be run again", what, at);
	} else if (t->kind != CLEAR) {
		check_done(t, copy);
	}
	check(t, copy, "run again after operation", at);
	cache_dev_close(copy);
}

/* The superblock of the backing device is changed before the work. */
static void prepare_super(struct tuning *t, const uint8_t *set_uuid, int state)
{
	struct cache_dev *back = window(t->p.both, t->p.cache_sectors, t->p.back_sectors);
	struct cache_super_change c = CACHE_SUPER_CHANGE_NONE;

	c.set_uuid = set_uuid;
	c.state = state;
	CHECK(cache_super_change(back, &c, true, NULL, NULL, NULL) >= 0);
	cache_dev_close(back);
}

/* As the kernel leaves the slot of a device that it detached; the table has no checksum. */
static void retire_slot(struct tuning *t)
{
	struct cache_set *set = set_load(t->p.both);
	uint64_t at = cache_ptr_sector(set->journal.newest.uuid_bucket.ptr[0]);
	char *buf = cache_dev_buf(CACHE_SECTOR_BYTES);

	CHECK_EQ(cache_dev_read(t->p.both, at, 1, buf, NULL), 0);
	memcpy(buf, cache_uuid_tombstone, 16);
	CHECK_EQ(cache_dev_write(t->p.both, at, 1, buf, NULL), 0);
	free(buf);
	cache_set_close(set);
}

static void write_back(struct tuning *t)
{
	struct cache_dev *cache = window(t->p.both, 0, t->p.cache_sectors);
	struct cache_dev *back = window(t->p.both, t->p.cache_sectors, t->p.back_sectors);
	struct cache_writeback_opts opts = { .backing = &back, .nbacking = 1 };
	struct cache_writeback_result res;

	CHECK_EQ(cache_writeback_run(cache, &opts, &res, NULL), 0);
	cache_writeback_fini(&res);
	cache_dev_close(cache);
	cache_dev_close(back);
}

static void prepare(struct tuning *t)
{
	static const uint8_t other[16] = { 1, 1, 1 }, none[16];

	if (t->kind == MOVE)
		prepare_super(t, other, -1);
	if (t->kind == DETACH)
		write_back(t);
	if (t->kind == ATTACH || t->kind == RELINK) {
		retire_slot(t);
		prepare_super(t, none, CACHE_BDEV_STATE_NONE);
	}
	if (t->kind == CLEAR)
		prepare_super(t, NULL, CACHE_BDEV_STATE_STALE);
}

static void cut(enum kind kind)
{
	struct tuning t = { .p = open_pair("rewrite-61"), .kind = kind };
	struct crash c = { .work = work, .ctx = &t, .see = see };
	struct cache_dev *done;

	prepare(&t);
	t.dirty = look_at(&t.p, t.p.both).dirty;
	c.base = t.p.both;
	crash_cuts(&c);
	done = set_copy(t.p.both);
	CHECK_EQ(work(&t, done), 0);
	check_done(&t, done);
	cache_dev_close(done);
	close_pair(&t.p);
}

TEST(a_new_label_cut_off_leaves_all_data_and_can_be_run_again) { cut(LABEL); }
TEST(a_new_uuid_cut_off_leaves_all_data_and_can_be_run_again) { cut(UUID); }
TEST(a_detach_cut_off_leaves_all_data_and_can_be_run_again) { cut(DETACH); }
TEST(a_relink_cut_off_leaves_all_data_and_can_be_run_again) { cut(RELINK); }
TEST(a_stale_device_that_is_cleared_and_cut_off_can_be_cleared_again) { cut(CLEAR); }
TEST(a_new_mode_cut_off_leaves_all_data) { cut(MODE); }
TEST(an_attach_cut_off_leaves_all_data) { cut(ATTACH); }
TEST(a_move_to_a_clone_cut_off_leaves_all_data) { cut(MOVE); }

TEST_MAIN()
