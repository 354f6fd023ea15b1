// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding the state of a set whose ring has no entry. The prio chain, the root and the uuid
 * table still exist, but nothing names them. A prio_set has a magic and a checksum, and all
 * members of the newest chain have the same seq. The checksum of a node proves the pointer to
 * it, so the parent of each node is known, and the root is the only node without a parent. A
 * uuid table has no magic: it is the only other metadata bucket that reads like a table, or it
 * stays unknown. What was found replaces the newest entry. If that entry still exists behind
 * damage, what was found must agree with it.
 */
#include "repair/repair_lost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "disk/btree_salvage.h"
#include "format/bset_codec.h"
#include "base/checked.h"
#include "base/crc64.h"

#define NODES_MAX	(1u << 20)

/* The gens and prios of the chain from @head, without the gens that are known to be false. */
int cache_lost_read_prios(struct lost *l, uint64_t head)
{
	struct repair_noted found = { 0 };
	const struct cache_sink sink = { .report = cache_repair_note, .ctx = &found };
	int ret = cache_prio_read(l->set->dev, l->sb, head, &l->prios, &sink, l->err);

	l->unread |= found.unread;
	if (!ret && l->set->correct_prios)
		l->set->correct_prios(l->set->correct_ctx, &l->prios);
	return ret;
}

static void *grow(void *list, uint32_t n, size_t *capacity, size_t size)
{
	return n >= NODES_MAX ? NULL : cache_array_grow(list, n, capacity, size);
}

static int lost_read(struct lost *l, uint64_t bucket, uint32_t nsectors)
{
	int ret = cache_dev_read(l->set->dev, cache_bucket_sector(l->sb, bucket), nsectors, l->buf,
				 NULL);

	l->unread |= ret;
	return ret;
}

int cache_lost_take_prio(struct lost *l, uint64_t bucket)
{
	const struct cache_prio_set_disk *d = (void *)l->buf;
	uint32_t nbytes = cache_meta_bucket_bytes(l->sb);
	void *p;

	if (lost_read(l, bucket, nbytes / CACHE_SECTOR_BYTES) ||
	    cache_le64_get(d->csum) != cache_crc64(l->buf + 8, nbytes - 8)) {
		l->prio_unread = true;
		return 0;
	}
	p = grow(l->prio, l->nprios, &l->prio_capacity, sizeof(*l->prio));
	if (!p)
		return -ENOMEM;
	l->prio = p;
	l->prio[l->nprios++] = (struct lost_prio){ bucket, cache_le64_get(d->seq),
						   cache_le64_get(d->next_bucket), 0 };
	return 0;
}

static int take_node(struct lost *l, uint64_t bucket)
{
	void *p = grow(l->node, l->nnodes, &l->node_capacity, sizeof(*l->node));

	if (!p)
		return -ENOMEM;
	l->node = p;
	l->node[l->nnodes++] = (struct lost_node){ .bucket = bucket, .child = NOBODY };
	return 0;
}

/*
 * Adds every bucket that starts like a prio_set or a node. Nodes are verified later, when the
 * gens are known.
 */
static int sift_bucket(struct lost *l, uint64_t bucket)
{
	const struct cache_prio_set_disk *d = (void *)l->buf;
	uint64_t magic = cache_sb_set_magic(l->sb);

	if (lost_read(l, bucket, CACHE_PAGE_SECTORS)) {
		l->prio_unread = true;
		return 0;
	}
	if (cache_le64_get(d->magic) == (magic ^ CACHE_PSET_MAGIC))
		return cache_lost_take_prio(l, bucket);
	if (cache_le64_get(d->magic) == (magic ^ CACHE_BSET_MAGIC))
		return take_node(l, bucket);
	return 0;
}

/* Sifts every bucket. Return: 0; -ENOMEM, -ECANCELED. */
int cache_lost_sift(struct lost *l)
{
	int ret = 0;

	for (uint64_t b = cache_sb_reserved_buckets(l->sb); b < l->sb->nbuckets && !ret; b++) {
		ret = cache_poll(l->sink, 0, b, l->sb->nbuckets);
		if (!ret)
			ret = sift_bucket(l, b);
	}
	return ret == -ENOMEM ?
	       cache_err_set(l->err, ret, 0, "no memory for the nodes of a set") : ret;
}

/* The prio_set in @bucket, as an index; they were found in the order of their buckets. */
uint32_t cache_lost_prio_in(const struct lost *l, uint64_t bucket)
{
	uint32_t at = cache_first_index(i, l->nprios, l->prio[i].bucket >= bucket);

	return at < l->nprios && l->prio[at].bucket == bucket ? at : NOBODY;
}

