/* SPDX-License-Identifier: GPL-2.0-only */
/* The devices of a picture, and what is wrong with them. */
#ifndef CMD_MAP_OPEN_H
#define CMD_MAP_OPEN_H

#include "common.h"
#include "set/set.h"

#define MAP_FINDINGS_HELD	256

struct map_findings {
	char *text[MAP_FINDINGS_HELD + 1];	/* lines, a NULL at the end */
	uint64_t n, nwrong;		/* all; notes not among them */
	enum cache_verdict verdict;	/* of the kernels, the worst */
	bool damage;			/* one may return wrong blocks after it */
	struct map_device *dev;
};

struct map_device {
	struct cmd *cmd;
	char *path;
	struct cache_dev *dev;
	struct cache_set *set;
	struct cache_sink sink;
	struct cmd_progress progress;	/* of the load */
	uint64_t nwrong;		/* problems that were printed */
};

/* Both are false after an error that says why there is nothing to draw. */
bool map_open(struct cmd *c, const char *spec, struct map_device *d);
/* Load an opened cache device as far as it goes; problems are printed. @fd: of -C. */
bool map_load(struct map_device *d, int fd);
void map_close(struct map_device *d);

/* Size of the bcache device of each backing device that was named. */
struct map_backing {
	uint8_t uuid[16];
	uint64_t sectors;
};
bool map_open_backing(struct cmd *c, const char *spec, struct map_backing *b);

/* What cache-fsck finds on @d. */
int map_check(struct map_device *d, struct map_findings *f);
void map_findings_free(struct map_findings *f);

#endif
