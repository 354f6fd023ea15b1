// SPDX-License-Identifier: GPL-2.0-only
/* cache-serve: cache and backing device as one disk, read-only, over NBD. */
#include "cache_serve.h"

#include "applet.h"

#include "host/ids.h"
#include "image/image.h"
#include "serve/merged.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_SOCKET = 0x100, OPT_OVERLAY, OPT_VOLUME, OPT_FORCE };

struct opts {
	struct cmd cmd;
	const char *spec[2];
	unsigned n;
	char **command;			/* NULL: none */
	bool dry_run;
	int progress_fd;
	uint8_t volume[16];
	struct nbdkit nbdkit;
	char *path[2];
	struct cache_dev *dev[2];
	struct cache_merged *merged;
	struct cmd_progress progress;
};

static const struct argp_option options[] = {
	{ "socket", OPT_SOCKET, "PATH", 0, "serve there; default: a socket in a new folder" },
	{ "overlay", OPT_OVERLAY, NULL, 0, "let clients write, to an overlay that is thrown away at "
	  "the end: neither device is written to" },
	{ "volume", OPT_VOLUME, "UUID", 0, "serve this flash-only volume of the cache" },
	{ "force", OPT_FORCE, NULL, 0, "serve a damaged set too: what is lost of it reads as old data" },
	{ "dry-run", 'n', NULL, 0, "check and show what would be served" },
	CMD_PROGRESS_OPTION,
	{ }
};

static error_t take_argument(struct opts *o, char *arg, struct argp_state *state)
{
	/* what stands behind "--" is the command */
	if (state->quoted && state->next > state->quoted) {
		o->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	}
	if (o->n == 2)
		argp_error(state, "\"%s\" is one device too many; a command comes after --", arg);
	o->spec[o->n++] = arg;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case OPT_SOCKET:
		o->nbdkit.socket_given = arg;
		return 0;
	case OPT_OVERLAY:
		o->nbdkit.overlay = true;
		return 0;
	case OPT_VOLUME:
		if (cache_uuid_parse(arg, o->volume))
			argp_error(state, "volume is \"%s\", expected a UUID", arg);
		o->nbdkit.volume = arg;
		return 0;
	case OPT_FORCE:
		o->nbdkit.force = true;
		return 0;
	case 'n':
		o->dry_run = true;
		return 0;
	case 'C':
		o->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		return take_argument(o, arg, state);
	case ARGP_KEY_END:
		if (!o->n)
			argp_error(state, "no device given");
		if (o->n == 2 && o->nbdkit.volume)
			argp_error(state, "a backing device or --volume, not both");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct opts *o = ctx;

	cmd_progress(&o->progress, pass, "reading", current, max);
	return cmd_cancelled();
}

static int open_all(struct opts *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		struct cache_err err = { 0 };
		int ret;

		o->path[i] = cmd_device(&o->cmd, o->spec[i]);
		if (!o->path[i])
			return EXIT_FAILED;
		ret = cache_dev_open(o->path[i], CACHE_DEV_READ, &o->dev[i], &err);
		if (ret)
			return cmd_error(&o->cmd, o->path[i], ret, &err);
		if (cache_image_is(o->dev[i]))
			return cmd_fail(&o->cmd, o->path[i], "a metadata image: it has no data to serve");
		if (cmd_is_foreign(&o->cmd, o->dev[i]))
			return EXIT_FAILED;
		cmd_warn_in_use(&o->cmd, o->path[i]);
	}
	return 0;
}

/* What the set has, where nothing of it was chosen. */
static int list(struct opts *o)
{
	static const struct cache_sink silent = { cache_sink_ignore, NULL };
	static const struct cache_field device = { "device", "device" };
	static const struct cache_field cols[] = {
		{ "slot", "SLOT", CACHE_UNIT_COUNT }, { "uuid", "UUID", CACHE_UNIT_TEXT },
		{ "label", "LABEL", CACHE_UNIT_TEXT }, { "flags", "FLAGS", CACHE_UNIT_TEXT },
		{ "size_sectors", "SIZE", CACHE_UNIT_SECTORS },
	};
	struct cache_report *r = cmd_report(&o->cmd);
	char text[CACHE_UUID_TEXT_BYTES];
	struct cache_err err = { 0 };
	struct cache_set *set = NULL;
	struct cache_slot s;
	int ret = cache_set_load(o->dev[0], CACHE_LOAD_PRIOS, &silent, &set, &err);

	if (!ret && cache_sb_is_bdev(&set->sb))
		ret = cache_err_set(&err, -EINVAL, 0, "a backing device, expected a cache device");
	if (!ret && set->loaded < CACHE_LOAD_PRIOS)
		ret = cache_err_set(&err, -EUCLEAN, 0, "nothing to serve: it has not run yet, or is damaged");
	if (ret) {
		cache_set_close(set);
		return cmd_error(&o->cmd, o->path[0], ret, &err);
	}
	cache_report_str(r, &device, o->path[0]);
	cache_report_table(r, "volumes", cols, 5, 0);
	for (uint32_t i = 0; i < set->uuids.n; i++) {
		if (cache_set_slot(set, i, &s))
			continue;
		cache_report_row(r);
		cache_report_u64(r, NULL, i);
		cache_report_str(r, NULL, cache_uuid_format(s.uuid, text));
		cache_report_str(r, NULL, (const char *)s.label);
		cache_report_str(r, NULL, s.flash ? "flash" : "backing");
		if (s.flash)
			cache_report_u64(r, NULL, s.sectors);
		else
			cache_report_null(r, NULL);
		cache_report_end(r);
	}
	cache_report_end(r);
	cache_set_close(set);
	cache_report_line(r, "name a backing device, or --volume, to serve one");
	return EXIT_DONE;
}

