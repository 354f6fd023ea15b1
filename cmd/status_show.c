// SPDX-License-Identifier: GPL-2.0-only
#include "status_show.h"

#include <string.h>

static void put_text(struct cache_report *r, const char *text)
{
	if (*text)
		cache_report_str(r, NULL, text);
	else
		cache_report_null(r, NULL);
}

static void put_u64(struct cache_report *r, const struct cache_field *f, bool known, double v)
{
	if (known && v >= 0 && v < 1.8e19)
		cache_report_u64(r, f, v);
	else
		cache_report_null(r, f);
}

static void put_number(struct cache_report *r, const struct cache_field *f,
		       const struct cache_status_numbers *n, enum cache_status_value v)
{
	if (!n->known[v])
		cache_report_null(r, f);
	else if (cache_status_def(v)->unit == CACHE_STATUS_REAL)
		cache_report_real(r, f, n->v[v]);
	else
		put_u64(r, f, true, n->v[v]);
}

/* A whole number: a ratio of a few requests is not known to a tenth. */
static void put_ratio(struct cache_report *r, const struct cache_status_numbers *window)
{
	double percent = 0;
	bool known = cache_status_hit_ratio(window, &percent);

	put_u64(r, NULL, known, percent);
}

static void put_clean_when(struct cache_report *r, const struct cache_status_device *d)
{
	char text[CACHE_HUMAN_BYTES];
	double seconds = 0;

	switch (cache_status_clean_when(d, &seconds)) {
	case CACHE_STATUS_CLEAN_NOW:
		cache_report_str(r, NULL, "now");
		return;
	case CACHE_STATUS_CLEAN_AT_RATE:
		if (seconds > 1e9)
			seconds = 1e9;
		cache_report_str(r, NULL, cache_ns_show(text, seconds * 1e9));
		return;
	case CACHE_STATUS_CLEAN_NEVER:
		cache_report_str(r, NULL, "never");
		return;
	case CACHE_STATUS_CLEAN_UNKNOWN:
		break;
	}
	cache_report_null(r, NULL);
}

