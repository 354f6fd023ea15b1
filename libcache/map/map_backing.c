// SPDX-License-Identifier: GPL-2.0-only
/* Which parts of each backing device are cached, and which are dirty. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "map/map.h"

struct walk {
	struct cache_map *map;
	const struct cache_set *set;
	uint32_t *of_inode;	/* its index in map->backing, from 1 on; 0: not drawn */
	bool measure;		/* first only where the last extent ends */
};

static void add_part(struct cache_map_backing *b, uint64_t start, uint64_t end, bool dirty)
{
	uint64_t part_sectors = b->sectors / CACHE_MAP_STRIP + 1;

	while (start < end) {
		uint64_t part = start / part_sectors, stop = (part + 1) * part_sectors;
		uint64_t n = (stop < end ? stop : end) - start;

		if (part >= CACHE_MAP_STRIP)
			return;
		b->cached_part[part] += n;
		if (dirty)
			b->dirty_part[part] += n;
		start += n;
	}
}

static int add_extent(void *ctx, const struct cache_extent *e)
{
	struct walk *w = ctx;
	uint64_t inode = cache_key_inode(&e->key), end = cache_key_offset(&e->key);
	uint64_t n = cache_key_size(&e->key);
	struct cache_map_backing *b;

	if (e->check_key || !e->available || e->staleness || e->outside ||
	    inode >= w->set->uuids.n || !w->of_inode[inode] || n > end)
		return 0;
	b = &w->map->backing[w->of_inode[inode] - 1];
	if (w->measure) {
		if (!b->sectors_known && end > b->sectors)
			b->sectors = end;
		return 0;
	}
	b->cached += n;
	if (cache_key_dirty(&e->key))
		b->dirty += n;
	add_part(b, end - n, end, cache_key_dirty(&e->key));
	return 0;
}

static void add_slot(struct walk *w, uint32_t slot,
		     uint64_t (*sectors)(void *ctx, const uint8_t uuid[16]), void *ctx)
{
	const struct cache_uuid_entry *e = &w->set->uuids.slot[slot];
	enum cache_slot_state state = cache_uuid_state(e);
	struct cache_map_backing *b;

	if (state != CACHE_SLOT_BACKING && state != CACHE_SLOT_FLASH)
		return;
	if (w->map->nbacking == CACHE_MAP_BACKING_MAX) {
		w->map->nbacking_left++;
		return;
	}
	b = &w->map->backing[w->map->nbacking++];
	w->of_inode[slot] = w->map->nbacking;
	b->slot = slot;
	memcpy(b->uuid, e->uuid, sizeof(b->uuid));
	memcpy(b->label, e->label, sizeof(b->label) - 1);
	b->sectors = state == CACHE_SLOT_FLASH ? e->sectors : sectors ? sectors(ctx, e->uuid) : 0;
	b->sectors_known = b->sectors != 0;
}

int cache_map_add_backing(struct cache_map *map, struct cache_set *set,
			  uint64_t (*sectors)(void *ctx, const uint8_t uuid[16]), void *ctx,
			  const struct cache_sink *sink, struct cache_err *err)
{
	struct walk w = { .map = map, .set = set };
	int ret;

	w.of_inode = calloc(set->uuids.n + 1, sizeof(*w.of_inode));
	map->backing = calloc(CACHE_MAP_BACKING_MAX, sizeof(*map->backing));
	if (!w.of_inode || !map->backing) {
		free(w.of_inode);
		return cache_err_set(err, -ENOMEM, 0, "no memory for the backing devices");
	}
	for (uint32_t i = 0; i < set->uuids.n; i++)
		add_slot(&w, i, sectors, ctx);
	w.measure = true;
	ret = cache_set_each_extent(set, add_extent, &w, sink, err);
	w.measure = false;
	if (!ret)
		ret = cache_set_each_extent(set, add_extent, &w, sink, err);
	free(w.of_inode);
	return ret;
}
