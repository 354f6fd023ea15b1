// SPDX-License-Identifier: GPL-2.0-only
/* Histograms, journal ring and backing devices of the page. */
#include <inttypes.h>

#include "base/human.h"
#include "base/types.h"
#include "map/map_html.h"
#include "map/map_svg.h"

static uint64_t largest_of(const struct cache_map_bars *b)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < CACHE_MAP_BARS; i++)
		most = b->bar[i] > most ? b->bar[i] : most;
	return most;
}

static void put_bars(const struct cache_map_bars *b, const char *title, FILE *out)
{
	uint64_t most = largest_of(b), from;

	fprintf(out, "<h3>%s</h3>\n", title);
	if (!most) {
		fputs("<p>None is known.</p>\n", out);
		return;
	}
	fprintf(out, "<svg class=\"bars\" role=\"img\" aria-label=\"histogram: %s\" "
		"viewBox=\"0 0 64 20\" preserveAspectRatio=\"none\">", title);
	for (unsigned i = 0; i < CACHE_MAP_BARS; i++)
		if (b->bar[i])
			fprintf(out, "<path fill=\"#0072b2\" d=\"M%u 20v-%.2fh.9V20z\"/>", i,
				0.4 + 19.4 * b->bar[i] / most);
	fprintf(out, "</svg>\n<details><summary>%s as a table</summary><table><tr><th class=\"n\">from"
		"<th class=\"n\">to<th class=\"n\">buckets</tr>\n", title);
	for (unsigned i = 0; i < CACHE_MAP_BARS; i++) {
		from = i * b->step;
		if (b->bar[i])
			fprintf(out, "<tr><td class=\"n\">%" PRIu64 "<td class=\"n\">%" PRIu64
				"<td class=\"n\">%" PRIu64 "</tr>\n", from, from + b->step - 1,
				b->bar[i]);
	}
	fputs("</table></details>\n", out);
}

void cache_map_put_histograms(const struct cache_map *map, FILE *out)
{
	fputs("<h2>Histograms</h2>\n<div class=\"views\"><div>", out);
	put_bars(&map->prio, "Priority of the buckets that hold data", out);
	fputs("</div><div>", out);
	put_bars(&map->gen, "Generation of all buckets", out);
	fputs("</div><div>", out);
	put_bars(&map->lag, "Generations since the oldest key of a bucket", out);
	fputs("</div></div>\n", out);
}

static const char *ring_word(const struct cache_map_ring *r)
{
	return r->unreadable ? "cannot be read" : r->replayed ? "replayed by a start" :
	       r->seq ? "older" : "empty";
}

static const char *ring_colour(const struct cache_map_ring *r)
{
	return r->unreadable ? "#222" : r->replayed ? "#d55e00" : r->seq ? "#56b4e9" : "#d9d9d9";
}

/* A part of the circle, whose length is taken as @n. */
static void put_arc(const struct cache_map_ring *r, uint32_t i, uint32_t n, FILE *out)
{
	fprintf(out, "<circle r=\"41\" fill=\"none\" stroke=\"%s\" stroke-width=\"14\" pathLength=\"%"
		PRIu32 "\" stroke-dasharray=\"%s %" PRIu32 "\" stroke-dashoffset=\"-%" PRIu32
		"\" transform=\"rotate(-90)\"><title>bucket %" PRIu64 ": seq %" PRIu64
		", %s</title></circle>\n", ring_colour(r), n, n > 1 ? ".92" : "1", n, i, r->bucket,
		r->seq, ring_word(r));
}

