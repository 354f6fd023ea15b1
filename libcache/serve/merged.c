// SPDX-License-Identifier: GPL-2.0-only
#include "serve/merged.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libcache/fsck.h>

#include "base/checked.h"
#include "dev/dev.h"
#include "serve/extent_map.h"

struct cache_merged {
	struct cache_dev *cache, *backing;
	struct cache_merged_info info;
	struct cache_extent_map map;
	uint64_t data_start;		/* sector 0 of the merged device in extents and @backing */
	bool has_holes;			/* @backing is a file, which says where it has holes */
};

const struct cache_merged_info *cache_merged_info(const struct cache_merged *m)
{
	return &m->info;
}

static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	const struct cache_merged_opts *o = ctx;

	return o->progress && o->progress(o->ctx, pass, current, max);
}

/* Of a damaged set the newest data of a sector may be anywhere. */
static int check_sound(struct cache_dev *cache, struct cache_dev *backing,
		       const struct cache_merged_opts *opts, struct cache_err *err)
{
	struct cache_dev *devs[] = { cache, backing };
	struct cache_fsck_result res[2] = { 0 };
	const struct cache_fsck f = { .size = sizeof(f), .devs = devs, .ndevs = backing ? 2 : 1,
				      .results = res, .progress = on_progress,
				      .ctx = (void *)opts };
	int ret = cache_fsck_run(&f);

	for (unsigned i = 0; i < f.ndevs && !ret; i++) {
		if (res[i].ret)
			ret = cache_err_set(err, res[i].ret, 0, "%s: %s", cache_dev_name(devs[i]),
					    cache_err_text(&res[i].err, res[i].ret));
		else if (res[i].count[CACHE_SEVERITY_CORRUPT])
			ret = cache_err_set(err, -EUCLEAN, 0, "%s: damaged: look with cache-fsck -n",
					    cache_dev_name(devs[i]));
	}
	return ret;
}

static int refuse(struct cache_err *err, const struct cache_dev *dev, const char *why)
{
	return cache_err_set(err, -EINVAL, 0, "%s: %s", cache_dev_name(dev), why);
}

static int check_cache(struct cache_dev *cache, struct cache_sb *sb, struct cache_err *err)
{
	int ret = cache_sb_read(cache, sb, err);

	if (ret)
		return cache_err_prefix(err, ret, "%s", cache_dev_name(cache));
	if (!cache_sb_has_magic(sb) || !cache_sb_is_usable(sb, cache_dev_sectors(cache)))
		return refuse(err, cache, "no usable superblock of a cache device");
	return cache_sb_is_bdev(sb) ? refuse(err, cache, "a backing device, expected a cache device")
				    : 0;
}

static int check_backing(struct cache_dev *backing, const struct cache_sb *cache,
			 struct cache_sb *sb, struct cache_err *err)
{
	enum cache_bdev_state state;
	int ret = cache_sb_read(backing, sb, err);

	if (ret)
		return cache_err_prefix(err, ret, "%s", cache_dev_name(backing));
	if (!cache_sb_has_magic(sb))
		return refuse(err, backing, "no superblock of a backing device");
	if (!cache_sb_is_bdev(sb))
		return refuse(err, backing, "a cache device, expected a backing device");
	if (memcmp(sb->set_uuid, cache->set_uuid, sizeof(sb->set_uuid)))
		return refuse(err, backing, "belongs to another cache set");
	state = cache_sb_bdev_state(sb);
	if (state == CACHE_BDEV_STATE_NONE || state == CACHE_BDEV_STATE_STALE)
		return cache_err_set(err, -EINVAL, 0,
				     "%s: its state is %s: what the cache has of it is out of date: read it alone",
				     cache_dev_name(backing), cache_bdev_state_name(state));
	if (sb->data_offset_sectors >= cache_dev_sectors(backing))
		return refuse(err, backing, "ends before its data begins");
	return 0;
}

/* The one flash volume, or that of @uuid. */
static int find_volume(const struct cache_set *set, const uint8_t *uuid, uint64_t *slot,
		       struct cache_err *err)
{
	unsigned found = 0;
	struct cache_slot s;

	for (uint32_t i = 0; i < set->uuids.n; i++) {
		if (cache_set_slot(set, i, &s) || !s.flash ||
		    (uuid && memcmp(s.uuid, uuid, sizeof(s.uuid))))
			continue;
		*slot = i;
		found++;
	}
	if (found == 1)
		return 0;
	return cache_err_set(err, -ENODEV, 0, "%s: %s", cache_dev_name(set->dev),
			     found ? "several flash volumes: say which" :
			     uuid ? "no flash volume has this UUID" : "no flash volume, and no backing device is given");
}

