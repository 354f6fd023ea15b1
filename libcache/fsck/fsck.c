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

	/* to the kernels that were asked about it is harmless */
	if (finding->eras && !(finding->eras & eras_of(r->f)))
		return;
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

	s->nbuckets = cache_sb_count_buckets(&set->sb);
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

static int judge_extents(struct fsck_cache *c, struct cache_err *err)
{
	uint64_t start = cache_clock_if(c->timed);
	int ret = cache_fsck_extents(c, err);

	if (c->timed)
		c->times.extents_ns += cache_clock_ns() - start;
	return ret;
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
		ret = judge_extents(c, err);
	if (!ret)
		ret = cache_fsck_buckets(c);
	if (ret)
		return ret;
	found_count(c, CACHE_P_EXTENT_MEMBER, c->members);
	found_count(c, CACHE_P_EXTENT_UNALIGNED, c->unaligned);
	found_count(c, CACHE_P_BUCKET_AHEAD, c->set->raised);
	return 0;
}

struct check {
	struct cache_fsck *f;
	struct cache_workers *workers;
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

/* The devices that make one set: one, or those at hand of several. */
struct party {
	unsigned n;
	struct route *route;
	struct cache_sink *sink;
	struct cache_set_member *member;
};

static void add_member(struct check *k, struct party *p, unsigned dev)
{
	p->route[p->n] = (struct route){ k->f, dev };
	p->sink[p->n] = sink_of(&p->route[p->n]);
	p->member[p->n] = (struct cache_set_member){ k->f->devs[dev], &k->backing[dev].sb,
						     &p->sink[p->n] };
	p->n++;
	k->done[dev] = true;
}

/* @dev, and with it all that are members of a set of several too. 0 or -ENOMEM. */
static int gather(struct check *k, unsigned dev, struct party *p)
{
	const struct cache_sb *sb = &k->backing[dev].sb;
	unsigned max = k->f->ndevs;

	p->route = calloc(max, sizeof(*p->route));
	p->sink = calloc(max, sizeof(*p->sink));
	p->member = calloc(max, sizeof(*p->member));
	if (!p->route || !p->sink || !p->member)
		return -ENOMEM;
	add_member(k, p, dev);
	if (!cache_sb_is_one_of_several(sb))
		return 0;
	for (unsigned i = dev + 1; i < max; i++)
		if (!k->done[i] && cache_sb_is_one_of_several(&k->backing[i].sb) &&
		    !memcmp(k->backing[i].sb.set_uuid, sb->set_uuid, sizeof(sb->set_uuid)))
			add_member(k, p, i);
	return 0;
}

static void dismiss(struct party *p)
{
	free(p->route);
	free(p->sink);
	free(p->member);
}

static int load_set(const struct party *p, struct cache_extent_visit *visit,
		    struct cache_set **set, struct cache_err *err)
{
	if (cache_sb_is_one_of_several(p->member[0].sb))
		return cache_set_load_members(p->member, p->n, CACHE_LOAD_GENS, visit, set, err);
	return cache_set_load_visit(p->member[0].dev, p->member[0].sb, CACHE_LOAD_GENS, visit,
				    p->member[0].sink, set, err);
}

/* A gap at the front of the journal, of whichever ring it was found in. */
static struct cache_finding gap_of(const struct party *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->route[i].gap.code)
			return p->route[i].gap;
	return (struct cache_finding){ 0 };
}

static int check_party(struct check *k, const struct party *p)
{
	unsigned dev = p->route[0].dev;
	struct cache_fsck_result *res = &k->f->results[dev];
	struct fsck_cache c = { .sink = &p->sink[0], .sum = &res->summary,
				.backing = k->backing, .nbacking = k->f->ndevs,
				.workers = k->workers, .timed = k->f->timed };
	struct cache_extent_visit visit = cache_fsck_visit(&c);
	struct cache_set *set = NULL;
	int ret = load_set(p, &visit, &set, &res->err);

	cache_fsck_seen(&c, &visit);
	c.set = set;
	if (ret)
		goto out;
	if (set->members)
		c.sink = cache_set_members_sink(set);
	c.gap = gap_of(p);
	c.eras = eras_of(k->f);
	if (c.set->loaded == CACHE_LOAD_GENS) {
		ret = cache_fsck_loaded(&c, k->backing, k->f->ndevs, &res->err);
		res->has_summary = !ret;
		if (!ret && c.timed)
			cache_fsck_times_of(&c, &res->times);
	}
	/* what the table of a set that never ran has is known: nothing */
	if (!ret && (c.set->loaded == CACHE_LOAD_GENS || !cache_sb_is_synced(&c.set->sb)))
		check_backing_of(k, &c);
out:
	cache_fsck_held_fini(&c.held);
	cache_fsck_shared_fini(&c.shared);
	free(c.slots);
	cache_set_close(c.set);
	return ret;
}

static int check_cache(struct check *k, unsigned dev)
{
	struct party p = { 0 };
	int ret = gather(k, dev, &p);

	ret = ret ? cache_err_set(&k->f->results[dev].err, ret, 0, "no memory for a check")
		  : check_party(k, &p);
	dismiss(&p);
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

/*
 * Copies are not checked: what is said of one might be done to the other. A device that was
 * named twice is no copy.
 */
static void refuse_clones(struct check *k)
{
	struct cache_fsck *f = k->f;

	for (unsigned i = 0; i < f->ndevs; i++)
		for (unsigned j = 0; j < f->ndevs && !f->results[i].ret; j++)
			if (i != j && k->backing[j].sectors &&
			    !cache_dev_is_same(f->devs[i], f->devs[j]))
				f->results[i].ret = cache_sb_check_clone(
					&k->backing[i].sb, &k->backing[j].sb,
					cache_dev_name(f->devs[j]), &f->results[i].err);
	for (unsigned i = 0; i < f->ndevs; i++)
		k->done[i] |= f->results[i].ret;
}

static int run(struct check *k)
{
	struct cache_fsck *f = k->f;
	bool any_cache = false;

	for (unsigned i = 0; i < f->ndevs; i++)
		learn(k, i);
	refuse_clones(k);
	for (unsigned i = 0; i < f->ndevs; i++) {
		if (k->done[i] || f->results[i].is_backing)
			continue;
		any_cache = true;
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
	ret = k.backing && k.done ? cache_workers_new(f.threads ? f.threads - 1 : 0, &k.workers)
				  : -ENOMEM;
	if (!ret)
		ret = run(&k);
	cache_workers_free(k.workers);
	free(k.backing);
	free(k.done);
	return ret;
}
