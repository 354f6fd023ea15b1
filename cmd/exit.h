/* SPDX-License-Identifier: GPL-2.0-only */
/* Exit status of a process. */
#ifndef CMD_EXIT_H
#define CMD_EXIT_H

enum {
	EXIT_DONE	= 0,
	EXIT_FAILED	= 1,	/* it failed, or what was examined is not right */
	EXIT_USAGE	= 2,
};

/* only for cache-fsck: the bits of fsck(8) */
enum {
	FSCK_CLEAN	 = 0,
	FSCK_CORRECTED	 = 1,
	FSCK_UNCORRECTED = 4,
	FSCK_ERROR	 = 8,
	FSCK_USAGE	 = 16,
	FSCK_CANCELLED	 = 32,
};

#endif
