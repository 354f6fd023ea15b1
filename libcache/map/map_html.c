// SPDX-License-Identifier: GPL-2.0-only
/* The page: what the device is, its findings, and the pictures with tables of what they show. */
#include <inttypes.h>

#include "map/map_html.h"
#include "map/map_svg.h"

#define TABLE_ROWS	64	/* of the table of all cells */

static const char *const view_title[CACHE_MAP_NBY] = {
	"Priority", "Use", "Generation", "Dirty", "Sectors used", "Changed"
};

static bool is_shown(const struct cache_map *map, unsigned by)
{
	return by != CACHE_MAP_CHANGE || map->compared;
}

static void put_choice(const struct cache_map *map, enum cache_map_by first, FILE *out)
{
	for (unsigned by = 0; by < CACHE_MAP_NBY; by++)
		if (is_shown(map, by))
			fprintf(out, "<input type=\"radio\" name=\"by\" id=\"by-%s\"%s><label for=\"by-%s\">"
				"%s</label>\n", cache_map_by_name(by), by == first ? " checked" : "",
				cache_map_by_name(by), view_title[by]);
	fputs("<input type=\"checkbox\" id=\"zoom\"><label for=\"zoom\">larger</label>\n", out);
}

/* Which picture is shown, by the radio button that is on. */
static void put_choice_style(FILE *out)
{
	for (unsigned by = 0; by < CACHE_MAP_NBY; by++)
		fprintf(out, "#by-%s:checked~#fig-%s%s", cache_map_by_name(by), cache_map_by_name(by),
			by + 1 < CACHE_MAP_NBY ? "," : "{display:block}");
}

static void put_legend(const struct cache_map *map, enum cache_map_by by, FILE *out)
{
	uint64_t cells[CACHE_MAP_ROLES + CACHE_MAP_STEPS] = { 0 }, n;
	char buf[64];

	for (uint32_t i = 0; i < map->ncells; i++)
		cells[cache_map_class(map, &map->cell[i], by)]++;
	fprintf(out, "<table><tr><th>%s<th class=\"n\">%s</tr>\n", view_title[by],
		by == CACHE_MAP_MARK ? "buckets" : "cells");
	for (unsigned c = 0; c < cache_map_nclasses(by); c++) {
		n = by == CACHE_MAP_MARK ? map->role[c] : cells[c];
		if (!n && (by == CACHE_MAP_MARK || c == cache_map_unknown_class(by)))
			continue;
		if (c == cache_map_unknown_class(by))
			fputs("<tr><td><span class=\"key u\"></span> ", out);
		else
			fprintf(out, "<tr><td><span class=\"key\" style=\"background:#%06" PRIx32
				"\"></span> ", cache_map_colour(by, c));
		cache_map_put_text(out, cache_map_class_name(map, by, c, buf, sizeof(buf)));
		fprintf(out, "<td class=\"n\">%" PRIu64 "</tr>\n", n);
	}
	fputs("</table>\n", out);
}

static void put_view(const struct cache_map *map, enum cache_map_by by, FILE *out)
{
	char hatch[32];

	snprintf(hatch, sizeof(hatch), "hatch-%s", cache_map_by_name(by));
	fprintf(out, "<figure id=\"fig-%s\"><div class=\"scroll\"><svg tabindex=\"0\" role=\"img\" "
		"aria-label=\"all buckets, coloured by: %s\" viewBox=\"0 0 %" PRIu32 " %" PRIu32 "\" "
		"shape-rendering=\"crispEdges\"><defs>", cache_map_by_name(by), view_title[by],
		map->width, map->height);
	cache_map_put_hatch(out, hatch);
	fputs("</defs>\n", out);
	cache_map_put_cells(map, by, hatch, out);
	fprintf(out, "</svg></div>\n<figcaption>%" PRIu64 " buckets in %s order; each square is %s%" PRIu64
		" of them.</figcaption>\n", map->nbuckets, cache_map_order_name(map->order),
		map->nbuckets % map->ncells ? "about " : "", map->cell[0].count);
	put_legend(map, by, out);
	fputs("</figure>\n", out);
}

static uint64_t metadata_of(const struct cache_map_cell *c)
{
	return c->role[CACHE_ROLE_SUPERBLOCK] + c->role[CACHE_ROLE_JOURNAL] +
	       c->role[CACHE_ROLE_PRIO] + c->role[CACHE_ROLE_UUID] + c->role[CACHE_ROLE_BTREE];
}

/* For the script: the cells row by row, as they are drawn. */
static void put_data(const struct cache_map *map, FILE *out)
{
	uint32_t at[CACHE_MAP_CELLS_MAX], x, y, n = map->width * map->height;

	for (uint32_t i = 0; i < n; i++)
		at[i] = UINT32_MAX;
	for (uint32_t i = 0; i < map->ncells; i++) {
		cache_map_place(map, i, &x, &y);
		at[y * map->width + x] = i;
	}
	fputs("<script type=\"application/json\" id=\"cells\">[", out);
	for (uint32_t i = 0; i < n; i++) {
		const struct cache_map_cell *c = at[i] == UINT32_MAX ? NULL : &map->cell[at[i]];

		if (i)
			fputc(',', out);
		if (!c) {
			fputc('0', out);
			continue;
		}
		fprintf(out, "[%" PRIu64 ",%" PRIu64 ",%lld,%lld,%" PRIu64 ",%" PRIu64 ",%" PRIu64
			",%" PRIu64 ",%" PRIu64 "]", c->first, c->count,
			c->prio_known ? (long long)(c->prio_sum / c->prio_known) : -1,
			c->gen_known ? (long long)(c->gen_sum / c->gen_known) : -1,
			c->role[CACHE_ROLE_DIRTY], c->role[CACHE_ROLE_CLEAN], c->role[CACHE_ROLE_FREE],
			metadata_of(c), c->role[CACHE_MAP_UNKNOWN]);
	}
	fputs("]</script>\n", out);
}

