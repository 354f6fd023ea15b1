/* SPDX-License-Identifier: GPL-2.0-only */
/* The losses of a repair: lines of text, an array in JSON, a file of TSV. */
#ifndef CMD_FSCK_LOSSES_H
#define CMD_FSCK_LOSSES_H

#include <stdio.h>

#include "common.h"
#include "repair/losses.h"

struct fsck_losses {
	struct cmd *cmd;
	char **paths;
	struct cache_dev **devs;	/* with a backing device among them its path is given */
	unsigned n;
	struct cache_losses all;
	/* the uuid whose path was searched for last, and the path */
	uint8_t asked_uuid[16];
	const char *asked_path;
	FILE *file;			/* of --losses; NULL: none */
	const char *name;
};

/* Creates the file of --losses, before anything is repaired. 0, or EXIT_FAILED after a message. */
int fsck_losses_open(struct fsck_losses *l, const char *name);
/* Writes and closes the file. 0, or EXIT_FAILED after a message. */
int fsck_losses_close(struct fsck_losses *l);

/*
 * One line per merged range of device @dev, and one with the sum; @done: the repair was carried
 * out.
 */
void fsck_losses_text(struct fsck_losses *l, unsigned dev, bool done);
/* "losses": [...] of all devices. */
void fsck_losses_json(struct fsck_losses *l);

#endif
