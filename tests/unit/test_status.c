// SPDX-License-Identifier: GPL-2.0-only
#include "status/status.h"
#include "test.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(a_number_is_read_as_the_driver_writes_it)
{
	static const struct { const char *text; double value; } good[] = {
		{ "0", 0 }, { "12\n", 12 }, { "0.5k", 512 }, { "1.5M", 1536 * 1024 },
		{ "-81.5k", -83456 }, { "\t\t4.0k/sec", 4096 }, { " 67%", 67 }, { "-1", -1 },
		{ "1.0Y", ldexp(1, 80) }, { "512/sec", 512 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		double got = -7;

		CHECK(cache_status_number(good[i].text, &got));
		if (fabs(got - good[i].value) > 1e-9 * fabs(good[i].value))
			TEST_FAIL("\"%s\" is %g", good[i].text, got);
	}
}

TEST(what_is_no_number_is_not_known)
{
	static const char *const bad[] = { "", "\n", "-", "k", "nan", "inf", "0x10", "1.5kk", "1 2",
		"4.0k/s", "none", ".5", "--1", "1e3" };
	double got;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cache_status_number(bad[i], &got))
			TEST_FAIL("\"%s\" was accepted", bad[i]);
}

static void set(struct cache_status_numbers *n, enum cache_status_value v, double value)
{
	n->known[v] = true;
	n->v[v] = value;
}

TEST(a_hit_ratio_needs_requests)
{
	struct cache_status_numbers n = { 0 };
	double percent = -1;

	CHECK(!cache_status_hit_ratio(&n, &percent));
	set(&n, CACHE_STATUS_hits, 0);
	set(&n, CACHE_STATUS_misses, 0);
	CHECK(!cache_status_hit_ratio(&n, &percent));
	set(&n, CACHE_STATUS_misses, 3);
	CHECK(cache_status_hit_ratio(&n, &percent));
	CHECK_EQ(percent, 0);
	set(&n, CACHE_STATUS_hits, 1);
	CHECK(cache_status_hit_ratio(&n, &percent));
	CHECK_EQ(percent, 25);
}

TEST(the_time_until_clean_is_known_only_where_data_flows)
{
	struct cache_status_device d = { .state = "clean" };
	double seconds = -1;

	CHECK_EQ(cache_status_clean_when(&d, &seconds), CACHE_STATUS_CLEAN_NOW);
	strcpy(d.state, "no cache");
	CHECK_EQ(cache_status_clean_when(&d, &seconds), CACHE_STATUS_CLEAN_UNKNOWN);
	strcpy(d.state, "dirty");
	CHECK_EQ(cache_status_clean_when(&d, &seconds), CACHE_STATUS_CLEAN_UNKNOWN);
	set(&d.n, CACHE_STATUS_dirty_bytes, 8192);
	CHECK_EQ(cache_status_clean_when(&d, &seconds), CACHE_STATUS_CLEAN_UNKNOWN);
	set(&d.n, CACHE_STATUS_writeback_rate_bytes, 0);
	CHECK_EQ(cache_status_clean_when(&d, &seconds), CACHE_STATUS_CLEAN_UNKNOWN);
	set(&d.n, CACHE_STATUS_writeback_rate_bytes, 4096);
	CHECK_EQ(cache_status_clean_when(&d, &seconds), CACHE_STATUS_CLEAN_AT_RATE);
	CHECK_EQ(seconds, 2);
	set(&d.n, CACHE_STATUS_writeback_running, 0);
	CHECK_EQ(cache_status_clean_when(&d, &seconds), CACHE_STATUS_CLEAN_NEVER);
	strcpy(d.state, "inconsistent");
	CHECK_EQ(cache_status_clean_when(&d, &seconds), CACHE_STATUS_CLEAN_UNKNOWN);
}

TEST(a_counter_that_fell_has_no_growth_and_an_amount_may_fall)
{
	struct cache_status_numbers a = { 0 }, b = { 0 };
	double delta;

	set(&b, CACHE_STATUS_hits, 5);
	CHECK(!cache_status_delta(&a, &b, CACHE_STATUS_hits, &delta));
	set(&a, CACHE_STATUS_hits, 2);
	CHECK(cache_status_delta(&a, &b, CACHE_STATUS_hits, &delta));
	CHECK_EQ(delta, 3);
	set(&b, CACHE_STATUS_hits, 1);
	CHECK(!cache_status_delta(&a, &b, CACHE_STATUS_hits, &delta));
	set(&a, CACHE_STATUS_dirty_bytes, 4);
	set(&b, CACHE_STATUS_dirty_bytes, 1);
	CHECK(cache_status_delta(&a, &b, CACHE_STATUS_dirty_bytes, &delta));
	CHECK_EQ(delta, -3);
}

TEST(labels_are_escaped_and_valid_utf8)
{
	struct cache_status_device d = { .name = "bdev0", .label = "a\"b\\c\nd\xff" };
	struct cache_status_set one = { .uuid = "u", .backing = { &d, 1, 1 } };
	struct cache_status s = { .set = &one, .n = 1 };
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	CHECK(out);
	CHECK_EQ(cache_status_prometheus(&s, "x", out), 0);
	fclose(out);
	CHECK(strstr(text, "label=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\""));
	CHECK(strstr(text, "\nx_cache_sets 1\n"));
	free(text);
}

TEST(a_machine_without_the_driver_is_not_one_without_sets)
{
	char dir[] = "/tmp/status.XXXXXX", path[64];
	struct cache_err err = { 0 };
	struct cache_status s;

	CHECK(mkdtemp(dir));
	CHECK_EQ(cache_status_read(dir, false, &s, &err), -ENODEV);
	CHECK(strstr(err.text, "not loaded"));
	cache_status_free(&s);
	snprintf(path, sizeof(path), "%s/fs", dir);
	CHECK_EQ(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/fs/bcache", dir);
	CHECK_EQ(mkdir(path, 0755), 0);
	CHECK_EQ(cache_status_read(dir, false, &s, NULL), 0);
	CHECK_EQ(s.n, 0);
	cache_status_free(&s);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/fs", dir);
	rmdir(path);
	rmdir(dir);
}

TEST_MAIN()
