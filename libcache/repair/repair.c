// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plan, ask, commit. The plan is complete and its losses are counted before anything is
 * written. New structures go into unused buckets, and one journal entry then switches the set
 * to them. A repair that was killed can be run again: it finds the old set or the new one.
 */
#include "repair/repair_gens.h"
#include "repair/repair_impl.h"
#include "host/ids.h"
#include "super/repair_super.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct repair {
	const struct cache_repair_opts *opts;
	struct cache_repair_plan *plan;
	struct cache_err *err;
	/* read first, because its size bounds the doubt bit maps */
	struct cache_sb sb;
	struct cache_set *set;
	struct repair_doubt doubt;
	struct cache_sink sink;
	struct fsck_cache c;
	struct cache_fsck_summary sum;
	struct repair_kept kept;
	struct repair_gens gens;	/* that are false on disk, as far as they were found */
	bool gens_in_doubt;		/* some may be */
	unsigned reloads;		/* for their sake */
	/* nothing is wrong with the set, but opts->fold_journal asks for a new tree */
	bool fold_only;
	/* a journal gap is only accepted because of the discard bit */
	bool forgiven;
	const struct cache_repair_change *change;	/* NULL: only a repair */
	bool slots_changed;
	unsigned corrupt;
};

/* A gen that is false hides what is below a node: once for each level, and for the data. */
#define RELOADS_MAX	(CACHE_BTREE_LEVEL_MAX + 1)

/* A ring without space keeps a kernel from starting, and nothing in it is wrong. */
static void count_corrupt(struct repair *r, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);

	r->corrupt += info->severity == CACHE_SEVERITY_CORRUPT &&
		      info->verdict != CACHE_VERDICT_MAY_HANG;
}

static void on_finding(void *ctx, const struct cache_finding *f)
{
	struct repair *r = ctx;

	r->forgiven |= f->code == CACHE_P_JOURNAL_DISCARDED;
	r->gens_in_doubt |= f->code == CACHE_P_BUCKET_GEN_FALSE ||
			    f->code == CACHE_P_BUCKET_MARKS ||
			    f->code == CACHE_P_EXTENT_STALE_DIRTY;
	cache_repair_doubt_add(&r->doubt, f);
	if (!r->change)
		return;
	count_corrupt(r, f);
	if (r->opts->finding)
		r->opts->finding(r->opts->ctx, r->opts->dev, false, f);
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	const struct repair *r = ctx;

	return repair_progress(r->opts, pass, current, max);
}

/* What cannot be read now may be readable later, or on another machine: refuse. */
static int refuse_unread(struct repair *r, bool unread)
{
	if (!unread || r->opts->allow_data_loss)
		return 0;
	r->plan->cannot = "a part of the metadata cannot be read, and dirty data may depend on it: copy the device, or allow data loss";
	return cache_err_set(r->err, -EIO, 0, "%s", r->plan->cannot);
}

/* Why the tree of this set cannot be rebuilt; NULL when it can be. */
static const char *hopeless(const struct cache_set *set)
{
	if (cache_sb_has_magic(&set->sb) && cache_sb_is_bdev(&set->sb))
		return "a backing device has nothing to rebuild";
	if (set->loaded < CACHE_LOAD_JOURNAL)
		return "the superblock does not say where anything is";
	if (!set->sb.njournal)
		return "the superblock names no journal bucket";
	if (set->loaded < CACHE_LOAD_MARKS)
		return "the content of the buckets cannot be determined";
	return NULL;
}

/*
 * A uuid table that could not be read is replaced by an empty one, so that the check reports
 * every slot that is missing.
 */
static int complete_uuids(struct repair *r)
{
	struct cache_uuids *u = &r->set->uuids;

	if (u->n)
		return 0;
	free(u->slot);
	u->slot = calloc(cache_nr_uuids(&r->set->sb), sizeof(*u->slot));
	if (!u->slot)
		return cache_err_set(r->err, -ENOMEM, 0, "no memory for a uuid table");
	u->n = cache_nr_uuids(&r->set->sb);
	r->doubt.uuids = r->doubt.table = true;
	return 0;
}

