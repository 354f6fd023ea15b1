// SPDX-License-Identifier: GPL-2.0-only
/* cache-fsck: check a cache set and repair it, with the words and exit status of fsck(8). */
#include "applet.h"
#include "common.h"
#include "fsck_losses.h"
#include "fsck_show.h"
#include "kernels.h"
#include "undo.h"

#include <libcache/device.h>
#include "host/ids.h"
#include <libcache/superblock.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DROP_MAX	64

enum mode { MODE_ASK, MODE_LOOK = 'n', MODE_PREEN = 'p', MODE_YES = 'y' };
enum { OPT_LOSS = 0x100, OPT_DROP, OPT_DRY, OPT_SEED, OPT_GUESS, OPT_DISCARD, OPT_LOSSES, OPT_FOLD,
       OPT_KERNEL };

struct opts {
	struct cmd cmd;
	struct cmd_kernels kernels;
	enum mode mode;
	bool timing, allow_data_loss, dry_run, guess, clear_discard, fold;
	int progress_fd;
	const char *undo, *losses;
	uint64_t seed;
	uint8_t drop[DROP_MAX][16];
	unsigned ndrop;
	char **specs;
	unsigned n;
};

struct run {
	struct opts *o;
	char **paths;
	struct cache_dev **devs;	/* open to read */
	struct cache_repair_result *results;
	struct fsck_findings findings, left;	/* of the first check, of the second */
	struct fsck_losses losses;
	unsigned losses_shown;		/* device of which they were, before the question */
	struct cmd_progress progress;
	unsigned progress_dev;
	bool failed;			/* a device could not be opened to be repaired */
};

static const struct argp_option options[] = {
	{ NULL, 'n', NULL, 0, "only look: open read-only, answer no to everything" },
	{ NULL, 'p', NULL, 0, "repair without asking, where nothing dirty can be lost" },
	{ NULL, 'a', NULL, 0, "the same as -p" },
	{ NULL, 'y', NULL, 0, "repair without asking; dirty data that can be read is never dropped" },
	{ "dry-run", OPT_DRY, NULL, 0, "show what repairing would do, write nothing" },
	{ "allow-data-loss", OPT_LOSS, NULL, 0, "drop dirty data that cannot be right where it is" },
	{ "guess", OPT_GUESS, NULL, 0, "where nothing proves a field of the superblock, take what is likely" },
	{ "drop-device", OPT_DROP, "UUID", 0, "give up the dirty data of this backing device" },
	{ "clear-discard", OPT_DISCARD, NULL, 0, "switch off the discards of the cache device" },
	{ "fold-journal", OPT_FOLD, NULL, 0, "replay the journal into a new tree and leave it empty, "
	  "of a set that is clean too" },
	{ "seed", OPT_SEED, "N", 0, "seed of the random numbers in new btree nodes" },
	{ "losses", OPT_LOSSES, "FILE", 0, "write what is lost, or in doubt, to FILE as tab-separated values" },
	{ "kernel", OPT_KERNEL, CMD_KERNEL_ARG, 0, CMD_KERNEL_DOC },
	CMD_UNDO_OPTION,
	{ "force", 'f', NULL, 0, "check even what looks clean; every check here is a whole one" },
	{ NULL, 't', NULL, 0, "say how long it took" },
	{ NULL, 'C', "FD", 0, "write progress lines \"pass current max device\" to FD; 0: draw a bar" },
	{ }
};

static void set_mode(struct opts *o, enum mode mode, struct argp_state *state)
{
	if (o->mode != MODE_ASK && o->mode != mode)
		argp_error(state, "only one of -n, -p (or -a) and -y may be given");
	o->mode = mode;
}

