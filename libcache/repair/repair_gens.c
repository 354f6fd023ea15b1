// SPDX-License-Identifier: GPL-2.0-only
/* Gens on disk that cannot be right; see repair_gens.h. */
#include "repair/repair_gens.h"
#include "repair/repair_orphans.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "format/bset_codec.h"

/*
 * How often a gen can be raised before the bucket is written to: when its owner frees it, and by
 * the allocator.
 */
#define MOVES_MAX	2

struct search {
	struct cache_set *set;
	const struct repair_doubt *d;
	struct cache_orphans *orphans;	/* NULL: no leaf is without a parent */
	struct repair_gens *found;
	struct cache_prios before;	/* the chain before the newest */
	bool has_before;
	bool whole_replay;
	/* of buckets that seem to have lost dirty data: the newest gen of it */
	uint64_t *candidate;
	uint8_t *gen;
	uint64_t ncandidates;
};

static int add(struct search *s, const struct repair_gen *g)
{
	struct repair_gens *f = s->found;
	void *p = cache_array_grow(f->gen, f->n, &f->capacity, sizeof(*f->gen));

	if (!p)
		return -ENOMEM;
	f->gen = p;
	f->gen[f->n++] = *g;
	return 0;
}

static uint64_t bucket_of(const struct search *s, const struct cache_bkey *k)
{
	uint64_t bucket = cache_key_ptrs(k) && cache_ptr_is_available(&s->set->sb, k, 0) ?
			  cache_ptr_bucket(&s->set->sb, k, 0) : UINT64_MAX;

	return bucket < s->set->sb.nbuckets ? bucket : UINT64_MAX;
}

static bool is_known(const struct search *s, uint64_t bucket)
{
	for (size_t i = 0; i < s->found->n; i++)
		if ((s->found->gen[i].node || s->found->gen[i].later) &&
		    s->found->gen[i].f.bucket == bucket)
			return true;
	return false;
}

/*
 * A parent without a free block has lost no set, so no key of it that freed the child is missing.
 * The driver writes such a parent anew; once that node is on disk, but before anything names it,
 * a prio write may store the child's next gen (behaviour 5.6).
 */
static bool is_ahead_of_parent(const struct search *s, const struct cache_btree_node *n,
			       const struct cache_bkey *k)
{
	return n->used_blocks >= n->nblocks &&
	       cache_bkey_staleness(&s->set->sb, &s->set->gens, k) == 1;
}

/*
 * Whether newer keys of data have the bucket of the child @k, and the child is not in it: then the
 * key that freed it is lost. Where the gen on disk is known, that decides instead. 1, 0; -EIO.
 */
static int is_replaced_by_data(const struct search *s, const struct cache_bkey *k)
{
	uint64_t bucket = bucket_of(s, k);
	int ret;

	if (bucket == UINT64_MAX || cache_bkey_is_freeing(k) || !cache_bit(s->d->foreign, bucket) ||
	    cache_prio_is_known(&s->set->sb, &s->set->prios, bucket) ||
	    !cache_bkey_staleness(&s->set->sb, &s->set->gens, k))
		return 0;
	ret = cache_set_holds_node(s->set, bucket, cache_ptr_gen(k->ptr[0]));
	return ret < 0 ? ret : !ret;
}

/* A child that its parent still names, though the bucket has another owner now. */
static int find_replaced(struct search *s, const struct cache_bkey *k)
{
	uint64_t bucket = bucket_of(s, k);
	struct repair_gen g = { .later = true, .certain = true, .f = { .bucket = bucket } };
	int ret = is_replaced_by_data(s, k);

	if (ret == -EIO)	/* another time, or not at all */
		return 0;
	if (ret <= 0 || is_known(s, bucket))
		return ret < 0 ? ret : 0;
	g.gen = cache_gens_gen(&s->set->gens, bucket);
	return add(s, &g);
}

