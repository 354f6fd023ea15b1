// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree in a simulated replay (see replay.h): which nodes are full, how they split, and how
 * splits reach the root. Only nodes on the way of a replayed key are read; the keys of a leaf
 * are read again when it is split.
 */
#include "base/checked.h"
#include "base/array.h"
#include "replay/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES	4096
#define INTERIOR_WORDS	3u		/* size of a key with one pointer */
#define SPLITS_MAX	65536u		/* no replay of a real ring has more splits */

static int no_memory(struct replay *r)
{
	return cache_err_set(r->err, -ENOMEM, 0, "no memory to simulate the replay");
}

static uint32_t block_bytes(const struct replay *r)
{
	return r->set->sb.block_sectors * CACHE_SECTOR_BYTES;
}

static uint32_t set_blocks(const struct replay *r, uint64_t nwords)
{
	uint64_t nbytes = CACHE_BSET_HEADER_BYTES + 8 * nwords;

	return (nbytes + block_bytes(r) - 1) / block_bytes(r);
}

static uint64_t words_of(const struct cache_keys *keys)
{
	uint64_t n = 0;

	for (size_t i = 0; i < keys->n; i++)
		n += cache_bkey_words(&keys->k[i]);
	return n;
}

/* Number of words that still fit into the unwritten set. */
static uint64_t space_left(const struct replay *r, const struct replay_node *n)
{
	uint64_t nbytes, used = words_of(&n->unwritten);

	if (n->written >= n->nblocks)
		return 0;
	nbytes = (uint64_t)(n->nblocks - n->written) * block_bytes(r);
	nbytes = (nbytes - CACHE_BSET_HEADER_BYTES) / 8;
	return nbytes > used ? nbytes - used : 0;
}

static int new_node(struct replay *r, const struct replay_node *like, uint32_t *index)
{
	/* doubles at each power of two */
	if (!(r->nnodes & (r->nnodes - 1))) {
		size_t want = r->nnodes ? 2 * (size_t)r->nnodes : 1;
		void *p = reallocarray(r->node, want, sizeof(*r->node));

		if (!p)
			return no_memory(r);
		r->node = p;
	}
	*index = r->nnodes++;
	r->node[*index] = *like;
	return 0;
}

/* Writes the unwritten set to disk, which takes blocks. */
static void write_leaf(struct replay *r, uint32_t leaf)
{
	struct replay_node *n = &r->node[leaf];

	n->written += set_blocks(r, words_of(&n->unwritten));
	cache_keys_fini(&n->unwritten);
	n->pin = 0;
}

void cache_replay_write_leaves(struct replay *r, uint64_t upto)
{
	uint64_t oldest = r->seq;

	for (uint32_t i = 0; i < r->nnodes; i++)
		if (r->node[i].pin && r->node[i].pin < oldest)
			oldest = r->node[i].pin;
	if (!upto)
		upto = oldest;
	for (uint32_t i = 0; i < r->nnodes; i++)
		if (r->node[i].pin && r->node[i].pin <= upto && i != r->root)
			write_leaf(r, i);
}

/* The place of a node between plays; another node may be there. */
static struct replay_kept *place_of(const struct replay *r, const struct cache_bkey *key)
{
	return &r->reads->kept[cache_ptr_bucket(&r->set->sb, key, 0) % REPLAY_READS];
}

/* Moves @own, which was just read, to its place if that is empty; keys only if there is memory. */
static void keep_node(struct replay *r, struct cache_btree_node *own)
{
	struct replay_kept *kept = place_of(r, &own->key);
	uint64_t nbytes = own->keys.capacity * sizeof(*own->keys.k);

	if (kept->node.nblocks)
		return;
	kept->node = (struct cache_btree_node){
		.key = own->key, .level = own->level, .nblocks = own->nblocks,
		.used_blocks = own->used_blocks,
	};
	kept->has_keys = r->reads->bytes + nbytes <= REPLAY_READS_BYTES;
	if (!kept->has_keys)
		return;
	kept->node.keys = own->keys;
	memset(&own->keys, 0, sizeof(own->keys));
	r->reads->bytes += nbytes;
}

/* NULL: the node must be read. */
static const struct cache_btree_node *find_kept(const struct replay *r,
						const struct cache_bkey *key, unsigned level,
						bool keys)
{
	const struct replay_kept *kept = place_of(r, key);
	const struct cache_bkey *k = &kept->node.key;

	/* pointers that a key does not have are not set */
	return kept->node.nblocks && kept->node.level == level && (kept->has_keys || !keys) &&
	       k->high == key->high && k->low == key->low && k->ptr[0] == key->ptr[0] ?
	       &kept->node : NULL;
}

