// SPDX-License-Identifier: GPL-2.0-only
/* The set is loaded once; then everything is checked; then superblocks and one commit change it. */
#include "writeback/tune_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/ids.h"

static const uint8_t no_uuid[16];

static enum cache_bdev_state state_of(const struct tune *r)
{
	return cache_sb_bdev_state(&r->backing);
}

static bool is_attached(const struct tune *r)
{
	return state_of(r) == CACHE_BDEV_STATE_CLEAN || state_of(r) == CACHE_BDEV_STATE_DIRTY;
}

static int read_one(struct cache_dev *dev, struct cache_sb *sb, struct cache_err *err)
{
	int ret = cache_sb_read(dev, sb, err);

	return ret ? ret : cache_sb_check(sb, cache_dev_sectors(dev),
					  cache_dev_logical_block_bytes(dev), NULL, err);
}

static int read_supers(struct tune *r, struct cache_err *err)
{
	int ret = 0;

	if (r->t->cache)
		ret = read_one(r->t->cache, &r->cache, err);
	if (ret)
		return cache_err_prefix(err, ret, "%s", cache_dev_name(r->t->cache));
	if (r->t->backing)
		ret = read_one(r->t->backing, &r->backing, err);
	if (ret)
		return cache_err_prefix(err, ret, "%s", cache_dev_name(r->t->backing));
	r->backing_sectors = r->t->backing ? cache_dev_sectors(r->t->backing) : 0;
	return 0;
}

static void count_slot(struct tune *r, const struct cache_repair_view *view)
{
	for (size_t i = 0; i < view->kept->n; i++) {
		const struct cache_packed_key *k = &view->kept->keys[i];

		if ((int64_t)(k->high & CACHE_KEY_INODE_MAX) != r->slot)
			continue;
		if (cache_key_high_dirty(k->high)) {
			r->slot_dirty += cache_key_high_size(k->high);
			r->slot_dirty_extents++;
		} else {
			r->slot_clean += cache_key_high_size(k->high);
		}
	}
}

/* What the set has of the backing device; and for a relink what speaks for each slot. */
static int look_at(void *ctx, const struct cache_repair_view *view, struct cache_err *err)
{
	struct tune *r = ctx;
	int ret = 0;

	if (view->corrupt)
		return cache_err_set(err, -EUCLEAN, 0, "the cache set is damaged: repair it with cache-fsck first");
	r->slot = cache_uuid_find(&view->set->uuids, r->t->drop ? r->t->drop : r->backing.uuid);
	if (r->t->drop && r->slot >= 0)
		cache_tune_see_gone(r, &view->set->uuids.slot[r->slot]);
	if (r->t->uuid) {
		int64_t other = cache_uuid_find(&view->set->uuids, r->t->uuid);

		r->uuid_taken = r->slot >= 0 && other >= 0 && other != r->slot;
		r->slot = r->slot < 0 ? other : r->slot;
	}
	count_slot(r, view);
	if (r->t->relink)
		ret = cache_tune_prove(r, view, err);
	return ret ? ret : 1;
}

static bool stops(const struct tune *r)
{
	return r->t->stop && r->t->stop(r->t->ctx);
}

static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	return stops(ctx);
}

static int look(struct tune *r, struct cache_err *err)
{
	const struct cache_repair_opts opts = { .size = sizeof(opts), .dry_run = true, .ctx = r,
						.progress = on_progress };
	const struct cache_repair_change change = { .extents = look_at, .ctx = r };
	struct cache_repair_plan plan;
	int ret;

	r->slot = r->relink = -1;
	if (!r->t->cache || (!r->t->backing && !r->t->drop))
		return 0;
	ret = cache_repair_change(r->t->cache, &opts, &change, &plan, err);
	return ret < 0 ? cache_err_prefix(err, ret, "%s", cache_dev_name(r->t->cache)) : 0;
}

