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
#include "repair/repair_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "disk/btree_salvage.h"
#include "format/bset_codec.h"
#include "base/checked.h"
#include "disk/journal_blocks.h"
#include "base/crc64.h"

#define NODES_MAX	(1u << 20)
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

/* The gens and prios of the chain from @head, without the gens that are known to be false. */
static int read_prios(struct lost *l, uint64_t head)
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

static int take_prio(struct lost *l, uint64_t bucket)
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
		return take_prio(l, bucket);
	if (cache_le64_get(d->magic) == (magic ^ CACHE_BSET_MAGIC))
		return take_node(l, bucket);
	return 0;
}

/* Sifts every bucket. Return: 0; -ENOMEM, -ECANCELED. */
static int sift_all(struct lost *l)
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
static uint32_t prio_in(const struct lost *l, uint64_t bucket)
{
	uint32_t at = cache_first_index(i, l->nprios, l->prio[i].bucket >= bucket);

	return at < l->nprios && l->prio[at].bucket == bucket ? at : NOBODY;
}

/* The prio_set of the same seq that this one links to, or NOBODY. */
static uint32_t prio_after(const struct lost *l, uint32_t i)
{
	uint32_t next = prio_in(l, l->prio[i].next);

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
		i = prio_after(l, i);
	}
	end = i;
	if (end != NOBODY && l->prio[end].reach == ON_THE_WAY) {
		do {
			ring++;
			i = prio_after(l, i);
		} while (i != end);
		for (; l->prio[i].reach == ON_THE_WAY; i = prio_after(l, i))
			l->prio[i].reach = ring;
	}
	n = end == NOBODY ? 0 : l->prio[end].reach;
	for (i = head; i != NOBODY && l->prio[i].reach == ON_THE_WAY; i = prio_after(l, i))
		ring = ++n;
	for (i = head; n && i != NOBODY && l->prio[i].reach == ON_THE_WAY; i = prio_after(l, i))
		l->prio[i].reach = ring--;
}

/* The head of the newest complete chain; 0: no chain is complete. */
static uint64_t find_chain(struct lost *l)
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

static struct lost_node *node_in(const struct lost *l, uint64_t bucket)
{
	uint32_t at = cache_first_index(i, l->nnodes, l->node[i].bucket >= bucket);

	return at < l->nnodes && l->node[at].bucket == bucket ? &l->node[at] : NULL;
}

static uint64_t node_ptr(const struct lost *l, const struct lost_node *n)
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
	struct lost_node *n = bucket < l->sb->nbuckets ? node_in(l, bucket) : NULL;

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
	n = node_in(l, bucket);
	if (!n || n == parent || !n->proven || n->stale || k->ptr[0] != node_ptr(l, n))
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
	n.key.ptr[0] = node_ptr(l, p);
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
static unsigned level_of(const struct lost *l, const struct lost_node *n)
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
		unsigned level = level_of(l, n);

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
	newest->btree_root.ptr[0] = node_ptr(l, root);
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
	return l->prios.prio[bucket] == CACHE_BTREE_PRIO && !node_in(l, bucket) &&
	       prio_in(l, bucket) == NOBODY;
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

