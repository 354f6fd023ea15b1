// SPDX-License-Identifier: GPL-2.0-only
/* The sector allocator against a walk over a list, as the driver does it. */
#include <errno.h>

#include "base/rng.h"
#include "alloc/sectors.h"
#include "alloc/tags.h"
#include "test.h"

#define NBUCKETS	4096
#define BUCKET_SECTORS	64
#define BLOCK_SECTORS	8

struct set {
	struct cache_buckets t[3];
	struct cache_alloc a[3];
	struct cache_alloc *members[3];
	struct cache_sectors s;
};

static uint64_t flash_inodes;	/* bit an inode */

static bool flash_only(void *ctx, uint32_t inode)
{
	return flash_inodes >> inode & 1;
}

static void setup(struct set *set, enum cache_alloc_flavour flavour, int n)
{
	struct cache_alloc_opts o = {
		.policy = CACHE_POLICY_FIFO, .flavour = flavour, .prio_buckets = 1, .sync = true,
	};

	for (int i = 0; i < n; i++) {
		o.nr_this_dev = n - 1 - i;	/* loaded in another order */
		CHECK_EQ(cache_buckets_init(&set->t[i], NBUCKETS, 1, BUCKET_SECTORS), 0);
		CHECK_EQ(cache_alloc_init(&set->a[i], &set->t[i], &o, NULL, NULL), 0);
		cache_alloc_gc_finish(&set->a[i], NULL, 0);
		cache_alloc_seed_free(&set->a[i]);
		cache_alloc_refill(&set->a[i]);
		set->members[i] = &set->a[i];
	}
	cache_sectors_init(&set->s, set->members, n, BLOCK_SECTORS, flash_only, NULL);
}

static void teardown(struct set *set, int n)
{
	cache_sectors_fini(&set->s);
	for (int i = 0; i < n; i++) {
		cache_alloc_fini(&set->a[i]);
		cache_buckets_fini(&set->t[i]);
	}
}

/* The walk: slots by last use, the newest last. */
struct walk {
	int order[CACHE_OPEN_BUCKETS];
	struct { uint32_t inode, wp, free; uint64_t offset; } slot[CACHE_OPEN_BUCKETS];
};

static void walk_init(struct walk *w)
{
	memset(w, 0, sizeof(*w));
	for (int i = 0; i < CACHE_OPEN_BUCKETS; i++)
		w->order[i] = CACHE_OPEN_BUCKETS - 1 - i;
}

static int walk_pick(const struct walk *w, const struct cache_sectors_req *r, bool newer)
{
	int task = -1;

	for (int k = CACHE_OPEN_BUCKETS - 1; k >= 0; k--) {
		int i = w->order[k];

		if (newer && flash_only(NULL, w->slot[i].inode) != flash_only(NULL, r->inode))
			continue;
		if (w->slot[i].inode == r->inode && w->slot[i].offset == r->offset)
			return i;
		if (w->slot[i].wp == r->write_point)
			task = i;
	}
	return task >= 0 ? task : w->order[0];
}

static uint32_t walk_use(struct walk *w, int i, const struct cache_sectors_req *r)
{
	uint32_t n;
	int k = 0;

	if (!w->slot[i].free)
		w->slot[i].free = BUCKET_SECTORS;
	n = r->sectors < w->slot[i].free ? r->sectors : w->slot[i].free;
	w->slot[i].free -= n;
	if (w->slot[i].free < BLOCK_SECTORS)
		w->slot[i].free = 0;
	w->slot[i].inode = r->inode;
	w->slot[i].wp = r->write_point;
	w->slot[i].offset = r->offset + n;
	while (w->order[k] != i)
		k++;
	memmove(&w->order[k], &w->order[k + 1], (CACHE_OPEN_BUCKETS - 1 - k) * sizeof(int));
	w->order[CACHE_OPEN_BUCKETS - 1] = i;
	return n;
}

