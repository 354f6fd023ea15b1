/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pictures of a cache device. Its buckets become a bounded number of cells, each of a run of
 * buckets, which are drawn in a terminal, as SVG, or in an HTML page. What is not known is counted
 * and drawn as such, never as free.
 */
#ifndef LIBCACHE_MAP_H
#define LIBCACHE_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "set/set.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_MAP_SIDE_MAX	64	/* cells of a side of a square */
#define CACHE_MAP_CELLS_MAX	8192
#define CACHE_MAP_UNKNOWN	CACHE_ROLE_COUNT	/* beside the roles */
#define CACHE_MAP_ROLES		(CACHE_ROLE_COUNT + 1)
#define CACHE_MAP_BARS		64	/* of a histogram */
#define CACHE_MAP_STEPS		8	/* of a scale of colours */
#define CACHE_MAP_STRIP		256	/* parts of a backing device */
#define CACHE_MAP_BACKING_MAX	64	/* devices that are drawn; more are counted */

enum cache_map_by {
	CACHE_MAP_PRIO, CACHE_MAP_MARK, CACHE_MAP_GEN, CACHE_MAP_DIRTY, CACHE_MAP_USED,
	CACHE_MAP_CHANGE, CACHE_MAP_NBY
};
/* "prio", "mark" ... */
const char *cache_map_by_name(unsigned by);

enum cache_map_order { CACHE_MAP_LINEAR, CACHE_MAP_HILBERT, CACHE_MAP_NORDERS };
const char *cache_map_order_name(unsigned order);

/* The buckets first .. first + count - 1, added up. */
struct cache_map_cell {
	uint64_t first, count;
	uint64_t role[CACHE_MAP_ROLES];
	uint64_t prio_known, prio_sum, gen_known, gen_sum;
	uint64_t used_sectors;
	uint64_t changed;	/* of role or gen, if another image was compared */
};

struct cache_map_bars {
	uint64_t bar[CACHE_MAP_BARS];
	uint64_t step;		/* values per bar */
};

/* A bucket of the journal's ring. */
struct cache_map_ring {
	uint64_t bucket, seq;	/* seq: the newest in it, 0: none */
	bool replayed;		/* holds an entry that a start replays */
	bool unreadable;
};

struct cache_map_backing {
	uint32_t slot;
	char label[CACHE_SB_LABEL_BYTES + 1];
	uint8_t uuid[16];
	uint64_t sectors;	/* of the device, or where its last extent ends */
	bool sectors_known;
	uint64_t cached, dirty;	/* sectors */
	uint64_t cached_part[CACHE_MAP_STRIP], dirty_part[CACHE_MAP_STRIP];
};

struct cache_map {
	struct cache_map_cell *cell;	/* width * height places, of which ncells are used */
	uint32_t ncells, width, height;
	enum cache_map_order order;
	uint64_t nbuckets, bucket_sectors;
	uint64_t role[CACHE_MAP_ROLES];
	bool compared;
	uint64_t changed;
	struct cache_map_bars prio, gen, lag;	/* lag: gens since the oldest key of a bucket */
	struct cache_map_ring *ring;
	uint32_t nring;
	struct cache_map_backing *backing;
	uint32_t nbacking, nbacking_left;
};

/**
 * cache_map_new() - the picture's numbers
 * @set:   loaded as far as it went
 * @old:   the same device at another time, to be compared; NULL: none
 * @order: with HILBERT width and height become the power of two that fits
 * @width, @height: cells, at most; there are never more than buckets
 *
 * Where the btree could not be read in full, a bucket that nothing refers to is not known to be
 * free. Return: 0; -EINVAL when @old has other geometry, or there is no usable superblock;
 * -ENOMEM.
 */
int cache_map_new(const struct cache_set *set, const struct cache_set *old,
		  enum cache_map_order order, uint32_t width, uint32_t height,
		  struct cache_map **map, struct cache_err *err);
void cache_map_free(struct cache_map *map);

/**
 * cache_map_add_backing() - which parts of the backing devices are cached and dirty
 * @sectors: of a device whose uuid is @uuid, or 0; may be NULL
 * @set:	loaded up to CACHE_LOAD_GENS; its tree is read again
 *
 * Return: as cache_set_each_extent().
 */
int cache_map_add_backing(struct cache_map *map, struct cache_set *set,
			  uint64_t (*sectors)(void *ctx, const uint8_t uuid[16]), void *ctx,
			  const struct cache_sink *sink, struct cache_err *err);

/* Place of cell @i: column and row. */
void cache_map_place(const struct cache_map *map, uint32_t i, uint32_t *x, uint32_t *y);

/* A class of colour: with MARK a role or CACHE_MAP_UNKNOWN; else a step of the scale, or
 * CACHE_MAP_STEPS where nothing of the cell is known. */
unsigned cache_map_class(const struct cache_map *map, const struct cache_map_cell *cell,
			 enum cache_map_by by);

/* 0xRRGGBB of a class; of unknown the ground under its hatch. */
uint32_t cache_map_colour(enum cache_map_by by, unsigned class);

/* What a class stands for: "dirty", "128 to 159", "not known". Return: @buf. */
const char *cache_map_class_name(const struct cache_map *map, enum cache_map_by by,
				 unsigned class, char *buf, unsigned nbytes);
unsigned cache_map_nclasses(enum cache_map_by by);
/* The class that says that nothing is known. */
unsigned cache_map_unknown_class(enum cache_map_by by);

enum cache_map_depth {
	CACHE_MAP_LETTERS, CACHE_MAP_16, CACHE_MAP_256, CACHE_MAP_TRUECOLOUR,
};

/* In a terminal, with a legend. @half: half blocks can be shown. */
void cache_map_text(const struct cache_map *map, enum cache_map_by by, enum cache_map_depth depth,
		    bool half, FILE *out);

/* A whole SVG file, with its legend. */
void cache_map_svg(const struct cache_map *map, enum cache_map_by by, const char *title,
		   FILE *out);

/* A page that needs nothing else; @rows: label and value in turn, a NULL at the end; what is
 * wrong, a line each, likewise. */
struct cache_map_page {
	const char *title;
	const char *const *rows;
	const char *const *findings;
	uint64_t findings_left;		/* not among them */
	enum cache_map_by by;		/* shown first */
};
void cache_map_html(const struct cache_map *map, const struct cache_map_page *page, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
