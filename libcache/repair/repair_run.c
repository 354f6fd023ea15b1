// SPDX-License-Identifier: GPL-2.0-only
/* The order of a whole repair: check, repair each device that needs it, check again. */
#include <libcache/repair.h>

#include "repair/repair.h"
#include "repair/repair_truncated.h"
#include "super/repair_types.h"
#include "host/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the first check found about one device, as far as it decides what is done. */
struct seen {
	bool super;		/* damage that a superblock repair is meant for */
	bool no_magic;
	bool truncated;
	bool discard;
	bool unknown_backing;	/* the set has no slot for it: the uuid table may be wrong */
};

struct run {
	struct cache_dev *const *devs;
	unsigned n;
	const struct cache_repair_opts *opts;
	struct cache_repair_result *results;
	struct cache_fsck_result *checked;	/* n results of the check in progress */
	struct seen *seen;
	bool again;		/* the check in progress is the second one */
	bool cancelled;
	/* the backing devices among @devs, and those that the caller passed in @opts */
	struct cache_sb *backing;
	uint64_t *backing_sectors;
	unsigned nbacking;
};

static void note(struct seen *s, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);

	s->super |= info->severity == CACHE_SEVERITY_CORRUPT &&
		    (info->number >> 8 == CACHE_PASS_SUPER || f->code == CACHE_P_JOURNAL_EMPTY);
	s->no_magic |= f->code == CACHE_P_SB_MAGIC;
	s->truncated |= f->code == CACHE_P_SB_CAPACITY;
	s->discard |= f->code == CACHE_P_SB_DISCARD;
	s->unknown_backing |= f->code == CACHE_P_BDEV_UNKNOWN;
}

static void on_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	struct run *r = ctx;

	if (!r->again)
		note(&r->seen[dev], f);
	if (r->opts->finding)
		r->opts->finding(r->opts->ctx, dev, r->again, f);
}

static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	struct run *r = ctx;

	if (r->opts->progress && r->opts->progress(r->opts->ctx, dev, pass, current, max))
		r->cancelled = true;
	return r->cancelled;
}

static int look(struct run *r)
{
	struct cache_fsck f = { .size = sizeof(f), .devs = r->devs, .ndevs = r->n, .results = r->checked,
				.report = on_finding, .progress = on_progress, .ctx = r,
				.eras = r->opts->eras, .threads = r->opts->threads,
				.timed = r->opts->timed };
	int ret;

	ret = cache_fsck_run(&f);
	if (ret && r->again)
		return ret;	/* the result of the first check stays */
	for (unsigned i = 0; i < r->n; i++) {
		if (!r->again)
			r->results[i].before = r->checked[i];
		r->results[i].after = r->checked[i];
		r->results[i].checked_again = r->again;
	}
	return ret;
}

/* Backing devices can prove the owner of a lost uuid slot, and their size bounds their extents. */
static int read_backing(struct run *r)
{
	const struct cache_repair_opts *o = r->opts;
	size_t max = (size_t)r->n + o->nbacking + 1;

	r->backing = calloc(max, sizeof(*r->backing));
	r->backing_sectors = calloc(max, sizeof(*r->backing_sectors));
	if (!r->backing || !r->backing_sectors)
		return -ENOMEM;
	for (unsigned i = 0; i < r->n; i++) {
		if (!r->results[i].before.is_backing ||
		    cache_sb_read(r->devs[i], &r->backing[r->nbacking], NULL))
			continue;
		r->backing_sectors[r->nbacking++] = cache_dev_sectors(r->devs[i]);
	}
	for (unsigned i = 0; i < o->nbacking; i++) {
		r->backing[r->nbacking] = o->backing[i];
		r->backing_sectors[r->nbacking++] = o->backing_sectors ? o->backing_sectors[i] :
									 CACHE_DEV_SECTORS_MAX;
	}
	return 0;
}

/* @opts as used for the repair of device @i. */
static struct cache_repair_opts opts_for(struct run *r, unsigned i)
{
	struct cache_repair_opts o = *r->opts;

	o.dev = i;
	o.backing = r->backing;
	o.backing_sectors = r->backing_sectors;
	o.nbacking = r->nbacking;
	return o;
}

static int repair_super(struct run *r, unsigned i, struct cache_dev *dev,
			const struct cache_repair_opts *opts)
{
	struct cache_repair_result *res = &r->results[i];
	struct cache_repair_plan plan;
	int ret = 0;

	/* only a device without a superblock may have become something else */
	if (r->seen[i].no_magic)
		ret = cache_probe_foreign(dev, &res->err);
	if (ret)
		return ret;
	res->super_tried = true;
	ret = cache_repair_super(dev, opts, &plan, &res->err);
	if (ret == -EUCLEAN && r->seen[i].truncated &&
	    cache_repair_name_truncated(dev, opts, NULL) == -ENOMEM)
		ret = -ENOMEM;
	res->super = !ret && (plan.super || plan.wipe_old_ring);
	res->done = res->super && !opts->dry_run;
	return ret;
}

