// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formatting: what is refused, what is chosen, what is wiped, and that a format cut
 * off anywhere leaves no half cache.
 */
#include "mkcache/mkcache_impl.h"

#include <errno.h>
#include <sys/stat.h>

#include "dev/dev_ops.h"
#include "base/crc64.h"
#include "test.h"

#define MIB	2048u		/* sectors */

/* Memory that keeps what it held at each flush, and can fail at the n-th call. */
#define FLUSHES_MAX	16
struct tape {
	struct cache_dev *mem;
	char *at_flush[FLUSHES_MAX];
	unsigned nflush, nwrite;
	unsigned fail_at;	/* write that fails; 0: none */
	uint64_t first_write_sector[FLUSHES_MAX];
};

static char *bytes_of(struct cache_dev *mem)
{
	return mem->priv;
}

static int tape_read(struct cache_dev *dev, uint64_t sector, uint64_t n, void *buf)
{
	struct tape *t = dev->priv;

	return cache_dev_read(t->mem, sector, n, buf, NULL);
}

static int tape_write(struct cache_dev *dev, uint64_t sector, uint64_t n, const void *buf)
{
	struct tape *t = dev->priv;

	if (++t->nwrite == t->fail_at)
		return -EIO;
	return cache_dev_write(t->mem, sector, n, buf, NULL);
}

static int tape_flush(struct cache_dev *dev)
{
	struct tape *t = dev->priv;
	size_t nbytes = cache_dev_sectors(dev) * CACHE_SECTOR_BYTES;

	CHECK(t->nflush < FLUSHES_MAX);
	t->at_flush[t->nflush] = malloc(nbytes);
	memcpy(t->at_flush[t->nflush++], bytes_of(t->mem), nbytes);
	return 0;
}

static void tape_close(struct cache_dev *dev)
{
	struct tape *t = dev->priv;

	cache_dev_close(t->mem);
	for (unsigned i = 0; i < t->nflush; i++)
		free(t->at_flush[i]);
	free(t);
}

static const struct cache_dev_ops tape_ops = {
	.read = tape_read, .write = tape_write, .flush = tape_flush, .close = tape_close,
};

static struct cache_dev *tape_new(const char *name, uint64_t sectors, struct tape **tape)
{
	struct tape *t = calloc(1, sizeof(*t));
	struct cache_dev *dev = cache_dev_alloc(&tape_ops, name);

	CHECK(t && dev);
	CHECK_EQ(cache_dev_mem_new(name, sectors, &t->mem, NULL), 0);
	dev->sectors = sectors;
	dev->writable = true;
	dev->priv = t;
	*tape = t;
	return dev;
}

static struct cache_dev *memory(const char *name, uint64_t sectors)
{
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_mem_new(name, sectors, &dev, NULL), 0);
	return dev;
}

static int nobody(const uint8_t set_uuid[16],
		  int (*found)(void *ctx, const char *path, const struct cache_sb *sb),
		  void *ctx)
{
	return 0;
}

static const uint8_t set_uuid[16] = { 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27,
				      0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f };

static struct cache_mkcache choices(struct cache_mkcache_dev *devs, unsigned n)
{
	struct cache_mkcache m = { .size = sizeof(m), .devs = devs, .ndevs = n, .find_set = nobody };

	memcpy(m.set_uuid, set_uuid, 16);
	return m;
}

/* Plans one device of @sectors with @m's choices. */
static int plan_one(struct cache_mkcache *m, bool is_bdev, uint64_t sectors,
		    struct cache_err *err)
{
	static struct cache_mkcache_dev d;
	int ret;

	memset(&d, 0, sizeof(d));
	d.is_bdev = is_bdev;
	d.dev = memory("dev", sectors);
	m->size = sizeof(*m);
	m->devs = &d;
	m->ndevs = 1;
	m->find_set = nobody;
	ret = cache_mkcache_plan(m, err);
	cache_dev_close(d.dev);
	return ret;
}

