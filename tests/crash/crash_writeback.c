// SPDX-License-Identifier: GPL-2.0-only
/*
 * A writeback that is cut off, or whose transfers or allocations fail: what the cache calls
 * dirty, over what the backing device has, is the data that was there before, always; and a
 * backing device that calls itself clean, or is detached, needs nothing of the cache.
 */
#include <errno.h>

#include "bad_sectors.h"
#include <libcache/fsck.h>
#include "pair.h"
#include "wrap.h"
#include "writeback/writeback.h"

/* What holds at any moment. */
static void check(const struct pair *p, struct cache_dev *both, const char *what, uint64_t at)
{
	enum cache_bdev_state state = state_of(p, both);
	uint64_t dirty;
	char *data = merged(p, both, &dirty);

	if (!is_true(p, data))
		TEST_FAIL("%s %" PRIu64 ": data is wrong", what, at);
	if (dirty && state != CACHE_BDEV_STATE_DIRTY)
		TEST_FAIL("%s %" PRIu64 ": %" PRIu64 " sectors are dirty, and the backing device does not know",
			  what, at, dirty);
	free(data);
}

static void check_done(const struct pair *p, struct cache_dev *both)
{
	struct cache_fsck_result res = { 0 };
	struct cache_fsck f = { .size = sizeof(f), .devs = &both, .ndevs = 1, .results = &res };
	uint64_t dirty;

	free(merged(p, both, &dirty));
	CHECK_EQ(dirty, 0);
	CHECK_EQ(state_of(p, both), p->detach ? CACHE_BDEV_STATE_NONE : CACHE_BDEV_STATE_CLEAN);
	CHECK_EQ(cache_fsck_run(&f), 0);
	CHECK(cache_fsck_is_clean(&res));
}

static int write_back(struct pair *p, struct cache_dev *cache, struct cache_dev *back,
		      struct cache_dev *super, struct cache_writeback_result *res)
{
	struct cache_writeback_opts opts = { .backing = &back, .nbacking = 1, .supers = &super,
					     .seed = 7, .detach = p->detach };
	struct cache_err err = { 0 };
	int ret = cache_writeback_run(cache, &opts, res, &err);

	if (ret && !err.text[0])
		TEST_FAIL("failed with %d without a message", ret);
	return ret;
}

static int work(void *ctx, struct cache_dev *both)
{
	struct pair *p = ctx;
	struct cache_dev *cache = window(both, 0, p->cache_sectors);
	struct cache_dev *super = window(both, p->cache_sectors, p->back_sectors);
	struct cache_writeback_result res;
	int ret = write_back(p, cache, p->settled ? p->data : super, super, &res);

	cache_writeback_fini(&res);
	cache_dev_close(cache);
	cache_dev_close(super);
	return ret;
}

/* The data is on the backing device, and the cache does not know: what is still to be written is
 * metadata. */
static void settle(struct pair *p)
{
	struct cache_dev *cache = window(p->both, 0, p->cache_sectors);
	struct cache_dev *back = window(p->both, p->cache_sectors, p->back_sectors);
	struct cache_writeback_opts opts = { .backing = &back, .nbacking = 1, .force = true };
	struct cache_writeback_result res;

	CHECK_EQ(cache_writeback_run(cache, &opts, &res, NULL), 0);
	CHECK(!res.committed);
	cache_writeback_fini(&res);
	p->data = set_copy(back);
	p->settled = true;
	cache_dev_close(cache);
	cache_dev_close(back);
}

/* Each state is right, and from it the rest can be done. */
static void see(void *ctx, struct cache_dev *both, const char *what, size_t at)
{
	struct pair *p = ctx;
	struct cache_dev *copy;

	check(p, both, what, at);
	if (strcmp(what, "cut before operation"))
		return;
	copy = set_copy(both);
	/* once detached it is no longer one of the set, and needs no more */
	if (work(p, copy) && state_of(p, copy) != CACHE_BDEV_STATE_NONE)
		TEST_FAIL("%s %zu: cannot be run again", what, at);
	check(p, copy, "run again after operation", at);
	if (state_of(p, copy) != CACHE_BDEV_STATE_NONE || !p->detach)
		check_done(p, copy);
	cache_dev_close(copy);
}

static void cut(bool detach)
{
	struct pair p = open_pair("rewrite-61");
	struct crash c = { .work = work, .ctx = &p, .see = see };

	p.detach = detach;
	settle(&p);
	c.base = p.both;
	crash_cuts(&c);
	close_pair(&p);
}

