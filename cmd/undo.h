/* SPDX-License-Identifier: GPL-2.0-only */
/* -z FILE, for every applet that writes. */
#ifndef CMD_UNDO_H
#define CMD_UNDO_H

#include "common.h"
#include <libcache/device.h>

#define CMD_UNDO_OPTION \
	{ "undo", 'z', "FILE", 0, "save what is overwritten to FILE, for cache-undo" }

/**
 * cmd_undo() - from now on save what is overwritten on @dev
 * @dev:   replaced by the wrapper
 * @index: of several devices of one call: the first has FILE, then FILE.2, FILE.3 ...
 *
 * Return: 0, or an exit status after an error was reported; *@dev is NULL then.
 */
int cmd_undo(struct cmd *c, struct cache_dev **dev, const char *file, unsigned index);

/* Tells how to undo, when the file of @index is kept. */
void cmd_undo_note(const struct cmd *c, const char *device, const char *file, unsigned index);

/* The name of the file of device @index; @buf may hold it. */
const char *cmd_undo_name(const char *file, unsigned index, char *buf, size_t nbytes);

/* Removes the file of @index: nothing was written, so it would restore nothing. */
void cmd_undo_forget(const char *file, unsigned index);

#endif