static int read_and_parse(struct replay *r, struct cache_btree_node *own)
{
	static const struct cache_sink ignore_findings = { cache_sink_ignore, NULL };
	uint64_t nsectors = cache_key_size(&own->key);
	void *data = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);
	int ret;

	if (!data)
		return no_memory(r);
	ret = cache_dev_read(r->set->dev, cache_ptr_place(&r->set->sb, &own->key, 0), nsectors,
			     data, r->set->nbad_nodes ? NULL : r->err);
	if (ret && r->set->nbad_nodes)
		ret = REPLAY_CANNOT;	/* nodes were unreadable before: no new error */
	if (!ret)
		ret = cache_btree_node_parse(&r->set->sb, data, own, &ignore_findings, r->err);
	free(data);
	return ret ? ret : own->damaged ? REPLAY_CANNOT : 0;
}

/*
 * Reads and merges the node, or finds it among those that are kept, which may have no keys if
 * @keys are not needed. A node that cannot be read ends the play, as it ends the kernel's start
 * before any replay. @bn is valid until @own is released, which the caller does, after an error
 * too.
 */
static int read_node(struct replay *r, const struct cache_bkey *key, unsigned level, bool keys,
		     struct cache_btree_node *own, const struct cache_btree_node **bn)
{
	const struct cache_btree_node *kept;
	int ret;

	*own = (struct cache_btree_node){ .key = *key, .level = level };
	*bn = own;
	if (cache_btree_ptr_invalid(&r->set->sb, key) ||
	    !cache_ptr_is_available(&r->set->sb, key, 0))
		return REPLAY_CANNOT;
	kept = find_kept(r, key, level, keys);
	if (!kept) {
		own->bucket = cache_ptr_bucket(&r->set->sb, key, 0);
		ret = read_and_parse(r, own);
		if (ret)
			return ret;
		keep_node(r, own);
		kept = find_kept(r, key, level, keys);
	}
	if (kept)
		*bn = kept;
	return 0;
}

/* Makes a placeholder for each live child. */
static int add_children(struct replay *r, uint32_t parent, const struct cache_btree_node *bn)
{
	struct replay_node c = { .level = bn->level - 1, .parent = parent,
				 .lo = r->node[parent].lo };
	uint32_t *child = calloc(bn->keys.n ? bn->keys.n : 1, sizeof(*child)), n = 0;
	int ret = child ? 0 : no_memory(r);

	for (size_t i = 0; i < bn->keys.n && !ret; i++) {
		const struct cache_bkey *k = &bn->keys.k[i];

		if (cache_bkey_is_bad(&r->set->sb, &r->set->gens, k, bn->level))
			continue;
		c.disk = c.hi = *k;
		ret = new_node(r, &c, &child[n]);
		n += !ret;
		c.lo = *k;
	}
	r->node[parent].child = child;
	r->node[parent].nchildren = n;
	return ret ? ret : n ? 0 : REPLAY_CANNOT;
}

static int load(struct replay *r, uint32_t index)
{
	struct replay_node *n = &r->node[index];
	const struct cache_btree_node *bn;
	struct cache_btree_node own;
	int ret;

	if (n->loaded)
		return 0;
	n->loaded = true;
	r->nloaded++;
	ret = read_node(r, &n->disk, n->level, n->level, &own, &bn);
	n->nblocks = bn->nblocks;
	n->written = bn->used_blocks;
	if (!ret && n->level)
		ret = add_children(r, index, bn);
	cache_btree_node_fini(&own);
	return ret;
}

/* Compares the position [inode, start of @k) with the end of a node. */
static bool starts_in(const struct cache_bkey *k, const struct replay_node *n)
{
	return cache_pos_cmp(cache_key_inode(k), cache_key_start(k),
			     cache_key_inode(&n->hi), n->hi.low) < 0;
}

/* The leaf in which @k starts. */
static int find_leaf(struct replay *r, const struct cache_bkey *k, uint32_t *leaf)
{
	uint32_t index = r->root;
	int ret = load(r, index);

	while (!ret && r->node[index].level) {
		const struct replay_node *n = &r->node[index];
		uint64_t at = cache_first_index(i, n->nchildren,
						starts_in(k, &r->node[n->child[i]]));

		if (at == n->nchildren)
			return REPLAY_CANNOT;
		index = n->child[at];
		ret = load(r, index);
	}
	*leaf = index;
	return ret ? ret : starts_in(k, &r->node[index]) ? 0 : REPLAY_CANNOT;
}

