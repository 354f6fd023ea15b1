/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_STATUS_FILE_H
#define CMD_STATUS_FILE_H

#include "common.h"
#include "status/status.h"

/* The metrics as @file, which has the old ones or the new ones, whole, at any time. Returns the
 * exit status. */
int status_textfile(struct cmd *c, const struct cache_status *s, const char *prefix,
		    const char *file);

#endif