void cache_map_put_ring(const struct cache_map *map, FILE *out)
{
	uint32_t replayed = 0, used = 0;

	for (uint32_t i = 0; i < map->nring; i++) {
		replayed += map->ring[i].replayed;
		used += map->ring[i].seq != 0;
	}
	fprintf(out, "<h2>Journal</h2>\n<p>%" PRIu32 " buckets in the ring: %" PRIu32 " hold entries, "
		"%" PRIu32 " of these one that a start replays.</p>\n", map->nring, used, replayed);
	if (!map->nring)
		return;
	fputs("<svg class=\"ring\" role=\"img\" aria-label=\"the journal's ring\" "
	      "viewBox=\"-50 -50 100 100\">\n", out);
	for (uint32_t i = 0; i < map->nring; i++)
		put_arc(&map->ring[i], i, map->nring, out);
	fprintf(out, "<text text-anchor=\"middle\" font-size=\"9\" y=\"3\">%" PRIu32 " / %" PRIu32
		"</text></svg>\n<p><span class=\"key\" style=\"background:#d55e00\"></span> replayed by a "
		"start <span class=\"key\" style=\"background:#56b4e9\"></span> older <span class=\"key\" "
		"style=\"background:#d9d9d9\"></span> empty <span class=\"key\" style=\"background:#222\">"
		"</span> cannot be read</p>\n", replayed, map->nring);
	fputs("<details><summary>The ring as a table</summary><table><tr><th class=\"n\">bucket"
	      "<th class=\"n\">newest seq<th>state</tr>\n", out);
	for (uint32_t i = 0; i < map->nring; i++)
		fprintf(out, "<tr><td class=\"n\">%" PRIu64 "<td class=\"n\">%" PRIu64 "<td>%s</tr>\n",
			map->ring[i].bucket, map->ring[i].seq, ring_word(&map->ring[i]));
	fputs("</table></details>\n", out);
}

/* Below the line what is cached, in it what is dirty. */
static void put_strip(const struct cache_map_backing *b, FILE *out)
{
	uint64_t part = b->sectors / CACHE_MAP_STRIP + 1;

	fprintf(out, "<svg class=\"strip\" role=\"img\" aria-label=\"cached and dirty parts\" "
		"viewBox=\"0 0 %d 20\" preserveAspectRatio=\"none\">", CACHE_MAP_STRIP);
	for (unsigned i = 0; i < CACHE_MAP_STRIP; i++) {
		double cached = (double)b->cached_part[i] / (double)part;
		double dirty = (double)b->dirty_part[i] / (double)part;

		if (cached > 0)
			fprintf(out, "<path fill=\"#009e73\" d=\"M%u 20v-%.2fh1V20z\"/>", i,
				20 * (cached < 0.03 ? 0.03 : cached > 1 ? 1 : cached));
		if (dirty > 0)
			fprintf(out, "<path fill=\"#d55e00\" d=\"M%u 20v-%.2fh1V20z\"/>", i,
				20 * (dirty < 0.03 ? 0.03 : dirty > 1 ? 1 : dirty));
	}
	fputs("</svg>\n", out);
}

static void put_bytes(uint64_t sectors, FILE *out)
{
	char buf[CACHE_HUMAN_BYTES];

	fprintf(out, "<td class=\"n\">%s", sectors > UINT64_MAX / CACHE_SECTOR_BYTES ? "?" :
		cache_bytes_show(buf, sectors * CACHE_SECTOR_BYTES));
}

void cache_map_put_backing(const struct cache_map *map, FILE *out)
{
	fputs("<h2>Backing devices</h2>\n", out);
	if (!map->nbacking) {
		fputs("<p>None is known.</p>\n", out);
		return;
	}
	fputs("<p><span class=\"key\" style=\"background:#009e73\"></span> cached <span class=\"key\" "
	      "style=\"background:#d55e00\"></span> dirty; from the start of the device on the left to "
	      "its end</p>\n", out);
	for (uint32_t i = 0; i < map->nbacking; i++) {
		const struct cache_map_backing *b = &map->backing[i];

		fprintf(out, "<h3>Slot %" PRIu32 " ", b->slot);
		cache_map_put_text(out, b->label);
		fputs("</h3>\n", out);
		put_strip(b, out);
		fprintf(out, "<table><tr><th class=\"n\">%s<th class=\"n\">cached<th class=\"n\">dirty</tr><tr>",
			b->sectors_known ? "size" : "end of the last extent");
		put_bytes(b->sectors, out);
		put_bytes(b->cached, out);
		put_bytes(b->dirty, out);
		fputs("</tr></table>\n", out);
	}
	if (map->nbacking_left)
		fprintf(out, "<p>%" PRIu32 " more are not drawn.</p>\n", map->nbacking_left);
}
