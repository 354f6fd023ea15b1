// SPDX-License-Identifier: GPL-2.0-only
/*
 * cache-bench --html: latencies of one or two runs, and how fast they went from start to end, as a
 * page that needs nothing else.
 */
#include "cache_bench.h"
#include "new_file.h"

#include "map/map_html.h"
#include "map/map_svg.h"

#include <inttypes.h>

struct page {
	const struct bench_run *run;
	unsigned n;
};

static const char *const run_colour[] = { "#0072b2", "#d55e00" };

/* The first thread tells how fast all of them went, which end together. */
static void speeds_of(const struct cache_bench_result *b, struct bench_run *run)
{
	const struct cache_bench_point *p = b->point, *last = &p[b->npoints - 1];

	for (unsigned i = 1; i < b->npoints && last->done; i++) {
		double seconds = (p[i].ns - p[i - 1].ns) / 1e9;

		if (seconds <= 0)
			continue;
		run->speed[run->nspeeds].until_seconds = p[i].ns / 1e9;
		run->speed[run->nspeeds++].per_second = (p[i].done - p[i - 1].done) / seconds *
							b->count / last->done;
	}
}

void bench_run_of(const struct cache_bench_result *b, const char *name, struct bench_run *run)
{
	static const double shares[] = { 0.5, 0.9, 0.99, 0.999 };

	*run = (struct bench_run){
		.name = name, .count = b->count,
		.per_second = b->seconds > 0 ? b->count / b->seconds : 0,
	};
	for (unsigned i = 0; i < CACHE_BENCH_HIST; i++) {
		uint64_t ns = cache_bench_hist_ns(i);

		run->power[ns ? 63 - __builtin_clzll(ns) : 0] += b->hist[i];
	}
	for (unsigned i = 0; i < sizeof(shares) / sizeof(*shares); i++)
		run->latency_ns[i] = cache_bench_percentile_ns(b, shares[i]);
	run->latency_ns[4] = b->max_ns;
	if (b->npoints)
		speeds_of(b, run);
}

/* The rows that hold something, *first to *last, and the fullest. */
static uint64_t bounds(const struct page *p, unsigned *first, unsigned *last)
{
	uint64_t most = 1;

	*first = BENCH_POWERS - 1;
	*last = 0;
	for (unsigned r = 0; r < p->n; r++)
		for (unsigned k = 0; k < BENCH_POWERS; k++) {
			uint64_t n = p->run[r].power[k];

			if (!n)
				continue;
			*first = *first < k ? *first : k;
			*last = *last > k ? *last : k;
			most = n > most ? n : most;
		}
	if (*last < *first)
		*first = *last;
	return most;
}

static void put_bars(const struct page *p, unsigned first, unsigned last, uint64_t most, FILE *out)
{
	fprintf(out, "<svg class=\"bars\" style=\"height:14rem\" role=\"img\" aria-label=\"histogram of "
		"latencies\" viewBox=\"%u 0 %u 20\" preserveAspectRatio=\"none\">", first,
		last - first + 1);
	for (unsigned k = first; k <= last; k++)
		for (unsigned r = 0; r < p->n; r++)
			if (p->run[r].power[k])
				fprintf(out, "<path fill=\"%s\" d=\"M%.2f 20v-%.2fh.4V20z\"/>",
					run_colour[r], k + 0.1 + 0.4 * r,
					0.2 + 19.6 * p->run[r].power[k] / most);
	fputs("</svg>\n", out);
}

static void put_histogram(const struct page *p, FILE *out)
{
	char text[CACHE_HUMAN_BYTES];
	unsigned first, last;
	uint64_t most = bounds(p, &first, &last);

	fputs("<h2>Latency of an allocation</h2>\n", out);
	put_bars(p, first, last, most, out);
	fputs("<p>From the fastest on the left; each step is twice the one before.</p>\n"
	      "<table><tr><th class=\"n\">from", out);
	for (unsigned r = 0; r < p->n; r++) {
		fprintf(out, "<th class=\"n\"><span class=\"key\" style=\"background:%s\"></span> ",
			run_colour[r]);
		cache_map_put_text(out, p->run[r].name);
	}
	fputs("</tr>\n", out);
	for (unsigned k = first; k <= last; k++) {
		fprintf(out, "<tr><td class=\"n\">%s", cache_ns_show(text, UINT64_C(1) << k));
		for (unsigned r = 0; r < p->n; r++)
			fprintf(out, "<td class=\"n\">%" PRIu64, p->run[r].power[k]);
		fputs("</tr>\n", out);
	}
	fputs("</table>\n", out);
}

