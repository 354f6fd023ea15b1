// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel learns by walking the tree at its start: every key marks its buckets and may
 * raise their gens, then the journal's keys do the same, then the buckets of the set's own
 * structures are marked, whatever marked them before (behaviour 4.2, 4.3).
 */
#include "base/checked.h"
#include "base/bits.h"
#include "set/set_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/mark.h"
#include "format/geometry.h"

struct marking {
	struct cache_set *set;
	struct cache_marks m;
	const struct cache_sink *sink;
	struct cache_err *err;
	uint64_t nodes, nodes_expected;
	struct cache_geometry geometry;
	bool current;		/* of the leaf that was marked last: see cache_set_leaf_fn() */
	struct cache_set_stream *stream;	/* called for extents on the way; NULL: none */
	struct cache_walk_times *times;		/* NULL: not measured */
};

/* The gens read from disk become the table: a caller that needs those on disk reads them again. */
static int init_gens(struct cache_set *set)
{
	uint8_t *gen = set->prios.gen;

	set->prios.gen = NULL;
	return cache_gens_init(&set->gens, set->sb.nbuckets, gen);
}

static int init_buckets(struct cache_set *set)
{
	const struct cache_prios *p = &set->prios;
	int ret = cache_buckets_init(&set->buckets, set->sb.nbuckets, set->sb.first_bucket,
				     set->sb.bucket_sectors);

	if (ret)
		return ret;
	set->gens = cache_gens_of(&set->buckets);
	for (uint64_t b = 0; b < set->sb.nbuckets; b++) {
		cache_bucket_set_gen(&set->buckets, b, p->gen[b]);
		cache_bucket_set_last_gc(&set->buckets, b, p->gen[b]);
		cache_bucket_set_prio(&set->buckets, b, p->prio[b]);
	}
	return 0;
}

static int init_tables(struct marking *s, enum cache_load upto)
{
	int ret = upto == CACHE_LOAD_GENS ? init_gens(s->set) : init_buckets(s->set);

	s->nodes_expected = s->set->prios.nmetadata;
	return !ret ? 0 : cache_err_set(s->err, ret, 0, "no table for %llu buckets",
					(unsigned long long)s->set->sb.nbuckets);
}

/*
 * Sets a bit for each bucket whose prio_set did not verify. Its gens are read as 0: another one
 * is from ->correct_prios(), and known.
 */
static int init_unknown(struct marking *s)
{
	struct cache_set *set = s->set;
	uint64_t per = cache_prios_per_bucket(&set->sb), n = set->sb.nbuckets;
	bool all = true;

	for (uint64_t i = 0; i < set->prios.nmembers; i++)
		all &= set->prios.member_ok[i];
	if (all)
		return 0;
	set->gen_unknown = cache_bits_new(n);
	if (!set->gen_unknown)
		return cache_err_set(s->err, -ENOMEM, 0, "no memory for a bit map of the buckets");
	for (uint64_t b = 0; b < n; b++)
		if (!set->prios.member_ok[b / per] && !cache_gens_gen(&set->gens, b))
			cache_bit_set(set->gen_unknown, b);
	s->m.gen_unknown = set->gen_unknown;
	return 0;
}

static int mark(struct marking *s, const struct cache_bkey *k, unsigned level)
{
	struct cache_mark_clash clash = { 0 };

	if (cache_mark_initial(&s->m, k, level, &clash))
		return 0;
	return cache_found(s->sink, s->err, &(struct cache_finding){
		.code = CACHE_P_BUCKET_MARKS, .bucket = clash.bucket, .got = clash.mark,
		.inode = cache_key_inode(k), .end = k->low, .level = level });
}

/* Buckets of metadata priority are mostly nodes: a good estimate of the number of nodes. */
static int progress(struct marking *s)
{
	s->nodes++;
	if (!s->sink || !s->sink->progress)
		return 0;
	return s->sink->progress(s->sink->ctx, CACHE_PASS_BTREE, s->nodes,
				 cache_max_u64(s->nodes, s->nodes_expected)) ? -ECANCELED : 0;
}

/* As cache_set_is_node(), or the error of the read that it needs. */
static int is_node(const struct cache_set *set, uint64_t bucket, uint8_t gen)
{
	int was = cache_prio_gen(set->dev, &set->sb, &set->prios, bucket);

	if (was < 0)
		return was == -ENOENT ? 0 : was;
	return !cache_gen_after(was, gen);
}

