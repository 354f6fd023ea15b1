// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes and membership: given values are checked against the devices, the set and what a kernel
 * accepts; other values are chosen.
 */
#include "mkcache/mkcache_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "format/eras.h"
#include "host/ids.h"
#include "host/probe.h"

/* The exponent that says more is only logged as an error (format 1.3). */
#define BUCKET_SECTORS_MAX	(UINT64_C(1) << 31)

static const char *name_of(const struct cache_mkcache_dev *d)
{
	return d ? cache_dev_name(d->dev) : "";
}

void cache_mkcache_note(const struct cache_mkcache *m, bool warning,
			const struct cache_mkcache_dev *d, const char *fmt, ...)
{
	char text[CACHE_ERR_TEXT_BYTES];
	va_list ap;

	if (!m->note)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	m->note(m->ctx, warning, name_of(d), text);
}

int cache_mkcache_refuse(const struct cache_mkcache *m, const struct cache_mkcache_dev *d,
			 struct cache_err *err, int code, const char *fmt, ...)
{
	char text[CACHE_ERR_TEXT_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (m->like_peer) {
		cache_mkcache_note(m, true, d, "%s", text);
		return 0;
	}
	return cache_err_set(err, code, 0, "%s%s%s", name_of(d), d ? ": " : "", text);
}

unsigned cache_mkcache_count(const struct cache_mkcache *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->ndevs; i++)
		n += !m->devs[i].is_bdev;
	return n;
}

static int check_set(struct cache_mkcache *m, struct cache_err *err)
{
	unsigned ncaches = count_caches(m);

	if (!m->set_size && ncaches > 1) {
		int ret = refuse(m, NULL, err, -EINVAL, "%u cache devices for a set of one: "
				 "kernels since %s take only one", ncaches,
				 cache_driver_since(cache_driver_is_single));
		if (ret)
			return ret;
	}
	if (!m->set_size && m->index)
		return cache_err_set(err, -EINVAL, 0, "a member number needs a set size");
	if (!m->set_size)
		m->set_size = 1;
	else if (m->set_size > CACHE_MAX_CACHES_PER_SET ||
		 (uint64_t)m->index + ncaches > m->set_size)
		return cache_err_set(err, -EINVAL, 0, "members %u to %u of a set of %u, at most "
				     "%u members are allowed", m->index,
				     m->index + ncaches - !!ncaches, m->set_size,
				     CACHE_MAX_CACHES_PER_SET);
	if (cache_uuid_is_zero(m->set_uuid))
		cache_uuid_generate(m->set_uuid);
	if (m->label && strlen(m->label) > CACHE_MKCACHE_LABEL_MAX)
		return cache_err_set(err, -EINVAL, 0, "label of %zu bytes, at most %u fit",
				     strlen(m->label), CACHE_MKCACHE_LABEL_MAX);
	return 0;
}

/* Existing members of the set, as the search delivers them. */
struct members {
	struct cache_mkcache *m;
	struct cache_err *err;
	uint32_t cache_block_sectors;	/* 0: no cache device found */
	uint32_t bdev_block_sectors;	/* the smallest; 0: none found */
	char bdev[64];			/* the device that it belongs to */
};

static bool is_formatted_here(const struct cache_mkcache *m, const char *path)
{
	for (unsigned i = 0; i < m->ndevs; i++)
		if (cache_probe_same(cache_dev_name(m->devs[i].dev), path))
			return true;
	return false;
}

static int found_member(void *ctx, const char *path, const struct cache_sb *sb)
{
	struct members *f = ctx;
	const struct cache_mkcache *m = f->m;

	if (is_formatted_here(m, path))
		return 0;
	if (cache_sb_is_bdev(sb)) {
		if (!f->bdev_block_sectors || sb->block_sectors < f->bdev_block_sectors) {
			f->bdev_block_sectors = sb->block_sectors;
			snprintf(f->bdev, sizeof(f->bdev), "%.63s", path);
		}
		return 0;
	}
	f->cache_block_sectors = sb->block_sectors;
	if (sb->nr_this_dev < m->index || sb->nr_this_dev >= m->index + count_caches(m))
		return 0;
	return refuse(m, NULL, f->err, -EEXIST, "%s is cache device %u of this set already; "
		      "the kernel takes only one", path, sb->nr_this_dev);
}

