// SPDX-License-Identifier: GPL-2.0-only
/* The same run with the allocator of each era asked for. */
#include "offline/offline_impl.h"

/* Whether the allocators of two eras are the same one on this set. */
static bool are_alike(const struct cache_set *set, unsigned a, unsigned b)
{
	struct cache_alloc_opts x = { .njournal = set->sb.njournal }, y = x;

	cache_alloc_opts_of(&x, cache_driver_of(a), set->sb.nbuckets);
	cache_alloc_opts_of(&y, cache_driver_of(b), set->sb.nbuckets);
	return x.flavour == y.flavour && x.btree_buckets == y.btree_buckets;
}

/* The first era of @eras whose allocator is that of @era. */
static unsigned first_like(const struct cache_set *set, uint32_t eras, unsigned era)
{
	for (unsigned i = 0; i < era; i++)
		if (eras >> i & 1 && are_alike(set, i, era))
			return i;
	return era;
}

static int run_one(struct cache_set *set, const struct cache_offline_opts *given, unsigned era,
		   struct cache_offline_result *res, struct cache_err *err)
{
	struct cache_offline_opts opts = *given;
	struct cache_offline *o = NULL;
	int ret;

	opts.taken = NULL;
	opts.eras = UINT32_C(1) << era;
	ret = cache_offline_new(set, &opts, &o, err);
	if (!ret)
		ret = cache_offline_run(o, res, err);
	cache_offline_free(o);
	return ret;
}

int cache_offline_each_era(struct cache_set *set, const struct cache_offline_opts *opts,
			   struct cache_offline_result res[CACHE_ERAS], struct cache_err *err)
{
	uint32_t eras = opts->eras ? opts->eras : cache_eras_all();

	for (unsigned i = 0; i < CACHE_ERAS; i++) {
		unsigned like = first_like(set, eras, i);
		int ret = 0;

		if (!(eras >> i & 1))
			continue;
		if (like != i)
			res[i] = res[like];
		else
			ret = run_one(set, opts, i, &res[i], err);
		if (ret)
			return ret;
	}
	return 0;
}
