/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cache devices of one set as one space of buckets and sectors (drivers before 5.10).
 *
 * Each member that is at hand has a range of its own, in whole prio_sets, so that what is
 * indexed by bucket serves a set of several as it serves one device. A superblock whose
 * ->members points here stands for all of them: its nbuckets is the end of that space, and
 * buckets and sectors that are told of are of that space. One without ->members is alone, and
 * nothing here changes what it means.
 */
#ifndef LIBCACHE_MEMBERS_H
#define LIBCACHE_MEMBERS_H

#include "format/bkey.h"
#include "format/super.h"

struct cache_member_place {
	bool present;
	uint64_t base;			/* its first bucket of all, in that space */
	uint64_t nbuckets;
	uint32_t first_bucket, reserved; /* its own numbers */
};

struct cache_members {
	unsigned nr_in_set;
	uint64_t nbuckets;		/* end of the space; some below are of no member */
	struct cache_member_place m[CACHE_MAX_CACHES_PER_SET];	/* by nr_this_dev */
};

/* Whether @sb says that its device is one of several of a set: the others are needed with it. */
bool cache_sb_is_one_of_several(const struct cache_sb *sb);

/* Gives @sb's device, nr_this_dev, the next free range. */
void cache_members_add(struct cache_members *m, const struct cache_sb *sb);

/* The member that has the bucket, and its number there. Return: false when no member has it. */
bool cache_members_find(const struct cache_members *m, uint64_t bucket, unsigned *member,
			uint64_t *local);

/* Buckets that there are: fewer than the space of several devices has. */
uint64_t cache_sb_count_buckets(const struct cache_sb *sb);

enum cache_bucket_kind {
	CACHE_BUCKET_NONE,		/* beyond its device */
	CACHE_BUCKET_SUPER,		/* below the first bucket */
	CACHE_BUCKET_RING,
	CACHE_BUCKET_OTHER,
};

/* What the superblock says of @bucket, which is below its nbuckets. */
enum cache_bucket_kind cache_sb_bucket_kind(const struct cache_sb *sb, uint64_t bucket);

#endif
