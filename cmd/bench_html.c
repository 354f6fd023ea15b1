// SPDX-License-Identifier: GPL-2.0-only
/* cache-bench --html: latencies as a page that needs nothing else. */
#include "cache_bench.h"
#include "new_file.h"

#include "map/map_html.h"

#include <inttypes.h>

#define POWERS	64	/* of two, of nanoseconds: a bar each */

struct page {
	const struct cache_bench_opts *opts;
	const struct cache_bench_result *run[2];	/* ours; the reference, or NULL */
};

static const char *const run_name[] = { "this allocator", "the reference allocator" };
static const char *const run_colour[] = { "#0072b2", "#d55e00" };

static void sum_powers(const struct cache_bench_result *b, uint64_t power[POWERS])
{
	for (unsigned i = 0; i < CACHE_BENCH_HIST; i++) {
		uint64_t ns = cache_bench_hist_ns(i);

		power[ns ? 63 - __builtin_clzll(ns) : 0] += b->hist[i];
	}
}

/* The rows that hold something: *@first to *@last. */
static uint64_t bounds(const uint64_t power[2][POWERS], unsigned *first, unsigned *last)
{
	uint64_t most = 1;

	*first = POWERS;
	*last = 0;
	for (unsigned k = 0; k < POWERS; k++) {
		if (!power[0][k] && !power[1][k])
			continue;
		*first = *first < k ? *first : k;
		*last = k;
		for (unsigned r = 0; r < 2; r++)
			most = power[r][k] > most ? power[r][k] : most;
	}
	return most;
}

static void put_bars(const uint64_t power[2][POWERS], unsigned first, unsigned last, uint64_t most,
		     FILE *out)
{
	fprintf(out, "<svg class=\"bars\" style=\"height:14rem\" role=\"img\" aria-label=\"histogram of "
		"latencies\" viewBox=\"%u 0 %u 20\" preserveAspectRatio=\"none\">", first,
		last - first + 1);
	for (unsigned k = first; k <= last; k++)
		for (unsigned r = 0; r < 2; r++)
			if (power[r][k])
				fprintf(out, "<path fill=\"%s\" d=\"M%.2f 20v-%.2fh.4V20z\"/>",
					run_colour[r], k + 0.1 + 0.4 * r,
					0.2 + 19.6 * power[r][k] / most);
	fputs("</svg>\n", out);
}

static void put_histogram(const struct page *p, FILE *out)
{
	uint64_t power[2][POWERS] = { { 0 } }, most;
	char text[CACHE_HUMAN_BYTES];
	unsigned first, last;

	for (unsigned r = 0; r < 2; r++)
		if (p->run[r])
			sum_powers(p->run[r], power[r]);
	most = bounds(power, &first, &last);
	fputs("<h2>Latency of an allocation</h2>\n", out);
	put_bars(power, first, last, most, out);
	fputs("<p>From the fastest on the left; each step is twice the one before.</p>\n"
	      "<table><tr><th class=\"n\">from", out);
	for (unsigned r = 0; r < 2; r++)
		if (p->run[r])
			fprintf(out, "<th class=\"n\"><span class=\"key\" style=\"background:%s\"></span> %s",
				run_colour[r], run_name[r]);
	fputs("</tr>\n", out);
	for (unsigned k = first; k <= last; k++) {
		fprintf(out, "<tr><td class=\"n\">%s", cache_ns_show(text, UINT64_C(1) << k));
		for (unsigned r = 0; r < 2; r++)
			if (p->run[r])
				fprintf(out, "<td class=\"n\">%" PRIu64, power[r][k]);
		fputs("</tr>\n", out);
	}
	fputs("</table>\n", out);
}

static void put_numbers(const struct page *p, FILE *out)
{
	static const double shares[] = { 0.5, 0.9, 0.99, 0.999 };
	char text[CACHE_HUMAN_BYTES];

	fprintf(out, "<table><tr><th>workload<td>%s</tr><tr><th>buckets<td>%" PRIu64 "</tr><tr><th>threads"
		"<td>%u</tr><tr><th>seed<td>%" PRIu64 "</tr></table>\n", bench_workloads[p->opts->workload],
		(uint64_t)p->opts->nbuckets, p->opts->threads, p->opts->seed);
	fputs("<table><tr><th><th class=\"n\">allocations<th class=\"n\">per second<th class=\"n\">half in"
	      "<th class=\"n\">90 %<th class=\"n\">99 %<th class=\"n\">99.9 %<th class=\"n\">slowest</tr>\n",
	      out);
	for (unsigned r = 0; r < 2; r++) {
		const struct cache_bench_result *b = p->run[r];

		if (!b)
			continue;
		fprintf(out, "<tr><th>%s<td class=\"n\">%" PRIu64 "<td class=\"n\">%.0f", run_name[r],
			b->count, b->seconds > 0 ? b->count / b->seconds : 0);
		for (unsigned i = 0; i < sizeof(shares) / sizeof(*shares); i++)
			fprintf(out, "<td class=\"n\">%s",
				cache_ns_show(text, cache_bench_percentile_ns(b, shares[i])));
		fprintf(out, "<td class=\"n\">%s</tr>\n", cache_ns_show(text, b->max_ns));
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
	fputs("</body></html>\n", out);
	return 0;
}

int bench_html(struct cmd *c, const char *file, const struct cache_bench_opts *o,
	       const struct cache_bench_result *ours, const struct cache_bench_result *reference)
{
	struct page p = { o, { ours, reference } };

	return cmd_new_file(c, file, fill, &p);
}