bool cache_set_is_node(const struct cache_set *set, uint64_t bucket, uint8_t gen)
{
	return is_node(set, bucket, gen) > 0;
}

static int found_falsely_freed(struct marking *s, const struct cache_btree_node *n,
			       const struct cache_bkey *k, enum cache_problem code)
{
	uint64_t bucket = cache_ptr_bucket(&s->set->sb, k, 0);

	return cache_found(s->sink, s->err, &(struct cache_finding){
		.code = code, .bucket = bucket, .level = n->level - 1,
		.index = bucket / cache_prios_per_bucket(&s->set->sb),
		.inode = cache_key_inode(k), .end = k->low, .gen = cache_ptr_gen(k->ptr[0]),
		.want = cache_gens_gen(&s->set->gens, bucket) });
}

/*
 * A child that is stale, and no key of @n has freed it: the gen on disk is false, or @n has
 * lost the set with that key and those of its successors. A bucket that cannot be read proves
 * nothing.
 */
static int judge_stale_child(struct marking *s, const struct cache_btree_node *n,
			     const struct cache_bkey *k)
{
	const struct cache_set *set = s->set;
	uint64_t bucket = cache_ptr_bucket(&set->sb, k, 0);
	int ret;

	if (!cache_ptr_is_available(&set->sb, k, 0))
		return 0;
	ret = cache_set_is_freed_by(set, n, bucket, cache_ptr_gen(k->ptr[0]));
	if (ret > 0)
		return 0;
	if (!ret)
		ret = cache_set_holds_node(set, bucket, cache_ptr_gen(k->ptr[0]));
	if (ret > 0)
		return found_falsely_freed(s, n, k, CACHE_P_BUCKET_GEN_FALSE);
	if (ret == -EIO)
		return 0;
	if (ret < 0)
		return cache_err_set(s->err, ret, 0, "no memory for stale children");
	return cache_found(s->sink, s->err, &(struct cache_finding){
		.code = CACHE_P_CHILD_LOST, .bucket = n->bucket, .level = n->level,
		.other = bucket, .inode = cache_key_inode(k), .end = k->low });
}

/*
 * A child that was freed before its parent was read: only the parent has the key that frees it.
 * If the child was read first, it would conflict with the mark of that key.
 */
static int find_falsely_freed(struct marking *s, const struct cache_btree_node *n)
{
	const struct cache_set *set = s->set;
	int ret = 0;

	for (size_t i = 0; i < n->keys.n && !ret; i++) {
		const struct cache_bkey *k = &n->keys.k[i];
		uint64_t bucket = cache_key_ptrs(k) ? cache_ptr_bucket(&set->sb, k, 0) : UINT64_MAX;

		if (bucket >= set->sb.nbuckets || cache_bkey_is_freeing(k) ||
		    !cache_bkey_staleness(&set->sb, &set->gens, k))
			continue;
		ret = is_node(set, bucket, cache_ptr_gen(k->ptr[0]));
		if (ret < 0)
			return cache_err_set(s->err, ret, 0, "the prio chain could be read "
					     "before and cannot now");
		if (ret) {
			ret = found_falsely_freed(s, n, k, CACHE_P_BUCKET_FALSELY_FREED);
			continue;
		}
		ret = judge_stale_child(s, n, k);
	}
	return ret;
}

/* False: nothing was done, and mark() must look at it. */
static inline bool mark_plain(struct cache_gens *g, const struct cache_packed_key *k, uint64_t bucket)
{
	uint8_t gen = cache_ptr_gen(k->ptr);
	bool dirty = cache_key_high_dirty(k->high);

	return g->table ? cache_mark_plain_table(g->table, gen, dirty, cache_key_high_size(k->high),
						 bucket)
			: cache_mark_plain(g, gen, dirty, bucket);
}

/* A leaf of plain keys: most find their bucket in the expected state; if all do, it is current. */
static int mark_plain_leaf(struct marking *s, const struct cache_btree_node *n)
{
	struct cache_gens *g = &s->set->gens;
	unsigned shift = s->geometry.bucket_shift;
	size_t nkeys = cache_btree_node_nkeys(n);
	int ret = 0;

	s->current = true;
	for (size_t i = 0; i < nkeys && !ret; i++) {
		struct cache_packed_key k = cache_btree_node_packed(n, i);
		size_t next = cache_min_u64(i + CACHE_GENS_AHEAD, nkeys - 1);
		uint64_t ahead = cache_ptr_sector(cache_btree_node_packed(n, next).ptr) >> shift;

		__builtin_prefetch(cache_gens_place(g, ahead), 1);
		if (!mark_plain(g, &k, cache_ptr_sector(k.ptr) >> shift)) {
			struct cache_bkey key = cache_key_unpack(&k);

			s->current = false;
			ret = mark(s, &key, 0);
		}
	}
	return ret;
}

