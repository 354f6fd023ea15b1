/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JOURNAL_SEARCH_H
#define LIBCACHE_JOURNAL_SEARCH_H

#include "disk/journal.h"

/* Entries that the newest found asks for: all are there when @missed is past @end. */
struct cache_journal_gap {
	uint64_t start, end, missed;
};

/*
 * What the driver would find (behaviour 3.2): fills driver_newest_seq and
 * driver_agrees, and what it would replay, by the entry that it takes for the newest.
 * Return: 0; -ENOMEM.
 */
int cache_journal_search(const struct cache_sb *sb, struct cache_journal *j,
			 struct cache_journal_gap *gap);

#endif
