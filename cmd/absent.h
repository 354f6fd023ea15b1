/* SPDX-License-Identifier: GPL-2.0-only */
/* Cache devices of a set of several that were not named, as far as this machine has them. */
#ifndef CMD_ABSENT_H
#define CMD_ABSENT_H

#include "common.h"

#include <libcache/superblock.h>

struct cmd_absent {
	unsigned nr_in_set;		/* 0: no device of a set of several was named */
	uint8_t set_uuid[16];
	bool two_sets;			/* of several; then none is searched for */
	bool named[CACHE_MAX_CACHES_PER_SET];
	char *path[CACHE_MAX_CACHES_PER_SET];	/* NULL: not found */
};

/* A device that was named; one that is alone in its set is ignored. */
void cmd_absent_named(struct cmd_absent *a, const struct cache_sb *sb);

/* Reads the superblock of every block device if a member was not named. Before cmd_confine(). */
void cmd_absent_find(struct cmd_absent *a);

/* "member 1 of this set is /dev/sdc: name it too"; false when it was not found. */
bool cmd_absent_text(const struct cmd_absent *a, uint64_t index, char *line, size_t size);

void cmd_absent_fini(struct cmd_absent *a);

#endif
