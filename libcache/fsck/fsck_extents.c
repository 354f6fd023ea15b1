// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents, as the driver will see them: staleness, owner, place on the backing
 * device, and that no two of them share a block of the cache (S9, S11, S13 to S17).
 */
#include "base/checked.h"
#include "fsck/fsck_impl.h"
#include "format/members.h"

#include <errno.h>
#include <stdlib.h>

#define LEAF_STEP	512u	/* keys of a leaf whose blocks are put into the list at once */

static void found_extent(struct fsck_cache *c, const struct cache_extent *e,
			 struct cache_finding f)
{
	const struct cache_sb *sb = &c->set->sb;

	f.inode = cache_key_inode(&e->key);
	f.start = cache_key_start(&e->key);
	f.end = e->key.low;
	f.gen = cache_ptr_gen(e->key.ptr[0]);
	/*
	 * In texts about a node {bucket} is the bucket of the node; in those about data, that
	 * of the data.
	 */
	if (f.code == CACHE_P_EXTENT_INODE)
		f.bucket = e->leaf_bucket;
	else
		f.bucket = cache_ptr_bucket(sb, &e->key, 0);
	f.sector = cache_ptr_place(sb, &e->key, 0);
	cache_found(c->sink, NULL, &f);
}

static void judge_stale(struct fsck_cache *c, const struct cache_extent *e)
{
	uint64_t bucket = cache_ptr_bucket(&c->set->sb, &e->key, 0);

	c->sum->stale_keys++;
	if (e->staleness > CACHE_GC_GEN_MAX)
		found_extent(c, e, (struct cache_finding){
			.code = CACHE_P_EXTENT_TOO_STALE, .got = e->staleness,
			.want = CACHE_GC_GEN_MAX });
	if (cache_key_dirty(&e->key))
		found_extent(c, e, (struct cache_finding){
			.code = CACHE_P_EXTENT_STALE_DIRTY, .other = e->leaf_bucket,
			.want = cache_gens_gen(&c->set->gens, bucket) });
}

/* Adds the extent's blocks of the cache, each of which must be used only once (S14). */
static int judge_shared(struct fsck_cache *c, const struct cache_extent *e)
{
	uint64_t shared;
	int ret = cache_fsck_shared_add(&c->shared, cache_ptr_place(&c->set->sb, &e->key, 0),
					cache_key_size(&e->key), &shared);

	if (!ret && shared && !c->shared.again)
		found_extent(c, e, (struct cache_finding){
			.code = CACHE_P_EXTENT_SHARED, .count = shared });
	return ret;
}

/* The same for the second walk: it is known now that some blocks are shared. */
static int judge_shared_again(void *ctx, const struct cache_extent *e)
{
	struct fsck_cache *c = ctx;

	return e->check_key || !e->available || e->staleness ? 0 : judge_shared(c, e);
}

static void judge_owner(struct fsck_cache *c, const struct cache_extent *e)
{
	const struct cache_uuids *u = &c->set->uuids;
	uint64_t inode = cache_key_inode(&e->key);
	const struct fsck_slot *slot;
	enum cache_slot_state state;

	if (!u->n)
		return;
	if (inode >= u->n && e->from_journal)
		return;		/* reported when the journal was read */
	if (inode >= u->n) {
		found_extent(c, e, (struct cache_finding){
			.code = CACHE_P_EXTENT_INODE, .want = u->n });
		return;
	}
	state = cache_uuid_state(&u->slot[inode]);
	if (state != CACHE_SLOT_BACKING && state != CACHE_SLOT_FLASH)
		return;
	slot = &c->slots[inode];
	if (cache_key_start(&e->key) < slot->data_start)
		found_extent(c, e, (struct cache_finding){
			.code = CACHE_P_EXTENT_BEFORE_DATA, .want = slot->data_start });
	if (e->key.low > slot->data_end)
		found_extent(c, e, (struct cache_finding){
			.code = CACHE_P_EXTENT_PAST_END, .want = slot->data_end });
	if (state == CACHE_SLOT_FLASH && !cache_key_dirty(&e->key) &&
	    !cache_uuid_is_overwritten(&u->slot[inode]) &&
	    !cache_uuid_is_ambiguous(&u->slot[inode]))
		found_extent(c, e, (struct cache_finding){
			.code = CACHE_P_EXTENT_FLASH_CLEAN });
}

