// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cells in SVG. All squares of a colour are one path, and squares side by side one rectangle of it:
 * a picture of 4096 cells is 50 KB at most, and is drawn at once.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "map/map_svg.h"

void cache_map_put_text(FILE *out, const char *text)
{
	char *clean = cache_utf8_clean(text, CACHE_UTF8_ESCAPE);

	for (const char *p = clean ? clean : ""; *p; p++)
		switch (*p) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*p, out);
		}
	free(clean);
}

void cache_map_put_hatch(FILE *out, const char *id)
{
	fprintf(out, "<pattern id=\"%s\" width=\"1\" height=\"1\" patternUnits=\"userSpaceOnUse\">"
		"<rect width=\"1\" height=\"1\" fill=\"#fff\"/>"
		"<path d=\"M0 1L1 0\" stroke=\"#000\" stroke-width=\".3\"/></pattern>", id);
}

#define NO_CELL	UINT8_MAX

/* Squares of one class that stand side by side in a row are one rectangle. */
static bool put_row(const uint8_t *class, uint32_t width, uint32_t y, unsigned wanted,
		    const char *head, bool begun, FILE *out)
{
	for (uint32_t x = 0, end; x < width; x = end) {
		for (end = x + 1; end < width && class[end] == class[x];)
			end++;
		if (class[x] != wanted)
			continue;
		if (!begun)
			fputs(head, out);
		begun = true;
		fprintf(out, "M%" PRIu32 " %" PRIu32 "h%" PRIu32 "v1h-%" PRIu32 "z", x, y, end - x,
			end - x);
	}
	return begun;
}

void cache_map_put_cells(const struct cache_map *map, enum cache_map_by by, const char *hatch,
			 FILE *out)
{
	uint8_t class[CACHE_MAP_CELLS_MAX];
	char head[80];
	uint32_t x, y;

	memset(class, NO_CELL, sizeof(class));
	for (uint32_t i = 0; i < map->ncells; i++) {
		cache_map_place(map, i, &x, &y);
		class[y * map->width + x] = cache_map_class(map, &map->cell[i], by);
	}
	for (unsigned c = 0; c < cache_map_nclasses(by); c++) {
		bool begun = false;

		if (c == cache_map_unknown_class(by))
			snprintf(head, sizeof(head), "<path fill=\"url(#%s)\" d=\"", hatch);
		else
			snprintf(head, sizeof(head), "<path fill=\"#%06" PRIx32 "\" d=\"",
				 cache_map_colour(by, c));
		for (y = 0; y < map->height; y++)
			begun = put_row(class + y * map->width, map->width, y, c, head, begun, out);
		if (begun)
			fputs("\"/>\n", out);
	}
}

static void put_legend(const struct cache_map *map, enum cache_map_by by, FILE *out)
{
	char buf[64];
	double size = map->width / 40.0, y = map->height + size;

	for (unsigned c = 0, n = 0; c < cache_map_nclasses(by); c++) {
		double x = (n % 3) * map->width / 3.0;

		if (by == CACHE_MAP_MARK && !map->role[c])
			continue;
		if (c == cache_map_unknown_class(by))
			fprintf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
				"fill=\"url(#unknown)\"/>", x, y, size, size);
		else
			fprintf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
				"fill=\"#%06" PRIx32 "\"/>", x, y, size, size,
				cache_map_colour(by, c));
		fprintf(out, "<text x=\"%.2f\" y=\"%.2f\">", x + 1.5 * size, y + 0.85 * size);
		cache_map_put_text(out, cache_map_class_name(map, by, c, buf, sizeof(buf)));
		if (by == CACHE_MAP_MARK)
			fprintf(out, " %" PRIu64, map->role[c]);
		fputs("</text>\n", out);
		if (++n % 3 == 0)
			y += 1.6 * size;
	}
}

void cache_map_svg(const struct cache_map *map, enum cache_map_by by, const char *title,
		   FILE *out)
{
	double size = map->width / 40.0;

	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-%.2f -%.2f %.2f %.2f\" "
		"width=\"720\" role=\"img\" font-family=\"sans-serif\" font-size=\"%.2f\">\n<title>",
		size, 3 * size, map->width + 2 * size, map->height + 10 * size, size);
	cache_map_put_text(out, title);
	fputs("</title>\n<defs>", out);
	cache_map_put_hatch(out, "unknown");
	fprintf(out, "</defs>\n<rect x=\"-%.2f\" y=\"-%.2f\" width=\"100%%\" height=\"100%%\" "
		"fill=\"#fff\"/>\n<text y=\"-%.2f\">", size, 3 * size, size);
	cache_map_put_text(out, title);
	fprintf(out, ": %" PRIu64 " buckets by %s</text>\n<g shape-rendering=\"crispEdges\">\n",
		map->nbuckets, cache_map_by_name(by));
	cache_map_put_cells(map, by, "unknown", out);
	fputs("</g>\n", out);
	put_legend(map, by, out);
	fputs("</svg>\n", out);
}
