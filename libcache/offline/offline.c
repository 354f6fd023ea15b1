// SPDX-License-Identifier: GPL-2.0-only
/*
 * The allocator's run on a loaded set, in memory. The set stays as on disk; a second bucket
 * table holds the result of the run.
 */
#include "offline/offline_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/checked.h"
#include "alloc/mark.h"
#include "alloc/sectors.h"

/* RANDOM may miss buckets: after this many refills without a result there are none. */
#define RANDOM_TRIES	8
/* Size of the writes of a stream of the sector allocator. */
#define STREAM_SECTORS	128
#define STREAM_STRIDE	(UINT64_C(1) << 40)

static int no_memory(struct cache_err *err)
{
	return cache_err_set(err, -ENOMEM, 0, "no memory for an allocator");
}

static int copy_table(struct cache_offline *o)
{
	const struct cache_buckets *from = &o->set->buckets;
	int ret = cache_buckets_init(&o->t, from->nbuckets, from->first_bucket,
				     from->bucket_sectors);

	for (uint64_t b = 0; !ret && b < from->nbuckets; b++) {
		cache_bucket_set_gen(&o->t, b, cache_bucket_gen(from, b));
		cache_bucket_set_last_gc(&o->t, b, cache_bucket_last_gc(from, b));
		cache_bucket_set_prio(&o->t, b, cache_bucket_prio(from, b));
		cache_bucket_set_mark(&o->t, b, cache_bucket_mark(from, b));
		cache_bucket_set_sectors_used(&o->t, b, cache_bucket_sectors_used(from, b));
		o->unused += cache_offline_is_unused(o, b);
	}
	return ret;
}

static int list_own(struct cache_offline *o)
{
	const struct cache_set *set = o->set;
	const struct cache_bkey *uuid = &set->journal.newest.uuid_bucket;

	o->own = calloc(set->sb.njournal + set->prios.nfollowed + 1, sizeof(*o->own));
	if (!o->own)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->sb.njournal; i++)
		o->own[o->nown++] = set->sb.journal_bucket[i];
	for (uint64_t i = 0; i < set->prios.nfollowed; i++)
		o->own[o->nown++] = set->prios.chain[i];
	if (cache_key_ptrs(uuid))
		o->own[o->nown++] = cache_ptr_bucket(&set->sb, uuid, 0);
	return 0;
}

static int pin_key(void *ctx, const struct cache_jset_pos *pos, unsigned index,
		   const struct cache_bkey *k)
{
	struct cache_offline *o = ctx;
	const struct cache_sb *sb = &o->set->sb;

	if (!cache_key_size(k) || cache_extent_invalid(sb, k))
		return 0;
	for (unsigned i = 0; i < cache_key_ptrs(k); i++) {
		uint64_t b = cache_ptr_bucket(sb, k, i);

		if (!cache_ptr_is_available(sb, k, i) || b >= sb->nbuckets)
			continue;
		cache_bucket_pin_get(&o->t, b);
		cache_bit_set(o->replayed, b);
	}
	return 0;
}

static int pin_journal(struct cache_offline *o, struct cache_err *err)
{
	return cache_journal_each_key(o->set->dev, &o->set->sb, &o->set->journal, false,
				      pin_key, o, NULL, err);
}

static int mark_node(void *ctx, const struct cache_btree_node *n)
{
	struct cache_offline *o = ctx;
	struct cache_gens gens = cache_gens_of(&o->t);
	struct cache_marks m = { .sb = &o->set->sb, .gens = &gens };
	struct cache_mark_clash clash;
	bool ok = cache_mark_key(&m, &n->key, n->level + 1, &clash);

	for (size_t i = 0; i < n->keys.n; i++)
		ok &= cache_mark_key(&m, &n->keys.k[i], n->level, &clash);
	return ok ? 0 : -EUCLEAN;
}

/*
 * The driver's gc, without rewriting nodes. The tree does not change during the run, and the
 * buckets that the run has invalidated are pinned, so the marks of all others are the same
 * after every walk: one walk is enough.
 */
static void gc(void *ctx)
{
	struct cache_offline *o = ctx;

	if (!o->walked && !o->gc_ret) {
		cache_alloc_gc_begin(&o->a);
		o->gc_ret = cache_set_each_node(o->set, mark_node, o, NULL, &o->gc_err);
		o->walked = true;
	}
	if (!o->gc_ret)
		o->gc_ret = cache_alloc_gc_finish(&o->a, o->own, o->nown);
}

static void trace(void *ctx, enum cache_alloc_event ev, uint64_t bucket, uint32_t detail)
{
	struct cache_offline *o = ctx;

	if (ev == CACHE_ALLOC_EV_INVALIDATE)
		o->lost_sectors += detail;
}