static void judge_place(struct fsck_cache *c, const struct cache_extent *e)
{
	uint32_t block = c->set->sb.block_sectors;
	uint64_t bucket = cache_ptr_bucket(&c->set->sb, &e->key, 0);

	if (cache_sb_bucket_kind(&c->set->sb, bucket) < CACHE_BUCKET_OTHER)
		found_extent(c, e, (struct cache_finding){
			.code = CACHE_P_BUCKET_RESERVED, .what = "journal" });
	if ((cache_key_start(&e->key) | e->key.low) & (block - 1))
		c->unaligned++;
}

static void count(struct fsck_cache *c, const struct cache_extent *e)
{
	uint64_t inode = cache_key_inode(&e->key), size = cache_key_size(&e->key);
	bool dirty = cache_key_dirty(&e->key);
	struct fsck_slot *slot;

	c->sum->extents++;
	c->sum->cached_sectors += size;
	c->sum->dirty_extents += dirty;
	c->sum->dirty_sectors += dirty ? size : 0;
	if (inode >= c->set->uuids.n)
		return;
	slot = &c->slots[inode];
	if (!slot->extents++ || cache_key_start(&e->key) < slot->first)
		slot->first = cache_key_start(&e->key);
	slot->end = cache_max_u64(slot->end, e->key.low);
	slot->cached_sectors += size;
	slot->dirty_extents += dirty;
	slot->dirty_sectors += dirty ? size : 0;
}

static int judge_extent(void *ctx, const struct cache_extent *e)
{
	struct fsck_cache *c = ctx;

	if (e->check_key)
		return 0;
	if (!e->available) {
		c->members++;
		return 0;
	}
	if (e->staleness) {
		judge_stale(c, e);
		return 0;
	}
	count(c, e);
	judge_owner(c, e);
	judge_place(c, e);
	return judge_shared(c, e);
}

/* Whether data may belong to @inode's slot: then c->slot is that slot. */
static void learn_slot(struct fsck_cache *c, uint64_t inode)
{
	const struct cache_uuids *u = &c->set->uuids;
	enum cache_slot_state state = CACHE_SLOT_FREE;

	if (inode < u->n)
		state = cache_uuid_state(&u->slot[inode]);
	c->inode = inode;
	c->slot = state == CACHE_SLOT_BACKING || state == CACHE_SLOT_FLASH ? &c->slots[inode] : NULL;
	c->wants_dirty = state == CACHE_SLOT_FLASH;
}

/* The sum of extents of one slot that follow each other. */
struct tally {
	uint64_t n, sectors, dirty, dirty_sectors, first, end;
};

static void settle(struct fsck_cache *c, struct tally *t)
{
	struct fsck_slot *slot = c->slot;

	if (t->n) {
		c->sum->extents += t->n;
		c->sum->cached_sectors += t->sectors;
		c->sum->dirty_extents += t->dirty;
		c->sum->dirty_sectors += t->dirty_sectors;
		if (!slot->extents || t->first < slot->first)
			slot->first = t->first;
		slot->extents += t->n;
		slot->end = cache_max_u64(slot->end, t->end);
		slot->cached_sectors += t->sectors;
		slot->dirty_extents += t->dirty;
		slot->dirty_sectors += t->dirty_sectors;
	}
	*t = (struct tally){ .first = UINT64_MAX };
}

/*
 * Counts a plain extent without any problem: it lies in the range of its slot, and its gen, if
 * that is not known to be, is that of its bucket. False: judge_extent() must examine it.
 */
static bool count_plain(struct fsck_cache *c, const struct cache_packed_key *k, bool current,
			struct tally *t)
{
	uint64_t size = cache_key_high_size(k->high), start = k->low - size;
	uint64_t bucket = cache_ptr_sector(k->ptr) >> c->geometry.bucket_shift;
	bool dirty = cache_key_high_dirty(k->high);

