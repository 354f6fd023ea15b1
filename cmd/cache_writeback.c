// SPDX-License-Identifier: GPL-2.0-only
/* cache-writeback: dirty data copied to its backing devices, without the kernel. */
#include "applet.h"
#include "undo.h"
#include "writeback_export.h"

#include "host/ids.h"
#include "host/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_LIST = 256, OPT_DROP, OPT_DETACH, OPT_VERIFY, OPT_FORCE, OPT_EXPORT, OPT_VOLUME,
       OPT_FAILED_LIST, OPT_SEED };

struct opts {
	struct cmd cmd;
	struct cache_writeback_opts run;
	struct writeback_show show;
	struct cmd_progress progress;
	bool dry_run, has_seed, creates_undo;
	int progress_fd;
	const char *undo, *failed_list;
	uint8_t volume[16];
	bool has_volume;
	char **specs;			/* as typed: the cache device, then backing devices */
	char **paths;
	unsigned n, ndevs;
	struct cache_dev **devs, **supers;	/* supers: of the backing devices */
	struct writeback_export export;
};

static const struct argp_option options[] = {
	{ "dry-run", 'n', NULL, 0, "write nothing: say what is dirty, device by device" },
	{ "list", OPT_LIST, NULL, 0, "as -n, with every dirty range" },
	{ "drop", OPT_DROP, NULL, 0, "take what was written back out of the cache; default: it "
	  "stays there as clean data" },
	{ "detach", OPT_DETACH, NULL, 0, "afterwards the backing devices leave the cache set and "
	  "run without it" },
	{ "verify", OPT_VERIFY, NULL, 0, "read back what was written and compare" },
	{ "force", OPT_FORCE, NULL, 0, "of a damaged set copy what is certain; the cache device is "
	  "only read" },
	{ "export", OPT_EXPORT, "FILE", 0, "copy the dirty data to a new sparse FILE instead; no "
	  "device is written to" },
	{ "volume", OPT_VOLUME, "UUID", 0, "with --export: of that device or flash volume" },
	{ "failed-list", OPT_FAILED_LIST, "FILE", 0, "list what could not be copied in FILE, and in "
	  "FILE.map the bad sectors of the cache for ddrescue" },
	CMD_UNDO_OPTION,
	CMD_PROGRESS_OPTION,
	{ "seed", OPT_SEED, "N", 0, "seed of the new btree nodes; default: a new one" },
	{ }
};

static void check_usage(struct opts *o, struct argp_state *state)
{
	if (!o->n)
		argp_error(state, "no device given");
	if (o->has_volume && !o->export.file)
		argp_error(state, "--volume goes with --export");
	if (o->export.file && (o->run.drop || o->run.detach || o->undo))
		argp_error(state, "--export writes to no device: no --drop, --detach or --undo");
	if (o->export.file && !o->has_volume && o->n != 2)
		argp_error(state, "--export is for one device: name its backing device, or use --volume");
	if (o->run.force && o->run.drop)
		argp_error(state, "only one of --force and --drop may be given: with the first the "
			   "cache is only read");
	o->run.look = o->dry_run || o->show.all_ranges;
}

static void add_spec(struct opts *o, char *arg, struct argp_state *state)
{
	char **specs = reallocarray(o->specs, o->n + 1, sizeof(*specs));

	if (!specs)
		argp_failure(state, EXIT_FAILED, ENOMEM, "too many devices");
	o->specs = specs;
	o->specs[o->n++] = arg;
}