#define REFUSED(code, words, is_bdev, sectors, ...)				\
	do {									\
		struct cache_mkcache m_ = { __VA_ARGS__ };			\
		struct cache_err err_ = { 0 };					\
		CHECK_EQ(plan_one(&m_, is_bdev, sectors, &err_), code);		\
		if (!strstr(err_.text, words))					\
			TEST_FAIL("\"%s\" does not say \"%s\"", err_.text, words); \
	} while (0)

TEST(what_a_kernel_would_refuse_is_refused_with_a_reason)
{
	REFUSED(-ERANGE, "512 buckets of 512 KiB, the kernel needs 513; buckets of 256 KiB",
		false, 256 * MIB, .bucket_sectors = 1024);
	REFUSED(-ERANGE, "too small: 2048 KiB, a cache device needs 4104", false, 2 * MIB, 0);
	REFUSED(-EINVAL, "above the page size", false, 300 * MIB, .block_sectors = 16);
	REFUSED(-EINVAL, "below the page size", false, 300 * MIB, .bucket_sectors = 4,
		.block_sectors = 1);
	REFUSED(-EINVAL, "nothing would be cached", true, 10 * MIB, .data_offset_sectors = 20);
	REFUSED(-EINVAL, "at least 16", true, 10 * MIB, .data_offset_sectors = 8);
	REFUSED(-ERANGE, "the data would start at sector 4096", true, 2 * MIB,
		.data_offset_sectors = 4096);
}

TEST(choices_that_make_no_sense_are_refused)
{
	REFUSED(-EINVAL, "expected a power of two", false, 300 * MIB, .bucket_sectors = 1000);
	REFUSED(-EINVAL, "expected a power of two", false, 300 * MIB, .block_sectors = 3);
	REFUSED(-EINVAL, "below the block size", false, 300 * MIB, .bucket_sectors = 4);
	REFUSED(-EINVAL, "needs a set size", false, 300 * MIB, .index = 1);
	REFUSED(-EINVAL, "bucket of a single block", false, 16 * MIB, .bucket_sectors = 8);
	REFUSED(-EINVAL, "at most 8", false, 300 * MIB, .set_size = 9);
	REFUSED(-EINVAL, "members 2 to 2 of a set of 2", false, 300 * MIB, .set_size = 2,
		.index = 2);
	REFUSED(-EINVAL, "at most 31 fit", false, 300 * MIB,
		.label = "12345678901234567890123456789012");
	REFUSED(-ERANGE, "too small for a superblock", true, 15, 0);
	REFUSED(-ERANGE, "too small for a superblock", false, 0, 0);
	CHECK_EQ(cache_mkcache_plan(&(struct cache_mkcache){ .size = sizeof(struct cache_mkcache) }, NULL), -EINVAL);
}

TEST(the_usual_bucket_is_taken_where_it_fits_and_else_the_largest_that_does)
{
	static const struct { uint64_t sectors, bucket; } want[] = {
		{ 513 * 1024, 1024 }, { 513 * 1024 - 1, 512 }, { 1 << 20, 1024 },
		{ 16 * MIB, 32 }, { 513 * 16, 16 }, { (uint64_t)1 << 20, 1024 },
	};

	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		struct cache_mkcache m = { 0 };

		CHECK_EQ(plan_one(&m, false, want[i].sectors, NULL), 0);
		CHECK_EQ(m.bucket_sectors, want[i].bucket);
		CHECK(m.devs->sb.nbuckets >= CACHE_NBUCKETS_QUEUE_MIN);
	}
}

TEST(a_bucket_past_16_bits_takes_version_5_and_the_exponent)
{
	struct cache_mkcache_dev d = { 0 };
	struct cache_mkcache m = choices(&d, 1);
	struct tape *t;
	uint8_t buf[CACHE_SB_BYTES] = { 0 };

	m.bucket_sectors = 65536;
	d.dev = tape_new("dev", MIB, &t);
	d.dev->sectors = UINT64_C(600) * 65536;		/* only the start is looked at */
	CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);
	CHECK_EQ(d.sb.version, 5);
	CHECK_EQ(d.sb.feature_incompat, CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET);
	CHECK_EQ(d.sb.bucket_field, 16);
	CHECK_EQ(d.sb.bucket_sectors, 65536);
	cache_sb_encode(&d.sb, buf);
	CHECK_EQ(cache_sb_csum(buf), d.sb.csum_stored);
	cache_dev_close(d.dev);
}