static int repair_rest(struct run *r, unsigned i, struct cache_dev *dev,
		       const struct cache_repair_opts *opts)
{
	struct cache_repair_result *res = &r->results[i];
	int ret = cache_repair_cache(dev, opts, &res->plan, &res->err);

	/* what stopped came after a new tree, if there is one: the device is another now */
	res->done |= res->plan.new_nodes ||
		     (!ret && !opts->dry_run && (res->plan.rebuild || res->plan.clear_discard));
	return ret;
}

static bool has_unknown_backing(const struct run *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->seen[i].unknown_backing)
			return true;
	return false;
}

static int repair_opened(struct run *r, unsigned i, struct cache_dev *dev)
{
	struct cache_repair_opts opts = opts_for(r, i);
	struct cache_repair_result *res = &r->results[i];
	bool super = r->seen[i].super || (!res->before.is_backing && has_unknown_backing(r));
	int ret = super ? repair_super(r, i, dev, &opts) : 0;

	/* what a dry run did not repair still prevents the rest */
	if (ret || res->before.is_backing || (res->super && opts.dry_run))
		return ret;
	return repair_rest(r, i, dev, &opts);
}

static void repair_device(struct run *r, unsigned i)
{
	const struct cache_repair_opts *o = r->opts;
	struct cache_repair_result *res = &r->results[i];
	struct cache_dev *dev = r->devs[i];

	if (o->open)
		res->ret = o->open(o->ctx, i, &dev, &res->err);
	if (res->ret)
		return;
	res->tried = true;
	res->ret = repair_opened(r, i, dev);
	res->declined = res->ret == -ECANCELED;
	if (o->repaired)
		o->repaired(o->ctx, i, res);
	if (o->close)
		o->close(o->ctx, i, dev);
}

static bool needs_repair(const struct run *r, unsigned i)
{
	const struct cache_fsck_result *res = &r->results[i].before;

	if (res->ret || (res->is_backing && !r->seen[i].super))
		return false;
	return !cache_fsck_is_clean(res) ||
	       (!res->is_backing && (r->opts->ndrop_uuids || r->opts->ngiven_slots ||
				     has_unknown_backing(r))) ||
	       (r->opts->fold_journal && res->summary.journal_keys) ||
	       (r->opts->clear_discard && r->seen[i].discard);
}

static bool has_clones(const struct run *r)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->results[i].before.ret == -ENOTUNIQ)
			return true;
	return false;
}

static int repair_all(struct run *r)
{
	bool changed = false;
	int ret;

	if (has_clones(r))
		return 0;	/* the check said so */
	ret = read_backing(r);

	for (unsigned i = 0; i < r->n && !ret; i++) {
		if (!needs_repair(r, i))
			continue;
		if (on_progress(r, i, 0, 0, 0))
			break;
		repair_device(r, i);
		changed |= r->results[i].done;
		if (r->results[i].declined && on_progress(r, i, 0, 0, 0))
			break;
	}
	if (ret || !changed)
		return ret;
	r->again = true;
	return look(r);
}

/* A look plans no repair, and so no other losses; these are lost whatever is done. */
static int name_truncated(struct run *r)
{
	int ret = 0;

	for (unsigned i = 0; i < r->n && !ret; i++) {
		struct cache_repair_opts opts = opts_for(r, i);

		if (r->seen[i].truncated &&
		    cache_repair_name_truncated(r->devs[i], &opts, NULL) == -ENOMEM)
			ret = -ENOMEM;
	}
	return ret;
}

int cache_repair_run(struct cache_dev *const *devs, unsigned ndevs,
		     const struct cache_repair_opts *opts,
		     struct cache_repair_result *results)
{
	struct cache_repair_opts o;
	struct run r = { .devs = devs, .n = ndevs, .opts = &o, .results = results };
	int ret = cache_opts_read(&o, sizeof(o), opts, NULL);

	if (ret)
		return ret;
	/* nobody agreed to a plan that is not safe; in a dry run none is carried out */
	o.safe_only |= !o.confirm && !o.dry_run;
	memset(results, 0, ndevs * sizeof(*results));
	r.checked = calloc(ndevs + 1, sizeof(*r.checked));
	r.seen = calloc(ndevs + 1, sizeof(*r.seen));
	ret = r.checked && r.seen ? look(&r) : -ENOMEM;
	if (!ret)
		ret = o.look_only ? name_truncated(&r) : repair_all(&r);
	free(r.backing_sectors);
	free(r.backing);
	free(r.seen);
	free(r.checked);
	return ret ? ret : r.cancelled ? -ECANCELED : 0;
}
