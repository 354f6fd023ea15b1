// SPDX-License-Identifier: GPL-2.0-only
/* Refilling the queues (behaviour 5.6): drain, invalidate, commit. */
#include <errno.h>

#include "alloc/alloc.h"
#include "alloc/policy.h"

/* Prios first: without a bucket for them nothing can be invalidated. */
static bool allocator_push(struct cache_alloc *a, uint32_t b)
{
	if (cache_ring_push(&a->free[CACHE_RESERVE_PRIO], b))
		return true;
	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		if (cache_ring_push(&a->free[i], b))
			return true;
	return false;
}

static bool reserves_full(const struct cache_alloc *a)
{
	for (int i = 0; i < CACHE_RESERVE_NONE; i++)
		if (!cache_ring_full(&a->free[i]))
			return false;
	return true;
}

static bool free_queues_full(const struct cache_alloc *a)
{
	return cache_ring_full(&a->free[CACHE_RESERVE_NONE]) && reserves_full(a);
}

static void discard(struct cache_alloc *a, uint64_t b)
{
	if (!a->opts.discard || !a->ops->discard)
		return;
	a->stats.discards++;
	if (a->ops->discard(a->ctx, b))
		a->stats.discard_errors++;
}

static int step_drain(struct cache_alloc *a)
{
	uint32_t b;

	if (!a->free_inc.used) {
		a->phase = CACHE_ALLOC_INVALIDATE;
		return CACHE_ALLOC_RAN;
	}
	if (free_queues_full(a))
		return CACHE_ALLOC_WAIT_SPACE;
	cache_ring_pop(&a->free_inc, &b);
	discard(a, b);
	allocator_push(a, b);
	return CACHE_ALLOC_RAN;
}

static void want_gc(struct cache_alloc *a)
{
	a->invalidate_needs_gc = true;
	a->want_gc = true;
}

static bool gc_awaited(const struct cache_alloc *a)
{
	bool may_go_on = a->gc_mark_valid ||
			 (a->gc_runs && a->opts.flavour == CACHE_ALLOC_NEWEST);

	return !may_go_on || a->invalidate_needs_gc;
}

static int step_invalidate(struct cache_alloc *a)
{
	if (gc_awaited(a))
		return CACHE_ALLOC_WAIT_GC;
	a->stats.invalidate_passes++;
	if (!a->policy->invalidate(a)) {
		a->stats.ran_dry++;
		want_gc(a);
	}
	a->phase = CACHE_ALLOC_COMMIT;
	return CACHE_ALLOC_RAN;
}

static int commit_refused(struct cache_alloc *a)
{
	a->stats.commits_refused++;
	if (a->ops->trace)
		a->ops->trace(a->ctx, CACHE_ALLOC_EV_REFUSED, 0, 0);
	want_gc(a);
	if (a->opts.hand_out_unwritten)
		a->phase = CACHE_ALLOC_DRAIN;
	else
		a->refused = true;
	return CACHE_ALLOC_RAN;
}

static bool prio_write_has_space(const struct cache_alloc *a)
{
	uint64_t queued = a->free[CACHE_RESERVE_PRIO].used;

	queued += a->free[CACHE_RESERVE_NONE].used;
	return queued >= a->opts.prio_buckets;
}

static int commit(struct cache_alloc *a)
{
	int ret = a->ops->commit_gens ? a->ops->commit_gens(a->ctx) : 0;

	if (ret == -ENOMEM)
		return commit_refused(a);
	if (ret) {
		a->io_disabled = true;
		return ret;
	}
	a->stats.commits++;
	a->refused = false;
	a->phase = CACHE_ALLOC_DRAIN;
	return CACHE_ALLOC_RAN;
}

static int step_commit(struct cache_alloc *a)
{
	if (a->prio_blocked)
		return CACHE_ALLOC_WAIT_PRIO;
	if (!a->opts.sync) {
		a->phase = CACHE_ALLOC_DRAIN;
		return CACHE_ALLOC_RAN;
	}
	if (!cache_ring_full(&a->free_inc)) {
		a->phase = CACHE_ALLOC_INVALIDATE;
		return CACHE_ALLOC_RAN;
	}
	if (a->refused && gc_awaited(a))
		return CACHE_ALLOC_WAIT_GC;
	if (prio_write_has_space(a))
		return commit(a);
	if (a->opts.flavour == CACHE_ALLOC_OLDER)
		return CACHE_ALLOC_WAIT_RESERVE;
	return commit_refused(a);
}

static int step(struct cache_alloc *a)
{
	switch (a->phase) {
	case CACHE_ALLOC_DRAIN:
		return step_drain(a);
	case CACHE_ALLOC_INVALIDATE:
		return step_invalidate(a);
	default:
		return step_commit(a);
	}
}

/* The hook is called last: a gc inside it finds a consistent state. */
static void tell_gc(struct cache_alloc *a)
{
	if (!a->want_gc)
		return;
	a->want_gc = false;
	if (a->ops->need_gc)
		a->ops->need_gc(a->ctx);
}

int cache_alloc_step(struct cache_alloc *a)
{
	int ret;

	if (a->io_disabled)
		return -EIO;
	ret = step(a);
	tell_gc(a);
	return ret;
}

/* Does the steps of a whole drain at once if nothing happens in between. */
static void drain_many(struct cache_alloc *a)
{
	struct cache_ring *none = &a->free[CACHE_RESERVE_NONE], *inc = &a->free_inc;
	uint32_t b;

	while (inc->used && !reserves_full(a) && cache_ring_pop(inc, &b))
		allocator_push(a, b);
	cache_ring_move(none, inc);
}

/*
 * A gc inside the hook may find nothing, repeatedly; the second round without a result ends the
 * loop. Buckets that must be handed out first count as a result.
 */
int cache_alloc_refill(struct cache_alloc *a)
{
	int fruitless = 0, ret;

	do {
		uint64_t failures = a->stats.ran_dry + a->stats.commits_refused;

		if (a->phase == CACHE_ALLOC_DRAIN && a->free_inc.used) {
			fruitless = 0;
			if (!a->opts.discard)
				drain_many(a);
		}
		ret = cache_alloc_step(a);
		fruitless += a->stats.ran_dry + a->stats.commits_refused > failures;
		if (fruitless >= 2 && (a->phase != CACHE_ALLOC_DRAIN || !a->free_inc.used))
			return CACHE_ALLOC_WAIT_GC;
	} while (ret == CACHE_ALLOC_RAN);
	return ret;
}