static int mark_keys(struct marking *s, const struct cache_btree_node *n)
{
	size_t nkeys = cache_btree_node_nkeys(n);
	int ret = 0;

	if (n->plain && !s->m.gen_unknown)
		return mark_plain_leaf(s, n);
	s->current = false;
	for (size_t i = 0; i < nkeys && !ret; i++) {
		struct cache_bkey k = cache_btree_node_key(n, i);

		ret = mark(s, &k, n->level);
	}
	return ret;
}

/* If an extent is rejected on the way, all are visited again later. */
static int see_extents(struct marking *s, const struct cache_btree_node *n)
{
	int ret = s->stream ? cache_set_stream_leaf(s->stream, n, s->current) : 0;

	if (ret > 0)
		s->stream = NULL;
	return ret >= 0 ? 0 : cache_err_set(s->err, ret, 0, "no memory to look at extents");
}

static int mark_node(void *ctx, const struct cache_btree_node *n)
{
	struct marking *s = ctx;
	uint64_t start = cache_clock_if(s->times), marked;
	int ret = progress(s);

	if (!ret && n->level)
		ret = find_falsely_freed(s, n);
	if (!ret)
		ret = mark_keys(s, n);
	marked = cache_clock_if(s->times);
	if (!ret)
		ret = see_extents(s, n);
	if (s->times) {
		s->times->mark_ns += marked - start;
		s->times->extents_ns += cache_clock_ns() - marked;
	}
	return ret ? ret : mark(s, &n->key, n->level + 1);
}

static struct cache_btree_walk walk_of(struct cache_set *set, cache_btree_node_fn *fn,
				       void *ctx, const struct cache_sink *sink)
{
	return (struct cache_btree_walk){
		.dev = set->dev, .sb = &set->sb, .gens = &set->gens, .sink = sink,
		.root = set->journal.newest.btree_root,
		.root_level = set->journal.newest.pos.level, .node = fn, .ctx = ctx };
}

static int walk_tree(struct marking *s, struct cache_workers *workers)
{
	struct cache_btree_walk w = walk_of(s->set, mark_node, s, s->sink);
	int ret;

	w.undecoded = true;
	w.workers = workers;
	w.times = s->times;
	ret = cache_btree_walk(&w, s->err);
	memcpy(s->set->nnodes, w.nnodes, sizeof(w.nnodes));
	s->set->read_bytes = w.read_bytes;
	s->set->nbad_nodes = w.nbad;
	return ret;
}

/* For a walk after the load: the number of nodes is known. */
struct counted {
	cache_btree_node_fn *fn;
	void *ctx;
	const struct cache_sink *sink;
	uint64_t n, max;
};

static int count_node(void *ctx, const struct cache_btree_node *n)
{
	struct counted *c = ctx;

	c->n++;
	if (c->sink->progress(c->sink->ctx, CACHE_PASS_BUCKETS, c->n,
			      cache_max_u64(c->n, c->max)))
		return -ECANCELED;
	return c->fn(c->ctx, n);
}

int cache_set_each_node(struct cache_set *set, cache_btree_node_fn *fn, void *ctx,
			  const struct cache_sink *sink, struct cache_err *err)
{
	struct counted c = { .fn = fn, .ctx = ctx, .sink = sink };
	bool counts = sink && sink->progress;
	struct cache_btree_walk w = walk_of(set, counts ? count_node : fn, counts ? &c : ctx,
					    sink);
	int ret;

	for (unsigned i = 0; i <= CACHE_BTREE_LEVEL_MAX; i++)
		c.max += set->nnodes[i];
	ret = cache_btree_walk(&w, err);

	if (!ret && w.nbad > set->nbad_nodes)
		ret = cache_err_set(err, -EIO, 0, "a btree node could be read before and "
				    "cannot now: is the device in use, or failing?");
	return ret;
}

