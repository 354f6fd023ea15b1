// SPDX-License-Identifier: GPL-2.0-only
/* The numbers of sysfs as the driver writes them, and what follows from them. */
#include <ctype.h>
#include <string.h>

#include "status/status.h"

static const struct cache_status_def defs[] = {
#define VALUE(of, id, path, label, factor, how, kind, exported, words) \
	{ .name = #id, .file = (path), .line = (label), .scale = (factor), \
	  .scope = CACHE_STATUS_##of, .unit = CACHE_STATUS_##how, .type = (kind), \
	  .metric = (exported), .help = (words) },
#include "status/values.def"
#undef VALUE
};

const struct cache_status_def *cache_status_def(enum cache_status_value v)
{
	return &defs[v];
}

const char *cache_status_window_name(enum cache_status_windows w)
{
	static const char *const names[] = { "five_minute", "hour", "day", "total" };

	return names[w];
}

/* strtod() goes by the locale, and takes "inf" and "0x1p3". */
static const char *parse_decimal(const char *p, double *value)
{
	double place = 1;

	if (!isdigit((unsigned char)*p))
		return NULL;
	for (*value = 0; isdigit((unsigned char)*p); p++)
		*value = *value * 10 + (*p - '0');
	if (*p == '.')
		for (p++; isdigit((unsigned char)*p); p++)
			*value += (*p - '0') * (place /= 10);
	return p;
}

bool cache_status_number(const char *text, double *value)
{
	static const char units[] = "kMGTPEZY";
	bool negative;
	const char *unit;

	text += strspn(text, " \t");
	negative = *text == '-';
	text = parse_decimal(text + negative, value);
	if (!text)
		return false;
	unit = *text ? strchr(units, *text) : NULL;
	if (unit) {
		for (long i = unit - units; i >= 0; i--)
			*value *= 1024;
		text++;
	}
	if (negative)
		*value = -*value;
	text += strspn(text, "%");
	if (!strncmp(text, "/sec", 4))
		text += 4;
	return !text[strspn(text, " \t\r\n")];
}

static double number_or_0(const struct cache_status_numbers *n, enum cache_status_value v)
{
	return n->known[v] ? n->v[v] : 0;
}

bool cache_status_hit_ratio(const struct cache_status_numbers *w, double *percent)
{
	double hits = number_or_0(w, CACHE_STATUS_hits), all = hits +
		number_or_0(w, CACHE_STATUS_misses);

	if (!w->known[CACHE_STATUS_hits] || !w->known[CACHE_STATUS_misses] || !(all > 0))
		return false;
	*percent = 100 * hits / all;
	return true;
}

bool cache_status_amplification(const struct cache_status_set *set, double *ratio)
{
	double data = 0, metadata = 0;

	for (size_t i = 0; i < set->caches.n; i++) {
		const struct cache_status_numbers *n = &set->caches.d[i].n;

		if (!n->known[CACHE_STATUS_written_bytes] ||
		    !n->known[CACHE_STATUS_metadata_written_bytes])
			return false;
		data += n->v[CACHE_STATUS_written_bytes];
		metadata += n->v[CACHE_STATUS_metadata_written_bytes];
	}
	if (!(data > 0))
		return false;
	*ratio = (data + metadata) / data;
	return true;
}

enum cache_status_clean_when cache_status_clean_when(const struct cache_status_device *d,
						     double *seconds)
{
	const struct cache_status_numbers *n = &d->n;
	double rate = number_or_0(n, CACHE_STATUS_writeback_rate_bytes);

	if (!strcmp(d->state, "clean"))
		return CACHE_STATUS_CLEAN_NOW;
	if (strcmp(d->state, "dirty") || !n->known[CACHE_STATUS_dirty_bytes])
		return CACHE_STATUS_CLEAN_UNKNOWN;
	if (n->known[CACHE_STATUS_writeback_running] && !n->v[CACHE_STATUS_writeback_running])
		return CACHE_STATUS_CLEAN_NEVER;
	if (!(rate > 0))
		return CACHE_STATUS_CLEAN_UNKNOWN;
	*seconds = n->v[CACHE_STATUS_dirty_bytes] / rate;
	return CACHE_STATUS_CLEAN_AT_RATE;
}

bool cache_status_delta(const struct cache_status_numbers *from,
			const struct cache_status_numbers *to, enum cache_status_value v,
			double *delta)
{
	if (!from->known[v] || !to->known[v])
		return false;
	*delta = to->v[v] - from->v[v];
	return *delta >= 0 || strcmp(defs[v].type, "counter") != 0;
}
