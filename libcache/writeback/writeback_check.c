// SPDX-License-Identifier: GPL-2.0-only
/* Whether the devices at hand are those of the set, and can take what is dirty. */
#include "writeback/writeback_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/ids.h"

static int check_cache(struct writeback *w, struct cache_err *err)
{
	int ret = cache_sb_read(w->cache, &w->sb, err);

	if (!ret && cache_sb_has_magic(&w->sb) && cache_sb_is_bdev(&w->sb))
		return cache_err_set(err, -EINVAL, 0, "this is a backing device, expected the cache device first");
	if (!ret)
		ret = cache_sb_check(&w->sb, cache_dev_sectors(w->cache),
				     cache_dev_logical_block_bytes(w->cache), NULL, err);
	if (!ret && w->sb.nr_in_set > 1)
		return cache_err_set(err, -EOPNOTSUPP, 0,
				     "the cache set has %u cache devices, expected one",
				     w->sb.nr_in_set);
	return ret;
}

static int check_set(const struct writeback *w, unsigned k, struct cache_err *err)
{
	const struct cache_sb *b = &w->supers[k];
	char theirs[CACHE_UUID_TEXT_BYTES], ours[CACHE_UUID_TEXT_BYTES];

	/* one that has left the set is told apart once it is known what is dirty */
	if (!memcmp(b->set_uuid, w->sb.set_uuid, 16) || cache_uuid_is_zero(b->set_uuid))
		return 0;
	return cache_err_set(err, -EINVAL, 0, "it belongs to cache set %s, the cache device to %s",
			     cache_uuid_format(b->set_uuid, theirs),
			     cache_uuid_format(w->sb.set_uuid, ours));
}

static int check_backing(struct writeback *w, unsigned k, struct cache_err *err)
{
	struct cache_dev *dev = w->opts->backing[k];
	struct cache_sb *b = &w->supers[k];
	int ret = cache_sb_read(dev, b, err);

	w->sizes[k] = cache_dev_sectors(dev);
	if (!ret && cache_sb_has_magic(b) && !cache_sb_is_bdev(b))
		return cache_err_set(err, -EINVAL, 0, "this is a cache device, expected a backing device");
	if (!ret)
		ret = cache_sb_check(b, w->sizes[k], cache_dev_logical_block_bytes(dev), NULL, err);
	if (!ret)
		ret = check_set(w, k, err);
	for (unsigned j = 0; j < k && !ret; j++)
		ret = cache_sb_check_clone(b, &w->supers[j],
					   cache_dev_name(w->opts->backing[j]), err);
	return ret;
}

int cache_writeback_check_devices(struct writeback *w, struct cache_err *err)
{
	int ret = check_cache(w, err);

	if (ret)
		return cache_err_prefix(err, ret, "%s", cache_dev_name(w->cache));
	for (unsigned k = 0; k < w->opts->nbacking && !ret; k++) {
		ret = check_backing(w, k, err);
		if (ret)
			cache_err_prefix(err, ret, "%s", cache_dev_name(w->opts->backing[k]));
	}
	return ret;
}

static bool ran_alone(const struct writeback *w, unsigned k)
{
	enum cache_bdev_state state = cache_sb_bdev_state(&w->supers[k]);

	return state == CACHE_BDEV_STATE_NONE || state == CACHE_BDEV_STATE_STALE ||
	       cache_uuid_is_zero(w->supers[k].set_uuid);
}

static int check_one(const struct writeback *w, unsigned k, struct cache_err *err)
{
	const struct cache_writeback_device *d = NULL;

	for (unsigned i = 0; i < w->res->n && !d; i++)
		if (w->res->devices[i].backing == (int)k)
			d = &w->res->devices[i];
	if (!d)
		return cache_err_set(err, -EINVAL, 0, "the cache set does not know its UUID");
	if (d->dirty_sectors && ran_alone(w, k))
		return cache_err_set(err, -EUCLEAN, 0, "it has left the set or has run without its cache (state %s): the %" PRIu64
				     " dirty sectors of the cache are older than what it has",
				     cache_bdev_state_name(cache_sb_bdev_state(&w->supers[k])),
				     d->dirty_sectors);
	if (d->end > w->sizes[k])
		return cache_err_set(err, -ERANGE, 0, "it has %" PRIu64
				     " sectors, and its dirty data ends at sector %" PRIu64,
				     w->sizes[k], d->end);
	return 0;
}

int cache_writeback_check_dirty(const struct writeback *w, struct cache_err *err)
{
	int ret = 0;

	for (unsigned k = 0; k < w->opts->nbacking && !ret; k++) {
		ret = check_one(w, k, err);
		if (ret)
			cache_err_prefix(err, ret, "%s", cache_dev_name(w->opts->backing[k]));
	}
	return ret;
}