static int find_slot(struct cache_merged *m, const struct cache_set *set,
		     const struct cache_sb *backing, const struct cache_merged_opts *opts,
		     struct cache_err *err)
{
	struct cache_slot s;
	uint64_t slot = 0;
	int64_t at;
	int ret = 0;

	if (!m->backing) {
		ret = find_volume(set, opts->volume_uuid, &slot, err);
		if (ret)
			return ret;
	} else {
		at = cache_uuid_find(&set->uuids, backing->uuid);
		if (at < 0)
			return refuse(err, m->backing, "the uuid table of the cache does not have it");
		slot = at;
	}
	ret = cache_set_slot(set, slot, &s);
	if (ret)
		return cache_err_set(err, ret, 0, "%s: slot %" PRIu64 " of the uuid table is not in use",
				     cache_dev_name(m->cache), slot);
	m->info.slot = slot;
	m->info.flash = s.flash;
	memcpy(m->info.uuid, s.uuid, sizeof(m->info.uuid));
	memcpy(m->info.label, s.label, sizeof(m->info.label));
	m->info.block_bytes = set->sb.block_sectors * CACHE_SECTOR_BYTES;
	m->data_start = m->backing ? backing->data_offset_sectors : 0;
	m->info.sectors = m->backing ? cache_dev_sectors(m->backing) - m->data_start : s.sectors;
	return 0;
}

/* Before the long check: is there such a device? Of a damaged set the check says more. */
static int ask_table(struct cache_merged *m, const struct cache_sb *backing,
		     const struct cache_merged_opts *opts, struct cache_err *err)
{
	static const struct cache_sink silent = { cache_sink_ignore, NULL };
	struct cache_set *set = NULL;
	int ret = cache_set_load(m->cache, CACHE_LOAD_PRIOS, &silent, &set, err);

	if (!ret && set->loaded >= CACHE_LOAD_PRIOS && set->uuids.n)
		ret = find_slot(m, set, backing, opts, err);
	cache_set_close(set);
	return ret;
}

static int load(struct cache_merged *m, const struct cache_sb *backing,
		const struct cache_merged_opts *opts, struct cache_err *err)
{
	/*
	 * the check has reported what is wrong; a caller that serves a damaged set has accepted it
	 */
	static const struct cache_sink silent = { cache_sink_ignore, NULL };
	struct cache_set *set = NULL;
	int ret = cache_set_load(m->cache, CACHE_LOAD_GENS, &silent, &set, err);

	if (!ret && set->loaded < CACHE_LOAD_GENS)
		ret = cache_err_set(err, -EUCLEAN, 0, "%s: has not run yet, or is too damaged: there is no btree",
				    cache_dev_name(m->cache));
	if (!ret)
		ret = find_slot(m, set, backing, opts, err);
	if (!ret)
		ret = cache_extent_map_fill(&m->map, set, m->info.slot, &silent, err);
	cache_set_close(set);
	m->info.extents = m->map.n;
	m->info.cached_sectors = m->map.cached_sectors;
	m->info.dirty_sectors = m->map.dirty_sectors;
	return ret;
}

/* Dirty data past the end would not be shown: that is an error. */
static int check_end(const struct cache_merged *m, struct cache_err *err)
{
	const struct cache_map_extent *last = m->map.n ? &m->map.e[m->map.n - 1] : NULL;
	uint64_t end = m->data_start + m->info.sectors;

	if (!last || last->start + last->nsectors <= end)
		return 0;
	return cache_err_set(err, -EINVAL, 0, "%s: has %" PRIu64 " sectors, the cache has extents of it up to %" PRIu64,
			     cache_dev_name(m->backing ? m->backing : m->cache), end,
			     last->start + last->nsectors);
}

int cache_merged_open(struct cache_dev *cache, struct cache_dev *backing,
		      const struct cache_merged_opts *opts, struct cache_merged **mp,
		      struct cache_err *err)
{
	struct cache_merged *m = calloc(1, sizeof(*m));
	struct cache_sb sb, backing_sb = { 0 };
	int ret;

	if (!m)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a device");
	m->cache = cache;
	m->backing = backing;
	ret = check_cache(cache, &sb, err);
	if (!ret && backing)
		ret = check_backing(backing, &sb, &backing_sb, err);
	if (!ret)
		ret = ask_table(m, &backing_sb, opts, err);
	if (!ret)
		ret = load(m, &backing_sb, opts, err);
	if (!ret && !opts->unchecked)
		ret = check_end(m, err);
	if (!ret && !opts->unchecked)
		ret = check_sound(cache, backing, opts, err);
	m->has_holes = backing && cache_dev_fd(backing) >= 0;
	if (ret)
		cache_merged_close(m);
	else
		*mp = m;
	return ret;
}

