/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The btree: nodes that are logs of sorted key sets (format 6). A node is read,
 * its sets verified and merged as the driver does, and handed to a visitor.
 */
#ifndef LIBCACHE_BTREE_H
#define LIBCACHE_BTREE_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/gens.h"
#include "base/workers.h"
#include "dev/dev.h"
#include "disk/keys.h"
#include "disk/walk_times.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

/* No tree is this deep: the root must be full before it is split. */
#define CACHE_BTREE_LEVEL_MAX	16u

/* A key with one pointer as it is stored in a set. */
struct cache_stored_key {
	cache_le64 high, low, ptr;
};

/* One verified set inside a node's buffer. */
struct cache_bset_ref {
	const cache_le64 *words;
	uint32_t nwords;
	uint32_t block;			/* first block of the set in the node */
	uint32_t version;
};

struct cache_btree_node {
	struct cache_bkey key;		/* as stored in its parent or in the journal */
	unsigned level;			/* 0: leaf */
	uint64_t bucket;
	/* Keys belong here when greater than this position (its left neighbour's end). */
	uint64_t lo_inode, lo_offset;
	uint64_t seq;
	uint32_t nblocks;		/* size of the node */
	uint32_t used_blocks;		/* end of the log of sets */
	struct cache_bset_ref *sets;
	uint32_t nsets;
	/* the merged keys of all sets; keys that the driver drops are left out */
	struct cache_keys keys;
	/* a set did not verify: only keys of the sets before it are here */
	bool damaged;
	/* A leaf of which every key has one pointer, to this device, and all keys are in order. */
	bool plain;
	/*
	 * With @undecoded, which the caller sets, a plain leaf of one set whose keys are all in
	 * its range keeps them where they are stored: @keys is empty then. Otherwise NULL.
	 */
	bool undecoded;
	const struct cache_stored_key *stored;
	size_t nstored;
	/* Capacity of @sets, and the parser's memory, which the next call uses again. */
	size_t sets_capacity;
	struct cache_keys spare;
	size_t *run;
	struct cache_walk_times *times;	/* the parser adds its own; NULL: not measured */
};

/**
 * cache_btree_node_parse() - verify the sets of a node and merge them
 * @sb:   usable superblock
 * @data: the node's bytes, KEY_SIZE of @node->key sectors; must outlive @node
 * @node: key, level, bucket and bounds set, the rest zero or as another call left it:
 *        its memory is used again. Release with cache_btree_node_fini(), also after an error
 * @sink: as cache_found()
 */
int cache_btree_node_parse(const struct cache_sb *sb, const void *data,
			   struct cache_btree_node *node, const struct cache_sink *sink,
			   struct cache_err *err);
void cache_btree_node_fini(struct cache_btree_node *node);

/* Number of keys, wherever they are. */
static inline size_t cache_btree_node_nkeys(const struct cache_btree_node *n)
{
	return n->stored ? n->nstored : n->keys.n;
}

/* The first three words of key @i, which are all of it if it has one pointer. */
static inline struct cache_packed_key cache_btree_node_packed(const struct cache_btree_node *n, size_t i)
{
	if (n->stored) {
		const struct cache_stored_key *s = &n->stored[i];

		return (struct cache_packed_key){ cache_le64_get(s->high), cache_le64_get(s->low),
						  cache_le64_get(s->ptr) };
	}
	return (struct cache_packed_key){ n->keys.k[i].high, n->keys.k[i].low, n->keys.k[i].ptr[0] };
}

/* Key @i, wherever it is. */
static inline struct cache_bkey cache_btree_node_key(const struct cache_btree_node *n, size_t i)
{
	struct cache_packed_key p;

	if (!n->stored)
		return n->keys.k[i];
	p = cache_btree_node_packed(n, i);
	return cache_key_unpack(&p);
}

/*
 * Called for each node, parents before children, children in key order. A
 * non-zero return ends the walk and is returned. Gens that the visitor raises in
 * the table it was given are seen when the node's children are judged.
 */
typedef int cache_btree_node_fn(void *ctx, const struct cache_btree_node *node);

struct cache_btree_walk {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	const struct cache_gens *gens;	/* tells which pointers are stale */
	const struct cache_sink *sink;		/* may be NULL */
	struct cache_bkey root;
	unsigned root_level;
	bool undecoded;		/* set it in each node: the visitor knows what that means */
	/*
	 * Leaves are read, verified and merged here while others are visited; NULL: in the
	 * calling thread. Then the visitor must not use @dev while it looks at a leaf.
	 */
	struct cache_workers *workers;
	/*
	 * NULL: nothing is measured. Otherwise one node of each batch is read by itself, so that
	 * the time of such a read is known too.
	 */
	struct cache_walk_times *times;
	cache_btree_node_fn *node;
	void *ctx;
	/* filled by the walk */
	uint64_t nnodes[CACHE_BTREE_LEVEL_MAX + 1];	/* number of nodes per level */
	uint64_t read_bytes;
	uint64_t nbad;			/* nodes that could not be read, or in part only */
};

/**
 * cache_btree_walk() - visit every node that a driver would reach
 *
 * A bucket is read and entered only once, so the walk ends whatever the pointers are. A node's
 * bytes (@node->sets) are valid only during the visitor's call.
 * Memory: the children of one node per level, two batches of leaves, one bit per bucket. Neither
 * findings nor their order, nor what is read, depend on the number of workers.
 *
 * Return: 0; what the visitor returned; without a sink the errno of the first
 * broken rule; -ENOMEM.
 */
int cache_btree_walk(struct cache_btree_walk *w, struct cache_err *err);

/*
 * Whether the driver skips the key when it looks for live ones: a freeing key, a
 * key without pointers, a pointer to an absent device or a stale one (format 5.6).
 */
bool cache_bkey_is_bad(const struct cache_sb *sb, const struct cache_gens *gens,
		       const struct cache_bkey *k, unsigned level);

/* Greatest staleness of the key's available pointers; 0: none is stale. */
unsigned cache_bkey_staleness(const struct cache_sb *sb, const struct cache_gens *gens,
			      const struct cache_bkey *k);

#ifdef __cplusplus
}
#endif
#endif
