// SPDX-License-Identifier: GPL-2.0-only
/* cache-undo: put back what a writing applet saved with -z. */
#include "undo.h"

#include "applet.h"
#include "dev/dev.h"

#include <inttypes.h>
#include <stdlib.h>

struct undo {
	struct cmd cmd;
	const char *file, *device, *save;	/* @save: -z of our own */
	bool dry_run, force;
	char *path;
	struct cache_undo *undo;
	struct cache_dev *dev;
};

static const struct argp_option options[] = {
	{ "dry-run", 'n', NULL, 0, "check and show, write nothing" },
	{ "force", 'f', NULL, 0, "put back although something else was written since" },
	CMD_UNDO_OPTION,
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct undo *u = state->input;

	switch (key) {
	case 'n':
		u->dry_run = true;
		return 0;
	case 'f':
		u->force = true;
		return 0;
	case 'z':
		u->save = arg;
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

static int open_both(struct undo *u)
{
	unsigned flags = u->dry_run ? CACHE_DEV_READ : CACHE_DEV_WRITE | CACHE_DEV_EXCL;
	struct cache_err err = { 0 };
	int ret = cache_undo_open(u->file, &u->undo, &err);

	if (ret)
		return cmd_error(&u->cmd, u->file, ret, &err);
	u->path = cmd_device(&u->cmd, u->device);
	if (!u->path || (!u->dry_run && !cmd_may_write(&u->cmd, u->path)))
		return EXIT_FAILED;
	ret = cache_dev_open(u->path, flags, &u->dev, &err);
	return ret ? cmd_error(&u->cmd, u->device, ret, &err) : 0;
}

static int check(struct undo *u)
{
	struct cache_err err = { 0 };
	int ret = cache_undo_check(u->undo, u->dev, &err);

	if (ret && u->force) {
		cmd_warn(&u->cmd, u->device, "%s", cache_err_text(&err, ret));
		return 0;
	}
	return ret ? cmd_error(&u->cmd, u->device, ret, &err) : 0;
}

static int apply(struct undo *u)
{
	struct cache_err err = { 0 };
	int ret;

	if (u->save && cmd_undo(&u->cmd, &u->dev, u->save, 0))
		return EXIT_FAILED;
	ret = cache_undo_apply(u->undo, u->dev, &err);
	return ret ? cmd_error(&u->cmd, u->device, ret, &err) : 0;
}

static void show(struct undo *u)
{
	static const struct cache_field
		device = { "device", "device" }, made_for = { "made_for", "made for" },
		dry_run = { "dry_run", NULL }, records = { "records", "records" },
		sectors = { "sectors", "put back", CACHE_UNIT_SECTORS },
		would = { "sectors", "would put back", CACHE_UNIT_SECTORS };
	struct cache_report *r;

	if (u->cmd.quiet && !u->cmd.json)
		return;
	r = cmd_report(&u->cmd);
	cache_report_str(r, &device, u->path);
	cache_report_str(r, &made_for, cache_undo_device(u->undo));
	if (cache_report_is_json(r))
		cache_report_bool(r, &dry_run, u->dry_run);
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
	struct undo u = { .cmd = CMD_INIT };
	int status;

	cmd_parse(&u.cmd, &argp, argc, argv, 0);
	status = open_both(&u);
	if (!status)
		status = check(&u);
	if (!status && !u.dry_run)
		status = apply(&u);
	if (!status)
		show(&u);
	cache_dev_close(u.dev);
	cache_undo_close(u.undo);
	free(u.path);
	return cmd_end(&u.cmd, status);
}
