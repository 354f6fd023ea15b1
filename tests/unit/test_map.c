// SPDX-License-Identifier: GPL-2.0-only
#include "map/map.h"
#include "test.h"

#include <errno.h>

/* A set that was formatted and has not run. */
static struct cache_set *fresh(uint64_t nbuckets)
{
	static struct cache_set set;

	memset(&set, 0, sizeof(set));
	set.sb.nbuckets = nbuckets;
	set.sb.bucket_sectors = 1024;
	set.sb.first_bucket = 2;
	set.sb.njournal = 3;
	for (unsigned i = 0; i < 3; i++)
		set.sb.journal_bucket[i] = 2 + i;
	return &set;
}

TEST(every_bucket_is_in_one_cell_and_every_cell_at_its_own_place)
{
	static const uint64_t sizes[] = { 1, 2, 5, 100, 4096, 4097, 100003 };

	for (unsigned order = 0; order < CACHE_MAP_NORDERS; order++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			bool seen[CACHE_MAP_CELLS_MAX] = { false };
			struct cache_map *m;
			uint64_t next = 0;
			uint32_t x, y;

			CHECK_EQ(cache_map_new(fresh(sizes[i]), NULL, order, 64, 64, &m, NULL), 0);
			CHECK(m->ncells && m->ncells <= sizes[i]);
			for (uint32_t k = 0; k < m->ncells; k++) {
				CHECK_EQ(m->cell[k].first, next);
				CHECK(m->cell[k].count);
				next += m->cell[k].count;
				cache_map_place(m, k, &x, &y);
				CHECK(x < m->width && y < m->height);
				CHECK(!seen[y * m->width + x]);
				seen[y * m->width + x] = true;
			}
			CHECK_EQ(next, sizes[i]);
			cache_map_free(m);
		}
}

TEST(neighbours_touch_in_hilbert_order)
{
	uint32_t x, y, lastx = 0, lasty = 0;
	struct cache_map *m;

	CHECK_EQ(cache_map_new(fresh(100000), NULL, CACHE_MAP_HILBERT, 64, 64, &m, NULL), 0);
	CHECK_EQ(m->ncells, 4096);
	for (uint32_t i = 0; i < m->ncells; i++) {
		cache_map_place(m, i, &x, &y);
		if (i)
			CHECK_EQ((x > lastx ? x - lastx : lastx - x) +
				 (y > lasty ? y - lasty : lasty - y), 1);
		lastx = x;
		lasty = y;
	}
	cache_map_free(m);
}

TEST(a_set_without_journal_has_free_buckets_only_if_it_never_ran)
{
	struct cache_set *set = fresh(1000);
	struct cache_map *m;

	CHECK_EQ(cache_map_new(set, NULL, CACHE_MAP_LINEAR, 20, 10, &m, NULL), 0);
	CHECK_EQ(m->role[CACHE_ROLE_SUPERBLOCK], 2);
	CHECK_EQ(m->role[CACHE_ROLE_JOURNAL], 3);
	CHECK_EQ(m->role[CACHE_ROLE_FREE], 995);
	CHECK_EQ(m->role[CACHE_MAP_UNKNOWN], 0);
	cache_map_free(m);
	set->sb.flags |= 1;	/* it has run */
	CHECK(cache_sb_is_synced(&set->sb));
	CHECK_EQ(cache_map_new(set, NULL, CACHE_MAP_LINEAR, 20, 10, &m, NULL), 0);
	CHECK_EQ(m->role[CACHE_ROLE_FREE], 0);
	CHECK_EQ(m->role[CACHE_MAP_UNKNOWN], 995);
	CHECK_EQ(cache_map_class(m, &m->cell[199], CACHE_MAP_MARK), CACHE_MAP_UNKNOWN);
	CHECK_EQ(cache_map_class(m, &m->cell[199], CACHE_MAP_PRIO),
		 cache_map_unknown_class(CACHE_MAP_PRIO));
	cache_map_free(m);
}

TEST(only_nothing_is_none_and_only_everything_is_all)
{
	struct cache_map m = { .bucket_sectors = 16, .compared = true };
	struct cache_map_cell c = { .count = 1000000 };
	char buf[64];

	CHECK_EQ(cache_map_class(&m, &c, CACHE_MAP_DIRTY), 0);
	c.role[CACHE_ROLE_DIRTY] = 1;
	CHECK_EQ(cache_map_class(&m, &c, CACHE_MAP_DIRTY), 1);
	c.role[CACHE_ROLE_DIRTY] = 999999;
	CHECK_EQ(cache_map_class(&m, &c, CACHE_MAP_DIRTY), CACHE_MAP_STEPS - 2);
	c.role[CACHE_ROLE_DIRTY] = 1000000;
	CHECK_EQ(cache_map_class(&m, &c, CACHE_MAP_DIRTY), CACHE_MAP_STEPS - 1);
	CHECK_STR(cache_map_class_name(&m, CACHE_MAP_DIRTY, CACHE_MAP_STEPS - 1, buf, 64), "all");
	CHECK_STR(cache_map_class_name(&m, CACHE_MAP_GEN, 1, buf, 64), "32 to 63");
}

TEST(an_image_of_another_device_is_not_compared)
{
	struct cache_set old = *fresh(50), *set = fresh(60);
	struct cache_err err = { 0 };
	struct cache_map *m;

	CHECK_EQ(cache_map_new(set, &old, CACHE_MAP_LINEAR, 8, 8, &m, &err), -EINVAL);
	CHECK(strstr(err.text, "50 buckets"));
	CHECK(!m);
}

TEST_MAIN()