static void add_cell(struct cache_map_cell *sum, const struct cache_map_cell *c)
{
	if (!sum->count)
		sum->first = c->first;
	sum->count += c->count;
	for (unsigned r = 0; r < CACHE_MAP_ROLES; r++)
		sum->role[r] += c->role[r];
	sum->prio_sum += c->prio_sum;
	sum->prio_known += c->prio_known;
}

/* The picture for those who do not see it: at most TABLE_ROWS runs of buckets. */
static void put_table(const struct cache_map *map, FILE *out)
{
	uint32_t per = (map->ncells + TABLE_ROWS - 1) / TABLE_ROWS;
	char prio[24];

	fputs("<details><summary>The buckets as a table</summary><table><tr><th class=\"n\">first"
	      "<th class=\"n\">last<th class=\"n\">dirty<th class=\"n\">clean<th class=\"n\">free"
	      "<th class=\"n\">metadata<th class=\"n\">not known<th class=\"n\">average prio</tr>\n", out);
	for (uint32_t i = 0; i < map->ncells; i += per) {
		struct cache_map_cell sum = { 0 };

		for (uint32_t k = i; k < i + per && k < map->ncells; k++)
			add_cell(&sum, &map->cell[k]);
		snprintf(prio, sizeof(prio), "%" PRIu64,
			 sum.prio_known ? sum.prio_sum / sum.prio_known : 0);
		fprintf(out, "<tr><td class=\"n\">%" PRIu64 "<td class=\"n\">%" PRIu64 "<td class=\"n\">%"
			PRIu64 "<td class=\"n\">%" PRIu64 "<td class=\"n\">%" PRIu64 "<td class=\"n\">%" PRIu64
			"<td class=\"n\">%" PRIu64 "<td class=\"n\">%s</tr>\n", sum.first,
			sum.first + sum.count - 1, sum.role[CACHE_ROLE_DIRTY],
			sum.role[CACHE_ROLE_CLEAN], sum.role[CACHE_ROLE_FREE], metadata_of(&sum),
			sum.role[CACHE_MAP_UNKNOWN], sum.prio_known ? prio : "-");
	}
	fputs("</table></details>\n", out);
}

static void put_rows(const struct cache_map_page *page, FILE *out)
{
	fputs("<table>\n", out);
	for (const char *const *r = page->rows; r && *r; r += 2) {
		fputs("<tr><th>", out);
		cache_map_put_text(out, r[0]);
		fputs("<td>", out);
		cache_map_put_text(out, r[1]);
		fputs("</tr>\n", out);
	}
	fputs("</table>\n<h2>Findings</h2>\n", out);
	if (!page->findings || !*page->findings) {
		fputs("<p>Nothing wrong was found.</p>\n", out);
		return;
	}
	fputs("<ul>\n", out);
	for (const char *const *f = page->findings; *f; f++) {
		fputs("<li>", out);
		cache_map_put_text(out, *f);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
	if (page->findings_left)
		fprintf(out, "<p>%" PRIu64 " more are not listed.</p>\n", page->findings_left);
}

void cache_map_html(const struct cache_map *map, const struct cache_map_page *page, FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	      "<link rel=\"icon\" href=\"data:,\">\n<title>", out);
	cache_map_put_text(out, page->title);
	fprintf(out, "</title>\n<style>%s", cache_map_page_style);
	put_choice_style(out);
	fputs("</style></head>\n<body>\n<h1>", out);
	cache_map_put_text(out, page->title);
	fputs("</h1>\n", out);
	put_rows(page, out);
	fputs("<h2>Buckets</h2>\n", out);
	if (map->role[CACHE_MAP_UNKNOWN])
		fprintf(out, "<p>Of %" PRIu64 " buckets it is not known what they hold.</p>\n",
			map->role[CACHE_MAP_UNKNOWN]);
	if (map->compared)
		fprintf(out, "<p>%" PRIu64 " buckets changed.</p>\n", map->changed);
	fputs("<section>\n", out);
	put_choice(map, page->by, out);
	fprintf(out, "<output id=\"say\" aria-live=\"polite\" data-width=\"%" PRIu32 "\"></output>\n",
		map->width);
	for (unsigned by = 0; by < CACHE_MAP_NBY; by++)
		if (is_shown(map, by))
			put_view(map, by, out);
	fputs("</section>\n", out);
	put_table(map, out);
	cache_map_put_histograms(map, out);
	cache_map_put_ring(map, out);
	cache_map_put_backing(map, out);
	put_data(map, out);
	fprintf(out, "<script>%s</script>\n</body></html>\n", cache_map_page_script);
}