static void add_drop(struct opts *o, const char *arg, struct argp_state *state)
{
	if (o->ndrop == DROP_MAX)
		argp_error(state, "at most %d devices can be dropped at once", DROP_MAX);
	if (cache_uuid_parse(arg, o->drop[o->ndrop]))
		argp_error(state, "device to drop is \"%s\", expected a UUID", arg);
	o->ndrop++;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case 'n':
	case 'p':
	case 'y':
		set_mode(o, key, state);
		return 0;
	case 'a':
		set_mode(o, MODE_PREEN, state);
		return 0;
	case 'f':
		return 0;
	case 't':
		o->timing = true;
		return 0;
	case 'C':
		o->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	case OPT_LOSS:
		o->allow_data_loss = true;
		return 0;
	case OPT_GUESS:
		o->guess = true;
		return 0;
	case OPT_DISCARD:
		o->clear_discard = true;
		return 0;
	case OPT_FOLD:
		o->fold = true;
		return 0;
	case OPT_DRY:
		o->dry_run = true;
		return 0;
	case OPT_SEED:
		o->seed = cmd_arg_number(state, "seed", arg);
		return 0;
	case OPT_LOSSES:
		o->losses = arg;
		return 0;
	case OPT_KERNEL:
		cmd_kernels_arg(&o->kernels, arg, state);
		return 0;
	case 'z':
		o->undo = arg;
		return 0;
	case OPT_DROP:
		add_drop(o, arg, state);
		return 0;
	case ARGP_KEY_ARGS:
		o->specs = state->argv + state->next;
		o->n = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no device given");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options, parse, "DEV...",
	"Check a bcache cache device, and backing devices alone or with it: superblock, "
	"journal, priorities, uuid table, btree and every bucket; say what the kernel will "
	"do with the set at its next start; and repair it."
	"\vWithout -n, -p or -y it asks before it repairs. Exit status is the sum of: 0 clean, "
	"1 errors corrected, 4 errors left, 8 operational error, 16 usage, 32 cancelled."
};

static void on_finding(void *ctx, unsigned dev, bool again, const struct cache_finding *f)
{
	struct run *r = ctx;

	fsck_findings_add(again ? &r->left : &r->findings, dev, f);
	if (r->o->cmd.json || again)
		return;
	cmd_progress_end(&r->progress);
	fsck_show_finding(&r->o->cmd, cmd_report(&r->o->cmd), r->paths[dev], f);
}

/* One word for people. */
static const char *pass_name(unsigned pass)
{
	switch (pass) {
	case CACHE_PASS_JOURNAL:
		return "journal";
	case CACHE_PASS_PRIOS:
		return "prios";
	case CACHE_PASS_BTREE:
		return "nodes";
	case CACHE_PASS_BUCKETS:
		return "extents";
	case CACHE_REPAIR_PASS_DOUBT:
		return "doubts";
	case CACHE_REPAIR_PASS_COLLECT:
		return "collecting";
	case CACHE_REPAIR_PASS_SCAN:
		return "searching";
	default:
		return "writing";
	}
}

static int on_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	struct run *r = ctx;

	if (!pass)	/* between two devices */
		return cmd_cancelled();
	if (r->progress_dev != dev) {
		cmd_progress_init(&r->progress, &r->o->cmd, r->paths[dev],
				  r->o->progress_fd, 0);
		r->progress_dev = dev;
	}
	cmd_progress(&r->progress, pass, pass_name(pass), current, max);
	return cmd_cancelled();
}

static void on_loss(void *ctx, unsigned dev, const struct cache_repair_loss *loss)
{
	struct run *r = ctx;

	cache_losses_add(&r->losses.all, dev, loss);
}

static void show_losses(struct run *r, unsigned dev, bool done)
{
	cmd_progress_end(&r->progress);
	if (!r->o->cmd.json && r->losses_shown != dev)
		fsck_losses_text(&r->losses, dev, done);
	r->losses_shown = dev;
}

static void on_unread(void *ctx, unsigned dev, uint64_t bucket)
{
	struct run *r = ctx;

	cmd_progress_end(&r->progress);
	cmd_warn(&r->o->cmd, r->paths[dev], "bucket %" PRIu64 " cannot be read: if a node "
		 "is there that nothing leads to, its dirty data is missed", bucket);
}

