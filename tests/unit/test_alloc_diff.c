// SPDX-License-Identifier: GPL-2.0-only
/*
 * The allocator and the reference allocator go through the same random histories and must
 * agree on everything after every step: gens, prios, marks, pins, queues, who
 * waits for what. Victims of equal weight may differ, so the reference allocator follows ours
 * after it checked that they are a choice its heap could have made.
 *
 * CHECK_STEPS sets how many steps, CHECK_SEED where to begin; a failure prints
 * the seed that repeats it.
 */
#include <errno.h>

#include "alloc/ref_alloc.h"
#include "alloc/alloc.h"
#include "base/bits.h"
#include "test.h"

#define OWNED_MAX	256

struct pair {
	struct cache_buckets t;
	struct cache_alloc a;
	struct cache_ref_alloc k;
	struct cache_rng rng;
	uint64_t seed, steps;
	int next_commit;	/* what the hook says next */
	bool wants_gc[2];
	unsigned int dirty;	/* of 16 buckets a gc finds so many dirty */
	bool calm;		/* it finds the data buckets full */
	uint64_t gc_at;		/* where a gc that runs is; 0: none does */
	uint64_t owned[OWNED_MAX];
	unsigned int nowned;
};

#define SAME(got, want)								\
	do {									\
		if ((uint64_t)(got) != (uint64_t)(want))			\
			TEST_FAIL("seed %" PRIu64 ", step %" PRIu64 ": %s is %" PRIu64 \
				  ", the reference allocator says %" PRIu64, p->seed, p->steps, #got,	\
				  (uint64_t)(got), (uint64_t)(want));		\
	} while (0)

static int commit_a(void *ctx)
{
	return ((struct pair *)ctx)->next_commit;
}

static void gc_a(void *ctx)
{
	((struct pair *)ctx)->wants_gc[0] = true;
}

static void gc_k(void *ctx)
{
	((struct pair *)ctx)->wants_gc[1] = true;
}

static const struct cache_alloc_ops ops_a = { .commit_gens = commit_a, .need_gc = gc_a };
static const struct cache_alloc_ops ops_k = { .commit_gens = commit_a, .need_gc = gc_k };

static uint64_t below(struct pair *p, uint64_t n)
{
	return cache_rng_below(&p->rng, n);
}

static uint64_t any(struct pair *p)
{
	return p->t.first_bucket + below(p, p->t.nbuckets - p->t.first_bucket);
}

static enum cache_simd some_simd(struct pair *p)
{
	static const enum cache_simd all[] = {
		CACHE_SIMD_AUTO, CACHE_SIMD_PLAIN, CACHE_SIMD_AVX2,
	};
	enum cache_simd simd = all[below(p, 3)];

	return simd == CACHE_SIMD_AVX2 && !__builtin_cpu_supports("avx2") ?
		CACHE_SIMD_AUTO : simd;
}

/* Any of the three ages, or the one that CHECK_FLAVOUR names by number. */
static enum cache_alloc_flavour flavour_of_run(struct pair *p)
{
	const char *s = getenv("CHECK_FLAVOUR");
	uint64_t chance = below(p, 8);

	if (s)
		return strtoul(s, NULL, 0) % 3;
	return chance < 3 ? CACHE_ALLOC_NEWER : chance < 6 ? CACHE_ALLOC_NEWEST : CACHE_ALLOC_OLDER;
}

static void setup(struct pair *p, uint64_t seed)
{
	static const uint32_t sectors[] = { 8, 64, 1024, 8191, 8192 };
	struct cache_alloc_opts o = { .seed = seed };
	uint32_t first;

	memset(p, 0, sizeof(*p));
	p->seed = seed;
	cache_rng_init(&p->rng, seed);
	p->dirty = below(p, 3) ? 1 : 12 + below(p, 4);
	o.policy = below(p, 5) < 3 ? CACHE_POLICY_LRU : 1 + below(p, 2);
	o.flavour = flavour_of_run(p);
	o.btree_buckets = below(p, 3) ? 0 : 32 + below(p, 200);
	o.njournal = below(p, 2) ? 2 + below(p, 30) : 0;
	o.prio_buckets = 1 + below(p, 3);
	o.sync = below(p, 4);
	o.debug = below(p, 2);
	o.hand_out_unwritten = !below(p, 4);
	o.simd = some_simd(p);
	first = 1 + below(p, 3);
	CHECK_EQ(cache_buckets_init(&p->t, 513 + below(p, below(p, 8) ? 200 : 2500), first,
				    sectors[below(p, 5)]), 0);
	CHECK_EQ(cache_alloc_init(&p->a, &p->t, &o, &ops_a, p), 0);
	CHECK_EQ(cache_ref_alloc_init(&p->k, p->t.nbuckets, first, p->t.bucket_sectors, &o,
				 &ops_k, p), 0);
}

