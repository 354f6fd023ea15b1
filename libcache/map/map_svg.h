/* SPDX-License-Identifier: GPL-2.0-only */
/* Parts of a picture in SVG, for a file of its own or inside a page. */
#ifndef LIBCACHE_MAP_SVG_H
#define LIBCACHE_MAP_SVG_H

#include "map/map.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Text of a device or a command line, escaped for XML and HTML, control characters left out. */
void cache_map_put_text(FILE *out, const char *text);

/* The pattern of what is not known, with a name that is @id's own. */
void cache_map_put_hatch(FILE *out, const char *id);

/* The cells as squares of 1, one path per class of colour. */
void cache_map_put_cells(const struct cache_map *map, enum cache_map_by by, const char *hatch,
			 FILE *out);

#ifdef __cplusplus
}
#endif
#endif