/* The prio_set of the same seq that this one links to, or NOBODY. */
uint32_t cache_lost_prio_after(const struct lost *l, uint32_t i)
{
	uint32_t next = cache_lost_prio_in(l, l->prio[i].next);

	return next != NOBODY && l->prio[next].seq == l->prio[i].seq ? next : NOBODY;
}

#define ON_THE_WAY	NOBODY

/*
 * Sets ->reach of all prio_sets of the chain from @head: the number of members that follow,
 * each counted once. The link of the last member is left over from before; if it leads back,
 * the chain is a ring.
 */
static void measure_chain(struct lost *l, uint32_t head)
{
	uint32_t i = head, n = 0, ring = 0, end;

	while (i != NOBODY && !l->prio[i].reach) {
		l->prio[i].reach = ON_THE_WAY;
		i = cache_lost_prio_after(l, i);
	}
	end = i;
	if (end != NOBODY && l->prio[end].reach == ON_THE_WAY) {
		do {
			ring++;
			i = cache_lost_prio_after(l, i);
		} while (i != end);
		for (; l->prio[i].reach == ON_THE_WAY; i = cache_lost_prio_after(l, i))
			l->prio[i].reach = ring;
	}
	n = end == NOBODY ? 0 : l->prio[end].reach;
	for (i = head; i != NOBODY && l->prio[i].reach == ON_THE_WAY; i = cache_lost_prio_after(l, i))
		ring = ++n;
	for (i = head; n && i != NOBODY && l->prio[i].reach == ON_THE_WAY; i = cache_lost_prio_after(l, i))
		l->prio[i].reach = ring--;
}

/* The head of the newest complete chain; 0: no chain is complete. */
uint64_t cache_lost_find_chain(struct lost *l)
{
	const struct lost_prio *best = NULL;

	for (uint32_t i = 0; i < l->nprios; i++) {
		if (!l->prio[i].reach)
			measure_chain(l, i);
		if ((!best || l->prio[i].seq > best->seq) &&
		    l->prio[i].reach >= cache_prio_buckets(l->sb))
			best = &l->prio[i];
	}
	return best ? best->bucket : 0;
}

struct lost_node *cache_lost_node_in(const struct lost *l, uint64_t bucket)
{
	uint32_t at = cache_first_index(i, l->nnodes, l->node[i].bucket >= bucket);

	return at < l->nnodes && l->node[at].bucket == bucket ? &l->node[at] : NULL;
}

uint64_t cache_lost_node_ptr(const struct lost *l, const struct lost_node *n)
{
	return cache_ptr_make(l->sb->nr_this_dev, cache_bucket_sector(l->sb, n->bucket), n->gen);
}

/*
 * The gen of the pointer to this node: tried from the gen of the bucket upwards, then
 * downwards.
 */
static void verify_node(struct lost *l, struct lost_node *n)
{
	const struct cache_bset_disk *d = (void *)l->buf;
	uint32_t nsectors = cache_btree_node_sectors(l->sb);
	uint8_t own = l->prios.gen[n->bucket];
	int gen;

	if (lost_read(l, n->bucket, nsectors) ||
	    cache_bset_bytes(d) > nsectors * CACHE_SECTOR_BYTES)
		return;
	gen = cache_bset_find_gen(d, l->sb, n->bucket, own);
	if (gen < 0)
		return;
	n->gen = gen;
	n->proven = (uint8_t)(gen - own) < 128;
	n->past = !n->proven;
}

/* Freeing keys and the pointers of parents tell which nodes are obsolete. */
static void take_gen(const struct lost *l, const struct cache_bkey *k)
{
	uint64_t bucket = cache_ptr_bucket(l->sb, k, 0);
	struct lost_node *n = bucket < l->sb->nbuckets ? cache_lost_node_in(l, bucket) : NULL;

	if (n && cache_gen_after(cache_ptr_gen(k->ptr[0]), n->gen))
		n->stale = true;
}

static void take_child(struct lost *l, struct lost_node *parent, const struct cache_bkey *k)
{
	uint64_t bucket = cache_ptr_bucket(l->sb, k, 0);
	struct lost_node *n;

	if (bucket >= l->sb->nbuckets || cache_key_dirty(k) ||
	    cache_key_size(k) != cache_btree_node_sectors(l->sb) ||
	    cache_gen_after(l->prios.gen[bucket], cache_ptr_gen(k->ptr[0])))
		return;
	cache_bit_set(l->led_to, bucket);
	n = cache_lost_node_in(l, bucket);
	if (!n || n == parent || !n->proven || n->stale || k->ptr[0] != cache_lost_node_ptr(l, n))
		return;
	n->has_parent = true;
	parent->child = n - l->node;
}

