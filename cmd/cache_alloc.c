// SPDX-License-Identifier: GPL-2.0-only
/* cache-alloc: the bucket allocator of a cache set, run without a kernel. */
#include "applet.h"
#include "kernels.h"
#include "undo.h"

#include "offline/offline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_POLICY = 256, OPT_RESERVE, OPT_SECTORS, OPT_WRITE_POINTS, OPT_COMMIT, OPT_SEED,
       OPT_KERNEL };

#define POLICY_OF_SET	CACHE_POLICY_NR

struct opts {
	struct cmd cmd;
	struct cmd_kernels kernels;
	struct cache_offline_opts run;
	bool has_count, has_seed, sectors, commit, dry_run;
	const char *undo;
	bool saving, wrote;		/* the undo file is there; it holds something */
	bool committed;
	int progress_fd;
	struct cmd_progress progress;
	const char *spec;
	char *path;
	struct cache_dev *dev;
	struct cache_set *set;
	struct cache_offline *offline;
	struct cache_fsck_result before;
	struct cache_offline_result res;
	struct cache_offline_written written;
};

static const char *const reserve_names[CACHE_RESERVE_NR] = {
	[CACHE_RESERVE_BTREE] = "btree", [CACHE_RESERVE_PRIO] = "prio",
	[CACHE_RESERVE_MOVINGGC] = "movinggc", [CACHE_RESERVE_NONE] = "none",
};

static const char *reserve_name(unsigned reserve)
{
	return reserve_names[reserve];
}

static const struct argp_option options[] = {
	{ "count", 'c', "COUNT", 0, "how many buckets to allocate (k, m and g are 1024 times "
	  "more each); sectors with --sectors" },
	{ "policy", OPT_POLICY, "POLICY", 0, "lru, fifo or random; default: the set's own" },
	{ "reserve", OPT_RESERVE, "RESERVE", 0, "what they are for: none (data, the default), "
	  "btree, prio or movinggc" },
	{ "sectors", OPT_SECTORS, NULL, 0, "allocate sectors, as writes do" },
	{ "write-points", OPT_WRITE_POINTS, "N", 0, "streams that write them in turn; "
	  "default 1" },
	{ "commit", OPT_COMMIT, NULL, 0, "make it durable: clean data in the invalidated "
	  "buckets is gone" },
	{ "dry-run", 'n', NULL, 0, "write nothing (the default)" },
	{ "kernel", OPT_KERNEL, CMD_KERNEL_ARG, 0, CMD_KERNEL_DOC },
	CMD_UNDO_OPTION,
	CMD_PROGRESS_OPTION,
	{ "seed", OPT_SEED, "N", 0, "seed of the random policy; default: a new one" },
	{ }
};

static void check_usage(struct opts *o, struct argp_state *state)
{
	if (!o->spec)
		argp_error(state, "no device given");
	if (!o->has_count)
		argp_error(state, "how many? give -c COUNT");
	if (o->commit && o->dry_run)
		argp_error(state, "only one of --commit and --dry-run may be given");
	if (o->run.write_points && !o->sectors)
		argp_error(state, "--write-points goes with --sectors");
	if (o->sectors && o->run.reserve <= CACHE_RESERVE_PRIO)
		argp_error(state, "sectors are for data: reserve none or movinggc");
	if (o->sectors && !o->run.write_points)
		o->run.write_points = 1;
}

