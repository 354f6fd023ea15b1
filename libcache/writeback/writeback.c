// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of a writeback: look, check, copy, flush, commit, superblocks. The commit is that
 * of a repair that has nothing to repair: a new tree in which what was copied is clean.
 */
#include "writeback/writeback_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "super/super_change.h"

static void on_loss(void *ctx, unsigned dev, const struct cache_repair_loss *loss)
{
	struct writeback *w = ctx;

	cache_repair_losses_add(&w->losses, loss);
	if (w->opts->loss)
		w->opts->loss(w->opts->ctx, 0, loss);
}

static void on_finding(void *ctx, unsigned dev, bool again, const struct cache_finding *f)
{
	const struct writeback *w = ctx;

	if (w->opts->finding)
		w->opts->finding(w->opts->ctx, f);
}

/* Once data was copied, the commit follows: asking to stop would only mean to copy it again. */
static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	const struct writeback *w = ctx;
	int stop = 0;

	if (w->opts->progress)
		stop = w->opts->progress(w->opts->ctx, pass, current, max);
	return w->copied || pass == CACHE_REPAIR_PASS_WRITE ? 0 : stop;
}

/* Of the cache. */
static bool only_reads(const struct cache_writeback_opts *o)
{
	return o->look || o->force || o->export_uuid;
}

static bool may_copy(const struct writeback *w)
{
	return !w->opts->look;
}

/* What is left, and what is not: then the extents say so too. */
static bool settle_extents(struct writeback *w)
{
	struct repair_kept *kept = w->view->kept;
	bool changed = false;
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++) {
		struct cache_bkey k = cache_writeback_key(w, i);
		struct cache_writeback_device *d = cache_writeback_device_of(w, cache_key_inode(&k));
		bool home = d && cache_bit(w->todo, i) && !cache_bit(w->failed, i) &&
			    cache_writeback_target(w, d);

		if (d && cache_key_dirty(&k))
			*(home ? &d->written_sectors : &d->left_sectors) += cache_key_size(&k);
		changed |= home;
		if (home && w->opts->drop)
			continue;
		if (home)
			cache_bkey_set_dirty(&k, false);
		kept->keys[n++] = (struct cache_packed_key){ k.high, k.low, k.ptr[0] };
	}
	kept->n = n;
	return changed;
}

static int create_export(struct writeback *w, struct cache_err *err)
{
	const struct cache_writeback_device *d = NULL;
	uint64_t sectors;

	for (unsigned i = 0; i < w->res->n && !d; i++)
		if (!memcmp(w->res->devices[i].uuid, w->opts->export_uuid, 16))
			d = &w->res->devices[i];
	if (!d)
		return cache_err_set(err, -ENOENT, 0, "the cache set has no dirty data of that device");
	sectors = d->flash ? d->volume_sectors : d->end;
	if (!d->flash && d->backing >= 0)
		sectors = w->sizes[d->backing];
	return w->opts->create(w->opts->ctx, d, cache_max_u64(sectors, d->end), &w->export, err);
}

static int refuse_damaged(const struct writeback *w, struct cache_err *err)
{
	if (!w->res->damaged || w->opts->force)
		return 0;
	return cache_err_set(err, -EUCLEAN, 0, "%s: the cache set is damaged: repair it with cache-fsck, or use --force, which copies what is certain and only reads the cache",
			     cache_dev_name(w->cache));
}

/* 0: something is to be committed; 1: nothing is. */
static int change_extents(void *ctx, const struct cache_repair_view *view, struct cache_err *err)
{
	struct writeback *w = ctx;
	bool changed;
	int ret;

	w->view = view;
	w->set_ran = true;
	w->res->damaged = view->corrupt > 0;
	ret = cache_writeback_plan(w, err);
	if (!ret)
		ret = cache_writeback_check_dirty(w, err);
	if (ret)
		return ret;
	if (w->opts->devices)
		w->opts->devices(w->opts->ctx, w->res->devices, w->res->n);
	if (w->opts->look)
		cache_writeback_each_range(w);
	if (may_copy(w))
		ret = refuse_damaged(w, err);
	if (!ret && may_copy(w) && w->opts->export_uuid)
		ret = create_export(w, err);
	if (!ret && may_copy(w)) {
		ret = cache_writeback_copy(w, err);
		w->copied = !ret;
	}
	if (!ret && w->opts->export_uuid && may_copy(w) && !w->res->cancelled)
		cache_writeback_each_range(w);
	if (ret)
		return ret;
	changed = settle_extents(w);
	w->view = NULL;
	return !changed || only_reads(w->opts);
}

