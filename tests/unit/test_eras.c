// SPDX-License-Identifier: GPL-2.0-only
#include "format/eras.h"
#include "test.h"

#include <errno.h>
#include <string.h>

#define BIT(era)	(UINT32_C(1) << (era))

TEST(each_release_gives_its_era_and_whether_it_oopses)
{
	static const struct {
		const char *release;
		enum cache_era era;
		uint32_t eras;
		enum cache_certainty oopses;
	} rows[] = {
		{ "3.10.0-1160.el7.x86_64", CACHE_ERA_4_15, BIT(CACHE_ERA_4_15), CACHE_UNCERTAIN },
		{ "4.15.18", CACHE_ERA_4_15, BIT(CACHE_ERA_4_15), CACHE_UNCERTAIN },
		{ "5.9.16", CACHE_ERA_4_15, BIT(CACHE_ERA_4_15), CACHE_UNCERTAIN },
		{ "5.10", CACHE_ERA_5_10, BIT(CACHE_ERA_5_10), CACHE_UNCERTAIN },
		{ "5.10.190", CACHE_ERA_5_10, BIT(CACHE_ERA_5_10), CACHE_NO },
		{ "5.10.191", CACHE_ERA_5_10, BIT(CACHE_ERA_5_10), CACHE_YES },
		{ "5.10.0-32-amd64", CACHE_ERA_5_10, BIT(CACHE_ERA_5_10), CACHE_UNCERTAIN },
		{ "5.15.0-91-generic", CACHE_ERA_5_10, BIT(CACHE_ERA_5_10), CACHE_UNCERTAIN },
		{ "6.1.0-56-amd64", CACHE_ERA_6_1, BIT(CACHE_ERA_6_1), CACHE_UNCERTAIN },
		{ "6.1.51", CACHE_ERA_6_1, BIT(CACHE_ERA_6_1), CACHE_NO },
		{ "6.1.52", CACHE_ERA_6_1, BIT(CACHE_ERA_6_1), CACHE_YES },
		{ "6.1.122", CACHE_ERA_6_1, BIT(CACHE_ERA_6_1), CACHE_YES },
		{ "6.1.123", CACHE_ERA_6_1, BIT(CACHE_ERA_6_1), CACHE_UNCERTAIN },
		{ "6.1.192", CACHE_ERA_6_1, BIT(CACHE_ERA_6_1), CACHE_NO },
		{ "6.8.12-300.fc40.x86_64", CACHE_ERA_6_1, BIT(CACHE_ERA_6_1), CACHE_UNCERTAIN },
		{ "6.12.0", CACHE_ERA_6_12, BIT(CACHE_ERA_6_12), CACHE_YES },
		{ "6.12.117+deb12-cloud-amd64", CACHE_ERA_6_12, BIT(CACHE_ERA_6_12), CACHE_NO },
		{ "6.14.0-rc3", CACHE_ERA_6_12, BIT(CACHE_ERA_6_12) | BIT(CACHE_ERA_6_18), CACHE_NO },
		{ "6.16-rc1", CACHE_ERA_6_18, BIT(CACHE_ERA_6_18), CACHE_NO },
		{ "6.18.44-fc-v669", CACHE_ERA_6_18, BIT(CACHE_ERA_6_18), CACHE_NO },
		{ "7.0", CACHE_ERA_6_18, BIT(CACHE_ERA_6_18) | BIT(CACHE_ERA_7_2), CACHE_NO },
		{ "7.1.9", CACHE_ERA_6_18, BIT(CACHE_ERA_6_18) | BIT(CACHE_ERA_7_2), CACHE_NO },
		{ "7.2", CACHE_ERA_7_2, BIT(CACHE_ERA_7_2), CACHE_NO },
		{ "7.3.4", CACHE_ERA_7_2, BIT(CACHE_ERA_7_2), CACHE_NO },
		{ "10.1", CACHE_ERA_7_2, BIT(CACHE_ERA_7_2), CACHE_NO },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cache_release r;

		if (cache_driver_of_release(rows[i].release, &r, NULL))
			TEST_FAIL("\"%s\" was refused", rows[i].release);
		if (r.era != rows[i].era || r.eras != rows[i].eras || r.oopses != rows[i].oopses)
			TEST_FAIL("\"%s\": era %s, mask 0x%x, oopses %d", rows[i].release,
				  cache_driver_of(r.era)->name, r.eras, r.oopses);
	}
}

TEST(what_is_not_certain_of_a_release_is_reported)
{
	struct cache_release r;

	CHECK_EQ(cache_driver_of_release("6.1.192", &r, NULL), 0);
	CHECK(!r.note[0]);
	CHECK_EQ(cache_driver_of_release("7.3.4", &r, NULL), 0);
	CHECK(!r.note[0] && !r.newer);
	CHECK_EQ(cache_driver_of_release("5.10.223", &r, NULL), 0);
	CHECK(!r.note[0]);
	CHECK_EQ(cache_driver_of_release("5.10.0-8-amd64", &r, NULL), 0);
	CHECK(r.note[0] && strstr(r.note[0], "5.10.127"));
	CHECK_EQ(cache_driver_of_release("6.6.1", &r, NULL), 0);
	CHECK(r.note[0] && strstr(r.note[0], "not examined"));
	CHECK_EQ(cache_driver_of_release("7.4.0", &r, NULL), 0);
	CHECK(r.newer && r.note[0] && strstr(r.note[0], "newer"));
}

