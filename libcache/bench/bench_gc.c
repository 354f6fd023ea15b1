// SPDX-License-Identifier: GPL-2.0-only
#include "bench/bench_gc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "bench/bench_impl.h"

#define NS_PER_MS	1000000u
#define NS_PER_SECOND	1000000000u

struct sim {
	const struct cache_bench_gc_opts *o;
	struct cache_bench_gc_result *r;
	struct cache_buckets t;
	struct cache_alloc a;
	uint64_t *order;	/* of each bucket, which allocation it was last given to; 0: none */
	uint64_t served;	/* allocations so far */
	uint64_t now_ns;
	bool	 wants_gc;
	/* of the gc that runs */
	bool	 runs;
	uint64_t began_ns, step_ns;	/* when it began; when its next step is done */
	uint64_t nodes_done, marked;
};

static void need_gc(void *ctx)
{
	((struct sim *)ctx)->wants_gc = true;
}

static const struct cache_alloc_ops ops = { .need_gc = need_gc };

/* -- gc ------------------------------------------------------------------ */

static uint64_t step_nodes(const struct sim *s)
{
	const struct cache_driver *d = s->o->driver;

	if (d->gc_small_steps)
		return d->gc_step_nodes;
	return cache_max_u64(d->gc_step_nodes, s->o->nodes / d->gc_step_divisor);
}

static void begin_gc(struct sim *s)
{
	cache_alloc_gc_begin(&s->a);
	s->wants_gc = false;
	s->runs = true;
	s->began_ns = s->now_ns;
	s->nodes_done = 0;
	s->marked = s->t.first_bucket;
	s->step_ns = s->now_ns + step_nodes(s) * s->o->node_ns;
}

/* Old enough to have been written back since. */
static bool is_dirty(const struct sim *s, uint64_t b)
{
	return s->order[b] && s->served - s->order[b] < s->t.nbuckets / 2;
}

static void mark_until(struct sim *s, uint64_t end)
{
	uint16_t full = s->t.bucket_sectors & CACHE_GC_SECTORS_MAX;

	for (; s->marked < end; s->marked++) {
		struct cache_bucket *rec = &s->t.rec[s->marked];

		if (!rec->pin)
			rec->mark = full << 2 | (is_dirty(s, s->marked) ? CACHE_GC_MARK_DIRTY :
								CACHE_GC_MARK_RECLAIMABLE);
	}
}

static void end_gc(struct sim *s)
{
	cache_alloc_gc_finish(&s->a, NULL, 0);
	s->runs = false;
	s->r->gc_ns += s->now_ns - s->began_ns;
	s->r->latency.gc_runs++;
}

/* The step that ends at s->step_ns. @waited: somebody waits for a bucket. */
static void step_gc(struct sim *s, bool waited)
{
	const struct cache_driver *d = s->o->driver;
	uint64_t pause = waited ? d->gc_pause_wanted_ms : d->gc_pause_ms;

	s->now_ns = s->step_ns;
	s->nodes_done = cache_min_u64(s->nodes_done + step_nodes(s), s->o->nodes);
	mark_until(s, s->t.nbuckets * s->nodes_done / s->o->nodes);
	if (s->nodes_done == s->o->nodes)
		end_gc(s);
	else
		s->step_ns = s->now_ns + pause * NS_PER_MS + step_nodes(s) * s->o->node_ns;
}

/* The pause ends early if a thread waits for a bucket, in drivers that look for that. */
static void hurry_gc(struct sim *s)
{
	uint64_t soon = s->now_ns + (uint64_t)s->o->driver->gc_pause_wanted_ms * NS_PER_MS +
			step_nodes(s) * s->o->node_ns;

	s->step_ns = cache_min_u64(s->step_ns, soon);
}

/* -- allocations --------------------------------------------------------- */

static int try_get(struct sim *s, uint64_t *b)
{
	uint64_t before = s->a.stats.invalidated;
	int ret = cache_alloc_get_wait(&s->a, CACHE_RESERVE_NONE, b);

	s->r->during_gc += s->runs ? s->a.stats.invalidated - before : 0;
	return ret;
}

/* Returns -EAGAIN if a complete gc found nothing either. */
static int get(struct sim *s, uint64_t *b)
{
	int ret = try_get(s, b), gcs = 0;

	while (ret == -EAGAIN && gcs < 2) {
		if (!s->runs)
			begin_gc(s);
		hurry_gc(s);
		step_gc(s, true);
		gcs += !s->runs;
		ret = try_get(s, b);
	}
	return ret;
}

