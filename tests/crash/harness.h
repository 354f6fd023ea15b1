/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whatever happens while a device is changed, it is the old one or the new one.
 *
 * The work is done once and its writes are remembered. Then each device is made
 * that a power cut could have left: flushed writes are there; of those after the
 * last flush any may be missing, any may be torn between two sectors. What a start
 * would find on it must be exactly what it found before the work, or after.
 *
 *	struct crash c = { .base = dev, .work = repair_it, .ctx = &args };
 *	crash_cuts(&c);		power cuts
 *	crash_faults(&c, 1);	the n-th read, write, flush fails, for all n
 *	crash_memory(&c, 1);	the n-th allocation fails, for all n
 */
#ifndef TESTS_CRASH_HARNESS_H
#define TESTS_CRASH_HARNESS_H

#include "memory.h"
#include "set.h"

#include "dev/dev_fault.h"
#include "dev/dev_log.h"
#include "base/rng.h"

struct crash {
	struct cache_dev *base;		/* before the work; not changed */
	/* Does the work on @dev, which stays open. 0, or a negative errno. */
	int (*work)(void *ctx, struct cache_dev *dev);
	void *ctx;
	/* Of a state that is neither: NULL when it will do. Without it, it is wrong. */
	const char *(*judge)(void *ctx, struct cache_dev *dev, const struct set_state *s);
	/* Sees each state instead of a verdict: write_states.c. */
	void (*see)(void *ctx, struct cache_dev *dev, const char *what, size_t at);
	uint64_t seed;			/* of random subsets; 0: 1 */

	/* filled */
	struct set_state old, new;
	uint64_t cuts, was_new;		/* states made, and how many of them were the new one */

	struct cache_dev_log log;
	struct cache_dev *scratch;
	char *buf;
	size_t capacity;
};

/* More writes than this in one epoch, and not all pairs are tried. */
#define CRASH_PAIRS_MAX		12
#define CRASH_RANDOM_SUBSETS	48
/* Longer writes are torn at some places only. */
#define CRASH_TEARS_MAX		24

/* Part of an epoch: which of its writes were done, and how much of one of them. */
struct crash_cut {
	size_t first, n;	/* operations of the epoch; those before are whole */
	const bool *done;	/* n */
	size_t torn;		/* index in the epoch; n: none */
	uint64_t skip, count;	/* its sectors that arrived */
};

static inline void crash_put(struct crash *c, const struct cache_dev_op *op, uint64_t skip,
			     uint64_t count)
{
	struct cache_dev_op part = *op;

	part.sector += skip;
	part.nsectors = count;
	if (op->data)
		part.data = (const char *)op->data + skip * CACHE_SECTOR_BYTES;
	if (count)
		CHECK_EQ(cache_dev_op_apply(&part, c->scratch, NULL), 0);
}

static inline void crash_take_back(struct crash *c, const struct cache_dev_op *op)
{
	if (op->kind == CACHE_DEV_OP_FLUSH)
		return;
	if (op->nsectors > c->capacity) {
		free(c->buf);
		c->buf = cache_dev_buf(op->nsectors * CACHE_SECTOR_BYTES);
		c->capacity = op->nsectors;
	}
	CHECK_EQ(cache_dev_read(c->base, op->sector, op->nsectors, c->buf, NULL), 0);
	CHECK_EQ(cache_dev_write(c->scratch, op->sector, op->nsectors, c->buf, NULL), 0);
}

/* 0: the old state, 1: the new one, 2: another that will do. Anything else ends the test. */
static inline int crash_judge(struct crash *c, struct cache_dev *dev, const char *what,
			      size_t at)
{
	struct set_state s = set_state(dev);
	const char *wrong = "neither the old nor the new";

	if (set_same(&s, &c->old))
		return 0;
	if (set_same(&s, &c->new))
		return 1;
	if (c->judge)
		wrong = c->judge(c->ctx, dev, &s);
	if (!wrong)
		return 2;
	set_show("old", &c->old);
	set_show("new", &c->new);
	set_show("got", &s);
	TEST_FAIL("%s %zu: %s", what, at, wrong);
}

