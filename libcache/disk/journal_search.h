/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JOURNAL_SEARCH_H
#define LIBCACHE_JOURNAL_SEARCH_H

#include "disk/journal.h"

/* The seqs that the newest entry found requires; all exist when @missed is past @end. */
struct cache_journal_gap {
	uint64_t start, end, missed;
};

/*
 * What the driver would find (behaviour 3.2): fills driver_newest_seq and driver_agrees, and
 * @gap with the range that the entry which it takes for the newest asks for.
 * Of @sink, which may be NULL, the progress alone is called.
 * Return: 0; -ENOMEM; -ECANCELED.
 */
int cache_journal_search(const struct cache_sb *sb, struct cache_journal *j,
			 struct cache_journal_gap *gap, const struct cache_sink *sink);

#endif
