/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JOURNAL_DISCARD_H
#define LIBCACHE_JOURNAL_DISCARD_H

#include "disk/journal.h"

/**
 * cache_journal_was_discarded() - whether what stood in the ring before @next is given back
 * @next: the oldest entry of the replay range that is there
 *
 * Return: 1: as a discard leaves it; 0: something else happened to it; -ENOMEM.
 */
int cache_journal_was_discarded(struct cache_dev *dev, const struct cache_sb *sb,
				const struct cache_journal *j,
				const struct cache_jset_pos *next, struct cache_err *err);

#endif