	if ((k->high & CACHE_KEY_INODE_MAX) != c->inode) {
		settle(c, t);
		learn_slot(c, k->high & CACHE_KEY_INODE_MAX);
	}
	if (!c->slot ||
	    (!current && cache_gens_gen(&c->set->gens, bucket) != cache_ptr_gen(k->ptr)) ||
	    start < c->slot->data_start || k->low > c->slot->data_end ||
	    (c->wants_dirty && !dirty) || bucket < c->reserved || (start | k->low) & c->block_mask)
		return false;
	t->n++;
	t->sectors += size;
	t->dirty += dirty;
	t->dirty_sectors += dirty ? size : 0;
	t->first = start < t->first ? start : t->first;
	t->end = k->low > t->end ? k->low : t->end;
	return true;
}

/* Delivers the extents that cannot be counted this way as a walk of the set would. */
static int judge_key(struct fsck_cache *c, const struct cache_btree_node *n,
		     const struct cache_packed_key *k)
{
	struct cache_extent e = { .key = cache_key_unpack(k), .leaf_bucket = n->bucket,
				  .available = true };

	e.staleness = cache_bkey_staleness(&c->set->sb, &c->set->gens, &e.key);
	return judge_extent(c, &e);
}

/* Keys [first, first + nkeys) of a leaf. */
static int judge_keys(struct fsck_cache *c, const struct cache_btree_node *n, size_t first,
		      size_t nkeys, bool current)
{
	struct tally t = { .first = UINT64_MAX };
	int ret = cache_fsck_shared_reserve(&c->shared, nkeys);

	for (size_t i = first; i < first + nkeys && !ret; i++) {
		struct cache_packed_key k = cache_btree_node_packed(n, i);

		if (count_plain(c, &k, current, &t)) {
			cache_fsck_shared_put(&c->shared, cache_ptr_sector(k.ptr),
					      cache_key_high_size(k.high));
			continue;
		}
		ret = judge_key(c, n, &k);
		if (!ret)
			ret = cache_fsck_shared_reserve(&c->shared, first + nkeys - i);
	}
	settle(c, &t);
	return ret;
}

static int judge_leaf(void *ctx, const struct cache_btree_node *n, bool current)
{
	size_t nkeys = cache_btree_node_nkeys(n);
	int ret = 0;

	for (size_t i = 0; i < nkeys && !ret; i += LEAF_STEP)
		ret = judge_keys(ctx, n, i, cache_min_u64(LEAF_STEP, nkeys - i), current);
	return ret;
}

/* The gens may still change: then all of this is done again. */
static int begin_visit(void *ctx, struct cache_set *set)
{
	struct fsck_cache *c = ctx;

	c->set = set;
	c->inode = UINT64_MAX;
	c->geometry = cache_geometry_of(&set->sb);
	c->reserved = cache_sb_reserved_buckets(&set->sb);
	c->block_mask = set->sb.block_sectors - 1;
	cache_fsck_shared_init(&c->shared, &set->sb, c->workers);
	return cache_fsck_init_slots(c);
}

static int see_extent(void *ctx, const struct cache_extent *e)
{
	struct fsck_cache *c = ctx;
	const struct cache_sink *sink = c->sink, hold = { cache_fsck_hold, &c->held, NULL };
	int ret;

	c->sink = &hold;
	ret = judge_extent(c, e);
	c->sink = sink;
	return ret ? ret : c->held.failed ? -ENOMEM : c->held.full;
}

static int see_leaf(void *ctx, const struct cache_btree_node *n, bool current)
{
	struct fsck_cache *c = ctx;
	const struct cache_sink *sink = c->sink, hold = { cache_fsck_hold, &c->held, NULL };
	int ret;

	c->sink = &hold;
	ret = judge_leaf(c, n, current);
	c->sink = sink;
	return ret ? ret : c->held.failed ? -ENOMEM : c->held.full;
}