/* The backing devices with a valid superblock; NULL: no memory. Release with free(). */
static struct fsck_backing *backing_at_hand(const struct cache_repair_opts *opts, unsigned *n)
{
	struct fsck_backing *b = calloc(opts->nbacking + 1, sizeof(*b));

	*n = 0;
	for (unsigned k = 0; k < opts->nbacking && b; k++) {
		if (opts->backing[k].csum_stored != opts->backing[k].csum_computed)
			continue;
		b[*n].sectors = opts->backing_sectors ? opts->backing_sectors[k] :
							CACHE_DEV_SECTORS_MAX;
		b[(*n)++].sb = opts->backing[k];
	}
	return b;
}

static int diagnose(struct repair *r)
{
	struct fsck_backing *backing;
	int ret = complete_uuids(r);
	unsigned n;

	if (ret)
		return ret;
	cache_repair_doubt_gens(&r->doubt, &r->gens);
	r->c = (struct fsck_cache){ .set = r->set, .sink = &r->sink, .sum = &r->sum };
	backing = backing_at_hand(r->opts, &n);
	if (!backing)
		return cache_err_set(r->err, -ENOMEM, 0, "no memory for backing devices");
	ret = cache_fsck_loaded(&r->c, backing, n, r->err);
	free(backing);
	return ret ? ret : cache_repair_doubt_ranges(&r->doubt, r->set, r->err);
}

static int collect(struct repair *r)
{
	r->kept.n = 0;
#define X(name) r->plan->name = 0;
	CACHE_REPAIR_NUMBERS(X)
#undef X
	return cache_repair_collect(&r->c, &r->doubt, r->opts, &r->kept, r->plan, r->err);
}

/* Increments the gens of the old nodes, so that no old pointer can refer to new content. */
static void retire_nodes(struct repair *r)
{
	struct cache_buckets *t = &r->set->buckets;

	for (uint64_t b = cache_sb_reserved_buckets(&r->set->sb); b < t->nbuckets; b++) {
		if (cache_set_role(r->set, b) != CACHE_ROLE_BTREE)
			continue;
		cache_bucket_set_gen(t, b, cache_bucket_gen(t, b) + 1);
		cache_bucket_set_prio(t, b, 0);
	}
}

/*
 * The driver reads only a part of the ring. If its search would not find the new entry, the
 * commit would have no effect; then the older entries must be wiped.
 */
static int settle_place(struct repair *r, struct cache_commit *commit)
{
	struct cache_commit_place place;
	bool found = true;
	int ret = cache_commit_outlive(commit, &r->sink, r->err);

	cache_commit_checkpoint(commit);
	if (!ret && !r->plan->wipe_ring)
		ret = cache_commit_place(commit, &place, r->err);
	if (!ret && !r->plan->wipe_ring)
		ret = cache_commit_is_found(r->set, &place, &found, r->err);
	r->plan->wipe_ring |= !found;
	if (r->plan->wipe_ring)
		cache_commit_move_on(commit);
	return ret;
}

static int on_written(void *ctx, uint64_t nnodes, uint64_t max)
{
	const struct repair *r = ctx;

	return repair_progress(r->opts, CACHE_REPAIR_PASS_WRITE, nnodes,
			       nnodes > max ? nnodes : max);
}

static int write_all(struct repair *r, struct cache_commit *commit)
{
	struct cache_rebuild rebuild = { .commit = commit, .sb = &r->set->sb,
					 .t = &r->set->buckets, .progress = on_written,
					 .ctx = r };
	int ret;

	cache_rng_init(&rebuild.rng, r->opts->seed);
	ret = cache_rebuild_tree(&rebuild, r->kept.keys, r->kept.n, r->err);
	if (!ret && (r->plan->uuids || r->set->uuids.old_layout))
		ret = cache_rebuild_uuids(commit, r->set, &r->set->uuids, r->err);
	if (ret)
		return ret;
	retire_nodes(r);
	ret = settle_place(r, commit);
	if (!ret)
		ret = cache_commit_prios(commit, &r->set->buckets, r->err);
	if (!ret)
		ret = cache_commit_finish(commit, r->err);
	if (!ret)
		r->plan->new_nodes = rebuild.nnodes;
	if (!ret && r->plan->wipe_ring)
		ret = cache_commit_wipe_ring(commit, r->err);
	r->plan->written_bytes = cache_commit_written_sectors(commit) * CACHE_SECTOR_BYTES;
	return ret;
}