static error_t parse_flag(struct opts *o, int key)
{
	switch (key) {
	case 'n':
		o->dry_run = true;
		return 0;
	case OPT_LIST:
		o->show.all_ranges = true;
		return 0;
	case OPT_DROP:
		o->run.drop = true;
		return 0;
	case OPT_DETACH:
		o->run.detach = true;
		return 0;
	case OPT_VERIFY:
		o->run.verify = true;
		return 0;
	case OPT_FORCE:
		o->run.force = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case 'z':
		o->undo = arg;
		return 0;
	case 'C':
		o->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	case OPT_EXPORT:
		o->export.file = arg;
		return 0;
	case OPT_VOLUME:
		if (cache_uuid_parse(arg, o->volume))
			argp_error(state, "volume: '%s', expected a UUID", arg);
		o->has_volume = true;
		return 0;
	case OPT_FAILED_LIST:
		o->failed_list = arg;
		return 0;
	case OPT_SEED:
		o->run.seed = cmd_arg_number(state, "seed", arg);
		o->has_seed = true;
		return 0;
	case ARGP_KEY_ARG:
		add_spec(o, arg, state);
		return 0;
	case ARGP_KEY_END:
		check_usage(o, state);
		return 0;
	}
	return parse_flag(o, key);
}

static const struct argp argp = {
	options, parse, "CACHE [BACKING...]",
	"Copy the dirty data of a cache set to its backing devices, without the kernel: first the "
	"data, then a flush, and only then one commit to the cache, after which it is clean, and "
	"the superblocks of the backing devices."
	"\vBacking devices that are not named are found by libblkid. A power cut at any moment "
	"leaves all data: run it again. -n and --list write nothing."
};

static const char *pass_name(unsigned pass)
{
	switch (pass) {
	case CACHE_WRITEBACK_PASS_COPY:
		return "copy";
	case CACHE_WRITEBACK_PASS_VERIFY:
		return "verify";
	case CACHE_REPAIR_PASS_WRITE:
		return "commit";
	default:
		return "load";
	}
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct opts *o = ctx;

	if (pass >= CACHE_WRITEBACK_PASS_COPY)
		cmd_progress_switch(&o->progress, o->paths[0], CACHE_SECTOR_BYTES);
	cmd_progress(&o->progress, pass, pass_name(pass), current, max);
	return cmd_cancelled();
}

static void on_devices(void *ctx, const struct cache_writeback_device *list, unsigned n)
{
	struct opts *o = ctx;

	cmd_progress_end(&o->progress);
	writeback_show_devices(&o->show, list, n);
}

static void on_range(void *ctx, const struct cache_writeback_device *d, uint64_t start,
		     uint64_t end, enum cache_writeback_range what)
{
	struct opts *o = ctx;

	if (o->run.look)
		writeback_show_range(&o->show, d, start, end);
	else
		writeback_export_range(&o->export, d, start, end, what);
}

static void on_failed(void *ctx, const struct cache_writeback_device *d,
		      const struct cache_writeback_failure *f)
{
	writeback_show_failed(&((struct opts *)ctx)->show, d, f);
}

static void on_loss(void *ctx, unsigned dev, const struct cache_repair_loss *loss)
{
	cache_losses_add(&((struct opts *)ctx)->show.losses.all, 0, loss);
}

static int on_create(void *ctx, const struct cache_writeback_device *d, uint64_t sectors,
		     struct cache_dev **dev, struct cache_err *err)
{
	return writeback_export_create(&((struct opts *)ctx)->export, d, sectors, dev, err);
}