TEST(a_writeback_cut_off_at_its_commit_has_all_data_and_can_be_run_again) { cut(false); }
TEST(a_detach_cut_off_has_all_data_and_can_be_run_again) { cut(true); }

/* Before the commit: data only where it is dirty, then a flush, then the cache. */
TEST(the_cache_is_not_written_before_the_data_is_flushed)
{
	struct pair p = open_pair("rewrite-61");
	struct cache_dev *base = set_copy(p.both), *logged;
	struct cache_dev_log log = { 0 };
	bool flushed = false, committing = false;
	uint64_t ndata = 0;

	CHECK_EQ(cache_dev_log_new(set_lend(p.both), &log, &logged, NULL), 0);
	CHECK_EQ(work(&p, logged), 0);
	cache_dev_close(logged);
	for (size_t i = 0; i < log.n; i++) {
		const struct cache_dev_op *op = &log.ops[i];
		bool data = op->sector >= p.cache_sectors + CACHE_BDEV_DATA_START_SECTORS;

		if (op->kind == CACHE_DEV_OP_FLUSH) {
			flushed = true;
		} else if (data) {
			CHECK(!committing);
			flushed = false;
			ndata++;
			/* over what is dirty: else this would change what a kernel returns */
			CHECK_EQ(cache_dev_op_apply(op, base, NULL), 0);
			CHECK_MEM(op->data, p.truth + (op->sector - p.cache_sectors) * CACHE_SECTOR_BYTES,
				  op->nsectors * CACHE_SECTOR_BYTES);
		} else {
			CHECK(flushed || committing);
			committing = true;
		}
	}
	check(&p, base, "data written", ndata);
	CHECK(committing && ndata > 100);
	check_done(&p, p.both);
	cache_dev_log_fini(&log);
	cache_dev_close(base);
	close_pair(&p);
}

/* One run in which the @n-th transfer of @kind to one of the devices fails. */
static bool fail_at(struct pair *p, bool back, unsigned kind, uint64_t n,
		    enum cache_fault_effect effect)
{
	struct cache_fault fault = { .kinds = kind, .at = n, .effect = effect, .error = -EIO };
	struct cache_dev *both = set_copy(p->both), *devs[2];
	struct cache_writeback_result res;
	uint64_t dirty;
	int ret;

	devs[0] = window(both, 0, p->cache_sectors);
	devs[1] = window(both, p->cache_sectors, p->back_sectors);
	CHECK_EQ(cache_dev_fault_new(devs[back], &fault, &devs[back], NULL), 0);
	ret = write_back(p, devs[0], devs[1], devs[1], &res);
	cache_dev_close(devs[0]);
	cache_dev_close(devs[1]);
	check(p, both, "fault at transfer", n);
	free(merged(p, both, &dirty));
	if (!ret && dirty && res.devices[0].left_sectors != dirty)
		TEST_FAIL("%" PRIu64 " sectors are dirty, and %" PRIu64 " are said to be", dirty,
			  res.devices[0].left_sectors);
	if (fault.seen < n && (ret || dirty))
		TEST_FAIL("failed with %d though nothing had", ret);
	cache_writeback_fini(&res);
	cache_dev_close(both);
	return fault.seen >= n;
}

TEST(if_any_transfer_fails_data_is_right_and_what_stays_dirty_is_reported)
{
	static const struct {
		unsigned kind, step;
		enum cache_fault_effect effect;
	} all[] = {
		{ CACHE_FAULT_READ, 41, CACHE_FAULT_FAIL }, { CACHE_FAULT_READ, 97, CACHE_FAULT_GONE },
		{ CACHE_FAULT_WRITE, 41, CACHE_FAULT_FAIL }, { CACHE_FAULT_WRITE, 97, CACHE_FAULT_SHORT },
		{ CACHE_FAULT_WRITE, 97, CACHE_FAULT_GONE }, { CACHE_FAULT_FLUSH, 1, CACHE_FAULT_FAIL },
	};
	struct pair p = open_pair("rewrite-61");
	uint64_t runs = 0;

	for (size_t i = 0; i < 2 * sizeof(all) / sizeof(*all); i++)
		for (uint64_t n = 1; fail_at(&p, i % 2, all[i / 2].kind, n, all[i / 2].effect);
		     n += all[i / 2].step)
			runs++;
	printf("# %" PRIu64 " runs with a fault\n", runs);
	close_pair(&p);
}

/* The first dirty extent of at least @least sectors. */
struct extent_of {
	struct cache_bkey key;
	uint64_t least;
};

