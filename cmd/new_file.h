/* SPDX-License-Identifier: GPL-2.0-only */
/* Results that are a file: metrics, pictures. */
#ifndef CMD_NEW_FILE_H
#define CMD_NEW_FILE_H

#include "common.h"

/**
 * cmd_new_file() - write @file, which is the old one or the new one, whole, at any time
 * @fill: writes it; 0 or a negative errno
 *
 * Anybody may read it whom the umask lets. What is there and no regular file, a device or a link,
 * is refused. Return: the exit status, after an error was printed.
 */
int cmd_new_file(struct cmd *c, const char *file, int (*fill)(void *ctx, FILE *out), void *ctx);

#endif
