// SPDX-License-Identifier: GPL-2.0-only
/* Findings that are made before their place in the order, or that may turn out to be void. */
#include "fsck/fsck_impl.h"

#include <stdlib.h>

#include "base/array.h"

/* With more findings than this, the walk is done again instead: memory stays bounded. */
#define HELD_MAX	4096

void cache_fsck_hold(void *ctx, const struct cache_finding *f)
{
	struct fsck_held *h = ctx;
	void *p = NULL;

	h->full |= h->n == HELD_MAX;
	if (h->full)
		return;
	p = cache_array_grow(h->f, h->n, &h->capacity, sizeof(*h->f));
	h->failed |= !p;
	if (!p)
		return;
	h->f = p;
	h->f[h->n++] = *f;
}

void cache_fsck_held_report(struct fsck_held *h, const struct cache_sink *sink)
{
	for (size_t i = 0; i < h->n; i++)
		cache_found(sink, NULL, &h->f[i]);
}

void cache_fsck_held_fini(struct fsck_held *h)
{
	free(h->f);
	*h = (struct fsck_held){ 0 };
}