static void teardown(struct pair *p)
{
	cache_alloc_fini(&p->a);
	cache_buckets_fini(&p->t);
	cache_ref_alloc_fini(&p->k);
}

static void same_ring(struct pair *p, const struct cache_ring *r,
		      const struct cache_ref_alloc_fifo *f)
{
	SAME(r->used, f->used);
	SAME(r->size, f->size);
	for (uint32_t i = 0; i < r->used; i++)
		SAME(r->slot[(r->head + i) & r->mask], f->v[(f->head + i) & f->mask]);
}

static void same_buckets(struct pair *p)
{
	for (uint64_t b = p->t.first_bucket; b < p->t.nbuckets; b++) {
		const struct cache_ref_alloc_bucket *r = &p->k.b[b];

		SAME(cache_bucket_prio(&p->t, b), r->prio);
		SAME(cache_bucket_gen(&p->t, b), r->gen);
		SAME(cache_bucket_last_gc(&p->t, b), r->last_gc);
		SAME(cache_bucket_mark(&p->t, b), r->mark);
		SAME(cache_bucket_sectors_used(&p->t, b), r->sectors);
		SAME(cache_bucket_pin(&p->t, b), r->pin);
		SAME(p->a.reclaimable_in_gc && cache_bit(p->a.reclaimable_in_gc, b),
		     r->reclaimable_in_gc);
	}
}

static void same(struct pair *p)
{
	struct cache_err err = { 0 };

	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		same_ring(p, &p->a.free[i], &p->k.free[i]);
	same_ring(p, &p->a.free_inc, &p->k.free_inc);
	SAME(p->a.phase, p->k.phase);
	SAME(p->a.invalidate_needs_gc, p->k.invalidate_needs_gc);
	SAME(p->a.gc_mark_valid, p->k.gc_mark_valid);
	SAME(p->a.gc_runs, p->k.gc_runs);
	SAME(p->a.refused, p->k.refused);
	SAME(p->a.io_disabled, p->k.io_disabled);
	SAME(p->a.avail_nbuckets, p->k.avail);
	SAME(p->a.need_gc, p->k.need_gc);
	SAME(p->a.rescale, p->k.rescale);
	SAME(p->t.min_prio, p->k.min_prio);
	SAME(p->wants_gc[0], p->wants_gc[1]);
	same_buckets(p);
	if (cache_alloc_check(&p->a, &err))
		TEST_FAIL("seed %" PRIu64 ", step %" PRIu64 ": %s", p->seed, p->steps, err.text);
}

/* Ours first, then the reference allocator along the same victims. */
static void do_step(struct pair *p)
{
	static uint32_t victim[1 << 16];
	uint32_t before = p->a.free_inc.used;
	bool invalidates = p->a.phase == CACHE_ALLOC_INVALIDATE;
	int ret = cache_alloc_step(&p->a);

	p->k.follow = NULL;
	if (invalidates && p->a.opts.policy == CACHE_POLICY_LRU) {
		const struct cache_ring *r = &p->a.free_inc;

		p->k.nfollow = r->used - before;
		for (uint32_t i = 0; i < p->k.nfollow; i++)
			victim[i] = r->slot[(r->head + before + i) & r->mask];
		p->k.follow = victim;
	}
	SAME(ret, cache_ref_alloc_step(&p->k));
	SAME(p->k.strayed, false);
}

static void do_get(struct pair *p)
{
	enum cache_reserve reserve = below(p, 4) ? CACHE_RESERVE_NONE : below(p, 4);
	uint64_t x = 0, y = 0;

	if (p->nowned == OWNED_MAX)
		return;
	SAME(cache_alloc_get(&p->a, reserve, &x), cache_ref_alloc_get(&p->k, reserve, &y));
	SAME(x, y);
	if (x)
		p->owned[p->nowned++] = x;
}

