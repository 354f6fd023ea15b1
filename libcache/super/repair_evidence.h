/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a cache device says of its geometry without its superblock. A journal entry
 * carries a checksum of its own, and its magic, once verified, gives away the first
 * half of the set's uuid; the uuid table's key in it is as long as a bucket; and the
 * prio_set that it names by number lies where only the right bucket size puts it.
 */
#ifndef LIBCACHE_REPAIR_EVIDENCE_H
#define LIBCACHE_REPAIR_EVIDENCE_H

#include "disk/journal.h"

struct repair_evidence {
	uint64_t nentries;	/* journal entries of the set that verified; 0: all below is 0 */
	uint64_t nstrangers;	/* of other sets, which lived here before */
	uint64_t set_magic;
	struct cache_jset newest;	/* pos.index and pos.offset_sectors mean nothing */
	uint64_t newest_sector;
	uint64_t last_sector;	/* of the entry that lies furthest back */
	unsigned blocks;	/* bit b: entries lie as blocks of 1 << b sectors let them */
	uint64_t bucket_sectors;	/* 0: nothing tells */
	bool bucket_proven;	/* a prio_set of that size verifies, where that size puts it */
	uint64_t members;	/* of the newest prio chain; 0: it is not whole */
	unsigned nr_this_dev;
};

/**
 * cache_repair_evidence() - look where any geometry would have its journal
 * @set_magic: the set's, as the superblock has it; believed if entries have it too.
 *	Else the set is the one that most entries belong to
 *
 * Reads the ring of each possible bucket size. What cannot be read is no evidence.
 * Return: 0, also when there is nothing; -ENOMEM.
 */
int cache_repair_evidence(struct cache_dev *dev, uint64_t set_magic,
			  struct repair_evidence *ev, struct cache_err *err);

#endif