static int take_dirty(void *ctx, const struct cache_extent *e)
{
	struct extent_of *x = ctx;

	if (!cache_key_dirty(&e->key) || e->staleness || cache_key_size(&e->key) < x->least)
		return 0;
	x->key = e->key;
	return 1;
}

struct failures {
	uint64_t n, sectors, first;
	enum cache_copy_step step;
};

static void on_failed(void *ctx, const struct cache_writeback_device *d,
		      const struct cache_writeback_failure *f)
{
	struct failures *x = ctx;

	x->first = x->n++ ? x->first : f->start;
	x->sectors += f->sectors;
	x->step = f->step;
}

TEST(a_bad_block_of_the_cache_is_listed_and_its_extent_alone_stays_dirty)
{
	struct pair p = open_pair("wb-crash");
	struct cache_dev *cache = bad_new(window(p.both, 0, p.cache_sectors));
	struct cache_dev *back = window(p.both, p.cache_sectors, p.back_sectors);
	struct failures seen = { 0 };
	struct cache_writeback_opts opts = { .backing = &back, .nbacking = 1, .verify = true,
					     .failed = on_failed, .ctx = &seen };
	struct cache_writeback_result res;
	struct extent_of x = { .least = 1 };
	struct cache_set *set = set_load(p.both);

	CHECK_EQ(cache_set_each_extent(set, take_dirty, &x, NULL, NULL), 1);
	cache_set_close(set);
	bad_add(cache, cache_ptr_sector(x.key.ptr[0]), 1);
	CHECK_EQ(cache_writeback_run(cache, &opts, &res, NULL), 0);
	CHECK_EQ(seen.n, 1);
	CHECK_EQ(seen.first, cache_key_start(&x.key));
	CHECK_EQ(seen.step, CACHE_COPY_READ);
	CHECK_EQ(res.devices[0].failed_sectors, seen.sectors);
	CHECK_EQ(res.devices[0].left_sectors, cache_key_size(&x.key));
	CHECK_EQ(res.devices[0].written_sectors + cache_key_size(&x.key), 41288);
	CHECK(!res.devices[0].super_done);
	cache_writeback_fini(&res);
	check(&p, p.both, "bad sector", 0);
	CHECK_EQ(state_of(&p, p.both), CACHE_BDEV_STATE_DIRTY);
	cache_dev_close(cache);
	cache_dev_close(back);
	/* the sector can be read again: the rest follows */
	CHECK_EQ(work(&p, p.both), 0);
	check_done(&p, p.both);
	close_pair(&p);
}

/* Stops after the first buffer. */
static int stop(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	return pass == CACHE_WRITEBACK_PASS_COPY;
}

TEST(a_writeback_that_is_asked_to_stop_commits_what_was_copied)
{
	struct pair p = open_pair("wb-crash");
	struct cache_dev *cache = window(p.both, 0, p.cache_sectors);
	struct cache_dev *back = window(p.both, p.cache_sectors, p.back_sectors);
	struct cache_writeback_opts opts = { .backing = &back, .nbacking = 1, .progress = stop };
	struct cache_writeback_result res;

	CHECK_EQ(cache_writeback_run(cache, &opts, &res, NULL), 0);
	CHECK(res.cancelled && res.committed);
	CHECK(res.devices[0].written_sectors && res.devices[0].left_sectors);
	cache_writeback_fini(&res);
	check(&p, p.both, "stopped", 0);
	cache_dev_close(cache);
	cache_dev_close(back);
	CHECK_EQ(work(&p, p.both), 0);
	check_done(&p, p.both);
	close_pair(&p);
}

TEST(each_failed_allocation_of_a_writeback_is_reported_and_data_is_right)
{
	struct pair p = open_pair("rewrite-61");
	bool struck = true;

	for (uint64_t n = 1; struck; n += 5) {
		struct cache_dev *both = set_copy(p.both);
		struct cache_dev *cache = window(both, 0, p.cache_sectors);
		struct cache_dev *back = window(both, p.cache_sectors, p.back_sectors);
		struct cache_writeback_opts opts = { .backing = &back, .nbacking = 1 };
		struct cache_writeback_result res;
		struct cache_err err = { 0 };
		int ret;

		crash_alloc_fail(n);
		ret = cache_writeback_run(cache, &opts, &res, &err);
		struck = crash_alloc_said(ret, &err);
		cache_writeback_fini(&res);
		check(&p, both, "no memory at allocation", n);
		cache_dev_close(cache);
		cache_dev_close(back);
		cache_dev_close(both);
	}
	close_pair(&p);
}

TEST_MAIN()
