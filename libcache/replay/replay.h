/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Can the journal replay of the next start hang? Nothing is written.
 *
 * During the replay entries are written to the journal: one for each new root, one for each
 * prio write of the allocator's thread. A thread that needs one when the ring has no room
 * waits for ring buckets to be given back. Leaves that hold them are written meanwhile; but
 * those that hold the entry being replayed, or later ones, are not given back before the
 * replay goes on. If the replay itself waits, or waits for the allocator, that is a hang
 * (behaviour 13).
 *
 * The verdict is meant to hold for every order in which the driver may act:
 *
 * - A leaf is written when its set fills a page or when it is split, else only by a thread
 *   that finds the ring full, or after 30 seconds. A leaf that was written has less room and is
 *   split sooner; so as long as nobody finds the ring full every leaf is split as late as in
 *   any order, and when each key is written at once (the storm) as early.
 * - The allocator fills its queues before anything else happens; each prio write is an entry.
 * - The first to write an entry finds the ring full once, at any time before the first new
 *   root, and writes leaves whose oldest key came from the oldest entry. Each such time is played.
 * - A ring bucket that was not free at the start is had by a thread that waits: the leaves that
 *   hold it are written, then those that hold the oldest entry left. While none can be given
 *   back whatever is written, a thread may wait all the time: the storm is played meanwhile.
 *
 * *starts*: no such play hangs. Where a replay may last 30 seconds the storm is played from
 * the beginning. *hangs*: even the play hangs in which nobody finds the ring full, leaves hold
 * nothing and the allocator writes only what it must. Everything between may hang. Most sets
 * need no play: what no order can exceed, counted from the number of keys and the size of
 * nodes, fits already.
 *
 * As long as the entries fit into the ring buckets that were free at the start, this is a proof.
 * Beyond it is a play of the worst that is known: when the allocator begins to wait is not varied. Where
 * ring buckets are discarded before they are used, all but one are taken to be discarded in time.
 */
#ifndef LIBCACHE_REPLAY_H
#define LIBCACHE_REPLAY_H

#include "format/eras.h"
#include "set/set.h"

struct cache_replay_forecast {
	uint32_t hangs, may_hang;	/* masks of the eras whose start does */
	uint64_t seq;			/* entry being replayed when the ring runs out; 0: it does not */
	uint64_t room;			/* entries that fit before a ring bucket is given back */
	uint64_t entries;		/* most that are written, of the worst era; a bound */
};

static inline bool cache_replay_may_hang(const struct cache_replay_forecast *f)
{
	return f->hangs || f->may_hang;
}

/**
 * cache_replay_forecast() - whether the start of a set can hang in its replay
 * @set:  loaded up to CACHE_LOAD_GENS
 * @eras: mask of the drivers asked for
 *
 * Reads the nodes that the replay would touch, and none where the count alone decides. A tree too damaged to play counts as one that starts: what is wrong
 * there is found elsewhere. One too long to play to its end may hang.
 *
 * Memory: 16 MiB at most of nodes that were read; 4 bytes per key of the journal, or 8 while they are put down; what names the
 * children of the nodes on their way, and of leaves the set that is not written.
 * Return: 0; -EIO, -ENOMEM.
 */
int cache_replay_forecast(struct cache_set *set, uint32_t eras,
			  struct cache_replay_forecast *f, struct cache_err *err);

/* Below: between the files of this folder. */

#define REPLAY_NONE	UINT32_MAX

/* Keys of the image's overlay by their places, the oldest first. */
struct replay_refs {
	uint32_t *at;
	size_t n, capacity;
};

/* A node as far as the replay has to know it. */
struct replay_node {
	struct cache_bkey disk;		/* of the node its keys are read from */
	struct cache_bkey lo, hi;	/* keys in (lo, hi] belong here; only positions count */
	unsigned level;
	uint32_t parent;
	uint32_t nblocks, written;	/* of its log */
	bool loaded;
	uint64_t pin;			/* leaf: entry its oldest unwritten key came from; 0: none */
	struct replay_refs added;	/* leaf: what the replay inserted, each perhaps beyond it */
	struct cache_keys unwritten;	/* leaf: the set not yet on disk, empty keys kept */
	uint32_t *child;		/* interior: live ones, in order */
	uint32_t nchildren;
};

/* The allocator's queues, as counts. */
struct replay_alloc {
	uint64_t prio, btree, moving, none, inc;	/* buckets queued */
	uint64_t prio_max, btree_max, moving_max, none_max, inc_max;
	uint64_t candidates;		/* that the policy may still invalidate */
	bool dry;			/* no gc before the replay has ended */
	bool writing;			/* a prio write waits for its journal entry */
	uint64_t wanted;		/* of the best play: more than these are not fetched */
};

/* Nodes that were read, for all plays of one set: each place holds the first that came there. */
#define REPLAY_READS		512u
#define REPLAY_READS_BYTES	(16u << 20)	/* of them together; further ones are read anew */

struct replay_reads {
	struct { uint64_t sector; void *data; } node[REPLAY_READS];
	uint64_t bytes;
};

struct replay {
	struct cache_set *set;
	struct replay_reads *reads;
	struct cache_err *err;
	bool best;			/* the play of *hangs* */
	bool storm;			/* each key is written at once */
	bool waiting;			/* a thread may be, for a ring bucket: the storm meanwhile */
	struct replay_node *node;
	uint32_t nnodes, root;
	uint32_t nloaded;
	uint64_t roots;			/* new ones */
	uint64_t inserted;		/* pieces of keys */
	uint64_t first_root_at;		/* how many were when the first new root was named */
	uint64_t flush_at;		/* before this one the first entry is written; 0: before all */
	uint64_t seq;			/* of the entry being replayed */
	uint64_t splits;
	struct replay_alloc alloc;
	uint64_t ring_seq[CACHE_SB_JOURNAL_BUCKETS];	/* greatest seq, by distance from the newest */
	uint32_t ring_cur, ring_discard;	/* distances; may pass njournal */
	uint32_t ring_free;		/* buckets that were free at the start, and are */
	uint32_t ring_blocks;		/* free in the current ring bucket */
	uint64_t entries;		/* written */
};

/* What ends a play, beside errors. */
enum { REPLAY_HANGS = 1, REPLAY_CANNOT, REPLAY_TOO_LONG };

/* replay_ring.c; the int ones return 0 or REPLAY_HANGS. */
void cache_replay_alloc_init(struct replay *r, const struct cache_driver *d, uint64_t unused,
			     uint64_t clean);
/* The allocator's thread, until it waits. */
void cache_replay_alloc_run(struct replay *r);
/* The most prio writes that go with the use of @used buckets. */
uint64_t cache_replay_alloc_writes_max(const struct replay_alloc *a, uint64_t used);
int cache_replay_set_root(struct replay *r);
/* Before a leaf is split: the reserve for it and for all above it. */
int cache_replay_wait_for_buckets(struct replay *r);
int cache_replay_take_buckets(struct replay *r, unsigned n);

/* replay_tree.c */
int cache_replay_tree_init(struct replay *r);
void cache_replay_tree_fini(struct replay *r);
int cache_replay_insert(struct replay *r, uint32_t at);
/* @k, cut to what lies in the range of @n; false: nothing does. */
bool cache_replay_clip(struct cache_bkey *k, const struct replay_node *n);
/* Leaves go to disk that hold @upto or an entry before it; 0: those that hold the oldest. */
void cache_replay_write_leaves(struct replay *r, uint64_t upto);

#endif