static void on_field(void *ctx, unsigned dev, const struct cache_repair_field *f)
{
	struct run *r = ctx;
	char was[24], now[24];

	snprintf(was, sizeof(was), f->was > UINT32_MAX ? "0x%" PRIx64 : "%" PRIu64, f->was);
	snprintf(now, sizeof(now), f->now > UINT32_MAX ? "0x%" PRIx64 : "%" PRIu64, f->now);
	cmd_note(&r->o->cmd, 0, "%s: superblock %s was %s, should be %s: %s%s",
		 r->paths[dev], f->name, was, now, f->proof,
		 f->guessed ? ", which is no proof" : "");
}

static void on_slot(void *ctx, unsigned dev, const struct cache_repair_slot *slot)
{
	struct run *r = ctx;
	char uuid[CACHE_UUID_TEXT_BYTES];

	cache_uuid_format(slot->uuid, uuid);
	cmd_progress_end(&r->progress);
	cmd_note(&r->o->cmd, 0, "%s: slot %" PRIu32 " of the uuid table is that of %s: %s",
		 r->paths[dev], slot->index, uuid, slot->proof);
}

static bool confirm_super(const struct run *r, unsigned dev, const struct cache_repair_plan *p)
{
	char prompt[256];

	snprintf(prompt, sizeof(prompt), "%s: %s%s%s?", r->paths[dev],
		 p->super ? "rewrite the superblock" : "",
		 p->super && p->wipe_old_ring ? ", and " : "",
		 p->wipe_old_ring ? "wipe the journal of an earlier format" : "");
	return cmd_ask(prompt);
}

static bool on_confirm(void *ctx, unsigned dev, const struct cache_repair_plan *p)
{
	struct run *r = ctx;
	char prompt[256], kept[CACHE_HUMAN_BYTES], dirty[CACHE_HUMAN_BYTES],
	     gone[CACHE_HUMAN_BYTES];

	cmd_progress_end(&r->progress);
	if (!p->rebuild && !p->clear_discard)
		return confirm_super(r, dev, p);
	show_losses(r, dev, false);
	if (!p->rebuild)
		snprintf(prompt, sizeof(prompt), "%s: clear the discard bit?", r->paths[dev]);
	else
		snprintf(prompt, sizeof(prompt),
			 "%s: keep %s (%s dirty), drop %s of clean data, write a new tree and one journal entry%s?",
			 r->paths[dev], cache_bytes_show(kept, p->kept_sectors * 512),
			 cache_bytes_show(dirty, p->kept_dirty_sectors * 512),
			 cache_bytes_show(gone, p->dropped_clean_sectors * 512),
			 p->clear_discard ? ", then clear the discard bit" : "");
	return cmd_ask(prompt);
}

/* -y */
static bool agree(void *ctx, unsigned dev, const struct cache_repair_plan *p)
{
	return true;
}

static uint64_t random_seed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	/* a number that every JSON reader can hold */
	return ((uint64_t)t.tv_sec * 1000000000 + t.tv_nsec) & ((UINT64_C(1) << 53) - 1);
}

static void say_why_not(struct run *r, unsigned i, const struct cache_repair_result *res)
{
	if (res->declined && r->o->mode == MODE_PREEN && !cmd_cancelled())
		cmd_warn(&r->o->cmd, r->paths[i],
			 "not repaired: dirty data may have been lost; look with -n, then use -y");
	else if (res->declined)
		cmd_warn(&r->o->cmd, r->paths[i], "left as it is");
	else
		cmd_error(&r->o->cmd, r->paths[i], res->ret, &res->err);
}

/* What stopped half-way may have written: only who said no, and to all of it, wrote nothing. */
static void end_undo(struct run *r, unsigned i, const struct cache_repair_result *res)
{
	if (!r->o->undo || r->o->dry_run)
		return;
	if (res->declined && !res->done)
		cmd_undo_forget(r->o->undo, i);
	else
		cmd_undo_note(&r->o->cmd, r->paths[i], r->o->undo, i);
}

