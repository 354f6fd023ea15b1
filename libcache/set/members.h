/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of several cache devices, as drivers before 5.10 ran them: loaded as one, as far as its
 * members are at hand. It is only ever read.
 *
 * Each member has a ring and a prio chain of its own; journal entries go to the rings of all
 * of them, and keys point into any of them. Buckets and sectors of such a set are those of
 * format/members.h: cache_set_member_of() tells whose they are.
 */
#ifndef LIBCACHE_SET_MEMBERS_H
#define LIBCACHE_SET_MEMBERS_H

#include "format/members.h"
#include "set/set.h"

/* A device of the set. */
struct cache_set_member {
	struct cache_dev *dev;
	const struct cache_sb *sb;		/* of @dev, read already */
	/*
	 * Receives what is wrong with this device, its buckets told as its own; NULL: the
	 * first damage is the error.
	 */
	const struct cache_sink *sink;
};

/**
 * cache_set_load_members() - load a set of which @members are at hand
 * @members: cache devices with one set UUID, in any order; devices and superblocks stay the
 *           caller's and must outlive the set
 * @upto, @visit: as for cache_set_load_visit()
 *
 * The journal is that of the ring which has most; that others lack some of it is found. What
 * lies on a member that is not at hand is found to be missing, and all else is loaded. A
 * device that does not fit to the first usable one, or has the place of another, is left out.
 *
 * Memory: as for one device that has the buckets of all.
 * Return: as cache_set_load_visit().
 */
int cache_set_load_members(const struct cache_set_member *members, unsigned n,
			   enum cache_load upto, struct cache_extent_visit *visit,
			   struct cache_set **set, struct cache_err *err);

/*
 * Which of @members the bucket is on, and its number there. Return: false for a bucket that is on
 * none; of a set of one device always true, @index 0.
 */
bool cache_set_member_of(const struct cache_set *set, uint64_t bucket, unsigned *index,
			 uint64_t *local);

/* For findings of a loaded set: each goes to the sink of the member that it is about. */
const struct cache_sink *cache_set_members_sink(const struct cache_set *set);

/* Seq of the prio chain of member @nr_this_dev; of a set of one device its own. */
uint64_t cache_set_prio_seq(const struct cache_set *set, unsigned nr_this_dev);

/* Whether the device at @index of @members is part of the set as it was loaded. */
bool cache_set_has_member(const struct cache_set *set, unsigned index);

#endif
