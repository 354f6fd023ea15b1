// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring and the allocator of a rehearsed replay (see replay.h), in the
 * driver's arithmetic: behaviour 3.3, 3.4, 5.1, 5.6.
 */
#include "replay/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/alloc.h"
#include "base/bits.h"
#include "base/checked.h"

/* Leaves written out at a time by one who waits for the journal. */
#define FLUSH_LEAVES	8
/* Below so many buckets queued for nodes the replay waits for the allocator. */
#define BTREE_LOW	3

/* Oldest entry that cannot be reclaimed. */
static uint64_t front(const struct replay *r)
{
	uint64_t seq = r->seq;

	for (uint32_t i = 0; i < r->npinned; i++)
		if (r->node[r->pinned[i]].pin < seq)
			seq = r->node[r->pinned[i]].pin;
	return seq;
}

static void reclaim(struct replay *r)
{
	uint32_t n = r->set->sb.njournal;
	uint64_t last_seq = front(r);

	while (r->ring_discard % n != r->ring_cur % n &&
	       r->ring_seq[r->ring_discard % n] < last_seq)
		r->ring_discard++;
	if (r->ring_blocks || r->ring_discard - r->ring_cur < 2)
		return;
	r->ring_cur++;
	r->ring_blocks = r->set->sb.bucket_sectors / r->set->sb.block_sectors;
}

static unsigned flush_leaves(struct replay *r)
{
	uint64_t seq = front(r);
	unsigned n = 0;

	for (uint32_t i = 0; i < r->npinned && n < FLUSH_LEAVES;) {
		uint32_t leaf = r->pinned[i];

		if (r->node[leaf].pin != seq) {
			i++;
			continue;
		}
		cache_replay_write_leaf(r, leaf);	/* takes itself off the list */
		n++;
	}
	return n;
}

/* One entry without keys, one block. REPLAY_HANGS: there is no room, nor will be. */
static int journal_write(struct replay *r)
{
	while (!r->ring_blocks) {
		unsigned flushed;

		reclaim(r);
		if (!r->ring_blocks && !r->full_at)
			r->full_at = r->seq;
		flushed = flush_leaves(r);
		if (!r->ring_blocks && !flushed)
			reclaim(r);
		if (!r->ring_blocks && !flushed)
			return REPLAY_HANGS;
	}
	r->ring_blocks--;
	r->entries++;
	r->ring_seq[r->ring_cur % r->set->sb.njournal] =
		r->set->journal.newest.pos.seq + r->entries;
	reclaim(r);
	return 0;
}

static void push_one(uint64_t *inc, uint64_t *queue, uint64_t max)
{
	uint64_t n = max - *queue < *inc ? max - *queue : *inc;

	*queue += n;
	*inc -= n;
}

/* The thread, until it blocks: drain free_inc, invalidate, write prios. */
static void alloc_run(struct replay *r)
{
	struct replay_alloc *a = &r->alloc;

	for (;;) {
		if (a->writing) {
			if (!a->must && !a->allowed)
				return;
			if (journal_write(r))
				return;	/* it waits, and with it nobody else */
			a->allowed -= a->allowed && a->allowed != UINT32_MAX;
			a->writing = false;
			a->candidates += a->prio_max;
		}
		push_one(&a->inc, &a->prio, a->prio_max);
		push_one(&a->inc, &a->btree, a->btree_max);
		push_one(&a->inc, &a->moving, a->moving_max);
		push_one(&a->inc, &a->none, a->none_max);
		if (a->inc || a->dry)
			return;
		if (a->candidates < a->inc_max || a->prio + a->none < a->prio_max) {
			/* the last buckets stay in its hands, or go out without a prio write */
			a->dry = true;
			if (a->candidates < a->inc_max)
				return;
		}
		a->inc = a->inc_max;
		a->candidates -= a->inc_max;
		if (a->dry)
			continue;
		a->writing = true;
		for (uint64_t i = 0; i < a->prio_max; i++)
			(*(a->none ? &a->none : &a->prio))--;
	}
}

static void alloc_unasked(struct replay *r)
{
	if (r->alloc.allowed)
		alloc_run(r);
}

int cache_replay_set_root(struct replay *r)
{
	alloc_unasked(r);
	return journal_write(r);
}

int cache_replay_take_buckets(struct replay *r, unsigned n)
{
	struct replay_alloc *a = &r->alloc;

	while (n--) {
		alloc_unasked(r);
		if (a->btree < BTREE_LOW) {
			a->must = true;
			alloc_run(r);
			a->must = false;
		}
		if (!a->none && !a->btree)
			return REPLAY_HANGS;
		(*(a->none ? &a->none : &a->btree))--;
	}
	return 0;
}

