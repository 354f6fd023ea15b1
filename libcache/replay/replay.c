// SPDX-License-Identifier: GPL-2.0-only
/* Running the plays of a replay (see replay.h), and the verdict: behaviour 3.3, 13. */
#include "replay/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/checked.h"
#include "format/members.h"

/* All plays together insert about FIRST_KEYS keys, but there are at least FIRST_TIMES plays. */
#define FIRST_KEYS	262144
#define FIRST_TIMES	8
/* Maximal number of leaves that a thread writes when it finds the ring full. */
#define FLUSH_LEAVES	8
/* A replay with more keys, or that reads more nodes, may last 30 seconds. */
#define SHORT_KEYS	65536
#define SHORT_NODES	1024
/* Minimal number of sectors in the range of a leaf: it was split off with that many keys. */
#define LEAF_SECTORS	64
/* Whether to go on is asked after so many keys. */
#define POLL_KEYS	256

/* One journal entry; its words begin at @at. */
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
		ret = r->nkeys++ % POLL_KEYS ? 0 : cache_poll(r->sink, 0, 0, 0);
		if (!ret)
			ret = cache_replay_insert(r, at);
	}
	return ret;
}

/* The question, and what does not depend on the driver. */
struct question {
	struct cache_set *set;
	const struct cache_sink *sink;
	struct cache_err *err;
	uint64_t unused, clean;		/* buckets */
	/* number of keys, each counted for every leaf that it may touch */
	uint64_t pieces;
	uint32_t free;			/* ring buckets that are free at the start */
	struct cache_replay_forecast *f;
	struct replay_reads *reads;
};

/* Number of entries that fit into the free buckets: the current bucket is never used again. */
static uint64_t free_entries(const struct question *q)
{
	return (uint64_t)q->free * (q->set->sb.bucket_sectors / q->set->sb.block_sectors);
}

static struct replay new_play(const struct question *q, const struct cache_driver *d)
{
	const struct cache_journal *j = &q->set->journal;
	uint32_t n = q->set->sb.njournal;
	struct replay r = { .set = q->set, .sink = q->sink, .reads = q->reads, .err = q->err,
			    .ring_discard = 1, .ring_free = q->free,
			    .seq = j->newest.pos.last_seq };

	for (uint32_t i = 0; i < n; i++)
		r.ring_seq[i] = j->bucket_seq[(j->newest.pos.index + i) % n];
	/* buckets are discarded one at a time, so one is not free yet */
	if (r.ring_free && d->ring_waits_for_discard && q->set->sb.flags & CACHE_SB_DISCARD)
		r.ring_free--;
	cache_replay_alloc_init(&r, d, q->unused, q->clean);
	return r;
}

/* Return: as the functions of the tree. The numbers of @r are valid afterwards. */
static int play(struct replay *r)
{
	const struct cache_journal *j = &r->set->journal;
	size_t at = 0;
	int ret = cache_replay_tree_init(r);

	if (!ret)
		cache_replay_alloc_run(r);
	for (size_t i = 0; i < j->nreplay && !ret; at += j->replay[i++]->nwords)
		ret = replay_entry(r, j->replay[i], at);
	cache_replay_tree_fini(r);
	return ret;
}

/*
 * An upper bound of the entries, for any order, from numbers alone. A node that was just
 * rewritten keeps a fifth of its blocks less one free; each set of keys takes one.
 */
static uint64_t count_entries(const struct question *q, const struct cache_driver *d)
{
	const struct cache_set *set = q->set;
	uint64_t nblocks = cache_btree_node_sectors(&set->sb) / set->sb.block_sectors;
	uint64_t per = cache_max_u64(nblocks - nblocks * 4 / 5, 1);
	uint64_t changes = q->pieces, splits = 0;
	struct replay r = new_play(q, d);

	for (unsigned i = 0; i <= CACHE_BTREE_LEVEL_MAX && set->nnodes[i]; i++) {
		changes = cache_min_u64(set->nnodes[i], changes) + changes / per;
		splits += changes;
	}
	/* those of a root that is itself below a newer root by then */
	changes += changes / per + 1;
	return changes + cache_replay_alloc_writes_max(&r.alloc, 3 * (splits + changes));
}

/* The result of a play: 0: it starts; 1: it hangs, or was not played to its end; -EIO, -ENOMEM. */
static int outcome(const struct question *q, const struct replay *r, int ret)
{
	q->f->entries = cache_max_u64(q->f->entries, r->entries);
	if (ret <= 0 || ret == REPLAY_CANNOT)
		return ret < 0 ? ret : 0;
	if (!q->f->seq)
		q->f->seq = r->seq;
	return 1;
}

/*
 * Plays with the first entry before each of the keys up to the first new root or, if those are
 * too many, before some of them. After that no leaf is split more than once more because it was
 * written.
 */
static int play_first_entries(const struct question *q, const struct cache_driver *d,
			      const struct replay *first)
{
	uint64_t last = first->roots ? first->first_root_at : first->inserted;
	uint64_t nplays = cache_max_u64(FIRST_KEYS / (first->inserted + 1), FIRST_TIMES);
	uint64_t step = 1 + last / nplays, roots = first->roots + FLUSH_LEAVES;
	const struct replay start = new_play(q, d);
	int ret = 0;

	if (start.ring_free && roots + cache_replay_alloc_writes_max(&start.alloc,
			3 * (first->splits + FLUSH_LEAVES + roots)) <= free_entries(q))
		return 0;

	for (uint64_t at = 2; at <= last && !ret; at += step) {
		struct replay r = new_play(q, d);

		r.flush_at = at;
		ret = play(&r);
		ret = outcome(q, &r, ret);
	}
	return ret;
}

