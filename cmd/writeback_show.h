/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The output of cache-writeback: of each device what is dirty, what was copied and what could not
 * be copied.
 */
#ifndef CMD_WRITEBACK_SHOW_H
#define CMD_WRITEBACK_SHOW_H

#include <stdio.h>

#include "common.h"
#include "fsck_losses.h"
#include "writeback/writeback.h"

/* Text has so many ranges of each device, and all of them with --list. */
#define WRITEBACK_SHOW_RANGES	10

/* A range that could not be copied, for the list and the map. */
struct writeback_failed {
	struct cache_writeback_failure f;
	uint8_t uuid[16];
	uint64_t data_start;
	int backing;
};

struct writeback_show {
	struct cmd *cmd;
	char **paths;			/* the cache device, then the backing devices */
	unsigned npaths;
	bool look, all_ranges, detach, force, export;
	struct fsck_losses losses;
	uint64_t cache_sectors;		/* of the cache device, for the map */
	struct writeback_failed *failed;
	size_t nfailed, capacity;
	bool no_memory;			/* for some of them */
	bool told;			/* what is dirty; of a set that never ran it is not asked */
	bool in_ranges;			/* the table is open */
	uint32_t range_inode;		/* of the ranges that were shown last */
	uint64_t nranges;		/* shown, or left out, of that device */
	uint64_t hidden;		/* left out, of all */
};

/* Callbacks of the library; @ctx of each is the struct above. */
void writeback_show_devices(struct writeback_show *s, const struct cache_writeback_device *list,
			    unsigned n);
void writeback_show_range(struct writeback_show *s, const struct cache_writeback_device *d,
			  uint64_t start, uint64_t end);
void writeback_show_failed(struct writeback_show *s, const struct cache_writeback_device *d,
			   const struct cache_writeback_failure *f);

/* What could not be copied, in the order of the backing device. */
void writeback_show_sort(struct writeback_show *s);

/* What became of it; @ret is what the run returned. */
void writeback_show_result(struct writeback_show *s, const struct cache_writeback_result *res,
			   int ret);

/* Sectors that could not be copied as TSV in @name, and in @name.map the bad ones of the cache
 * device as ddrescue takes them. 0, or EXIT_FAILED after a message. */
int writeback_show_failed_check(struct writeback_show *s, const char *name);	/* before any copy */
int writeback_show_failed_list(struct writeback_show *s, const char *name);

void writeback_show_fini(struct writeback_show *s);

#endif
