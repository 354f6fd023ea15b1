/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal: a ring of buckets holding jsets, the newest of which names the
 * btree root, the uuid table and the prio chain (format 3, behaviour 3).
 *
 * Every bucket of the ring is read, so that what is there is known whatever the
 * driver's own, shorter search would find; that search is simulated beside it.
 */
#ifndef LIBCACHE_JOURNAL_H
#define LIBCACHE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/bkey.h"
#include "dev/dev.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Most words of keys one jset can hold. */
#define CACHE_JSET_MAX_WORDS	((CACHE_JSET_MAX_BYTES - CACHE_JSET_HEADER_BYTES) / 8)
/* Entries that can be open at once: the driver's fifo of 32767 counts as full with one left. */
#define CACHE_JOURNAL_OPEN_MAX	32766u

/* Place and header of one valid entry. Hidden entries are listed only if they count. */
struct cache_jset_pos {
	uint64_t seq, last_seq;
	uint64_t csum;			/* two entries with the same checksum are copies */
	uint32_t index;			/* ring bucket, 0 .. njournal - 1 */
	uint32_t offset_sectors;	/* offset in its bucket */
	uint32_t nwords;		/* number of words of keys */
	uint16_t level;			/* level of the root that it names */
	uint16_t version;		/* above 65535 shown as 65535 */
	bool	 hidden;		/* behind a damaged one: the driver never reads it */
	uint8_t	 member;		/* whose ring, where rings were joined; else 0 */
};

/* What an entry names. */
struct cache_jset {
	struct cache_jset_pos pos;
	struct cache_bkey uuid_bucket, btree_root;
	uint64_t prio_bucket[CACHE_MAX_CACHES_PER_SET];
};

struct cache_journal {
	struct cache_jset_pos *entries;	/* in ring order, then by offset; rings one after another */
	size_t nentries;
	/* the greatest seq in the bucket that is not hidden; 0: none */
	uint64_t bucket_seq[CACHE_SB_JOURNAL_BUCKETS];
	bool bucket_unreadable[CACHE_SB_JOURNAL_BUCKETS];	/* and it was reported */
	/* valid only when nentries > 0 */
	struct cache_jset newest;
	/* last_seq .. seq of the newest entry, sorted by seq */
	const struct cache_jset_pos **replay;
	size_t nreplay;			/* fewer than that range when entries are missing */
	uint64_t driver_newest_seq;	/* seq that the driver's search finds; 0: nothing */
	/* the driver finds the newest entry and all of the replay range */
	bool driver_agrees;
};

/* Whether bucket @index of the ring holds entries that a start replays. */
static inline bool cache_journal_is_replayed(const struct cache_journal *j, uint32_t index)
{
	return j->nreplay && j->bucket_seq[index] >= j->replay[0]->seq;
}

/* The ring bucket, and the sector of the device, where the entry at @pos is. */
uint64_t cache_jset_bucket(const struct cache_sb *sb, const struct cache_jset_pos *pos);
uint64_t cache_jset_sector(const struct cache_sb *sb, const struct cache_jset_pos *pos);
/* Size of the entry in whole blocks, as sectors. */
uint32_t cache_jset_sectors(const struct cache_sb *sb, uint32_t nwords);

/**
 * cache_journal_read() - read the whole ring and find what is to be replayed
 * @sb: usable superblock of @dev
 * @journal: filled; release with cache_journal_fini(), also after an error
 * @sink: as cache_found()
 *
 * Memory: 56 bytes per entry found. An empty ring is a finding of a synced set,
 * and no error of its own.
 *
 * Return: 0; without @sink the errno of the first broken rule; -ENOMEM.
 */
int cache_journal_read(struct cache_dev *dev, const struct cache_sb *sb,
		       struct cache_journal *journal, const struct cache_sink *sink,
		       struct cache_err *err);
void cache_journal_fini(struct cache_journal *journal);

/**
 * cache_journal_join() - the rings of several members of one set as one journal
 * @dev, @sb: all members as one space: sb->members says where each is
 * @ring: by nr_this_dev, each read by cache_journal_read() from its own device; NULL: not at
 *        hand. Those without entries count as empty
 * @leader: whose ring is taken for the geometry, and whose copy of an entry comes first
 * @journal: filled; release it with cache_journal_fini()
 * @sink: as cache_found(); what is wrong with the rings together
 *
 * Drivers with several caches per set read every ring into one list (kernels.md I), so an entry
 * that one ring lacks is taken from another. Which entries the driver's search misses is known
 * of single rings only: driver_agrees says that of one ring it misses none.
 *
 * Return: 0; without @sink the errno of the first broken rule; -EIO; -ENOMEM.
 */
int cache_journal_join(struct cache_dev *dev, const struct cache_sb *sb,
		       const struct cache_journal *const ring[CACHE_MAX_CACHES_PER_SET],
		       unsigned leader, struct cache_journal *journal,
		       const struct cache_sink *sink, struct cache_err *err);

/**
 * cache_jset_read() - read one entry again, keys included
 * @jset:  receives what it says; may be NULL
 * @words: capacity CACHE_JSET_MAX_WORDS; receives @pos->nwords words
 *
 * Return: 0; -EUCLEAN when the entry has changed since it was found; -EIO; -ENOMEM.
 */
int cache_jset_read(struct cache_dev *dev, const struct cache_sb *sb,
		    const struct cache_jset_pos *pos, struct cache_jset *jset,
		    cache_le64 *words, struct cache_err *err);

/* Called for each key; a non-zero return ends the walk and is returned. */
typedef int cache_journal_key_fn(void *ctx, const struct cache_jset_pos *pos,
				 unsigned index, const struct cache_bkey *k);

/**
 * cache_journal_each_key() - call a function for each key to replay, oldest or newest entry
 * first
 *
 * If the keys of an entry do not fill it exactly, the rest of that entry is skipped, which is a
 * finding if @sink is given.
 */
int cache_journal_each_key(struct cache_dev *dev, const struct cache_sb *sb,
			   const struct cache_journal *journal, bool newest_first,
			   cache_journal_key_fn *fn, void *ctx,
			   const struct cache_sink *sink, struct cache_err *err);

/*
 * Number of ring buckets that the driver finds free right after its start: those after the
 * newest entry's bucket, up to the first that holds an entry still to be replayed.
 */
uint32_t cache_journal_free_buckets(const struct cache_sb *sb,
				    const struct cache_journal *journal);

#ifdef __cplusplus
}
#endif
#endif
