/* SPDX-License-Identifier: GPL-2.0-only */
/* The output of cache-fsck: findings as they are made, then a result for each device. */
#ifndef CMD_FSCK_SHOW_H
#define CMD_FSCK_SHOW_H

#include "absent.h"
#include "common.h"
#include "kernels.h"

#include <libcache/fsck.h>
#include <libcache/repair.h>

struct fsck_losses;

/* Findings kept for JSON, which can only tell at the end which were repaired. */
struct fsck_findings {
	struct fsck_finding {
		unsigned dev;
		struct cache_finding f;
	} *list;
	size_t n, capacity;
	uint64_t missed;	/* not kept, because there were too many */
	/* for each device and code: whether it was found, kept or not */
	bool (*seen)[CACHE_P_COUNT];
	unsigned nseen;
};

void fsck_findings_add(struct fsck_findings *h, unsigned dev, const struct cache_finding *f);
bool fsck_findings_has(const struct fsck_findings *h, unsigned dev, enum cache_problem code);
void fsck_findings_fini(struct fsck_findings *h);

/* Slots whose owner was found, for JSON. */
struct fsck_owners {
	struct fsck_owner {
		unsigned dev;
		struct cache_repair_slot slot;
	} *list;
	size_t n, capacity;
};

/* Drops it if there is no memory. */
void fsck_owners_add(struct fsck_owners *o, unsigned dev, const struct cache_repair_slot *slot);
/* The array "slots" of device @dev. */
void fsck_owners_json(const struct fsck_owners *o, unsigned dev, struct cache_report *out);

struct fsck_show {
	struct cmd *cmd;
	char **paths;
	unsigned n;
	const struct cache_repair_result *results;	/* n */
	const struct fsck_findings *findings, *left;		/* left: found the second time */
	const struct fsck_owners *owners;
	struct fsck_losses *losses;
	const struct cmd_absent *absent;
	uint64_t seed;
	const char *undo;	/* file of the first device; NULL: none */
	double seconds;
	bool timed;
	unsigned threads;
	bool guess;		/* was allowed */
	const struct cmd_kernels *kernels;	/* those asked for */
};

/* One line, for people. Notes are shown with -v. */
void fsck_show_finding(const struct cmd *cmd, struct cache_report *r, const char *path,
		       const struct cache_finding *f);
/* One line per device, and with -v its numbers. */
void fsck_show_text(const struct fsck_show *s);
/* The whole JSON document. */
void fsck_show_json(const struct fsck_show *s);

/* fsck_times.c: what -t adds, for people and as an object of a result; nothing without -t. */
void fsck_show_times(const struct fsck_show *s);
void fsck_json_times(const struct fsck_show *s, const struct cache_fsck_result *res);

/* "the kernel will start this cache set", "the kernel will panic ..." */
const char *fsck_kernel_words(const struct cache_fsck_result *r);

/* The state now: after the repair, if there was one. */
const struct cache_fsck_result *fsck_final_result(const struct fsck_show *s, unsigned i);
void fsck_show_sectors(const struct cmd *c, uint64_t sectors, char buf[CACHE_HUMAN_BYTES]);

/* One line for each member to name too, and for each thing to do where a repair failed. */
typedef void fsck_next_fn(void *ctx, const char *line);
void fsck_next_steps(const struct fsck_show *s, unsigned i, fsck_next_fn *say, void *ctx);

#endif