static void same_as_the_walk(enum cache_alloc_flavour flavour, unsigned int nstreams,
			     unsigned int nwriters, uint64_t seed)
{
	static struct set set;
	struct walk w;
	struct cache_rng rng;
	uint64_t streams[256] = { 0 };

	flash_inodes = 0;
	setup(&set, flavour, 1);
	walk_init(&w);
	cache_rng_init(&rng, seed);
	for (int i = 0; i < 50000; i++) {
		unsigned int stream = cache_rng_below(&rng, nstreams);
		struct cache_sectors_req r = {
			.inode = stream % 5, .offset = streams[stream], .nptrs = 1, .wait = true,
			.sectors = 1 + cache_rng_below(&rng, 24),
			.write_point = stream * (cache_rng_below(&rng, 3) + 1) % nwriters,
		};
		struct cache_sectors_space space;
		int want;

		if (!cache_rng_below(&rng, 5))
			r.offset = cache_rng_below(&rng, 30);
		if (!cache_rng_below(&rng, 1000)) {
			flash_inodes = cache_rng_below(&rng, 32);
			cache_sectors_uuids_changed(&set.s);
		}
		want = walk_pick(&w, &r, flavour == CACHE_ALLOC_NEWER);
		CHECK_EQ(cache_sectors_alloc(&set.s, &r, &space), 0);
		CHECK_EQ(set.s.recent & 0xff, want);
		CHECK_EQ(space.sectors, walk_use(&w, want, &r));
		CHECK_EQ(set.s.slot[want].sectors_free, w.slot[want].free);
		cache_alloc_put(&set.a[0], space.ptr[0].bucket);
		streams[stream] = r.offset + space.sectors;
	}
	teardown(&set, 1);
}

static void all_as_the_walk(enum cache_alloc_flavour flavour, uint64_t seed)
{
	static const struct { unsigned int streams, writers; } mix[] = {
		{ 1, 1 }, { 8, 8 }, { 40, 64 }, { 40, 3 }, { 256, 1 }, { 256, 400 },
	};

	for (size_t i = 0; i < sizeof(mix) / sizeof(mix[0]); i++)
		same_as_the_walk(flavour, mix[i].streams, mix[i].writers, seed + i);
}

TEST(the_newer_driver_s_walk_and_we_choose_the_same_open_buckets)
{
	all_as_the_walk(CACHE_ALLOC_NEWER, 1);
}

TEST(the_older_driver_does_not_tell_flash_volumes_apart)
{
	all_as_the_walk(CACHE_ALLOC_OLDER, 11);
}

TEST(tags_are_found_alike_8_and_16_at_a_time)
{
	uint8_t tag[CACHE_TAGS];
	struct cache_rng rng;

	cache_rng_init(&rng, 9);
	for (int round = 0; round < 2000; round++) {
		unsigned int kinds = 1 + cache_rng_below(&rng, 256), i;
		uint8_t which = cache_rng_below(&rng, kinds);
		struct cache_tags at, plain;

		for (i = 0; i < CACHE_TAGS; i++)
			tag[i] = cache_rng_below(&rng, kinds);
		at = cache_tags_find(tag, which);
		plain = cache_tags_find_plain(tag, which);
		CHECK_MEM(&at, &plain, sizeof(at));
		for (i = 0; i < CACHE_TAGS; i++)
			if (tag[i] == which)
				CHECK_EQ(cache_tags_next(&at), i);
		CHECK_EQ(cache_tags_next(&at), CACHE_TAGS);
	}
}

