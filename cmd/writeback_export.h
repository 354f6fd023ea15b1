/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file of cache-writeback --export, its table for the device-mapper, and the commands with
 * which both are used. Until all is copied the file is called FILE.part.
 */
#ifndef CMD_WRITEBACK_EXPORT_H
#define CMD_WRITEBACK_EXPORT_H

#include <stdio.h>

#include "common.h"
#include "writeback_show.h"

struct writeback_export {
	struct cmd *cmd;
	struct writeback_show *show;	/* knows which sectors failed */
	const char *file;		/* NULL: no export */
	const char *backing;		/* path, of which the file is an overlay; NULL: of none */
	char *part, *table_name;
	struct cache_dev *dev;		/* the file */
	FILE *table;
	uint64_t data_start, table_end;	/* sectors: of the backing device; that the table has */
	bool failed, missing;		/* the table cannot be written; dirty data is not in the file */
	size_t next_failed;
};

/* A callback of the library: a new file, which is not there under its name yet. */
int writeback_export_create(struct writeback_export *x, const struct cache_writeback_device *d,
			    uint64_t sectors, struct cache_dev **dev, struct cache_err *err);

/* What became of a range of the device, in order. */
void writeback_export_range(struct writeback_export *x, const struct cache_writeback_device *d,
			    uint64_t start, uint64_t end, enum cache_writeback_range what);

/*
 * @keep: all was copied that can be; the file gets its name, and the commands are printed. Else
 * nothing is left. @backing_sectors: of the backing device. 0, or EXIT_FAILED after a message.
 */
int writeback_export_end(struct writeback_export *x, bool keep, uint64_t backing_sectors);

void writeback_export_fini(struct writeback_export *x);

#endif
