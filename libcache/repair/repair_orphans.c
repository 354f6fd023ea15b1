// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaves without a parent: what they contain, and their order in time. If a part of the tree is
 * lost, leaves that were replaced may still exist beside their replacements, and a node does
 * not say when it was made. But the first set of a leaf is the merged content of the leaf that
 * was split. So of two leaves for the same range the newer one is the one whose first set has
 * more of the keys that the other one holds; every key of it (also clean keys and keys without
 * a pointer) overrides the older one. A leaf that the tree still points to takes part if its
 * range is in doubt. The journal is newer than all leaves: all its keys override the result.
 *
 * Only place and range of all nodes are kept in memory. Nodes whose ranges overlap are read
 * again together, so memory depends on the largest such group.
 */
#include "repair/repair_orphans.h"
#include "repair/repair_kind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "base/crc64.h"
#include "disk/btree_salvage.h"
#include "format/bset_codec.h"

/* If one group has more nodes than this, their order is not searched for. */
#define ORDERED_MAX	512
/* An interior node is known by one that replaced it, and that by the next: so many in a row. */
#define RELATED_PASSES	16

struct orphan {
	struct cache_bkey first, last;	/* its first key, and the key with the greatest end */
	uint64_t ptr;
	bool either;			/* or it is an interior node */
};

struct cache_orphans {
	struct cache_set *set;
	const struct repair_doubt *d;
	struct orphan *o;
	size_t n, capacity;
	struct orphan *range;
	size_t nranges;
	struct cache_children children;	/* keys of interior nodes without a parent */
	/* one bit per bucket: leaves of the tree that take part */
	uint64_t *pooled;
};

static int add_orphan(struct cache_orphans *s, const struct cache_btree_node *n, bool either)
{
	const struct cache_keys *keys = &n->keys;
	void *p = cache_array_grow(s->o, s->n, &s->capacity, sizeof(*s->o));

	if (!p)
		return -ENOMEM;
	s->o = p;
	s->o[s->n++] = (struct orphan){ keys->k[0], keys->k[keys->n - 1], n->key.ptr[0],
					    either };
	return 0;
}

static int on_node(void *ctx, const struct cache_btree_node *n)
{
	struct cache_orphans *s = ctx;
	enum repair_kind kind = cache_repair_kind_of(s->set, &n->keys);

	if (!n->keys.n)
		return 0;
	return kind == REPAIR_INTERIOR ? cache_children_add(&s->children, &n->keys)
				       : add_orphan(s, n, kind == REPAIR_EITHER);
}

/*
 * The node that @ptr points to, as far as it is there. Its sets are in @data, of the size of a
 * node. Release it, also after an error.
 */
static int read_orphan(const struct cache_set *set, uint64_t ptr, char *data,
		       struct cache_btree_node *n)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	uint32_t nsectors = cache_btree_node_sectors(&set->sb);
	int ret;

	*n = (struct cache_btree_node){ .bucket = cache_ptr_sector(ptr) / set->sb.bucket_sectors };
	n->key = cache_bkey_make(CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX, nsectors, false);
	cache_bkey_set_ptrs(&n->key, 1);
	n->key.ptr[0] = ptr;
	ret = cache_dev_read(set->dev, cache_ptr_sector(ptr), nsectors, data, NULL);
	return ret ? ret : cache_btree_node_salvage(&set->sb, data, n, &silent, NULL);
}

/* Whether it may be either and has a key of a node that is known to be interior. */
static int is_related(struct cache_orphans *s, const struct orphan *o, char *data, bool *related)
{
	struct cache_btree_node n;
	int ret;

	*related = false;
	if (!o->either)
		return 0;
	ret = read_orphan(s->set, o->ptr, data, &n);
	*related = !ret && cache_children_has_any(&s->children, &n.keys);
	if (*related)
		ret = cache_children_add(&s->children, &n.keys);
	cache_btree_node_fini(&n);
	return ret == -EIO ? 0 : ret;
}

/*
 * Takes those out that are interior, for their keys are those of other interior nodes: a node
 * that was replaced has keys of the one that replaced it, and that one of the next.
 */
static int drop_related(struct cache_orphans *s)
{
	char *data = cache_dev_buf(cache_btree_node_sectors(&s->set->sb) * CACHE_SECTOR_BYTES);
	bool found = s->children.n;
	int ret = data ? 0 : -ENOMEM;

	for (unsigned pass = 0; pass < RELATED_PASSES && found && !ret; pass++) {
		size_t kept = 0;

		ret = cache_children_sort(&s->children, s->d->opts);
		for (size_t i = 0; i < s->n && !ret; i++) {
			bool related;

			ret = is_related(s, &s->o[i], data, &related);
			if (!related)
				s->o[kept++] = s->o[i];
			if (!ret)
				ret = repair_progress(s->d->opts, CACHE_REPAIR_PASS_SCAN, i, s->n);
		}
		found = kept != s->n;
		s->n = kept;
	}
	free(data);
	return ret;
}