/* No commit_gens: until the run ends no bucket is written to. */
static const struct cache_alloc_ops ops = { .need_gc = gc, .trace = trace };

static int start(struct cache_offline *o, struct cache_err *err)
{
	const struct cache_sb *sb = &o->set->sb;
	const struct cache_driver *driver =
		cache_driver_of(cache_eras_newest(cache_offline_eras(o)));
	struct cache_alloc_opts a = {
		.policy = o->opts.policy, .seed = o->opts.seed, .sync = true,
		.njournal = sb->njournal, .prio_buckets = cache_prio_buckets(sb),
	};
	int ret;

	cache_alloc_opts_of(&a, driver, sb->nbuckets);
	ret = cache_alloc_init(&o->a, &o->t, &a, &ops, o);

	if (!ret)
		ret = pin_journal(o, err);
	if (!ret)
		ret = cache_alloc_gc_finish(&o->a, o->own, o->nown);
	if (!ret)
		cache_alloc_seed_free(&o->a);
	return ret;
}

static bool are_sound(const struct cache_offline_opts *opts)
{
	bool for_data = opts->reserve == CACHE_RESERVE_NONE ||
			opts->reserve == CACHE_RESERVE_MOVINGGC;

	return (unsigned)opts->reserve < CACHE_RESERVE_NR &&
	       (unsigned)opts->policy < CACHE_POLICY_NR &&
	       (!opts->write_points ||
		(for_data && opts->write_points <= CACHE_OFFLINE_STREAMS_MAX));
}

int cache_offline_new(struct cache_set *set, const struct cache_offline_opts *opts,
		      struct cache_offline **op, struct cache_err *err)
{
	struct cache_offline *o;
	int ret;

	if (set->loaded != CACHE_LOAD_MARKS || !are_sound(opts))
		return cache_err_set(err, -EINVAL, 0, "no such allocator run");
	o = calloc(1, sizeof(*o));
	if (!o)
		return no_memory(err);
	o->set = set;
	o->opts = *opts;
	o->taken = cache_bits_new(set->sb.nbuckets);
	o->replayed = cache_bits_new(set->sb.nbuckets);
	ret = o->taken && o->replayed ? copy_table(o) : -ENOMEM;
	if (!ret)
		ret = list_own(o);
	if (!ret)
		ret = start(o, err);
	if (!ret) {
		*op = o;
		return 0;
	}
	cache_offline_free(o);
	return ret == -ENOMEM ? no_memory(err) : cache_err_prefix(err, ret, "allocator");
}

void cache_offline_free(struct cache_offline *o)
{
	if (!o)
		return;
	cache_commit_free(o->commit);
	cache_alloc_fini(&o->a);
	cache_buckets_fini(&o->t);
	free(o->replayed);
	free(o->taken);
	free(o->own);
	free(o);
}

/* Invalidated by the run: after the commit nothing points there. */
static bool is_emptied(const struct cache_offline *o, uint64_t b)
{
	return cache_bucket_gen(&o->t, b) != cache_bucket_gen(&o->set->buckets, b);
}

static void count_buckets(const struct cache_offline *o, const struct cache_buckets *t,
			  struct cache_offline_buckets *n)
{
	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		enum cache_gc_mark mark = cache_bucket_mark(t, b);

		n->metadata += mark == CACHE_GC_MARK_METADATA;
		n->dirty += mark == CACHE_GC_MARK_DIRTY;
		n->clean += mark == CACHE_GC_MARK_RECLAIMABLE;
		n->unused += mark == CACHE_GC_MARK_NONE;
		n->available += mark <= CACHE_GC_MARK_RECLAIMABLE &&
				!cache_bit(o->replayed, b);
	}
}

static void give(struct cache_offline *o, uint64_t b, struct cache_offline_result *res)
{
	if (cache_bit(o->taken, b))
		return;
	cache_bit_set(o->taken, b);
	o->unused -= cache_offline_is_unused(o, b);
	res->taken++;
	if (o->opts.taken)
		o->opts.taken(o->opts.ctx, b, cache_bucket_gen(&o->t, b));
}

/* Refills again while the policy finds buckets, even if too few to continue. */
static int get_patiently(struct cache_offline *o, int (*get)(struct cache_offline *, void *),
			 void *arg)
{
	unsigned tries = o->opts.policy == CACHE_POLICY_RANDOM ? RANDOM_TRIES : 1;
	unsigned in_vain = 0;
	int ret;

	do {
		uint64_t before = o->a.stats.invalidated;

		ret = get(o, arg);
		in_vain = o->a.stats.invalidated > before ? 0 : in_vain + 1;
	} while (ret == -EAGAIN && !o->gc_ret && in_vain < tries);
	return o->gc_ret ? o->gc_ret : ret;
}