static void text_caches(struct cache_report *r, const struct cache_status_list *l, bool priorities)
{
	static const struct cache_field cols[] = {
		{ "name", "CACHE", CACHE_UNIT_TEXT }, { "device", "DEVICE", CACHE_UNIT_TEXT },
		{ "size_sectors", "SIZE", CACHE_UNIT_SECTORS },
		{ "nbuckets", "BUCKETS", CACHE_UNIT_COUNT },
		{ "policy", "POLICY", CACHE_UNIT_TEXT },
		{ "written_bytes", "WRITTEN", CACHE_UNIT_BYTES },
		{ "metadata_written_bytes", "METADATA", CACHE_UNIT_BYTES },
		{ "io_errors", "ERRORS", CACHE_UNIT_COUNT },
		{ "unused_percent", "UNUSED%", CACHE_UNIT_COUNT },
		{ "clean_percent", "CLEAN%", CACHE_UNIT_COUNT },
		{ "dirty_percent", "DIRTY%", CACHE_UNIT_COUNT },
		{ "metadata_percent", "META%", CACHE_UNIT_COUNT },
		{ "journal_ring_free_buckets", "RING-FREE", CACHE_UNIT_COUNT },
		{ "gen_lag_max", "GEN-LAG", CACHE_UNIT_COUNT },
	};
	static const enum cache_status_value of[] = {
		CACHE_STATUS_unused_percent, CACHE_STATUS_clean_percent,
		CACHE_STATUS_dirty_percent, CACHE_STATUS_metadata_percent,
		CACHE_STATUS_journal_ring_free_buckets, CACHE_STATUS_gen_lag_max,
	};
	struct cache_field shown[14];
	unsigned n = priorities ? 12 : 8, from = priorities ? 0 : 4, to = 4;

	for (size_t i = 0; i < l->n; i++)
		if (l->d[i].n.known[CACHE_STATUS_journal_ring_buckets])
			to = 6;
	memcpy(shown, cols, n * sizeof(*cols));
	memcpy(shown + n, cols + 12, 2 * sizeof(*cols));
	n += to - 4;

	cache_report_table(r, NULL, shown, n, 0);
	for (size_t i = 0; i < l->n; i++) {
		const struct cache_status_device *d = &l->d[i];

		cache_report_row(r);
		put_text(r, d->name);
		put_text(r, d->device);
		put_u64(r, NULL, d->size_sectors, d->size_sectors);
		put_number(r, NULL, &d->n, CACHE_STATUS_nbuckets);
		put_text(r, d->policy);
		put_number(r, NULL, &d->n, CACHE_STATUS_written_bytes);
		put_number(r, NULL, &d->n, CACHE_STATUS_metadata_written_bytes);
		put_number(r, NULL, &d->n, CACHE_STATUS_cache_io_errors);
		for (unsigned k = from; k < to; k++)
			put_number(r, NULL, &d->n, of[k]);
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void text_backing(struct cache_report *r, const struct cache_status_list *l)
{
	static const struct cache_field cols[] = {
		{ "name", "BACKING", CACHE_UNIT_TEXT }, { "device", "DEVICE", CACHE_UNIT_TEXT },
		{ "bcache", "BCACHE", CACHE_UNIT_TEXT }, { "label", "LABEL", CACHE_UNIT_TEXT },
		{ "state", "STATE", CACHE_UNIT_TEXT }, { "cache_mode", "MODE", CACHE_UNIT_TEXT },
		{ "dirty_bytes", "DIRTY", CACHE_UNIT_BYTES },
		{ "writeback_rate_bytes", "RATE/s", CACHE_UNIT_BYTES },
		{ "clean_when", "CLEAN-IN", CACHE_UNIT_TEXT },
		{ "total", "HIT%", CACHE_UNIT_COUNT }, { "hour", "1H", CACHE_UNIT_COUNT },
		{ "five_minute", "5MIN", CACHE_UNIT_COUNT },
	};

	cache_report_table(r, NULL, cols, 12, 0);
	for (size_t i = 0; i < l->n; i++) {
		const struct cache_status_device *d = &l->d[i];

		cache_report_row(r);
		put_text(r, d->name);
		put_text(r, d->device);
		put_text(r, d->bcache);
		put_text(r, d->label);
		put_text(r, d->state);
		put_text(r, d->cache_mode);
		put_number(r, NULL, &d->n, CACHE_STATUS_dirty_bytes);
		put_number(r, NULL, &d->n, CACHE_STATUS_writeback_rate_bytes);
		put_clean_when(r, d);
		put_ratio(r, &d->window[CACHE_STATUS_TOTAL]);
		put_ratio(r, &d->window[CACHE_STATUS_HOUR]);
		put_ratio(r, &d->window[CACHE_STATUS_FIVE_MINUTE]);
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void text_volumes(struct cache_report *r, const struct cache_status_list *l)
{
	static const struct cache_field cols[] = {
		{ "name", "VOLUME", CACHE_UNIT_TEXT }, { "bcache", "BCACHE", CACHE_UNIT_TEXT },
		{ "label", "LABEL", CACHE_UNIT_TEXT }, { "size_sectors", "SIZE", CACHE_UNIT_SECTORS },
	};

	cache_report_table(r, NULL, cols, 4, 0);
	for (size_t i = 0; i < l->n; i++) {
		cache_report_row(r);
		put_text(r, l->d[i].name);
		put_text(r, l->d[i].bcache);
		put_text(r, l->d[i].label);
		put_u64(r, NULL, l->d[i].size_sectors, l->d[i].size_sectors);
		cache_report_end(r);
	}
	cache_report_end(r);
}

/* "available: 74 %", a line each, of what is known. */
static void text_set_numbers(struct cache_report *r, const struct cache_status_set *s)
{
	static const struct {
		enum cache_status_value v;
		struct cache_field f;
	} rows[] = {
		{ CACHE_STATUS_cache_available_percent, { "", "available %", CACHE_UNIT_COUNT } },
		{ CACHE_STATUS_bucket_bytes, { "", "bucket size", CACHE_UNIT_BYTES } },
		{ CACHE_STATUS_tree_depth, { "", "tree depth", CACHE_UNIT_COUNT } },
		{ CACHE_STATUS_root_usage_percent, { "", "root used %", CACHE_UNIT_COUNT } },
		{ CACHE_STATUS_active_journal_entries, { "", "journal entries", CACHE_UNIT_COUNT } },
		{ CACHE_STATUS_congested, { "", "congested", CACHE_UNIT_COUNT } },
	};
	static const struct cache_field amplification = {
		"", "write amplification", CACHE_UNIT_COUNT
	};
	double ratio;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (s->n.known[rows[i].v])
			put_number(r, &rows[i].f, &s->n, rows[i].v);
	if (cache_status_amplification(s, &ratio))
		cache_report_real(r, &amplification, ratio);
}

static void text_set(struct cmd *c, const struct cache_status_set *s, bool priorities)
{
	static const struct cache_field uuid = { "", "cache set", CACHE_UNIT_TEXT };
	struct cache_report *r = cmd_report(c);

	if (*s->uuid) {
		cache_report_str(r, &uuid, s->uuid);
		text_set_numbers(r, s);
	} else {
		cache_report_line(r, "attached to no cache set");
	}
	text_caches(r, &s->caches, priorities);
	text_backing(r, &s->backing);
	text_volumes(r, &s->volumes);
}

static struct cache_field field(const char *key)
{
	return (struct cache_field){ key, NULL, CACHE_UNIT_COUNT };
}

static void json_text(struct cache_report *r, const char *key, const char *text)
{
	struct cache_field f = field(key);

	cache_report_str(r, &f, text);
}

static void json_numbers(struct cache_report *r, enum cache_status_scope scope,
			 const struct cache_status_numbers *n, bool priorities)
{
	for (unsigned v = 0; v < CACHE_STATUS_NVALUES; v++) {
		const struct cache_status_def *def = cache_status_def(v);
		struct cache_field f = field(def->name);

		if (def->scope == scope && (priorities || strcmp(def->file, "priority_stats")))
			put_number(r, &f, n, v);
	}
}

static void json_windows(struct cache_report *r, const struct cache_status_numbers *window)
{
	struct cache_field f = field("hit_ratio_percent");
	double percent;

	cache_report_object(r, "windows");
	for (unsigned w = 0; w < CACHE_STATUS_NWINDOWS; w++) {
		cache_report_object(r, cache_status_window_name(w));
		json_numbers(r, CACHE_STATUS_WINDOW, &window[w], false);
		if (cache_status_hit_ratio(&window[w], &percent))
			cache_report_real(r, &f, percent);
		else
			cache_report_null(r, &f);
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void json_clean_when(struct cache_report *r, const struct cache_status_device *d)
{
	struct cache_field seconds = field("clean_in_seconds"), never = field("writeback_stopped");
	double s = 0;
	enum cache_status_clean_when when = cache_status_clean_when(d, &s);

	if (when <= CACHE_STATUS_CLEAN_AT_RATE)
		cache_report_real(r, &seconds, s);
	else
		cache_report_null(r, &seconds);
	cache_report_bool(r, &never, when == CACHE_STATUS_CLEAN_NEVER);
}

static void json_devices(struct cache_report *r, const char *key,
			 const struct cache_status_list *l, enum cache_status_scope scope,
			 bool priorities)
{
	struct cache_field size = field("size_sectors");

	cache_report_array(r, key);
	for (size_t i = 0; i < l->n; i++) {
		const struct cache_status_device *d = &l->d[i];

		cache_report_object(r, NULL);
		json_text(r, "name", d->name);
		if (scope != CACHE_STATUS_WINDOW)
			json_text(r, "device", d->device);
		put_u64(r, &size, d->size_sectors, d->size_sectors);
		if (scope == CACHE_STATUS_CACHE) {
			json_text(r, "policy", d->policy);
		} else {
			json_text(r, "bcache", d->bcache);
			json_text(r, "label", d->label);
		}
		if (scope != CACHE_STATUS_WINDOW)
			json_numbers(r, scope, &d->n, priorities);
		if (scope == CACHE_STATUS_BACKING) {
			json_text(r, "device_uuid", d->uuid);
			json_text(r, "state", d->state);
			json_text(r, "cache_mode", d->cache_mode);
			json_clean_when(r, d);
			json_windows(r, d->window);
		}
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void json_set(struct cache_report *r, const struct cache_status_set *s, bool priorities)
{
	struct cache_field f = field("write_amplification");
	double ratio;

	cache_report_object(r, NULL);
	json_text(r, "set_uuid", s->uuid);
	json_numbers(r, CACHE_STATUS_SET, &s->n, priorities);
	if (cache_status_amplification(s, &ratio))
		cache_report_real(r, &f, ratio);
	else
		cache_report_null(r, &f);
	json_windows(r, s->window);
	json_devices(r, "caches", &s->caches, CACHE_STATUS_CACHE, priorities);
	json_devices(r, "backing_devices", &s->backing, CACHE_STATUS_BACKING, priorities);
	json_devices(r, "volumes", &s->volumes, CACHE_STATUS_WINDOW, priorities);
	cache_report_end(r);
}

void status_show(struct cmd *c, const struct cache_status *s, bool priorities)
{
	struct cache_report *r = cmd_report(c);

	if (c->json) {
		cache_report_array(r, "cache_sets");
		for (size_t i = 0; i < s->n; i++)
			json_set(r, &s->set[i], priorities);
		cache_report_end(r);
		json_devices(r, "without_set", &s->without.backing, CACHE_STATUS_BACKING, false);
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			cache_report_line(r, "%s", "");
		text_set(c, &s->set[i], priorities);
	}
	if (s->n && s->without.backing.n)
		cache_report_line(r, "%s", "");
	if (s->without.backing.n)
		text_set(c, &s->without, false);
	if (!s->n && !s->without.backing.n)
		cache_report_line(r, "no cache set is running");
}

/* How fast a number of @from and @to grew, per second; a fall of a counter is not known. */
static void put_growth(struct cache_report *r, const struct cache_status_numbers *from,
		       const struct cache_status_numbers *to, enum cache_status_value v,
		       double seconds)
{
	double delta;

	if (cache_status_delta(from, to, v, &delta) && seconds > 0)
		cache_report_real(r, NULL, delta / seconds);
	else
		cache_report_null(r, NULL);
}

static void growth_row(struct cache_report *r, const struct cache_status_set *s,
		       const struct cache_status_device *a, const struct cache_status_device *b,
		       bool is_cache, double seconds)
{
	static const struct cache_status_numbers nothing;
	const struct cache_status_numbers *wa = is_cache ? &nothing : &a->window[CACHE_STATUS_TOTAL];
	const struct cache_status_numbers *wb = is_cache ? &nothing : &b->window[CACHE_STATUS_TOTAL];

	cache_report_row(r);
	put_text(r, s->uuid);
	put_text(r, b->name);
	put_text(r, b->device);
	put_growth(r, wa, wb, CACHE_STATUS_hits, seconds);
	put_growth(r, wa, wb, CACHE_STATUS_misses, seconds);
	put_growth(r, wa, wb, CACHE_STATUS_bypassed_bytes, seconds);
	put_number(r, NULL, &b->n, CACHE_STATUS_dirty_bytes);
	put_growth(r, &a->n, &b->n, CACHE_STATUS_dirty_bytes, seconds);
	put_growth(r, &a->n, &b->n, CACHE_STATUS_written_bytes, seconds);
	put_growth(r, &a->n, &b->n, CACHE_STATUS_metadata_written_bytes, seconds);
	cache_report_end(r);
}

static void growth_rows(struct cache_report *r, const struct cache_status_set *from,
			const struct cache_status_set *to, double seconds)
{
	const struct cache_status_list *lists[][2] = {
		{ &from->caches, &to->caches }, { &from->backing, &to->backing },
	};

	for (unsigned k = 0; k < 2; k++)
		for (size_t i = 0; i < lists[k][1]->n; i++) {
			const struct cache_status_device *b = &lists[k][1]->d[i];
			const struct cache_status_device *a =
				cache_status_find_device(lists[k][0], b->name);

			if (a)
				growth_row(r, to, a, b, k == 0, seconds);
		}
}

void status_show_growth(struct cmd *c, const struct cache_status *from,
			const struct cache_status *to)
{
	static const struct cache_field cols[] = {
		{ "set_uuid", NULL, CACHE_UNIT_TEXT }, { "name", "NAME", CACHE_UNIT_TEXT },
		{ "device", "DEVICE", CACHE_UNIT_TEXT },
		{ "hits_per_second", "HITS/s", CACHE_UNIT_COUNT },
		{ "misses_per_second", "MISSES/s", CACHE_UNIT_COUNT },
		{ "bypassed_bytes_per_second", "BYPASSED B/s", CACHE_UNIT_COUNT },
		{ "dirty_bytes", "DIRTY", CACHE_UNIT_BYTES },
		{ "dirty_bytes_per_second", "DIRTY B/s", CACHE_UNIT_COUNT },
		{ "written_bytes_per_second", "WRITTEN B/s", CACHE_UNIT_COUNT },
		{ "metadata_bytes_per_second", "METADATA B/s", CACHE_UNIT_COUNT },
	};
	struct cache_report *r = cmd_report(c);
	double seconds = (to->time_ns - from->time_ns) / 1e9;

	cache_report_table(r, "growth", cols, sizeof(cols) / sizeof(*cols), 0);
	for (size_t i = 0; i < to->n; i++) {
		const struct cache_status_set *a = cache_status_find(from, to->set[i].uuid);

		if (a)
			growth_rows(r, a, &to->set[i], seconds);
	}
	cache_report_end(r);
}