static int find(struct lost *l)
{
	struct cache_jset *newest = &l->set->journal.newest;
	int ret = sift_all(l);

	if (ret)
		return ret;
	newest->prio_bucket[l->sb->nr_this_dev] = find_chain(l);
	ret = read_prios(l, newest->prio_bucket[l->sb->nr_this_dev]);
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
static uint64_t prio_seq(const struct lost *l, uint64_t bucket)
{
	uint32_t i = prio_in(l, bucket);

	return i == NOBODY ? 0 : l->prio[i].seq;
}

/* Whether no prio_set is newer than those of the chain from @head, and none can be. */
static bool is_newest_chain(const struct lost *l, uint64_t head)
{
	uint64_t seq = 0, greatest = 0;

	for (uint32_t i = 0; i < l->nprios; i++) {
		greatest = cache_max_u64(greatest, l->prio[i].seq);
		if (l->prio[i].bucket == head)
			seq = l->prio[i].seq;
	}
	return head && seq == greatest && !l->prio_unread;
}

/*
 * Whether what was found without the ring confirms @newest as the last entry, and nothing
 * contradicts it.
 */
static bool is_last(const struct lost *l, const struct cache_jset *newest)
{
	const struct cache_jset *found = &l->set->journal.newest;
	const struct cache_bkey *root = &found->btree_root;
	uint64_t head = found->prio_bucket[l->sb->nr_this_dev];

	return head == newest->prio_bucket[l->sb->nr_this_dev] && is_newest_chain(l, head) &&
	       (!cache_key_ptrs(root) || (root->ptr[0] == newest->btree_root.ptr[0] &&
					  found->pos.level == newest->pos.level));
}

/* Allocates the buffers of a search; 0 or -ENOMEM. */
static int begin(struct lost *l)
{
	const struct cache_sb *sb = l->sb;

	l->buf = cache_dev_buf(cache_max_u64(cache_meta_bucket_bytes(sb),
					     cache_btree_node_sectors(sb) * CACHE_SECTOR_BYTES));
	l->led_to = cache_bits_new(sb->nbuckets);
	return l->buf && l->led_to ? 0 :
	       cache_err_set(l->err, -ENOMEM, 0, "no memory for a btree node");
}

static void end(struct lost *l)
{
	cache_prio_fini(&l->prios);
	free(l->prio);
	free(l->node);
	free(l->led_to);
	free(l->buf);
}

/* Whether the bucket of @n, now in the buffer, begins with a prio_set or a later node. */
static bool is_reused(const struct lost *l, const struct cache_btree_node *n)
{
	const struct cache_bset_disk *d = (const void *)l->buf;
	uint64_t magic = cache_le64_get(((const struct cache_prio_set_disk *)l->buf)->magic);
	uint8_t own = cache_ptr_gen(n->key.ptr[0]);
	int gen = -1;

	if (magic == (cache_sb_set_magic(l->sb) ^ CACHE_PSET_MAGIC))
		return true;
	if (magic == (cache_sb_set_magic(l->sb) ^ CACHE_BSET_MAGIC) &&
	    cache_bset_bytes(d) <= cache_key_size(&n->key) * CACHE_SECTOR_BYTES)
		gen = cache_bset_find_gen(d, l->sb, n->bucket, own);
	return gen >= 0 && cache_gen_after(gen, own);
}

/* Whether a set of the node that the newest entry names as its root verifies. */
static int has_root(struct lost *l, bool *has)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_btree_node n = { .key = l->set->journal.newest.btree_root };
	uint64_t sector = cache_key_ptrs(&n.key) ? cache_ptr_sector(n.key.ptr[0]) : 0;
	int ret;

	if (cache_btree_ptr_invalid(l->sb, &n.key) ||
	    cache_key_size(&n.key) > cache_btree_node_sectors(l->sb))
		return 0;
	if (cache_dev_read(l->set->dev, sector, cache_key_size(&n.key), l->buf, NULL)) {
		l->unread = true;
		return 0;
	}
	n.bucket = sector / l->sb->bucket_sectors;
	/* then a part of the old root may be left behind the new content */
	if (is_reused(l, &n))
		return 0;
	ret = cache_btree_node_salvage(l->sb, l->buf, &n, &silent, NULL);
	*has = !ret && (n.nsets || n.keys.n);
	cache_btree_node_fini(&n);
	return ret == -ENOMEM ? ret : 0;
}

