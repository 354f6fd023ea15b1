// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which extents are written back. The extents that a repair would keep are sorted by device
 * and start; each dirty one counts for its device, and is refused where it is not certain
 * that what it points to is the newest data of its range.
 */
#include "writeback/writeback_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"

struct cache_writeback_device *cache_writeback_device_of(const struct writeback *w,
							 uint64_t inode)
{
	struct cache_writeback_device *d = w->res->devices;
	uint64_t at = cache_first_index(i, w->res->n, d[i].inode >= inode);

	return at < w->res->n && d[at].inode == inode ? &d[at] : NULL;
}

struct cache_dev *cache_writeback_target(const struct writeback *w,
					 const struct cache_writeback_device *d)
{
	const struct cache_writeback_opts *o = w->opts;

	if (o->export_uuid)
		return memcmp(d->uuid, o->export_uuid, 16) ? NULL : w->export;
	return o->look || d->backing < 0 || d->flash ? NULL : o->backing[d->backing];
}

static int backing_of(const struct writeback *w, const uint8_t uuid[16])
{
	for (unsigned k = 0; k < w->opts->nbacking; k++)
		if (!memcmp(w->supers[k].uuid, uuid, 16))
			return k;
	return -1;
}

/* Every slot that may have data; those that have none are taken out later. */
static int list_devices(struct writeback *w)
{
	const struct cache_uuids *u = &w->view->set->uuids;
	struct cache_writeback_device *d;

	w->res->devices = calloc((size_t)u->n + 1, sizeof(*d));
	if (!w->res->devices)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->n; i++) {
		enum cache_slot_state state = cache_uuid_state(&u->slot[i]);

		d = &w->res->devices[w->res->n];
		if (state != CACHE_SLOT_BACKING && state != CACHE_SLOT_FLASH)
			continue;
		d->inode = i;
		memcpy(d->uuid, u->slot[i].uuid, sizeof(d->uuid));
		memcpy(d->label, u->slot[i].label, sizeof(d->label));
		d->flash = state == CACHE_SLOT_FLASH;
		d->last_reg = u->slot[i].last_reg;
		d->volume_sectors = d->flash ? u->slot[i].sectors : 0;
		d->data_start = d->flash ? 0 : w->view->slots[i].data_start;
		d->backing = backing_of(w, d->uuid);
		w->res->n++;
	}
	return 0;
}

static void forget_idle(struct writeback *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->res->n; i++)
		if (w->res->devices[i].dirty_sectors || w->res->devices[i].backing >= 0)
			w->res->devices[n++] = w->res->devices[i];
	w->res->n = n;
}

static void add_extent(struct writeback *w, size_t i, bool refused, uint64_t *inode, uint64_t *end)
{
	struct cache_bkey k = cache_writeback_key(w, i);
	struct cache_writeback_device *d;

	if (!cache_key_dirty(&k))
		return;
	d = cache_writeback_device_of(w, cache_key_inode(&k));
	if (!d)
		return;
	d->dirty_extents++;
	d->dirty_sectors += cache_key_size(&k);
	d->ranges += *inode != d->inode || *end != cache_key_start(&k);
	d->end = cache_max_u64(d->end, k.low);
	*inode = d->inode;
	*end = k.low;
	if (refused)
		d->refused_sectors += cache_key_size(&k);
	else
		cache_bit_set(w->todo, i);
}

int cache_writeback_plan(struct writeback *w, struct cache_err *err)
{
	uint64_t inode = UINT64_MAX, end = 0;
	size_t n = w->view->kept->n;
	uint64_t *refused = cache_repair_refused(w->view, &w->losses);

	w->todo = cache_bits_new(n + 1);
	w->failed = cache_bits_new(n + 1);
	if (!w->todo || !w->failed || !refused || list_devices(w)) {
		free(refused);
		return cache_err_set(err, -ENOMEM, 0, "no memory for what is dirty");
	}
	for (size_t i = 0; i < n; i++)
		add_extent(w, i, cache_bit(refused, i), &inode, &end);
	free(refused);
	forget_idle(w);
	return 0;
}

/* What opts->range is told of extent @i; -1: it is not told. */
static int range_kind(const struct writeback *w, size_t i, const struct cache_bkey *k)
{
	const struct cache_writeback_device *d = cache_writeback_device_of(w, cache_key_inode(k));

	if (!d || !cache_key_dirty(k))
		return -1;
	if (w->opts->look)
		return CACHE_WRITEBACK_DIRTY;
	if (!cache_writeback_target(w, d))
		return -1;
	if (!cache_bit(w->todo, i))
		return CACHE_WRITEBACK_LEFT;
	return cache_bit(w->failed, i) ? CACHE_WRITEBACK_IN_PART : CACHE_WRITEBACK_COPIED;
}

void cache_writeback_each_range(const struct writeback *w)
{
	const struct cache_writeback_device *d = NULL;
	uint64_t start = 0, end = 0;
	int last = -1;

	for (size_t i = 0; i < w->view->kept->n && w->opts->range; i++) {
		struct cache_bkey k = cache_writeback_key(w, i);
		int kind = range_kind(w, i, &k);

		if (kind < 0)
			continue;
		if (d && (d->inode != cache_key_inode(&k) || end != cache_key_start(&k) ||
			  kind != last)) {
			w->opts->range(w->opts->ctx, d, start, end, last);
			d = NULL;
		}
		if (!d)
			start = cache_key_start(&k);
		d = cache_writeback_device_of(w, cache_key_inode(&k));
		end = k.low;
		last = kind;
	}
	if (d)
		w->opts->range(w->opts->ctx, d, start, end, last);
}
