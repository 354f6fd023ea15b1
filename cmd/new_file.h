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

/**
 * cmd_list_may_replace() - whether a list that starts with @first may be written to @file
 *
 * It may be new, empty, an older such list, or no file of a disk, as /dev/stdout. A file with
 * anything else is refused, so that no disk image is taken for a list. False after a message.
 */
bool cmd_list_may_replace(struct cmd *c, const char *file, const char *first);

/* Opens it, empty. NULL after a message. The caller closes it. */
FILE *cmd_list_open(struct cmd *c, const char *file, const char *first);

#endif
