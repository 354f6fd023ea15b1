/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the files that find the state of a set without its ring: repair_lost_search.c searches
 * for the structures, repair_lost_ring.c judges whether a ring is older than they are, and
 * repair_lost_run.c takes the entries of a ring that the driver does not read.
 */
#ifndef LIBCACHE_REPAIR_LOST_H
#define LIBCACHE_REPAIR_LOST_H

#include "repair/repair_impl.h"

#define NOBODY		UINT32_MAX

struct lost_node {
	uint64_t bucket;
	uint8_t gen;
	bool proven;		/* checksum valid for the gen of its bucket, or a newer one */
	bool past;		/* checksum valid for an earlier gen of its bucket */
	bool has_parent, stale;
	uint32_t child;		/* index of one of its children; NOBODY: a leaf */
};

struct lost_prio {
	uint64_t bucket, seq, next;
	/* length of the chain of prio_sets that starts here; 0: not known */
	uint32_t reach;
};

struct lost {
	struct cache_set *set;
	const struct cache_sb *sb;
	const struct cache_sink *sink;	/* asked whether to go on */
	struct cache_err *err;
	char *buf;			/* large enough for a node or a prio_set */
	struct lost_prio *prio;
	struct lost_node *node;		/* sorted by bucket */
	uint32_t nprios, nnodes;
	size_t prio_capacity, node_capacity;
	struct cache_prios prios;
	bool prio_unread;		/* some bucket that cannot be read may hold a prio_set */
	/* what the ring holds is of another time, or of another set */
	bool old_ring;
	uint64_t old_seq;	/* of the entry that was taken for the newest then */
	bool asks_for_more;	/* entries after the newest one of the replay are lost */
	bool unread;			/* a read failed: the content is not known */
	/* one bit per bucket: a node has this bucket as its child, or names it as one */
	uint64_t *led_to;
	/* metadata buckets that no node names and that cannot be decoded */
	uint64_t ruined;
};

/* What the entries of a ring say of prio chains. */
struct named {
	uint64_t greatest;	/* seq of a prio_set that is there */
	uint32_t gone;		/* chains that were named after it and are not there */
	bool head;		/* one names the chain that was asked for */
};

/* Allocates the buffers of a search; 0 or -ENOMEM. */
int cache_lost_begin(struct lost *l);
void cache_lost_end(struct lost *l);

/*
 * What was found is in the journal's newest entry; what was not, is 0 there. Return: 0; -ENOMEM,
 * -ECANCELED.
 */
int cache_lost_find(struct lost *l);
/* Sifts every bucket for prio_sets and nodes. Return: 0; -ENOMEM, -ECANCELED. */
int cache_lost_sift(struct lost *l);
/* Adds the prio_set of this bucket, which is then in the buffer. Return: 0, -ENOMEM. */
int cache_lost_take_prio(struct lost *l, uint64_t bucket);
/* The gens and prios of the chain from @head, without the gens that are known to be false. */
int cache_lost_read_prios(struct lost *l, uint64_t head);

/* The head of the newest complete chain; 0: no chain is complete. */
uint64_t cache_lost_find_chain(struct lost *l);
/* The prio_set in @bucket, as an index, or NOBODY. */
uint32_t cache_lost_prio_in(const struct lost *l, uint64_t bucket);
/* The prio_set of the same seq that this one links to, or NOBODY. */
uint32_t cache_lost_prio_after(const struct lost *l, uint32_t i);
/* The seq of the whole prio_set in @bucket; 0: none is there. */
uint64_t cache_lost_prio_seq(const struct lost *l, uint64_t bucket);

struct lost_node *cache_lost_node_in(const struct lost *l, uint64_t bucket);
uint64_t cache_lost_node_ptr(const struct lost *l, const struct lost_node *n);
/* Descends to a leaf; NOBODY when the descent does not end. */
unsigned cache_lost_level_of(const struct lost *l, const struct lost_node *n);

/* What the entries of @j say of the chain from @head, and of others. Return: 0; as a read. */
int cache_lost_find_named(struct lost *l, const struct cache_journal *j, uint64_t head,
			  struct named *named);
/* Replays what the driver does not read, where it is the last that was written. 0, or an error. */
int cache_lost_take_run(struct lost *l);

#endif