static inline int crash_try(struct crash *c, const struct crash_cut *cut, const char *what,
			    size_t at)
{
	int state;

	for (size_t i = 0; i < cut->n; i++) {
		const struct cache_dev_op *op = &c->log.ops[cut->first + i];

		if (i == cut->torn)
			crash_put(c, op, cut->skip, cut->count);
		else if (cut->done[i])
			crash_put(c, op, 0, op->nsectors);
	}
	if (c->see)
		c->see(c->ctx, c->scratch, what, at);
	state = c->see ? 2 : crash_judge(c, c->scratch, what, at);
	c->cuts++;
	c->was_new += state == 1;
	/* back to the state before the epoch */
	for (size_t i = 0; i < cut->n; i++)
		if (cut->done[i] || i == cut->torn)
			crash_take_back(c, &c->log.ops[cut->first + i]);
	for (size_t i = 0; i < cut->first; i++)
		crash_put(c, &c->log.ops[i], 0, c->log.ops[i].nsectors);
	return state;
}

static inline void crash_fill(bool *done, size_t from, size_t n, bool value)
{
	for (size_t i = from; i < n; i++)
		done[i] = value;
}

static inline void crash_prefixes(struct crash *c, struct crash_cut *cut, bool *done)
{
	int before = 0;

	for (size_t n = 0; n <= cut->n; n++) {
		int state;

		crash_fill(done, 0, n, true);
		crash_fill(done, n, cut->n, false);
		state = crash_try(c, cut, "cut before operation", cut->first + n);
		if (before == 1 && state == 0)
			TEST_FAIL("the old state is back before operation %zu", cut->first + n);
		before = state;
	}
}

static inline void crash_missing(struct crash *c, struct crash_cut *cut, bool *done)
{
	crash_fill(done, 0, cut->n, true);
	for (size_t i = 0; i < cut->n; i++) {
		done[i] = false;
		crash_try(c, cut, "without operation", cut->first + i);
		for (size_t j = i + 1; cut->n <= CRASH_PAIRS_MAX && j < cut->n; j++) {
			done[j] = false;
			crash_try(c, cut, "without another and operation", cut->first + j);
			done[j] = true;
		}
		done[i] = true;
	}
}

static inline void crash_subsets(struct crash *c, struct crash_cut *cut, bool *done,
				 struct cache_rng *rng)
{
	for (size_t k = 0; cut->n > 2 && k < CRASH_RANDOM_SUBSETS; k++) {
		for (size_t i = 0; i < cut->n; i++)
			done[i] = cache_rng_below(rng, 2);
		crash_try(c, cut, "random subset", k);
	}
}

/* Each write of the epoch torn at its sectors, the head or the tail arrived; those
 * before it arrived, those after it did not. */
static inline void crash_tears(struct crash *c, struct crash_cut *cut, bool *done)
{
	for (size_t i = 0; i < cut->n; i++) {
		uint64_t n = c->log.ops[cut->first + i].nsectors;
		uint64_t step = n / CRASH_TEARS_MAX + 1;

		crash_fill(done, 0, i, true);
		crash_fill(done, i, cut->n, false);
		cut->torn = i;
		for (uint64_t k = 1; k < n; k += step) {
			cut->skip = 0;
			cut->count = k;
			crash_try(c, cut, "head of operation", cut->first + i);
			cut->skip = k;
			cut->count = n - k;
			crash_try(c, cut, "tail of operation", cut->first + i);
		}
	}
	cut->torn = cut->n;
}

static inline void crash_epoch(struct crash *c, size_t first, size_t n, struct cache_rng *rng)
{
	bool *done = calloc(n + 1, sizeof(*done));
	struct crash_cut cut = { .first = first, .n = n, .done = done, .torn = n };

	crash_prefixes(c, &cut, done);
	crash_missing(c, &cut, done);
	crash_subsets(c, &cut, done, rng);
	crash_tears(c, &cut, done);
	for (size_t i = 0; i < n; i++)
		crash_put(c, &c->log.ops[first + i], 0, c->log.ops[first + i].nsectors);
	free(done);
}