static void on_repaired(void *ctx, unsigned i, const struct cache_repair_result *res)
{
	struct run *r = ctx;
	const struct cache_repair_plan *p = &res->plan;

	show_losses(r, i, res->done && !res->ret);
	end_undo(r, i, res);
	if (res->ret) {
		say_why_not(r, i, res);
		return;
	}
	if (p->drop_all_clean)
		cmd_warn(&r->o->cmd, r->paths[i],
			 "the newest writes may be missing: what is lost named ranges that are not known");
	if (p->root_lost)
		cmd_warn(&r->o->cmd, r->paths[i],
			 "dirty data may be missing: the root of the btree is lost, and nobody knows all nodes that it led to");
	if (p->cannot)
		cmd_warn(&r->o->cmd, r->paths[i], "%s", p->cannot);
}

/* Opened anew: what was checked is open to read. */
static int on_open(void *ctx, unsigned i, struct cache_dev **dev, struct cache_err *err)
{
	struct run *r = ctx;
	struct opts *o = r->o;
	int ret;

	if (o->dry_run) {
		ret = cmd_open_to_read(r->paths[i], dev, err);
		if (ret)
			cmd_error(&o->cmd, r->paths[i], ret, err);
	} else {
		ret = cmd_open(&o->cmd, r->paths[i], false, dev);
	}
	if (!ret && o->undo && !o->dry_run && cmd_undo(&o->cmd, dev, o->undo, i))
		ret = -EIO;
	r->failed |= ret;
	return ret;
}

static void on_close(void *ctx, unsigned i, struct cache_dev *dev)
{
	cache_dev_close(dev);
}

/* What failed is not the set: a read, a write, memory, the undo file, an option. */
static bool is_operational(int ret)
{
	switch (ret) {
	case -EIO:
	case -ENOMEM:
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
	case -EROFS:
	case -EINVAL:
		return true;
	default:
		return false;
	}
}