static bool overlap(const struct cache_bkey *a, const struct cache_bkey *b)
{
	return cache_key_inode(a) == cache_key_inode(b) && cache_key_start(a) < b->low &&
	       cache_key_start(b) < a->low;
}

/* Inserts a key into the unwritten set: keys that it hides there remain as keys of size 0. */
static int hide_unwritten(struct cache_keys *set, const struct cache_bkey *k)
{
	for (size_t i = 0, n = set->n; i < n; i++) {
		struct cache_bkey *x = &set->k[i], right = *x;
		bool head = cache_key_start(x) < cache_key_start(k), tail = x->low > k->low;

		if (!overlap(x, k))
			continue;
		if (head)
			cache_bkey_cut_back(x, cache_key_start(k));
		else
			cache_bkey_cut_front(x, tail ? k->low : x->low);
		if (!head || !tail)
			continue;
		cache_bkey_cut_front(&right, k->low);
		if (cache_keys_push(set, &right))
			return -ENOMEM;
	}
	return 0;
}

static int insert_unwritten(struct cache_keys *set, const struct cache_bkey *k)
{
	int ret = hide_unwritten(set, k);

	for (size_t i = 0; i < set->n && !ret; i++) {
		struct cache_bkey *x = &set->k[i];

		/* the driver overwrites an empty key of the same length */
		if (!cache_key_size(x) && cache_key_inode(x) == cache_key_inode(k) &&
		    x->low >= cache_key_start(k) && x->low <= k->low &&
		    cache_key_ptrs(x) == cache_key_ptrs(k)) {
			*x = *k;
			return 0;
		}
	}
	return ret ? ret : cache_keys_push(set, k);
}

bool cache_replay_clip(struct cache_bkey *k, const struct replay_node *n)
{
	const struct cache_bkey *lo = &n->lo, *hi = &n->hi;
	uint64_t inode = cache_key_inode(k);

	if (cache_pos_cmp(inode, k->low, cache_key_inode(lo), lo->low) <= 0 ||
	    cache_pos_cmp(inode, cache_key_start(k), cache_key_inode(hi), hi->low) >= 0)
		return false;
	if (inode == cache_key_inode(hi) && k->low > hi->low)
		cache_bkey_cut_back(k, hi->low);
	if (inode == cache_key_inode(lo) && cache_key_start(k) < lo->low)
		cache_bkey_cut_front(k, lo->low);
	return true;
}

/* Whether @b continues @a, so that the driver joins them into one key. */
static bool continues(const struct cache_sb *sb, const struct cache_bkey *a,
		      const struct cache_bkey *b)
{
	return cache_key_inode(a) == cache_key_inode(b) && a->low == cache_key_start(b) &&
	       cache_key_dirty(a) == cache_key_dirty(b) &&
	       cache_key_ptrs(a) == 1 && cache_key_ptrs(b) == 1 &&
	       b->ptr[0] == a->ptr[0] + (cache_key_size(a) << 8) &&
	       cache_ptr_bucket(sb, a, 0) == cache_ptr_bucket(sb, b, 0) &&
	       cache_key_size(a) + cache_key_size(b) <= CACHE_BKEY_SIZE_MAX;
}

/*
 * Collects what a new node takes over: live keys in range, joined where they continue each
 * other.
 */
static int take_live(struct replay *r, const struct replay_node *n,
		     const struct cache_keys *all, struct cache_keys *live)
{
	const struct cache_sb *sb = &r->set->sb;

	for (size_t i = 0; i < all->n; i++) {
		struct cache_bkey k = all->k[i], *last = live->n ? &live->k[live->n - 1] : NULL;

		if (cache_bkey_is_bad(sb, &r->set->gens, &k, 0) || !cache_replay_clip(&k, n))
			continue;
		if (last && continues(sb, last, &k)) {
			cache_bkey_set_size(last, cache_key_size(last) + cache_key_size(&k));
			last->low = k.low;
		} else if (cache_keys_push(live, &k)) {
			return no_memory(r);
		}
	}
	return 0;
}

static int by_place(const void *a, const void *b, void *ctx)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void refs_fini(struct replay_refs *refs)
{
	free(refs->at);
	memset(refs, 0, sizeof(*refs));
}

