/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_SHOW_PRIOS_H
#define CMD_SHOW_PRIOS_H

#include "show.h"

struct show_prios {
	struct show show;		/* first */
	bool all, raw, recovered;
	uint64_t first, end;		/* buckets of the device among those of the set */
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

struct show_bucket show_prios_look(const struct show_prios *o, uint64_t b);

/* A cell that is null when @known is false. */
void show_prios_cell(struct show_prios *o, bool known, uint64_t v);

/* The figures of priority_stats and the histogram. 0 or EXIT_FAILED. */
int show_prios_summary(struct show_prios *o);

#endif
