// SPDX-License-Identifier: GPL-2.0-only
/*
 * The text that Prometheus reads: all samples of a metric stand together, behind its HELP and TYPE.
 * Names and labels of what the driver shows are those of node_exporter's collector.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "status/status.h"

struct writer {
	FILE *out;
	const char *prefix;
	bool no_memory;
};

static void put_label(struct writer *w, const char *name, const char *value, bool first)
{
	char *clean = cache_utf8_clean(value, CACHE_UTF8_REPLACE);

	if (!clean)
		w->no_memory = true;
	fprintf(w->out, "%s%s=\"", first ? "" : ",", name);
	for (const char *p = clean; p && *p; p++)
		if (*p == '\n')
			fputs("\\n", w->out);
		else if (*p == '"' || *p == '\\')
			fprintf(w->out, "\\%c", *p);
		else
			fputc(*p, w->out);
	fputc('"', w->out);
	free(clean);
}

static void put_head(struct writer *w, const char *metric, const char *type, const char *help)
{
	fprintf(w->out, "# HELP %s_%s %s\n# TYPE %s_%s %s\n", w->prefix, metric, help, w->prefix,
		metric, type);
}

/* The number; a whole one without a decimal point, whatever the locale. */
static void put_value(struct writer *w, double v)
{
	char text[64], *comma;

	if (v > -9e15 && v < 9e15 && v == (double)(long long)v) {
		fprintf(w->out, " %lld\n", (long long)v);
		return;
	}
	snprintf(text, sizeof(text), "%.9g", v);
	comma = strpbrk(text, ",");
	if (comma)
		*comma = '.';
	fprintf(w->out, " %s\n", text);
}

/* A device of a set, or, without @label, the set itself. */
static void put_sample(struct writer *w, const char *metric, const struct cache_status_set *s,
		       const char *label, const struct cache_status_device *d, double v)
{
	fprintf(w->out, "%s_%s{", w->prefix, metric);
	put_label(w, "uuid", s->uuid, true);
	if (label)
		put_label(w, label, d->name, false);
	fputc('}', w->out);
	put_value(w, v);
}

/* A metric's head stands before its first sample, and only if it has one. */
struct metric {
	struct writer *w;
	const char *name, *type, *help;
	bool begun;
};

static void sample(struct metric *m, const struct cache_status_set *s, const char *label,
		   const struct cache_status_device *d, double v)
{
	if (!m->begun)
		put_head(m->w, m->name, m->type, m->help);
	m->begun = true;
	put_sample(m->w, m->name, s, label, d, v);
}

static const struct cache_status_set *set_or_without(const struct cache_status *s, size_t i)
{
	return i < s->n ? &s->set[i] : &s->without;
}

static void put_row(struct writer *w, const struct cache_status *s, enum cache_status_value v)
{
	const struct cache_status_def *def = cache_status_def(v);
	struct metric m = { .w = w, .name = def->metric, .type = def->type, .help = def->help };

	for (size_t i = 0; i <= s->n; i++) {
		const struct cache_status_set *set = set_or_without(s, i);
		const struct cache_status_list *l =
			def->scope == CACHE_STATUS_CACHE ? &set->caches : &set->backing;
		const char *label = def->scope == CACHE_STATUS_CACHE ? "cache_device" :
								       "backing_device";

		if (def->scope == CACHE_STATUS_SET) {
			if (set->n.known[v])
				sample(&m, set, NULL, NULL, set->n.v[v]);
			continue;
		}
		for (size_t k = 0; k < l->n; k++) {
			const struct cache_status_numbers *n = def->scope == CACHE_STATUS_WINDOW ?
				&l->d[k].window[CACHE_STATUS_TOTAL] : &l->d[k].n;

			if (n->known[v])
				sample(&m, set, label, &l->d[k], n->v[v]);
		}
	}
}

static void put_info_sample(struct writer *w, const struct cache_status_set *set,
			    const struct cache_status_device *d)
{
	fprintf(w->out, "%s_backing_device_info{", w->prefix);
	put_label(w, "uuid", set->uuid, true);
	put_label(w, "backing_device", d->name, false);
	put_label(w, "device", d->device, false);
	put_label(w, "bcache", d->bcache, false);
	put_label(w, "label", d->label, false);
	put_label(w, "cache_mode", d->cache_mode, false);
	put_label(w, "state", d->state, false);
	fputs("} 1\n", w->out);
}

/* Names, modes and states, to be joined with the numbers. */
static void put_info(struct writer *w, const struct cache_status *s)
{
	bool begun = false;

	for (size_t i = 0; i <= s->n; i++) {
		const struct cache_status_set *set = set_or_without(s, i);

		for (size_t k = 0; k < set->backing.n; k++) {
			if (!begun)
				put_head(w, "backing_device_info", "gauge",
					 "Names, mode and state of a backing device.");
			begun = true;
			put_info_sample(w, set, &set->backing.d[k]);
		}
	}
}

static void put_derived(struct writer *w, const struct cache_status *s)
{
	struct metric m = { .w = w, .name = "write_amplification_ratio", .type = "gauge",
			    .help = "All that was written to the cache devices over the data of it." };
	struct metric left = { .w = w, .name = "writeback_remaining_seconds", .type = "gauge",
			       .help = "Time until the device is clean, at the present rate." };
	double v;

	for (size_t i = 0; i < s->n; i++)
		if (cache_status_amplification(&s->set[i], &v))
			sample(&m, &s->set[i], NULL, NULL, v);
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->set[i].backing.n; k++) {
			const struct cache_status_device *d = &s->set[i].backing.d[k];

			v = 0;
			if (cache_status_clean_when(d, &v) <= CACHE_STATUS_CLEAN_AT_RATE)
				sample(&left, &s->set[i], "backing_device", d, v);
		}
}

int cache_status_prometheus(const struct cache_status *s, const char *prefix, FILE *out)
{
	struct writer w = { .out = out, .prefix = prefix };

	put_head(&w, "cache_sets", "gauge", "Cache sets that run on this machine.");
	fprintf(out, "%s_cache_sets", prefix);
	put_value(&w, s->n);
	for (unsigned v = 0; v < CACHE_STATUS_NVALUES; v++)
		if (cache_status_def(v)->metric[0])
			put_row(&w, s, v);
	put_derived(&w, s);
	put_info(&w, s);
	return w.no_memory ? -ENOMEM : 0;
}
