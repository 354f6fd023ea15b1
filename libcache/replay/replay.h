/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A rehearsal of the journal replay, to foresee a start that hangs.
 *
 * The replay inserts keys into leaves; a leaf without room is split, its parent
 * gets a set of at least one block, and when that reaches the root, naming the new
 * root needs a journal entry, for which the replay waits. Beside it the allocator
 * writes prios, each time with an entry as well. Nothing of the ring can be
 * reclaimed that holds the entry now being replayed or a later one: when the ring
 * has no room before that, the replay waits for itself.
 *
 * What decides it is a feedback: whoever finds the ring bucket used up first writes
 * out leaves that pin the oldest entry, each of which so loses a block of room, is
 * split by the next key it gets, and soon replaces the root again. So splits
 * cannot be estimated; they are played. Only counting: nothing is written. Once that
 * feedback has begun, how it ends is a matter of chance: a play that got through it
 * is no proof.
 *
 * Shown on real kernels, 6.1 and 6.12: see tests/kernel/README.md.
 */
#ifndef LIBCACHE_REPLAY_H
#define LIBCACHE_REPLAY_H

#include "set/set.h"

/* How the allocator's thread happens to run beside the replay. */
enum replay_pace {
	REPLAY_ALLOC_LATE,	/* only when the replay has nearly used its reserve */
	REPLAY_ALLOC_ONCE,	/* its first prio write at once, then late */
	REPLAY_ALLOC_EAGER,	/* always before the replay */
	REPLAY_PACES
};

struct cache_replay_forecast {
	unsigned hangs;		/* of REPLAY_PACES plays */
	unsigned narrow;	/* others: the ring was full, and what they wrote made room */
	uint64_t seq;		/* entry at which the last that hung did, else the first was full */
	uint64_t entries;	/* most journal entries written by a play that did not */
};

static inline bool cache_replay_may_hang(const struct cache_replay_forecast *f)
{
	return f->hangs || f->narrow;
}

/**
 * cache_replay_forecast() - play the replay of a set at every pace
 * @set: loaded up to CACHE_LOAD_GENS
 *
 * Reads the nodes that the replay would touch, a few times each. A tree too
 * damaged to play, or a play too long to finish, counts as one that does not hang
 * at the paces it was not played to the end: what is wrong there is found elsewhere.
 *
 * Memory: 4 bytes per key of the journal, or 8 while they are put down; what names the
 * children of the nodes on their way, and of leaves the set that is not written.
 * Return: 0; -EIO, -ENOMEM.
 */
int cache_replay_forecast(struct cache_set *set, struct cache_replay_forecast *f,
			  struct cache_err *err);

/* Below: between replay.c and replay_tree.c. */

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
	uint64_t pin;			/* entry its oldest unwritten key came from; 0: none */
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
	bool must;			/* the replay is about to wait for buckets */
	unsigned allowed;		/* prio writes it may begin unasked */
};

struct replay {
	struct cache_set *set;
	struct cache_err *err;
	enum replay_pace pace;
	struct replay_node *node;
	uint32_t nnodes, root;
	uint32_t *pinned;		/* leaves with a pin */
	uint32_t npinned;
	uint64_t seq;			/* of the entry being replayed */
	uint64_t splits;
	struct replay_alloc alloc;
	uint64_t ring_seq[CACHE_SB_JOURNAL_BUCKETS];	/* greatest seq, by distance from the newest */
	uint32_t ring_cur, ring_discard;	/* distances; may pass njournal */
	uint32_t ring_blocks;		/* free in the current ring bucket */
	uint64_t entries;		/* written */
	uint64_t full_at;		/* entry at which the ring first was; 0: never */
};

/* What ends a play, beside errors. */
enum { REPLAY_HANGS = 1, REPLAY_CANNOT };

/* replay.c: each 0 or REPLAY_HANGS. */
int cache_replay_set_root(struct replay *r);
int cache_replay_take_buckets(struct replay *r, unsigned n);

/* replay_tree.c */
int cache_replay_tree_init(struct replay *r);
void cache_replay_tree_fini(struct replay *r);
int cache_replay_insert(struct replay *r, uint32_t at);
/* @k, cut to what lies in the range of @n; false: nothing does. */
bool cache_replay_clip(struct cache_bkey *k, const struct replay_node *n);
/* A leaf's unwritten set goes to disk and takes up blocks; its pin ends. */
void cache_replay_write_leaf(struct replay *r, uint32_t leaf);

#endif
