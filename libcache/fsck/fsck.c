// SPDX-License-Identifier: GPL-2.0-only
/*
 * The check of a set: load it as a kernel would, collecting findings; then run the passes over
 * the loaded structures; and derive the verdict.
 */
#include "fsck/fsck_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Passes findings and progress from a pass to the caller. */
struct route {
	struct cache_fsck *f;
	unsigned dev;
	struct cache_finding gap;	/* see struct fsck_cache */
};

static uint32_t eras_of(const struct cache_fsck *f)
{
	return f->eras ? f->eras : cache_eras_all();
}

/* Findings that keep the driver from reading the root. */
static bool is_before_root(enum cache_problem code)
{
	switch (code) {
	case CACHE_P_JOURNAL_EMPTY:
	case CACHE_P_JOURNAL_BIG_ENDIAN:
	case CACHE_P_JOURNAL_UNREADABLE:
	case CACHE_P_PRIO_RANGE:
	case CACHE_P_PRIO_MAGIC:
	case CACHE_P_PRIO_CSUM:
	case CACHE_P_PRIO_UNREADABLE:
	case CACHE_P_ROOT_PTR:
		return true;
	default:
		return false;
	}
}

/*
 * Of two verdicts, the one that a start would reach first: a device is refused before anything
 * panics later. DAMAGE counts as STARTS.
 */
static enum cache_verdict verdict_first(enum cache_verdict a, enum cache_verdict b)
{
	/* in the order of a start: superblock, loading, replay, then running */
	static const int rank[] = {
		[CACHE_VERDICT_STARTS] = 0, [CACHE_VERDICT_DAMAGE] = 0,
		[CACHE_VERDICT_MAY_HANG] = 1, [CACHE_VERDICT_HANGS] = 2,
		[CACHE_VERDICT_PANICS] = 3, [CACHE_VERDICT_DISABLES] = 4,
		[CACHE_VERDICT_REFUSES] = 5,
	};

	if (b == CACHE_VERDICT_DAMAGE)
		b = CACHE_VERDICT_STARTS;
	return rank[b] > rank[a] ? b : a;
}

static void judge(struct cache_fsck_result *res, const struct cache_finding *f, uint32_t asked)
{
	enum cache_verdict verdict = cache_problem_info(f->code)->verdict;

	if (f->eras)
		asked &= f->eras;
	for (unsigned i = 0; i < CACHE_ERAS; i++) {
		if (!(asked >> i & 1))
			continue;
		res->kernels[i] = verdict_first(res->kernels[i], verdict);
		res->kernel = verdict_first(res->kernel, verdict);
		res->damage |= verdict == CACHE_VERDICT_DAMAGE;
	}
	res->before_root |= is_before_root(f->code);
}

static void on_finding(void *ctx, const struct cache_finding *finding)
{
	struct route *r = ctx;
	struct cache_fsck_result *res = &r->f->results[r->dev];
	const struct cache_problem_info *info = cache_problem_info(finding->code);

	res->count[info->severity]++;
	judge(res, finding, eras_of(r->f));
	if (finding->code == CACHE_P_JOURNAL_DISCARDED ||
	    finding->code == CACHE_P_JOURNAL_FRONT_GAP)
		r->gap = *finding;
	if (r->f->report)
		r->f->report(r->f->ctx, r->dev, finding);
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct route *r = ctx;

	return r->f->progress ? r->f->progress(r->f->ctx, r->dev, pass, current, max) : 0;
}

static void summarize(struct fsck_cache *c)
{
	const struct cache_set *set = c->set;
	struct cache_fsck_summary *s = c->sum;

	s->nbuckets = set->sb.nbuckets;
	s->journal_entries = set->journal.nreplay;
	s->journal_keys = set->journal_keys;
	s->journal_seq = set->journal.newest.pos.seq;
	s->journal_last_seq = set->journal.newest.pos.last_seq;
	s->read_bytes += set->read_bytes;
	for (unsigned i = 0; i <= CACHE_BTREE_LEVEL_MAX; i++) {
		s->btree_nodes += set->nnodes[i];
		if (set->nnodes[i])
			s->btree_levels = i + 1;
	}
}

static void found_count(struct fsck_cache *c, enum cache_problem code, uint64_t count)
{
	if (count)
		cache_found(c->sink, NULL, &(struct cache_finding){
			.code = code, .count = count });
}

