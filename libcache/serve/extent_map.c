// SPDX-License-Identifier: GPL-2.0-only
#include "serve/extent_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/array.h"

struct fill {
	struct cache_extent_map *map;
	size_t capacity;
	uint64_t inode;
	struct cache_err *err;
};

static int add(void *ctx, const struct cache_extent *e)
{
	struct fill *f = ctx;
	struct cache_extent_map *map = f->map;
	const struct cache_map_extent *last = map->n ? &map->e[map->n - 1] : NULL;
	void *p;

	if (cache_key_inode(&e->key) != f->inode || e->check_key || !e->available ||
	    e->staleness || e->outside)
		return 0;
	if (last && last->start + last->nsectors > cache_key_start(&e->key))
		return cache_err_set(f->err, -EUCLEAN, 0, "two extents have sector %" PRIu64,
				     cache_key_start(&e->key));
	p = cache_array_grow(map->e, map->n, &f->capacity, sizeof(*map->e));
	if (!p)
		return cache_err_set(f->err, -ENOMEM, 0, "no memory for the extents");
	map->e = p;
	map->e[map->n++] = (struct cache_map_extent){
		.start = cache_key_start(&e->key), .cache_sector = cache_ptr_sector(e->key.ptr[0]),
		.nsectors = cache_key_size(&e->key), .dirty = cache_key_dirty(&e->key) };
	map->cached_sectors += cache_key_size(&e->key);
	if (cache_key_dirty(&e->key))
		map->dirty_sectors += cache_key_size(&e->key);
	return 0;
}

int cache_extent_map_fill(struct cache_extent_map *map, struct cache_set *set, uint64_t inode,
			  const struct cache_sink *sink, struct cache_err *err)
{
	struct fill f = { .map = map, .inode = inode, .err = err };
	int ret = cache_set_each_extent(set, add, &f, sink, err);
	void *p;

	/* doubling left up to as much again */
	p = ret || !map->n ? NULL : realloc(map->e, map->n * sizeof(*map->e));
	if (p)
		map->e = p;
	return ret;
}

void cache_extent_map_fini(struct cache_extent_map *map)
{
	free(map->e);
	*map = (struct cache_extent_map){ 0 };
}

uint64_t cache_extent_map_find(const struct cache_extent_map *map, uint64_t sector)
{
	return cache_first_index(i, map->n, map->e[i].start + map->e[i].nsectors > sector);
}
