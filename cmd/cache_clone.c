// SPDX-License-Identifier: GPL-2.0-only
/* cache-clone: a cache set, warm, on another cache device. */
#include "applet.h"
#include "clone_show.h"
#include "make_cache.h"
#include "undo.h"

#include "image/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_KEEP_UUID = 256, OPT_DIRTY_ONLY, OPT_LIST, OPT_VERIFY, OPT_FORCE, OPT_WIPE_TARGET,
       OPT_RETIRE, OPT_SEED };

struct opts {
	struct cmd cmd;
	struct cache_clone_opts run;
	struct clone_show show;
	struct cmd_progress progress;
	int progress_fd;
	const char *undo, *specs[2];
	unsigned n;
	bool has_seed, wipe_target, retire, creates_undo;
	char *paths[2];
	struct cache_dev *devs[2];
	struct make_target target;	/* for the questions of a format */
	struct cache_mkcache_dev target_dev;
};

static const struct argp_option options[] = {
	{ "bucket", 'b', "SIZE", 0, "bucket size of DST; default: that of SRC, less where the kernel "
	  "would find too few of them" },
	{ "keep-uuid", OPT_KEEP_UUID, NULL, 0, "DST becomes the successor of the cache set, with its "
	  "UUID; SRC must not be started again" },
	{ "retire-source", OPT_RETIRE, NULL, 0, "with --keep-uuid: when DST is complete, erase the "
	  "superblock of SRC" },
	{ "dirty-only", OPT_DIRTY_ONLY, NULL, 0, "leave all clean data behind" },
	{ "dry-run", 'n', NULL, 0, "write nothing: say what fits" },
	{ "list", OPT_LIST, NULL, 0, "list the clean ranges that stay behind" },
	{ "verify", OPT_VERIFY, NULL, 0, "read back what was copied and compare, before DST becomes a "
	  "cache set" },
	{ "force", OPT_FORCE, NULL, 0, "clone what is certain of a damaged set, and what can be read of "
	  "a device with bad sectors; overwrite whatever is on DST" },
	{ "wipe-target", OPT_WIPE_TARGET, NULL, 0, "overwrite whatever is on DST without asking" },
	CMD_UNDO_OPTION,
	CMD_PROGRESS_OPTION,
	{ "seed", OPT_SEED, "N", 0, "seed of the new btree nodes; default: a new one" },
	{ }
};

static void parse_bucket(struct opts *o, struct argp_state *state, const char *arg)
{
	uint64_t nbytes = cmd_arg_bytes(state, "bucket size", arg);

	if (!nbytes || nbytes % CACHE_SECTOR_BYTES || nbytes & (nbytes - 1))
		argp_error(state, "bucket size: '%s', expected a power of two", arg);
	o->run.bucket_sectors = nbytes / CACHE_SECTOR_BYTES;
}

static error_t parse_flag(struct opts *o, int key)
{
	switch (key) {
	case 'n':
		o->run.look = true;
		return 0;
	case OPT_KEEP_UUID:
		o->run.keep_uuid = true;
		return 0;
	case OPT_RETIRE:
		o->retire = true;
		return 0;
	case OPT_DIRTY_ONLY:
		o->run.dirty_only = true;
		return 0;
	case OPT_LIST:
		o->show.list = true;
		return 0;
	case OPT_VERIFY:
		o->run.verify = true;
		return 0;
	case OPT_FORCE:
		o->run.force = o->wipe_target = true;
		return 0;
	case OPT_WIPE_TARGET:
		o->wipe_target = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void check_usage(const struct opts *o, struct argp_state *state)
{
	if (!o->n)
		argp_error(state, "no device given");
	if (o->n == 1)
		argp_error(state, "no target given: the source comes first, then the target");
	if (o->retire && !o->run.keep_uuid)
		argp_error(state, "--retire-source goes with --keep-uuid");
	if (o->retire && o->run.force)
		argp_error(state, "only one of --retire-source and --force may be given: what is not "
			   "cloned is on the source alone");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case 'b':
		parse_bucket(o, state, arg);
		return 0;
	case 'z':
		o->undo = arg;
		return 0;
	case 'C':
		o->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	case OPT_SEED:
		o->run.seed = cmd_arg_number(state, "seed", arg);
		o->has_seed = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->n == 2)
			argp_error(state, "one source and one target, and not '%s'", arg);
		o->specs[o->n++] = arg;
		return 0;
	case ARGP_KEY_END:
		check_usage(o, state);
		return 0;
	}
	return parse_flag(o, key);
}