/* Buckets nothing points to are seeds; clean ones no journal key pins, candidates. */
static void alloc_init(struct replay *r, uint64_t unused, uint64_t clean)
{
	const struct cache_sb *sb = &r->set->sb;
	uint64_t nfree = cache_roundup_pow2(sb->nbuckets) >> 10;
	struct replay_alloc *a = &r->alloc;

	a->prio_max = cache_prio_buckets(sb);
	a->btree_max = cache_fifo_size(sb->njournal);
	a->moving_max = a->none_max = cache_fifo_size(nfree);
	a->inc_max = cache_fifo_size(4 * nfree);
	push_one(&unused, &a->prio, a->prio_max);
	push_one(&unused, &a->btree, a->btree_max);
	a->candidates = unused + clean;
	a->allowed = r->pace == REPLAY_ALLOC_EAGER ? UINT32_MAX : r->pace == REPLAY_ALLOC_ONCE;
}

/* One entry, whose words begin at @at. */
static int replay_entry(struct replay *r, const struct cache_jset_pos *pos, size_t at)
{
	const cache_le64 *words = r->set->overlay.words;
	size_t end = at + pos->nwords;
	struct cache_bkey k;
	unsigned n;
	int ret = 0;

	for (; !ret && (n = cache_bkey_decode(words + at, end - at, &k)); at += n) {
		r->seq = pos->seq;
		if (!cache_key_size(&k) || cache_extent_invalid(&r->set->sb, &k))
			return REPLAY_CANNOT;
		ret = cache_replay_insert(r, at);
	}
	return ret;
}

static int play(struct replay *r, uint64_t unused, uint64_t clean)
{
	const struct cache_journal *j = &r->set->journal;
	uint32_t n = r->set->sb.njournal;
	size_t at = 0;
	int ret;

	for (uint32_t i = 0; i < n; i++)
		r->ring_seq[i] = j->bucket_seq[(j->newest.pos.index + i) % n];
	r->ring_discard = 1;
	r->seq = j->newest.pos.last_seq;
	alloc_init(r, unused, clean);
	ret = cache_replay_tree_init(r);
	if (!ret)
		alloc_unasked(r);
	for (size_t i = 0; i < j->nreplay && !ret; at += j->replay[i++]->nwords)
		ret = replay_entry(r, j->replay[i], at);
	cache_replay_tree_fini(r);
	return ret;
}

struct pins {
	struct cache_set *set;
	uint64_t *seen;			/* one bit per bucket */
	uint64_t clean;
};

static int unpin(void *ctx, const struct cache_jset_pos *pos, unsigned index,
		 const struct cache_bkey *k)
{
	struct pins *p = ctx;

	for (unsigned i = 0; i < cache_key_ptrs(k); i++) {
		uint64_t b = cache_ptr_bucket(&p->set->sb, k, i);

		if (!cache_ptr_is_available(&p->set->sb, k, i) ||
		    b >= p->set->sb.nbuckets || cache_bit_test_and_set(p->seen, b))
			continue;
		p->clean -= cache_gens_mark(&p->set->gens, b) ==
			    CACHE_GC_MARK_RECLAIMABLE;
	}
	return 0;
}

/* A journal key holds its bucket until it was replayed. */
static int count_buckets(struct cache_set *set, uint64_t *unused, uint64_t *clean,
			 struct cache_err *err)
{
	static const struct cache_sink ignore_findings = { cache_sink_ignore, NULL };
	struct pins p = { set, cache_bits_new(set->sb.nbuckets), 0 };
	int ret;

	if (!p.seen)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a bit map of the buckets");
	for (uint64_t b = set->sb.first_bucket; b < set->sb.nbuckets; b++) {
		enum cache_gc_mark m = cache_gens_mark(&set->gens, b);

		*unused += m == CACHE_GC_MARK_NONE;
		p.clean += m == CACHE_GC_MARK_RECLAIMABLE;
	}
	ret = cache_journal_each_key(set->dev, &set->sb, &set->journal, false, unpin, &p,
				     &ignore_findings, err);
	*clean = p.clean;
	free(p.seen);
	return ret;
}

int cache_replay_forecast(struct cache_set *set, struct cache_replay_forecast *f,
			  struct cache_err *err)
{
	uint64_t unused = 0, clean = 0;
	int ret;

	memset(f, 0, sizeof(*f));
	if (!set->has_journal || !set->sb.njournal ||
	    set->sb.njournal > CACHE_SB_JOURNAL_BUCKETS)
		return 0;
	ret = count_buckets(set, &unused, &clean, err);
	for (int pace = 0; pace < REPLAY_PACES && !ret; pace++) {
		struct replay r = { .set = set, .err = err, .pace = pace };

		ret = play(&r, unused, clean);
		if (ret == REPLAY_HANGS) {
			f->hangs++;
			f->seq = r.seq;
		} else {
			f->narrow += r.full_at != 0;
			f->seq = f->seq ? f->seq : r.full_at;
			f->entries = cache_max_u64(f->entries, r.entries);
		}
		if (ret > 0)
			ret = 0;
	}
	return ret;
}
