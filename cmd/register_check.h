/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel would do with a device, asked in a process of its own, so that a slow disk, a
 * large set or a fault in the check itself cannot hold up the boot.
 */
#ifndef CMD_REGISTER_CHECK_H
#define CMD_REGISTER_CHECK_H

#include "kernels.h"

#include <libcache/findings.h>

enum register_state {
	REGISTER_CHECKED,	/* to the end; @verdict and @text are the result */
	REGISTER_TOO_SLOW,	/* time is up; @verdict has what was found until then */
	REGISTER_NOT_CHECKED,	/* the check itself failed; @text says why */
	REGISTER_NO_BCACHE,	/* no superblock of bcache */
	REGISTER_NOT_OPENED,	/* @text says why */
};

struct register_result {
	enum register_state state;
	enum cache_verdict verdict;
	char text[512];		/* the finding that makes the kernel do it; may be empty */
};

/*
 * Only reads. Ends after @seconds whatever the device does; a finding for which
 * @is_enough returns true ends it at once.
 */
void register_check(const char *path, const struct cmd_kernels *kernels, unsigned seconds,
		    bool (*is_enough)(void *ctx, enum cache_verdict v), void *ctx,
		    struct register_result *res);

#endif
