/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a cache device tells about its geometry without its superblock. A journal entry has its
 * own checksum, and its magic, once verified, gives the first half of the set's uuid; the uuid
 * table's key in it is as long as a bucket; and the prio_set that it names by bucket number is
 * found only with the right bucket size.
 */
#ifndef LIBCACHE_REPAIR_EVIDENCE_H
#define LIBCACHE_REPAIR_EVIDENCE_H

#include "disk/journal.h"

struct repair_evidence {
	uint64_t nentries;	/* valid journal entries of the set; 0: all below is 0 */
	uint64_t nstrangers;	/* valid entries of other sets, which used the device before */
	uint64_t set_magic;
	struct cache_jset newest;	/* pos.index and pos.offset_sectors are not set */
	uint64_t newest_sector;
	uint64_t last_sector;	/* sector of the entry that is furthest from the start */
	/* bit b: the places of the entries are possible with blocks of 1 << b sectors */
	unsigned blocks;
	uint64_t bucket_sectors;	/* 0: nothing shows it */
	/* a prio_set verifies with that size, at the place given by that size */
	bool bucket_proven;
	/* members of the newest prio chain; 0: the chain is not complete */
	uint64_t members;
	unsigned nr_this_dev;
};

/**
 * cache_repair_evidence() - look where any geometry would have its journal
 * @set_magic: of the set, according to the superblock; used if entries have it too. Otherwise
 *             the set is the one that most entries belong to
 *
 * Reads the ring of each possible bucket size. Blocks that cannot be read are ignored.
 * Return: 0, also when there is nothing; -ENOMEM.
 */
int cache_repair_evidence(struct cache_dev *dev, uint64_t set_magic,
			  struct repair_evidence *ev, struct cache_err *err);

#endif
