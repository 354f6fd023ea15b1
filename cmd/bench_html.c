// SPDX-License-Identifier: GPL-2.0-only
/* cache-bench --html: latencies of one or two runs as a page that needs nothing else. */
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
	fputs("</body></html>\n", out);
	return 0;
}

int bench_html(struct cmd *c, const char *file, const struct bench_run *run, unsigned n)
{
	struct page p = { run, n };

	return cmd_new_file(c, file, fill, &p);
}