static int add_found(void *ctx, const char *path, const struct cache_sb *sb)
{
	struct opts *o = ctx;
	char **paths;

	if (!cache_sb_is_bdev(sb))
		return 0;
	paths = reallocarray(o->paths, o->n + 2, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	o->paths = paths;
	o->paths[o->n] = strdup(path);
	if (!o->paths[o->n])
		return -ENOMEM;
	cmd_note(&o->cmd, 0, "backing device %s", path);
	o->n++;
	return 0;
}

/* None was named: those of the set that this machine has. */
static int find_backing(struct opts *o, struct cache_dev *cache)
{
	struct cache_sb sb;
	int ret;

	if (o->n > 1 || o->export.file || cache_sb_read(cache, &sb, NULL) || !cache_sb_has_magic(&sb) ||
	    cache_sb_is_bdev(&sb))
		return 0;
	ret = cache_probe_set(sb.set_uuid, add_found, o);
	if (ret)
		return cmd_error(&o->cmd, o->paths[0], ret, NULL);
	if (o->n == 1 && !o->run.look)
		return cmd_fail(&o->cmd, o->paths[0], "no backing device of its set was found: name them");
	return 0;
}

static int name_all(struct opts *o)
{
	o->paths = calloc(o->n + 1, sizeof(*o->paths));
	if (!o->paths)
		return cmd_error(&o->cmd, NULL, -ENOMEM, NULL);
	for (unsigned i = 0; i < o->n; i++) {
		o->paths[i] = cmd_device(&o->cmd, o->specs[i]);
		if (!o->paths[i])
			return EXIT_FAILED;
		for (unsigned j = 0; j < i; j++)
			if (cache_probe_same(o->paths[i], o->paths[j]))
				return cmd_fail(&o->cmd, o->paths[i], "was given twice");
	}
	return 0;
}

/*
 * The cache is read only with --force, and nothing is written with -n and --export. Who looks may
 * see a device in use; an export of one would be of no moment that ever was.
 */
static int open_one(struct opts *o, unsigned i)
{
	bool reads = o->run.look || o->export.file;
	int ret;

	if (reads || (!i && o->run.force))
		ret = cmd_open_source(&o->cmd, o->paths[i], o->run.look, &o->devs[i]);
	else
		ret = cmd_open(&o->cmd, o->paths[i], false, &o->devs[i]);
	if (ret)
		return EXIT_FAILED;
	return cmd_is_foreign(&o->cmd, o->devs[i]) ? EXIT_FAILED : 0;
}

/* For all that were named or found; those that are open already stay. */
static int grow_lists(struct opts *o)
{
	struct cache_dev **devs = reallocarray(o->devs, o->n + 1, sizeof(*devs));

	if (devs)
		o->devs = devs;
	free(o->supers);
	o->supers = calloc(o->n + 1, sizeof(*o->supers));
	if (!devs || !o->supers)
		return cmd_error(&o->cmd, NULL, -ENOMEM, NULL);
	while (o->ndevs < o->n)
		o->devs[o->ndevs++] = NULL;
	return 0;
}

/* --export without --volume is for the one backing device. */
static void choose_export(struct opts *o)
{
	struct cache_sb sb;

	if (!o->export.file || o->has_volume || cache_sb_read(o->devs[1], &sb, NULL))
		return;
	memcpy(o->volume, sb.uuid, sizeof(o->volume));
	o->run.export_uuid = o->volume;
}

static int open_all(struct opts *o)
{
	int ret = grow_lists(o);

	if (!ret)
		ret = open_one(o, 0);
	if (!ret)
		ret = find_backing(o, o->devs[0]);
	if (!ret)
		ret = grow_lists(o);
	for (unsigned i = 1; i < o->n && !ret; i++)
		ret = open_one(o, i);
	if (!ret)
		choose_export(o);
	return ret;
}

/* Of the cache all is metadata that is written; of a backing device its superblock alone is saved. */
static int save_undo(struct opts *o)
{
	struct cache_err err = { 0 };
	int ret = 0;

	if (!o->undo || o->run.look || o->run.force)
		return 0;
	ret = cmd_undo(&o->cmd, &o->devs[0], o->undo, 0);
	for (unsigned i = 1; i < o->n && !ret; i++) {
		ret = cache_dev_borrow(o->devs[i], &o->supers[i - 1], &err);
		if (ret)
			return cmd_error(&o->cmd, o->paths[i], ret, &err);
		ret = cmd_undo(&o->cmd, &o->supers[i - 1], o->undo, i);
	}
	o->creates_undo = !ret;
	return ret;
}

static void end_undo(struct opts *o, const struct cache_writeback_result *res)
{
	for (unsigned i = 0; i < o->n && o->creates_undo; i++) {
		if (!res->committed)
			cmd_undo_forget(o->undo, i);
		else
			cmd_undo_note(&o->cmd, o->paths[i], o->undo, i);
	}
}

static int status_of(const struct opts *o, const struct cache_writeback_result *res)
{
	bool incomplete = res->damaged || res->cancelled || o->show.nfailed || o->show.no_memory;

	for (unsigned i = 0; i < res->n && !o->run.look; i++)
		incomplete |= res->devices[i].backing >= 0 && res->devices[i].left_sectors;
	return incomplete ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct opts *o)
{
	struct cache_writeback_result res = { 0 };
	struct cache_err err = { 0 };
	int ret, status;

	o->run.backing = o->devs + 1;
	o->run.nbacking = o->n - 1;
	o->run.supers = o->creates_undo ? o->supers : NULL;
	o->show.paths = o->paths;
	o->show.npaths = o->n;
	o->show.cache_sectors = cache_dev_sectors(o->devs[0]);
	o->show.losses = (struct fsck_losses){ .cmd = &o->cmd, .paths = o->paths, .devs = o->devs,
					       .n = o->n };
	o->export.backing = o->export.file && !o->has_volume ? o->paths[1] : NULL;
	ret = cache_writeback_run(o->devs[0], &o->run, &res, &err);
	cmd_progress_end(&o->progress);
	writeback_show_result(&o->show, &res, ret);
	status = status_of(o, &res);
	if (ret == -ECANCELED || (res.cancelled && o->export.file))
		status = cmd_fail(&o->cmd, o->paths[0], o->export.file ? "cancelled, no export was made" :
				  "cancelled, nothing was changed");
	else if (ret)
		status = cmd_error(&o->cmd, NULL, ret, &err);
	else if (res.cancelled)
		cmd_warn(&o->cmd, o->paths[0], "cancelled: what was copied is clean; run it again for the rest");
	if (o->failed_list && o->show.nfailed && writeback_show_failed_list(&o->show, o->failed_list))
		status = EXIT_FAILED;
	if (writeback_export_end(&o->export, !ret && !res.cancelled,
				 o->export.backing ? cache_dev_sectors(o->devs[1]) : 0))
		status = EXIT_FAILED;
	end_undo(o, &res);
	cache_writeback_fini(&res);
	return status;
}

static void fini(struct opts *o)
{
	for (unsigned i = 0; i < o->ndevs && o->supers; i++)
		cache_dev_close(o->supers[i]);
	for (unsigned i = 0; i < o->ndevs; i++)
		cache_dev_close(o->devs[i]);
	for (unsigned i = 0; i < o->n && o->paths; i++)
		free(o->paths[i]);
	writeback_export_fini(&o->export);
	writeback_show_fini(&o->show);
	free(o->supers);
	free(o->devs);
	free(o->paths);
	free(o->specs);
}

int cache_writeback_main(int argc, char **argv)
{
	struct opts o = { .cmd = CMD_INIT, .progress_fd = -1, .run = {
		.create = on_create, .devices = on_devices, .range = on_range,
		.failed = on_failed, .loss = on_loss, .progress = on_progress } };
	int status;

	o.run.ctx = &o;
	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	if (!o.has_seed)
		o.run.seed = cmd_random_seed(&o.cmd);
	o.show.cmd = &o.cmd;
	o.show.look = o.run.look;
	o.show.detach = o.run.detach;
	o.show.force = o.run.force;
	o.show.export = o.export.file;
	o.export.cmd = &o.cmd;
	o.export.show = &o.show;
	o.run.export_uuid = o.has_volume ? o.volume : NULL;
	cmd_catch_cancel();
	status = name_all(&o);
	if (!status && o.failed_list)
		status = writeback_show_failed_check(&o.show, o.failed_list);
	if (!status)
		status = open_all(&o);
	if (!status)
		status = save_undo(&o);
	if (!status && o.run.look && !o.failed_list)
		cmd_confine();
	if (!status) {
		cmd_progress_init(&o.progress, &o.cmd, o.paths[0], o.progress_fd, 0);
		status = run(&o);
	}
	fini(&o);
	return cmd_end(&o.cmd, status);
}