static int check_hardware_block(const struct cache_mkcache *m, struct cache_err *err)
{
	for (unsigned i = 0; i < m->ndevs; i++) {
		struct cache_dev *dev = m->devs[i].dev;
		uint32_t need = cache_dev_logical_block_bytes(dev) / CACHE_SECTOR_BYTES;
		int ret = 0;

		if (m->block_sectors < need)
			ret = refuse(m, &m->devs[i], err, -EINVAL, "block size of %" PRIu64
				     " bytes is below the device's logical block of %u",
				     m->block_sectors * CACHE_SECTOR_BYTES,
				     cache_dev_logical_block_bytes(dev));
		if (ret)
			return ret;
	}
	return 0;
}

static uint64_t default_block(const struct cache_mkcache *m, const struct members *f)
{
	uint64_t block = f->cache_block_sectors ? f->cache_block_sectors : 1;

	for (unsigned i = 0; i < m->ndevs; i++) {
		uint32_t nbytes = cache_dev_preferred_block_bytes(m->devs[i].dev);

		/* a file system may prefer a much larger block than any kernel accepts */
		if (!m->like_peer && nbytes > CACHE_PAGE_BYTES)
			nbytes = cache_max_u64(CACHE_PAGE_BYTES,
				cache_dev_logical_block_bytes(m->devs[i].dev));
		block = cache_max_u64(block, nbytes / CACHE_SECTOR_BYTES);
	}
	return block;
}

static int check_block(struct cache_mkcache *m, const struct members *f,
		       struct cache_err *err)
{
	bool chosen = m->block_sectors;
	uint64_t nbytes;
	int ret = 0;

	if (!chosen)
		m->block_sectors = default_block(m, f);
	nbytes = m->block_sectors * CACHE_SECTOR_BYTES;
	if (!cache_is_pow2(m->block_sectors) || m->block_sectors > UINT16_MAX)
		return cache_err_set(err, -EINVAL, 0, "block size of %" PRIu64 " sectors, "
				     "expected a power of two", m->block_sectors);
	if (m->block_sectors > CACHE_PAGE_SECTORS)
		ret = refuse(m, NULL, err, -EINVAL, "block size of %" PRIu64 " bytes is above "
			     "the page size of %u, kernels refuse it", nbytes, CACHE_PAGE_BYTES);
	if (!ret && m->ndevs > count_caches(m) && m->block_sectors < f->cache_block_sectors)
		ret = refuse(m, NULL, err, -EINVAL, "block size of %" PRIu64 " bytes is below the "
			     "set's %u: the backing device would not attach", nbytes,
			     f->cache_block_sectors * CACHE_SECTOR_BYTES);
	if (!ret && count_caches(m) && f->bdev_block_sectors &&
	    m->block_sectors > f->bdev_block_sectors)
		ret = refuse(m, NULL, err, -EINVAL, "block size of %" PRIu64 " bytes is above the "
			     "%u of %s, a backing device of this set: it would not attach", nbytes,
			     f->bdev_block_sectors * CACHE_SECTOR_BYTES, f->bdev);
	return ret ? ret : check_hardware_block(m, err);
}

static int check_data_offset(struct cache_mkcache *m, struct cache_err *err)
{
	if (!m->data_offset_sectors)
		m->data_offset_sectors = CACHE_BDEV_DATA_START_SECTORS;
	if (m->data_offset_sectors < CACHE_BDEV_DATA_START_SECTORS)
		return cache_err_set(err, -EINVAL, 0, "data offset of %" PRIu64
				     " sectors, at least %u are needed",
				     m->data_offset_sectors, CACHE_BDEV_DATA_START_SECTORS);
	if (m->ndevs > count_caches(m) && m->data_offset_sectors % m->block_sectors)
		return refuse(m, NULL, err, -EINVAL, "data offset of %" PRIu64 " sectors is not a "
			      "multiple of the block size of %" PRIu64 ": nothing would be cached",
			      m->data_offset_sectors, m->block_sectors);
	return 0;
}

static uint64_t smallest_cache(const struct cache_mkcache *m)
{
	uint64_t sectors = UINT64_MAX;

	for (unsigned i = 0; i < m->ndevs; i++)
		if (!m->devs[i].is_bdev)
			sectors = cache_min_u64(sectors, cache_dev_sectors(m->devs[i].dev));
	return sectors;
}

/* A btree node, which fills a small bucket, must have at least two blocks. */
static uint64_t least_bucket(const struct cache_mkcache *m)
{
	return cache_max_u64(2 * m->block_sectors, CACHE_PAGE_SECTORS);
}

/* The largest bucket, up to the usual size, with which @sectors has enough buckets; 0: none. */
static uint64_t fitting_bucket(const struct cache_mkcache *m, uint64_t sectors)
{
	uint64_t least = least_bucket(m);
	uint64_t bucket = cache_max_u64(least, CACHE_MKCACHE_BUCKET_SECTORS);

	while (bucket > least && sectors / bucket < CACHE_NBUCKETS_QUEUE_MIN)
		bucket >>= 1;
	return sectors / bucket < CACHE_NBUCKETS_QUEUE_MIN ? 0 : bucket;
}