static int found_journal_key(struct marking *s, enum cache_problem code,
			     const struct cache_jset_pos *pos, unsigned index,
			     const struct cache_bkey *k, const char *what)
{
	bool has_ptr = cache_key_ptrs(k);

	return cache_found(s->sink, s->err, &(struct cache_finding){
		.code = code, .seq = pos->seq, .index = index, .what = what,
		.inode = cache_key_inode(k), .start = cache_key_start(k), .end = k->low,
		.bucket = has_ptr ? cache_ptr_bucket(&s->set->sb, k, 0) : 0,
		.want = s->set->uuids.n, .sector = cache_jset_sector(&s->set->sb, pos) });
}

/* 1: valid; 0: not, which was reported; otherwise an error */
static int judge_journal_key(struct marking *s, const struct cache_jset_pos *pos,
			     unsigned index, const struct cache_bkey *k)
{
	const char *why = cache_extent_invalid(&s->set->sb, k);
	int ret;

	if (!cache_key_size(k) || !k->low)
		return found_journal_key(s, CACHE_P_JOURNAL_KEY_ZERO, pos, index, k,
					 cache_key_size(k) ? "offset" : "size");
	if (why)
		return found_journal_key(s, CACHE_P_JOURNAL_KEY_INVALID, pos, index, k, why);
	if (s->set->uuids.n && cache_key_inode(k) >= s->set->uuids.n) {
		ret = found_journal_key(s, CACHE_P_JOURNAL_KEY_INODE, pos, index, k, NULL);
		return ret ? ret : 1;
	}
	return 1;
}

static int mark_journal_key(void *ctx, const struct cache_jset_pos *pos, unsigned index,
			    const struct cache_bkey *k)
{
	struct marking *s = ctx;
	int ret = judge_journal_key(s, pos, index, k);

	s->set->journal_keys++;
	return ret > 0 ? mark(s, k, 0) : ret;
}

/*
 * Adds one entry as stored; if its keys do not fill it exactly it ends early, which was
 * reported.
 */
static int load_entry(struct cache_set *set, const struct cache_jset_pos *pos,
		      struct cache_err *err)
{
	struct cache_overlay *o = &set->overlay;
	size_t at = o->nwords;
	struct cache_bkey k;
	unsigned n;
	int ret = cache_jset_read(set->dev, &set->sb, pos, NULL, o->words + at, err);

	if (ret)
		return ret;
	o->nwords += pos->nwords;
	for (; (n = cache_overlay_key(o, at, &k)); at += n)
		if (cache_key_size(&k) && !cache_extent_invalid(&set->sb, &k))
			cache_overlay_add(o, at);
	return 0;
}

static int load_overlay(struct cache_set *set, const struct cache_sink *sink,
			struct cache_err *err)
{
	const struct cache_journal *j = &set->journal;
	uint64_t nwords = 0;
	int ret;

	for (size_t i = 0; i < j->nreplay; i++)
		nwords += j->replay[i]->nwords;
	ret = cache_overlay_init(&set->overlay, nwords);
	if (ret)
		return cache_err_set(err, ret, 0, "no memory for the journal's keys");
	for (size_t i = 0; i < j->nreplay && !ret; i++)
		if (j->replay[i]->nwords)
			ret = load_entry(set, j->replay[i], err);
	if (ret)
		return ret;
	ret = cache_overlay_sort(&set->overlay, sink);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for the journal's keys") : ret;
}

static int mark_journal(struct marking *s)
{
	struct cache_set *set = s->set;

	return cache_journal_each_key(set->dev, &set->sb, &set->journal, true,
				      mark_journal_key, s, s->sink, s->err);
}

/* Marks a bucket of the set's own structures; the driver overrides any earlier mark. */
static int mark_own(struct marking *s, uint64_t bucket, const char *owner)
{
	struct cache_gens *t = &s->set->gens;
	enum cache_gc_mark was;
	int ret = 0;

	if (bucket >= t->nbuckets)
		return 0;
	was = cache_gens_mark(t, bucket);
	if (was == CACHE_GC_MARK_METADATA)
		ret = cache_found(s->sink, s->err, &(struct cache_finding){
			.code = CACHE_P_BUCKET_META, .bucket = bucket, .what = owner });
	else if (was)
		ret = cache_found(s->sink, s->err, &(struct cache_finding){
			.code = CACHE_P_BUCKET_OWNERS, .bucket = bucket, .what = owner });
	cache_gens_set_mark(t, bucket, CACHE_GC_MARK_METADATA);
	return ret;
}

