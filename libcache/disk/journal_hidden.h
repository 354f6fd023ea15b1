/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JOURNAL_HIDDEN_H
#define LIBCACHE_JOURNAL_HIDDEN_H

#include "disk/journal.h"

/**
 * cache_journal_hidden() - find entries behind damage, which the driver never reads
 * @before: the entry that the damaged ones followed
 * @max: greatest seq to accept
 * @sink:   as cache_found(): receives what cannot be read
 *
 * An entry is accepted if its seq follows that of @before by no more than the number of entries
 * that can have been between them. It is inserted into @j->entries and marked hidden;
 * @j->bucket_seq stays as the driver sees it.
 *
 * Return: how many; -ENOMEM; without @sink the errno of what cannot be read.
 */
int cache_journal_hidden(struct cache_dev *dev, const struct cache_sb *sb,
			 struct cache_journal *j, const struct cache_jset_pos *before,
			 uint64_t max, const struct cache_sink *sink, struct cache_err *err);

/* Reports once that bucket @index cannot be read. */
int cache_journal_unreadable(const struct cache_sb *sb, struct cache_journal *j, uint32_t index,
			     uint64_t sector, const struct cache_sink *sink,
			     struct cache_err *err);

#endif