/* Keeps the buckets of extents from nodes without a parent: the marks do not have them yet. */
static void spare_kept(const struct repair *r, struct cache_commit *commit)
{
	for (uint64_t i = 0; i < r->kept.n; i++)
		cache_commit_spare(commit, cache_ptr_sector(r->kept.keys[i].ptr) /
						   r->set->sb.bucket_sectors);
}

static int commit(struct repair *r)
{
	bool unread = r->doubt.unread || r->plan->unread_buckets;
	struct cache_commit *commit = NULL;
	int ret = cache_commit_new(r->set, &commit, r->err);

	if (!ret)
		spare_kept(r, commit);
	if (!ret && unread)
		ret = cache_repair_spare(r->set, commit, r->opts, r->err);
	if (!ret)
		ret = write_all(r, commit);
	cache_commit_free(commit);
	if (ret == -ENOBUFS && unread)
		cache_err_prefix(r->err, ret, "a part of the metadata cannot be read, and few buckets are certain not to be needed by it: copy the device and repair the copy");
	return ret;
}

/* What was written back meanwhile is clean in kept alone: it is not collected again. */
static int drop_clean(struct repair *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->kept.n; i++) {
		const struct cache_packed_key *k = &r->kept.keys[i];

		if (cache_key_high_dirty(k->high))
			r->kept.keys[n++] = *k;
		else
			r->plan->dropped_clean_sectors += cache_key_high_size(k->high);
	}
	r->kept.n = n;
	return 0;
}

/* Too few unused buckets to keep everything. Without clean data the new tree is much smaller. */
static int commit_or_shrink(struct repair *r)
{
	int ret = commit(r);

	if (ret != -ENOBUFS || r->doubt.all || r->doubt.no_clean || r->fold_only)
		return ret;
	r->doubt.no_clean = r->plan->short_of_buckets = true;
	r->plan->safe = false;
	ret = r->change ? drop_clean(r) : collect(r);
	if (!ret && !cache_repair_agreed(r->opts, r->plan))
		return cache_err_set(r->err, -ENOBUFS, 0, "too few unused buckets for a new tree, unless all clean data is dropped");
	if (r->err)
		memset(r->err, 0, sizeof(*r->err));
	return ret ? ret : commit(r);
}

/*
 * Whether the highest seq of each bucket falls from the newest entry's bucket backwards, and no
 * bucket with entries follows an empty one. The driver's search relies on both. A ring with a
 * hole may work today, and mislead the search once the next entry stands elsewhere.
 */
static bool ring_is_in_order(const struct cache_set *set)
{
	const struct cache_journal *j = &set->journal;
	uint32_t n = set->sb.njournal;
	uint64_t last = UINT64_MAX;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t seq = j->bucket_seq[(j->newest.pos.index + n - i) % n];

		if (seq && seq >= last)
			return false;
		last = seq;
	}
	for (size_t i = 0; i < j->nentries; i++)
		if (j->entries[i].last_seq > j->newest.pos.seq)
			return false;	/* a start that reads this entry ignores the newest one */
	return true;
}

static bool wants_no_discard(const struct repair *r)
{
	return r->opts->clear_discard && r->set->sb.flags & CACHE_SB_DISCARD;
}

/* Without permission, dirty extents without a slot are not dropped. */
static int decide_uuids(struct repair *r)
{
	struct cache_repair_plan *p = r->plan;
	int ret = 0;

	if (r->doubt.uuids || r->opts->ngiven_slots || cache_repair_has_short_slot(&r->c) ||
	    cache_repair_misses_slot(&r->c, r->opts))
		ret = cache_repair_uuids(&r->c, &r->doubt, r->opts, &r->set->uuids, p, r->err);
	if (ret == -EINVAL)
		return ret;
	if (ret && p->cannot && r->opts->allow_data_loss) {
		p->cannot = NULL;
		p->uuids = true;
		ret = 0;
	}
	return ret ? cache_err_set(r->err, ret, 0, "%s",
				   p->cannot ? p->cannot : ret == -EIO ?
				   "an older copy of the uuid table cannot be read" :
				   "no memory for a journal entry") : 0;
}