TEST(a_release_of_no_known_form_or_before_bcache_is_one_clear_error)
{
	static const char *const bad[] = {
		"", "6", "6.", "x.1", "6.1x", "6.1.", "6.1.x", "-6.1", "6.1 2", "99999.1",
		"6.1\n", "linux-6.1", "6.1-\x1b[2J",
	};
	struct cache_release r;
	struct cache_err err = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cache_driver_of_release(bad[i], &r, NULL) != -EINVAL)
			TEST_FAIL("\"%s\" was accepted", bad[i]);
	CHECK_EQ(cache_driver_of_release("3.9.11", &r, &err), -ERANGE);
	CHECK(strstr(cache_err_text(&err, -ERANGE), "3.10"));
	CHECK_EQ(cache_driver_of_release("2.6.32-754.el6", &r, NULL), -ERANGE);
}

TEST(the_btree_reserve_is_that_of_the_era)
{
	const struct cache_driver *old = cache_driver_of(CACHE_ERA_6_12);
	const struct cache_driver *new = cache_driver_of(CACHE_ERA_6_18);

	CHECK_EQ(cache_driver_btree_buckets(old, 1024, 0), 8);
	CHECK_EQ(cache_driver_btree_buckets(old, 1024, 16), 16);
	CHECK_EQ(cache_driver_btree_buckets(new, 1024, 16), 32);
	CHECK_EQ(cache_driver_btree_buckets(new, 10240, 80), 80);
	CHECK_EQ(cache_driver_btree_buckets(new, UINT64_C(1) << 24, 256), 256);
}

static bool forgives(const struct cache_driver *d)
{
	return d->accepts_front_gap;
}

TEST(eras_are_named_by_version_and_those_that_have_something_can_be_asked_for)
{
	static const char *const names[CACHE_ERAS] = { "4.15", "5.10", "6.1", "6.12", "6.18", "7.2" };

	for (unsigned i = 0; i < CACHE_ERAS; i++) {
		struct cache_release r;

		CHECK(!strcmp(cache_driver_of(i)->name, names[i]));
		CHECK_EQ(cache_driver_of_release(names[i], &r, NULL), 0);
		CHECK_EQ(r.era, i);
	}
	CHECK_EQ(cache_eras_all(), BIT(CACHE_ERAS) - 2);
	CHECK_EQ(cache_eras_which(cache_eras_all(), forgives),
		 BIT(CACHE_ERA_5_10) | BIT(CACHE_ERA_6_1) | BIT(CACHE_ERA_6_12) |
		 BIT(CACHE_ERA_6_18));
	CHECK_EQ(cache_eras_which(BIT(CACHE_ERA_7_2), forgives), 0);
	CHECK(!strcmp(cache_driver_since(cache_driver_is_single), "5.10"));
	CHECK(!strcmp(cache_driver_since(cache_driver_ignores_discard), "7.2"));
}

TEST(a_mask_of_eras_is_told_in_words_and_has_a_newest)
{
	char text[CACHE_ERAS_TEXT_BYTES];

	CHECK(!strcmp(cache_eras_text(0, text), ""));
	CHECK(!strcmp(cache_eras_text(BIT(CACHE_ERA_6_12), text), "6.12"));
	CHECK(!strcmp(cache_eras_text(cache_eras_all(), text), "5.10, 6.1, 6.12, 6.18, 7.2"));
	CHECK(!strcmp(cache_eras_text(UINT32_MAX, text), "4.15, 5.10, 6.1, 6.12, 6.18, 7.2"));
	CHECK_EQ(cache_eras_newest(0), CACHE_ERA_7_2);
	CHECK_EQ(cache_eras_newest(cache_eras_all()), CACHE_ERA_7_2);
	CHECK_EQ(cache_eras_newest(BIT(CACHE_ERA_4_15) | BIT(CACHE_ERA_6_1)), CACHE_ERA_6_1);
}

TEST(an_unknown_replacement_policy_is_unknown_to_every_era)
{
	for (unsigned policy = 0; policy < 3; policy++)
		CHECK_EQ(cache_eras_without_policy(policy), 0);
	for (unsigned policy = 3; policy < 8; policy++)
		CHECK_EQ(cache_eras_without_policy(policy), BIT(CACHE_ERAS) - 1);
}

TEST(the_words_for_kernels_that_oops_name_versions_of_three_series)
{
	const char *words = cache_driver_oops_versions();

	CHECK(strstr(words, "5.10.") && strstr(words, "6.1.") && strstr(words, "6.12"));
}

TEST_MAIN()
