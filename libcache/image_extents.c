// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents as the driver will see them once it has replayed its journal: two
 * sorted streams, the tree's leaves and the settled journal keys; where both
 * speak the journal wins.
 */
#include "image_impl.h"

struct stream {
	struct cache_image *img;
	cache_extent_fn *fn;
	void *ctx;
	size_t next;		/* of img->overlay */
};

static int emit(struct stream *s, const struct cache_bkey *k, uint64_t leaf_bucket)
{
	struct cache_extent e = { .key = *k, .leaf_bucket = leaf_bucket };

	if (!cache_key_ptrs(k))
		return 0;
	e.check_key = cache_ptr_dev(k->ptr[0]) == CACHE_PTR_CHECK_DEV;
	e.available = cache_ptr_is_available(&s->img->sb, k, 0);
	e.staleness = cache_bkey_staleness(&s->img->sb, &s->img->buckets, k);
	e.from_journal = !leaf_bucket;
	return s->fn(s->ctx, &e);
}

/* One extent of a leaf, what the journal leaves of it, and what comes before it. */
static int push(struct stream *s, struct cache_bkey k, uint64_t leaf_bucket)
{
	const struct cache_keys *over = &s->img->overlay;
	int ret = 0;

	while (!ret && s->next < over->n && !cache_bkey_is_before(&k, &over->k[s->next])) {
		const struct cache_bkey *b = &over->k[s->next];

		if (cache_bkey_is_before(b, &k)) {
			ret = emit(s, b, 0);
			s->next++;
		} else if (cache_key_start(&k) < cache_key_start(b)) {
			struct cache_bkey left = k;

			cache_bkey_cut_back(&left, cache_key_start(b));
			cache_bkey_cut_front(&k, cache_key_start(b));
			ret = emit(s, &left, leaf_bucket);
		} else if (k.low > b->low) {
			cache_bkey_cut_front(&k, b->low);
		} else {
			return 0;	/* hidden whole */
		}
	}
	return ret ? ret : emit(s, &k, leaf_bucket);
}

static int push_leaf(void *ctx, const struct cache_btree_node *n)
{
	struct stream *s = ctx;
	int ret = 0;

	for (size_t i = 0; !n->level && i < n->keys.n && !ret; i++)
		ret = push(s, n->keys.k[i], n->bucket);
	return ret;
}

int cache_image_each_extent(struct cache_image *img, cache_extent_fn *fn, void *ctx,
			    const struct cache_sink *sink, struct cache_err *err)
{
	struct stream s = { .img = img, .fn = fn, .ctx = ctx };
	int ret = cache_image_each_node(img, push_leaf, &s, sink, err);

	while (!ret && s.next < img->overlay.n)
		ret = emit(&s, &img->overlay.k[s.next++], 0);
	return ret;
}