static int has_table(struct lost *l, bool *has)
{
	struct repair_noted wrong = { 0 };
	const struct cache_sink sink = { .report = cache_repair_note, .ctx = &wrong };
	const struct cache_jset *newest = &l->set->journal.newest;
	struct cache_uuids u = { 0 };
	int ret = cache_uuids_read(l->set->dev, l->sb, &newest->uuid_bucket, newest->pos.version,
				   &u, &sink, NULL);

	cache_uuids_fini(&u);
	l->unread |= ret == -EIO || wrong.unread;
	*has = !ret && !wrong.n;
	return ret == -ENOMEM ? ret : 0;
}

/* @other: the content is neither a damaged prio_set nor zeros, but something else. */
static int has_head(struct lost *l, bool *has, bool *other)
{
	uint64_t head = l->set->journal.newest.prio_bucket[l->sb->nr_this_dev];
	uint64_t magic = cache_sb_set_magic(l->sb) ^ CACHE_PSET_MAGIC, is;
	int ret;

	if (head < cache_sb_reserved_buckets(l->sb) || head >= l->sb->nbuckets)
		return 0;
	ret = take_prio(l, head);
	if (ret)
		return ret;
	is = cache_le64_get(((const struct cache_prio_set_disk *)l->buf)->magic);
	*other = is && is != magic;
	*has = l->nprios && is == magic;
	return 0;
}

/* What the entries of a ring say of prio chains. */
struct named {
	uint64_t greatest;	/* seq of a prio_set that is there */
	uint32_t gone;		/* chains that were named after it and are not there */
	bool head;		/* one names the chain that was asked for */
};

struct naming {
	uint64_t seq, head;	/* of an entry */
};

static int by_entry(const void *a, const void *b, void *ctx)
{
	uint64_t x = ((const struct naming *)a)->seq, y = ((const struct naming *)b)->seq;

	return x < y ? -1 : x > y;
}

/* One per entry of @j that can be read, sorted. */
static int read_namings(struct lost *l, const struct cache_journal *j, struct naming *n,
			size_t *count)
{
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	int ret = words ? 0 : -ENOMEM;

	*count = 0;
	for (size_t i = 0; i < j->nentries && !ret; i++) {
		struct cache_jset jset;

		ret = cache_jset_read(l->set->dev, l->sb, &j->entries[i], &jset, words, NULL);
		l->unread |= ret == -EIO;
		if (!ret)
			n[(*count)++] = (struct naming){ jset.pos.seq,
							 jset.prio_bucket[l->sb->nr_this_dev] };
		ret = ret == -ENOMEM ? ret : 0;
	}
	free(words);
	return ret ? ret : cache_sort_polled(n, *count, sizeof(*n), by_entry, NULL, l->sink);
}

static int find_named(struct lost *l, const struct cache_journal *j, uint64_t head,
		      struct named *named)
{
	struct naming *n = calloc(j->nentries + 1, sizeof(*n));
	uint64_t last = 0;
	size_t count = 0;
	int ret = n ? read_namings(l, j, n, &count) : -ENOMEM;

	*named = (struct named){ 0 };
	for (size_t i = 0; i < count && !ret; i++) {
		uint64_t seq = prio_seq(l, n[i].head);

		named->head |= n[i].head == head;
		named->gone += !seq && n[i].head != last;
		if (seq > named->greatest) {
			named->greatest = seq;
			named->gone = 0;
		}
		last = n[i].head;
	}
	free(n);
	return ret;
}

/*
 * The seq of the chain that began in @head and is gone, 0: not known. The last member of a chain
 * links to the head of the one before, so it has its seq from the one that follows.
 */
static uint64_t seq_of_head(const struct lost *l, uint64_t head, uint64_t newest_chain)
{
	uint32_t i = prio_in(l, newest_chain), steps = 0;
	uint64_t seq = 0;

	while (!seq && i != NOBODY && steps++ < l->nprios) {
		for (uint32_t n = cache_prio_buckets(l->sb); n > 1 && i != NOBODY; n--)
			i = prio_after(l, i);
		if (i == NOBODY)
			break;
		if (l->prio[i].next == head)
			seq = l->prio[i].seq - 1;
		else if (prio_seq(l, l->prio[i].next) == l->prio[i].seq - 1)
			i = prio_in(l, l->prio[i].next);
		else
			break;
	}
	return seq;
}