static int add_child(struct search *s, const struct cache_btree_node *n,
		     const struct cache_bkey *k)
{
	struct repair_gen g = { .node = true, .gen = cache_ptr_gen(k->ptr[0]) };

	g.f = (struct cache_finding){ .code = CACHE_P_BUCKET_GEN_FALSE,
				      .bucket = bucket_of(s, k), .other = n->bucket };
	g.alone = is_ahead_of_parent(s, n, k);
	g.certain = g.alone || cache_bkey_staleness(&s->set->sb, &s->set->gens, k) > MOVES_MAX;
	return add(s, &g);
}

static int on_parent(void *ctx, const struct cache_btree_node *n)
{
	struct search *s = ctx;
	int ret = 0;

	for (size_t i = 0; i < n->keys.n && n->level && ret >= 0; i++) {
		const struct cache_bkey *k = &n->keys.k[i];

		ret = cache_set_has_false_gen(s->set, n, k);
		if (ret == -EIO)	/* another time, or not at all */
			ret = 0;
		if (!ret)
			ret = find_replaced(s, k);
		else if (ret > 0 && !is_known(s, bucket_of(s, k)))
			ret = add_child(s, n, k);
	}
	return ret < 0 ? ret : 0;
}

static bool is_flash(const struct cache_set *set, uint64_t inode)
{
	return inode < set->uuids.n &&
	       cache_uuid_state(&set->uuids.slot[inode]) == CACHE_SLOT_FLASH;
}

static bool seems_lost(const struct search *s, const struct cache_extent *e)
{
	return e->staleness && e->available && !e->check_key &&
	       bucket_of(s, &e->key) != UINT64_MAX &&
	       (cache_key_dirty(&e->key) || is_flash(s->set, cache_key_inode(&e->key)));
}

static int note_candidate(void *ctx, const struct cache_extent *e)
{
	struct search *s = ctx;
	uint64_t bucket = bucket_of(s, &e->key);
	uint8_t gen = cache_ptr_gen(e->key.ptr[0]);

	if (!seems_lost(s, e) || cache_set_role(s->set, bucket) != CACHE_ROLE_FREE)
		return 0;
	if (!cache_bit(s->candidate, bucket) || cache_gen_after(gen, s->gen[bucket]))
		s->gen[bucket] = gen;
	s->ncandidates += !cache_bit(s->candidate, bucket);
	cache_bit_set(s->candidate, bucket);
	return 0;
}

static void claim(struct search *s, const struct cache_bkey *k)
{
	uint64_t bucket = bucket_of(s, k);

	if (bucket != UINT64_MAX && cache_bit(s->candidate, bucket) &&
	    cache_gen_after(cache_ptr_gen(k->ptr[0]), s->gen[bucket]))
		cache_bit_clear(s->candidate, bucket);
}

static void claim_words(struct search *s, const cache_le64 *words, uint64_t nwords)
{
	unsigned n;

	for (uint64_t at = 0; at < nwords; at += n) {
		struct cache_bkey k;

		n = cache_bkey_decode(words + at, nwords - at, &k);
		if (!n)
			break;
		claim(s, &k);
	}
}

/* Whatever a node has, hidden by later keys or not. */
static int claim_node(void *ctx, const struct cache_btree_node *n)
{
	for (uint32_t i = 0; i < n->nsets; i++)
		claim_words(ctx, n->sets[i].words, n->sets[i].nwords);
	return 0;
}

/* Its beginning is that of metadata, which was written after the data. */
static int holds_metadata(const struct cache_set *set, uint64_t bucket)
{
	uint64_t magic = cache_sb_set_magic(&set->sb), is;
	struct cache_prio_set_disk *d = cache_dev_buf(CACHE_SECTOR_BYTES);
	int ret = d ? cache_dev_read(set->dev, cache_bucket_sector(&set->sb, bucket), 1, d, NULL) :
		      -ENOMEM;

	is = ret ? 0 : cache_le64_get(d->magic);
	free(d);
	if (ret == -ENOMEM)
		return ret;
	return ret || is == (magic ^ CACHE_PSET_MAGIC) || is == (magic ^ CACHE_BSET_MAGIC);
}

static void count_finding(void *ctx, const struct cache_finding *f)
{
	++*(unsigned *)ctx;
}