TEST(the_worked_superblock_is_what_is_written)
{
	struct cache_mkcache_dev d = { .uuid = { 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
						 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f } };
	struct cache_mkcache m = choices(&d, 1);
	struct cache_sb sb;

	d.dev = memory("dev", 300 * MIB);
	d.dev->sectors = 1024 * MIB;	/* nbuckets 2048; its tail is not looked at */
	m.block_sectors = 8;
	m.bucket_sectors = 1024;
	CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);
	d.dev->sectors = 300 * MIB;
	CHECK_EQ(cache_mkcache_write(&m, 0, NULL), 0);
	CHECK_EQ(cache_sb_read(d.dev, &sb, NULL), 0);
	CHECK_EQ(sb.csum_stored, 0x219bc7e11775223c);
	cache_dev_close(d.dev);
}

/* A set that is there already, for the search. */
static struct cache_sb there = { .version = 3, .block_sectors = 8 };

static int one_member(const uint8_t uuid[16],
		      int (*found)(void *ctx, const char *path, const struct cache_sb *sb),
		      void *ctx)
{
	return found(ctx, "/dev/there", &there);
}

TEST(joining_a_set_takes_its_block_and_no_less)
{
	struct cache_mkcache_dev d = { .is_bdev = true };
	struct cache_mkcache m = choices(&d, 1);
	struct cache_err err = { 0 };

	there = (struct cache_sb){ .version = 3, .block_sectors = 8 };
	m.find_set = one_member;
	d.dev = memory("dev", 10 * MIB);
	d.dev->preferred_block_bytes = 512;
	CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);
	CHECK_EQ(d.sb.block_sectors, 8);
	m.block_sectors = 1;
	CHECK_EQ(cache_mkcache_plan(&m, &err), -EINVAL);
	CHECK(strstr(err.text, "below the set's 4096: the backing device would not attach"));
	cache_dev_close(d.dev);
}

TEST(a_second_cache_and_a_too_large_block_for_a_set_are_refused)
{
	struct cache_mkcache_dev d = { 0 };
	struct cache_mkcache m = choices(&d, 1);
	struct cache_err err = { 0 };

	m.find_set = one_member;
	there = (struct cache_sb){ .version = 3, .block_sectors = 8 };
	d.dev = memory("dev", 300 * MIB);
	CHECK_EQ(cache_mkcache_plan(&m, &err), -EEXIST);
	CHECK(strstr(err.text, "/dev/there is cache device 0 of this set already"));

	there = (struct cache_sb){ .version = 1, .block_sectors = 1 };
	err.code = 0;
	CHECK_EQ(cache_mkcache_plan(&m, &err), -EINVAL);
	CHECK(strstr(err.text, "above the 512 of /dev/there"));
	cache_dev_close(d.dev);
}

/* An entry of the set's journal, seq @seq, valid in every way. */
static void put_jset(char *dev, uint64_t sector, uint64_t seq)
{
	struct cache_sb sb = { 0 };
	struct cache_jset_disk *j = (void *)(dev + sector * CACHE_SECTOR_BYTES);

	memcpy(sb.set_uuid, set_uuid, 16);
	j->magic = cache_le64_of(CACHE_JSET_MAGIC ^ cache_sb_set_magic(&sb));
	j->seq = cache_le64_of(seq);
	j->version = cache_le32_of(CACHE_JSET_VERSION);
	j->csum = cache_le64_of(cache_crc64((char *)j + 8, CACHE_JSET_HEADER_BYTES - 8));
}