static void choose_bucket(struct cache_mkcache *m)
{
	uint64_t sectors = smallest_cache(m);
	uint64_t usual = CACHE_MKCACHE_BUCKET_SECTORS;

	m->bucket_sectors = usual;
	if (m->like_peer || !count_caches(m))
		return;
	m->bucket_sectors = fitting_bucket(m, sectors);
	if (!m->bucket_sectors)		/* no size is small enough: reported later */
		m->bucket_sectors = least_bucket(m);
	else if (m->bucket_sectors < usual)
		cache_mkcache_note(m, false, NULL, "bucket size is %" PRIu64 " KiB: with the usual %"
				   PRIu64 " KiB there would be %" PRIu64 " buckets, and the "
				   "kernel needs %u", m->bucket_sectors / 2, usual / 2,
				   sectors / usual, CACHE_NBUCKETS_QUEUE_MIN);
}

static int check_bucket(struct cache_mkcache *m, struct cache_err *err)
{
	if (!m->bucket_sectors)
		choose_bucket(m);
	if (!cache_is_pow2(m->bucket_sectors) || m->bucket_sectors > BUCKET_SECTORS_MAX)
		return cache_err_set(err, -EINVAL, 0, "bucket size of %" PRIu64 " sectors, expected "
				     "a power of two up to %" PRIu64, m->bucket_sectors,
				     BUCKET_SECTORS_MAX);
	if (m->bucket_sectors < m->block_sectors)
		return cache_err_set(err, -EINVAL, 0, "bucket size of %" PRIu64 " sectors is below "
				     "the block size of %" PRIu64, m->bucket_sectors,
				     m->block_sectors);
	if (m->bucket_sectors < CACHE_PAGE_SECTORS)
		return refuse(m, NULL, err, -EINVAL, "bucket size of %" PRIu64 " bytes is below "
			      "the page size of %u, kernels refuse it",
			      m->bucket_sectors * CACHE_SECTOR_BYTES, CACHE_PAGE_BYTES);
	/* such a btree node cannot be split: the driver's arithmetic underflows */
	if (m->bucket_sectors < 2 * m->block_sectors)
		return refuse(m, NULL, err, -EINVAL, "bucket of a single block of %" PRIu64
			      " sectors: kernels crash at the first read miss",
			      m->block_sectors);
	return 0;
}

int cache_mkcache_check_nbuckets(const struct cache_mkcache *m,
				 const struct cache_mkcache_dev *d, struct cache_err *err)
{
	uint64_t nbuckets = d->sb.nbuckets;
	uint64_t fits = fitting_bucket(m, cache_dev_sectors(d->dev));

	if (nbuckets >= CACHE_NBUCKETS_QUEUE_MIN)
		return 0;
	if (m->like_peer && nbuckets >= CACHE_NBUCKETS_MIN)
		return refuse(m, d, err, -ERANGE, "%" PRIu64 " buckets, kernels need %u",
			      nbuckets, CACHE_NBUCKETS_QUEUE_MIN);
	if (m->like_peer)
		return cache_err_set(err, -ERANGE, 0, "Not enough buckets: %" PRIu64 ", need %u",
				     nbuckets, CACHE_NBUCKETS_MIN);
	if (fits)
		return refuse(m, d, err, -ERANGE, "%" PRIu64 " buckets of %" PRIu64 " KiB, the "
			      "kernel needs %u; buckets of %" PRIu64 " KiB would do", nbuckets,
			      m->bucket_sectors / 2, CACHE_NBUCKETS_QUEUE_MIN, fits / 2);
	return refuse(m, d, err, -ERANGE, "too small: %" PRIu64 " KiB, a cache device needs %"
		      PRIu64, cache_dev_sectors(d->dev) / 2, CACHE_NBUCKETS_QUEUE_MIN *
		      least_bucket(m) / 2);
}

int cache_mkcache_choose(struct cache_mkcache *m, struct cache_err *err)
{
	struct members f = { .m = m, .err = err };
	int ret = check_set(m, err);

	if (!ret && !m->set_is_new)
		ret = (m->find_set ? m->find_set : cache_probe_set)(m->set_uuid,
								    found_member, &f);
	if (!ret)
		ret = check_block(m, &f, err);
	if (!ret)
		ret = check_data_offset(m, err);
	return ret ? ret : check_bucket(m, err);
}