static void show_info(struct opts *o)
{
	static const struct cache_field
		device = { "device", "cache" }, backing = { "backing", "backing device" },
		uuid = { "uuid", "uuid" }, label = { "label", "label" },
		sectors = { "sectors", "size", CACHE_UNIT_SECTORS },
		extents = { "extents", "extents", CACHE_UNIT_COUNT },
		cached = { "cached_sectors", "cached", CACHE_UNIT_SECTORS },
		dirty = { "dirty_sectors", "dirty", CACHE_UNIT_SECTORS };
	const struct cache_merged_info *i = cache_merged_info(o->merged);
	struct cache_report *r = cmd_report(&o->cmd);
	char text[CACHE_UUID_TEXT_BYTES];

	cache_report_str(r, &device, o->path[0]);
	if (o->n == 2)
		cache_report_str(r, &backing, o->path[1]);
	cache_report_str(r, &uuid, cache_uuid_format(i->uuid, text));
	cache_report_str(r, &label, (const char *)i->label);
	cache_report_u64(r, &sectors, i->sectors);
	cache_report_u64(r, &extents, i->extents);
	cache_report_u64(r, &cached, i->cached_sectors);
	cache_report_u64(r, &dirty, i->dirty_sectors);
}

static void show_socket(struct opts *o)
{
	static const struct cache_field socket = { "socket", "socket" }, uri = { "uri", "uri" },
		overlay = { "overlay", "overlay" };
	struct cache_report *r = cmd_report(&o->cmd);
	const char *s = o->nbdkit.socket;
	char text[160];

	snprintf(text, sizeof(text), "nbd+unix:///?socket=%s", s);
	cache_report_str(r, &socket, s);
	cache_report_str(r, &uri, text);
	cache_report_bool(r, &overlay, o->nbdkit.overlay);
	if (cache_report_is_json(r))
		return;
	cache_report_line(r, "look:   nbdinfo '%s'", text);
	cache_report_line(r, "copy:   nbdcopy '%s' disk.img", text);
	/* fuse2fs 1.47.0 dies as it replays a log */
	cache_report_line(r, "mount:  nbdfuse DIR/disk '%s' &  %sfuse2fs -o ro DIR/disk /mnt", text,
			  o->nbdkit.overlay ? "e2fsck -y -E journal_only DIR/disk;  " : "");
	cache_report_line(r, "or:     nbd-client -unix %s /dev/nbd0 && mount %s/dev/nbd0 /mnt", s,
			  o->nbdkit.overlay ? "" : "-o ro,noload ");
}

static int check(struct opts *o)
{
	const struct cache_merged_opts opts = {
		.unchecked = o->nbdkit.force, .volume_uuid = o->nbdkit.volume ? o->volume : NULL,
		.progress = on_progress, .ctx = o };
	struct cache_err err = { 0 };
	int ret;

	cmd_progress_init(&o->progress, &o->cmd, o->path[0], o->progress_fd, 0);
	ret = cache_merged_open(o->dev[0], o->dev[1], &opts, &o->merged, &err);
	cmd_progress_end(&o->progress);
	if (ret == -ECANCELED)
		return cmd_fail(&o->cmd, o->path[0], "cancelled");
	if (!ret && o->nbdkit.force)
		cmd_warn(&o->cmd, o->path[0], "not checked: of a damaged set old data may be served for new");
	/* the message names the device that it is about */
	return ret ? cmd_error(&o->cmd, NULL, ret, &err) : 0;
}

/* With a command, its output is the result: ours is discarded. */
static int serve(struct opts *o)
{
	int status = nbdkit_choose_socket(&o->cmd, &o->nbdkit);

	o->nbdkit.cache = o->path[0];
	o->nbdkit.backing = o->path[1];
	if (!status)
		status = nbdkit_start(&o->cmd, &o->nbdkit);
	if (!status && o->command) {
		status = nbdkit_command(&o->cmd, &o->nbdkit, o->command);
		if (status && status != EXIT_FAILED)
			cmd_note(&o->cmd, 0, "%s ended with status %d", o->command[0], status);
		status = status ? EXIT_FAILED : EXIT_DONE;
	} else if (!status) {
		show_info(o);
		show_socket(o);
		status = cmd_end(&o->cmd, EXIT_DONE);
		if (!status)
			status = nbdkit_wait(&o->cmd, &o->nbdkit);
	}
	nbdkit_stop(&o->nbdkit);
	return status;
}

static int run(struct opts *o)
{
	int status = open_all(o);

	if (status)
		return status;
	if (o->n == 1 && !o->nbdkit.volume)
		return list(o);
	status = check(o);
	if (status || !o->dry_run)
		return status ? status : serve(o);
	show_info(o);
	return EXIT_DONE;
}

int cache_serve_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "CACHE [BACKING] [-- COMMAND...]",
		"Serve a backing device with what its cache has of it, or a flash-only volume, as one "
		"read-only disk over NBD, without the kernel's bcache."
		"\vWith COMMAND it is run with $uri and $unixsocket set, and the server ends with it; "
		"without one it ends with Ctrl-C. CACHE alone lists what it can serve."
	};
	struct opts o = { .cmd = CMD_INIT, .progress_fd = -1 };
	int status;

	cmd_parse(&o.cmd, &argp, argc, argv, ARGP_IN_ORDER);
	cmd_catch_cancel();
	status = run(&o);
	cache_merged_close(o.merged);
	for (unsigned i = 0; i < 2; i++) {
		cache_dev_close(o.dev[i]);
		free(o.path[i]);
	}
	return cmd_end(&o.cmd, status);
}
