/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one way in which a set that has run is changed.
 *
 *	1. new structures go into buckets that nothing uses
 *	2. flush
 *	3. ONE journal entry names them
 *	4. flush
 *
 * An entry without keys is 240 bytes, one sector, which any disk writes whole or
 * not at all: killed at any instant the device is the old one or the new one. An
 * entry with keys may tear, and then its checksum says that it is not there.
 * Nothing that the old entry names is touched before the new one is durable.
 *
 *	cache_commit_new()			plan, against a loaded image
 *	cache_commit_pick()			unused buckets for what is to come
 *	cache_commit_write()			a node, a uuid table ...
 *	cache_commit_prios()			gens and prios of every bucket
 *	cache_commit_set_root(), _set_uuids(), _add_key(), _checkpoint()
 *	cache_commit_finish()			the switch
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

/* Where the entry will stand, and what it will say. */
struct cache_commit_place {
	uint64_t seq, last_seq;
	uint32_t index;			/* of the ring */
	uint32_t offset_sectors;
	uint32_t nsectors;		/* written: 1 for an entry without keys */
	bool	 over_live;		/* over a ring bucket that was still to be replayed */
};

/**
 * cache_commit_new() - begin a change
 * @set: loaded up to CACHE_LOAD_MARKS; must outlive the commit and not be changed
 *	 by others meanwhile. On a device that was opened to look the commit can be
 *	 planned, and the first write fails with -EBADF
 *
 * Unused is what the walk of the tree says. Below a node that could not be read
 * nothing was marked: who commits on a damaged set spares what it may hold.
 *
 * Return: 0; -EUCLEAN when the set is not synced or its journal or marks are not
 * known, so that nothing can be switched; -ENOMEM.
 */
int cache_commit_new(struct cache_set *set, struct cache_commit **c,
		     struct cache_err *err);
/* Without cache_commit_finish(): nothing has happened to the set. Accepts NULL. */
void cache_commit_free(struct cache_commit *c);

/* Whether nothing on disk needs @bucket and no part of this commit took it. */
bool cache_commit_is_unused(const struct cache_commit *c, uint64_t bucket);

/* From now on @bucket counts as used: it is meant for something else. */
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
 * Picks its own buckets; their gens stay as @t has them. Once a commit, after all
 * gens are final.
 * Return: 0; -ENOBUFS without unused buckets; -EINVAL for a gen that goes back; -EIO; -ENOMEM.
 */
int cache_commit_prios(struct cache_commit *c, const struct cache_buckets *t,
		       struct cache_err *err);

void cache_commit_set_root(struct cache_commit *c, const struct cache_bkey *k,
			   unsigned level);
/* @k names a table in the 128-byte layout. */
void cache_commit_set_uuids(struct cache_commit *c, const struct cache_bkey *k);

/* A leaf key to be inserted by replay. -ENOSPC when one entry is full. */
int cache_commit_add_key(struct cache_commit *c, const struct cache_bkey *k);

/*
 * Nothing of the journal is to be replayed after this: every key of it is in the
 * tree that this commit names, or was dropped on purpose.
 */
void cache_commit_checkpoint(struct cache_commit *c);

/**
 * cache_commit_outlive() - a seq beyond that of every entry that the ring still holds
 *
 * What stands behind damage, or was left by a part of the ring that is damaged whole, may
 * have greater seqs than the newest that is known. The driver takes what verifies right
 * behind an entry of its own: once it has written up to there, those would be the newest.
 * Before cache_commit_place().
 *
 * Return: 0; -EUCLEAN when there is no such seq; -ENOMEM.
 */
int cache_commit_outlive(struct cache_commit *c, struct cache_err *err);

/*
 * The entry of a checkpoint goes to the start of the next ring bucket even if it
 * would fit after the newest: cache_commit_wipe_ring() can then end that one too.
 */
void cache_commit_move_on(struct cache_commit *c);

/**
 * cache_commit_place() - where the entry will go (behaviour 3.5)
 *
 * After the newest entry where it fits, else at the start of the next ring
 * bucket if nothing in that is to be replayed. A checkpoint without keys may also
 * go over a live bucket: its one sector ends the need for it.
 *
 * Return: 0; -ENOSPC when the ring is full.
 */
int cache_commit_place(const struct cache_commit *c, struct cache_commit_place *place,
		       struct cache_err *err);

/**
 * cache_commit_is_found() - will the driver's search find an entry at @place?
 * @set: as the commit was planned against
 *
 * It reads only part of the ring (behaviour 3.2), and where damage has left holes
 * in that, may stop at an older entry: then a commit would not happen to it.
 * Return: 0, with the answer in @found; -ENOMEM.
 */
int cache_commit_is_found(const struct cache_set *set,
			  const struct cache_commit_place *place, bool *found,
			  struct cache_err *err);

/**
 * cache_commit_finish() - flush, write the entry, flush
 *
 * After 0 the change is durable and @set is out of date: close it. After an error
 * the device is the old one; or one of the two, if it was the entry's own write or
 * the last flush that failed.
 */
int cache_commit_finish(struct cache_commit *c, struct cache_err *err);

/**
 * cache_commit_wipe_ring() - after a finished checkpoint, end all older entries
 *
 * Zeroes the first block of every ring bucket but the new entry's. What the
 * driver's search finds is then the checkpoint, whatever lay around it. Killed in
 * between, the checkpoint is there and some old entries still are.
 */
int cache_commit_wipe_ring(struct cache_commit *c, struct cache_err *err);

/* Sectors written so far. */
uint64_t cache_commit_written_sectors(const struct cache_commit *c);

#ifdef __cplusplus
}
#endif
#endif
