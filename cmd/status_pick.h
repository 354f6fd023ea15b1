/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_STATUS_PICK_H
#define CMD_STATUS_PICK_H

#include "common.h"
#include "status/status.h"

/**
 * status_pick() - keep the sets that were asked for
 * @names: UUIDs of sets or backing devices, paths and names of devices, UUID= and LABEL=; with
 *	   none everything is kept
 *
 * A set is kept as a whole. Return: 0, or -1 after an error with the name that no set has.
 */
int status_pick(struct cmd *c, struct cache_status *s, char **names, unsigned n);

#endif
