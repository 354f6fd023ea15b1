// SPDX-License-Identifier: GPL-2.0-only
/*
 * A clone that is cut off, or whose transfers or allocations fail: the target is no bcache device,
 * or it is a whole set that has all that was chosen. The source never changes.
 */
#include <errno.h>

#include "clone/clone.h"
#include "harness.h"
#include <libcache/fsck.h>
#include "wrap.h"

#define TARGET_SECTORS	(24u << 11)	/* 24 MiB */

struct cloning {
	struct cache_dev *src;
	struct set_state want;		/* of the finished clone */
	bool keep_uuid;
	uint64_t unusable, whole;	/* states that were seen */
};

static int work(void *ctx, struct cache_dev *dst)
{
	struct cloning *p = ctx;
	struct cache_clone_opts opts = { .seed = 7, .keep_uuid = p->keep_uuid,
					 .bucket_sectors = 32 };
	struct cache_clone_result res;
	struct cache_err err = { 0 };
	int ret = cache_clone_run(p->src, dst, &opts, &res, &err);

	if (ret && !err.text[0])
		TEST_FAIL("failed with %d without a message", ret);
	if (res.done != !ret)
		TEST_FAIL("%d, and done is %d", ret, res.done);
	cache_clone_fini(&res);
	return ret;
}

struct sums {
	struct cache_dev *dev;
	uint64_t n, sectors, hash;
};

/* What is cached and its content, wherever it lies. */
static int add(void *ctx, const struct cache_extent *e)
{
	struct sums *s = ctx;
	uint64_t n = cache_key_size(&e->key), start = cache_key_start(&e->key);
	uint64_t dirty = cache_key_dirty(&e->key), inode = cache_key_inode(&e->key);
	char *buf;

	if (e->staleness || e->check_key || !e->available)
		return 0;
	buf = cache_dev_buf(n * CACHE_SECTOR_BYTES);
	CHECK_EQ(cache_dev_read(s->dev, cache_ptr_sector(e->key.ptr[0]), n, buf, NULL), 0);
	/* a sum over sectors, since the clone may have cut extents elsewhere */
	for (uint64_t i = 0; i < n; i++) {
		uint64_t h = (start + i) * UINT64_C(0x9e3779b97f4a7c15) ^ inode << 1 ^ dirty;
		const unsigned char *p = (void *)(buf + i * CACHE_SECTOR_BYTES);

		for (unsigned j = 0; j < CACHE_SECTOR_BYTES; j++)
			h = (h ^ p[j]) * UINT64_C(0x100000001b3);
		s->hash += h;
	}
	s->n++;
	s->sectors += n;
	free(buf);
	return 0;
}

static struct sums sums_of(struct cache_dev *dev)
{
	struct sums s = { .dev = dev };
	struct cache_set *set = set_load(dev);

	CHECK_EQ(cache_set_each_extent(set, add, &s, NULL, NULL), 0);
	cache_set_close(set);
	return s;
}

static bool is_unusable(struct cache_dev *dev)
{
	struct cache_sb sb;

	CHECK_EQ(cache_sb_read(dev, &sb, NULL), 0);
	return cache_sb_check(&sb, cache_dev_sectors(dev), 512, NULL, NULL);
}

static void check_whole(const struct cloning *p, struct cache_dev *dst)
{
	struct cache_fsck_result res = { 0 };
	struct cache_fsck f = { .size = sizeof(f), .devs = &dst, .ndevs = 1, .results = &res };
	struct sums from = sums_of(p->src), to = sums_of(dst);

	CHECK_EQ(cache_fsck_run(&f), 0);
	CHECK(cache_fsck_is_clean(&res));
	CHECK_EQ(from.sectors, to.sectors);
	CHECK_EQ(from.hash, to.hash);
}

static void see(void *ctx, struct cache_dev *dst, const char *what, size_t at)
{
	struct cloning *p = ctx;

	if (is_unusable(dst)) {
		p->unusable++;
		return;
	}
	p->whole++;
	check_whole(p, dst);
}

static struct cache_dev *blank(void)
{
	struct cache_dev *dst;

	CHECK_EQ(cache_dev_mem_new("target", TARGET_SECTORS, &dst, NULL), 0);
	return dst;
}

static void cut(bool keep_uuid)
{
	struct cloning p = { .src = set_open("rewrite-61"), .keep_uuid = keep_uuid };
	struct crash c = { .work = work, .ctx = &p, .see = see, .base = blank() };
	struct cache_dev *before = set_copy(p.src);
	struct sums a, b;

	crash_cuts(&c);
	printf("# %" PRIu64 " states without a superblock, %" PRIu64 " whole\n", p.unusable, p.whole);
	CHECK(p.unusable > 100 && p.whole > 1);
	a = sums_of(before);
	b = sums_of(p.src);
	CHECK_EQ(a.hash, b.hash);
	cache_dev_close(before);
	cache_dev_close(c.base);
	cache_dev_close(p.src);
}