static const struct argp argp = {
	options, parse, "SRC DST",
	"Copy the live extents of a cache set, clean and dirty, to another cache device of any size "
	"and bucket size, which becomes a cache set that is warm from its first start. SRC is only "
	"read."
	"\vAll dirty data must fit, or nothing is written; then comes clean data, that of the "
	"highest priority first. Until the last write DST is no bcache device: a clone that was "
	"interrupted is made again from the beginning."
};

static const char *pass_name(unsigned pass)
{
	switch (pass) {
	case CACHE_CLONE_PASS_COPY:
		return "copy";
	case CACHE_CLONE_PASS_VERIFY:
		return "verify";
	case CACHE_REPAIR_PASS_WRITE:
		return "tree";
	default:
		return "load";
	}
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct opts *o = ctx;
	bool copies = pass >= CACHE_CLONE_PASS_COPY;

	cmd_progress_switch(&o->progress, o->paths[copies], copies ? CACHE_SECTOR_BYTES : 0);
	cmd_progress(&o->progress, pass, pass_name(pass), current, max);
	return cmd_cancelled();
}

static void on_planned(void *ctx, const struct cache_clone_result *res)
{
	struct opts *o = ctx;

	cmd_progress_end(&o->progress);
	clone_show_planned(&o->show, res);
}

static void on_left(void *ctx, const struct cache_clone_device *d, uint64_t start, uint64_t end)
{
	clone_show_left(&((struct opts *)ctx)->show, d, start, end);
}

static void on_failed(void *ctx, const struct cache_clone_device *d,
		      const struct cache_clone_failure *f)
{
	clone_show_failed(&((struct opts *)ctx)->show, d, f);
}

static void on_loss(void *ctx, unsigned dev, const struct cache_repair_loss *loss)
{
	cache_losses_add(&((struct opts *)ctx)->show.losses.all, 0, loss);
}

static void on_note(void *ctx, bool warning, const char *device, const char *text)
{
	const struct opts *o = ctx;

	if (warning)
		cmd_warn(&o->cmd, device[0] ? device : NULL, "%s", text);
	else
		cmd_note(&o->cmd, 0, "%s%s%s", device, device[0] ? ": " : "", text);
}

static int name_both(struct opts *o)
{
	for (unsigned i = 0; i < 2; i++) {
		o->paths[i] = cmd_device(&o->cmd, o->specs[i]);
		if (!o->paths[i])
			return EXIT_FAILED;
	}
	if (cache_probe_same(o->paths[0], o->paths[1]))
		return cmd_fail(&o->cmd, o->paths[1], "is the source too: a clone needs another device");
	return 0;
}

static int open_source(struct opts *o)
{
	int (*open)(struct cmd *c, const char *path, bool look, struct cache_dev **dev) =
		o->retire ? cmd_open : cmd_open_source;
	struct cache_err err = { 0 };

	if (open(&o->cmd, o->paths[0], o->run.look, &o->devs[0]))
		return EXIT_FAILED;
	if (cache_image_is(o->devs[0]))
		return cmd_error(&o->cmd, o->paths[0], cache_err_set(&err, -EINVAL, 0,
				 "a metadata image has no data that could be cloned"), &err);
	return cmd_is_foreign(&o->cmd, o->devs[0]) ? EXIT_FAILED : 0;
}

/* What a format asks: what is on the target, and whether it may go. */
static int ask(struct opts *o)
{
	struct make mk = { .cmd = o->cmd, .m = { .size = sizeof(struct cache_mkcache),
					       .devs = &o->target_dev, .ndevs = 1 },
			   .targets = &o->target, .force = o->wipe_target, .dry_run = o->run.look };
	struct cache_err err = { 0 };
	int ret;

	o->target_dev = (struct cache_mkcache_dev){ .dev = o->devs[1] };
	o->target_dev.has_old = cache_probe_super(o->devs[1], &o->target_dev.old);
	o->target = (struct make_target){ .name = o->paths[1], .path = o->paths[1] };
	o->target.sig = calloc(CACHE_PROBE_MAX, sizeof(*o->target.sig));
	if (!o->target.sig)
		return cmd_error(&o->cmd, o->paths[1], -ENOMEM, NULL);
	ret = cache_probe(o->devs[1], o->target.sig, &o->target.nsig, &err);
	if (ret)
		return cmd_error(&o->cmd, o->paths[1], ret, &err);
	ret = make_ask(&mk);
	o->cmd = mk.cmd;	/* its report may have been opened */
	return ret;
}

