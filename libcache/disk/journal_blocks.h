/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JOURNAL_BLOCKS_H
#define LIBCACHE_JOURNAL_BLOCKS_H

#include "disk/journal.h"

/*
 * What stands at @at, of which only the place counts, in @buf of CACHE_JSET_MAX_BYTES.
 * A single wrong byte is corrected there. Return: 1 an entry; 0 nothing that starts like one of this set; -EUCLEAN it does not
 * verify; -EIO.
 */
int cache_journal_block(struct cache_dev *dev, const struct cache_sb *sb,
			const struct cache_jset_pos *at, char *buf);

/**
 * cache_journal_greatest() - the greatest seq of any entry that the ring still holds
 * @seq: 0 when there is none
 *
 * Wherever it stands, behind damage or beyond the end of what is valid: a driver that
 * later writes up to it would read it again. What cannot be read is passed over. Reads
 * the whole ring.
 *
 * Return: 0; -ENOMEM.
 */
int cache_journal_greatest(struct cache_dev *dev, const struct cache_sb *sb, uint64_t *seq,
			   struct cache_err *err);

/**
 * cache_journal_run() - the last entries of a ring of which the driver reads none
 * @j: filled as by cache_journal_read(), all of it hidden; release with
 *     cache_journal_fini(), also after an error
 *
 * A run of entries, each right behind the one before and with the next seq, is taken
 * when nothing else of this set stands in the ring but what is damaged in the same bucket
 * before them, or entries that they can have followed. So none that came later has left a
 * trace; whether there were others, only the rest of the set can tell.
 *
 * Return: 1; 0 there is none to be believed; -EIO, -ENOMEM.
 */
int cache_journal_run(struct cache_dev *dev, const struct cache_sb *sb,
		      struct cache_journal *j, struct cache_err *err);

/**
 * cache_journal_survivors() - all entries of a ring of which the driver reads none
 * @j: as of cache_journal_run()
 *
 * Wherever they stand: what lay before them in each bucket is lost. Whether the newest
 * of them is the last that there was, and what the lost ones named, only the rest of the
 * set can tell.
 *
 * Return: 1; 0 there are none, or some that one ring cannot have together; -EIO, -ENOMEM.
 */
int cache_journal_survivors(struct cache_dev *dev, const struct cache_sb *sb,
			    struct cache_journal *j, struct cache_err *err);

#endif
