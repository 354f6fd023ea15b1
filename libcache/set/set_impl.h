/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files of this folder: loading, marking, extents. */
#ifndef LIBCACHE_SET_IMPL_H
#define LIBCACHE_SET_IMPL_H

#include "set/members.h"
#include "set/set.h"

#define CACHE_SET_NO_MEMBER	UINT32_MAX

/* The devices of a set that was loaded from several; @set->dev is all of them, and ours. */
struct cache_set_members {
	struct cache_members map;
	uint64_t bucket_sectors;
	unsigned index[CACHE_MAX_CACHES_PER_SET];	/* in @given, by nr_this_dev; NO_MEMBER: absent */
	unsigned leader;				/* nr_this_dev; it comes first in the space */
	uint64_t prio_seq[CACHE_MAX_CACHES_PER_SET];	/* by nr_this_dev */
	struct cache_sink sink;
	unsigned n;
	struct cache_set_member given[];
};

/* Each member's ring, as it was read alone, by nr_this_dev. */
struct cache_set_rings {
	struct cache_set_ring {
		bool read;
		struct cache_journal journal;
		struct cache_finding search;	/* what the driver's search misses, or code 0 */
	} ring[CACHE_MAX_CACHES_PER_SET];
};

/*
 * Reads the rings of the members that are there; what is wrong with one alone goes to its sink. The
 * leader is the member whose ring has most.
 */
int cache_set_rings_read(struct cache_set_members *m, struct cache_set_rings *r,
			 struct cache_err *err);
/* The journal of @set: what all rings have together. Those that lack some of it are found. */
int cache_set_rings_join(struct cache_set *set, const struct cache_set_rings *r,
			 const struct cache_sink *sink, struct cache_err *err);
void cache_set_rings_fini(struct cache_set_rings *r);

/* Merges leaves in key order and the journal's keys into one sequence of extents. */
struct cache_set_stream {
	struct cache_set *set;
	const struct cache_extent_visit *visit;
	struct cache_overlay_walk over;
	struct cache_bkey next;	/* next key of the journal */
	bool more;		/* there is a next key */
};

/* Call it when @set has its overlay. 0 or -ENOMEM. */
int cache_set_stream_init(struct cache_set_stream *s, struct cache_set *set,
		    const struct cache_extent_visit *visit);
/*
 * The extents of a leaf and those of the journal that come before them; at the end all others.
 * @current: as in cache_set_leaf_fn()
 */
int cache_set_stream_leaf(struct cache_set_stream *s, const struct cache_btree_node *n, bool current);
int cache_set_stream_end(struct cache_set_stream *s);
void cache_set_stream_fini(struct cache_set_stream *s);

/*
 * Walks the tree as a start does: fills gens, raised, nnodes, overlay, and with @upto
 * CACHE_LOAD_MARKS buckets. @visit: as cache_set_load_visit(), or NULL
 */
int cache_set_mark(struct cache_set *set, enum cache_load upto,
		   struct cache_extent_visit *visit, const struct cache_sink *sink,
		   struct cache_err *err);

/* Loads what the newest journal entry of @set names; @upto: past CACHE_LOAD_JOURNAL. */
int cache_set_load_rest(struct cache_set *set, enum cache_load upto,
			  const struct cache_sink *sink, struct cache_err *err);

/*
 * A bucket is written to only after its gen is on disk. So if a data key raises the gen of a
 * bucket that holds a node, and the gen on disk is that of the node or less, the key is wrong.
 */
bool cache_set_is_node(const struct cache_set *set, uint64_t bucket, uint8_t gen);

/* What is remembered of stale children, one per set; see set_stale.c. NULL without memory. */
struct cache_stale *cache_stale_new(uint64_t nbuckets);
void cache_stale_free(struct cache_stale *s);

/* The parent @n says so, as the driver makes it when it frees a node. 1, 0; -ENOMEM. */
int cache_set_is_freed_by(const struct cache_set *set, const struct cache_btree_node *n,
			  uint64_t bucket, uint8_t gen);

/*
 * Whether the first set of @bucket verifies as that of a node of @gen: 1, 0; -EIO, -ENOMEM.
 * Its checksum covers the gen, so nothing was written there since. Read once per bucket.
 */
int cache_set_holds_node(const struct cache_set *set, uint64_t bucket, uint8_t gen);

/*
 * Whether the child @k of interior node @n counts as freed, though @n has no key that frees
 * it and the bucket holds it: then the gen on disk is false, or
 * the key that frees it was lost. 1, 0; -EIO, -ENOMEM.
 */
int cache_set_has_false_gen(const struct cache_set *set, const struct cache_btree_node *n,
			    const struct cache_bkey *k);

#endif
