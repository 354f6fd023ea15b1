/* SPDX-License-Identifier: GPL-2.0-only */
/* /etc/default/cache-tools: what bcache-register does at boot. */
#ifndef CMD_REGISTER_CONFIG_H
#define CMD_REGISTER_CONFIG_H

#include <stdbool.h>

#define REGISTER_CONFIG	"/etc/default/cache-tools"

struct register_config {
	bool check;		/* CHECK: look at a device before it is registered */
	unsigned seconds;	/* CHECK_SECONDS: for a check; then it is registered all the same */
	bool refuse_may_hang;	/* MAY_HANG: a start that may hang is refused like one that hangs */
	bool repair;		/* REPAIR: run cache-fsck -p on a device that would be refused */
};

/*
 * Reads lines NAME=VALUE, as a shell would; the first 64 KiB. A file that does not exist leaves
 * the defaults. What is wrong is given to @complain, one line each, and the default stays.
 */
void register_config_read(struct register_config *c, const char *file,
			  void (*complain)(void *ctx, const char *text), void *ctx);

#endif