/*
 * Blocks behind the newest of @run, to the next entry in the ring: so many can be lost there. An
 * entry that is older than a lap of the ring is there because a write over it was lost.
 */
static uint64_t blocks_behind(const struct lost *l, const struct cache_journal *run)
{
	const struct cache_jset_pos *newest = &run->newest.pos, *next;
	size_t n = run->nentries, i = 0;

	while (i < n && (run->entries[i].index < newest->index ||
			 (run->entries[i].index == newest->index &&
			  run->entries[i].offset_sectors <= newest->offset_sectors)))
		i++;
	do
		next = &run->entries[i++ % n];
	while (next->seq != newest->seq && !cache_journal_can_follow(l->sb, next, newest));
	return cache_journal_blocks_between(l->sb, newest, next);
}

/*
 * Whether the root of @newest may still be the root: it was found to be, or it is one of those
 * between which the search could not choose. (A root that the driver has replaced keeps its
 * gen.)
 */
static bool is_root_still(const struct lost *l, const struct cache_jset *newest)
{
	const struct cache_jset *found = &l->set->journal.newest;
	const struct cache_bkey *root = &newest->btree_root;
	const struct lost_node *n;

	if (cache_key_ptrs(&found->btree_root))
		return found->btree_root.ptr[0] == root->ptr[0] &&
		       found->pos.level == newest->pos.level;
	if (!cache_key_ptrs(root) || cache_ptr_bucket(l->sb, root, 0) >= l->sb->nbuckets)
		return false;
	n = node_in(l, cache_ptr_bucket(l->sb, root, 0));
	return n && n->proven && !n->stale && !n->has_parent && node_ptr(l, n) == root->ptr[0] &&
	       level_of(l, n) == newest->pos.level;
}

/*
 * Entries after the newest of @run are lost, but no more than there is a gap for: each prio
 * chain that was written since, as each run of the allocator does, took one. Or the last chain
 * is damaged, and the one before it is named here. The root is the same: a repair, after which
 * nothing of before may be replayed, writes another, and raises the gen of the old one.
 */
static int is_near_last(struct lost *l, const struct cache_journal *run, bool *near)
{
	const struct cache_jset *found = &l->set->journal.newest, *newest = &run->newest;
	uint64_t head = found->prio_bucket[l->sb->nr_this_dev], chain = prio_seq(l, head);
	uint64_t named = prio_seq(l, newest->prio_bucket[l->sb->nr_this_dev]);
	struct named of_run = { 0 };
	int ret = 0;

	*near = false;
	if (!is_root_still(l, newest))
		return 0;
	if (!named)
		ret = find_named(l, run, head, &of_run);
	*near = of_run.head;
	if (ret || *near)
		return ret;
	/* its bucket may have been the head of an earlier chain too, so this comes last */
	if (!named)
		named = seq_of_head(l, newest->prio_bucket[l->sb->nr_this_dev], head);
	*near = named && (chain <= named || chain - named <= blocks_behind(l, run));
	return 0;
}

/* What was found without the ring is of a later moment than @newest, which lacks entries. */
static void take_found(const struct lost *l, struct cache_jset *newest,
		       const struct cache_jset *found)
{
	if (found->prio_bucket[l->sb->nr_this_dev])
		newest->prio_bucket[l->sb->nr_this_dev] = found->prio_bucket[l->sb->nr_this_dev];
	if (cache_key_ptrs(&found->btree_root)) {
		newest->btree_root = found->btree_root;
		newest->pos.level = found->pos.level;
	}
	if (cache_key_ptrs(&found->uuid_bucket))
		newest->uuid_bucket = found->uuid_bucket;
}