/* Applies all keys of an interior node; without @children only their gens. */
static int take_keys_of(struct lost *l, struct lost_node *p, bool children)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_btree_node n = { .bucket = p->bucket, .level = 1 };
	uint32_t nsectors = cache_btree_node_sectors(l->sb);
	int ret;

	if (lost_read(l, p->bucket, nsectors))
		return 0;
	n.key = cache_bkey_make(CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX, nsectors, false);
	cache_bkey_set_ptrs(&n.key, 1);
	n.key.ptr[0] = cache_lost_node_ptr(l, p);
	ret = cache_btree_node_salvage(l->sb, l->buf, &n, &silent, NULL);
	for (size_t i = 0; i < n.keys.n && !ret; i++) {
		const struct cache_bkey *k = &n.keys.k[i];

		if (!cache_ptr_is_available(l->sb, k, 0))
			continue;
		if (!children)
			take_gen(l, k);
		else if (!cache_bkey_is_freeing(k))
			take_child(l, p, k);
	}
	cache_btree_node_fini(&n);
	return ret;
}

static int link_nodes(struct lost *l)
{
	int ret = 0;

	for (uint32_t i = 0; i < l->nnodes; i++)
		verify_node(l, &l->node[i]);
	for (uint32_t i = 0; i < l->nnodes && !ret; i++)
		if (l->node[i].proven)
			ret = take_keys_of(l, &l->node[i], false);
	for (uint32_t i = 0; i < l->nnodes && !ret; i++)
		if (l->node[i].proven && !l->node[i].stale)
			ret = take_keys_of(l, &l->node[i], true);
	return ret;
}

/* Descends to a leaf; NOBODY when the descent does not end. */
unsigned cache_lost_level_of(const struct lost *l, const struct lost_node *n)
{
	unsigned level = 0;

	for (; n->child != NOBODY && level <= CACHE_BTREE_LEVEL_MAX; level++)
		n = &l->node[n->child];
	return level <= CACHE_BTREE_LEVEL_MAX ? level : NOBODY;
}

/*
 * Of the nodes without a parent the root is the one of the highest level. If two have the same
 * level, the root is not known. A leaf without a parent is lost or obsolete, and is examined
 * later. The root is also not known if a damaged node without a parent exists: that may have
 * been the root, and the node that was found only a part of the tree.
 */
static void find_root(struct lost *l)
{
	struct cache_jset *newest = &l->set->journal.newest;
	const struct lost_node *root = NULL;
	unsigned best = 0;
	bool only = false;

	for (uint32_t i = 0; i < l->nnodes; i++) {
		const struct lost_node *n = &l->node[i];
		unsigned level = cache_lost_level_of(l, n);

		if (n->has_parent || n->stale || !n->proven || level == NOBODY ||
		    (root && level < best))
			continue;
		only = !root || level > best;
		best = level;
		root = n;
	}
	if (!root || !only || l->ruined)
		return;
	newest->btree_root = cache_bkey_make(CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX,
					     cache_btree_node_sectors(l->sb), false);
	cache_bkey_set_ptrs(&newest->btree_root, 1);
	newest->btree_root.ptr[0] = cache_lost_node_ptr(l, root);
	newest->pos.level = best;
}

static struct cache_bkey table_key(const struct lost *l, uint64_t bucket)
{
	struct cache_bkey k = cache_bkey_make(0, 0, cache_meta_bucket_bytes(l->sb) /
					      CACHE_SECTOR_BYTES, false);

	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(l->sb->nr_this_dev, cache_bucket_sector(l->sb, bucket),
				  l->prios.gen[bucket]);
	return k;
}

/*
 * 1: every slot is free or valid, and at least one is in use: release @u. 0: it is no table.
 * -ENOMEM.
 */
static int reads_like_table(struct lost *l, uint64_t bucket, struct cache_uuids *u)
{
	unsigned used = 0;
	struct repair_noted wrong = { 0 };
	const struct cache_sink sink = { .report = cache_repair_note, .ctx = &wrong };
	const struct cache_bkey k = table_key(l, bucket);
	int ret = cache_uuids_read(l->set->dev, l->sb, &k, CACHE_JSET_VERSION, u, &sink, NULL);

	for (uint32_t i = 0; !ret && i < u->n; i++)
		used += cache_uuid_state(&u->slot[i]) != CACHE_SLOT_FREE;
	l->unread |= wrong.unread;
	if (used && !wrong.n)
		return 1;
	cache_uuids_fini(u);
	return ret == -ENOMEM ? ret : 0;
}

