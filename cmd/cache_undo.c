// SPDX-License-Identifier: GPL-2.0-only
/* cache-undo: restore what a writing applet saved with -z. */
#include "undo.h"

#include "applet.h"
#include <libcache/device.h>

#include "host/ids.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct undo {
	struct cmd cmd;
	const char *file, *device, *save;	/* @save: the file of our own -z */
	bool dry_run, force, yes;
	char *path;
	struct cache_undo *undo;
	struct cache_dev *dev;
	int progress_fd;
	struct cmd_progress progress;
};

static const struct argp_option options[] = {
	{ "dry-run", 'n', NULL, 0, "check and show, write nothing" },
	{ "yes", 'y', NULL, 0, "do not ask, on a terminal too" },
	{ "force", 'f', NULL, 0, "put back although something else was written since, and from a "
	  "file that others can write" },
	CMD_UNDO_OPTION,
	CMD_PROGRESS_OPTION,
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct undo *u = state->input;

	switch (key) {
	case 'n':
		u->dry_run = true;
		return 0;
	case 'y':
		u->yes = true;
		return 0;
	case 'f':
		u->force = true;
		return 0;
	case 'z':
		u->save = arg;
		return 0;
	case 'C':
		u->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "one undo file and one device, found \"%s\" too", arg);
		*(state->arg_num ? &u->device : &u->file) = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < 2)
			argp_error(state, "an undo file and a device are needed");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* Whether any user could have written the file, whose content would be written to a device. */
static int check_owner(struct undo *u)
{
	static const char words[] = "another user can write to the undo file";

	if (!cache_undo_is_exposed(u->undo, geteuid()))
		return 0;
	if (u->force) {
		cmd_warn(&u->cmd, u->file, "%s", words);
		return 0;
	}
	return cmd_fail(&u->cmd, u->file, "%s, -f applies it all the same", words);
}

/* Ctrl-C ends the process at once: whatever was put back by then, it can be run again. */
static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	static const char *const words[] = {
		[CACHE_UNDO_PASS_READ] = "reading", [CACHE_UNDO_PASS_COMPARE] = "comparing",
		[CACHE_UNDO_PASS_VERIFY] = "verifying", [CACHE_UNDO_PASS_WRITE] = "writing",
	};
	struct undo *u = ctx;

	cmd_progress(&u->progress, pass, words[pass], current, max);
	return 0;
}

static int open_both(struct undo *u)
{
	struct cache_err err = { 0 };
	int ret;

	cmd_progress_init(&u->progress, &u->cmd, u->device, u->progress_fd, 0);
	ret = cache_undo_open(u->file, on_progress, u, &u->undo, &err);
	cmd_progress_end(&u->progress);
	if (ret)
		return cmd_error(&u->cmd, u->file, ret, &err);
	if (check_owner(u))
		return EXIT_FAILED;
	u->path = cmd_device(&u->cmd, u->device);
	return u->path && !cmd_open(&u->cmd, u->path, u->dry_run, &u->dev) ? 0 : EXIT_FAILED;
}

static int check(struct undo *u)
{
	struct cache_err err = { 0 };
	int ret = cache_undo_check(u->undo, u->dev, &err);

	cmd_progress_end(&u->progress);
	/* with an incomplete file the result would be a mixture */
	if (ret && ret != -EBADMSG && u->force) {
		cmd_warn(&u->cmd, u->path, "%s", cache_err_text(&err, ret));
		return 0;
	}
	return ret ? cmd_error(&u->cmd, u->path, ret, &err) : 0;
}

static int apply(struct undo *u)
{
	struct cache_err err = { 0 };
	int ret;

	if (u->save && cmd_undo(&u->cmd, &u->dev, u->save, 0))
		return EXIT_FAILED;
	if (u->save)
		cmd_undo_note(&u->cmd, u->path, u->save, 0);
	ret = cache_undo_apply(u->undo, u->dev, &err);
	cmd_progress_end(&u->progress);
	return ret ? cmd_error(&u->cmd, u->path, ret, &err) : 0;
}

struct origin_text {
	char made[32], uuid[CACHE_UUID_TEXT_BYTES];
	const char *program;
};

static struct origin_text origin_of(const struct undo *u)
{
	const struct cache_undo_origin *o = cache_undo_origin(u->undo);
	struct origin_text t = { .program = o->program[0] ? o->program : "?" };
	time_t made = (time_t)o->made;
	struct tm tm;

	if (!gmtime_r(&made, &tm) ||
	    !strftime(t.made, sizeof(t.made), "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(t.made, sizeof(t.made), "?");
	cache_uuid_format(o->dev_uuid, t.uuid);
	return t;
}

/* Asks on a terminal; without one -y is assumed. */
static bool may_apply(const struct undo *u)
{
	const struct origin_text t = origin_of(u);
	char prompt[1024], size[CACHE_HUMAN_BYTES];

	if (u->yes || u->dry_run || !isatty(STDIN_FILENO))
		return true;
	snprintf(prompt, sizeof(prompt), "%s: put back %s that %s overwrote on %s at %s?", u->path,
		 cache_bytes_show(size, cache_undo_sectors(u->undo) * 512),
		 t.program, cache_undo_device(u->undo), t.made);
	return cmd_ask(prompt);
}

static void show(struct undo *u)
{
	static const struct cache_field
		device = { "device", "device" }, made_for = { "made_for", "made for" },
		uuid = { "made_for_uuid", "uuid then" }, program = { "program", "made by" },
		made = { "made", "made at" }, killed = { "killed", "writer killed" },
		dry_run = { "dry_run", NULL }, records = { "records", "records" },
		sectors = { "sectors", "put back", CACHE_UNIT_SECTORS },
		would = { "sectors", "would put back", CACHE_UNIT_SECTORS };
	const struct origin_text t = origin_of(u);
	struct cache_report *r;

	if (u->cmd.quiet && !u->cmd.json)
		return;
	r = cmd_report(&u->cmd);
	cache_report_str(r, &device, u->path);
	cache_report_str(r, &made_for, cache_undo_device(u->undo));
	if (!cache_uuid_is_zero(cache_undo_origin(u->undo)->dev_uuid))
		cache_report_str(r, &uuid, t.uuid);
	cache_report_str(r, &program, t.program);
	cache_report_str(r, &made, t.made);
	if (cache_report_is_json(r))
		cache_report_bool(r, &dry_run, u->dry_run);
	cache_report_bool(r, &killed, !cache_undo_is_closed(u->undo));
	cache_report_u64(r, &records, cache_undo_records(u->undo));
	cache_report_u64(r, u->dry_run ? &would : &sectors, cache_undo_sectors(u->undo));
}

int cache_undo_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "FILE DEVICE",
		"Put back what a writing applet saved with -z FILE."
		"\vThe device must be as that applet left it, or found it; nothing is written "
		"otherwise."
	};
	struct undo u = { .cmd = CMD_INIT, .progress_fd = -1 };
	int status;

	cmd_parse(&u.cmd, &argp, argc, argv, 0);
	status = open_both(&u);
	if (!status && u.dry_run)
		cmd_confine();
	if (!status)
		status = check(&u);
	if (!status && !may_apply(&u))
		status = cmd_fail(&u.cmd, u.path, "left as it is");
	if (!status && !u.dry_run)
		status = apply(&u);
	if (!status)
		show(&u);
	cache_dev_close(u.dev);
	cache_undo_close(u.undo);
	free(u.path);
	return cmd_end(&u.cmd, status);
}