/* The last member of a chain links to the head of the one before. */
static int read_chain_before(struct search *s, struct cache_err *err)
{
	struct cache_set *set = s->set;
	const struct cache_prios *p = &set->prios;
	unsigned wrong = 0;
	const struct cache_sink sink = { .report = count_finding, .ctx = &wrong };
	struct cache_prio_set_disk *d;
	uint64_t head = 0;
	int ret;

	if (!p->nmembers || p->nfollowed < p->nmembers)
		return 0;
	d = cache_dev_buf(CACHE_SECTOR_BYTES);
	if (!d)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a prio_set");
	ret = cache_dev_read(set->dev, cache_bucket_sector(&set->sb, p->chain[p->nmembers - 1]), 1,
			     d, NULL);
	head = ret ? 0 : cache_le64_get(d->next_bucket);
	free(d);
	if (!head)
		return 0;
	ret = cache_prio_read_gens(set->dev, &set->sb, head, &s->before, &sink, err);
	s->has_before = !ret && !wrong && s->before.nfollowed == s->before.nmembers &&
			s->before.seq + 1 == p->seq;
	return ret;
}

/*
 * Whether the data is still there: the bucket had this gen, or an earlier one, when the previous
 * chain was written, and no other owner had the gen that the newest chain names. Return 1;
 * @certain: the extent cannot be old.
 */
static bool is_still_there(const struct search *s, const struct cache_extent *e, uint64_t bucket,
			   bool *certain)
{
	uint8_t before, now = cache_gens_gen(&s->set->gens, bucket);

	*certain = e->from_journal && s->whole_replay;
	if (!s->has_before)
		return *certain;
	before = s->before.gen[bucket];
	if (cache_gen_after(before, s->gen[bucket]))
		return *certain;
	*certain |= (uint8_t)(now - before) > MOVES_MAX;
	return true;
}

static int judge_candidate(void *ctx, const struct cache_extent *e)
{
	struct search *s = ctx;
	uint64_t bucket = bucket_of(s, &e->key);
	struct repair_gen g = { .gen = cache_ptr_gen(e->key.ptr[0]) };
	int ret;

	if (!seems_lost(s, e) || !cache_bit(s->candidate, bucket) || g.gen != s->gen[bucket] ||
	    !is_still_there(s, e, bucket, &g.certain))
		return 0;
	ret = holds_metadata(s->set, bucket);
	if (ret)
		return ret < 0 ? ret : 0;
	g.f = (struct cache_finding){
		.code = CACHE_P_EXTENT_STALE_DIRTY, .bucket = bucket, .other = e->leaf_bucket,
		.inode = cache_key_inode(&e->key), .start = cache_key_start(&e->key),
		.end = e->key.low };
	return add(s, &g);
}

/* The repair then refuses, or the caller allowed it to go on without. */
static void ignore_unread(void *ctx, uint64_t bucket)
{
}

static int each_extent(struct search *s, int (*fn)(void *ctx, const struct cache_extent *e),
		       const struct cache_sink *silent, struct cache_err *err)
{
	return cache_repair_each_extent(s->set, s->d, s->orphans, fn, s, silent, err);
}

/* Whether the gen moved on further since the chain before than any driver moves it. */
static bool moved_too_far(const struct search *s, uint64_t bucket)
{
	uint8_t now = s->set->prios.gen[bucket], before = s->before.gen[bucket];

	return (uint8_t)(now - before) > MOVES_MAX && cache_gen_after(now, before) &&
	       cache_prio_is_known(&s->set->sb, &s->set->prios, bucket) &&
	       cache_gens_gen(&s->set->gens, bucket) == now;
}

/* Adds the node in @bucket, if it has the gen that the chain before knew, or the next ones. */
static int find_node(struct search *s, uint64_t bucket)
{
	struct repair_gen g = { .gen = s->before.gen[bucket], .node = true, .certain = true,
				.f = { .code = CACHE_P_BUCKET_GEN_FALSE, .bucket = bucket } };
	int ret = 0;

	for (unsigned i = 0; i <= MOVES_MAX && !ret; i++) {
		ret = cache_set_holds_node(s->set, bucket, g.gen);
		g.gen += !ret;
	}
	if (ret == -EIO)	/* another time, or not at all */
		return 0;
	return ret <= 0 || is_known(s, bucket) ? ret : add(s, &g);
}