static int by_first(const void *a, const void *b, void *ctx)
{
	const struct cache_bkey *x = &((const struct orphan *)a)->first;
	const struct cache_bkey *y = &((const struct orphan *)b)->first;

	return cache_pos_cmp(cache_key_inode(x), cache_key_start(x), cache_key_inode(y),
			     cache_key_start(y));
}

static bool begins_before_end(const struct cache_bkey *first, const struct cache_bkey *last)
{
	return cache_pos_cmp(cache_key_inode(first), cache_key_start(first),
			     cache_key_inode(last), last->low) < 0;
}

static int sort_orphans(struct cache_orphans *s)
{
	return repair_sort(s->o, s->n, sizeof(*s->o), by_first, s->d->opts);
}

/* The ranges of orphans, without overlap, as extents without a pointer. */
static int make_ranges(struct cache_orphans *s)
{
	int ret = sort_orphans(s);

	if (ret)
		return ret;
	s->range = calloc(s->n + 1, sizeof(*s->range));
	if (!s->range)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		struct orphan *last = s->nranges ? &s->range[s->nranges - 1] : NULL;

		if (!last || !begins_before_end(&s->o[i].first, &last->last))
			s->range[s->nranges++] = s->o[i];
		else if (cache_bkey_cmp(&s->o[i].last, &last->last) > 0)
			last->last = s->o[i].last;
	}
	return 0;
}

static bool is_in_range(const struct cache_orphans *s, const struct cache_keys *keys)
{
	/* the first range that ends after the start of the leaf's first key */
	size_t at = cache_first_index(i, s->nranges,
				      begins_before_end(&keys->k[0], &s->range[i].last));

	return at < s->nranges && begins_before_end(&s->range[at].first, &keys->k[keys->n - 1]);
}

/* Adds a leaf of the tree that is in doubt and overlaps the range of an orphan. */
static int see_leaf(void *ctx, const struct cache_btree_node *n)
{
	struct cache_orphans *s = ctx;

	if (n->level || !n->keys.n || !is_in_range(s, &n->keys) ||
	    !(s->d->all || cache_repair_is_doubtful(s->d, &n->keys.k[0])))
		return 0;
	cache_bit_set(s->pooled, n->bucket);
	return add_orphan(s, n, false);
}

int cache_orphans_find(struct cache_set *set, const struct repair_doubt *d,
		       void (*unread)(void *ctx, uint64_t bucket), void *ctx,
		       struct cache_orphans **found, struct cache_err *err)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_orphans *s = calloc(1, sizeof(*s));
	int ret = s ? 0 : -ENOMEM;

	*found = s;
	if (s) {
		s->set = set;
		s->d = d;
		s->pooled = cache_bits_new(set->sb.nbuckets);
		ret = s->pooled ? 0 : -ENOMEM;
	}
	if (!ret)
		ret = cache_repair_scan(set, d, on_node, s, unread, ctx, err);
	if (!ret)
		ret = drop_related(s);
	if (!ret)
		ret = make_ranges(s);
	if (!ret && s->n)
		ret = cache_set_each_node(set, see_leaf, s, &silent, err);
	if (!ret)
		ret = sort_orphans(s);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for nodes that were cut off")
			      : ret;
}

void cache_orphans_free(struct cache_orphans *s)
{
	if (!s)
		return;
	free(s->o);
	free(s->range);
	free(s->pooled);
	cache_children_fini(&s->children);
	free(s);
}

/* Whether the leaf of the tree takes part: then its content is merged with theirs. */
static bool takes_part(const struct cache_orphans *s, uint64_t leaf_bucket)
{
	return s && leaf_bucket && cache_bit(s->pooled, leaf_bucket);
}

/* A node of a group. */
struct member {
	struct cache_keys first, all;	/* its first set; all its sets, merged */
	uint64_t ptr;
	unsigned depth;			/* number of nodes below it that are older */
	bool busy;
};

struct heap {
	struct cache_orphans *s;
	struct member *m;
	size_t n;
	struct cache_overlay_walk over;
	/* keys of the journal; those that end before the group are freed */
	struct cache_bkey next;
	bool more;
	int (*fn)(void *ctx, const struct cache_extent *e);
	void *ctx;
};