/* A uuid to give up that is not in the table is refused: it is most likely a typing error. */
static int check_drops(struct repair *r)
{
	for (unsigned i = 0; i < r->opts->ndrop_uuids; i++) {
		char text[CACHE_UUID_TEXT_BYTES];

		if (cache_uuid_find(&r->set->uuids, r->opts->drop_uuids[i]) >= 0)
			continue;
		r->plan->cannot = "a device to give up is not one of the set";
		return cache_err_set(r->err, -EINVAL, 0, "device %s, which is to be given up, is not "
				     "one of the set", cache_uuid_format(r->opts->drop_uuids[i], text));
	}
	return 0;
}

static int decide(struct repair *r)
{
	struct cache_repair_plan *p = r->plan;
	int ret;

	p->super = r->doubt.super;
	p->wipe_ring = r->doubt.wipe_ring || !ring_is_in_order(r->set);
	/* only some drivers accept the gap, and none does once the discard bit is cleared */
	r->doubt.beyond_extents |= r->forgiven;
	ret = refuse_unread(r, r->doubt.unread && (r->doubt.rebuild || r->doubt.uuids || r->forgiven ||
						   r->opts->ndrop_uuids || r->opts->ngiven_slots ||
						   r->change));
	if (!ret)
		ret = check_drops(r);
	if (!ret)
		ret = decide_uuids(r);
	p->rebuild = r->doubt.rebuild || p->uuids || r->opts->ndrop_uuids || r->forgiven;
	r->fold_only = !p->rebuild && !r->change && r->opts->fold_journal && r->set->journal_keys;
	p->uuids |= r->slots_changed;
	r->doubt.beyond_extents |= r->fold_only || r->change;
	p->rebuild |= r->fold_only || r->change;
	if (ret || !p->rebuild)
		return ret;
	ret = collect(r);
	if (!ret)
		ret = refuse_unread(r, p->unread_buckets);
	if (!ret && !p->uuids && !r->doubt.beyond_extents && !p->dropped_clean_sectors &&
	    !p->dropped_dirty_sectors && p->blocked_dirty_sectors && !r->sum.stale_keys) {
		p->rebuild = false;
		p->cannot = "only dirty data is wrong, and dropping it was not allowed";
	}
	p->safe = !r->doubt.all && !r->doubt.ranges.n && !p->dropped_dirty_sectors &&
		  !p->blocked_dirty_sectors;
	return ret;
}

/*
 * Last in the plan and last to be done: until then a kernel with the discard bit set still
 * accepts the journal that the rest of the repair replaces.
 */
static int plan_discard(struct repair *r)
{
	struct cache_repair_plan *p = r->plan;

	p->clear_discard = wants_no_discard(r);
	if (!p->clear_discard)
		return 0;
	p->safe |= !p->rebuild && !p->cannot;
	return cache_repair_discard(r->set->dev, r->opts, false, r->err);
}

static int change_extents(struct repair *r)
{
	const struct cache_repair_view view = {
		.set = r->set, .doubt = &r->doubt, .kept = &r->kept, .slots = r->c.slots,
		.plan = r->plan, .corrupt = r->corrupt };

	return r->change->extents(r->change->ctx, &view, r->err);
}

static int change_slots(struct repair *r)
{
	int ret;

	if (!r->change || !r->change->slots)
		return 0;
	ret = r->change->slots(r->change->ctx, r->set, r->err);
	r->slots_changed = ret > 0;
	return ret < 0 ? ret : 0;
}

static int act(struct repair *r)
{
	int ret = 0;

	if (!r->plan->rebuild && !r->plan->clear_discard)
		return 0;
	if (r->change && r->change->extents && r->plan->rebuild)
		ret = change_extents(r);
	if (ret)
		return ret;
	if (!cache_repair_agreed(r->opts, r->plan))
		return -ECANCELED;
	if (r->opts->dry_run)
		return 0;
	if (r->plan->rebuild)
		ret = commit_or_shrink(r);
	if (!ret && r->plan->clear_discard)
		ret = cache_repair_discard(r->set->dev, r->opts, true, r->err);
	return ret;
}

/*
 * A wrong level shows in findings all over the tree, since every node is read as one of another
 * level.
 */