/*
 * Entries may stand behind a damaged one, where no driver reads them; of a young set these are
 * all entries but the first. They are replayed if they are the last entries that were written;
 * older ones would revert what the tree has since. The proof is that nothing later has left a
 * trace in the ring, and that the newest prio chain, which every run of the allocator and every
 * repair replaces, is the chain that the last entry names. Then no old data can return: the
 * entries follow each other without a gap up to the last one, so each key is newer than what
 * the tree has for its range, or the tree has it from this entry or a later one. What the lost
 * entries before them named stays unknown, so all clean data is in doubt.
 * Where a few entries after the last one are lost too, each leaf shows which keys it has
 * already had.
 */
static int take_run(struct lost *l)
{
	struct cache_journal *j = &l->set->journal, run;
	bool take = false, last = false;
	int ret = cache_journal_run(l->set->dev, l->sb, &run, l->sink, l->err);

	/*
	 * the first block of every bucket is lost: there are gaps, and nothing newer has left a
	 * trace
	 */
	if (!ret) {
		cache_journal_fini(&run);
		ret = cache_journal_survivors(l->set->dev, l->sb, NULL, &run, l->sink, l->err);
	}
	if (ret == 1 && (!l->old_ring || run.newest.pos.seq > l->old_seq)) {
		take = last = is_last(l, &run.newest);
		ret = last ? 1 : is_near_last(l, &run, &take);
	}
	if (take && ret >= 0) {
		if (!last)
			take_found(l, &run.newest, &j->newest);
		cache_journal_fini(j);
		*j = run;
		l->asks_for_more = !last;
	} else {
		cache_journal_fini(&run);
	}
	return ret < 0 ? ret : 0;
}

/* Whether the root's bucket was reused since, according to the gens of the newest chain. */
static int was_replaced(struct lost *l, uint64_t chain, bool *old)
{
	const struct cache_bkey *root = &l->set->journal.newest.btree_root;
	uint64_t b = cache_key_ptrs(root) ? cache_ptr_bucket(l->sb, root, 0) : UINT64_MAX;
	int ret = 0;

	if (b >= l->sb->nbuckets)
		return 0;
	ret = read_prios(l, chain);
	if (!ret)
		*old = cache_gen_after(l->prios.gen[b], cache_ptr_gen(root->ptr[0]));
	return ret;
}

static bool is_after_chain(const struct lost *l, const struct cache_bkey *k)
{
	uint64_t b = cache_key_ptrs(k) && cache_ptr_is_available(l->sb, k, 0) ?
		     cache_ptr_bucket(l->sb, k, 0) : UINT64_MAX;

	return b < l->sb->nbuckets && cache_gen_after(cache_ptr_gen(k->ptr[0]), l->prios.gen[b]);
}

static int see_key(void *ctx, const struct cache_jset_pos *pos, unsigned index,
		   const struct cache_bkey *k)
{
	return is_after_chain(ctx, k);
}

/*
 * Whether the ring was written after the chain: a gen is in a prio_set before a pointer has it, so
 * a pointer with a gen that the chain lacks is newer than the chain.
 */
static int is_later(struct lost *l, uint64_t chain, bool *later)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	const struct cache_jset *newest = &l->set->journal.newest;
	int ret = l->prios.gen ? 0 : read_prios(l, chain);

	*later = false;
	if (ret)
		return ret;
	*later = is_after_chain(l, &newest->btree_root) || is_after_chain(l, &newest->uuid_bucket);
	if (!*later)
		ret = cache_journal_each_key(l->set->dev, l->sb, &l->set->journal, true, see_key, l,
					     &silent, NULL);
	*later |= ret == 1;
	l->unread |= ret == -EIO;
	return ret == -ENOMEM ? ret : 0;
}

/*
 * Behind the newest entry's bucket follows an empty one, and then one of the previous lap: only
 * the last write is lost, and the rest is not old. (The first lap begins at index 1.)
 */
