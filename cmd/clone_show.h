/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The output of cache-clone: what fits, what does not, what could not be read, and what to do next.
 */
#ifndef CMD_CLONE_SHOW_H
#define CMD_CLONE_SHOW_H

#include "clone/clone.h"
#include "common.h"
#include "fsck_losses.h"

/* Sectors that could not be read. */
struct clone_failed {
	struct cache_clone_failure f;
	uint8_t uuid[16];
	uint64_t data_start;
};

struct clone_show {
	struct cmd *cmd;
	char *paths[2];			/* source, target */
	bool look, list, keep_uuid, retired;
	struct fsck_losses losses;
	struct clone_failed *failed;
	size_t nfailed, capacity;
	bool no_memory;			/* for some of them */
	bool in_ranges;			/* the table is open */
	bool told;			/* what will be done */
};

/* Callbacks of the library. */
void clone_show_planned(struct clone_show *s, const struct cache_clone_result *res);
void clone_show_left(struct clone_show *s, const struct cache_clone_device *d, uint64_t start,
		     uint64_t end);
void clone_show_failed(struct clone_show *s, const struct cache_clone_device *d,
		       const struct cache_clone_failure *f);

/* What became of it. */
void clone_show_result(struct clone_show *s, const struct cache_clone_result *res);
void clone_show_fini(struct clone_show *s);

#endif
