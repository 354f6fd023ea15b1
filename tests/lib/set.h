/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets that a kernel wrote, in memory, and what they amount to: all that a start
 * would find, in a form that can be compared.
 */
#ifndef TESTS_LIB_SET_H
#define TESTS_LIB_SET_H

#include "test.h"

#include "set/set.h"

#include <stdio.h>

/* A file as a device in memory; NULL: it cannot be opened. */
static inline struct cache_dev *set_read(const char *path, const char *name)
{
	struct cache_dev *dev, *file;
	uint64_t n, step = 2048;
	char *buf;

	if (cache_dev_open(path, CACHE_DEV_READ, &file, NULL))
		return NULL;
	n = cache_dev_sectors(file);
	buf = cache_dev_buf(step * CACHE_SECTOR_BYTES);
	CHECK_EQ(cache_dev_mem_new(name, n, &dev, NULL), 0);
	for (uint64_t at = 0; at < n; at += step) {
		uint64_t count = n - at < step ? n - at : step;

		CHECK_EQ(cache_dev_read(file, at, count, buf, NULL), 0);
		CHECK_EQ(cache_dev_write(dev, at, count, buf, NULL), 0);
	}
	free(buf);
	cache_dev_close(file);
	return dev;
}

/* $BUILD/images/NAME.cache as a device in memory. */
static inline struct cache_dev *set_open(const char *name)
{
	const char *build = getenv("BUILD");
	struct cache_dev *dev;
	char path[512];

	snprintf(path, sizeof(path), "%s/images/%s.cache", build ? build : "build", name);
	dev = set_read(path, name);
	if (!dev)
		SKIP("no images from a kernel: make tests");
	return dev;
}

static inline struct cache_dev *set_copy(struct cache_dev *from)
{
	uint64_t n = cache_dev_sectors(from), step = 2048;
	char *buf = cache_dev_buf(step * CACHE_SECTOR_BYTES);
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_mem_new(cache_dev_name(from), n, &dev, NULL), 0);
	for (uint64_t at = 0; at < n; at += step) {
		uint64_t count = n - at < step ? n - at : step;

		cache_dev_read(from, at, count, buf, NULL);
		cache_dev_write(dev, at, count, buf, NULL);
	}
	free(buf);
	return dev;
}

static inline struct cache_dev *set_lend(struct cache_dev *dev)
{
	struct cache_dev *lent;

	CHECK_EQ(cache_dev_borrow(dev, &lent, NULL), 0);
	return lent;
}

/* An image of @dev, which stays open. */
static inline struct cache_set *set_load(struct cache_dev *dev)
{
	struct cache_set *set;
	struct cache_err err = { 0 };

	if (cache_set_load(dev, CACHE_LOAD_MARKS, NULL, &set, &err))
		TEST_FAIL("does not load: %s", err.text);
	return set;
}

struct set_state {
	int	 ret;			/* of the load */
	uint64_t flags;			/* of the superblock */
	uint64_t seq, last_seq;
	bool	 driver_agrees;
	uint64_t findings, findings_sum;	/* more than notes */
	uint64_t prio_seq, table_sum;	/* gens and prios as after a start */
	uint64_t live_sectors, live_sum;
	uint64_t dirty_sectors, dirty_sum;
};

static inline void set_mix(uint64_t *sum, uint64_t v)
{
	*sum = (*sum ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	*sum ^= *sum >> 29;
}

static inline void set_on_finding(void *ctx, const struct cache_finding *f)
{
	struct set_state *s = ctx;

	if (cache_problem_info(f->code)->severity == CACHE_SEVERITY_NOTE)
		return;
	s->findings++;
	set_mix(&s->findings_sum, f->code);
	set_mix(&s->findings_sum, f->bucket);
}

static inline int set_add_extent(void *ctx, const struct cache_extent *e)
{
	struct set_state *s = ctx;
	uint64_t *sums[2] = { &s->live_sum, cache_key_dirty(&e->key) ? &s->dirty_sum : NULL };

	if (e->staleness || e->check_key || !e->available)
		return 0;
	s->live_sectors += cache_key_size(&e->key);
	if (cache_key_dirty(&e->key))
		s->dirty_sectors += cache_key_size(&e->key);
	for (int i = 0; i < 2 && sums[i]; i++) {
		set_mix(sums[i], e->key.high);
		set_mix(sums[i], e->key.low);
		set_mix(sums[i], e->key.ptr[0]);
	}
	return 0;
}

static inline void set_sum_up(struct set_state *s, struct cache_set *set)
{
	struct cache_sink sink = { set_on_finding, s };

	s->flags = set->sb.flags;
	if (!set->has_journal)
		return;
	s->seq = set->journal.newest.pos.seq;
	s->last_seq = set->journal.newest.pos.last_seq;
	s->driver_agrees = set->journal.driver_agrees;
	s->prio_seq = set->prios.seq;
	if (set->loaded != CACHE_LOAD_MARKS)
		return;
	for (uint64_t b = 0; b < set->sb.nbuckets; b++) {
		set_mix(&s->table_sum, cache_bucket_gen(&set->buckets, b));
		set_mix(&s->table_sum, cache_bucket_prio(&set->buckets, b));
	}
	s->ret = cache_set_each_extent(set, set_add_extent, s, &sink, NULL);
}

/* What a start would find on @dev, which stays open. */
static inline struct set_state set_state(struct cache_dev *dev)
{
	struct set_state s = { 0 };
	struct cache_sink sink = { set_on_finding, &s };
	struct cache_set *set = NULL;

	s.ret = cache_set_load(dev, CACHE_LOAD_MARKS, &sink, &set, NULL);
	if (!s.ret)
		set_sum_up(&s, set);
	cache_set_close(set);
	return s;
}

static inline bool set_same(const struct set_state *a, const struct set_state *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static inline void set_show(const char *what, const struct set_state *s)
{
	printf("# %s: ret %d seq %" PRIu64 " last_seq %" PRIu64 " agrees %d findings %" PRIu64
	       " prio_seq %" PRIu64 " table %" PRIx64 " live %" PRIu64 " %" PRIx64 " dirty %"
	       PRIu64 " %" PRIx64 "\n", what, s->ret, s->seq, s->last_seq, s->driver_agrees,
	       s->findings, s->prio_seq, s->table_sum, s->live_sectors, s->live_sum,
	       s->dirty_sectors, s->dirty_sum);
}

#endif