static int check_detach(const struct tune *r, struct cache_err *err)
{
	const char *back = cache_dev_name(r->t->backing);

	if (r->slot_dirty)
		return cache_err_set(err, -EBUSY, 0, "%s: %" PRIu64 " sectors of it are dirty in the cache; copy them to it with: cache-writeback --detach %s %s",
				     back, r->slot_dirty, cache_dev_name(r->t->cache), back);
	if (state_of(r) == CACHE_BDEV_STATE_DIRTY && r->t->cache && r->slot < 0)
		return cache_err_set(err, -EBUSY, 0, "%s: it has dirty data, and the cache set does not know it",
				     back);
	if (state_of(r) == CACHE_BDEV_STATE_DIRTY && !r->t->cache)
		return cache_err_set(err, -EBUSY, 0, "%s: it has dirty data in its cache; copy it to the device with: cache-writeback --detach CACHE %s",
				     back, back);
	return 0;
}

/* To a clone of its set: what that has of the device counts from now on. */
static bool moves(const struct tune *r)
{
	return r->t->attach && r->t->cache && !r->t->detach && is_attached(r) && r->slot >= 0 &&
	       !memcmp(r->cache.set_uuid, r->t->attach, 16) &&
	       memcmp(r->backing.set_uuid, r->t->attach, 16);
}

static int check_move(const struct tune *r, struct cache_err *err)
{
	char uuid[CACHE_UUID_TEXT_BYTES];

	if (r->slot_dirty && state_of(r) != CACHE_BDEV_STATE_DIRTY)
		return cache_err_set(err, -EUCLEAN, 0, "%s: it is clean, and the cache set has %" PRIu64 " dirty sectors of it: that set is older",
				     cache_dev_name(r->t->backing), r->slot_dirty);
	if (!r->t->force)
		return cache_err_set(err, -EBUSY, 0, "%s: it is attached to cache set %s, of which %s may be a clone; --force moves it, and gives up what only the old set has",
				     cache_dev_name(r->t->backing),
				     cache_uuid_format(r->backing.set_uuid, uuid),
				     cache_dev_name(r->t->cache));
	return 0;
}

static int check_attach(const struct tune *r, struct cache_err *err)
{
	const char *back = cache_dev_name(r->t->backing);
	char uuid[CACHE_UUID_TEXT_BYTES];

	if (moves(r))
		return check_move(r, err);
	if (is_attached(r) && memcmp(r->backing.set_uuid, r->t->attach, 16))
		return cache_err_set(err, -EBUSY, 0, "%s: it is attached to cache set %s: detach it first",
				     back, cache_uuid_format(r->backing.set_uuid, uuid));
	if (r->slot_dirty && !is_attached(r))
		return cache_err_set(err, -EBUSY, 0, "%s: the cache set has %" PRIu64 " dirty sectors of it, which the kernel would give up when it attaches it",
				     back, r->slot_dirty);
	if (r->t->cache && r->backing.block_sectors < r->cache.block_sectors)
		return cache_err_set(err, -EINVAL, 0, "%s: its blocks of %" PRIu32 " sectors are smaller than those of the cache, %" PRIu32,
				     back, r->backing.block_sectors, r->cache.block_sectors);
	return 0;
}

static int check_uuid(const struct tune *r, struct cache_err *err)
{
	if (r->uuid_taken)
		return cache_err_set(err, -EEXIST, 0, "%s: another device of the set has that UUID",
				     cache_dev_name(r->t->cache));
	if (!r->t->cache && is_attached(r))
		return cache_err_set(err, -EINVAL, 0, "%s: it is attached: name its cache device too, whose uuid table has the UUID",
				     cache_dev_name(r->t->backing));
	return 0;
}