/*
 * Whether @a has every device that @b has, or has detached it: slots of a table are never given
 * away.
 */
static bool follows(const struct cache_uuids *a, const struct cache_uuids *b)
{
	for (uint32_t i = 0; i < a->n && i < b->n; i++)
		if (cache_uuid_state(&b->slot[i]) != CACHE_SLOT_FREE &&
		    cache_uuid_state(&a->slot[i]) != CACHE_SLOT_RETIRED &&
		    memcmp(a->slot[i].uuid, b->slot[i].uuid, sizeof(a->slot[i].uuid)))
			return false;
	return true;
}

static void swap(struct cache_uuids *a, struct cache_uuids *b)
{
	struct cache_uuids t = *a;

	*a = *b;
	*b = t;
}

/* Whether the bucket may hold a damaged root: it is not even an obsolete node. */
static void count_ruined_nodes(struct lost *l)
{
	for (uint32_t i = 0; i < l->nnodes; i++) {
		const struct lost_node *n = &l->node[i];

		l->ruined += !n->proven && !n->past && !cache_bit(l->led_to, n->bucket) &&
			     l->prios.prio[n->bucket] == CACHE_BTREE_PRIO;
	}
}

/* Used for metadata, and nothing yet explains for which. */
static bool is_unclaimed(const struct lost *l, uint64_t bucket)
{
	return l->prios.prio[bucket] == CACHE_BTREE_PRIO && !cache_lost_node_in(l, bucket) &&
	       cache_lost_prio_in(l, bucket) == NOBODY;
}

/* Older copies of the table may still exist; the copy that succeeds all others is the newest. */
static int find_table(struct lost *l)
{
	struct cache_uuids best = { 0 }, u;
	uint64_t found = 0;
	bool torn = false;	/* two copies, and neither succeeds the other */
	int ret = 0;

	for (uint64_t b = cache_sb_reserved_buckets(l->sb); b < l->sb->nbuckets && ret >= 0; b++) {
		if (!is_unclaimed(l, b))
			continue;
		ret = reads_like_table(l, b, &u);
		l->ruined += !ret && !cache_bit(l->led_to, b);
		if (ret <= 0)
			continue;
		if (!found || follows(&u, &best)) {
			swap(&u, &best);
			found = b;
			torn = false;
		} else if (!follows(&best, &u)) {
			torn = true;
		}
		cache_uuids_fini(&u);
	}
	if (found && !torn)
		l->set->journal.newest.uuid_bucket = table_key(l, found);
	if (!found && l->ruined)
		l->ruined--;	/* this is the table */
	cache_uuids_fini(&best);
	return ret < 0 ? cache_err_set(l->err, ret, 0, "no memory for a uuid table") : 0;
}

int cache_lost_find(struct lost *l)
{
	struct cache_jset *newest = &l->set->journal.newest;
	int ret = cache_lost_sift(l);

	if (ret)
		return ret;
	newest->prio_bucket[l->sb->nr_this_dev] = cache_lost_find_chain(l);
	ret = cache_lost_read_prios(l, newest->prio_bucket[l->sb->nr_this_dev]);
	if (ret)
		return ret;
	ret = link_nodes(l);
	if (ret)
		return cache_err_set(l->err, ret, 0, "no memory for the nodes of a set");
	ret = find_table(l);
	count_ruined_nodes(l);
	find_root(l);
	return ret;
}

/* The seq of the whole prio_set in @bucket; 0: none is there. */
uint64_t cache_lost_prio_seq(const struct lost *l, uint64_t bucket)
{
	uint32_t i = cache_lost_prio_in(l, bucket);

	return i == NOBODY ? 0 : l->prio[i].seq;
}

/* Allocates the buffers of a search; 0 or -ENOMEM. */
int cache_lost_begin(struct lost *l)
{
	const struct cache_sb *sb = l->sb;

	l->buf = cache_dev_buf(cache_max_u64(cache_meta_bucket_bytes(sb),
					     cache_btree_node_sectors(sb) * CACHE_SECTOR_BYTES));
	l->led_to = cache_bits_new(sb->nbuckets);
	return l->buf && l->led_to ? 0 :
	       cache_err_set(l->err, -ENOMEM, 0, "no memory for a btree node");
}

void cache_lost_end(struct lost *l)
{
	cache_prio_fini(&l->prios);
	free(l->prio);
	free(l->node);
	free(l->led_to);
	free(l->buf);
}