static int refs_push(struct replay_refs *refs, uint32_t at)
{
	void *p = cache_array_grow(refs->at, refs->n, &refs->capacity, sizeof(*refs->at));

	if (!p)
		return -ENOMEM;
	refs->at = p;
	refs->at[refs->n++] = at;
	return 0;
}

/* Sorts them again and removes copies: a key may be on top in several places. */
static int refs_sort(struct replay *r, struct replay_refs *refs)
{
	size_t n = 0;
	int ret = cache_sort_polled(refs->at, refs->n, sizeof(*refs->at), by_place, NULL, r->sink);

	for (size_t i = 0; i < refs->n; i++)
		if (!n || refs->at[n - 1] != refs->at[i])
			refs->at[n++] = refs->at[i];
	refs->n = n;
	return ret;
}

/* The visible pieces of what the replay inserted in @leaf; keys without any are forgotten. */
static int settle_added(struct replay *r, uint32_t leaf, struct cache_keys *added)
{
	struct replay_node *n = &r->node[leaf];
	struct cache_overlay o = { r->set->overlay.words, n->added.at,
				   r->set->overlay.nwords, n->added.n };
	struct replay_refs refs = { 0 };
	struct cache_overlay_walk w;
	struct cache_bkey k;
	int ret;

	ret = cache_overlay_sort(&o, r->sink);
	if (ret)
		return ret;
	ret = cache_overlay_walk_init(&w, &o);
	while (!ret && cache_overlay_next(&w, &k))
		if (cache_replay_clip(&k, n))
			ret = cache_keys_push(added, &k) ? -ENOMEM : refs_push(&refs, w.at);
	cache_overlay_walk_fini(&w);
	if (!ret)
		ret = refs_sort(r, &refs);
	refs_fini(&n->added);
	n->added = refs;
	return ret;
}

/* All keys that a leaf would have if it were sorted now. */
static int live_keys(struct replay *r, uint32_t leaf, struct cache_keys *live)
{
	struct cache_keys added = { 0 }, all = { 0 };
	const struct cache_btree_node *bn;
	struct cache_btree_node own;
	int ret = read_node(r, &r->node[leaf].disk, 0, true, &own, &bn);

	if (!ret)
		ret = settle_added(r, leaf, &added);
	if (!ret)
		ret = cache_keys_overlay(&bn->keys, &added, &all);
	if (ret == -ENOMEM)
		no_memory(r);
	if (!ret)
		ret = take_live(r, &r->node[leaf], &all, live);
	cache_keys_fini(&all);
	cache_keys_fini(&added);
	cache_btree_node_fini(&own);
	return ret;
}

/* A new node for (lo, hi] of node @of, with its first set of @nwords written. */
static int split_off(struct replay *r, uint32_t of, const struct cache_bkey *lo,
		     const struct cache_bkey *hi, uint64_t nwords, uint32_t *index)
{
	struct replay_node n = {
		.disk = r->node[of].disk, .lo = *lo, .hi = *hi, .level = r->node[of].level,
		.parent = r->node[of].parent, .loaded = true,
		.nblocks = cache_btree_node_sectors(&r->set->sb) / r->set->sb.block_sectors,
		.written = set_blocks(r, nwords),
	};

	return new_node(r, &n, index);
}

/* The keys of the replay that the new leaf still has, and the one at @at. */
static int inherit(struct replay *r, uint32_t from, uint32_t to, uint32_t at)
{
	const struct replay_refs *added = &r->node[from].added;
	struct replay_node *n = &r->node[to];
	int ret = 0;

	for (size_t i = 0; i <= added->n && !ret; i++) {
		uint32_t ref = i < added->n ? added->at[i] : at;
		struct cache_bkey k;

		cache_overlay_key(&r->set->overlay, ref, &k);
		if (cache_replay_clip(&k, n))
			ret = refs_push(&n->added, ref);
	}
	return ret ? no_memory(r) : 0;
}

/* Replaces child @old by @nnew others; their keys and a freeing key need space in the node. */
static int replace_child(struct replay *r, uint32_t parent, uint32_t old,
			 const uint32_t *new, unsigned nnew)
{
	struct replay_node *p = &r->node[parent];
	uint32_t at = 0, *child = reallocarray(p->child, p->nchildren + 1, sizeof(*child));

	if (!child)
		return no_memory(r);
	p->child = child;
	while (at < p->nchildren && child[at] != old)
		at++;
	if (at == p->nchildren)
		return REPLAY_CANNOT;
	memmove(child + at + nnew, child + at + 1, (p->nchildren - at - 1) * sizeof(*child));
	memcpy(child + at, new, nnew * sizeof(*child));
	p->nchildren += nnew - 1;
	return 0;
}