static int take_first_set(struct member *m, const struct cache_bset_ref *set)
{
	int ret = 0;
	unsigned n;

	for (uint32_t at = 0; at < set->nwords && !ret; at += n) {
		struct cache_bkey k;

		n = cache_bkey_decode(set->words + at, set->nwords - at, &k);
		if (!n)
			break;
		if (cache_key_size(&k) && cache_key_size(&k) <= k.low)
			ret = cache_keys_push(&m->first, &k);
	}
	return ret ? ret : cache_keys_settle(&m->first, 0);
}

static int read_member(struct heap *h, struct member *m, uint64_t ptr)
{
	char *data = cache_dev_buf(cache_btree_node_sectors(&h->s->set->sb) * CACHE_SECTOR_BYTES);
	struct cache_btree_node n = { 0 };
	int ret = data ? read_orphan(h->s->set, ptr, data, &n) : -ENOMEM;

	m->ptr = ptr;
	if (!ret && n.nsets)
		ret = take_first_set(m, &n.sets[0]);
	m->all = n.keys;
	n.keys = (struct cache_keys){ 0 };
	cache_btree_node_fini(&n);
	free(data);
	return ret;
}

static bool overlap(const struct member *a, const struct member *b)
{
	return a->all.n && b->all.n &&
	       begins_before_end(&a->all.k[0], &b->all.k[b->all.n - 1]) &&
	       begins_before_end(&b->all.k[0], &a->all.k[a->all.n - 1]);
}

static bool same_key(const struct cache_bkey *a, const struct cache_bkey *b)
{
	return a->high == b->high && a->low == b->low &&
	       (!cache_key_ptrs(a) || a->ptr[0] == b->ptr[0]);
}

/* How many keys of @old within its range are in the first set of @new, of @total. */
static uint64_t inherited(const struct member *new, const struct member *old, uint64_t *total)
{
	uint64_t n = 0;
	size_t i = 0;

	*total = 0;
	for (size_t j = 0; j < old->all.n && new->all.n; j++) {
		const struct cache_bkey *k = &old->all.k[j];

		if (!begins_before_end(&new->all.k[0], k) ||
		    !begins_before_end(k, &new->all.k[new->all.n - 1]))
			continue;
		++*total;
		while (i < new->first.n && cache_bkey_cmp(&new->first.k[i], k) < 0)
			i++;
		n += i < new->first.n && same_key(&new->first.k[i], k);
	}
	return n;
}

static bool is_newer(const struct member *a, const struct member *b)
{
	uint64_t of_b, of_a, ab = inherited(a, b, &of_b), ba = inherited(b, a, &of_a);

	/*
	 * ab of of_b against ba of of_a; on a tie the node that is not in the tree any more is
	 * older
	 */
	return ab * cache_max_u64(of_a, 1) > ba * cache_max_u64(of_b, 1);
}

/* The longest chain of older nodes below it. */
static unsigned depth_of(struct heap *h, struct member *m)
{
	if (m->depth || m->busy)
		return m->depth;
	m->busy = true;
	for (size_t i = 0; i < h->n; i++)
		if (&h->m[i] != m && overlap(m, &h->m[i]) && is_newer(m, &h->m[i])) {
			unsigned below = depth_of(h, &h->m[i]);

			m->depth = m->depth > below ? m->depth : below;
		}
	m->busy = false;
	return ++m->depth;
}

static int by_depth(const void *a, const void *b, void *ctx)
{
	const struct member *x = a, *y = b;

	return x->depth != y->depth ? (x->depth < y->depth ? -1 : 1) :
	       x->ptr < y->ptr ? -1 : x->ptr > y->ptr;
}

static int overlay(struct cache_keys *keys, const struct cache_keys *newer)
{
	struct cache_keys out = { 0 };
	int ret = cache_keys_overlay(keys, newer, &out);

	if (ret) {
		cache_keys_fini(&out);
		return ret;
	}
	cache_keys_fini(keys);
	*keys = out;
	return 0;
}

/* The journal's keys from the first to the last position of the group, without their pointers. */
static int take_journal(struct heap *h, const struct cache_keys *keys, struct cache_keys *over)
{
	int ret = 0;

	while (h->more && !ret && begins_before_end(&h->next, &keys->k[keys->n - 1])) {
		struct cache_bkey hide = h->next;

		if (begins_before_end(&keys->k[0], &hide)) {
			cache_bkey_set_ptrs(&hide, 0);
			ret = cache_keys_push(over, &hide);
		}
		/* a key that goes on is used again for the next group */
		if (!begins_before_end(&keys->k[keys->n - 1], &h->next) &&
		    cache_bkey_cmp(&h->next, &keys->k[keys->n - 1]) > 0)
			break;
		h->more = cache_overlay_next(&h->over, &h->next);
	}
	return ret;
}