static int open_both(struct opts *o)
{
	int ret = open_source(o);

	if (!ret && cmd_open(&o->cmd, o->paths[1], o->run.look, &o->devs[1]))
		ret = EXIT_FAILED;
	return ret ? ret : ask(o);
}

/* That of the target, and that of the source if it is retired. */
static int save_undo(struct opts *o)
{
	int ret = 0;

	if (!o->undo || o->run.look)
		return 0;
	ret = cmd_undo(&o->cmd, &o->devs[1], o->undo, 0);
	if (!ret && o->retire)
		ret = cmd_undo(&o->cmd, &o->devs[0], o->undo, 1);
	o->creates_undo = !ret;
	return ret;
}

static void end_undo(struct opts *o, const struct cache_clone_result *res)
{
	if (!o->creates_undo)
		return;
	if (res->erased)
		cmd_undo_note(&o->cmd, o->paths[1], o->undo, 0);
	else
		cmd_undo_forget(o->undo, 0);
	if (o->show.retired)
		cmd_undo_note(&o->cmd, o->paths[0], o->undo, 1);
	else if (o->retire)
		cmd_undo_forget(o->undo, 1);
}

/* The source has a successor: without a superblock no kernel starts it. */
static int retire(struct opts *o, const struct cache_clone_result *res)
{
	struct cache_err err = { 0 };
	void *zeros;
	int ret;

	if (!o->retire || !res->done)
		return 0;
	zeros = cache_dev_buf(CACHE_SB_BYTES);
	ret = zeros ? cache_dev_write(o->devs[0], CACHE_SB_SECTOR,
				      CACHE_SB_BYTES / CACHE_SECTOR_BYTES, zeros, &err) : -ENOMEM;
	cache_dev_buf_free(zeros);
	if (!ret)
		ret = cache_dev_flush(o->devs[0], &err);
	o->show.retired = !ret;
	return ret ? cmd_error(&o->cmd, o->paths[0], ret, &err) : 0;
}

static int status_of(const struct opts *o, const struct cache_clone_result *res)
{
	bool incomplete = res->damaged || o->show.no_memory;

	for (size_t i = 0; i < o->show.nfailed; i++)
		incomplete |= o->show.failed[i].f.dirty;
	return incomplete ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct opts *o)
{
	struct cache_clone_result res = { 0 };
	struct cache_err err = { 0 };
	int ret, status;

	o->show.losses = (struct fsck_losses){ .cmd = &o->cmd, .paths = o->paths, .devs = o->devs,
					       .n = 1 };
	ret = cache_clone_run(o->devs[0], o->devs[1], &o->run, &res, &err);
	cmd_progress_end(&o->progress);
	status = retire(o, &res);
	clone_show_result(&o->show, &res);
	if (!status)
		status = status_of(o, &res);
	if (ret == -ECANCELED)
		status = cmd_fail(&o->cmd, o->paths[1], res.erased ? "cancelled: it is no bcache device; make the clone again" :
				  "cancelled, nothing was changed");
	else if (ret)
		status = cmd_error(&o->cmd, NULL, ret, &err);
	if (ret && ret != -ECANCELED && res.erased)
		cmd_warn(&o->cmd, o->paths[1], "what was on it is erased: it is no bcache device");
	end_undo(o, &res);
	cache_clone_fini(&res);
	return status;
}

static void fini(struct opts *o)
{
	for (unsigned i = 0; i < 2; i++) {
		cache_dev_close(o->devs[i]);
		free(o->paths[i]);
	}
	free(o->target.sig);
	free(o->target.dirty);
	clone_show_fini(&o->show);
}

int cache_clone_main(int argc, char **argv)
{
	struct opts o = { .cmd = CMD_INIT, .progress_fd = -1, .run = {
		.note = on_note, .planned = on_planned, .left = on_left, .failed = on_failed,
		.loss = on_loss, .progress = on_progress } };
	int status;

	o.run.ctx = &o;
	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	if (!o.has_seed)
		o.run.seed = cmd_random_seed(&o.cmd);
	cmd_catch_cancel();
	status = name_both(&o);
	if (!status)
		status = open_both(&o);
	if (!status)
		status = save_undo(&o);
	if (!status) {
		o.show.cmd = &o.cmd;
		memcpy(o.show.paths, o.paths, sizeof(o.paths));
		o.show.look = o.run.look;
		o.show.keep_uuid = o.run.keep_uuid;
		cmd_progress_init(&o.progress, &o.cmd, o.paths[0], o.progress_fd, 0);
		status = run(&o);
	}
	fini(&o);
	return cmd_end(&o.cmd, status);
}