static bool is_short(const struct question *q, const struct replay *calm)
{
	return q->pieces <= SHORT_KEYS && calm->nloaded <= SHORT_NODES;
}

/* 0: the set starts in every order that was played; 1: not; -EIO, -ENOMEM. */
static int overflows(const struct question *q, const struct cache_driver *d)
{
	struct replay first = new_play(q, d), storm = new_play(q, d);
	int ret;

	if (count_entries(q, d) <= free_entries(q))
		return 0;
	ret = play(&first);
	if (ret == REPLAY_CANNOT)
		return 0;
	ret = outcome(q, &first, ret);
	if (!ret && !is_short(q, &first)) {
		storm.storm = true;
		ret = play(&storm);
		return outcome(q, &storm, ret);
	}
	return ret ? ret : play_first_entries(q, d, &first);
}

static int ask(const struct question *q, enum cache_era era)
{
	const struct cache_driver *d = cache_driver_of(era);
	struct replay best = new_play(q, d);
	int ret = overflows(q, d);

	if (ret <= 0)
		return ret;
	best.best = true;
	cache_replay_alloc_init(&best, d, q->unused, q->clean);
	ret = play(&best);
	if (ret < 0)
		return ret;
	if (ret == REPLAY_HANGS) {
		q->f->hangs |= UINT32_C(1) << era;
		q->f->seq = best.seq;
	} else {
		q->f->may_hang |= UINT32_C(1) << era;
	}
	return 0;
}

/* For the replay the drivers differ in these only. */
static bool plays_alike(const struct cache_sb *sb, enum cache_era a, enum cache_era b)
{
	const struct cache_driver *x = cache_driver_of(a), *y = cache_driver_of(b);

	return x->ring_waits_for_discard == y->ring_waits_for_discard &&
	       cache_driver_btree_buckets(x, sb->nbuckets, sb->njournal) ==
	       cache_driver_btree_buckets(y, sb->nbuckets, sb->njournal);
}

static int ask_all(const struct question *q, uint32_t eras)
{
	int ret = 0;

	for (unsigned i = 0; i < CACHE_ERAS && !ret; i++) {
		unsigned same = 0;

		if (!(eras >> i & 1))
			continue;
		while (same < i && !(eras >> same & 1 && plays_alike(&q->set->sb, same, i)))
			same++;
		if (same == i) {
			ret = ask(q, i);
			continue;
		}
		q->f->hangs |= (q->f->hangs >> same & 1) << i;
		q->f->may_hang |= (q->f->may_hang >> same & 1) << i;
	}
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
		    b >= p->set->sb.nbuckets || cache_bit(p->seen, b))
			continue;
		cache_bit_set(p->seen, b);
		p->clean -= cache_gens_mark(&p->set->gens, b) ==
			    CACHE_GC_MARK_RECLAIMABLE;
	}
	return 0;
}

/* A journal key pins its bucket until it was replayed. */
static int count_buckets(struct question *q)
{
	static const struct cache_sink ignore_findings = { cache_sink_ignore, NULL };
	struct cache_set *set = q->set;
	struct pins p = { set, cache_bits_new(set->sb.nbuckets), 0 };
	int ret;

	if (!p.seen)
		return cache_err_set(q->err, -ENOMEM, 0, "no memory for a bit map of the buckets");
	for (uint64_t b = set->sb.first_bucket; b < set->sb.nbuckets; b++) {
		enum cache_gc_mark m = cache_gens_mark(&set->gens, b);

		if (set->sb.members && cache_sb_bucket_kind(&set->sb, b) < CACHE_BUCKET_RING)
			continue;
		q->unused += m == CACHE_GC_MARK_NONE;
		p.clean += m == CACHE_GC_MARK_RECLAIMABLE;
	}
	ret = cache_journal_each_key(set->dev, &set->sb, &set->journal, false, unpin, &p,
				     &ignore_findings, q->err);
	q->clean = p.clean;
	free(p.seen);
	return ret;
}

static void count_pieces(struct question *q)
{
	const struct cache_journal *j = &q->set->journal;
	uint64_t leaves = q->set->nnodes[0] + 1;
	struct cache_bkey k;
	size_t at = 0;

	for (size_t i = 0; i < j->nreplay; i++) {
		size_t end = at + j->replay[i]->nwords;
		unsigned n;

		while ((n = cache_bkey_decode(q->set->overlay.words + at, end - at, &k))) {
			q->pieces += cache_min_u64(leaves, 2 + cache_key_size(&k) / LEAF_SECTORS);
			at += n;
		}
		at = end;
	}
}

int cache_replay_forecast(struct cache_set *set, uint32_t eras, const struct cache_sink *sink,
			  struct cache_replay_forecast *f, struct cache_err *err)
{
	struct question q = { .set = set, .sink = sink, .err = err, .f = f };
	int ret;

	memset(f, 0, sizeof(*f));
	if (!set->has_journal || !set->journal_keys || !set->sb.njournal ||
	    set->sb.njournal > CACHE_SB_JOURNAL_BUCKETS)
		return 0;
	ret = count_buckets(&q);
	if (ret)
		return ret;
	count_pieces(&q);
	q.free = cache_journal_free_buckets(&set->sb, &set->journal);
	q.reads = calloc(1, sizeof(*q.reads));
	if (!q.reads)
		return cache_err_set(err, -ENOMEM, 0, "no memory to simulate the replay");
	ret = ask_all(&q, eras);
	for (unsigned i = 0; i < REPLAY_READS; i++)
		cache_btree_node_fini(&q.reads->kept[i].node);
	free(q.reads);
	return ret;
}
