// SPDX-License-Identifier: GPL-2.0-only
/* Statistics of all priorities: priority_stats, and a histogram with marks. */
#include "show_prios.h"

#include "alloc/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICES		8u	/* of the histogram, between least and greatest prio */

/* One of the kernel's own lines, with its TAB. */
static void kernel_line(struct cache_report *r, const char *label, const char *value)
{
	char line[16 * CACHE_QUANTILES];
	int n = snprintf(line, sizeof(line), "%s\t%s\n", label, value);

	cache_report_text(r, line, (size_t)n);
}

static void kernel_number(struct cache_report *r, const char *label, uint64_t v)
{
	char value[24];

	snprintf(value, sizeof(value), "%" PRIu64, v);
	kernel_line(r, label, value);
}

static void stats_percent(struct show_prios *o, const char *key, const char *label,
			  unsigned v)
{
	char percent[16];
	struct cache_field f = { key, NULL, CACHE_UNIT_COUNT };

	if (o->raw)
		cache_report_null(cmd_report(&o->show.cmd), &f);
	else
		cache_report_u64(cmd_report(&o->show.cmd), &f, v);
	snprintf(percent, sizeof(percent), "%u%%", v);
	if (!o->raw)
		kernel_line(cmd_report(&o->show.cmd), label, percent);
}

/* With the kernel's labels and order. */
static void show_stats(struct show_prios *o, const struct cache_stats *st)
{
	static const struct cache_field
		average = { "average", NULL, CACHE_UNIT_COUNT },
		per_q = { "sectors_per_q", NULL, CACHE_UNIT_SECTORS },
		quantiles = { "quantiles", NULL, CACHE_UNIT_COUNT };
	struct cache_report *r = cmd_report(&o->show.cmd);
	char line[8 * CACHE_QUANTILES], *p = line;

	cache_report_object(r, "stats");
	stats_percent(o, "unused_percent", "Unused:\t", st->unused_percent);
	stats_percent(o, "clean_percent", "Clean:\t", st->clean_percent);
	stats_percent(o, "dirty_percent", "Dirty:\t", st->dirty_percent);
	stats_percent(o, "metadata_percent", "Metadata:", st->metadata_percent);
	cache_report_u64(r, &average, st->average);
	kernel_number(r, "Average:", st->average);
	cache_report_u64(r, &per_q, st->sectors_per_q);
	kernel_number(r, "Sectors per Q:", st->sectors_per_q);
	cache_report_list(r, &quantiles);
	for (unsigned i = 0; i < CACHE_QUANTILES; i++) {
		cache_report_u64(r, &quantiles, st->quantile[i]);
		p += sprintf(p, "%s%u", i ? " " : "[", st->quantile[i]);
	}
	memcpy(p, "]", sizeof("]"));
	cache_report_end(r);
	kernel_line(r, "Quantiles:", line);
	cache_report_end(r);
}

struct slice {
	uint32_t from, to;
	uint64_t count, metadata, dirty, clean, free;
};

/* Priorities 65535, then SLICES from the greatest to the least, then 0. */
static unsigned make_slices(const struct cache_stats_count *c, struct slice *slice)
{
	uint32_t lo = CACHE_BTREE_PRIO - 1, hi = 0, n = 0;

	for (uint32_t prio = 1; prio < CACHE_BTREE_PRIO; prio++) {
		if (!c->of_prio[prio])
			continue;
		if (prio < lo)
			lo = prio;
		hi = prio;
	}
	slice[n++] = (struct slice){ CACHE_BTREE_PRIO, CACHE_BTREE_PRIO };
	for (uint32_t step = (hi - lo) / SLICES + 1; hi >= lo && hi; hi -= step) {
		uint32_t from = hi - lo >= step ? hi - step + 1 : lo;

		slice[n++] = (struct slice){ from, hi };
		if (from == lo)
			break;
	}
	slice[n++] = (struct slice){ 0, 0 };
	return n;
}

/* How many buckets there are of each mark and priority; 2.5 MiB. */
struct counts {
	struct cache_stats_count all;
	uint64_t of[4][CACHE_BTREE_PRIO + 1];	/* by enum cache_gc_mark */
};

