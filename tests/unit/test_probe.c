// SPDX-License-Identifier: GPL-2.0-only
/* What libblkid and sysfs say of a device. */
#include "host/probe.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "test.h"

static char dir[] = "/tmp/probe.XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[256];

	if (strstr(dir, "XXXXXX"))
		CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void shell(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	CHECK_EQ(system(cmd), 0);
}

static void write_file(const char *path, const void *buf, size_t nbytes, long at)
{
	FILE *f = fopen(path, "w");

	CHECK(f);
	CHECK_EQ(ftruncate(fileno(f), 8 << 20), 0);
	CHECK_EQ(fseek(f, at, SEEK_SET), 0);
	CHECK_EQ(fwrite(buf, 1, nbytes, f), nbytes);
	fclose(f);
}

static int probe(const char *path, struct cache_signature *sig, unsigned *n)
{
	struct cache_dev *dev;
	int ret;

	CHECK_EQ(cache_dev_open(path, CACHE_DEV_READ, &dev, NULL), 0);
	ret = cache_probe(dev, sig, n, NULL);
	cache_dev_close(dev);
	return ret;
}

TEST(a_bcache_superblock_is_one_signature_with_its_place)
{
	struct cache_sb sb = {
		.offset_sector = CACHE_SB_SECTOR, .nbuckets = 2048, .block_sectors = 8,
		.bucket_sectors = 8, .nr_in_set = 1, .first_bucket = 3, .uuid = { 1 },
		.set_uuid = { 2 },
	};
	struct cache_signature sig[CACHE_PROBE_MAX];
	uint8_t buf[CACHE_SB_BYTES] = { 0 };
	const char *path = in_dir("sb");
	unsigned n;

	memcpy(sb.magic, cache_sb_magic, 16);
	cache_sb_encode(&sb, buf);
	write_file(path, buf, sizeof(buf), 4096);
	CHECK_EQ(probe(path, sig, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_STR(sig[0].type, "bcache");
	CHECK_STR(sig[0].uuid, "01000000-0000-0000-0000-000000000000");
	CHECK_EQ(sig[0].offset_bytes, 4096 + 24);
	CHECK_EQ(sig[0].nbytes, 16);
	CHECK(!sig[0].is_table);
}

TEST(a_blank_file_has_no_signature)
{
	struct cache_signature sig[CACHE_PROBE_MAX];
	const char *path = in_dir("blank");
	unsigned n = 7;

	write_file(path, "", 1, 0);
	CHECK_EQ(probe(path, sig, &n), 0);
	CHECK_EQ(n, 0);
}

TEST(a_device_in_memory_has_nothing_to_ask)
{
	struct cache_signature sig[CACHE_PROBE_MAX];
	struct cache_dev *dev;
	unsigned n = 7;

	CHECK_EQ(cache_dev_mem_new("mem", 64, &dev, NULL), 0);
	CHECK_EQ(cache_probe(dev, sig, &n, NULL), -EBADF);
	CHECK_EQ(n, 0);
	cache_dev_close(dev);
}

TEST(a_path_resolves_to_itself_and_an_unknown_name_to_nothing)
{
	char *path = NULL;

	CHECK_EQ(cache_probe_resolve("some/file", &path, NULL, NULL, NULL), 0);
	CHECK_STR(path, "some/file");
	free(path);
	CHECK_EQ(cache_probe_resolve("a=b", &path, NULL, NULL, NULL), 0);
	CHECK_STR(path, "a=b");
	free(path);
	CHECK_EQ(cache_probe_resolve("UUID=deadbeef-dead-4ead-8ead-deadbeefdead", &path, NULL, NULL,
				     NULL),
		 -ENODEV);
}

/* A sysfs made by hand, for a block device that any Linux has. */
static const char *block_device(struct stat *st)
{
	static const char *const some[] = { "/dev/loop0", "/dev/vda", "/dev/sda", "/dev/nvme0n1" };

	for (unsigned i = 0; i < sizeof(some) / sizeof(*some); i++)
		if (!stat(some[i], st) && S_ISBLK(st->st_mode))
			return some[i];
	return NULL;
}

static void fake_sysfs(const struct stat *st, const char *script)
{
	const char *root = in_dir("sys");

	shell("rm -rf %s && mkdir -p %s/dev/block/%u:%u && cd %s/dev/block/%u:%u && %s", root,
	      root, major(st->st_rdev), minor(st->st_rdev), root, major(st->st_rdev),
	      minor(st->st_rdev), script);
}

#define SET "20212223-2425-2627-2829-2a2b2c2d2e2f"

TEST(the_set_of_a_registered_cache_is_named)
{
	struct cache_holder h;
	struct stat st;
	const char *dev = block_device(&st);
	char text[256];

	if (!dev)
		SKIP("no block device to ask about");
	fake_sysfs(&st, "mkdir bcache && ln -s ../../../fs/bcache/" SET " bcache/set");
	CHECK_EQ(cache_probe_holder(in_dir("sys"), dev, &h), 1);
	CHECK(h.bcache && !h.is_bdev);
	CHECK_STR(h.set, SET);
	cache_holder_text(&h, dev, text, sizeof(text));
	CHECK(strstr(text, "echo 1 > /sys/fs/bcache/" SET "/stop"));
}

TEST(a_running_backing_device_is_named_with_its_set)
{
	struct cache_holder h;
	struct stat st;
	const char *dev = block_device(&st);
	char text[256];

	if (!dev)
		SKIP("no block device to ask about");
	fake_sysfs(&st, "mkdir bcache && : > bcache/cache_mode && ln -s x/fs/bcache/" SET
			" bcache/cache && ln -s ../block/bcache3 bcache/dev");
	CHECK_EQ(cache_probe_holder(in_dir("sys"), dev, &h), 1);
	CHECK(h.bcache && h.is_bdev);
	CHECK_STR(h.device, "bcache3");
	CHECK_STR(h.set, SET);
	cache_holder_text(&h, dev, text, sizeof(text));
	CHECK(strstr(text, "backing device of bcache3, attached to set " SET));
}

TEST(how_to_release_depends_on_what_holds_it)
{
	static const struct {
		struct cache_holder h;
		const char *says;
	} rows[] = {
		{ { .device = "dm-4" }, "held by dm-4" },
		{ { .device = "dm-4", .what = "LVM volume vg-root" },
		  "held by LVM volume vg-root (dm-4)" },
		{ { .mount = "/srv" }, "mounted at /srv" },
		{ { .mount = "swap" }, "in use as swap" },
		{ { .mount = "/", .part = "sda2" }, "its partition sda2 is mounted at /" },
		{ { .mount = "/mnt", .loop = "loop7" }, "its loop device loop7 is mounted at /mnt" },
		{ { .bcache = true, .is_bdev = true, .loop = "loop7" },
		  "/sys/class/block/loop7/bcache/stop" },
		{ { .bcache = true },
		  "registered as a cache device whose set does not run" },
		{ { .bcache = true, .is_bdev = true },
		  "registered as backing device; release with: "
		  "echo 1 > /sys/class/block/sdz/bcache/stop" },
		{ { .bcache = true, .is_bdev = true, .device = "bcache3" },
		  "registered as backing device of bcache3; release" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[256];

		cache_holder_text(&rows[i].h, i & 1 ? "sdz" : "/dev/sdz", text, sizeof(text));
		if (!strstr(text, rows[i].says))
			TEST_FAIL("\"%s\", want \"%s\"", text, rows[i].says);
	}
}

static bool same(const char *a, const char *b)
{
	char x[256], y[256];

	snprintf(x, sizeof(x), "%s", *a == '/' ? a : in_dir(a));
	snprintf(y, sizeof(y), "%s", *b == '/' ? b : in_dir(b));
	return cache_probe_same(x, y);
}

TEST(two_names_are_the_same_when_they_lead_to_one_device)
{
	struct stat st;
	const char *dev = block_device(&st);

	shell(": > %s && cd %s && : > b && ln a c && ln -s a d", in_dir("a"), dir);
	CHECK(same("a", "c"));
	CHECK(same("a", "d"));
	CHECK(!same("a", "b"));
	/* what is not there has only its name */
	CHECK(same("/nowhere/x", "/nowhere/x"));
	CHECK(!same("/nowhere/x", "a"));
	CHECK(!same("a", "/nowhere/x"));
	if (!dev)
		return;
	CHECK(same(dev, dev));
	CHECK(!same(dev, "a"));
	CHECK(!same("a", dev));
}

TEST(another_holder_is_named_and_a_free_device_has_none)
{
	struct cache_holder h;
	struct stat st;
	const char *dev = block_device(&st);

	if (!dev)
		SKIP("no block device to ask about");
	fake_sysfs(&st, "mkdir -p holders/dm-4");
	CHECK_EQ(cache_probe_holder(in_dir("sys"), dev, &h), 1);
	CHECK_STR(h.device, "dm-4");
	CHECK_STR(h.what, "");
	/* who they are to people */
	fake_sysfs(&st, "mkdir -p holders/dm-4/dm && echo vg-root > holders/dm-4/dm/name && "
			"echo LVM-x > holders/dm-4/dm/uuid");
	CHECK_EQ(cache_probe_holder(in_dir("sys"), dev, &h), 1);
	CHECK_STR(h.what, "LVM volume vg-root");
	fake_sysfs(&st, "mkdir -p holders/dm-4/dm && echo key > holders/dm-4/dm/name && "
			"echo CRYPT-LUKS2-x > holders/dm-4/dm/uuid");
	CHECK_EQ(cache_probe_holder(in_dir("sys"), dev, &h), 1);
	CHECK_STR(h.what, "encrypted volume key");
	fake_sysfs(&st, "mkdir -p holders/md127");
	CHECK_EQ(cache_probe_holder(in_dir("sys"), dev, &h), 1);
	CHECK_STR(h.what, "array");
	/* a disk is held when one of its partitions is */
	fake_sysfs(&st, "mkdir -p holders p1/holders p2/holders/md3 && echo 1 > p1/partition && "
			"echo 2 > p2/partition && echo 250:1 > p1/dev && echo 250:2 > p2/dev");
	CHECK_EQ(cache_probe_holder(in_dir("sys"), dev, &h), 1);
	CHECK_STR(h.part, "p2");
	CHECK_STR(h.device, "md3");
	fake_sysfs(&st, "mkdir holders");
	CHECK_EQ(cache_probe_holder(in_dir("sys"), dev, &h), 0);
}

TEST(a_regular_file_is_held_where_its_loop_device_is)
{
	char file[PATH_MAX], text[256];
	struct cache_holder h;

	snprintf(file, sizeof(file), "%s", in_dir("blank"));
	CHECK_EQ(cache_probe_holder(NULL, file, &h), 0);
	shell("rm -rf %s/sys && mkdir -p %s/sys/block/loop6/loop %s/sys/block/loop7/loop "
	      "%s/sys/block/loop7/holders/dm-4 %s/sys/block/sdy && cd %s/sys/block && "
	      "echo 7:6 > loop6/dev && echo 7:7 > loop7/dev && echo /nowhere > loop6/loop/backing_file && "
	      "echo %s > loop7/loop/backing_file", dir, dir, dir, dir, dir, dir, file);
	CHECK_EQ(cache_probe_holder(in_dir("sys"), file, &h), 1);
	CHECK_STR(h.loop, "loop7");
	cache_holder_text(&h, file, text, sizeof(text));
	CHECK_STR(text, "its loop device loop7 is held by dm-4");
	/* one that nobody holds may be written to, as the file may */
	shell("rmdir %s/sys/block/loop7/holders/dm-4", dir);
	CHECK_EQ(cache_probe_holder(in_dir("sys"), file, &h), 0);
	shell("mkdir %s/sys/block/loop7/bcache && ln -s ../../../fs/bcache/" SET
	      " %s/sys/block/loop7/bcache/set", dir, dir);
	CHECK_EQ(cache_probe_holder(in_dir("sys"), file, &h), 1);
	CHECK_STR(h.set, SET);
	shell("rm -rf %s", dir);
}

TEST_MAIN()
