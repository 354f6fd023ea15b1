/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --kernel VERSION
 * running
 * all: for which versions of the driver an answer is given.
 */
#ifndef CMD_KERNELS_H
#define CMD_KERNELS_H

#include "common.h"

#include "format/eras.h"

struct cmd_kernels {
	uint32_t eras;			/* mask of enum cache_era; 0: not chosen yet */
	bool	 is_one;		/* a single kernel: @release tells what is known of it */
	struct cache_release release;
	char	 name[65];		/* its name, as given or as it runs */
};

/* Texts for the argp option, the same in every applet that has it. */
#define CMD_KERNEL_ARG	"VERSION"
#define CMD_KERNEL_DOC	"of which kernels: a version, \"running\" or \"all\"; default: the running " \
			"one if it has bcache, else all"

/* The value of the option; one that names no kernel with bcache is a usage error. */
void cmd_kernels_arg(struct cmd_kernels *k, const char *arg, const struct argp_state *state);

/* Used when the option was not given: the running kernel if it has bcache, else all. */
void cmd_kernels_default(struct cmd_kernels *k);

/* Tells what is uncertain about a single kernel: as a note, or as a warning if it is too new. */
void cmd_kernels_say(const struct cmd_kernels *k, const struct cmd *c);

/* Whether a kernel asked for may oops when a set is disabled before its root is read. */
bool cmd_kernels_may_oops(const struct cmd_kernels *k);

#endif