static int status_of(const struct run *r)
{
	int status = r->failed ? FSCK_ERROR : FSCK_CLEAN;

	for (unsigned i = 0; i < r->o->n; i++) {
		const struct cache_fsck_result *last = &r->results[i].after;

		if ((last->ret && last->ret != -ECANCELED) || is_operational(r->results[i].ret))
			status |= FSCK_ERROR;
		if (last->count[CACHE_SEVERITY_WARN] || last->count[CACHE_SEVERITY_CORRUPT])
			status |= FSCK_UNCORRECTED;
		if (r->results[i].done)
			status |= FSCK_CORRECTED;
	}
	return status;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void show(struct run *r, double seconds)
{
	const struct fsck_show s = {
		.cmd = &r->o->cmd, .paths = r->paths, .n = r->o->n, .results = r->results,
		.findings = &r->findings, .left = &r->left, .losses = &r->losses,
		.seconds = seconds, .guess = r->o->guess, .seed = r->o->seed,
		.undo = r->o->dry_run ? NULL : r->o->undo, .kernels = &r->o->kernels };

	if (r->o->cmd.json) {
		fsck_show_json(&s);
		return;
	}
	fsck_show_text(&s);
	if (r->o->timing)
		cache_report_line(cmd_report(&r->o->cmd), "checked in %.3f s", seconds);
}

static int open_all(struct run *r)
{
	struct cache_err err = { 0 };
	int ret = 0;

	for (unsigned i = 0; i < r->o->n && !ret; i++) {
		ret = cmd_open_to_read(r->paths[i], &r->devs[i], &err);
		if (ret)
			cmd_error(&r->o->cmd, r->paths[i], ret, &err);
		else if (cmd_is_foreign(&r->o->cmd, r->devs[i]))
			ret = -EEXIST;
	}
	return ret;
}

static int check_and_repair(struct run *r)
{
	const struct opts *o = r->o;
	struct cache_repair_opts opts = { .size = sizeof(opts),
		.look_only = o->mode == MODE_LOOK, .safe_only = o->mode == MODE_PREEN && !o->dry_run,
		.allow_data_loss = o->allow_data_loss, .dry_run = o->dry_run, .guess = o->guess,
		.clear_discard = o->clear_discard, .fold_journal = o->fold, .seed = o->seed,
		.eras = o->kernels.eras,
		.drop_uuids = (const uint8_t (*)[16])o->drop, .ndrop_uuids = o->ndrop,
		.finding = on_finding, .loss = on_loss, .unread = on_unread,
		.progress = on_progress, .field = on_field, .slot = on_slot, .open = on_open,
		.close = on_close, .repaired = on_repaired, .ctx = r };

	if (!o->dry_run && o->mode != MODE_PREEN)
		opts.confirm = o->mode == MODE_ASK ? on_confirm : agree;
	return cache_repair_run(r->devs, o->n, &opts, r->results);
}

static int check(struct run *r)
{
	double start = now();
	int ret, status;

	if (open_all(r) || fsck_losses_open(&r->losses, r->o->losses))
		return FSCK_ERROR;
	if (r->o->mode == MODE_LOOK && !r->o->dry_run)
		cmd_confine();
	ret = check_and_repair(r);
	cmd_progress_end(&r->progress);
	if (ret && ret != -ECANCELED)
		cmd_error(&r->o->cmd, NULL, ret, NULL);
	status = status_of(r);
	show(r, now() - start);
	if (fsck_losses_close(&r->losses))
		status |= FSCK_ERROR;
	if (ret == -ECANCELED || cmd_cancelled()) {
		cmd_warn(&r->o->cmd, NULL, "cancelled");
		return status | FSCK_CANCELLED;
	}
	return ret ? status | FSCK_ERROR : status;
}

static int name_all(struct run *r)
{
	for (unsigned i = 0; i < r->o->n; i++) {
		r->paths[i] = cmd_device(&r->o->cmd, r->o->specs[i]);
		if (!r->paths[i])
			return FSCK_ERROR;
		cmd_warn_in_use(&r->o->cmd, r->paths[i]);
	}
	return 0;
}

static void fini(struct run *r)
{
	for (unsigned i = 0; r->devs && i < r->o->n; i++)
		cache_dev_close(r->devs[i]);
	for (unsigned i = 0; r->paths && i < r->o->n; i++)
		free(r->paths[i]);
	cache_losses_fini(&r->losses.all);
	fsck_findings_fini(&r->findings);
	fsck_findings_fini(&r->left);
	free(r->devs);
	free(r->paths);
	free(r->results);
}

static int run(struct opts *o)
{
	struct run r = { .o = o, .progress_dev = UINT32_MAX, .losses_shown = UINT32_MAX };
	int status = FSCK_ERROR;

	r.results = calloc(o->n, sizeof(*r.results));
	r.paths = calloc(o->n, sizeof(*r.paths));
	r.devs = calloc(o->n, sizeof(*r.devs));
	r.losses = (struct fsck_losses){ .cmd = &o->cmd, .paths = r.paths, .devs = r.devs,
					 .n = o->n };
	cmd_progress_init(&r.progress, &o->cmd, "", -1, 0);
	if (!r.results || !r.paths || !r.devs)
		cmd_error(&o->cmd, NULL, -ENOMEM, NULL);
	else
		status = name_all(&r);
	if (!status)
		status = check(&r);
	fini(&r);
	return status;
}

int cache_fsck_main(int argc, char **argv)
{
	struct opts o = { .cmd = CMD_INIT_FSCK, .progress_fd = -1, .seed = random_seed() };

	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	if (o.mode == MODE_ASK && !o.dry_run && !isatty(STDIN_FILENO)) {
		cmd_fail(&o.cmd, NULL, "no terminal to ask on: give -n, -p or -y");
		return cmd_end(&o.cmd, FSCK_ERROR);
	}
	cmd_kernels_default(&o.kernels);
	cmd_kernels_say(&o.kernels, &o.cmd);
	cmd_catch_cancel();
	return cmd_end(&o.cmd, run(&o));
}
