// SPDX-License-Identifier: GPL-2.0-only
/* Structs of options of older and newer callers, and what every public function makes of a bad one. */
#include "test.h"

#include <errno.h>
#include <libcache/libcache.h>

#include "base/err.h"
#include "dev/dev.h"

struct now { size_t size; uint64_t a, b; };
struct older { size_t size; uint64_t a; };
struct newer { size_t size; uint64_t a, b, c; };

TEST(what_an_older_caller_lacks_is_zero)
{
	struct older o = { .size = sizeof(o), .a = 5 };
	struct now n = { 1, 2, 3 };

	CHECK_EQ(cache_opts_read(&n, sizeof(n), &o, NULL), 0);
	CHECK_EQ(n.size, sizeof(n));
	CHECK_EQ(n.a, 5);
	CHECK_EQ(n.b, 0);
}

TEST(what_a_newer_caller_adds_may_be_zero_and_else_is_refused)
{
	struct newer o = { .size = sizeof(o), .a = 5, .b = 6 };
	struct cache_err err = { 0 };
	struct now n;

	CHECK_EQ(cache_opts_read(&n, sizeof(n), &o, NULL), 0);
	CHECK_EQ(n.b, 6);
	o.c = (uint64_t)1 << 56;
	CHECK_EQ(cache_opts_read(&n, sizeof(n), &o, &err), -EINVAL);
	CHECK(strstr(err.text, "does not know"));
}

TEST(an_invalid_size_is_refused)
{
	static const size_t sizes[] = { 0, 1, sizeof(size_t) - 1, sizeof(size_t) + 1 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct now o = { .size = sizes[i] }, n;

		CHECK_EQ(cache_opts_read(&n, sizeof(n), &o, NULL), -EINVAL);
	}
}

TEST(no_options_are_all_zero)
{
	struct now n = { 1, 2, 3 };

	CHECK_EQ(cache_opts_read(&n, sizeof(n), NULL, NULL), 0);
	CHECK_EQ(n.size, sizeof(n));
	CHECK(!n.a && !n.b);
}

TEST(every_public_function_refuses_options_without_a_size)
{
	struct cache_repair_opts repair = { 0 };
	struct cache_backup_opts restore = { 0 };
	struct cache_repair_result result;
	struct cache_mkcache format = { 0 };
	struct cache_backup backup = { 0 };
	struct cache_fsck check = { 0 };
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_mem_new("dev", 4096, &dev, NULL), 0);
	CHECK_EQ(cache_fsck_run(&check), -EINVAL);
	CHECK_EQ(cache_repair_run(&dev, 1, &repair, &result), -EINVAL);
	CHECK_EQ(cache_mkcache_plan(&format, NULL), -EINVAL);
	CHECK_EQ(cache_mkcache_write(&format, 0, NULL), -EINVAL);
	CHECK_EQ(cache_backup_restore(dev, &backup, &restore, NULL, NULL), -EINVAL);
	cache_dev_close(dev);
}

static int nobody(const uint8_t set_uuid[16],
		  int (*found)(void *ctx, const char *path, const struct cache_sb *sb), void *ctx)
{
	return 0;
}

TEST(an_older_plan_of_a_format_is_filled_in_no_further_than_it_goes)
{
	struct { struct cache_mkcache m; uint64_t after; } old = { .after = 77 };
	struct cache_mkcache_dev d = { .uuid = { 1 } };

	old.m.size = offsetof(struct cache_mkcache, set_is_new);
	old.m.set_is_new = true;
	old.m.devs = &d;
	old.m.ndevs = 1;
	old.m.set_uuid[0] = 7;
	old.m.find_set = nobody;
	CHECK_EQ(cache_dev_mem_new("dev", 1 << 15, &d.dev, NULL), 0);
	CHECK_EQ(cache_mkcache_plan(&old.m, NULL), 0);
	CHECK_EQ(old.m.size, offsetof(struct cache_mkcache, set_is_new));
	CHECK(old.m.set_is_new && old.after == 77);
	CHECK(old.m.bucket_sectors);
	cache_dev_close(d.dev);
}

TEST(the_version_in_words_is_that_of_the_macros)
{
	unsigned number = 0;
	char words[32];

	snprintf(words, sizeof(words), "%u.%u.%u", CACHE_VERSION_MAJOR, CACHE_VERSION_MINOR,
		 CACHE_VERSION_PATCH);
	CHECK(!strcmp(cache_version(&number), words));
	CHECK_EQ(number, CACHE_VERSION);
	CHECK(!strcmp(cache_version(NULL), words));
}

TEST(closing_and_freeing_nothing_is_fine)
{
	cache_dev_close(NULL);
	cache_dev_buf_free(NULL);
	cache_set_close(NULL);
	cache_undo_close(NULL);
}

TEST_MAIN()
