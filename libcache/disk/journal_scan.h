/* SPDX-License-Identifier: GPL-2.0-only */
/* One reading of a ring, shared by journal.c, which finds entries, and journal_order.c. */
#ifndef LIBCACHE_JOURNAL_SCAN_H
#define LIBCACHE_JOURNAL_SCAN_H

#include "disk/journal.h"
#include "disk/read_ahead.h"

struct cache_journal_scan {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	struct cache_journal *j;
	const struct cache_sink *sink;
	struct cache_err *err;
	uint64_t magic;
	char *buf;		/* CACHE_JSET_WINDOW_BYTES */
	struct cache_read_ahead first;	/* the beginnings of ring buckets */
	size_t capacity;	/* entries allocated */
	uint64_t seen;		/* seq of the newest entry that the driver can read */
};

/*
 * What the entries of a ring mean together, once all are read: hidden ones, the newest, those
 * to replay, gaps, and what the driver's search finds. At least one entry.
 */
int cache_journal_understand(struct cache_journal_scan *s);

#endif
