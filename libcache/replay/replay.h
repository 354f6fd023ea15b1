/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Can the journal replay of the next start hang? Nothing is written.
 *
 * During the replay entries are written to the journal: one for each new root, and one for each
 * prio write of the allocator's thread. A thread that needs an entry when the ring is full
 * waits until ring buckets are freed. Leaves that pin such buckets are written meanwhile; but
 * buckets from the entry being replayed onward are not freed before the replay goes on. If the
 * replay itself waits, or waits for the allocator, that is a hang (behaviour 13).
 *
 * The verdict must hold for every order in which the driver may act:
 *
 * - A leaf is written when its set fills a page or when it is split, else only by a thread that
 * finds the ring full, or after 30 seconds. A leaf that was written has fewer free blocks and
 * is split sooner. So while no thread finds the ring full, every leaf is split as late as
 * possible; and if each key is written at once (called the storm), as early as possible. - The
 * allocator fills its queues before anything else happens; each prio write is an entry. - The
 * first thread that writes an entry finds the ring full once, at any time before the first new
 * root, and then writes leaves whose oldest key came from the oldest entry. Each such time is
 * played. - A ring bucket that was not free at the start is only available to a thread that
 * waits for it: the leaves that pin it are written, then those that pin the oldest entry left.
 * While no bucket can be freed whatever is written, a thread may wait all the time: the storm
 * is played meanwhile.
 *
 * *starts*: no such play hangs. Where a replay may last 30 seconds the storm is played from the
 * beginning. *hangs*: even the most favourable play hangs, in which no thread finds the ring
 * full, leaves pin nothing and the allocator writes only what it must. Anything else may hang.
 * Most sets need no play: an upper bound for all orders, computed from the number of keys and
 * the size of nodes, already fits.
 *
 * As long as the entries fit into the ring buckets that were free at the start, this is a
 * proof. Beyond them it is the worst case that is known: the time when the allocator begins to
 * wait is not varied. If ring buckets are discarded before they are used, all but one are
 * assumed to be discarded in time.
 */
#ifndef LIBCACHE_REPLAY_H
#define LIBCACHE_REPLAY_H

#include "format/eras.h"
#include "set/set.h"

struct cache_replay_forecast {
	uint32_t hangs, may_hang;	/* masks of the eras whose start hangs, or may hang */
	/* the entry that is replayed when the ring is full; 0: the ring does not become full */
	uint64_t seq;
	/* an upper bound of the entries written, for the worst era */
	uint64_t entries;
};

static inline bool cache_replay_may_hang(const struct cache_replay_forecast *f)
{
	return f->hangs || f->may_hang;
}

/**
 * cache_replay_forecast() - whether the start of a set can hang in its replay
 * @set:  loaded up to CACHE_LOAD_GENS
 * @eras: mask of the drivers asked for
 * @sink: its progress alone is called, to ask whether to go on; may be NULL
 *
 * Reads the nodes that the replay would change, and none if the bound alone decides. A tree
 * that is too damaged to play counts as one that starts: its damage is found elsewhere. A
 * replay that is too long to be played to its end counts as one that may hang.
 *
 * Memory: at most 16 MiB of the keys of nodes that were read; 4 to 8 bytes per key of the
 * journal; for the nodes on the way of the keys, their child pointers and the unwritten sets of
 * leaves.
 * Return: 0; -EIO, -ENOMEM, -ECANCELED.
 */
int cache_replay_forecast(struct cache_set *set, uint32_t eras, const struct cache_sink *sink,
			  struct cache_replay_forecast *f, struct cache_err *err);

/* Below: shared by the files of this folder. */

#define REPLAY_NONE	UINT32_MAX

/* Keys of the image's overlay by their indices, the oldest first. */
struct replay_refs {
	uint32_t *at;
	size_t n, capacity;
};

