// SPDX-License-Identifier: GPL-2.0-only
/* What programs outside the library can ask of a loaded set. */
#include "base/bits.h"
#include "set/set.h"

#include <errno.h>
#include <string.h>

enum cache_load cache_set_loaded(const struct cache_set *set)
{
	return set->loaded;
}

const struct cache_sb *cache_set_super(const struct cache_set *set)
{
	return &set->sb;
}

int cache_set_bucket(const struct cache_set *set, uint64_t bucket,
		     struct cache_bucket_state *state)
{
	if (set->loaded < CACHE_LOAD_MARKS)
		return -EINVAL;
	if (bucket >= set->sb.nbuckets)
		return -ERANGE;
	*state = (struct cache_bucket_state){
		.role = cache_set_role(set, bucket),
		.gen_known = !set->gen_unknown || !cache_bit(set->gen_unknown, bucket),
		.gen = cache_bucket_gen(&set->buckets, bucket),
		.prio = cache_bucket_prio(&set->buckets, bucket),
		.used_sectors = cache_bucket_sectors_used(&set->buckets, bucket) };
	return 0;
}

int cache_set_slot(const struct cache_set *set, uint64_t inode, struct cache_slot *slot)
{
	const struct cache_uuid_entry *e;
	enum cache_slot_state state;

	if (set->loaded < CACHE_LOAD_PRIOS)
		return -EINVAL;
	if (inode >= set->uuids.n)
		return -ERANGE;
	e = &set->uuids.slot[inode];
	state = cache_uuid_state(e);
	if ((state != CACHE_SLOT_BACKING && state != CACHE_SLOT_FLASH) ||
	    cache_uuid_is_overwritten(e))
		return -ENOENT;
	*slot = (struct cache_slot){ .flash = state == CACHE_SLOT_FLASH, .first_reg = e->first_reg,
				     .last_reg = e->last_reg, .sectors = e->sectors };
	memcpy(slot->uuid, e->uuid, sizeof(slot->uuid));
	memcpy(slot->label, e->label, sizeof(slot->label));
	return 0;
}

struct ranges {
	cache_range_fn *fn;
	void *ctx;
};

static int on_extent(void *ctx, const struct cache_extent *e)
{
	const struct ranges *r = ctx;
	struct cache_range range = {
		.inode = cache_key_inode(&e->key), .start = cache_key_start(&e->key),
		.end = e->key.low, .cache_sector = cache_ptr_sector(e->key.ptr[0]),
		.dirty = cache_key_dirty(&e->key), .from_journal = e->from_journal,
		.readable = e->available && !e->check_key && !e->staleness };

	return r->fn(r->ctx, &range);
}

int cache_set_each_range(struct cache_set *set, cache_range_fn *fn, void *ctx,
			 const struct cache_sink *sink, struct cache_err *err)
{
	struct ranges r = { fn, ctx };

	if (set->loaded < CACHE_LOAD_GENS)
		return cache_err_set(err, -EINVAL, 0, "the set was not loaded up to its btree");
	return cache_set_each_extent(set, on_extent, &r, sink, err);
}
