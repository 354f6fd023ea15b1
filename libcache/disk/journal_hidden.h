/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JOURNAL_HIDDEN_H
#define LIBCACHE_JOURNAL_HIDDEN_H

#include "disk/journal.h"

struct cache_journal_search;

/*
 * A search for entries behind damage, which the driver never reads. Each bucket of the ring is
 * read twice at most, however often it is looked into. @sink: as cache_found(): receives what
 * cannot be read. Return: NULL without memory. Release with cache_journal_search_end().
 */
struct cache_journal_search *cache_journal_search_begin(struct cache_dev *dev,
							const struct cache_sb *sb,
							struct cache_journal *j,
							const struct cache_sink *sink,
							struct cache_err *err);
void cache_journal_search_end(struct cache_journal_search *h);

/**
 * cache_journal_hidden() - find entries behind damage
 * @before: the entry that the damaged ones followed; not in @j->entries itself, which may move
 * @max: greatest seq to accept
 *
 * An entry is accepted if its seq follows that of @before by no more than the number of entries
 * that can have been between them. It is inserted into @j->entries and marked hidden;
 * @j->bucket_seq stays as the driver sees it.
 *
 * Return: how many; -ENOMEM, -ECANCELED; without a sink the errno of what cannot be read.
 */
int cache_journal_hidden(struct cache_journal_search *h, const struct cache_jset_pos *before,
			 uint64_t max);

/* Reports once that bucket @index cannot be read. */
int cache_journal_unreadable(const struct cache_sb *sb, struct cache_journal *j, uint32_t index,
			     uint64_t sector, const struct cache_sink *sink,
			     struct cache_err *err);

#endif
