/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JOURNAL_SEARCH_H
#define LIBCACHE_JOURNAL_SEARCH_H

#include "libcache/journal.h"

/*
 * What the driver would find (behaviour 3.2): fills driver_newest_seq and
 * driver_agrees; @missed is the first seq of the replay range it would not have.
 * Return: 0; -ENOMEM.
 */
int cache_journal_search(const struct cache_sb *sb, struct cache_journal *j,
			 uint64_t *missed);

#endif
