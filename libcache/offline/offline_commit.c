// SPDX-License-Identifier: GPL-2.0-only
/* Makes the result of a run durable, and checks the set before and after. */
#include "offline/offline_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/members.h"
#include "format/problem.h"
#include "replay/replay.h"

/* The first finding that means damage, or that keeps a kernel from starting the set. */
struct first {
	const struct cache_sink *sink;	/* for progress; may be NULL */
	bool any;
	uint32_t eras;			/* mask, of those that it concerns; 0: all */
	char text[CACHE_ERR_TEXT_BYTES - 160];
};

static void on_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	struct first *first = ctx;
	const struct cache_problem_info *info = cache_problem_info(f->code);
	size_t n;

	if (first->any || (info->severity != CACHE_SEVERITY_CORRUPT &&
			   info->verdict == CACHE_VERDICT_STARTS))
		return;
	first->any = true;
	first->eras = f->eras;
	n = strlen(info->code);
	memcpy(first->text, info->code, n);
	memcpy(first->text + n, ": ", 2);
	cache_finding_text(f, first->text + n + 2, sizeof(first->text) - n - 2);
}

static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	const struct first *first = ctx;

	return cache_poll(first->sink, pass, current, max);
}

/* What is wrong for some kernels only: which, since a check for another says nothing of it. */
static int set_found(const struct first *first, struct cache_err *err)
{
	char eras[CACHE_ERAS_TEXT_BYTES];

	if (!first->eras)
		return cache_err_set(err, -EUCLEAN, 0, "the set is not right, run cache-fsck -p: %s",
				     first->text);
	return cache_err_set(err, -EUCLEAN, 0, "the set is not right for kernels %s, run "
			     "cache-fsck -p --kernel %s: %s", cache_eras_text(first->eras, eras),
			     cache_driver_of(cache_eras_newest(first->eras))->name, first->text);
}

static int check_set(struct cache_dev *dev, uint32_t eras, const struct cache_sink *sink,
		     struct cache_fsck_result *res, struct cache_err *err)
{
	struct first first = { .sink = sink };
	struct cache_fsck f = { .size = sizeof(f), .devs = &dev, .ndevs = 1, .results = res,
				.eras = eras, .report = on_finding,
				.progress = on_progress, .ctx = &first };
	int ret;

	ret = cache_fsck_run(&f);
	if (ret)
		return cache_err_set(err, ret, 0, ret == -ECANCELED ? "cancelled" :
				     "no memory for a check");
	if (res->ret && err)
		*err = res->err;
	if (res->ret)
		return res->ret;
	return first.any ? set_found(&first, err) : 0;
}

static int check_before(struct cache_dev *dev, uint32_t eras, const struct cache_sink *sink,
			struct cache_fsck_result *found, struct cache_err *err)
{
	struct cache_sb sb;
	int ret = cache_sb_read(dev, &sb, err);

	if (ret)
		return ret;
	/* of which the check of one alone would only say that the rest is missing */
	if (cache_sb_is_one_of_several(&sb))
		return cache_err_set(err, -EOPNOTSUPP, 0, "it is one of %u cache devices of its set, "
				     "and such a set is only read", sb.nr_in_set);
	ret = check_set(dev, eras, sink, found, err);
	if (ret)
		return ret;
	if (found->is_backing)
		return cache_err_set(err, -EUCLEAN, 0,
				     "this is a backing device; give the cache device of its set");
	if (!found->has_summary)
		return cache_err_set(err, -EUCLEAN, 0,
				     "the set has not run yet: its first start makes journal and prios");
	return 0;
}

/* A load that a finding of damage ends, as without a sink; progress goes to the caller's. */
struct load {
	const struct cache_sink *sink;	/* of the caller; may be NULL */
	int ret;			/* of the first finding of damage */
	struct cache_err err;
};

static void on_load_finding(void *ctx, const struct cache_finding *f)
{
	struct load *l = ctx;

	if (!l->ret)
		l->ret = cache_found(NULL, &l->err, f);
}

static int on_load_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	const struct load *l = ctx;

	return l->ret ? l->ret : cache_poll(l->sink, pass, current, max);
}

static int load(struct cache_dev *dev, const struct cache_sink *given, struct cache_set **set,
		struct cache_err *err)
{
	struct load l = { .sink = given };
	const struct cache_sink sink = { on_load_finding, &l, on_load_progress };
	int ret = cache_set_load(dev, CACHE_LOAD_MARKS, &sink, set, err);

	if (!l.ret)
		return ret;
	if (!ret)
		cache_set_close(*set);
	*set = NULL;
	if (err)
		*err = l.err;
	return l.ret;
}

int cache_offline_open(struct cache_dev *dev, uint32_t eras, const struct cache_sink *sink,
		       struct cache_fsck_result *found, struct cache_set **set,
		       struct cache_err *err)
{
	int ret = check_before(dev, eras, sink, found, err);

	return ret ? ret : load(dev, sink, set, err);
}

static int on_forecast(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	return cache_offline_poll(ctx, pass, current);
}

