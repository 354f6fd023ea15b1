// SPDX-License-Identifier: GPL-2.0-only
/* The picture in a terminal: two cells in a character where half blocks can be shown. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "map/map.h"

/* Without colours: a letter for what it is, a digit for how much. */
static char letter(enum cache_map_by by, unsigned class)
{
	return by == CACHE_MAP_MARK ? "SJPUBDc.?"[class] : "01234567?"[class];
}

/* The nearest of the 6x6x6 cube of 256 colours. */
static unsigned in_256(uint32_t rgb)
{
	unsigned r = ((rgb >> 16 & 255) * 5 + 127) / 255, g = ((rgb >> 8 & 255) * 5 + 127) / 255;
	unsigned b = ((rgb & 255) * 5 + 127) / 255;

	return 16 + 36 * r + 6 * g + b;
}

/* Of 16: each role has its own. */
static unsigned in_16(enum cache_map_by by, unsigned class)
{
	static const uint8_t roles[] = { 8, 5, 14, 11, 4, 9, 2, 7, 15 };
	static const uint8_t steps[] = { 4, 12, 6, 14, 2, 10, 3, 11, 15 };

	return by == CACHE_MAP_MARK ? roles[class] : steps[class];
}

static void set_colour(FILE *out, enum cache_map_by by, enum cache_map_depth depth,
		       unsigned class, bool back)
{
	uint32_t rgb = cache_map_colour(by, class);
	unsigned c;

	switch (depth) {
	case CACHE_MAP_TRUECOLOUR:
		fprintf(out, "\033[%d;2;%u;%u;%um", back ? 48 : 38, rgb >> 16 & 255,
			rgb >> 8 & 255, rgb & 255);
		break;
	case CACHE_MAP_256:
		fprintf(out, "\033[%d;5;%um", back ? 48 : 38, in_256(rgb));
		break;
	case CACHE_MAP_16:
		c = in_16(by, class);
		fprintf(out, "\033[%um", (c < 8 ? 30 + c : 82 + c) + (back ? 10 : 0));
		break;
	case CACHE_MAP_LETTERS:
		break;
	}
}

/* Classes of all places, row by row; -1 where no cell is. */
static int *classes_of(const struct cache_map *map, enum cache_map_by by)
{
	size_t n = (size_t)map->width * map->height;
	int *class = malloc(n * sizeof(*class));
	uint32_t x, y;

	if (!class)
		return NULL;
	memset(class, -1, n * sizeof(*class));
	for (uint32_t i = 0; i < map->ncells; i++) {
		cache_map_place(map, i, &x, &y);
		class[y * map->width + x] = cache_map_class(map, &map->cell[i], by);
	}
	return class;
}

static void put_letters(const struct cache_map *map, enum cache_map_by by, const int *class,
			FILE *out)
{
	for (uint32_t y = 0; y < map->height; y++) {
		for (uint32_t x = 0; x < map->width; x++)
			fputc(class[y * map->width + x] < 0 ? ' ' :
			      letter(by, class[y * map->width + x]), out);
		fputc('\n', out);
	}
}

/* One character: @upper and @lower, -1 where there is none; '?' in what is not known. */
static void put_pair(enum cache_map_by by, enum cache_map_depth depth, int upper, int lower,
		     FILE *out)
{
	int unknown = cache_map_unknown_class(by);

	if (upper < 0) {
		fputs("\033[0m ", out);
		return;
	}
	if (upper == unknown && lower == unknown) {
		fputs("\033[0m?", out);
		return;
	}
	if (lower < 0)
		fputs("\033[0m", out);
	else
		set_colour(out, by, depth, lower, true);
	set_colour(out, by, depth, upper, false);
	fputs("\xe2\x96\x80", out);
}

static void put_halves(const struct cache_map *map, enum cache_map_by by,
		       enum cache_map_depth depth, const int *class, FILE *out)
{
	for (uint32_t y = 0; y < map->height; y += 2) {
		for (uint32_t x = 0; x < map->width; x++)
			put_pair(by, depth, class[y * map->width + x],
				 y + 1 < map->height ? class[(y + 1) * map->width + x] : -1, out);
		fputs("\033[0m\n", out);
	}
}

static void put_spaces(const struct cache_map *map, enum cache_map_by by,
		       enum cache_map_depth depth, const int *class, FILE *out)
{
	for (uint32_t y = 0; y < map->height; y++) {
		for (uint32_t x = 0; x < map->width; x++) {
			int c = class[y * map->width + x];

			if (c < 0 || c == (int)cache_map_unknown_class(by)) {
				fprintf(out, "\033[0m%c", c < 0 ? ' ' : '?');
				continue;
			}
			set_colour(out, by, depth, c, true);
			fputc(' ', out);
		}
		fputs("\033[0m\n", out);
	}
}

static void put_legend(const struct cache_map *map, enum cache_map_by by,
		       enum cache_map_depth depth, FILE *out)
{
	uint64_t cells[CACHE_MAP_ROLES + CACHE_MAP_STEPS] = { 0 }, n;
	char buf[64];

	for (uint32_t i = 0; i < map->ncells; i++)
		cells[cache_map_class(map, &map->cell[i], by)]++;
	for (unsigned c = 0; c < cache_map_nclasses(by); c++) {
		n = by == CACHE_MAP_MARK ? map->role[c] : cells[c];
		if (!n)
			continue;
		if (depth == CACHE_MAP_LETTERS || c == cache_map_unknown_class(by)) {
			fprintf(out, "%c", letter(by, c));
		} else {
			set_colour(out, by, depth, c, true);
			fputs(" \033[0m", out);
		}
		fprintf(out, " %-16s %" PRIu64 " %s\n",
			cache_map_class_name(map, by, c, buf, sizeof(buf)), n,
			by == CACHE_MAP_MARK ? "buckets" : "cells");
	}
}

void cache_map_text(const struct cache_map *map, enum cache_map_by by, enum cache_map_depth depth,
		    bool half, FILE *out)
{
	int *class = classes_of(map, by);

	if (!class)
		return;
	if (depth == CACHE_MAP_LETTERS)
		put_letters(map, by, class, out);
	else if (half)
		put_halves(map, by, depth, class, out);
	else
		put_spaces(map, by, depth, class, out);
	fprintf(out, "by %s; a cell is %" PRIu64 " of %" PRIu64 " buckets\n", cache_map_by_name(by),
		map->cell[0].count, map->nbuckets);
	put_legend(map, by, depth, out);
	free(class);
}