static int check_inconsistent(const struct tune *r, struct cache_err *err)
{
	const char *back = cache_dev_name(r->t->backing);

	if (state_of(r) != CACHE_BDEV_STATE_STALE)
		return cache_err_set(err, -EINVAL, 0, "%s: its state is %s, expected stale (the kernel's \"inconsistent\")",
				     back, cache_bdev_state_name(state_of(r)));
	if (r->slot_dirty && !r->t->force)
		return cache_err_set(err, -EBUSY, 0, "%s: the cache has %" PRIu64 " dirty sectors of it, older than what it has; --force gives them up",
				     back, r->slot_dirty);
	return 0;
}

static int check_relink(struct tune *r, struct cache_err *err)
{
	if (!r->t->cache || !r->t->backing)
		return cache_err_set(err, -EINVAL, 0, "the cache device and the backing device are both needed for --relink");
	if (r->slot_dirty)
		return cache_err_set(err, -EBUSY, 0, "%s: its own slot has %" PRIu64 " dirty sectors; write them back first",
				     cache_dev_name(r->t->backing), r->slot_dirty);
	return cache_tune_choose(r, err);
}

static int check(struct tune *r, struct cache_err *err)
{
	const struct cache_tune *t = r->t;
	bool backing = t->detach || t->attach || t->clear_inconsistent || t->relink || t->mode >= 0;
	int ret = 0;

	if (t->cache && t->backing && is_attached(r) && !t->attach &&
	    memcmp(r->backing.set_uuid, r->cache.set_uuid, 16))
		return cache_err_set(err, -EINVAL, 0, "%s: it belongs to another cache set than %s",
				     cache_dev_name(t->backing), cache_dev_name(t->cache));
	if (t->drop)
		return cache_tune_check_drop(r, err);
	if (backing && !t->backing)
		return cache_err_set(err, -EINVAL, 0, "%s: only a backing device has that: name it",
				     cache_dev_name(t->cache));
	if (t->detach)
		ret = check_detach(r, err);
	if (!ret && t->attach)
		ret = check_attach(r, err);
	if (!ret && t->uuid && t->backing)
		ret = check_uuid(r, err);
	if (!ret && t->clear_inconsistent)
		ret = check_inconsistent(r, err);
	if (!ret && t->relink)
		ret = check_relink(r, err);
	return ret;
}

/* A slot whose device has left, or has another one from now on. */
static void retire(struct cache_uuid_entry *e)
{
	memcpy(e->uuid, cache_uuid_tombstone, sizeof(e->uuid));
	e->invalidated = time(NULL);
}

static bool retires(const struct tune *r)
{
	return r->slot >= 0 && (r->t->detach || r->t->clear_inconsistent || r->t->drop ||
				 r->relink >= 0);
}

static int change_slots(void *ctx, struct cache_set *set, struct cache_err *err)
{
	const struct tune *r = ctx;
	struct cache_uuid_entry *slot = set->uuids.slot;

	if (r->relink >= 0) {
		memcpy(slot[r->relink].uuid, r->backing.uuid, 16);
		slot[r->relink].invalidated = 0;
	}
	if (retires(r))
		retire(&slot[r->slot]);
	else if (r->slot >= 0 && r->t->uuid)
		memcpy(slot[r->slot].uuid, r->t->uuid, 16);
	if (r->slot >= 0 && r->t->label) {
		memset(slot[r->slot].label, 0, sizeof(slot[r->slot].label));
		strncpy((char *)slot[r->slot].label, r->t->label, CACHE_SB_LABEL_BYTES);
	}
	return 1;
}

/* The data of a retired slot has no owner; clean data of a slot that is used again may be old. */
static int change_extents(void *ctx, const struct cache_repair_view *view, struct cache_err *err)
{
	const struct tune *r = ctx;
	struct repair_kept *kept = view->kept;
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++) {
		int64_t inode = kept->keys[i].high & CACHE_KEY_INODE_MAX;

		if ((inode == r->slot && retires(r)) ||
		    (inode == r->relink && !cache_key_high_dirty(kept->keys[i].high)))
			continue;
		kept->keys[n++] = kept->keys[i];
	}
	kept->n = n;
	return 0;
}

