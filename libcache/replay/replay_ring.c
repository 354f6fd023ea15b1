// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal's ring and the allocator's thread in a simulated replay, with the driver's
 * arithmetic: behaviour 3.4, 5.1, 5.6. No gc runs before the replay has ended, so a bucket that
 * cannot be invalidated now is never available.
 */
#include "replay/replay.h"

#include "alloc/alloc.h"
#include "alloc/alloc.h"
#include "base/checked.h"

/* The true capacity of a driver's queue for n buckets. */
static uint64_t queue_max(uint64_t n)
{
	return n <= 4 ? n : cache_roundup_pow2(n) - 1;
}

static void push(uint64_t *from, uint64_t *queue, uint64_t max)
{
	uint64_t n = cache_min_u64(max - *queue, *from);

	*queue += n;
	*from -= n;
}

/*
 * A policy that chooses at random may not find enough candidates if there are few, and then
 * waits for gc; an unknown policy finds none.
 */
static bool may_find_none(const struct cache_sb *sb, const struct replay_alloc *a)
{
	switch (cache_sb_replacement(sb)) {
	case CACHE_POLICY_LRU:
	case CACHE_POLICY_FIFO:
		return false;
	case CACHE_POLICY_RANDOM:
		return a->candidates < 8 * a->inc_max;
	default:
		return true;
	}
}

/*
 * Buckets without pointers to them are seeds; clean ones that no journal key pins are
 * candidates.
 */
void cache_replay_alloc_init(struct replay *r, const struct cache_driver *d, uint64_t unused,
			     uint64_t clean)
{
	const struct cache_sb *sb = &r->set->sb;
	uint64_t nfree = cache_roundup_pow2(sb->nbuckets) >> 10;
	struct replay_alloc *a = &r->alloc;

	a->prio_max = cache_prio_buckets(sb);
	a->btree_max = queue_max(cache_driver_btree_buckets(d, sb->nbuckets, sb->njournal));
	a->moving_max = a->none_max = queue_max(nfree);
	a->inc_max = queue_max(4 * nfree);
	a->prio = a->btree = 0;
	push(&unused, &a->prio, a->prio_max);
	push(&unused, &a->btree, a->btree_max);
	a->candidates = unused + clean;
	a->dry = !r->best && may_find_none(sb, a);
}

/* Whether free_inc is full and the new gens must be written, or no bucket is left to fetch. */
static void invalidate(struct replay_alloc *a)
{
	if (a->candidates < a->inc_max || a->prio + a->none < a->prio_max) {
		/* the last buckets stay in free_inc, or are handed out without a prio write */
		a->dry = true;
		if (a->candidates < a->inc_max)
			return;
	}
	a->inc = a->inc_max;
	a->candidates -= a->inc_max;
	if (a->dry)
		return;
	a->writing = true;
	for (uint64_t i = 0; i < a->prio_max; i++)
		(*(a->none ? &a->none : &a->prio))--;
}

/*
 * Buckets are freed up to that of the entry being replayed: what leaves pin is freed as they
 * are written, which needs no journal entry. But a leaf that is the root is written only after
 * 30 seconds.
 */
static void reclaim(struct replay *r)
{
	uint32_t n = r->set->sb.njournal;
	uint64_t last_seq = r->seq;

	if (!r->best && r->nnodes && r->node[r->root].pin)
		last_seq = cache_min_u64(last_seq, r->node[r->root].pin);
	while (r->ring_discard % n != r->ring_cur % n &&
	       r->ring_seq[r->ring_discard % n] < last_seq)
		r->ring_discard++;
}

/*
 * Takes the next bucket of the ring. One that was not free at the start becomes free when a
 * waiting thread writes the leaves that pin it, and then, once more, those that pin the oldest
 * entry left.
 */
static bool next_bucket(struct replay *r)
{
	uint32_t n = r->set->sb.njournal;

	reclaim(r);
	r->waiting = r->ring_discard - r->ring_cur < 2;
	if (r->waiting)
		return false;
	if (!r->ring_free && !r->best) {
		cache_replay_write_leaves(r, r->ring_seq[(r->ring_cur + 1) % n]);
		cache_replay_write_leaves(r, 0);
	}
	r->ring_free -= !!r->ring_free;
	r->ring_cur++;
	r->ring_blocks = r->set->sb.bucket_sectors / r->set->sb.block_sectors;
	return true;
}

static int journal_write(struct replay *r)
{
	if (!r->ring_blocks && !next_bucket(r))
		return REPLAY_HANGS;
	r->ring_blocks--;
	r->entries++;
	r->ring_seq[r->ring_cur % r->set->sb.njournal] =
		r->set->journal.newest.pos.seq + r->entries;
	return 0;
}

void cache_replay_alloc_run(struct replay *r)
{
	struct replay_alloc *a = &r->alloc;

	for (;;) {
		if (r->best && a->btree + a->none >= a->wanted)
			return;
		if (a->writing) {
			if (journal_write(r))
				return;
			a->writing = false;
			a->candidates += a->prio_max;
		}
		push(&a->inc, &a->prio, a->prio_max);
		push(&a->inc, &a->btree, a->btree_max);
		push(&a->inc, &a->moving, a->moving_max);
		push(&a->inc, &a->none, a->none_max);
		if (a->inc || a->dry)
			return;
		invalidate(a);
		if (!a->inc)
			return;
	}
}

uint64_t cache_replay_alloc_writes_max(const struct replay_alloc *a, uint64_t used)
{
	uint64_t capacity = a->prio_max + a->btree_max + a->moving_max + a->none_max;
	uint64_t free = capacity - a->prio - a->btree, net;

	if (a->prio_max >= a->inc_max)
		return UINT32_MAX;	/* no such geometry */
	/* each write takes buckets itself; two more for rounding and for one that waits */
	net = a->inc_max - a->prio_max;
	return (free + used) / net + 2;
}

int cache_replay_set_root(struct replay *r)
{
	if (!r->best)
		cache_replay_alloc_run(r);
	if (!r->roots++)
		r->first_root_at = r->inserted;
	return journal_write(r);
}

/* A wait of the allocator for the journal does no harm while there are buckets. */
static void fetch(struct replay *r, uint64_t wanted)
{
	r->alloc.wanted = wanted;
	cache_replay_alloc_run(r);
	r->alloc.wanted = 0;
}

int cache_replay_wait_for_buckets(struct replay *r)
{
	uint64_t need = 2 * r->node[r->root].level + 1;

	fetch(r, need + r->alloc.none);
	return r->alloc.btree < need ? REPLAY_HANGS : 0;
}

int cache_replay_take_buckets(struct replay *r, unsigned n)
{
	struct replay_alloc *a = &r->alloc;

	while (n--) {
		fetch(r, 1);
		if (!a->none && !a->btree)
			return REPLAY_HANGS;
		(*(a->none ? &a->none : &a->btree))--;
	}
	return 0;
}
