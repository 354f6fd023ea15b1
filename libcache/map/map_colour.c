// SPDX-License-Identifier: GPL-2.0-only
/*
 * Colours that people tell apart who do not see red and green as others do: those of Okabe and Ito
 * for what a bucket is, and a scale from dark blue to yellow whose lightness rises.
 */
#include <inttypes.h>

#include "alloc/bucket.h"
#include "map/map.h"

static const uint32_t role_colour[CACHE_MAP_ROLES] = {
	[CACHE_ROLE_SUPERBLOCK] = 0x222222, [CACHE_ROLE_JOURNAL] = 0xcc79a7,
	[CACHE_ROLE_PRIO] = 0x56b4e9, [CACHE_ROLE_UUID] = 0xf0e442,
	[CACHE_ROLE_BTREE] = 0x0072b2, [CACHE_ROLE_DIRTY] = 0xd55e00,
	[CACHE_ROLE_CLEAN] = 0x009e73, [CACHE_ROLE_FREE] = 0xd9d9d9,
	[CACHE_MAP_UNKNOWN] = 0xffffff,
};

static const uint32_t scale[CACHE_MAP_STEPS + 1] = {
	0x00224e, 0x1f3a6e, 0x434f6b, 0x61656f, 0x817c75, 0xa39474, 0xc9ae66, 0xfde737,
	0xffffff,
};

uint32_t cache_map_colour(enum cache_map_by by, unsigned class)
{
	return by == CACHE_MAP_MARK ? role_colour[class] : scale[class];
}

unsigned cache_map_unknown_class(enum cache_map_by by)
{
	return by == CACHE_MAP_MARK ? CACHE_MAP_UNKNOWN : CACHE_MAP_STEPS;
}

unsigned cache_map_nclasses(enum cache_map_by by)
{
	return cache_map_unknown_class(by) + 1;
}

/* The role of most of its buckets; dirty data before all that is as frequent. */
static unsigned most_frequent(const struct cache_map_cell *c)
{
	unsigned best = CACHE_ROLE_DIRTY;

	for (unsigned r = 0; r < CACHE_MAP_ROLES; r++)
		if (c->role[r] > c->role[best])
			best = r;
	return best;
}

/* @part of @whole as a step; only what is 0 is in the lowest, only what is all in the highest. */
static unsigned step_of_part(uint64_t part, uint64_t whole)
{
	if (!part)
		return 0;
	if (part >= whole)
		return CACHE_MAP_STEPS - 1;
	return 1 + (unsigned)((double)part / whole * (CACHE_MAP_STEPS - 2));
}

static unsigned step_of_value(uint64_t sum, uint64_t n, uint64_t end)
{
	uint64_t step;

	if (!n)
		return CACHE_MAP_STEPS;
	step = sum / n * CACHE_MAP_STEPS / end;
	return step < CACHE_MAP_STEPS ? step : CACHE_MAP_STEPS - 1;
}

/* The driver counts no more than 8191 sectors of a bucket. */
static uint64_t used_max(const struct cache_map *map)
{
	return map->bucket_sectors < CACHE_GC_SECTORS_MAX ? map->bucket_sectors :
							    CACHE_GC_SECTORS_MAX;
}

unsigned cache_map_class(const struct cache_map *map, const struct cache_map_cell *c,
			 enum cache_map_by by)
{
	uint64_t known = c->count - c->role[CACHE_MAP_UNKNOWN];

	switch (by) {
	case CACHE_MAP_MARK:
		return most_frequent(c);
	case CACHE_MAP_PRIO:
		return step_of_value(c->prio_sum, c->prio_known, 32769);
	case CACHE_MAP_GEN:
		return step_of_value(c->gen_sum, c->gen_known, 256);
	case CACHE_MAP_DIRTY:
		return known ? step_of_part(c->role[CACHE_ROLE_DIRTY], known) : CACHE_MAP_STEPS;
	case CACHE_MAP_USED:
		return known ? step_of_part(c->used_sectors, known * used_max(map)) :
			       CACHE_MAP_STEPS;
	default:
		return step_of_part(c->changed, c->count);
	}
}

static const char *value_range(unsigned step, unsigned end, char *buf, unsigned nbytes)
{
	snprintf(buf, nbytes, "%u to %u", (step * end + CACHE_MAP_STEPS - 1) / CACHE_MAP_STEPS,
		 ((step + 1) * end - 1) / CACHE_MAP_STEPS);
	return buf;
}

static const char *part_range(unsigned step, char *buf, unsigned nbytes)
{
	unsigned inner = CACHE_MAP_STEPS - 2;

	if (!step)
		return "none";
	if (step == CACHE_MAP_STEPS - 1)
		return "all";
	snprintf(buf, nbytes, "%u to %u %%", (step - 1) * 100 / inner, step * 100 / inner);
	return buf;
}

const char *cache_map_class_name(const struct cache_map *map, enum cache_map_by by,
				 unsigned class, char *buf, unsigned nbytes)
{
	if (class == cache_map_unknown_class(by))
		return "not known";
	switch (by) {
	case CACHE_MAP_MARK:
		return cache_role_name(class);
	case CACHE_MAP_PRIO:
		return value_range(class, 32769, buf, nbytes);
	case CACHE_MAP_GEN:
		return value_range(class, 256, buf, nbytes);
	default:
		return part_range(class, buf, nbytes);
	}
}
