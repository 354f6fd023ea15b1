// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents as the driver will see them once it has replayed its journal: two sorted streams, the
 * leaves of the tree and the visible keys of the journal; where both have a key the journal's
 * wins.
 */
#include "set/set_impl.h"

#include "base/checked.h"

static int emit(struct cache_set_stream *s, const struct cache_bkey *k, uint64_t leaf_bucket,
		bool outside)
{
	struct cache_extent e = { .key = *k, .leaf_bucket = leaf_bucket };

	if (!cache_key_ptrs(k))
		return 0;
	e.check_key = cache_ptr_dev(k->ptr[0]) == CACHE_PTR_CHECK_DEV;
	e.available = cache_ptr_is_available(&s->set->sb, k, 0);
	e.staleness = cache_bkey_staleness(&s->set->sb, &s->set->gens, k);
	e.from_journal = !leaf_bucket;
	e.outside = outside;
	return s->visit->fn(s->visit->ctx, &e);
}

static int emit_next(struct cache_set_stream *s)
{
	int ret = emit(s, &s->next, 0, false);

	s->more = cache_overlay_next(&s->over, &s->next);
	return ret;
}

/* One extent of a leaf: the part that the journal does not hide, after what comes before it. */
static int push(struct cache_set_stream *s, struct cache_bkey k, uint64_t leaf_bucket)
{
	const struct cache_bkey *b = &s->next;
	int ret = 0;

	while (!ret && s->more && !cache_bkey_is_before(&k, b)) {
		if (cache_bkey_is_before(b, &k)) {
			ret = emit_next(s);
		} else if (cache_key_start(&k) < cache_key_start(b)) {
			struct cache_bkey left = k;

			cache_bkey_cut_back(&left, cache_key_start(b));
			cache_bkey_cut_front(&k, cache_key_start(b));
			ret = emit(s, &left, leaf_bucket, false);
		} else if (k.low > b->low) {
			cache_bkey_cut_front(&k, b->low);
		} else {
			return 0;	/* hidden completely */
		}
	}
	return ret ? ret : emit(s, &k, leaf_bucket, false);
}

/*
 * An extent outside its leaf's range is in no order, and must not advance the journal's stream.
 * No lookup finds it, but writeback does: a dirty one is delivered.
 */
static int push_part(struct cache_set_stream *s, const struct cache_btree_node *n,
		     const struct cache_bkey *part, bool whole)
{
	return whole || cache_key_dirty(part) ? emit(s, part, n->bucket, whole) : 0;
}

static int push_within(struct cache_set_stream *s, const struct cache_btree_node *n, struct cache_bkey k)
{
	struct cache_bkey part = k;
	uint64_t inode = cache_key_inode(&k);
	int ret = 0;

	if (cache_pos_cmp(inode, k.low, n->lo_inode, n->lo_offset) <= 0 ||
	    cache_pos_cmp(inode, cache_key_start(&k), cache_key_inode(&n->key), n->key.low) >= 0)
		return push_part(s, n, &k, true);
	if (cache_pos_cmp(inode, cache_key_start(&k), n->lo_inode, n->lo_offset) < 0) {
		cache_bkey_cut_back(&part, n->lo_offset);
		cache_bkey_cut_front(&k, n->lo_offset);
		ret = push_part(s, n, &part, false);
	}
	if (ret || cache_bkey_cmp(&k, &n->key) <= 0)
		return ret ? ret : push(s, k, n->bucket);
	part = k;
	cache_bkey_cut_back(&k, n->key.low);
	cache_bkey_cut_front(&part, n->key.low);
	ret = push(s, k, n->bucket);
	return ret ? ret : push_part(s, n, &part, false);
}

/* Whether all extents are in the leaf's range, and before the next key of the journal. */
static bool is_alone(const struct cache_set_stream *s, const struct cache_btree_node *n)
{
	struct cache_bkey first = cache_btree_node_key(n, 0);
	struct cache_bkey last = cache_btree_node_key(n, cache_btree_node_nkeys(n) - 1);

	return cache_pos_cmp(cache_key_inode(&first), cache_key_start(&first), n->lo_inode,
			     n->lo_offset) >= 0 &&
	       cache_bkey_cmp(&last, &n->key) <= 0 &&
	       (!s->more || cache_bkey_is_before(&last, &s->next));
}

/* Where the gen of the bucket of @k is, if it has one; otherwise of any. */
static const void *place_of(const struct cache_gens *g, const struct cache_sb *sb,
			    const struct cache_bkey *k)
{
	uint64_t bucket = cache_key_ptrs(k) ? cache_ptr_bucket(sb, k, 0) : 0;

	return cache_gens_place(g, bucket < g->nbuckets ? bucket : 0);
}

int cache_set_stream_leaf(struct cache_set_stream *s, const struct cache_btree_node *n, bool current)
{
	size_t nkeys = cache_btree_node_nkeys(n);
	int ret = 0;

	if (n->level || !nkeys)
		return 0;
	if (s->visit->leaf && n->plain && is_alone(s, n))
		return s->visit->leaf(s->visit->ctx, n, current);
	for (size_t i = 0; i < nkeys && !ret; i++) {
		size_t next = cache_min_u64(i + CACHE_GENS_AHEAD, nkeys - 1);
		struct cache_bkey ahead = cache_btree_node_key(n, next);

		__builtin_prefetch(place_of(&s->set->gens, &s->set->sb, &ahead));
		ret = push_within(s, n, cache_btree_node_key(n, i));
	}
	return ret;
}

int cache_set_stream_init(struct cache_set_stream *s, struct cache_set *set,
			  const struct cache_extent_visit *visit)
{
	int ret;

	*s = (struct cache_set_stream){ .set = set, .visit = visit };
	ret = cache_overlay_walk_init(&s->over, &set->overlay);
	if (!ret)
		s->more = cache_overlay_next(&s->over, &s->next);
	return ret;
}

int cache_set_stream_end(struct cache_set_stream *s)
{
	int ret = 0;

	while (!ret && s->more)
		ret = emit_next(s);
	return ret;
}

void cache_set_stream_fini(struct cache_set_stream *s)
{
	cache_overlay_walk_fini(&s->over);
}