TEST(a_clone_cut_off_anywhere_is_no_bcache_device_or_whole) { cut(false); }
TEST(a_successor_cut_off_anywhere_is_no_bcache_device_or_whole) { cut(true); }

/* The old set on the target is gone, or is what it was before the first write. */
static void see_over(void *ctx, struct cache_dev *dst, const char *what, size_t at)
{
	struct cloning *p = ctx;
	struct set_state s;

	if (is_unusable(dst)) {
		p->unusable++;
		return;
	}
	s = set_state(dst);
	if (set_same(&s, &p->want)) {
		p->whole++;
		return;
	}
	check_whole(p, dst);
}

TEST(over_an_old_cache_with_the_same_uuid_nothing_of_that_comes_back)
{
	struct cloning p = { .src = set_open("rewrite-61"), .keep_uuid = true };
	struct crash c = { .work = work, .ctx = &p, .see = see_over, .base = blank() };
	uint64_t n = cache_dev_sectors(p.src);
	char *buf = cache_dev_buf(n * CACHE_SECTOR_BYTES);

	if (n > TARGET_SECTORS)
		n = TARGET_SECTORS;
	CHECK_EQ(cache_dev_read(p.src, 0, n, buf, NULL), 0);
	CHECK_EQ(cache_dev_write(c.base, 0, n, buf, NULL), 0);
	free(buf);
	p.want = set_state(c.base);
	crash_cuts(&c);
	CHECK(p.unusable > 100 && p.whole);
	cache_dev_close(c.base);
	cache_dev_close(p.src);
}

/* One run in which the @n-th transfer of @kind to one of the devices fails. */
static bool fail_at(struct cloning *p, bool target, unsigned kind, uint64_t n,
		    enum cache_fault_effect effect)
{
	struct cache_fault fault = { .kinds = kind, .at = n, .effect = effect, .error = -EIO };
	struct cache_dev *src = p->src, *dst = blank(), *given;
	int ret;

	CHECK_EQ(cache_dev_fault_new(set_lend(target ? dst : src), &fault, &given, NULL), 0);
	p->src = target ? src : given;
	ret = work(p, target ? given : dst);
	p->src = src;
	if (fault.seen < n && ret)
		TEST_FAIL("failed with %d though nothing had", ret);
	if (!ret)
		check_whole(p, dst);	/* what failed once was tried again */
	else if (!is_unusable(dst) && kind != CACHE_FAULT_FLUSH)
		TEST_FAIL("transfer %" PRIu64 " of kind %u failed, and there is a superblock", n, kind);
	cache_dev_close(given);
	cache_dev_close(dst);
	return fault.seen >= n;
}

TEST(if_any_transfer_fails_it_is_reported_or_overcome)
{
	static const struct {
		unsigned kind, step;
		enum cache_fault_effect effect;
	} all[] = {
		{ CACHE_FAULT_READ, 41, CACHE_FAULT_FAIL }, { CACHE_FAULT_READ, 97, CACHE_FAULT_GONE },
		{ CACHE_FAULT_WRITE, 1, CACHE_FAULT_FAIL }, { CACHE_FAULT_WRITE, 3, CACHE_FAULT_SHORT },
		{ CACHE_FAULT_WRITE, 3, CACHE_FAULT_GONE }, { CACHE_FAULT_FLUSH, 1, CACHE_FAULT_FAIL },
	};
	struct cloning p = { .src = set_open("rewrite-61") };
	uint64_t runs = 0;

	for (size_t i = 0; i < 2 * sizeof(all) / sizeof(*all); i++)
		for (uint64_t n = 1; fail_at(&p, i % 2, all[i / 2].kind, n, all[i / 2].effect);
		     n += all[i / 2].step)
			runs++;
	printf("# %" PRIu64 " runs with a fault\n", runs);
	cache_dev_close(p.src);
}

TEST(each_failed_allocation_of_a_clone_is_reported)
{
	struct cloning p = { .src = set_open("rewrite-61") };
	bool struck = true;

	for (uint64_t n = 1; struck; n += 5) {
		struct cache_dev *dst = blank();
		struct cache_clone_opts opts = { .bucket_sectors = 32 };
		struct cache_clone_result res;
		struct cache_err err = { 0 };
		int ret;

		crash_alloc_fail(n);
		ret = cache_clone_run(p.src, dst, &opts, &res, &err);
		struck = crash_alloc_said(ret, &err);
		if (!ret != !is_unusable(dst))
			TEST_FAIL("%d, and the target is otherwise", ret);
		cache_clone_fini(&res);
		cache_dev_close(dst);
	}
	cache_dev_close(p.src);
}

TEST_MAIN()