/* Where nodes are lost, those below them have no parent that knows their gen. */
static int find_lost_nodes(struct search *s)
{
	int ret = 0;

	for (uint64_t b = cache_sb_reserved_buckets(&s->set->sb);
	     b < s->set->sb.nbuckets && ret >= 0; b++)
		if (moved_too_far(s, b))
			ret = find_node(s, b);
	return ret < 0 ? ret : 0;
}

static int find_lost_data(struct search *s, const struct cache_sink *silent, struct cache_err *err)
{
	const struct cache_journal *j = &s->set->journal;
	int ret = 0;

	if (s->d->scan)
		ret = cache_orphans_find(s->set, s->d, ignore_unread, NULL, &s->orphans, err);
	if (!ret)
		ret = each_extent(s, note_candidate, silent, err);
	if (ret || !s->ncandidates)
		return ret;
	s->whole_replay = j->nreplay &&
			  j->nreplay == j->newest.pos.seq + 1 - j->newest.pos.last_seq;
	ret = cache_set_each_node(s->set, claim_node, s, silent, err);
	if (!ret && s->d->scan)
		ret = cache_repair_scan(s->set, s->d, claim_node, s, ignore_unread, NULL, err);
	if (!ret)
		claim_words(s, s->set->overlay.words, s->set->overlay.nwords);
	return ret ? ret : each_extent(s, judge_candidate, silent, err);
}

int cache_repair_false_gens(struct cache_set *set, const struct repair_doubt *d,
			    struct repair_gens *found, struct cache_err *err)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct search s = { .set = set, .d = d, .found = found };
	size_t before = found->n;
	int ret = -ENOMEM;

	s.candidate = cache_bits_new(set->sb.nbuckets);
	s.gen = calloc(set->sb.nbuckets, 1);
	if (s.candidate && s.gen)
		ret = read_chain_before(&s, err);
	if (!ret)
		ret = cache_set_each_node(set, on_parent, &s, &silent, err);
	if (!ret && d->scan && s.has_before)
		ret = find_lost_nodes(&s);
	/* nodes below one that is found only now may claim any bucket */
	if (!ret && found->n == before)
		ret = find_lost_data(&s, &silent, err);
	if (ret == -ENOMEM)
		cache_err_set(err, ret, 0, "no memory for gens that are false");
	cache_orphans_free(s.orphans);
	cache_prio_fini(&s.before);
	free(s.candidate);
	free(s.gen);
	return ret;
}

void cache_repair_correct_gens(const struct repair_gens *g, struct cache_prios *prios)
{
	for (size_t i = 0; i < g->n && prios->gen; i++)
		if (g->gen[i].certain || !g->gen[i].node)
			prios->gen[g->gen[i].f.bucket] = g->gen[i].gen;
}

/*
 * A child that was freed in truth, when its parent had a key for it that is lost, and keys of
 * those that replaced it: nothing leads to these now.
 */
static void doubt_child(struct repair_doubt *d, const struct cache_finding *f)
{
	d->scan = true;
	cache_bit_set(d->nodes, f->other);
	cache_bit_set(d->maybe_freed, f->bucket);
}

void cache_repair_doubt_gens(struct repair_doubt *d, const struct repair_gens *g)
{
	uint64_t per = cache_prios_per_bucket(d->sb);

	for (size_t i = 0; i < g->n; i++) {
		const struct cache_finding *f = &g->gen[i].f;

		if (g->gen[i].later)	/* the walk finds what the parent has lost */
			continue;
		cache_repair_doubt_add(d, &(struct cache_finding){
			.code = CACHE_P_BUCKET_GEN_FALSE, .bucket = f->bucket,
			.index = f->bucket / per, .corrected = g->gen[i].alone });
		if (!g->gen[i].certain && g->gen[i].node)
			doubt_child(d, f);
		else if (!g->gen[i].certain)
			cache_repair_doubt_add(d, f);
	}
}
