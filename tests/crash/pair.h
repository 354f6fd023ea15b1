/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A cache with its backing device behind it, on one device, so that the order of all writes is
 * known to crash_cuts(); and what a kernel would return of the backing device.
 */
#ifndef TESTS_CRASH_PAIR_H
#define TESTS_CRASH_PAIR_H

#include "dev/dev_ops.h"
#include "harness.h"

/* A part of another device, as a device. */
struct window {
	struct cache_dev *under;
	uint64_t first;
};

static inline int window_read(struct cache_dev *dev, uint64_t sector, uint64_t n, void *buf)
{
	const struct window *w = dev->priv;

	return cache_dev_read(w->under, w->first + sector, n, buf, NULL);
}

static inline int window_write(struct cache_dev *dev, uint64_t sector, uint64_t n, const void *buf)
{
	const struct window *w = dev->priv;

	return cache_dev_write(w->under, w->first + sector, n, buf, NULL);
}

static inline int window_flush(struct cache_dev *dev)
{
	return cache_dev_flush(((struct window *)dev->priv)->under, NULL);
}

static inline void window_close(struct cache_dev *dev)
{
	cache_dev_close(((struct window *)dev->priv)->under);
	free(dev->priv);
}

static inline struct cache_dev *window(struct cache_dev *under, uint64_t first, uint64_t n)
{
	static const struct cache_dev_ops ops = { .read = window_read, .write = window_write,
						  .flush = window_flush, .close = window_close };
	struct cache_dev *lent = set_lend(under);
	struct cache_dev *dev = cache_dev_wrap(&ops, lent, sizeof(struct window));

	CHECK(dev);
	*(struct window *)dev->priv = (struct window){ lent, first };
	dev->sectors = n;
	return dev;
}

struct pair {
	struct cache_dev *both;
	uint64_t cache_sectors, back_sectors;
	char *truth;			/* of the backing device, dirty data over it */
	bool detach, settled;		/* settled: only the superblock of the backing device is written */
	struct cache_dev *data;		/* the backing device, if settled */
};

static inline struct cache_dev *join(struct cache_dev *a, struct cache_dev *b, uint64_t m)
{
	uint64_t n = cache_dev_sectors(a);
	char *buf = cache_dev_buf((n > m ? n : m) * CACHE_SECTOR_BYTES);
	struct cache_dev *dev;

	CHECK_EQ(cache_dev_mem_new("both", n + m, &dev, NULL), 0);
	CHECK_EQ(cache_dev_read(a, 0, n, buf, NULL), 0);
	CHECK_EQ(cache_dev_write(dev, 0, n, buf, NULL), 0);
	CHECK_EQ(cache_dev_read(b, 0, m, buf, NULL), 0);
	CHECK_EQ(cache_dev_write(dev, n, m, buf, NULL), 0);
	free(buf);
	cache_dev_close(a);
	cache_dev_close(b);
	return dev;
}

struct overlay_of {
	struct cache_dev *both;
	char *buf;
	uint64_t nsectors, dirty;
};

static inline int put_dirty(void *ctx, const struct cache_extent *e)
{
	struct overlay_of *o = ctx;
	const struct cache_bkey *k = &e->key;

	if (!cache_key_dirty(k) || e->staleness || e->check_key || !e->available)
		return 0;
	CHECK(k->low <= o->nsectors);
	o->dirty += cache_key_size(k);
	return cache_dev_read(o->both, cache_ptr_sector(k->ptr[0]), cache_key_size(k),
			      o->buf + cache_key_start(k) * CACHE_SECTOR_BYTES, NULL);
}

/* What a kernel would return of the backing device; to be freed. @dirty: sectors of the cache. */
static inline char *merged(const struct pair *p, struct cache_dev *both, uint64_t *dirty)
{
	struct overlay_of o = { .both = both, .nsectors = p->back_sectors };
	struct cache_set *set = set_load(both);

	o.buf = cache_dev_buf(p->back_sectors * CACHE_SECTOR_BYTES);
	CHECK_EQ(cache_dev_read(both, p->cache_sectors, p->back_sectors, o.buf, NULL), 0);
	CHECK_EQ(cache_set_each_extent(set, put_dirty, &o, NULL, NULL), 0);
	cache_set_close(set);
	if (dirty)
		*dirty = o.dirty;
	return o.buf;
}

static inline int reach(void *ctx, const struct cache_extent *e)
{
	uint64_t *end = ctx;

	if (e->key.low > *end)
		*end = e->key.low;
	return 0;
}

/* The backing device ends where the extents do: what is behind costs only time. */
static inline uint64_t sectors_needed(struct cache_dev *cache)
{
	struct cache_set *set = set_load(cache);
	uint64_t end = 0;

	CHECK_EQ(cache_set_each_extent(set, reach, &end, NULL, NULL), 0);
	cache_set_close(set);
	return end;
}

static inline struct pair open_pair(const char *name)
{
	const char *build = getenv("BUILD");
	struct pair p = { .truth = NULL };
	struct cache_dev *cache = set_open(name), *back;
	char path[512];

	snprintf(path, sizeof(path), "%s/images/%s.back1", build ? build : "build", name);
	back = set_read(path, "back");
	CHECK(back);
	p.cache_sectors = cache_dev_sectors(cache);
	p.back_sectors = sectors_needed(cache);
	p.both = join(cache, back, p.back_sectors);
	p.truth = merged(&p, p.both, NULL);
	return p;
}

static inline void close_pair(struct pair *p)
{
	cache_dev_close(p->both);
	cache_dev_close(p->data);
	free(p->truth);
}

static inline bool is_true(const struct pair *p, const char *data)
{
	size_t skip = CACHE_BDEV_DATA_START_SECTORS * CACHE_SECTOR_BYTES;

	return !memcmp(data + skip, p->truth + skip,
		       p->back_sectors * CACHE_SECTOR_BYTES - skip);
}

static inline enum cache_bdev_state state_of(const struct pair *p, struct cache_dev *both)
{
	struct cache_dev *back = window(both, p->cache_sectors, p->back_sectors);
	struct cache_sb sb;

	CHECK_EQ(cache_sb_read(back, &sb, NULL), 0);
	CHECK_EQ(sb.csum_stored, sb.csum_computed);
	cache_dev_close(back);
	return cache_sb_bdev_state(&sb);
}

#endif