static int correct_level(struct repair *r)
{
	bool wrong;
	int ret = cache_repair_root_level(r->set, &wrong, r->err);

	if (!ret && wrong)
		r->doubt.rebuild = r->doubt.beyond_extents = true;
	return ret;
}

/*
 * Where entries of the replay are lost, keys of older entries must not hide newer keys that leaves
 * already have.
 */
static int load_behind_journal(struct repair *r)
{
	const struct cache_jset_pos *newest = &r->set->journal.newest.pos;
	bool whole = r->set->journal.nreplay == newest->seq + 1 - newest->last_seq;
	bool added = false;
	int ret = 0;

	if (!whole || !ring_is_in_order(r->set))
		ret = cache_repair_add_survivors(r->set, &added, &r->sink, r->err);
	r->doubt.wipe_ring |= added;
	if (!ret)
		ret = cache_set_load_rest(r->set, CACHE_LOAD_MARKS, &r->sink, r->err);
	if (ret || whole || r->set->loaded != CACHE_LOAD_MARKS)
		return ret;
	return cache_repair_drop_flushed(r->set, &r->sink, r->err);
}

/* Loads what follows the journal; without a valid journal entry, what can be found without it. */
static int load_rest(struct repair *r)
{
	struct cache_set *set = r->set;
	bool old = false;
	int ret = 0;

	if (set->loaded != CACHE_LOAD_JOURNAL || !set->sb.njournal)
		return 0;
	if (set->has_journal)
		ret = cache_repair_ring_is_old(set, &old, &r->sink, r->err);
	if (!ret && set->has_journal && !old)
		ret = correct_level(r);
	if (ret || (set->has_journal && !old))
		return ret ? ret : load_behind_journal(r);
	if (old)	/* no driver may read what the old ring holds */
		on_finding(r, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_EMPTY, .count = set->sb.njournal });
	return cache_repair_find_lost(set, old, &r->sink, &r->doubt.unread, r->err);
}

/*
 * What the other devices of the set have of its tree, data and gens is not known here, or would
 * differ afterwards.
 */
static int refuse_member(struct repair *r)
{
	const struct cache_sb *sb = &r->set->sb;

	r->plan->cannot = "it is one of several cache devices of its set: only superblocks of such a set are repaired";
	return cache_err_set(r->err, -EOPNOTSUPP, 0, "member %u of a set of %u cache devices: only the "
			     "superblocks of such a set are repaired; start it on a kernel that "
			     "takes it, with all members, detach its backing devices and format anew",
			     sb->nr_this_dev, sb->nr_in_set);
}

static void correct_prios(void *ctx, struct cache_prios *prios)
{
	cache_repair_correct_gens(ctx, prios);
}

/* @found: some that were not known; they decide what is read, so all is read again. */
static int find_false_gens(struct repair *r, bool *found)
{
	size_t before = r->gens.n;
	int ret = cache_repair_false_gens(r->set, &r->doubt, &r->gens, r->err);

	*found = !ret && r->gens.n > before;
	return ret;
}

/* Repairs the content of the set: everything but the superblock. */
static int plan_inside(struct repair *r, bool *reload)
{
	int ret;

	r->set->correct_prios = correct_prios;
	r->set->correct_ctx = &r->gens;

	if (r->set->loaded >= CACHE_LOAD_JOURNAL && !cache_sb_is_synced(&r->set->sb))
		return 0;	/* the set has never run: there is no content */
	if (cache_sb_is_one_of_several(&r->set->sb))
		return refuse_member(r);
	ret = load_rest(r);
	if (ret)
		return ret;
	r->plan->cannot = hopeless(r->set);
	if (r->plan->cannot && r->doubt.unread && !r->opts->allow_data_loss)
		return refuse_unread(r, true);
	if (r->plan->cannot)
		return cache_err_set(r->err, -EUCLEAN, 0, "%s", r->plan->cannot);
	ret = change_slots(r);
	if (!ret)
		ret = diagnose(r);
	if (!ret && (r->gens_in_doubt || r->doubt.scan) && r->reloads < RELOADS_MAX)
		ret = find_false_gens(r, reload);
	return ret || *reload ? ret : decide(r);
}