/* Rings of all members but the one whose journal was read. */
static int mark_other_rings(struct marking *s)
{
	const struct cache_set_members *m = s->set->members;
	int ret = 0;

	for (unsigned i = 0; i < CACHE_MAX_CACHES_PER_SET; i++) {
		const struct cache_member_place *p = &m->map.m[i];

		for (uint64_t b = p->first_bucket; b < p->reserved && i != m->leader && !ret; b++)
			ret = mark_own(s, p->base + b, "journal");
	}
	return ret;
}

static int mark_own_all(struct marking *s)
{
	const struct cache_set *set = s->set;
	const struct cache_bkey *uuid = &set->journal.newest.uuid_bucket;
	int ret = 0;

	for (uint32_t i = 0; i < set->sb.njournal && !ret; i++)
		ret = mark_own(s, set->sb.journal_bucket[i], "journal");
	if (set->members && !ret)
		ret = mark_other_rings(s);
	for (uint64_t i = 0; i < set->prios.nfollowed && !ret; i++)
		ret = mark_own(s, set->prios.chain[i], "prio chain");
	if (!ret && cache_key_ptrs(uuid))
		ret = mark_own(s, cache_ptr_bucket(&set->sb, uuid, 0), "uuid table");
	return ret;
}

/*
 * The pointer to the root is used without checking whether it is stale; only the first pointer
 * is, and one that points nowhere was reported as invalid.
 */
static int check_stale(struct marking *s, enum cache_problem code, const struct cache_bkey *k)
{
	uint64_t bucket = cache_key_ptrs(k) ? cache_ptr_bucket(&s->set->sb, k, 0) : UINT64_MAX;

	if (bucket >= s->set->gens.nbuckets ||
	    !cache_bkey_staleness(&s->set->sb, &s->set->gens, k))
		return 0;
	return cache_found(s->sink, s->err, &(struct cache_finding){
		.code = code, .bucket = bucket, .gen = cache_ptr_gen(k->ptr[0]),
		.want = cache_gens_gen(&s->set->gens, bucket) });
}

/*
 * Extents are visited while the tree is marked. The result is valid only if no gen was raised:
 * otherwise an extent may be stale that did not look stale.
 */
static int walk_and_see(struct marking *s, struct cache_extent_visit *visit)
{
	struct cache_set_stream stream;
	int ret;

	if (!visit || s->m.gen_unknown)
		return walk_tree(s, visit ? visit->workers : NULL);
	ret = visit->begin ? visit->begin(visit->ctx, s->set) : 0;
	if (ret)
		return cache_err_set(s->err, ret, 0, "no memory to look at extents");
	ret = cache_set_stream_init(&stream, s->set, visit);
	if (ret)
		return cache_err_set(s->err, ret, 0, "no memory for the journal's keys");
	s->stream = &stream;
	ret = walk_tree(s, visit->workers);
	if (!ret && s->stream)
		ret = cache_set_stream_end(&stream);
	visit->done = !ret && s->stream;
	s->stream = NULL;
	cache_set_stream_fini(&stream);
	return ret < 0 ? ret : 0;
}

int cache_set_mark(struct cache_set *set, enum cache_load upto,
		   struct cache_extent_visit *visit, const struct cache_sink *sink,
		   struct cache_err *err)
{
	struct marking s = { .set = set, .sink = sink, .err = err,
			     .m = { .sb = &set->sb, .gens = &set->gens },
			     .geometry = cache_geometry_of(&set->sb),
			     .times = visit ? visit->times : NULL };
	int ret = init_tables(&s, upto);

	if (!ret && !set->stale) {
		set->stale = cache_stale_new(set->sb.nbuckets);
		if (!set->stale)
			ret = cache_err_set(err, -ENOMEM, 0, "no memory for stale children");
	}
	if (!ret)
		ret = init_unknown(&s);
	if (!ret)
		ret = load_overlay(set, sink, err);
	if (!ret)
		ret = walk_and_see(&s, visit);
	if (!ret)
		ret = mark_journal(&s);
	if (!ret)
		ret = mark_own_all(&s);
	if (!ret)
		ret = check_stale(&s, CACHE_P_ROOT_STALE, &set->journal.newest.btree_root);
	if (!ret)
		ret = check_stale(&s, CACHE_P_UUID_STALE, &set->journal.newest.uuid_bucket);
	set->raised = s.m.raised;
	if (visit)
		visit->done &= !ret && !set->raised;
	if (!ret)
		set->loaded = upto;
	return ret;
}
