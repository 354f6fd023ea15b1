/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of cache-fsck: options (cache_fsck.c), the run, and what it says on the way. */
#ifndef CMD_FSCK_RUN_H
#define CMD_FSCK_RUN_H

#include "absent.h"
#include "common.h"
#include "fsck_losses.h"
#include "fsck_show.h"
#include "kernels.h"

#include <libcache/repair.h>

#define FSCK_DROP_MAX	64
#define FSCK_SLOTS_MAX	64

enum fsck_mode { FSCK_MODE_ASK, FSCK_MODE_LOOK = 'n', FSCK_MODE_PREEN = 'p', FSCK_MODE_YES = 'y' };

struct fsck_opts {
	struct cmd cmd;
	struct cmd_kernels kernels;
	enum fsck_mode mode;
	bool timing, allow_data_loss, dry_run, guess, clear_discard, fold;
	int progress_fd;
	const char *undo, *losses;
	uint64_t seed, threads;
	uint8_t drop[FSCK_DROP_MAX][16];
	unsigned ndrop;
	struct cache_repair_given_slot slots[FSCK_SLOTS_MAX];
	unsigned nslots;
	char **specs;
	unsigned n;
};

struct fsck_run {
	struct fsck_opts *o;
	char **paths;
	struct cache_dev **devs;	/* opened read-only */
	struct cache_repair_result *results;
	struct fsck_findings findings, left;	/* of the first and second check */
	struct fsck_owners owners;
	struct fsck_losses losses;
	struct cmd_absent absent;
	unsigned losses_shown;		/* device whose losses were shown before the question */
	struct cmd_progress progress;
	unsigned progress_dev;
	bool failed;			/* a device could not be opened to be repaired */
};

/* Checks and repairs the devices of @o and shows the result. Exit status. */
int fsck_run(struct fsck_opts *o);

/* fsck_talk.c: sets the callbacks of @opts that report to the user and ask him. */
void fsck_talk(struct fsck_run *r, struct cache_repair_opts *opts);
/* What a check without a repair knows to be lost. */
void fsck_talk_losses(struct fsck_run *r);

#endif