static unsigned count_jsets(const char *dev, uint64_t sector, uint64_t end)
{
	struct cache_sb sb = { 0 };
	unsigned n = 0;

	memcpy(sb.set_uuid, set_uuid, 16);
	for (; sector < end; sector++) {
		const struct cache_jset_disk *j =
			(const void *)(dev + sector * CACHE_SECTOR_BYTES);

		n += cache_le64_get(j->magic) == (CACHE_JSET_MAGIC ^ cache_sb_set_magic(&sb));
	}
	return n;
}

static bool has_super(const char *dev)
{
	return !memcmp(dev + 4096 + 24, cache_sb_magic, 16);
}

/* A device full of other data, with an old superblock and entries in its ring. */
static struct cache_dev *used_device(struct tape **t)
{
	struct cache_mkcache_dev d = { 0 };
	struct cache_mkcache m = choices(&d, 1);

	d.dev = tape_new("used", 16 * MIB, t);
	memset(bytes_of((*t)->mem), 0xa5, 16 << 20);
	CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);	/* 32 sectors a bucket, ring 1..8 */
	CHECK_EQ(cache_mkcache_write(&m, 0, NULL), 0);
	CHECK_EQ(d.sb.bucket_sectors, 32);
	for (int b = 1; b <= 8; b++)
		for (int s = 0; s < 32; s += 2)
			put_jset(bytes_of((*t)->mem), b * 32 + s, 100 + b * 32 + s);
	for (unsigned i = 0; i < (*t)->nflush; i++)
		free((*t)->at_flush[i]);
	(*t)->nflush = (*t)->nwrite = 0;
	return d.dev;
}

TEST(no_entry_of_the_old_set_survives_in_the_ring)
{
	struct cache_mkcache_dev d = { 0 };
	struct cache_mkcache m = choices(&d, 1);
	struct tape *t;
	const char *p;

	d.dev = used_device(&t);
	p = bytes_of(t->mem);
	CHECK_EQ(count_jsets(p, 32, 288), 128);
	CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);
	CHECK_EQ(count_jsets(p, 32, 288), 128);		/* a plan writes nothing */
	CHECK_EQ(t->nwrite, 0);
	CHECK_EQ(cache_mkcache_write(&m, 0, NULL), 0);
	CHECK_EQ(count_jsets(p, 32, 288), 0);
	CHECK_EQ((uint8_t)p[(288 + 5) * 512], 0xa5);	/* what is not ours stays */
	cache_dev_close(d.dev);
}

TEST(the_ring_of_another_geometry_is_wiped_too)
{
	struct cache_mkcache_dev d = { 0 };
	struct cache_mkcache m = choices(&d, 1);
	struct tape *t;
	char *p;

	d.dev = used_device(&t);
	p = bytes_of(t->mem);
	m.bucket_sectors = 8;
	m.block_sectors = 4;			/* ring 3..34: sectors 24 to 280 */
	CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);
	CHECK(d.has_old);
	d.old.njournal = 16;			/* as if it had run, with more */
	put_jset(p, 16 * 32, 999);
	CHECK_EQ(cache_mkcache_write(&m, 0, NULL), 0);
	CHECK_EQ(count_jsets(p, 24, 280), 0);
	CHECK_EQ(count_jsets(p, 16 * 32, 16 * 32 + 1), 0);
	cache_dev_close(d.dev);
}

TEST(each_step_is_durable_before_the_next)
{
	struct cache_mkcache_dev d = { 0 };
	struct cache_mkcache m = choices(&d, 1);
	struct tape *t;

	d.dev = used_device(&t);
	CHECK(has_super(bytes_of(t->mem)));
	CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);
	CHECK_EQ(cache_mkcache_write(&m, 0, NULL), 0);
	CHECK_EQ(t->nflush, 3);
	CHECK(!has_super(t->at_flush[0]));
	CHECK_EQ(count_jsets(t->at_flush[0], 32, 288), 128);
	CHECK(!has_super(t->at_flush[1]));
	CHECK_EQ(count_jsets(t->at_flush[1], 32, 288), 0);
	CHECK(has_super(t->at_flush[2]));
	cache_dev_close(d.dev);
}