static int emit(struct heap *h, const struct cache_keys *keys)
{
	const struct cache_set *set = h->s->set;
	int ret = 0;

	for (size_t i = 0; i < keys->n && !ret; i++) {
		struct cache_extent e = { .key = keys->k[i] };

		if (!cache_key_ptrs(&e.key))
			continue;
		e.check_key = cache_ptr_dev(e.key.ptr[0]) == CACHE_PTR_CHECK_DEV;
		e.available = cache_ptr_is_available(&set->sb, &e.key, 0);
		e.staleness = cache_bkey_staleness(&set->sb, &set->gens, &e.key);
		ret = h->fn(h->ctx, &e);
	}
	return ret;
}

static int merge_heap(struct heap *h)
{
	struct cache_keys keys = { 0 }, over = { 0 };
	int ret;

	for (size_t i = 0; i < h->n && h->n <= ORDERED_MAX; i++)
		depth_of(h, &h->m[i]);
	ret = repair_sort(h->m, h->n, sizeof(*h->m), by_depth, h->s->d->opts);
	for (size_t i = 0; i < h->n && !ret; i++)
		ret = overlay(&keys, &h->m[i].all);
	if (!ret && keys.n)
		ret = take_journal(h, &keys, &over);
	if (!ret && over.n)
		ret = overlay(&keys, &over);
	if (!ret)
		ret = emit(h, &keys);
	cache_keys_fini(&keys);
	cache_keys_fini(&over);
	return ret;
}

/* Merges the orphans [from, to), whose ranges overlap one after another. */
static int each_of_heap(struct heap *h, size_t from, size_t to)
{
	int ret = 0;

	h->n = 0;
	h->m = calloc(to - from, sizeof(*h->m));
	if (!h->m)
		return -ENOMEM;
	for (size_t i = from; i < to && !ret; i++)
		ret = read_member(h, &h->m[h->n++], h->s->o[i].ptr);
	if (!ret)
		ret = merge_heap(h);
	for (size_t i = 0; i < h->n; i++) {
		cache_keys_fini(&h->m[i].first);
		cache_keys_fini(&h->m[i].all);
	}
	free(h->m);
	return ret;
}

static int each_orphan(struct cache_orphans *s, int (*fn)(void *ctx, const struct cache_extent *e),
		       void *ctx, struct cache_err *err)
{
	struct heap h = { .s = s, .fn = fn, .ctx = ctx };
	int ret = cache_overlay_walk_init(&h.over, &s->set->overlay);
	size_t from = 0;

	h.more = !ret && cache_overlay_next(&h.over, &h.next);
	while (from < s->n && !ret) {
		struct cache_bkey end = s->o[from].last;
		size_t to = from + 1;

		for (; to < s->n && begins_before_end(&s->o[to].first, &end); to++)
			if (cache_bkey_cmp(&s->o[to].last, &end) > 0)
				end = s->o[to].last;
		ret = each_of_heap(&h, from, to);
		from = to;
	}
	cache_overlay_walk_fini(&h.over);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for nodes that were cut off")
			      : ret;
}

struct each {
	const struct repair_doubt *d;
	struct cache_orphans *s;
	int (*fn)(void *ctx, const struct cache_extent *e);
	void *ctx;
};

static int on_extent_of_tree(void *ctx, const struct cache_extent *e)
{
	struct each *a = ctx;

	return takes_part(a->s, e->leaf_bucket) ? 0 : a->fn(a->ctx, e);
}

/* From a node without a parent: extents in ranges that the tree does not cover. */
static int on_extent_of_orphan(void *ctx, const struct cache_extent *e)
{
	struct each *a = ctx;

	return a->d->all || cache_repair_is_doubtful(a->d, &e->key) ? a->fn(a->ctx, e) : 0;
}

int cache_repair_each_extent(struct cache_set *set, const struct repair_doubt *d,
			     struct cache_orphans *s,
			     int (*fn)(void *ctx, const struct cache_extent *e), void *ctx,
			     const struct cache_sink *sink, struct cache_err *err)
{
	struct each a = { d, s, fn, ctx };
	int ret = cache_set_each_extent(set, on_extent_of_tree, &a, sink, err);

	return ret || !s ? ret : each_orphan(s, on_extent_of_orphan, &a, err);
}
