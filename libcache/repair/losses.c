// SPDX-License-Identifier: GPL-2.0-only
/* Losses, merged; see losses.h. */
#include "repair/losses.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "base/types.h"

static const struct {
	const char *name, *text;
} table[CACHE_LOSS_COUNT] = {
	[CACHE_LOSS_NONE] = { "NONE", "" },
#define LOSS(code, text) [CACHE_LOSS_##code] = { #code, text },
#include <libcache/losses.def>
#undef LOSS
};

const char *cache_loss_code_name(enum cache_loss_code code)
{
	return table[(unsigned)code < CACHE_LOSS_COUNT ? code : CACHE_LOSS_NONE].name;
}

const char *cache_loss_text(enum cache_loss_code code)
{
	return table[(unsigned)code < CACHE_LOSS_COUNT ? code : CACHE_LOSS_NONE].text;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* A range of which a copy was kept is not lost. */
static bool is_certain(const struct cache_repair_loss *loss)
{
	return loss->certain && !loss->kept;
}

/* Whether two ranges differ in their place only, so that they may be joined. */
static int compare_kind(const struct cache_losses_range *a, const struct cache_losses_range *b)
{
	int cmp = compare_u64(a->dev, b->dev);

	if (!cmp)
		cmp = compare_u64(a->loss.inode, b->loss.inode);
	if (!cmp)
		cmp = compare_u64(is_certain(&b->loss), is_certain(&a->loss));
	return cmp ? cmp : compare_u64(a->loss.code, b->loss.code);
}

static int by_kind(const void *x, const void *y)
{
	const struct cache_losses_range *a = x, *b = y;
	int cmp = compare_kind(a, b);

	return cmp ? cmp : compare_u64(a->loss.start, b->loss.start);
}

/* Joins ranges that are at most @gap sectors apart. */
static void join(struct cache_losses *l, uint64_t gap)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct cache_losses_range *last = n ? &l->list[n - 1] : NULL, *r = &l->list[i];

		if (last && !compare_kind(last, r) &&
		    (r->loss.start <= last->loss.end || r->loss.start - last->loss.end <= gap))
			last->loss.end = cache_max_u64(last->loss.end, r->loss.end);
		else
			l->list[n++] = *r;
	}
	l->n = n;
}

void cache_losses_merge(struct cache_losses *l)
{
	if (l->merged || !l->n)
		return;
	/* CACHE_LOSSES_MAX at most */
	qsort(l->list, l->n, sizeof(*l->list), by_kind);
	join(l, 0);
	l->merged = true;
}

/* Joining with a gap names more sectors than are lost, never fewer. */
static void shrink(struct cache_losses *l)
{
	cache_losses_merge(l);
	for (uint64_t gap = 8; l->n > CACHE_LOSSES_MAX / 2 && gap < CACHE_DEV_SECTORS_MAX; gap *= 8) {
		l->coarse = true;
		join(l, gap);
	}
}

void cache_losses_add(struct cache_losses *l, unsigned dev, const struct cache_repair_loss *loss)
{
	void *p;

	if (loss->start >= loss->end)
		return;
	if (l->n >= CACHE_LOSSES_MAX)
		shrink(l);
	p = cache_array_grow(l->list, l->n, &l->capacity, sizeof(*l->list));
	if (!p) {
		l->failed = true;
		return;
	}
	l->list = p;
	l->list[l->n++] = (struct cache_losses_range){ dev, *loss };
	l->merged = false;
}

uint64_t cache_losses_sectors(struct cache_losses *l, unsigned dev, bool certain)
{
	uint64_t n = 0;

	cache_losses_merge(l);
	for (size_t i = 0; i < l->n; i++) {
		const struct cache_repair_loss *loss = &l->list[i].loss;

		if (l->list[i].dev == dev && is_certain(loss) == certain)
			n += loss->end == UINT64_MAX ? 1 : loss->end - loss->start;
	}
	return n;
}

void cache_losses_fini(struct cache_losses *l)
{
	free(l->list);
	memset(l, 0, sizeof(*l));
}