struct cache_extent_visit cache_fsck_visit(struct fsck_cache *c)
{
	return (struct cache_extent_visit){ .begin = begin_visit, .fn = see_extent,
					    .leaf = see_leaf, .ctx = c, .workers = c->workers,
					    .times = c->timed ? &c->times : NULL };
}

void cache_fsck_seen(struct fsck_cache *c, const struct cache_extent_visit *visit)
{
	c->seen = visit->done;
	if (c->seen)
		return;
	cache_fsck_held_fini(&c->held);
	cache_fsck_shared_fini(&c->shared);
	free(c->slots);
	c->slots = NULL;
	c->unaligned = c->members = 0;
	c->sum->stale_keys = c->sum->extents = c->sum->cached_sectors = 0;
	c->sum->dirty_extents = c->sum->dirty_sectors = 0;
}

/* (The driver also keeps the slot of a volume of size 0, which somebody asked for in vain.) */
static void judge_ambiguous(struct fsck_cache *c, uint32_t i, enum cache_slot_state state)
{
	bool flash = state == CACHE_SLOT_FLASH;

	if (!flash || c->slots[i].extents)
		cache_found(c->sink, NULL, &(struct cache_finding){
			.code = CACHE_P_UUID_GARBAGE, .index = i,
			.what = flash ? "it is a flash volume of size 0, and has data"
				      : "it has a size, and is no flash volume" });
}

/*
 * Dirty data without an owner (S15), and any data whose slot is empty: the next device that is
 * attached gets the first empty slot, and the data that is left there.
 */
static void judge_slots(struct fsck_cache *c)
{
	const struct cache_uuids *u = &c->set->uuids;

	for (uint32_t i = 0; i < u->n; i++) {
		enum cache_slot_state state = cache_uuid_state(&u->slot[i]);

		if (state == CACHE_SLOT_FREE && c->slots[i].extents)
			cache_found(c->sink, NULL, &(struct cache_finding){
				.code = CACHE_P_UUID_NO_SLOT, .inode = i,
				.count = c->slots[i].cached_sectors,
				.got = c->slots[i].dirty_sectors });
		else if (state == CACHE_SLOT_RETIRED && c->slots[i].dirty_sectors)
			cache_found(c->sink, NULL, &(struct cache_finding){
				.code = CACHE_P_UUID_LEAK, .inode = i,
				.count = c->slots[i].dirty_sectors });
		else if (cache_uuid_is_ambiguous(&u->slot[i]))
			judge_ambiguous(c, i, state);
	}
}

static int end_shared(struct fsck_cache *c, struct cache_err *err)
{
	int ret = cache_fsck_shared_end(&c->shared, c->sink);

	return ret != -ENOMEM ? ret :
	       cache_err_set(err, ret, 0, "no memory for the blocks of the cache");
}

/* The findings of the tree were reported when it was marked: these walks report none. */
static int each_extent(struct fsck_cache *c, cache_extent_fn *fn, struct cache_err *err)
{
	const struct cache_sink silent = { .report = cache_sink_ignore, .ctx = c->sink->ctx,
					   .progress = c->sink->progress };
	int ret = cache_set_each_extent(c->set, fn, c, &silent, err);

	if (ret == -ENOMEM)
		cache_err_set(err, ret, 0, "no memory for the blocks of the cache");
	return ret ? ret : end_shared(c, err);
}

int cache_fsck_extents(struct fsck_cache *c, struct cache_err *err)
{
	int ret;

	if (c->seen) {
		cache_fsck_held_report(&c->held, c->sink);
		ret = end_shared(c, err);
	} else {
		cache_fsck_shared_init(&c->shared, &c->set->sb, c->workers);
		ret = each_extent(c, judge_extent, err);
	}
	if (!ret && c->shared.again) {
		c->shared.again = false;
		ret = each_extent(c, judge_shared_again, err);
	}
	cache_fsck_shared_fini(&c->shared);
	if (!ret)
		judge_slots(c);
	return ret;
}