/* A node, as far as the replay needs it. */
struct replay_node {
	struct cache_bkey disk;		/* key of the node on disk from which its keys are read */
	/* keys in (lo, hi] belong to this node; only the positions are used */
	struct cache_bkey lo, hi;
	unsigned level;
	uint32_t parent;
	uint32_t nblocks, written;	/* blocks of its log: in total, and written */
	bool loaded;
	uint64_t pin;			/* leaf: the entry of its oldest unwritten key; 0: none */
	/* leaf: keys that the replay inserted; each may go beyond the leaf */
	struct replay_refs added;
	/* leaf: the set that is not on disk yet, with empty keys */
	struct cache_keys unwritten;
	uint32_t *child;		/* interior: live children, in order */
	uint32_t nchildren;
};

/* The allocator's queues, as numbers of buckets. */
struct replay_alloc {
	uint64_t prio, btree, moving, none, inc;	/* buckets queued */
	uint64_t prio_max, btree_max, moving_max, none_max, inc_max;
	uint64_t candidates;		/* buckets that the policy can still invalidate */
	bool dry;			/* no gc can run before the end of the replay */
	bool writing;			/* a prio write waits for its journal entry */
	/* in the most favourable play: no more than this is fetched */
	uint64_t wanted;
};

/*
 * Nodes that were read, for all plays of one set: each place keeps the first node that came
 * there, and its merged keys while there is memory. One without blocks: none.
 */
#define REPLAY_READS		512u
#define REPLAY_READS_BYTES	(16u << 20)	/* of keys in total; the others are read again */

struct replay_kept {
	struct cache_btree_node node;
	bool has_keys;
};

struct replay_reads {
	struct replay_kept kept[REPLAY_READS];
	uint64_t bytes;
};

struct replay {
	struct cache_set *set;
	const struct cache_sink *sink;
	struct replay_reads *reads;
	struct cache_err *err;
	bool best;			/* the most favourable play, for *hangs* */
	bool storm;			/* each key is written at once */
	/* a thread may wait for a ring bucket: the storm meanwhile */
	bool waiting;
	struct replay_node *node;
	uint32_t nnodes, root;
	uint32_t nloaded;
	uint64_t roots;			/* number of new roots */
	uint64_t nkeys;			/* that were replayed */
	uint64_t inserted;		/* pieces of keys */
	/* the value of @inserted when the first new root was named */
	uint64_t first_root_at;
	/* the first entry is written before this key; 0: before all */
	uint64_t flush_at;
	uint64_t seq;			/* seq of the entry that is replayed */
	uint64_t splits;
	struct replay_alloc alloc;
	/* greatest seq of each ring bucket, by distance from the newest */
	uint64_t ring_seq[CACHE_SB_JOURNAL_BUCKETS];
	uint32_t ring_cur, ring_discard;	/* distances; may exceed njournal */
	uint32_t ring_free;		/* free buckets: those left of the start */
	uint32_t ring_blocks;		/* free in the current ring bucket */
	uint64_t entries;		/* written */
};

/* How a play can end, beside errors. */
enum { REPLAY_HANGS = 1, REPLAY_CANNOT, REPLAY_TOO_LONG };

/* In replay_ring.c; those that return int return 0 or REPLAY_HANGS. */
void cache_replay_alloc_init(struct replay *r, const struct cache_driver *d, uint64_t unused,
			     uint64_t clean);
/* Runs the allocator's thread until it waits. */
void cache_replay_alloc_run(struct replay *r);
/* The maximal number of prio writes while @used buckets are taken. */
uint64_t cache_replay_alloc_writes_max(const struct replay_alloc *a, uint64_t used);
int cache_replay_set_root(struct replay *r);
/* Before a leaf is split: checks the reserve for it and all nodes above it. */
int cache_replay_wait_for_buckets(struct replay *r);
int cache_replay_take_buckets(struct replay *r, unsigned n);

/* in replay_tree.c */
int cache_replay_tree_init(struct replay *r);
void cache_replay_tree_fini(struct replay *r);
int cache_replay_insert(struct replay *r, uint32_t at);
/* @k, cut to the range of @n; false: nothing is left. */
bool cache_replay_clip(struct cache_bkey *k, const struct replay_node *n);
/* Writes the leaves that pin @upto or an earlier entry; 0: those that pin the oldest one. */
void cache_replay_write_leaves(struct replay *r, uint64_t upto);

#endif