/*
 * Predicts the start after the commit: of a set like the loaded one, except for the emptied
 * buckets and a ring that is one entry further. The loaded set is not changed.
 */
static int forecast(const struct cache_offline *o, const struct cache_commit_place *p,
		    struct cache_replay_forecast *f, struct cache_err *err)
{
	const struct cache_sink sink = { cache_sink_ignore, (void *)o, on_forecast };
	struct cache_set after = *o->set;

	after.buckets = o->t;
	after.gens = cache_gens_of(&after.buckets);
	after.journal.bucket_seq[p->index] = after.journal.newest.pos.seq = p->seq;
	after.journal.newest.pos.index = p->index;
	return cache_replay_forecast(&after, cache_offline_eras(o), &sink, f, err);
}

static int foresee(struct cache_offline *o, const struct cache_commit_place *p,
		   struct cache_err *err)
{
	struct cache_replay_forecast f;
	char eras[CACHE_ERAS_TEXT_BYTES];
	int ret;

	if (!o->set->journal_keys)
		return 0;
	ret = forecast(o, p, &f, err);
	if (ret || !cache_replay_may_hang(&f))
		return ret;
	return cache_err_set(err, -ENOSPC, 0,
			     "no space in the journal: with one entry more the replay of %" PRIu64
			     " keys may hang on kernels %s; let a kernel start the set first, or run "
			     "cache-fsck --fold-journal", o->set->journal_keys,
			     cache_eras_text(f.hangs | f.may_hang, eras));
}

static int check_found(struct cache_offline *o, const struct cache_commit_place *p,
		       struct cache_err *err)
{
	bool found;
	int ret = cache_commit_is_found(o->set, p, &found, err);

	if (ret || found)
		return ret;
	return cache_err_set(err, -EUCLEAN, 0, "the journal ring has a hole, and the kernel's "
			     "search would not find a new entry");
}

static int check_unused(const struct cache_offline *o, struct cache_err *err)
{
	uint64_t need = cache_prio_buckets(&o->set->sb);

	if (o->unused >= need)
		return 0;
	return cache_err_set(err, -ENOBUFS, 0, "the new gens need %" PRIu64
			     " unused buckets, only %" PRIu64 " are left", need, o->unused);
}

int cache_offline_plan(struct cache_offline *o, struct cache_offline_written *w,
		       struct cache_err *err)
{
	int ret;

	*w = (struct cache_offline_written){ .checkpoint = !o->set->journal_keys };
	cache_commit_free(o->commit);
	o->commit = NULL;
	ret = cache_commit_new(o->set, &o->commit, err);
	if (ret)
		return ret;
	for (uint64_t b = 0; b < o->t.nbuckets; b++)
		if (cache_bit(o->taken, b))
			cache_commit_spare(o->commit, b);
	if (w->checkpoint)
		cache_commit_checkpoint(o->commit);
	w->prio_sets = cache_prio_buckets(&o->set->sb);
	ret = check_unused(o, err);
	if (!ret)
		ret = cache_commit_place(o->commit, &w->place, err);
	if (!ret)
		ret = check_found(o, &w->place, err);
	return ret ? ret : foresee(o, &w->place, err);
}

int cache_offline_commit(struct cache_offline *o, struct cache_offline_written *w,
			 struct cache_err *err)
{
	int ret = cache_commit_prios(o->commit, &o->t, err);

	if (!ret)
		ret = cache_offline_poll(o, 0, 0);
	if (!ret)
		ret = cache_commit_finish(o->commit, err);
	w->sectors = cache_commit_written_sectors(o->commit);
	return ret;
}

int cache_offline_verify(struct cache_set *set, uint32_t eras, const struct cache_sink *sink,
			 const struct cache_fsck_result *before,
			 const struct cache_offline_written *w, struct cache_err *err)
{
	struct cache_fsck_result res = { 0 };
	const struct cache_fsck_summary *s = &res.summary, *old = &before->summary;
	int ret = check_set(set->dev, eras, sink, &res, err);

	if (ret)
		return cache_err_prefix(err, ret, "after the commit");
	if (!res.has_summary || s->journal_seq != w->place.seq)
		return cache_err_set(err, -EUCLEAN, 0, "after the commit the newest entry is %"
				     PRIu64 ", expected %" PRIu64, s->journal_seq, w->place.seq);
	if (res.count[CACHE_SEVERITY_WARN] > before->count[CACHE_SEVERITY_WARN])
		return cache_err_set(err, -EUCLEAN, 0, "after the commit %u warnings, expected %u",
				     res.count[CACHE_SEVERITY_WARN],
				     before->count[CACHE_SEVERITY_WARN]);
	if (s->dirty_sectors != old->dirty_sectors || s->dirty_extents != old->dirty_extents)
		return cache_err_set(err, -EUCLEAN, 0, "after the commit %" PRIu64
				     " sectors are dirty, expected %" PRIu64,
				     s->dirty_sectors, old->dirty_sectors);
	return 0;
}