static int run_change(struct writeback *w, struct cache_err *err)
{
	const struct cache_repair_opts opts = {
		.size = sizeof(opts), .seed = w->opts->seed, .allow_data_loss = only_reads(w->opts),
		.backing = w->supers, .backing_sectors = w->sizes, .nbacking = w->opts->nbacking,
		.ctx = w, .loss = on_loss, .finding = on_finding, .progress = on_progress };
	const struct cache_repair_change change = { .extents = change_extents, .ctx = w };
	struct cache_repair_plan plan;
	int ret = cache_repair_change(w->cache, &opts, &change, &plan, err);

	w->res->committed = !ret && w->set_ran;
	w->res->dropped_clean = plan.short_of_buckets;
	w->res->written_bytes = plan.written_bytes;
	return ret > 0 ? 0 : ret;
}

/* Its slot is not used again (format 1.8), and its data in the cache has no owner. */
static int retire_slots(void *ctx, struct cache_set *set, struct cache_err *err)
{
	const struct writeback *w = ctx;
	int changed = 0;

	for (unsigned i = 0; i < w->res->n; i++) {
		const struct cache_writeback_device *d = &w->res->devices[i];

		if (!d->detached || d->inode >= set->uuids.n)
			continue;
		memcpy(set->uuids.slot[d->inode].uuid, cache_uuid_tombstone, 16);
		set->uuids.slot[d->inode].invalidated = time(NULL);
		changed = 1;
	}
	return changed;
}

static int drop_extents(void *ctx, const struct cache_repair_view *view, struct cache_err *err)
{
	const struct writeback *w = ctx;
	struct repair_kept *kept = view->kept;
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++) {
		uint64_t inode = kept->keys[i].high & CACHE_KEY_INODE_MAX;
		const struct cache_writeback_device *d = cache_writeback_device_of(w, inode);

		if (!d || !d->detached)
			kept->keys[n++] = kept->keys[i];
	}
	kept->n = n;
	return 0;
}

/* After its superblock has left the set: until this is done it is merely known to the set. */
static int retire(struct writeback *w, struct cache_err *err)
{
	const struct cache_repair_opts opts = { .size = sizeof(opts), .seed = w->opts->seed + 1 };
	const struct cache_repair_change change = { .slots = retire_slots,
						    .extents = drop_extents, .ctx = w };
	struct cache_repair_plan plan;
	int ret = cache_repair_change(w->cache, &opts, &change, &plan, err);

	if (ret)
		return cache_err_prefix(err, ret, "%s: devices are detached, but not yet retired in the uuid table",
					cache_dev_name(w->cache));
	w->res->committed = true;
	w->res->written_bytes += plan.written_bytes;
	return 0;
}

/* Clean, or of no set. A cache that is only read keeps what is dirty: then only the latter. */
static int write_super(struct writeback *w, struct cache_writeback_device *d,
		       struct cache_err *err)
{
	static const uint8_t none[16];
	struct cache_dev *const *devs = w->opts->supers ? w->opts->supers : w->opts->backing;
	struct cache_super_change change = CACHE_SUPER_CHANGE_NONE;
	int ret;

	if (d->left_sectors || (w->opts->force && !w->opts->detach))
		return 0;
	if (w->opts->detach) {
		change.set_uuid = none;
		change.state = CACHE_BDEV_STATE_NONE;
	} else if (cache_sb_bdev_state(&w->supers[d->backing]) == CACHE_BDEV_STATE_DIRTY) {
		change.state = CACHE_BDEV_STATE_CLEAN;
	}
	ret = cache_super_change(devs[d->backing], &change, true, NULL, NULL, err);
	if (ret < 0)
		return cache_err_prefix(err, ret, "%s", cache_dev_name(devs[d->backing]));
	d->super_done = true;
	d->detached = w->opts->detach;
	return 0;
}

static int write_supers(struct writeback *w, struct cache_err *err)
{
	bool any = false;
	int ret = 0;

	for (unsigned i = 0; i < w->res->n && !ret; i++) {
		if (w->res->devices[i].backing >= 0)
			ret = write_super(w, &w->res->devices[i], err);
		any |= w->res->devices[i].detached;
	}
	return ret || !any || w->opts->force ? ret : retire(w, err);
}

int cache_writeback_run(struct cache_dev *cache, const struct cache_writeback_opts *opts,
			struct cache_writeback_result *res, struct cache_err *err)
{
	struct writeback w = { .opts = opts, .res = res, .cache = cache };
	int ret = 0;

	memset(res, 0, sizeof(*res));
	w.supers = calloc((size_t)opts->nbacking + 1, sizeof(*w.supers));
	w.sizes = calloc((size_t)opts->nbacking + 1, sizeof(*w.sizes));
	if (!w.supers || !w.sizes)
		ret = cache_err_set(err, -ENOMEM, 0, "no memory for superblocks");
	if (!ret)
		ret = cache_writeback_check_devices(&w, err);
	if (!ret)
		ret = run_change(&w, err);
	if (!ret && !opts->look && !opts->export_uuid)
		ret = write_supers(&w, err);
	free(w.losses.list);
	free(w.todo);
	free(w.failed);
	free(w.supers);
	free(w.sizes);
	return ret;
}

void cache_writeback_fini(struct cache_writeback_result *res)
{
	free(res->devices);
	memset(res, 0, sizeof(*res));
}