static int get_bucket(struct cache_offline *o, void *bucket)
{
	return cache_alloc_get_wait(&o->a, o->opts.reserve, bucket);
}

static int run_buckets(struct cache_offline *o, struct cache_offline_result *res)
{
	int ret = 0;

	while (!ret && res->taken < o->opts.count) {
		uint64_t b;

		ret = cache_offline_poll(o, CACHE_OFFLINE_PASS_TAKE, res->taken);
		if (!ret)
			ret = get_patiently(o, get_bucket, &b);
		if (!ret)
			give(o, b, res);
	}
	return ret;
}

struct stream_get {
	struct cache_sectors *s;
	struct cache_sectors_req req;
	struct cache_sectors_space space;
};

static int get_sectors(struct cache_offline *o, void *arg)
{
	struct stream_get *g = arg;

	return cache_sectors_alloc(g->s, &g->req, &g->space);
}

/* One write of one stream. */
static int write_piece(struct cache_offline *o, struct cache_offline_result *res,
		       struct stream_get *g)
{
	uint64_t left = cache_min_u64(STREAM_SECTORS, o->opts.count - res->taken_sectors);
	int ret = 0;

	while (left) {
		g->req.sectors = left;
		ret = cache_offline_poll(o, CACHE_OFFLINE_PASS_TAKE, res->taken_sectors);
		if (!ret)
			ret = get_patiently(o, get_sectors, g);
		if (ret)
			break;
		give(o, g->space.ptr[0].bucket, res);
		g->req.offset += g->space.sectors;
		left -= g->space.sectors;
		res->taken_sectors += g->space.sectors;
	}
	return ret;
}

/* Sequential streams, one per write point, in turn; far apart from each other. */
static int run_sectors(struct cache_offline *o, struct cache_offline_result *res,
		       struct cache_sectors *s)
{
	struct cache_alloc *member = &o->a;
	int ret = 0;

	cache_sectors_init(s, &member, 1, o->set->sb.block_sectors, NULL, NULL);
	for (uint64_t round = 0; !ret && res->taken_sectors < o->opts.count; round++) {
		uint64_t wp = round % o->opts.write_points;
		struct stream_get g = { .s = s, .req = {
			.offset = wp * STREAM_STRIDE +
				  round / o->opts.write_points * STREAM_SECTORS,
			.write_point = wp + 1, .nptrs = 1, .wait = true,
			.moving = o->opts.reserve == CACHE_RESERVE_MOVINGGC } };

		ret = write_piece(o, res, &g);
	}
	cache_sectors_fini(s);
	return ret;
}

static void conclude(struct cache_offline *o, struct cache_offline_result *res)
{
	const struct cache_alloc *a = &o->a;

	res->invalidated = a->stats.invalidated;
	res->prio_writes = a->stats.commits;
	res->gcs = a->stats.gcs - 1;	/* the first one was the start itself */
	res->lost_sectors = o->lost_sectors;
	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		res->queued[i] = a->free[i].used;
	res->queued_inc = a->free_inc.used;
	for (uint64_t b = 0; b < o->t.nbuckets; b++) {
		if (!is_emptied(o, b))
			continue;
		cache_bucket_set_mark(&o->t, b, CACHE_GC_MARK_NONE);
		cache_bucket_set_sectors_used(&o->t, b, 0);
	}
	count_buckets(o, &o->t, &res->after);
}

int cache_offline_run(struct cache_offline *o, struct cache_offline_result *res,
		      struct cache_err *err)
{
	struct cache_sectors *s = NULL;
	int ret;

	*res = (struct cache_offline_result){ 0 };
	count_buckets(o, &o->set->buckets, &res->before);
	if (o->opts.write_points) {
		s = calloc(1, sizeof(*s));
		ret = s ? run_sectors(o, res, s) : no_memory(err);
	} else {
		ret = run_buckets(o, res);
	}
	free(s);
	if (o->gc_ret) {
		if (err)
			*err = o->gc_err;
		return cache_err_prefix(err, o->gc_ret, "gc");
	}
	if (ret == -EAGAIN) {
		res->stop = o->a.refused ? CACHE_OFFLINE_NO_RESERVE : CACHE_OFFLINE_DRY;
		ret = 0;
	}
	if (!ret)
		ret = cache_alloc_check(&o->a, err);
	if (!ret)
		conclude(o, res);
	return ret;
}
