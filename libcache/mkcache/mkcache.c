// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plan of a format: options become superblocks, which are then checked with the rules by
 * which a kernel would refuse them. Nothing is written here.
 */
#include "base/checked.h"
#include "mkcache/mkcache_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "format/eras.h"
#include "host/ids.h"

#define BUCKET_FIELD_MAX	65535u

static int check_uuids(struct cache_mkcache *m, struct cache_err *err)
{
	for (unsigned i = 0; i < m->ndevs; i++) {
		if (cache_uuid_is_zero(m->devs[i].uuid))
			cache_uuid_generate(m->devs[i].uuid);
		for (unsigned j = 0; j < i; j++)
			if (!memcmp(m->devs[i].uuid, m->devs[j].uuid, CACHE_UUID_BYTES))
				return cache_err_set(err, -EINVAL, 0,
						     "%s and %s would get the same uuid",
						     cache_dev_name(m->devs[j].dev),
						     cache_dev_name(m->devs[i].dev));
	}
	return 0;
}

/* Finds what is on the device; a device that cannot be read is not formatted. */
static int look(struct cache_mkcache_dev *d, struct cache_err *err)
{
	uint64_t sectors = cache_dev_sectors(d->dev);
	int ret = cache_sb_read(d->dev, &d->old, err);

	if (ret)
		return cache_err_prefix(err, ret, "%s", cache_dev_name(d->dev));
	d->has_old = cache_sb_is_usable(&d->old, sectors) &&
		     d->old.csum_stored == d->old.csum_computed;
	return 0;
}

static void fill_cache(const struct cache_mkcache *m, struct cache_mkcache_dev *d,
		       unsigned number)
{
	struct cache_sb *sb = &d->sb;

	sb->nbuckets = cache_dev_sectors(d->dev) / m->bucket_sectors;
	sb->first_bucket = cache_first_bucket_for(m->bucket_sectors);
	sb->nr_in_set = m->set_size;
	sb->nr_this_dev = number;
	sb->flags = (uint64_t)m->replacement << CACHE_SB_REPLACEMENT_SHIFT;
	if (m->discard)
		sb->flags |= CACHE_SB_DISCARD;
	if (m->bucket_sectors > BUCKET_FIELD_MAX) {
		sb->version = CACHE_SB_VERSION_CDEV_WITH_FEATURES;
		sb->feature_incompat = CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET;
	}
}

static void fill_bdev(const struct cache_mkcache *m, struct cache_mkcache_dev *d)
{
	struct cache_sb *sb = &d->sb;
	bool fits = m->bucket_sectors <= BUCKET_FIELD_MAX;

	sb->version = CACHE_SB_VERSION_BDEV;
	if (m->data_offset_sectors != CACHE_BDEV_DATA_START_SECTORS)
		sb->version = CACHE_SB_VERSION_BDEV_WITH_OFFSET;
	sb->data_offset_sectors = m->data_offset_sectors;
	sb->flags = m->mode;
	/* unused here; make-bcache stores it (format 1.1) */
	sb->bucket_field = fits ? m->bucket_sectors : CACHE_MKCACHE_BUCKET_SECTORS;
}

static void fill_super(const struct cache_mkcache *m, struct cache_mkcache_dev *d,
		       unsigned number)
{
	struct cache_sb *sb = &d->sb;
	uint8_t buf[CACHE_SB_BYTES] = { 0 };

	memset(sb, 0, sizeof(*sb));
	sb->offset_sector = CACHE_SB_SECTOR;
	memcpy(sb->magic, cache_sb_magic, sizeof(sb->magic));
	memcpy(sb->uuid, d->uuid, sizeof(sb->uuid));
	memcpy(sb->set_uuid, m->set_uuid, sizeof(sb->set_uuid));
	if (m->label)
		memcpy(sb->label, m->label, strlen(m->label));
	sb->block_sectors = m->block_sectors;
	sb->bucket_sectors = m->bucket_sectors;
	if (d->is_bdev)
		fill_bdev(m, d);
	else
		fill_cache(m, d, number);
	cache_sb_encode(sb, buf);
	cache_sb_decode(buf, sb);
}

/* Checks what would be written with the driver's own rules. */
struct judge {
	const struct cache_mkcache *m;
	const struct cache_mkcache_dev *d;
	struct cache_err *err;
	int ret;
};

static void judge_finding(void *ctx, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	struct judge *j = ctx;
	char text[CACHE_ERR_TEXT_BYTES];

	if (j->ret || info->severity == CACHE_SEVERITY_NOTE)
		return;
	cache_finding_text(f, text, sizeof(text));
	if (info->severity == CACHE_SEVERITY_WARN)
		cache_mkcache_note(j->m, true, j->d, "%s", text);
	else
		j->ret = refuse(j->m, j->d, j->err, info->error, "%s", text);
}

static int check_super(const struct cache_mkcache *m, const struct cache_mkcache_dev *d,
		       struct cache_err *err)
{
	struct judge j = { m, d, err, 0 };
	struct cache_sink sink = { judge_finding, &j };

	if (!d->is_bdev)
		j.ret = cache_mkcache_check_nbuckets(m, d, err);
	else if (d->sb.data_offset_sectors >= cache_dev_sectors(d->dev))
		j.ret = cache_err_set(err, -ERANGE, 0, "%s: %" PRIu64 " sectors, the data would "
				      "start at sector %" PRIu64, cache_dev_name(d->dev),
				      cache_dev_sectors(d->dev), d->sb.data_offset_sectors);
	/* make-bcache has one rule, which was just checked */
	if (!j.ret && !m->like_peer)
		cache_sb_check(&d->sb, cache_dev_sectors(d->dev),
			       cache_dev_logical_block_bytes(d->dev), &sink, NULL);
	return j.ret;
}

static int make_supers(struct cache_mkcache *m, struct cache_err *err)
{
	unsigned number = m->index;

	if (m->discard && count_caches(m))
		cache_mkcache_note(m, true, NULL, "the discard bit is set: many reports of lost "
				   "priorities after a reboot name it, and kernels since %s "
				   "ignore it", cache_driver_since(cache_driver_ignores_discard));
	for (unsigned i = 0; i < m->ndevs; i++) {
		struct cache_mkcache_dev *d = &m->devs[i];
		int ret;

		fill_super(m, d, number);
		if (!d->is_bdev && m->set_size > 1)
			number++;
		ret = check_super(m, d, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int plan(struct cache_mkcache *m, struct cache_err *err)
{
	int ret = 0;

	if (!m->ndevs)
		return cache_err_set(err, -EINVAL, 0, "no device to format");
	m->set_is_new = cache_uuid_is_zero(m->set_uuid);
	for (unsigned i = 0; i < m->ndevs && !ret; i++)
		ret = look(&m->devs[i], err);
	if (!ret)
		ret = check_uuids(m, err);
	if (!ret)
		ret = cache_mkcache_choose(m, err);
	return ret ? ret : make_supers(m, err);
}

int cache_mkcache_plan(struct cache_mkcache *given, struct cache_err *err)
{
	struct cache_mkcache m;
	int ret = cache_opts_read(&m, sizeof(m), given, err);

	if (ret)
		return ret;
	ret = plan(&m, err);
	m.size = given->size;
	memcpy(given, &m, cache_min_u64(given->size, sizeof(m)));
	return ret;
}