void cache_merged_close(struct cache_merged *m)
{
	if (m)
		cache_extent_map_fini(&m->map);
	free(m);
}

static int read_gap(struct cache_merged *m, uint64_t sector, uint64_t nsectors, char *buf)
{
	if (m->backing)
		return cache_dev_read(m->backing, sector, nsectors, buf, NULL);
	memset(buf, 0, nsectors * CACHE_SECTOR_BYTES);
	return 0;
}

/* Part of an extent; what the backing device has too may come from there. */
static int read_cached(struct cache_merged *m, const struct cache_map_extent *e, uint64_t sector,
		       uint64_t nsectors, char *buf)
{
	int ret = cache_dev_read(m->cache, e->cache_sector + (sector - e->start), nsectors, buf, NULL);

	if (ret && !e->dirty && m->backing)
		ret = read_gap(m, sector, nsectors, buf);
	return ret;
}

/* Whole sectors, counted as extents are. */
static int read_sectors(struct cache_merged *m, uint64_t sector, uint64_t nsectors, char *buf)
{
	uint64_t end = sector + nsectors, i = cache_extent_map_find(&m->map, sector);
	int ret = 0;

	while (sector < end && !ret) {
		const struct cache_map_extent *e = i < m->map.n ? &m->map.e[i] : NULL;
		uint64_t to = e ? cache_min_u64(end, e->start) : end;

		if (e && sector >= e->start) {
			to = cache_min_u64(end, e->start + e->nsectors);
			ret = read_cached(m, e, sector, to - sector, buf);
			i++;
		} else {
			ret = read_gap(m, sector, to - sector, buf);
		}
		buf += (to - sector) * CACHE_SECTOR_BYTES;
		sector = to;
	}
	return ret;
}

int cache_merged_read(struct cache_merged *m, void *buf, uint64_t nbytes, uint64_t offset)
{
	uint64_t size = m->info.sectors * CACHE_SECTOR_BYTES;
	uint64_t first = offset / CACHE_SECTOR_BYTES, skip = offset % CACHE_SECTOR_BYTES;
	uint64_t nsectors = cache_div_up(skip + nbytes, CACHE_SECTOR_BYTES);
	char *whole;
	int ret;

	if (!cache_range_ok(offset, nbytes, size))
		return -ERANGE;
	if (!skip && !(nbytes % CACHE_SECTOR_BYTES))
		return read_sectors(m, m->data_start + first, nsectors, buf);
	whole = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);
	if (!whole)
		return -ENOMEM;
	ret = read_sectors(m, m->data_start + first, nsectors, whole);
	if (!ret)
		memcpy(buf, whole + skip, nbytes);
	cache_dev_buf_free(whole);
	return ret;
}

/* Of what the cache does not have: a hole in the backing file, or in a flash volume. */
static enum cache_merged_kind gap_kind(struct cache_merged *m, uint64_t sector, uint64_t *nsectors)
{
	off_t at = sector * CACHE_SECTOR_BYTES, data;
	int fd = m->has_holes ? cache_dev_fd(m->backing) : -1;

	if (!m->backing)
		return CACHE_MERGED_HOLE;
	data = fd >= 0 ? lseek(fd, at, SEEK_DATA) : at;
	if (data < 0)	/* no data follows, or that cannot be determined */
		return errno == ENXIO ? CACHE_MERGED_HOLE : CACHE_MERGED_DATA;
	if (data / CACHE_SECTOR_BYTES <= (off_t)sector) {
		data = lseek(fd, at, SEEK_HOLE);
		if (data > at)
			*nsectors = cache_min_u64(*nsectors, cache_div_up(data, CACHE_SECTOR_BYTES) - sector);
		return CACHE_MERGED_DATA;
	}
	*nsectors = cache_min_u64(*nsectors, data / CACHE_SECTOR_BYTES - sector);
	return CACHE_MERGED_HOLE;
}

enum cache_merged_kind cache_merged_extent(struct cache_merged *m, uint64_t sector,
					   uint64_t *nsectors)
{
	uint64_t at = m->data_start + sector, i = cache_extent_map_find(&m->map, at);
	const struct cache_map_extent *e = i < m->map.n ? &m->map.e[i] : NULL;
	uint64_t left = m->info.sectors - sector;

	if (e && at >= e->start) {
		*nsectors = cache_min_u64(left, e->start + e->nsectors - at);
		return CACHE_MERGED_DATA;
	}
	*nsectors = e ? cache_min_u64(left, e->start - at) : left;
	return gap_kind(m, at, nsectors);
}