static int adopt(struct replay *r, uint32_t parent, const uint32_t *child, uint32_t n)
{
	struct replay_node *p = &r->node[parent];

	p->child = calloc(n, sizeof(*child));
	if (!p->child)
		return no_memory(r);
	memcpy(p->child, child, n * sizeof(*child));
	p->nchildren = n;
	for (uint32_t i = 0; i < n; i++)
		r->node[child[i]].parent = parent;
	return 0;
}

static int new_root(struct replay *r, uint32_t old, const uint32_t *new, unsigned nnew)
{
	int ret = 0;

	r->root = new[0];
	if (nnew == 2) {
		const struct cache_bkey lo = r->node[old].lo, hi = r->node[old].hi;

		ret = split_off(r, old, &lo, &hi, 2 * INTERIOR_WORDS, &r->root);
		r->node[r->root].level++;
		if (!ret)
			ret = adopt(r, r->root, new, 2);
	}
	return ret ? ret : cache_replay_set_root(r);
}

static int split_interior(struct replay *r, uint32_t old, unsigned nfresh);

/* Replaces @old by @new: in its parent, or there is a new root. */
static int climb(struct replay *r, uint32_t old, const uint32_t *new, unsigned nnew)
{
	uint32_t parent = r->node[old].parent;
	unsigned nwords = (nnew + 1) * INTERIOR_WORDS;
	int ret;

	if (parent == REPLAY_NONE) {
		ret = new_root(r, old, new, nnew);
	} else {
		ret = replace_child(r, parent, old, new, nnew);
		if (!ret && nwords > space_left(r, &r->node[parent]))
			ret = split_interior(r, parent, nnew);
		else
			r->node[parent].written += set_blocks(r, nwords);
	}
	r->node[old].pin = 0;
	return ret;
}

/* Splits or rewrites interior @old, into which the last @nfresh children were just inserted. */
static int split_interior(struct replay *r, uint32_t old, unsigned nfresh)
{
	const struct replay_node o = r->node[old];
	uint64_t before = (uint64_t)(o.nchildren - nfresh) * INTERIOR_WORDS;
	bool two = set_blocks(r, before) > o.nblocks * 4 / 5;
	/* with the freeing key first, and the key at the cut on the left */
	uint64_t all = ((uint64_t)o.nchildren + 1) * INTERIOR_WORDS;
	uint32_t cut = two ? (all * 3 / 5 + INTERIOR_WORDS - 1) / INTERIOR_WORDS : o.nchildren;
	uint32_t new[2];
	int ret;

	if (!cut || cut > o.nchildren || (two && cut == o.nchildren))
		return REPLAY_CANNOT;
	ret = cache_replay_take_buckets(r, 1 + two + (two && o.parent == REPLAY_NONE));
	if (!ret)
		ret = split_off(r, old, &o.lo, &r->node[o.child[cut - 1]].hi,
				(cut + 1) * INTERIOR_WORDS, &new[0]);
	if (!ret)
		ret = adopt(r, new[0], o.child, cut);
	if (!ret && two)
		ret = split_off(r, old, &r->node[o.child[cut - 1]].hi, &o.hi,
				(o.nchildren - cut) * INTERIOR_WORDS, &new[1]);
	if (!ret && two)
		ret = adopt(r, new[1], o.child + cut, o.nchildren - cut);
	return ret ? ret : climb(r, old, new, 1 + two);
}

/* How many of the keys go left when a leaf is split; all: the driver would crash. */
static size_t cut_of(const struct cache_keys *keys)
{
	uint64_t want = words_of(keys) * 3 / 5, got = 0;
	size_t n = 0;

	while (n < keys->n && got < want)
		got += cache_bkey_words(&keys->k[n++]);
	return n + 1 < keys->n ? n + 1 : keys->n;
}

static void forget_keys(struct replay_node *n)
{
	refs_fini(&n->added);
	cache_keys_fini(&n->unwritten);
}

/*
 * Replaces @leaf by one or two new leaves with @keys; the key at @at is the one that did not
 * fit.
 */