static void count(struct sim *s, uint64_t waited_ns)
{
	cache_bench_count(&s->r->latency, waited_ns, 1);
	s->r->latency.count++;
	s->r->stalls += !!waited_ns;
	s->r->stalled_ns += waited_ns;
}

static void use(struct sim *s, uint64_t b)
{
	s->order[b] = ++s->served;
	cache_alloc_dirty(&s->a, b);
	cache_alloc_put(&s->a, b);
	s->a.sectors_to_gc -= s->t.bucket_sectors;
	if (!s->runs && (s->a.sectors_to_gc < 0 || s->wants_gc))
		begin_gc(s);
}

static int one(struct sim *s, uint64_t wanted_ns)
{
	uint64_t b;
	int ret;

	while (s->runs && s->step_ns <= wanted_ns)
		step_gc(s, false);
	s->now_ns = cache_max_u64(s->now_ns, wanted_ns);
	ret = get(s, &b);
	if (ret)
		return ret;
	count(s, s->now_ns - wanted_ns);
	use(s, b);
	return 0;
}

/* -- a run --------------------------------------------------------------- */

static int make_table(struct sim *s, const struct cache_buckets *like)
{
	const struct cache_bench_gc_opts *o = s->o;
	int ret = like ? cache_buckets_init(&s->t, like->nbuckets, like->first_bucket,
					    like->bucket_sectors)
		       : cache_buckets_init(&s->t, o->nbuckets, o->first_bucket,
					    o->bucket_sectors);

	for (uint64_t b = s->t.first_bucket; !ret && b < s->t.nbuckets; b++) {
		if (like && cache_bucket_mark(like, b) == CACHE_GC_MARK_METADATA)
			cache_bucket_pin_get(&s->t, b);		/* gc never frees those */
		cache_bucket_set_prio(&s->t, b, like ? cache_bucket_prio(like, b)
						     : CACHE_INITIAL_PRIO);
		cache_bucket_set_gen(&s->t, b, like ? cache_bucket_gen(like, b) : 0);
	}
	return ret;
}

/* The allocator needs some buckets without pointers: the first ones that gc may free. */
static uint64_t after_unused(const struct sim *s)
{
	uint64_t b = s->t.first_bucket, want = 1 + s->t.nbuckets / 512;

	for (; b < s->t.nbuckets && want; b++)
		want -= !cache_bucket_pin(&s->t, b);
	return b;
}

static int setup(struct sim *s, const struct cache_buckets *like)
{
	struct cache_alloc_opts a = { .policy = s->o->policy, .seed = s->o->seed, .sync = true,
				      .prio_buckets = 1 };
	int ret = make_table(s, like);

	if (ret)
		return ret;
	cache_alloc_opts_of(&a, s->o->driver, s->t.nbuckets);
	s->order = calloc(s->t.nbuckets, sizeof(*s->order));
	ret = s->order ? cache_alloc_init(&s->a, &s->t, &a, &ops, s) : -ENOMEM;
	if (ret)
		return ret;
	s->marked = after_unused(s);
	mark_until(s, s->t.nbuckets);
	ret = cache_alloc_gc_finish(&s->a, NULL, 0);
	cache_alloc_seed_free(&s->a);
	return ret;
}

int cache_bench_gc_run(const struct cache_bench_gc_opts *opts, const struct cache_buckets *like,
		       struct cache_bench_gc_result *r, struct cache_err *err)
{
	struct sim s = { .o = opts, .r = r };
	int ret;

	memset(r, 0, sizeof(*r));
	if (!opts->rate || !opts->nodes || !opts->count || !opts->driver)
		return cache_err_set(err, -EINVAL, 0, "nothing to run");
	ret = setup(&s, like);
	for (uint64_t i = 0; !ret && i < opts->count; i++) {
		if (opts->progress && !(i % CACHE_BENCH_TELL))
			opts->progress(opts->ctx, CACHE_BENCH_PASS_OURS, i, opts->count);
		ret = one(&s, i * (NS_PER_SECOND / (double)opts->rate));
	}
	if (s.runs)
		r->gc_ns += s.now_ns - s.began_ns;
	cache_alloc_fini(&s.a);
	cache_buckets_fini(&s.t);
	free(s.order);
	if (ret && ret != -EAGAIN)
		return cache_err_set(err, ret, 0, "the run failed: %s", strerror(-ret));
	return 0;
}
