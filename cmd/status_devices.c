// SPDX-License-Identifier: GPL-2.0-only
#include "status_devices.h"

#include <limits.h>
#include <string.h>

#include "applet.h"
#include "set/set.h"

static void put(struct cache_status_device *d, enum cache_status_value v, double value)
{
	d->n.known[v] = true;
	d->n.v[v] = value;
}

static void put_ring(struct cache_status_device *d, const struct cache_set *set)
{
	const struct cache_journal *j = &set->journal;
	unsigned held = 0;

	for (uint32_t i = 0; i < set->sb.njournal; i++)
		held += cache_journal_is_replayed(j, i);
	put(d, CACHE_STATUS_journal_ring_buckets, set->sb.njournal);
	put(d, CACHE_STATUS_journal_ring_free_buckets, set->sb.njournal - held);
}

static void put_lag(struct cache_status_device *d, const struct cache_set *set)
{
	const struct cache_gens *g = &set->gens;
	uint8_t most = 0;

	for (uint64_t b = set->sb.first_bucket; b < g->nbuckets; b++) {
		uint8_t lag = cache_gens_lag(g, b);

		most = lag > most ? lag : most;
	}
	put(d, CACHE_STATUS_gen_lag_max, most);
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	return cmd_cancelled();
}

/* Directly: the page cache may have what was there before the driver wrote. */
static int read_device(const char *path, struct cache_status_device *d, struct cache_err *err)
{
	const struct cache_sink sink = { .report = cache_sink_ignore, .progress = on_progress };
	struct cache_set *set;
	struct cache_dev *dev;
	int ret = cache_dev_open(path, CACHE_DEV_READ | CACHE_DEV_DIRECT, &dev, err);

	if (ret)
		return ret;
	ret = cache_set_load(dev, CACHE_LOAD_GENS, &sink, &set, err);
	if (!ret) {
		if (set->has_journal)
			put_ring(d, set);
		if (set->loaded >= CACHE_LOAD_GENS)
			put_lag(d, set);
		cache_set_close(set);
	}
	cache_dev_close(dev);
	return ret;
}

void status_read_devices(struct cmd *c, const char *folder, struct cache_status *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->set[i].caches.n; k++) {
			struct cache_status_device *d = &s->set[i].caches.d[k];
			struct cache_err err = { 0 };
			char path[PATH_MAX];
			int ret;

			if (!*d->device)
				continue;
			snprintf(path, sizeof(path), "%s/%s", folder, d->device);
			ret = read_device(path, d, &err);
			if (ret)
				cmd_warn(c, path, "%s", cache_err_text(&err, ret));
		}
}