static void do_release(struct pair *p, bool free_it)
{
	uint64_t b;
	unsigned int i;

	if (!p->nowned)
		return;
	i = below(p, p->nowned);
	b = p->owned[i];
	p->owned[i] = p->owned[--p->nowned];
	if (free_it) {
		cache_alloc_free(&p->a, b);
		cache_ref_alloc_free(&p->k, b);
	}
	cache_alloc_put(&p->a, b);
	p->k.b[b].pin--;
}

static bool queued(const struct cache_ref_alloc *k, uint64_t b)
{
	const struct cache_ref_alloc_fifo *f = &k->free_inc;

	for (int q = -1; q < CACHE_RESERVE_NR; f = &k->free[++q])
		for (uint64_t i = 0; q < CACHE_RESERVE_NR && i < f->used; i++)
			if (f->v[(f->head + i) & f->mask] == b)
				return true;
	return false;
}

static void do_hit(struct pair *p)
{
	uint64_t b = any(p);

	cache_alloc_hit(&p->a, b);
	p->k.b[b].prio = CACHE_INITIAL_PRIO;
}

static void do_dirty(struct pair *p)
{
	uint64_t b = any(p);

	if (queued(&p->k, b))
		return;
	cache_alloc_dirty(&p->a, b);
	p->k.b[b].mark = CACHE_GC_MARK_DIRTY;
}

/* Somebody else, as the marking of keys, changes a field behind our back. */
static void do_meddle(struct pair *p)
{
	uint64_t b = any(p), v = cache_rng_u64(&p->rng);

	switch (below(p, 4)) {
	case 0:
		v = below(p, 8) ? 32768 - v % 1024 : v % 65536;
		cache_bucket_set_prio(&p->t, b, v);
		p->k.b[b].prio = v;
		break;
	case 1:
		if (p->k.b[b].mark || p->k.b[b].pin) {
			cache_bucket_set_sectors_used(&p->t, b, v % 8192);
			p->k.b[b].sectors = v % 8192;
		}
		break;
	case 2:
		if (queued(&p->k, b))
			break;
		cache_bucket_pin_get(&p->t, b);
		p->k.b[b].pin++;
		if (p->nowned < OWNED_MAX)
			p->owned[p->nowned++] = b;
		break;
	default:
		v = v % 8 ? p->k.b[b].gen : (uint8_t)(p->k.b[b].gen - v % 97);
		if (p->k.gc_mark_valid)
			break;
		cache_bucket_set_last_gc(&p->t, b, v);
		p->k.b[b].last_gc = v;
	}
}

static void mark(struct pair *p, uint64_t b, enum cache_gc_mark m, uint32_t sectors)
{
	cache_bucket_set_mark(&p->t, b, m);
	cache_bucket_set_sectors_used(&p->t, b, sectors);
	p->k.b[b].mark = m;
	p->k.b[b].sectors = sectors;
}

static void gc_begin(struct pair *p)
{
	p->calm = below(p, 2);
	cache_alloc_gc_begin(&p->a);
	cache_ref_alloc_gc_begin(&p->k);
	p->gc_at = p->t.first_bucket;
}

/* What a gc finds in @n more buckets: about the same, some emptier, some clean, some gone. */
static void gc_mark(struct pair *p, uint64_t n)
{
	uint64_t end = p->gc_at + n < p->t.nbuckets ? p->gc_at + n : p->t.nbuckets;

	for (; p->gc_at < end; p->gc_at++) {
		uint64_t b = p->gc_at, r = cache_rng_u64(&p->rng);
		uint32_t sectors = r >> 32 & CACHE_GC_SECTORS_MAX;

		if (p->k.b[b].pin)
			continue;
		if (p->calm)
			sectors = p->t.bucket_sectors & CACHE_GC_SECTORS_MAX;
		if (r % 16 < p->dirty)
			mark(p, b, CACHE_GC_MARK_DIRTY, sectors);
		else if (!(r >> 8 & 15))
			mark(p, b, CACHE_GC_MARK_METADATA, sectors);
		else if (r >> 8 & 14)
			mark(p, b, CACHE_GC_MARK_RECLAIMABLE, sectors);
	}
}