TEST(a_stream_fills_its_bucket_from_start_to_end)
{
	static struct set set;
	struct cache_sectors_req r = {
		.inode = 1, .offset = 800, .sectors = 24, .nptrs = 1, .wait = true,
	};
	struct cache_sectors_space sp;
	uint64_t first, bucket;

	flash_inodes = 0;
	setup(&set, CACHE_ALLOC_NEWER, 1);
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), 0);
	first = sp.ptr[0].sector;
	bucket = sp.ptr[0].bucket;
	CHECK_EQ(first, bucket * BUCKET_SECTORS);
	CHECK_EQ(cache_bucket_pin(&set.t[0], bucket), 2);
	r.offset += 24;
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), 0);
	CHECK_EQ(sp.ptr[0].sector, first + 24);
	CHECK_EQ(cache_bucket_pin(&set.t[0], bucket), 3);
	r.offset += 24;
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), 0);
	CHECK_EQ(sp.sectors, 16);
	CHECK_EQ(sp.ptr[0].bucket, bucket);
	/* the slot gave its pin away with the last sectors */
	CHECK_EQ(cache_bucket_pin(&set.t[0], bucket), 3);
	CHECK_EQ(set.s.sectors_written, 64);
	teardown(&set, 1);
}

TEST(less_than_a_block_at_the_end_of_a_bucket_is_not_used)
{
	static struct set set;
	struct cache_sectors_req r = {
		.inode = 1, .offset = 0, .sectors = 60, .nptrs = 1, .wait = true, .write_point = 3,
	};
	struct cache_sectors_space sp;
	uint64_t bucket;

	setup(&set, CACHE_ALLOC_NEWER, 1);
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), 0);
	bucket = sp.ptr[0].bucket;
	CHECK_EQ(sp.sectors, 60);
	CHECK_EQ(cache_bucket_pin(&set.t[0], bucket), 1);
	r.offset = 60;
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), 0);
	CHECK(sp.ptr[0].bucket != bucket);
	teardown(&set, 1);
}

TEST(an_older_set_writes_to_each_of_its_members)
{
	static struct set set;
	struct cache_sectors_req r = {
		.inode = 1, .sectors = 8, .nptrs = 3, .wait = true,
	};
	struct cache_sectors_space sp;

	setup(&set, CACHE_ALLOC_OLDER, 3);
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), 0);
	CHECK_EQ(sp.nptrs, 3);
	for (unsigned int i = 0; i < 3; i++) {
		CHECK_EQ(sp.ptr[i].dev, set.a[i].opts.nr_this_dev);
		CHECK_EQ(cache_bucket_pin(&set.t[i], sp.ptr[i].bucket), 2);
	}
	CHECK_EQ(set.s.sectors_written, 24);
	teardown(&set, 3);
}

TEST(closing_the_open_buckets_drops_their_pins)
{
	static struct set set;
	struct cache_sectors_req r = { .inode = 1, .sectors = 8, .nptrs = 1, .wait = true };
	struct cache_sectors_space sp;

	setup(&set, CACHE_ALLOC_NEWER, 1);
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), 0);
	cache_alloc_put(&set.a[0], sp.ptr[0].bucket);
	CHECK_EQ(cache_bucket_pin(&set.t[0], sp.ptr[0].bucket), 1);
	cache_sectors_fini(&set.s);
	CHECK_EQ(cache_bucket_pin(&set.t[0], sp.ptr[0].bucket), 0);
	cache_alloc_fini(&set.a[0]);
	cache_buckets_fini(&set.t[0]);
}

TEST(a_write_that_may_not_wait_fails_when_there_is_no_bucket)
{
	static struct set set;
	struct cache_sectors_req r = { .inode = 1, .sectors = 8, .nptrs = 1 };
	struct cache_sectors_space sp;
	uint64_t b;

	setup(&set, CACHE_ALLOC_NEWER, 1);
	while (!cache_alloc_get(&set.a[0], CACHE_RESERVE_NONE, &b))
		;
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), -EAGAIN);
	r.moving = true;
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), 0);
	r.sectors = 0;
	CHECK_EQ(cache_sectors_alloc(&set.s, &r, &sp), -EINVAL);
	teardown(&set, 1);
}

TEST_MAIN()
