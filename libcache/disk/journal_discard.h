/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JOURNAL_DISCARD_H
#define LIBCACHE_JOURNAL_DISCARD_H

#include "disk/journal.h"

/**
 * cache_journal_was_discarded() - whether the ring buckets before @next were discarded
 * @next: the oldest entry of the replay range that is there
 *
 * Return: 1: they read as after a discard; 0: they do not; -ENOMEM.
 */
int cache_journal_was_discarded(struct cache_dev *dev, const struct cache_sb *sb,
				const struct cache_journal *j,
				const struct cache_jset_pos *next, struct cache_err *err);

#endif