static void gc_finish(struct pair *p)
{
	CHECK_EQ(cache_alloc_gc_finish(&p->a, NULL, 0), 0);
	cache_ref_alloc_gc_finish(&p->k);
	p->wants_gc[0] = p->wants_gc[1] = false;
	p->gc_at = 0;
}

/* A gc runs at once or in pieces, with other things in between. */
static void do_gc(struct pair *p)
{
	if (!p->gc_at)
		gc_begin(p);
	gc_mark(p, below(p, 2) ? p->t.nbuckets : 1 + below(p, p->t.nbuckets));
	if (p->gc_at == p->t.nbuckets && below(p, 3))
		gc_finish(p);
}

static void do_rescale(struct pair *p)
{
	uint32_t sectors = below(p, p->t.nbuckets * p->t.bucket_sectors / 512 + 2);
	int times = below(p, 50) ? 1 : below(p, 300);

	while (times--)
		SAME(cache_alloc_rescale(&p->a, sectors), cache_ref_alloc_rescale(&p->k, sectors));
}

static void do_block(struct pair *p)
{
	if (!below(p, 3)) {
		cache_alloc_prio_block(&p->a);
		p->k.prio_blocked++;
	} else {
		cache_alloc_prio_unblock(&p->a);
		p->k.prio_blocked -= !!p->k.prio_blocked;
	}
}

static void do_commit_fate(struct pair *p)
{
	static const int fates[] = { 0, 0, 0, 0, -ENOMEM, -ENOMEM };

	p->next_commit = below(p, 300) ? fates[below(p, 6)] : -EIO;
}

static void one(struct pair *p)
{
	uint64_t r = below(p, 1000);

	if (r < 400)
		do_step(p);
	else if (r < 640)
		do_get(p);
	else if (r < 800)
		do_release(p, r < 650);
	else if (r < 880)
		do_hit(p);
	else if (r < 900)
		do_dirty(p);
	else if (r < 906)
		do_meddle(p);
	else if (r < 970)
		do_rescale(p);
	else if (r < 990)
		do_commit_fate(p);
	else if (r < 994)
		do_block(p);
	else if (r < 996 || p->wants_gc[0] || (p->gc_at && below(p, 2)))
		do_gc(p);
}

static uint64_t from_env(const char *name, uint64_t fallback)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : fallback;
}

/* One device: start-up, then whatever comes, until it is disabled. */
static uint64_t play(uint64_t seed, struct cache_alloc_stats *sum)
{
	static struct pair p;
	uint64_t steps;

	setup(&p, seed);
	gc_begin(&p);
	gc_mark(&p, p.t.nbuckets);
	gc_finish(&p);
	cache_alloc_seed_free(&p.a);
	cache_ref_alloc_seed_free(&p.k);
	same(&p);
	for (p.steps = 1; p.steps < 20000 && !p.a.io_disabled; p.steps++) {
		one(&p);
		same(&p);
	}
	steps = p.steps;
	sum->invalidated += p.a.stats.invalidated;
	sum->invalidate_passes += p.a.stats.invalidate_passes;
	sum->sweeps += p.a.stats.sweeps;
	sum->ran_dry += p.a.stats.ran_dry;
	sum->commits += p.a.stats.commits;
	sum->commits_refused += p.a.stats.commits_refused;
	sum->rescales += p.a.stats.rescales;
	teardown(&p);
	return steps;
}

TEST(the_allocator_and_the_reference_agree_after_every_step)
{
	uint64_t steps = from_env("CHECK_STEPS", 300000), done = 0;
	uint64_t seed = from_env("CHECK_SEED", 1), first = seed;
	struct cache_alloc_stats s = { 0 };

	while (done < steps)
		done += play(seed++, &s);
	printf("# %" PRIu64 " steps, seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " buckets in %"
	       PRIu64 " passes (%" PRIu64 " lru sweeps, %" PRIu64 " dry), %" PRIu64
	       " prio writes, %" PRIu64 " refused, %" PRIu64 " rescales\n",
	       done, first, seed - 1, s.invalidated, s.invalidate_passes, s.sweeps, s.ran_dry,
	       s.commits, s.commits_refused, s.rescales);
}

TEST_MAIN()