static error_t parse_arg(struct opts *o, char *arg, struct argp_state *state)
{
	if (o->spec)
		argp_error(state, "one device at a time: \"%s\" is one too many", arg);
	o->spec = arg;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;
	uint64_t n;

	switch (key) {
	case 'c':
		o->run.count = cmd_arg_count(state, "count", arg);
		o->has_count = true;
		return 0;
	case 'n':
		o->dry_run = true;
		return 0;
	case 'z':
		o->undo = arg;
		return 0;
	case 'C':
		o->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	case OPT_KERNEL:
		cmd_kernels_arg(&o->kernels, arg, state);
		return 0;
	case OPT_POLICY:
		o->run.policy = cmd_arg_name(state, "policy", arg, cache_replacement_name,
					     CACHE_POLICY_NR);
		return 0;
	case OPT_RESERVE:
		o->run.reserve = cmd_arg_name(state, "reserve", arg, reserve_name,
					      CACHE_RESERVE_NR);
		return 0;
	case OPT_SECTORS:
		o->sectors = true;
		return 0;
	case OPT_WRITE_POINTS:
		n = cmd_arg_number(state, "number of write points", arg);
		if (!n || n > CACHE_OFFLINE_STREAMS_MAX)
			argp_error(state, "write points: '%s', expected 1 to %d", arg,
				   CACHE_OFFLINE_STREAMS_MAX);
		o->run.write_points = n;
		return 0;
	case OPT_COMMIT:
		o->commit = true;
		return 0;
	case OPT_SEED:
		o->run.seed = cmd_arg_number(state, "seed", arg);
		o->has_seed = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_arg(o, arg, state);
	case ARGP_KEY_END:
		check_usage(o, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options, parse, "DEV",
	"Run the bucket allocator of a cache set without a kernel: what it would "
	"invalidate, what it would give out, what is left. Dirty and metadata buckets are "
	"never touched."
	"\vNothing is written without --commit. With it the new generations, priorities "
	"and one journal entry are durable when it ends, and the kernel will start the result."
};

static void on_taken(void *ctx, uint64_t bucket, uint8_t gen)
{
	struct opts *o = ctx;
	struct cache_report *r = cmd_report(&o->cmd);

	if (!o->cmd.json && !o->cmd.verbose)
		return;
	cache_report_row(r);
	cache_report_u64(r, NULL, bucket);
	cache_report_u64(r, NULL, gen);
	cache_report_end(r);
}

/* A bar would be drawn between the rows of -v. What was committed is verified to the end. */
static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct opts *o = ctx;

	if (pass != CACHE_OFFLINE_PASS_TAKE)
		cmd_progress(&o->progress, pass, cmd_pass_name(pass), current, max);
	else if (!o->cmd.verbose)
		cmd_progress(&o->progress, pass, "allocating", current, max);
	return !o->committed && cmd_cancelled();
}

static struct cache_sink sink_of(struct opts *o)
{
	return (struct cache_sink){ .progress = on_progress, .ctx = o };
}

static void u64(struct opts *o, const char *key, const char *label, enum cache_unit unit,
		uint64_t v)
{
	cache_report_u64(cmd_report(&o->cmd), &(struct cache_field){ key, label, unit }, v);
}

static void str(struct opts *o, const char *key, const char *label, const char *v)
{
	cache_report_str(cmd_report(&o->cmd),
			 &(struct cache_field){ key, label, CACHE_UNIT_TEXT }, v);
}

static const char *newest_name(const struct opts *o)
{
	return cache_driver_of(cache_eras_newest(o->run.eras))->name;
}

static void show_choices(struct opts *o)
{
	str(o, "device", NULL, o->path);
	str(o, "kernel", "allocator of kernel", newest_name(o));
	str(o, "policy", "policy", cache_policy_name(o->run.policy));
	str(o, "reserve", "reserve", reserve_names[o->run.reserve]);
	if (o->run.policy == CACHE_POLICY_RANDOM)
		u64(o, "seed", "seed", CACHE_UNIT_COUNT, o->run.seed);
	u64(o, "count", o->sectors ? "sectors wanted" : "buckets wanted", CACHE_UNIT_COUNT,
	    o->run.count);
	if (o->sectors)
		u64(o, "write_points", "write points", CACHE_UNIT_COUNT, o->run.write_points);
}

static void show_buckets(struct opts *o, const char *key, const char *label,
			 const struct cache_offline_buckets *n)
{
	struct cache_report *r = cmd_report(&o->cmd);

	cache_report_object(r, key);
	u64(o, "metadata_buckets", NULL, CACHE_UNIT_COUNT, n->metadata);
	u64(o, "dirty_buckets", NULL, CACHE_UNIT_COUNT, n->dirty);
	u64(o, "clean_buckets", NULL, CACHE_UNIT_COUNT, n->clean);
	u64(o, "free_buckets", NULL, CACHE_UNIT_COUNT, n->unused);
	u64(o, "available_buckets", NULL, CACHE_UNIT_COUNT, n->available);
	cache_report_end(r);
	cache_report_line(r, "%s: %" PRIu64 " available; %" PRIu64 " metadata, %" PRIu64
			  " dirty, %" PRIu64 " clean, %" PRIu64 " free", label, n->available,
			  n->metadata, n->dirty, n->clean, n->unused);
}

static void show_queues(struct opts *o)
{
	struct cache_report *r = cmd_report(&o->cmd);

	cache_report_object(r, "queued");
	for (int i = 0; i < CACHE_RESERVE_NR; i++)
		u64(o, reserve_names[i], NULL, CACHE_UNIT_COUNT, o->res.queued[i]);
	u64(o, "free_inc", NULL, CACHE_UNIT_COUNT, o->res.queued_inc);
	cache_report_end(r);
	cache_report_line(r, "queued: btree %" PRIu64 ", prio %" PRIu64 ", movinggc %" PRIu64
			  ", none %" PRIu64 ", free_inc %" PRIu64,
			  o->res.queued[CACHE_RESERVE_BTREE], o->res.queued[CACHE_RESERVE_PRIO],
			  o->res.queued[CACHE_RESERVE_MOVINGGC],
			  o->res.queued[CACHE_RESERVE_NONE], o->res.queued_inc);
}

static void show_run(struct opts *o)
{
	static const char *const stops[] = {
		[CACHE_OFFLINE_DONE] = "done", [CACHE_OFFLINE_DRY] = "dry",
		[CACHE_OFFLINE_NO_RESERVE] = "no-reserve",
	};
	const struct cache_offline_result *res = &o->res;

	str(o, "stop", NULL, stops[res->stop]);
	u64(o, "allocated", "allocated", CACHE_UNIT_COUNT, res->taken);
	if (o->sectors)
		u64(o, "allocated_sectors", "allocated data", CACHE_UNIT_SECTORS,
		    res->taken_sectors);
	u64(o, "invalidated", "invalidated", CACHE_UNIT_COUNT, res->invalidated);
	u64(o, "lost_sectors", "clean data in them", CACHE_UNIT_SECTORS, res->lost_sectors);
	u64(o, "prio_writes", "prio writes of a kernel", CACHE_UNIT_COUNT, res->prio_writes);
	u64(o, "gc_runs", "gc runs", CACHE_UNIT_COUNT, res->gcs);
	show_queues(o);
	show_buckets(o, "before", "before", &res->before);
	show_buckets(o, "after", "after", &res->after);
}

static bool is_asked(const struct opts *o, unsigned era)
{
	return o->run.eras >> era & 1;
}

/* In text only where they do not all do the same. */
static void show_kernels(struct opts *o, const struct cache_offline_result res[CACHE_ERAS])
{
	struct cache_report *r = cmd_report(&o->cmd);

	cache_report_object(r, "kernels");
	for (unsigned i = 0; i < CACHE_ERAS; i++) {
		if (!is_asked(o, i))
			continue;
		cache_report_object(r, cache_driver_of(i)->name);
		u64(o, "allocated", NULL, CACHE_UNIT_COUNT, res[i].taken);
		u64(o, "invalidated", NULL, CACHE_UNIT_COUNT, res[i].invalidated);
		u64(o, "lost_sectors", NULL, CACHE_UNIT_SECTORS, res[i].lost_sectors);
		u64(o, "prio_writes", NULL, CACHE_UNIT_COUNT, res[i].prio_writes);
		u64(o, "gc_runs", NULL, CACHE_UNIT_COUNT, res[i].gcs);
		cache_report_end(r);
	}
	cache_report_end(r);
	for (unsigned i = 0; i < CACHE_ERAS; i++)
		if (is_asked(o, i) && (res[i].invalidated != o->res.invalidated ||
				       res[i].prio_writes != o->res.prio_writes))
			cache_report_line(r, "kernel %s instead: %" PRIu64 " allocated, %" PRIu64
					  " invalidated, %" PRIu64 " prio writes",
					  cache_driver_of(i)->name, res[i].taken,
					  res[i].invalidated, res[i].prio_writes);
}

static void show_written(struct opts *o)
{
	const struct cache_offline_written *w = &o->written;
	struct cache_report *r = cmd_report(&o->cmd);

	cache_report_object(r, "written");
	cache_report_bool(r, &(struct cache_field){ "committed", NULL, CACHE_UNIT_TEXT },
			  o->commit);
	u64(o, "prio_sets", NULL, CACHE_UNIT_COUNT, w->prio_sets);
	u64(o, "journal_entries", NULL, CACHE_UNIT_COUNT, 1);
	u64(o, "seq", NULL, CACHE_UNIT_SEQ, w->place.seq);
	u64(o, "last_seq", NULL, CACHE_UNIT_SEQ, w->place.last_seq);
	u64(o, "sectors", NULL, CACHE_UNIT_COUNT, w->sectors);
	cache_report_end(r);
	cache_report_line(r, "%s: %" PRIu64 " prio set%s, one journal entry, seq %" PRIu64 "%s",
			  o->commit ? "written" : "nothing written; with --commit",
			  w->prio_sets, w->prio_sets == 1 ? "" : "s", w->place.seq,
			  w->checkpoint ? "" : ", which keeps what is to be replayed");
}

static int failed(struct opts *o, int ret, const struct cache_err *err)
{
	cmd_progress_end(&o->progress);
	if (ret == -ECANCELED)
		return cmd_fail(&o->cmd, o->path, "cancelled, nothing was changed");
	return cmd_error(&o->cmd, o->path, ret, err);
}

static int open_set(struct opts *o)
{
	const struct cache_sink sink = sink_of(o);
	struct cache_err err = { 0 };
	int ret;

	o->path = cmd_device(&o->cmd, o->spec);
	if (!o->path || (o->commit && cmd_open(&o->cmd, o->path, false, &o->dev)))
		return EXIT_FAILED;
	if (!o->commit)
		cmd_warn_in_use(&o->cmd, o->path);
	ret = o->commit ? 0 : cmd_open_to_read(o->path, &o->dev, &err);
	if (!ret && cmd_is_foreign(&o->cmd, o->dev))
		return EXIT_FAILED;
	if (!ret && o->commit && o->undo) {
		if (cmd_undo(&o->cmd, &o->dev, o->undo, 0))
			return EXIT_FAILED;
		o->saving = true;
	}
	if (!ret && !o->commit)
		cmd_confine();
	cmd_progress_init(&o->progress, &o->cmd, o->path, o->progress_fd, 0);
	if (!ret)
		ret = cache_offline_open(o->dev, o->run.eras, &sink, &o->before, &o->set, &err);
	cmd_progress_end(&o->progress);
	return ret ? failed(o, ret, &err) : 0;
}

static int take(struct opts *o)
{
	static const struct cache_field cols[] = {
		{ "bucket", "BUCKET", CACHE_UNIT_COUNT }, { "gen", "GEN", CACHE_UNIT_COUNT },
	};
	struct cache_report *r = cmd_report(&o->cmd);
	struct cache_err err = { 0 };
	bool rows = o->cmd.json || o->cmd.verbose;
	int ret = cache_offline_new(o->set, &o->run, &o->offline, &err);

	if (ret)
		return failed(o, ret, &err);
	show_choices(o);
	if (rows)
		cache_report_table(r, "buckets", cols, 2, CACHE_TABLE_TABS);
	ret = cache_offline_run(o->offline, &o->res, &err);
	cmd_progress_end(&o->progress);
	if (rows)
		cache_report_end(r);
	return ret ? failed(o, ret, &err) : 0;
}

/* With --commit to the end, else as far as it can be foreseen. */
static int make_durable(struct opts *o)
{
	const struct cache_sink sink = sink_of(o);
	struct cache_err err = { 0 };
	int ret = cache_offline_plan(o->offline, &o->written, &err);

	o->wrote = !ret && o->commit;
	if (o->wrote && o->undo)
		cmd_undo_note(&o->cmd, o->path, o->undo, 0);
	if (o->wrote)
		ret = cache_offline_commit(o->offline, &o->written, &err);
	o->committed = !ret && o->wrote;
	if (o->committed)
		ret = cache_offline_verify(o->set, o->run.eras, &sink, &o->before, &o->written,
					   &err);
	cmd_progress_end(&o->progress);
	return ret ? failed(o, ret, &err) : 0;
}

static int compare_kernels(struct opts *o)
{
	struct cache_offline_result res[CACHE_ERAS];
	struct cache_err err = { 0 };
	int ret = cache_offline_each_era(o->set, &o->run, res, &err);

	cmd_progress_end(&o->progress);
	if (ret)
		return failed(o, ret, &err);
	show_kernels(o, res);
	return 0;
}

static int fell_short(struct opts *o)
{
	const char *why = o->res.stop == CACHE_OFFLINE_NO_RESERVE ?
		"too few buckets are queued for the prio write that has to come first" :
		"no bucket is left that could be reclaimed";

	if (o->sectors)
		return cmd_fail(&o->cmd, o->path, "%" PRIu64 " of %" PRIu64 " sectors: %s",
				o->res.taken_sectors, o->run.count, why);
	return cmd_fail(&o->cmd, o->path, "%" PRIu64 " of %" PRIu64 " buckets: %s",
			o->res.taken, o->run.count, why);
}

static int run(struct opts *o)
{
	int status;

	cmd_kernels_default(&o->kernels);
	cmd_kernels_say(&o->kernels, &o->cmd);
	o->run.eras = o->kernels.eras;
	status = open_set(o);
	if (status)
		return status;
	if (o->run.policy == POLICY_OF_SET)
		o->run.policy = (enum cache_policy)cache_sb_replacement(&o->set->sb);
	status = take(o);
	if (status)
		return status;
	show_run(o);
	status = compare_kernels(o);
	if (!status && o->res.taken)
		status = make_durable(o);
	if (status)
		return status;
	if (o->res.taken)
		show_written(o);
	return o->res.stop == CACHE_OFFLINE_DONE ? EXIT_DONE : fell_short(o);
}

int cache_alloc_main(int argc, char **argv)
{
	struct opts o = { .cmd = CMD_INIT, .progress_fd = -1, .run = {
		.policy = POLICY_OF_SET, .reserve = CACHE_RESERVE_NONE,
		.taken = on_taken, .progress = on_progress } };
	int status;

	o.run.ctx = &o;
	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	if (!o.has_seed)
		o.run.seed = cmd_random_seed(&o.cmd);
	cmd_catch_cancel();
	status = run(&o);
	cache_offline_free(o.offline);
	cache_set_close(o.set);
	cache_dev_close(o.dev);
	free(o.path);
	if (o.saving && !o.wrote)
		cmd_undo_forget(o.undo, 0);
	return cmd_end(&o.cmd, status);
}
