/* SPDX-License-Identifier: GPL-2.0-only */
/* Sections of the page. */
#ifndef LIBCACHE_MAP_HTML_H
#define LIBCACHE_MAP_HTML_H

#include "map/map.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const char cache_map_page_style[], cache_map_page_script[];

/* Histograms, each with its table. */
void cache_map_put_histograms(const struct cache_map *map, FILE *out);
/* The journal's ring. */
void cache_map_put_ring(const struct cache_map *map, FILE *out);
/* A strip per backing device. */
void cache_map_put_backing(const struct cache_map *map, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
