/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_SHOW_PRIOS_H
#define CMD_SHOW_PRIOS_H

#include "show.h"

struct show_prios {
	struct show show;		/* first */
	bool all, raw, recovered;
	uint64_t first, end;		/* buckets of the device among those of the set */
	bool all_known;			/* the whole chain verified */
};

/* One bucket as it is shown. */
struct show_bucket {
	bool known;			/* prio and gen: its prio_set verified */
	uint16_t prio;
	uint8_t gen;
	enum cache_role role;		/* this and what follows: unless --raw */
	enum cache_gc_mark mark;
	uint32_t sectors_used;
};

/* Without @known and @role. */
static inline struct show_bucket show_prios_numbers(const struct show_prios *o, uint64_t b)
{
	const struct cache_set *set = o->show.set;
	struct show_bucket v = { .prio = set->prios.prio[b], .gen = set->prios.gen[b] };

	if (o->raw)
		return v;
	v.mark = cache_bucket_mark(&set->buckets, b);
	v.sectors_used = cache_bucket_sectors_used(&set->buckets, b);
	if (!o->recovered)
		return v;
	v.prio = cache_bucket_prio(&set->buckets, b);
	v.gen = cache_bucket_gen(&set->buckets, b);
	return v;
}

struct show_bucket show_prios_look(const struct show_prios *o, uint64_t b);

/* A cell that is null when @known is false. */
void show_prios_cell(struct show_prios *o, bool known, uint64_t v);

/* The figures of priority_stats and the histogram. 0 or EXIT_FAILED. */
int show_prios_summary(struct show_prios *o);

#endif