int cache_fsck_loaded(struct fsck_cache *c, const struct fsck_backing *backing,
		      unsigned nbacking, struct cache_err *err)
{
	const struct cache_journal *j = &c->set->journal;
	int ret = 0;

	c->backing = backing;
	c->nbacking = nbacking;
	if (!c->eras)
		c->eras = cache_eras_all();
	if (!c->seen)
		ret = cache_fsck_init_slots(c);
	if (ret)
		return cache_err_set(err, ret, 0, "no memory for the uuid table's slots");
	summarize(c);
	if (c->set->journal_keys)
		cache_found(c->sink, NULL, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_REPLAY, .count = c->set->journal_keys,
			.start = j->newest.pos.last_seq, .end = j->newest.pos.seq });
	cache_fsck_front_gap(c);
	ret = cache_fsck_ring(c, err);
	if (!ret)
		ret = cache_fsck_extents(c, err);
	if (ret)
		return ret;
	cache_fsck_buckets(c);
	found_count(c, CACHE_P_EXTENT_MEMBER, c->members);
	found_count(c, CACHE_P_EXTENT_UNALIGNED, c->unaligned);
	found_count(c, CACHE_P_BUCKET_AHEAD, c->set->raised);
	return 0;
}

struct check {
	struct cache_fsck *f;
	struct fsck_backing *backing;	/* ndevs entries, in the order in which they were read */
	bool *done;
};

static struct cache_sink sink_of(struct route *r)
{
	return (struct cache_sink){ on_finding, r, on_progress };
}

/* Checks the backing devices of the set, when it is known what the cache has of them. */
static void check_backing_of(struct check *k, const struct fsck_cache *c)
{
	for (unsigned i = 0; i < k->f->ndevs; i++) {
		struct route r = { k->f, i };
		struct cache_sink sink = sink_of(&r);

		if (k->done[i] || !cache_fsck_is_backing(&k->backing[i]) ||
		    memcmp(k->backing[i].sb.set_uuid, c->set->sb.set_uuid, 16))
			continue;
		k->done[i] = true;
		cache_fsck_backing(&k->backing[i], c, false, &sink);
	}
}

static int check_cache(struct check *k, unsigned dev)
{
	struct cache_fsck_result *res = &k->f->results[dev];
	struct route r = { k->f, dev };
	struct cache_sink sink = sink_of(&r);
	struct fsck_cache c = { .sink = &sink, .sum = &res->summary, .backing = k->backing,
				.nbacking = k->f->ndevs };
	struct cache_extent_visit visit = cache_fsck_visit(&c);
	struct cache_set *set = NULL;
	int ret = cache_set_load_visit(k->f->devs[dev], &k->backing[dev].sb, CACHE_LOAD_GENS,
				       &visit, &sink, &set, &res->err);

	cache_fsck_seen(&c, &visit);
	c.set = set;
	if (ret)
		goto out;
	c.gap = r.gap;
	c.eras = eras_of(k->f);
	if (c.set->loaded == CACHE_LOAD_GENS) {
		ret = cache_fsck_loaded(&c, k->backing, k->f->ndevs, &res->err);
		res->has_summary = !ret;
		if (!ret)
			check_backing_of(k, &c);
	}
out:
	cache_fsck_held_fini(&c.held);
	cache_fsck_shared_fini(&c.shared);
	free(c.slots);
	cache_set_close(c.set);
	return ret;
}

static void learn(struct check *k, unsigned i)
{
	struct cache_fsck_result *res = &k->f->results[i];
	struct fsck_backing *b = &k->backing[i];

	res->ret = cache_sb_read(k->f->devs[i], &b->sb, &res->err);
	if (res->ret) {
		k->done[i] = true;
		return;
	}
	b->sectors = cache_dev_sectors(k->f->devs[i]);
	b->logical_block_bytes = cache_dev_logical_block_bytes(k->f->devs[i]);
	b->no_magic = !cache_sb_has_magic(&b->sb);
	res->is_backing = cache_fsck_is_backing(b);
}

static int run(struct check *k)
{
	struct cache_fsck *f = k->f;
	bool any_cache = false;

	for (unsigned i = 0; i < f->ndevs; i++)
		learn(k, i);
	for (unsigned i = 0; i < f->ndevs; i++) {
		if (k->done[i] || f->results[i].is_backing)
			continue;
		k->done[i] = any_cache = true;
		f->results[i].ret = check_cache(k, i);
		if (f->results[i].ret == -ECANCELED)
			return -ECANCELED;
	}
	for (unsigned i = 0; i < f->ndevs; i++) {
		struct route r = { f, i };
		struct cache_sink sink = sink_of(&r);

		if (!k->done[i])
			cache_fsck_backing(&k->backing[i], NULL, any_cache, &sink);
	}
	return 0;
}

int cache_fsck_run(const struct cache_fsck *given)
{
	struct cache_fsck f;
	struct check k = { .f = &f };
	int ret = cache_opts_read(&f, sizeof(f), given, NULL);

	if (ret)
		return ret;
	memset(f.results, 0, f.ndevs * sizeof(*f.results));

	k.backing = calloc(f.ndevs + 1, sizeof(*k.backing));
	k.done = calloc(f.ndevs + 1, sizeof(*k.done));
	ret = k.backing && k.done ? run(&k) : -ENOMEM;
	free(k.backing);
	free(k.done);
	return ret;
}