/* A step for each part of the run: the longest one has the whole width. */
static void put_steps(const struct page *p, double seconds, double most, FILE *out)
{
	fputs("<svg class=\"bars\" style=\"height:14rem\" role=\"img\" aria-label=\"allocations per "
	      "second from start to end\" viewBox=\"0 0 1000 200\" preserveAspectRatio=\"none\">", out);
	for (unsigned r = 0; r < p->n; r++) {
		const struct bench_run *b = &p->run[r];

		fprintf(out, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
			"vector-effect=\"non-scaling-stroke\" d=\"M0 200", run_colour[r]);
		for (unsigned i = 0; i < b->nspeeds; i++)
			fprintf(out, "V%.1fH%.1f", 200 - 190 * b->speed[i].per_second / most,
				1000 * b->speed[i].until_seconds / seconds);
		fputs("\"/>", out);
	}
	fputs("</svg>\n", out);
}

static void put_speed_cells(const struct bench_run *b, unsigned i, FILE *out)
{
	char text[CACHE_HUMAN_BYTES];

	if (i < b->nspeeds)
		fprintf(out, "<td class=\"n\">%s<td class=\"n\">%.0f",
			cache_ns_show(text, b->speed[i].until_seconds * 1e9),
			b->speed[i].per_second);
	else
		fputs("<td><td>", out);
}

static void put_throughput(const struct page *p, FILE *out)
{
	double seconds = 0, most = 0;
	unsigned rows = 0;

	for (unsigned r = 0; r < p->n; r++)
		for (unsigned i = 0; i < p->run[r].nspeeds; i++) {
			double until = p->run[r].speed[i].until_seconds;
			double speed = p->run[r].speed[i].per_second;

			seconds = until > seconds ? until : seconds;
			most = speed > most ? speed : most;
			rows = i + 1 > rows ? i + 1 : rows;
		}
	if (!rows || seconds <= 0 || most <= 0)
		return;
	fputs("<h2>Allocations per second, over time</h2>\n", out);
	put_steps(p, seconds, most, out);
	fprintf(out, "<p>From the start on the left to %.4g s; the highest is %.0f per second, the "
		"lower edge is 0.</p>\n<table><tr>", seconds, most);
	for (unsigned r = 0; r < p->n; r++) {
		fprintf(out, "<th class=\"n\"><span class=\"key\" style=\"background:%s\"></span> ",
			run_colour[r]);
		cache_map_put_text(out, p->run[r].name);
		fputs(": until<th class=\"n\">per second", out);
	}
	fputs("</tr>\n", out);
	for (unsigned i = 0; i < rows; i++) {
		fputs("<tr>", out);
		for (unsigned r = 0; r < p->n; r++)
			put_speed_cells(&p->run[r], i, out);
		fputs("</tr>\n", out);
	}
	fputs("</table>\n", out);
}

static void put_numbers(const struct page *p, FILE *out)
{
	char text[CACHE_HUMAN_BYTES];

	fputs("<table><tr><th>run<th class=\"n\">allocations<th class=\"n\">per second<th class=\"n\">half in"
	      "<th class=\"n\">90 %<th class=\"n\">99 %<th class=\"n\">99.9 %<th class=\"n\">slowest</tr>\n",
	      out);
	for (unsigned r = 0; r < p->n; r++) {
		const struct bench_run *b = &p->run[r];

		fputs("<tr><th>", out);
		cache_map_put_text(out, b->name);
		fprintf(out, "<td class=\"n\">%.0f<td class=\"n\">%.0f", b->count, b->per_second);
		for (unsigned i = 0; i < 5; i++)
			fprintf(out, "<td class=\"n\">%s", cache_ns_show(text, b->latency_ns[i]));
		fputs("</tr>\n", out);
	}
	fputs("</table>\n", out);
}

static int fill(void *ctx, FILE *out)
{
	const struct page *p = ctx;

	fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
		"<link rel=\"icon\" href=\"data:,\">\n<title>cache-bench</title>\n<style>%s</style>"
		"</head>\n<body>\n<h1>cache-bench</h1>\n", cache_map_page_style);
	put_numbers(p, out);
	put_histogram(p, out);
	put_throughput(p, out);
	fputs("</body></html>\n", out);
	return 0;
}

int bench_html(struct cmd *c, const char *file, const struct bench_run *run, unsigned n)
{
	struct page p = { run, n };

	return cmd_new_file(c, file, fill, &p);
}
