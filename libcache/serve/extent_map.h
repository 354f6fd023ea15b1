/* SPDX-License-Identifier: GPL-2.0-only */
/* Live extents of one inode, sorted by start: 24 bytes each. */
#ifndef LIBCACHE_SERVE_EXTENT_MAP_H
#define LIBCACHE_SERVE_EXTENT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "set/set.h"

struct cache_map_extent {
	uint64_t start;			/* sector of the device, data offset included */
	uint64_t cache_sector;
	uint32_t nsectors;
	uint32_t dirty;
};
_Static_assert(sizeof(struct cache_map_extent) <= 32, "bytes per extent");

/* Zero it to begin. */
struct cache_extent_map {
	struct cache_map_extent *e;
	uint64_t n;
	uint64_t cached_sectors, dirty_sectors;
};

/**
 * cache_extent_map_fill() - read the extents of @inode, tree and journal merged
 * @set: loaded up to CACHE_LOAD_GENS
 * @map: empty; release with cache_extent_map_fini(), also after an error
 *
 * Stale extents and those of other members are left out, as by the driver.
 * Return: 0; -EUCLEAN when two extents overlap; else as cache_set_each_extent().
 */
int cache_extent_map_fill(struct cache_extent_map *map, struct cache_set *set, uint64_t inode,
			  const struct cache_sink *sink, struct cache_err *err);
void cache_extent_map_fini(struct cache_extent_map *map);

/* The first extent that ends behind @sector; map->n: there is none. */
uint64_t cache_extent_map_find(const struct cache_extent_map *map, uint64_t sector);

#endif