TEST(a_write_that_fails_is_reported_and_leaves_no_half_cache)
{
	bool done = false;

	for (unsigned n = 1; !done && n < 1000; n++) {
		struct cache_mkcache_dev d = { 0 };
		struct cache_mkcache m = choices(&d, 1);
		struct cache_err err = { 0 };
		struct tape *t;
		const char *p;
		int ret;

		d.dev = used_device(&t);
		p = bytes_of(t->mem);
		CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);
		t->fail_at = n;
		ret = cache_mkcache_write(&m, 0, &err);
		done = !ret;
		if (ret) {
			CHECK_EQ(ret, -EIO);
			CHECK(strstr(err.text, "used: write of"));
			/* the very first write failed: all is as it was */
			CHECK_EQ(has_super(p), n == 1);
		}
		CHECK(has_super(p) == done || n == 1);
		cache_dev_close(d.dev);
	}
	CHECK(done);
}

TEST(the_same_choices_give_the_same_bytes_whatever_lay_there)
{
	char *first = NULL;

	for (int run = 0; run < 2; run++) {
		struct cache_mkcache_dev d = { .uuid = { 1 } };
		struct cache_mkcache m = choices(&d, 1);

		d.dev = memory("dev", 16 * MIB);
		memset(bytes_of(d.dev), run ? 0xff : 0, 8192);
		CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);
		CHECK_EQ(cache_mkcache_write(&m, 0, NULL), 0);
		if (run)
			CHECK_MEM(first, bytes_of(d.dev), 16 << 20);
		else
			first = memcpy(malloc(16 << 20), bytes_of(d.dev), 16 << 20);
		cache_dev_close(d.dev);
	}
	free(first);
}

static unsigned warnings;

static void count_note(void *ctx, bool warning, const char *device, const char *text)
{
	warnings += warning;
}

TEST(members_of_a_larger_set_are_numbered_and_warned_of)
{
	struct cache_mkcache_dev d[3] = { { 0 }, { .is_bdev = true }, { 0 } };
	struct cache_mkcache m = choices(d, 3);

	for (int i = 0; i < 3; i++)
		d[i].dev = memory("dev", 16 * MIB);
	CHECK_EQ(cache_mkcache_plan(&m, NULL), -EINVAL);	/* two caches, no set size */
	m.set_size = 4;
	m.index = 1;
	m.note = count_note;
	warnings = 0;
	CHECK_EQ(cache_mkcache_plan(&m, NULL), 0);
	CHECK_EQ(d[0].sb.nr_this_dev, 1);
	CHECK_EQ(d[2].sb.nr_this_dev, 2);
	CHECK_EQ(d[0].sb.nr_in_set, 4);
	CHECK_EQ(d[1].sb.nr_in_set, 0);
	CHECK_EQ(warnings, 2);
	for (int i = 0; i < 3; i++)
		cache_dev_close(d[i].dev);
}

TEST(two_devices_cannot_have_one_uuid)
{
	struct cache_mkcache_dev d[2] = { { .uuid = { 5 } }, { .is_bdev = true, .uuid = { 5 } } };
	struct cache_mkcache m = choices(d, 2);
	struct cache_err err = { 0 };

	d[0].dev = memory("a", 16 * MIB);
	d[1].dev = memory("b", 16 * MIB);
	CHECK_EQ(cache_mkcache_plan(&m, &err), -EINVAL);
	CHECK_STR(err.text, "a and b would get the same uuid");
	cache_dev_close(d[0].dev);
	cache_dev_close(d[1].dev);
}

TEST(as_the_peer_what_a_kernel_refuses_is_made_with_a_warning)
{
	struct cache_mkcache m = { .like_peer = true, .note = count_note };

	warnings = 0;
	CHECK_EQ(plan_one(&m, false, 200 * MIB, NULL), 0);
	CHECK_EQ(m.bucket_sectors, 1024);
	CHECK_EQ(m.devs->sb.nbuckets, 400);
	CHECK_EQ(warnings, 1);
	REFUSED(-ERANGE, "Not enough buckets: 127, need 128", false, 127 * 1024 + 1,
		.like_peer = true);
}

TEST_MAIN()
