/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CMD_BCACHE_STATUS_H
#define CMD_BCACHE_STATUS_H

/* cache-status with the options and the labels of the script of that name in bcache-tools. */
int bcache_status(int argc, char **argv);

#endif
