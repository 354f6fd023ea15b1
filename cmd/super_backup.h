/* SPDX-License-Identifier: GPL-2.0-only */
/* cache-super-show --save and --restore. */
#ifndef CMD_SUPER_BACKUP_H
#define CMD_SUPER_BACKUP_H

#include "common.h"

struct super_backup {
	struct cmd *cmd;
	const char *path;	/* of the device */
	const char *file;	/* of the backup */
	const char *undo;	/* -z, or NULL */
	bool dry_run, yes, force;
};

/* Exit status; everything was reported. */
int super_save(const struct super_backup *s);
int super_restore(const struct super_backup *s);

#endif
