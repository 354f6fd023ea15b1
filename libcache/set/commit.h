/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one way in which a set that has run is changed.
 *
 * 	1. new structures go into buckets that nothing uses
 * 	2. flush
 * 	3. ONE journal entry names them
 * 	4. flush
 *
 * An entry without keys is 240 bytes, one sector, which any disk writes whole or not at all: a
 * power cut at any instant leaves the old state or the new one. An entry with keys may be torn,
 * and then its checksum is invalid and it does not count. Nothing that the old entry names is
 * touched before the new one is durable.
 *
 * 	cache_commit_new()			plan, against a loaded image
 * 	cache_commit_pick()			unused buckets for what is to come
 * 	cache_commit_write()			a node, a uuid table ...
 * 	cache_commit_prios()			gens and prios of every bucket
 * 	cache_commit_set_root(), _set_uuids(), _add_key(), _checkpoint()
 * 	cache_commit_finish()			the switch
 *
 * Source: behaviour 2 (order of a prio write), 3.5 (where an entry may go), 11.
 */
#ifndef LIBCACHE_COMMIT_H
#define LIBCACHE_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "set/set.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_commit;

/* Where the entry will be, and what it will contain. */
struct cache_commit_place {
	uint64_t seq, last_seq;
	uint32_t index;			/* ring bucket */
	uint32_t offset_sectors;
	uint32_t nsectors;		/* size written: 1 for an entry without keys */
	/* it overwrites a ring bucket that was still to be replayed */
	bool	 over_live;
};

/**
 * cache_commit_new() - begin a change
 * @set: loaded up to CACHE_LOAD_MARKS; must outlive the commit and not be changed by others
 *       meanwhile. On a read-only device the commit can be planned; its first write fails with
 *       -EBADF
 *
 * The walk of the tree decides which buckets are unused. Nothing is marked below a node that
 * could not be read: the caller must exclude the buckets that such a node may own.
 *
 * Return: 0; -EUCLEAN when the set is not synced or its journal or marks are not known, so that
 * no entry can be written; -EOPNOTSUPP for a member of a set of several devices; -ENOMEM.
 */
int cache_commit_new(struct cache_set *set, struct cache_commit **c,
		     struct cache_err *err);
/* Frees the commit. Without cache_commit_finish() the set is unchanged. Accepts NULL. */
void cache_commit_free(struct cache_commit *c);

/* Whether nothing on disk needs @bucket and no part of this commit took it. */
bool cache_commit_is_unused(const struct cache_commit *c, uint64_t bucket);

/* From now on @bucket counts as used; it is reserved for something else. */
void cache_commit_spare(struct cache_commit *c, uint64_t bucket);

/**
 * cache_commit_pick() - take @n unused buckets that can be read, lowest first
 *
 * Return: 0; -ENOBUFS when there are fewer, and then none is taken.
 */
int cache_commit_pick(struct cache_commit *c, uint64_t n, uint64_t *buckets,
		      struct cache_err *err);

/**
 * cache_commit_write() - write (part of) a new structure into a picked bucket
 *
 * Return: 0; -EINVAL when the bucket was not picked; -ERANGE past its end; -EIO.
 */
int cache_commit_write(struct cache_commit *c, uint64_t bucket, uint32_t offset_sectors,
		       uint32_t nsectors, const void *buf, struct cache_err *err);

/**
 * cache_commit_prios() - write a new prio chain, last member first
 * @t: gens and prios to become durable; a gen may only be ahead of the loaded one
 *
 * Picks its own buckets; their gens stay as @t has them. Call it once per commit, when all gens
 * are final.
 * Return: 0; -ENOBUFS without unused buckets; -EINVAL for a gen that goes back; -EIO; -ENOMEM.
 */
int cache_commit_prios(struct cache_commit *c, const struct cache_buckets *t,
		       struct cache_err *err);

void cache_commit_set_root(struct cache_commit *c, const struct cache_bkey *k,
			   unsigned level);
/* @k names a table in the 128-byte layout. */
void cache_commit_set_uuids(struct cache_commit *c, const struct cache_bkey *k);

/* Adds a leaf key that the replay will insert. -ENOSPC when the entry is full. */
int cache_commit_add_key(struct cache_commit *c, const struct cache_bkey *k);

/*
 * Nothing of the journal is replayed after this commit: every key of it is in the new tree, or
 * was dropped on purpose.
 */
void cache_commit_checkpoint(struct cache_commit *c);

/**
 * cache_commit_outlive() - choose a seq greater than that of every entry in the ring
 *
 * Entries behind damage, or in a part of the ring that is damaged, may have greater seqs than
 * the newest known entry. The driver accepts what verifies right behind its own entry: once it
 * has written up to such an entry, that would be the newest. Call this before
 * cache_commit_place(). Reads the whole ring; @sink is asked whether to go on, and may be NULL.
 *
 * Return: 0; -EUCLEAN when there is no such seq; -ENOMEM, -ECANCELED.
 */
int cache_commit_outlive(struct cache_commit *c, const struct cache_sink *sink,
			 struct cache_err *err);

/*
 * Puts the entry of a checkpoint at the start of the next ring bucket even if it would fit
 * after the newest entry: cache_commit_wipe_ring() can then wipe that bucket too.
 */
void cache_commit_move_on(struct cache_commit *c);

/**
 * cache_commit_place() - decide where the entry will go (behaviour 3.5)
 *
 * After the newest entry where it fits, else at the start of the next ring bucket if nothing in
 * that is to be replayed. A checkpoint without keys may also go over a live bucket: after its
 * one sector is written, nothing needs that bucket.
 *
 * Return: 0; -ENOSPC when the ring is full.
 */
int cache_commit_place(const struct cache_commit *c, struct cache_commit_place *place,
		       struct cache_err *err);

/**
 * cache_commit_is_found() - will the driver's search find an entry at @place?
 * @set: as the commit was planned against
 *
 * The driver reads only part of the ring (behaviour 3.2), and if damage has left holes there,
 * it may stop at an older entry: then the commit would have no effect.
 * Return: 0, with the answer in @found; -ENOMEM.
 */
int cache_commit_is_found(const struct cache_set *set,
			  const struct cache_commit_place *place, bool *found,
			  struct cache_err *err);

/**
 * cache_commit_finish() - flush, write the entry, flush
 *
 * After 0 the change is durable and @set is out of date: close it. After an error the device
 * has the old state; if the write of the entry or the last flush failed, the old or the new
 * one.
 */
int cache_commit_finish(struct cache_commit *c, struct cache_err *err);

/**
 * cache_commit_wipe_ring() - after a finished checkpoint, invalidate all older entries
 *
 * Zeroes the first block of every ring bucket but the new entry's. The driver's search then
 * finds the checkpoint, whatever is in the rest of the ring. A power cut in between leaves the
 * checkpoint and some older entries.
 */
int cache_commit_wipe_ring(struct cache_commit *c, struct cache_err *err);

/* Sectors written so far. */
uint64_t cache_commit_written_sectors(const struct cache_commit *c);

#ifdef __cplusplus
}
#endif
#endif
