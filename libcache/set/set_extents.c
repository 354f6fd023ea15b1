// SPDX-License-Identifier: GPL-2.0-only
/* All extents of a loaded set, by a walk of its own. */
#include "set/set_impl.h"

static int push_leaf(void *ctx, const struct cache_btree_node *n)
{
	return cache_set_stream_leaf(ctx, n, false);
}

int cache_set_each_extent(struct cache_set *set, cache_extent_fn *fn, void *ctx,
			    const struct cache_sink *sink, struct cache_err *err)
{
	const struct cache_extent_visit visit = { .fn = fn, .ctx = ctx };
	struct cache_set_stream s;
	int ret = cache_set_stream_init(&s, set, &visit);

	if (ret)
		return cache_err_set(err, ret, 0, "no memory for the journal's keys");
	ret = cache_set_each_node(set, push_leaf, &s, sink, err);
	if (!ret)
		ret = cache_set_stream_end(&s);
	cache_set_stream_fini(&s);
	return ret;
}