static bool lacks_newest_bucket(const struct cache_set *set)
{
	uint32_t n = set->sb.njournal, next = (set->journal.newest.pos.index + 1) % n;

	return next && next + 1 < n && !set->journal.bucket_seq[next] &&
	       set->journal.bucket_seq[next + 1];
}

/*
 * A ring that was read well, but names structures that are not there. Either those are damaged;
 * or the ring is older than the device, and its buckets were reused since. In the second case a
 * complete prio chain exists that no entry of the ring names and that is newer than those
 * named, and the ring has no pointer that is newer than it. (A chain that is named and gone may
 * be there in a wrong place.)
 */
static int judge_ring(struct lost *l, bool *old)
{
	bool other = false, head = false, root = false, table = false, later = false;
	struct named named;
	uint64_t chain;
	int ret = has_head(l, &head, &other);

	if (!ret)
		ret = has_root(l, &root);
	if (!ret && head && root)
		ret = has_table(l, &table);
	if (ret || table)
		return ret;
	l->nprios = 0;
	ret = sift_all(l);
	if (ret)
		return ret;
	chain = find_chain(l);
	if (!chain)
		return 0;
	ret = find_named(l, &l->set->journal, chain, &named);
	if (!ret && !root)
		ret = was_replaced(l, chain, old);
	if (ret || named.head || *old || lacks_newest_bucket(l->set))
		return ret;
	*old = named.greatest ? prio_seq(l, chain) > named.greatest + named.gone :
	       !head && (!root || other);
	if (*old)
		ret = is_later(l, chain, &later);
	*old &= !later;
	return ret;
}

int cache_repair_ring_is_old(struct cache_set *set, bool *old, const struct cache_sink *sink,
			     struct cache_err *err)
{
	struct lost l = { .set = set, .sb = &set->sb, .sink = sink, .err = err };
	int ret = begin(&l);

	*old = false;
	if (!ret)
		ret = judge_ring(&l, old);
	/* what could not be read is no evidence against the ring */
	*old &= !l.unread;
	end(&l);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for the nodes of a set") : ret;
}

/*
 * Nothing of the set but its superblock: what is on the device may belong to somebody else, and
 * an empty set would be written over it.
 */
static int refuse_empty(const struct lost *l)
{
	if (l->nprios || l->nnodes || l->set->journal.nentries || l->unread)
		return 0;
	return cache_err_set(l->err, -EUCLEAN, 0, "nothing of a cache set is on the device but its "
			     "superblock, and other data may be: format the device anew");
}

int cache_repair_find_lost(struct cache_set *set, bool old_ring, const struct cache_sink *sink,
			   bool *unread, struct cache_err *err)
{
	struct lost l = { .set = set, .sb = &set->sb, .sink = sink, .err = err,
			  .old_ring = old_ring };
	struct cache_jset_pos *pos = &set->journal.newest.pos;
	int ret = begin(&l);

	l.old_seq = old_ring ? pos->seq : 0;
	if (old_ring)
		cache_journal_fini(&set->journal);
	/*
	 * as if the entry filled the last ring bucket, so that the next one goes to the first
	 * bucket
	 */
	*pos = (struct cache_jset_pos){ .seq = 1, .last_seq = 1, .version = CACHE_JSET_VERSION,
					.index = set->sb.njournal - 1,
					.offset_sectors = set->sb.bucket_sectors };
	if (!ret)
		ret = find(&l);
	if (!ret)
		ret = take_run(&l);
	if (!ret)
		ret = refuse_empty(&l);
	*unread |= l.unread;
	end(&l);
	set->has_journal = !ret;
	if (!ret)
		ret = cache_set_load_rest(set, CACHE_LOAD_MARKS, sink, err);
	if (!ret && l.asks_for_more && set->loaded == CACHE_LOAD_MARKS)
		ret = cache_repair_drop_flushed(set, sink, err);
	return ret;
}