static void fill_slice(struct slice *s, const struct counts *c)
{
	for (uint32_t prio = s->from; prio <= s->to; prio++) {
		s->count += c->all.of_prio[prio];
		s->metadata += c->of[CACHE_GC_MARK_METADATA][prio];
		s->dirty += c->of[CACHE_GC_MARK_DIRTY][prio];
		s->clean += c->of[CACHE_GC_MARK_RECLAIMABLE][prio];
		s->free += c->of[CACHE_GC_MARK_NONE][prio];
	}
}

static void slice_line(struct show_prios *o, const struct slice *s, uint64_t most)
{
	static const char bar[] = "########################";
	int len = most ? s->count * (sizeof(bar) - 1) / most : 0;
	char range[16];

	snprintf(range, sizeof(range), s->from == s->to ? "%u" : "%u-%u", s->from, s->to);
	if (o->raw)
		cache_report_line(cmd_report(&o->show.cmd), "%11s %9" PRIu64 "  %.*s", range,
				  s->count, len, bar);
	else
		cache_report_line(cmd_report(&o->show.cmd), "%11s %9" PRIu64 " %9" PRIu64
				  " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "  %.*s", range,
				  s->count, s->metadata, s->dirty, s->clean, s->free, len, bar);
}

static void json_slice(struct show_prios *o, const struct slice *s)
{
	struct cache_report *r = cmd_report(&o->show.cmd);
	const uint64_t marks[] = { s->metadata, s->dirty, s->clean, s->free };

	cache_report_row(r);
	cache_report_u64(r, NULL, s->from);
	cache_report_u64(r, NULL, s->to);
	cache_report_u64(r, NULL, s->count);
	for (unsigned i = 0; i < 4; i++)
		show_prios_cell(o, !o->raw, marks[i]);
	cache_report_end(r);
}

static void show_slices(struct show_prios *o, const struct slice *slice, unsigned n)
{
	static const struct cache_field cols[] = {
		{ "from", NULL, CACHE_UNIT_COUNT }, { "to", NULL, CACHE_UNIT_COUNT },
		{ "count", NULL, CACHE_UNIT_COUNT }, { "metadata_buckets", NULL, CACHE_UNIT_COUNT },
		{ "dirty_buckets", NULL, CACHE_UNIT_COUNT }, { "clean_buckets", NULL, CACHE_UNIT_COUNT },
		{ "free_buckets", NULL, CACHE_UNIT_COUNT },
	};
	struct cache_report *r = cmd_report(&o->show.cmd);
	uint64_t most = 0;

	for (unsigned i = 0; i < n; i++)
		most = slice[i].count > most ? slice[i].count : most;
	if (o->show.cmd.json) {
		cache_report_table(r, "histogram", cols, 7, 0);
		for (unsigned i = 0; i < n; i++)
			json_slice(o, &slice[i]);
		cache_report_end(r);
		return;
	}
	cache_report_line(r, "%s", "");
	cache_report_line(r, "%s", o->raw ? "       PRIO   BUCKETS" :
			  "       PRIO   BUCKETS  METADATA     DIRTY     CLEAN      FREE");
	for (unsigned i = 0; i < n; i++)
		slice_line(o, &slice[i], most);
}

static void summarise(struct show_prios *o, struct counts *c)
{
	const struct cache_sb *sb = &o->show.set->sb;
	struct slice slice[SLICES + 3];
	struct cache_stats stats;
	unsigned n;

	for (uint64_t b = o->first + sb->first_bucket; b < o->end; b++) {
		struct show_bucket v = show_prios_numbers(o, b);

		c->of[v.mark & 3][v.prio]++;
		cache_stats_add(&c->all, v.prio, v.mark, v.sectors_used);
	}
	cache_stats_of(&c->all, o->end - o->first, sb->bucket_sectors, &stats);
	n = make_slices(&c->all, slice);
	for (unsigned i = 0; i < n; i++)
		fill_slice(&slice[i], c);
	cache_report_line(cmd_report(&o->show.cmd), "%s", "");
	show_stats(o, &stats);
	show_slices(o, slice, n);
}

int show_prios_summary(struct show_prios *o)
{
	struct counts *c = calloc(1, sizeof(*c));

	if (!c)
		return cmd_error(&o->show.cmd, NULL, -ENOMEM, NULL);
	summarise(o, c);
	free(c);
	return EXIT_DONE;
}