static int replace_leaf(struct replay *r, uint32_t leaf, struct cache_keys *keys, bool two,
			uint32_t at)
{
	const struct replay_node o = r->node[leaf];
	size_t n = two ? cut_of(keys) : keys->n;
	struct cache_keys left = { keys->k, n }, right = { keys->k + n, keys->n - n };
	const struct cache_bkey *cut = two ? &keys->k[n - 1] : &o.hi;
	uint32_t new[2];
	int ret;

	if (two && !right.n)
		return REPLAY_CANNOT;
	ret = cache_replay_take_buckets(r, 1 + two + (two && o.parent == REPLAY_NONE));
	if (!ret)
		ret = split_off(r, leaf, &o.lo, cut, words_of(&left), &new[0]);
	if (!ret)
		ret = inherit(r, leaf, new[0], at);
	if (!ret && two)
		ret = split_off(r, leaf, cut, &o.hi, words_of(&right), &new[1]);
	if (!ret && two)
		ret = inherit(r, leaf, new[1], at);
	forget_keys(&r->node[leaf]);
	return ret ? ret : climb(r, leaf, new, 1 + two);
}

static int split_leaf(struct replay *r, uint32_t leaf, const struct cache_bkey *k, uint32_t at)
{
	struct cache_bkey key = *k;
	struct cache_keys one = { &key, 1 }, live = { 0 }, all = { 0 };
	bool two;
	int ret;

	if (++r->splits > SPLITS_MAX)
		return REPLAY_TOO_LONG;
	ret = cache_replay_wait_for_buckets(r);
	if (!ret)
		ret = live_keys(r, leaf, &live);
	two = set_blocks(r, words_of(&live)) > r->node[leaf].nblocks * 4 / 5;
	if (!ret && cache_keys_overlay(&live, &one, &all))
		ret = no_memory(r);
	if (!ret)
		ret = replace_leaf(r, leaf, &all, two, at);
	cache_keys_fini(&all);
	cache_keys_fini(&live);
	return ret;
}

/* Inserts @k, the part in @leaf of the key at @at. */
static int insert_into(struct replay *r, uint32_t leaf, const struct cache_bkey *k, uint32_t at)
{
	struct replay_node *n = &r->node[leaf];

	if (++r->inserted == r->flush_at)
		cache_replay_write_leaves(r, 0);
	/* it could fall into the middle of another key and split that into two */
	if (cache_bkey_words(k) + CACHE_BKEY_WORDS_MAX > space_left(r, n))
		return split_leaf(r, leaf, k, at);
	if (insert_unwritten(&n->unwritten, k) || refs_push(&n->added, at))
		return no_memory(r);
	if (!n->pin)
		n->pin = r->seq;
	if (r->storm || r->waiting ||
	    CACHE_BSET_HEADER_BYTES + 8 * words_of(&n->unwritten) > PAGE_BYTES - 48)
		write_leaf(r, leaf);
	return 0;
}

int cache_replay_insert(struct replay *r, uint32_t at)
{
	struct cache_bkey rest;
	int ret = 0;

	cache_overlay_key(&r->set->overlay, at, &rest);
	while (!ret) {
		struct cache_bkey piece = rest;
		const struct cache_bkey *hi;
		uint32_t leaf;

		ret = find_leaf(r, &rest, &leaf);
		if (ret)
			break;
		hi = &r->node[leaf].hi;
		if (cache_bkey_cmp(&rest, hi) <= 0)
			return insert_into(r, leaf, &piece, at);
		cache_bkey_cut_back(&piece, hi->low);
		cache_bkey_cut_front(&rest, hi->low);
		ret = insert_into(r, leaf, &piece, at);
	}
	return ret;
}

int cache_replay_tree_init(struct replay *r)
{
	const struct cache_jset *newest = &r->set->journal.newest;
	struct replay_node root = { .disk = newest->btree_root, .level = newest->pos.level,
				    .parent = REPLAY_NONE };

	if (root.level > CACHE_BTREE_LEVEL_MAX || !cache_key_ptrs(&root.disk))
		return REPLAY_CANNOT;
	root.hi = cache_bkey_make(CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX, 0, false);
	return new_node(r, &root, &r->root);
}

void cache_replay_tree_fini(struct replay *r)
{
	for (uint32_t i = 0; i < r->nnodes; i++) {
		forget_keys(&r->node[i]);
		free(r->node[i].child);
	}
	free(r->node);
	r->node = NULL;
}
