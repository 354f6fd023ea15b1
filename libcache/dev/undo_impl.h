/* SPDX-License-Identifier: GPL-2.0-only */
/* An undo file in memory: shared by the file that reads it and the one that applies it. */
#ifndef LIBCACHE_UNDO_IMPL_H
#define LIBCACHE_UNDO_IMPL_H

#include <errno.h>
#include <sys/stat.h>

#include "dev/dev.h"
#include "dev/undo_disk.h"

struct undo_record {
	uint64_t sector, nsectors;
	uint64_t old_csum;
	off_t at;			/* offset of the old data in the file */
};

/* What one record says of a sector: checksums of the content before and after the write. */
struct undo_sector {
	uint64_t sector, old_csum, new_csum;
};

struct cache_undo {
	int fd;
	struct stat st;
	uint64_t dev_sectors;
	char device[sizeof(((struct cache_undo_head_disk *)0)->device)];
	char program[sizeof(((struct cache_undo_head_disk *)0)->program)];
	struct cache_undo_origin origin;
	uint64_t chain;			/* csum of the last record, or of the header */
	struct undo_record *rec;
	size_t n, rec_capacity;
	struct undo_sector *known;	/* all records; sorted by sector at the end */
	size_t nknown, known_capacity;
	bool closed, sorted;
	/* the last record, if the file lacks it: its write must not have begun */
	struct undo_record missing;
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
	void *ctx;
};

/* 0, or -ECANCELED when the caller asks to stop. */
static inline int cache_undo_poll(const struct cache_undo *u, enum cache_undo_pass pass,
				  uint64_t current, uint64_t max)
{
	return u->progress && u->progress(u->ctx, pass, current, max) ? -ECANCELED : 0;
}

/* Reads saved data: 0, or -EBADMSG when its checksum is wrong. */
int cache_undo_read_old(const struct cache_undo *u, const struct undo_record *r, void *buf);

#endif