/* If the superblock is unusable, nothing else is examined and nothing is in doubt. */
static int load(struct repair *r, struct cache_dev *dev)
{
	int ret = cache_sb_read(dev, &r->sb, r->err);

	if (ret)
		return ret;
	r->sink = (struct cache_sink){ .ctx = r, .progress = on_progress };
	if (!cache_sb_is_bdev(&r->sb) && cache_sb_is_usable(&r->sb, cache_dev_sectors(dev))) {
		r->sink.report = on_finding;
		if (cache_repair_doubt_init(&r->doubt, &r->sb))
			return cache_err_set(r->err, -ENOMEM, 0,
					     "no memory for what is in doubt");
		r->doubt.opts = r->opts;
	}
	return cache_set_load_visit(dev, &r->sb, CACHE_LOAD_JOURNAL, NULL, &r->sink, &r->set,
				    r->err);
}

static void unload(struct repair *r)
{
	free(r->c.slots);
	cache_repair_doubt_fini(&r->doubt);
	cache_set_close(r->set);
	r->c.slots = NULL;
	r->set = NULL;
	r->gens_in_doubt = r->slots_changed = false;
	r->corrupt = 0;
}

static int load_and_plan(struct repair *r, struct cache_dev *dev)
{
	bool reload;
	int ret;

	do {
		reload = false;
		ret = load(r, dev);
		if (!ret)
			ret = plan_inside(r, &reload);
		if (!ret && reload) {
			unload(r);
			r->reloads++;
		}
	} while (!ret && reload);
	return ret;
}

/*
 * Collects again after nodes without a parent were brought in (@again), because the first run
 * did not examine those.
 */
static int repair_once(struct cache_dev *dev, const struct cache_repair_opts *opts,
		       const struct cache_repair_change *change, struct cache_repair_plan *plan,
		       bool *again, struct cache_err *err)
{
	struct repair r = { .opts = opts, .plan = plan, .err = err, .change = change };
	int ret;

	memset(plan, 0, sizeof(*plan));
	ret = load_and_plan(&r, dev);
	if (!ret)
		ret = plan_discard(&r);
	if (!ret)
		ret = act(&r);
	*again = !ret && r.doubt.scan && plan->rebuild && !opts->dry_run;
	free(r.kept.keys);
	free(r.gens.gen);
	unload(&r);
	return ret;
}

/* The second run decides what is kept; what either run dropped is lost. */
static void sum_up(struct cache_repair_plan *plan, const struct cache_repair_plan *second)
{
	struct cache_repair_plan first = *plan;

	*plan = *second;
	plan->super |= first.super;
	plan->uuids |= first.uuids;
	plan->wipe_ring |= first.wipe_ring;
	plan->clear_discard |= first.clear_discard;
	plan->drop_all_clean |= first.drop_all_clean;
	plan->root_lost |= first.root_lost;
	plan->safe &= first.safe;
	plan->dropped_clean_sectors += first.dropped_clean_sectors;
	plan->dropped_dirty_sectors += first.dropped_dirty_sectors;
	plan->doubtful_ranges += first.doubtful_ranges;
	plan->new_nodes += first.new_nodes;
	plan->written_bytes += first.written_bytes;
}

static int repair_again(struct cache_dev *dev, const struct cache_repair_opts *opts,
			struct cache_repair_plan *plan, struct cache_err *err)
{
	struct cache_repair_opts agreed = *opts;
	struct cache_repair_plan second;
	bool again;
	int ret;

	agreed.confirm = NULL;
	agreed.safe_only = false;
	ret = repair_once(dev, &agreed, NULL, &second, &again, err);
	if (!ret && second.rebuild)
		sum_up(plan, &second);
	plan->cannot = second.cannot;
	return ret;
}

int cache_repair_cache(struct cache_dev *dev, const struct cache_repair_opts *opts,
		       struct cache_repair_plan *plan, struct cache_err *err)
{
	bool again = false;
	int ret = repair_once(dev, opts, NULL, plan, &again, err);

	return again ? repair_again(dev, opts, plan, err) : ret;
}

int cache_repair_change(struct cache_dev *dev, const struct cache_repair_opts *opts,
			const struct cache_repair_change *change,
			struct cache_repair_plan *plan, struct cache_err *err)
{
	bool again;

	return repair_once(dev, opts, change, plan, &again, err);
}