/* The work done once, remembered; c->scratch is what it left. */
static inline void crash_record(struct crash *c)
{
	struct cache_dev *logged;

	c->old = set_state(c->base);
	c->scratch = set_copy(c->base);
	CHECK_EQ(cache_dev_log_new(set_lend(c->scratch), &c->log, &logged, NULL), 0);
	CHECK_EQ(c->work(c->ctx, logged), 0);
	cache_dev_close(logged);
	c->new = set_state(c->scratch);
	/* a state of the cache alone; whoever sees each state may look at more */
	if (c->log.n < 2 || (!c->see && set_same(&c->old, &c->new)))
		TEST_FAIL("the work changed nothing");
}

static inline void crash_forget(struct crash *c)
{
	cache_dev_log_fini(&c->log);
	cache_dev_close(c->scratch);
	free(c->buf);
	c->scratch = NULL;
	c->buf = NULL;
	c->capacity = 0;
}

static inline void crash_cuts(struct crash *c)
{
	struct cache_rng rng;
	size_t first = 0;

	cache_rng_init(&rng, c->seed ? c->seed : 1);
	crash_record(c);
	for (size_t i = c->log.n; i--;)
		crash_take_back(c, &c->log.ops[i]);
	for (size_t i = 0; i <= c->log.n; i++) {
		if (i < c->log.n && c->log.ops[i].kind != CACHE_DEV_OP_FLUSH)
			continue;
		crash_epoch(c, first, i - first, &rng);
		first = i + 1;
	}
	if (!c->see)
		CHECK_EQ(crash_judge(c, c->scratch, "at the end", 0), 1);
	printf("# %zu operations, %" PRIu64 " cuts, %" PRIu64 " of them already new, seed %"
	       PRIu64 "\n", c->log.n, c->cuts, c->was_new, c->seed ? c->seed : 1);
	crash_forget(c);
}

/* One run with the @n-th transfer of @kind failing; false: there was no n-th. */
static inline bool crash_fault_at(struct crash *c, unsigned kind, uint64_t n,
				  enum cache_fault_effect effect)
{
	struct cache_fault fault = { .kinds = kind, .at = n, .effect = effect, .error = -EIO };
	struct cache_dev *copy = set_copy(c->base), *dev;
	bool overcome;
	int ret, state;

	CHECK_EQ(cache_dev_fault_new(set_lend(copy), &fault, &dev, NULL), 0);
	ret = c->work(c->ctx, dev);
	cache_dev_close(dev);
	state = crash_judge(c, copy, "fault at transfer", n);
	cache_dev_close(copy);
	if (fault.seen < n && ret)
		TEST_FAIL("failed with %d though nothing had", ret);
	/* what could not be read was not needed, if the device is as it should be */
	overcome = kind == CACHE_FAULT_READ && state != 0;
	if (fault.seen >= n && !ret && !overcome)
		TEST_FAIL("transfer %" PRIu64 " of kind %u failed and nobody said so", n, kind);
	return fault.seen >= n;
}

/* @step 1: every one; 2: every second ... */
static inline void crash_faults(struct crash *c, unsigned step)
{
	static const struct {
		unsigned kind;
		enum cache_fault_effect effect;
	} all[] = {
		{ CACHE_FAULT_READ, CACHE_FAULT_FAIL }, { CACHE_FAULT_READ, CACHE_FAULT_GONE },
		{ CACHE_FAULT_WRITE, CACHE_FAULT_FAIL }, { CACHE_FAULT_WRITE, CACHE_FAULT_SHORT },
		{ CACHE_FAULT_WRITE, CACHE_FAULT_GONE }, { CACHE_FAULT_FLUSH, CACHE_FAULT_FAIL },
	};
	uint64_t runs = 0;

	crash_record(c);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (uint64_t n = 1; crash_fault_at(c, all[i].kind, n, all[i].effect);
		     n += all[i].kind == CACHE_FAULT_READ ? step : 1)
			runs++;
	printf("# %" PRIu64 " runs with a fault\n", runs);
	crash_forget(c);
}

/* @step 1: every allocation; 2: every second ... */
static inline void crash_memory(struct crash *c, unsigned step)
{
	bool struck = true;

	crash_record(c);
	for (uint64_t n = 1; struck; n += step) {
		struct cache_dev *copy = set_copy(c->base);

		crash_alloc_fail(n);
		struck = crash_alloc_said(c->work(c->ctx, copy), NULL);
		crash_judge(c, copy, "no memory at allocation", n);
		cache_dev_close(copy);
	}
	crash_forget(c);
}

#endif
