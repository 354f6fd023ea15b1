/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LIBCACHE_JOURNAL_BLOCKS_H
#define LIBCACHE_JOURNAL_BLOCKS_H

#include "disk/journal.h"

/* Orders for cache_sort_polled(): of entries by where they stand; of pointers to them by seq. */
static inline int cache_jset_by_place(const void *a, const void *b, void *ctx)
{
	const struct cache_jset_pos *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->offset_sectors < y->offset_sectors ? -1 : x->offset_sectors > y->offset_sectors;
}

static inline int cache_jset_by_seq(const void *a, const void *b, void *ctx)
{
	const struct cache_jset_pos *x = *(const struct cache_jset_pos *const *)a;
	const struct cache_jset_pos *y = *(const struct cache_jset_pos *const *)b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* A ring that is read in large pieces, of which the last is kept. */
struct cache_ring_reader {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	const struct cache_sink *sink;	/* asked before each piece whether to go on; may be NULL */
	char *piece, *entry;
	uint32_t index, from, to;	/* sectors of ring bucket @index that are in @piece */
	bool failed;			/* they could not be read as a whole, so each block is */
	uint32_t corrections;		/* entries of this bucket that may still be corrected */
};

/* Return: 0; -ENOMEM. Release with cache_ring_reader_fini(), also after an error. */
int cache_ring_reader_init(struct cache_ring_reader *r, struct cache_dev *dev,
			   const struct cache_sb *sb, const struct cache_sink *sink);
void cache_ring_reader_fini(struct cache_ring_reader *r);

/*
 * Finds what is at @at, of which only the place is used. A single wrong byte is corrected in @d,
 * for as many entries of a bucket as could have one by accident. @d is there until the next call.
 *
 * Return: 1 an entry; 0 nothing that starts like an entry of this set; -EUCLEAN it does not
 * verify; -EIO; -ECANCELED.
 */
int cache_ring_block(struct cache_ring_reader *r, const struct cache_jset_pos *at,
		     const struct cache_jset_disk **d);

/* Blocks between the end of @a and @b, which follows it in the ring or is the same. */
uint64_t cache_journal_blocks_between(const struct cache_sb *sb, const struct cache_jset_pos *a,
				      const struct cache_jset_pos *b);
/*
 * Whether @b, where it stands, can have been written after @a: between them no more entries are
 * missing than there are blocks for.
 */
bool cache_journal_can_follow(const struct cache_sb *sb, const struct cache_jset_pos *a,
			      const struct cache_jset_pos *b);

/**
 * cache_journal_greatest() - find the greatest seq of any entry that is still in the ring
 * @seq: 0 when there is none
 *
 * This includes entries behind damage or after the last valid entry: a driver that later writes
 * up to such an entry would read it again. Blocks that cannot be read are skipped. Reads the
 * whole ring.
 *
 * Return: 0; -ENOMEM, -ECANCELED.
 */
int cache_journal_greatest(struct cache_dev *dev, const struct cache_sb *sb, uint64_t *seq,
			   const struct cache_sink *sink, struct cache_err *err);

/**
 * cache_journal_run() - find the last entries of a ring of which the driver reads none
 * @j: filled as by cache_journal_read(), all of it hidden; release with cache_journal_fini(),
 *     also after an error
 *
 * A run is a sequence of entries, each right behind the one before and with the next seq. It is
 * accepted if the ring has nothing else of this set but damaged entries before it in the same
 * bucket, and entries that may have preceded it. So no later entry has left a trace in the
 * ring; whether there were any, only the rest of the set can tell. @sink is asked whether to go on.
 *
 * Return: 1; 0 there is no such run; -EIO, -ENOMEM, -ECANCELED.
 */
int cache_journal_run(struct cache_dev *dev, const struct cache_sb *sb,
		      struct cache_journal *j, const struct cache_sink *sink,
		      struct cache_err *err);

/**
 * cache_journal_survivors() - find all entries of a ring of which the driver reads none
 * @known: what a driver reads; NULL: nothing. Entries of its replay are taken wherever they
 *         stand; those that are not in their place are not hidden
 * @j: as of cache_journal_run()
 *
 * What was before them in each bucket is lost. Whether the newest of them is the last that was
 * written, and what the lost ones named, only the rest of the set can tell.
 *
 * Return: 1; 0 there are none, or they contradict each other; -EIO, -ENOMEM, -ECANCELED.
 */
int cache_journal_survivors(struct cache_dev *dev, const struct cache_sb *sb,
			    const struct cache_journal *known, struct cache_journal *j,
			    const struct cache_sink *sink, struct cache_err *err);

#endif
