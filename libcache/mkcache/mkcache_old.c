// SPDX-License-Identifier: GPL-2.0-only
/* What a format destroys with the old cache: dirty data, which exists nowhere else. */
#include <libcache/format.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/members.h"
#include "mkcache/mkcache_impl.h"
#include "set/set.h"

struct sums {
	uint64_t *dirty;	/* sectors of each slot */
	uint32_t n;
	uint64_t homeless;	/* sectors of keys without a slot in the table */
	const struct cache_mkcache *m;
	bool damaged;
};

static int add_extent(void *ctx, const struct cache_extent *e)
{
	struct sums *s = ctx;
	uint64_t inode = cache_key_inode(&e->key);

	if (!e->check_key && e->available && !e->staleness && cache_key_dirty(&e->key))
		*(inode < s->n ? &s->dirty[inode] : &s->homeless) += cache_key_size(&e->key);
	return 0;
}

static void deliver(const struct cache_set *set, const struct sums *s,
		    cache_mkcache_dirty_fn *fn, void *ctx)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->dirty[i])
			fn(ctx, set->uuids.slot[i].uuid, (const char *)set->uuids.slot[i].label,
			   s->dirty[i]);
	if (s->homeless)
		fn(ctx, NULL, "", s->homeless);
}

static void count_finding(void *ctx, const struct cache_finding *f)
{
	struct sums *s = ctx;

	s->damaged |= cache_problem_info(f->code)->severity == CACHE_SEVERITY_CORRUPT;
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	const struct sums *s = ctx;

	return s->m->progress ? s->m->progress(s->m->ctx, pass, current, max) : 0;
}

static int sum_dirty(const struct cache_mkcache *m, struct cache_dev *dev,
		     cache_mkcache_dirty_fn *fn, void *ctx)
{
	struct sums s = { .m = m };
	struct cache_sink sink = { count_finding, &s, on_progress };
	struct cache_set *set = NULL;
	int ret = cache_set_load(dev, CACHE_LOAD_GENS, &sink, &set, NULL);

	if (ret)
		return ret;
	if (cache_sb_is_synced(&set->sb) && set->loaded < CACHE_LOAD_GENS)
		ret = -EUCLEAN;
	/* what the other members' keys say of this device is not known */
	s.damaged |= cache_sb_is_one_of_several(&set->sb);
	s.n = set->loaded < CACHE_LOAD_GENS ? 0 : set->uuids.n;
	s.dirty = calloc(s.n + 1, sizeof(*s.dirty));
	if (!s.dirty)
		ret = -ENOMEM;
	else if (set->loaded >= CACHE_LOAD_GENS)
		ret = cache_set_each_extent(set, add_extent, &s, &sink, NULL);
	if (s.dirty)
		deliver(set, &s, fn, ctx);
	free(s.dirty);
	cache_set_close(set);
	return ret ? ret : s.damaged ? 1 : 0;
}

int cache_mkcache_dirty(const struct cache_mkcache *given, unsigned i,
			cache_mkcache_dirty_fn *fn, void *ctx)
{
	struct cache_mkcache m;
	int ret = cache_mkcache_read(given, i, &m, NULL);

	return ret ? ret : sum_dirty(&m, m.devs[i].dev, fn, ctx);
}