static bool changes_table(const struct tune *r)
{
	return r->relink >= 0 || (r->slot >= 0 && (retires(r) || r->t->uuid || r->t->label));
}

static void tell_slots(const struct tune *r)
{
	if (!r->t->slot)
		return;
	if (r->relink >= 0)
		r->t->slot(r->t->ctx, r->relink, "becomes that of the backing device");
	if (retires(r))
		r->t->slot(r->t->ctx, r->slot, "is retired");
	else if (r->slot >= 0)
		r->t->slot(r->t->ctx, r->slot, "follows the backing device");
}

static int change_table(struct tune *r, struct cache_err *err)
{
	const struct cache_repair_opts opts = { .size = sizeof(opts), .seed = r->t->seed };
	const struct cache_repair_change change = { .slots = change_slots,
						    .extents = change_extents, .ctx = r };
	struct cache_repair_plan plan;
	int ret;

	if (!changes_table(r))
		return 0;
	tell_slots(r);
	if (r->t->dry_run)
		return 1;
	ret = cache_repair_change(r->t->cache, &opts, &change, &plan, err);
	return ret ? cache_err_prefix(err, ret, "%s", cache_dev_name(r->t->cache)) : 1;
}

struct tell {
	const struct cache_tune *t;
	const char *dev;
};

static void on_field(void *ctx, const struct cache_repair_field *f)
{
	const struct tell *tell = ctx;

	if (tell->t->field)
		tell->t->field(tell->t->ctx, tell->dev, f);
}

static int change_super(struct tune *r, struct cache_err *err)
{
	const struct cache_tune *t = r->t;
	struct cache_dev *dev = t->backing ? t->backing : t->cache;
	struct tell tell = { t, cache_dev_name(dev) };
	struct cache_super_change c = CACHE_SUPER_CHANGE_NONE;
	int ret;

	c.label = t->label;
	c.uuid = t->uuid;
	c.mode = t->mode;
	if (t->detach)
		c.set_uuid = no_uuid;
	if (t->attach && !(is_attached(r) && !t->detach))
		c.set_uuid = t->attach;
	if (c.set_uuid || t->clear_inconsistent)
		c.state = CACHE_BDEV_STATE_NONE;
	if (moves(r))
		c.set_uuid = t->attach;
	if (r->relink >= 0) {
		c.set_uuid = r->cache.set_uuid;
		c.state = CACHE_BDEV_STATE_DIRTY;
	}
	ret = cache_super_change(dev, &c, !t->dry_run, on_field, &tell, err);
	return ret < 0 ? cache_err_prefix(err, ret, "%s", tell.dev) : ret;
}

/*
 * A new UUID is written to the table first: until the superblock has it too, the kernel refuses the
 * device, and the table says which UUID it is to get. Everything else is written to the superblock
 * first: a detached device leaves a slot that is not used, and a device that is given its slot back
 * is refused until the slot is written.
 */
static int change(struct tune *r, struct cache_err *err)
{
	bool table_first = r->t->uuid && !r->t->relink;
	int table = 0, super;

	if (table_first)
		table = change_table(r, err);
	if (table < 0)
		return table;
	super = change_super(r, err);
	if (super < 0)
		return super;
	if (!table_first)
		table = change_table(r, err);
	return table < 0 ? table : table || super;
}

int cache_tune(const struct cache_tune *t, struct cache_err *err)
{
	struct tune r = { .t = t };
	int ret = read_supers(&r, err);

	if (!ret)
		ret = look(&r, err);
	if (!ret)
		ret = check(&r, err);
	if (!ret && (t->relink || t->drop) && !t->dry_run && t->confirm && !t->confirm(t->ctx))
		ret = -ECANCELED;
	if (!ret && stops(&r))
		ret = -ECANCELED;
	if (!ret)
		ret = change(&r, err);
	free(r.proofs);
	return ret;
}
