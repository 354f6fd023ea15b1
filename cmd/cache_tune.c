// SPDX-License-Identifier: GPL-2.0-only
/* cache-tune: label, UUID, cache mode, attach and detach, offline. */
#include "applet.h"
#include "undo.h"

#include "host/ids.h"
#include "host/probe.h"
#include "writeback/tune.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPT_LABEL = 256, OPT_UUID, OPT_MODE, OPT_DETACH, OPT_ATTACH, OPT_CLEAR, OPT_RELINK, OPT_DROP,
       OPT_SLOT, OPT_FORCE, OPT_SEED };

#define DEVICES_MAX	2

struct opts {
	struct cmd cmd;
	struct cache_tune tune;
	const char *specs[DEVICES_MAX];
	char *paths[DEVICES_MAX];
	struct cache_dev *devs[DEVICES_MAX];
	unsigned n;
	const char *undo, *attach;
	uint8_t uuid[16], set_uuid[16], relink_uuid[16], drop_uuid[16];
	bool yes, has_seed, saving, in_changes, in_proofs;
};

static const struct argp_option options[] = {
	{ "label", OPT_LABEL, "LABEL", 0, "set the label; empty: none" },
	{ "uuid", OPT_UUID, "UUID", 0, "set the UUID; \"random\": a new one" },
	{ "cache-mode", OPT_MODE, "MODE", 0, "of a backing device: writethrough, writeback, "
	  "writearound or none" },
	{ "detach", OPT_DETACH, NULL, 0, "a backing device leaves its cache set; refused while "
	  "it has dirty data there" },
	{ "attach", OPT_ATTACH, "SET", 0, "a backing device joins the set at its next start; SET: its "
	  "UUID, or a cache device of it" },
	{ "clear-inconsistent", OPT_CLEAR, NULL, 0, "clear the state \"stale\" of a backing "
	  "device that has run without its cache" },
	{ "relink", OPT_RELINK, "UUID", 0, "give the backing device of that UUID the dirty data that "
	  "its retired slot has in the cache" },
	{ "slot", OPT_SLOT, "N", 0, "with --relink: take this slot" },
	{ "drop", OPT_DROP, "UUID", 0, "of a cache device: forget the backing device of that UUID, "
	  "which is gone, and what the cache has of it" },
	{ "force", OPT_FORCE, NULL, 0, "with --relink: without proof; with --drop: give up its dirty "
	  "data; with --clear-inconsistent: give up its older dirty data; with --attach: move the device to a clone of its set" },
	{ "yes", 'y', NULL, 0, "do not ask" },
	{ "dry-run", 'n', NULL, 0, "say what would change, and write nothing" },
	CMD_UNDO_OPTION,
	{ "seed", OPT_SEED, "N", 0, "seed of the new btree nodes; default: a new one" },
	{ }
};

static void check_usage(struct opts *o, struct argp_state *state)
{
	const struct cache_tune *t = &o->tune;

	if (!o->n)
		argp_error(state, "no device given");
	if (t->relink_slot >= 0 && !t->relink)
		argp_error(state, "--slot goes with --relink");
	if (t->relink && (t->uuid || t->label || t->detach || o->attach || t->clear_inconsistent))
		argp_error(state, "--relink goes alone");
	if (t->drop && (t->uuid || t->label || t->mode >= 0 || t->detach || o->attach ||
			t->clear_inconsistent || t->relink))
		argp_error(state, "--drop goes alone");
}

static void parse_uuid(const struct argp_state *state, const char *arg, uint8_t uuid[16])
{
	if (!strcmp(arg, "random"))
		cache_uuid_generate(uuid);
	else if (cache_uuid_parse(arg, uuid) || cache_uuid_is_zero(uuid))
		argp_error(state, "uuid: '%s', expected a UUID", arg);
}

static error_t parse_change(struct opts *o, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case OPT_LABEL:
		if (strlen(arg) > CACHE_SB_LABEL_BYTES)
			argp_error(state, "label: %zu bytes, at most %d fit", strlen(arg),
				   CACHE_SB_LABEL_BYTES);
		o->tune.label = arg;
		return 0;
	case OPT_UUID:
		parse_uuid(state, arg, o->uuid);
		o->tune.uuid = o->uuid;
		return 0;
	case OPT_MODE:
		o->tune.mode = cmd_arg_name(state, "cache mode", arg, cache_mode_name, 4);
		return 0;
	case OPT_DETACH:
		o->tune.detach = true;
		return 0;
	case OPT_ATTACH:
		o->attach = arg;
		return 0;
	case OPT_CLEAR:
		o->tune.clear_inconsistent = true;
		return 0;
	case OPT_RELINK:
		parse_uuid(state, arg, o->relink_uuid);
		o->tune.relink = true;
		return 0;
	case OPT_DROP:
		if (cache_uuid_parse(arg, o->drop_uuid) || cache_uuid_is_zero(o->drop_uuid))
			argp_error(state, "drop: '%s', expected a UUID", arg);
		o->tune.drop = o->drop_uuid;
		return 0;
	case OPT_SLOT:
		o->tune.relink_slot = cmd_arg_number(state, "slot", arg) & INT64_MAX;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case OPT_FORCE:
		o->tune.force = true;
		return 0;
	case 'y':
		o->yes = true;
		return 0;
	case 'n':
		o->tune.dry_run = true;
		return 0;
	case 'z':
		o->undo = arg;
		return 0;
	case OPT_SEED:
		o->tune.seed = cmd_arg_number(state, "seed", arg);
		o->has_seed = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->n == DEVICES_MAX)
			argp_error(state, "a cache device and a backing device at most: \"%s\" is one too many", arg);
		o->specs[o->n++] = arg;
		return 0;
	case ARGP_KEY_END:
		check_usage(o, state);
		return 0;
	}
	return parse_change(o, key, arg, state);
}

static const struct argp argp = {
	options, parse, "DEV [DEV]",
	"Change a backing device or a cache device, offline: label, UUID, cache "
	"mode, the set that it belongs to. With both of a set the uuid table follows."
	"\vcache-super-show and cache-show-uuids print the present values."
};

static void close_proofs(struct opts *o)
{
	if (o->in_proofs)
		cache_report_end(cmd_report(&o->cmd));
	o->in_proofs = false;
}

/* Fields and slots that change, in one table, after what speaks for them. */
static void open_changes(struct opts *o)
{
	static const struct cache_field cols[] = {
		{ "device", "DEVICE", CACHE_UNIT_TEXT }, { "field", "FIELD", CACHE_UNIT_TEXT },
		{ "change", "CHANGE", CACHE_UNIT_TEXT },
	};

	close_proofs(o);
	if (!o->in_changes)
		cache_report_table(cmd_report(&o->cmd), "changes", cols, 3, CACHE_TABLE_TABS);
	o->in_changes = true;
}

static void change_row(struct opts *o, const char *dev, const char *field, const char *change)
{
	struct cache_report *r = cmd_report(&o->cmd);

	open_changes(o);
	cache_report_row(r);
	cache_report_str(r, NULL, dev);
	cache_report_str(r, NULL, field);
	cache_report_str(r, NULL, change);
	cache_report_end(r);
}

static void on_field(void *ctx, const char *dev, const struct cache_repair_field *f)
{
	struct opts *o = ctx;
	char change[64];

	if (!strcmp(f->name, "flags"))
		snprintf(change, sizeof(change), "0x%" PRIx64 " to 0x%" PRIx64, f->was, f->now);
	else
		snprintf(change, sizeof(change), "new");
	change_row(o, dev, f->name, change);
}

static void on_slot(void *ctx, uint32_t slot, const char *what)
{
	struct opts *o = ctx;
	char field[32];

	snprintf(field, sizeof(field), "slot %" PRIu32, slot);
	change_row(o, cache_dev_name(o->tune.cache), field, what);
}

static const char *when(uint32_t t, char *buf, size_t nbytes)
{
	time_t at = t;
	struct tm tm;

	if (!t || !localtime_r(&at, &tm) || !strftime(buf, nbytes, "%F %T %z", &tm))
		return "?";
	return buf;
}

static void proof_text(struct opts *o, const struct cache_tune_proof *p)
{
	struct cache_report *r = cmd_report(&o->cmd);
	char a[40], b[40], c[40], size[CACHE_HUMAN_BYTES];

	cache_report_line(r, "slot %" PRIu32 "%s: label \"%s\" (%s), attached first %s, last %s, retired %s",
			  p->slot, p->chosen ? " (chosen)" : "", (const char *)p->label,
			  p->same_label ? "that of the device" : "not that of the device",
			  when(p->first_reg, a, sizeof(a)), when(p->last_reg, b, sizeof(b)),
			  when(p->invalidated, c, sizeof(c)));
	cache_report_line(r, "slot %" PRIu32 ": %s dirty in %" PRIu64 " extents, sectors %" PRIu64
			  " to %" PRIu64 ": %s", p->slot,
			  cache_bytes_show(size, p->dirty_sectors * CACHE_SECTOR_BYTES),
			  p->dirty_extents, p->start, p->end,
			  p->fits ? "they fit" : "they do not fit the device");
	cache_report_line(r, "slot %" PRIu32 ": %s%s", p->slot,
			  p->fs ? p->fs : "no file system's superblock among them",
			  !p->fs ? "" : p->same_fs ? " superblock, of the file system that the device has" :
				      " superblock, of another file system than the device has");
}

static void proof_json(struct opts *o, const struct cache_tune_proof *p)
{
	struct cache_report *r = cmd_report(&o->cmd);

	if (!o->in_proofs)
		cache_report_array(r, "proofs");
	o->in_proofs = true;
	cache_report_object(r, NULL);
	cache_report_u64(r, &(struct cache_field){ "slot", NULL, CACHE_UNIT_COUNT }, p->slot);
	cache_report_str(r, &(struct cache_field){ "label", NULL, CACHE_UNIT_TEXT }, (const char *)p->label);
	cache_report_bool(r, &(struct cache_field){ "same_label", NULL, CACHE_UNIT_TEXT }, p->same_label);
	cache_report_u64(r, &(struct cache_field){ "dirty_extents", NULL, CACHE_UNIT_COUNT }, p->dirty_extents);
	cache_report_u64(r, &(struct cache_field){ "dirty_sectors", NULL, CACHE_UNIT_COUNT }, p->dirty_sectors);
	cache_report_bool(r, &(struct cache_field){ "fits", NULL, CACHE_UNIT_TEXT }, p->fits);
	cache_report_str(r, &(struct cache_field){ "file_system", NULL, CACHE_UNIT_TEXT }, p->fs ? p->fs : "");
	cache_report_bool(r, &(struct cache_field){ "same_file_system", NULL, CACHE_UNIT_TEXT }, p->same_fs);
	cache_report_bool(r, &(struct cache_field){ "chosen", NULL, CACHE_UNIT_TEXT }, p->chosen);
	cache_report_end(r);
}

static void on_proof(void *ctx, const struct cache_tune_proof *p)
{
	struct opts *o = ctx;

	if (o->cmd.json)
		proof_json(o, p);
	else
		proof_text(o, p);
}

static void gone_text(struct opts *o, const struct cache_tune_gone *g)
{
	char uuid[CACHE_UUID_TEXT_BYTES], at[40], dirty[CACHE_HUMAN_BYTES], clean[CACHE_HUMAN_BYTES];

	cache_report_line(cmd_report(&o->cmd), "slot %" PRIu32 ": backing device %s, label \"%s\", attached last %s: "
			  "%s dirty in %" PRIu64 " extents, %s clean; %s", g->slot,
			  cache_uuid_format(g->uuid, uuid), (const char *)g->label,
			  when(g->last_reg, at, sizeof(at)),
			  cache_bytes_show(dirty, g->dirty_sectors * CACHE_SECTOR_BYTES),
			  g->dirty_extents,
			  cache_bytes_show(clean, g->clean_sectors * CACHE_SECTOR_BYTES),
			  g->dirty_sectors ? "the dirty data would be lost" : "nothing would be lost");
}

static void gone_json(struct opts *o, const struct cache_tune_gone *g)
{
	struct cache_report *r = cmd_report(&o->cmd);
	char uuid[CACHE_UUID_TEXT_BYTES];

	cache_report_object(r, "drop");
	cache_report_u64(r, &(struct cache_field){ "slot", NULL, CACHE_UNIT_COUNT }, g->slot);
	cache_report_str(r, &(struct cache_field){ "device_uuid", NULL, CACHE_UNIT_TEXT },
			 cache_uuid_format(g->uuid, uuid));
	cache_report_str(r, &(struct cache_field){ "label", NULL, CACHE_UNIT_TEXT }, (const char *)g->label);
	cache_report_u64(r, &(struct cache_field){ "first_reg", NULL, CACHE_UNIT_COUNT }, g->first_reg);
	cache_report_u64(r, &(struct cache_field){ "last_reg", NULL, CACHE_UNIT_COUNT }, g->last_reg);
	cache_report_u64(r, &(struct cache_field){ "dirty_extents", NULL, CACHE_UNIT_COUNT }, g->dirty_extents);
	cache_report_u64(r, &(struct cache_field){ "dirty_sectors", NULL, CACHE_UNIT_COUNT }, g->dirty_sectors);
	cache_report_u64(r, &(struct cache_field){ "clean_sectors", NULL, CACHE_UNIT_COUNT }, g->clean_sectors);
	cache_report_end(r);
}

static void on_gone(void *ctx, const struct cache_tune_gone *g)
{
	struct opts *o = ctx;

	if (o->cmd.json)
		gone_json(o, g);
	else
		gone_text(o, g);
}

static bool on_stop(void *ctx)
{
	return cmd_cancelled();
}

static bool on_confirm(void *ctx)
{
	struct opts *o = ctx;

	close_proofs(o);
	return o->yes || cmd_ask(o->tune.drop ? "forget this backing device and what the cache has of it?" :
				 "give the dirty data of the chosen slot to the backing device?");
}

/* Which of the devices is which. */
static int sort_devices(struct opts *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		struct cache_err err = { 0 };
		struct cache_sb sb;
		int ret = cache_sb_read(o->devs[i], &sb, &err);
		bool bdev = !ret && cache_sb_is_bdev(&sb);

		if (!ret)
			ret = cache_sb_check(&sb, cache_dev_sectors(o->devs[i]),
					     cache_dev_logical_block_bytes(o->devs[i]), NULL, &err);
		if (ret)
			return cmd_error(&o->cmd, o->paths[i], ret, &err);
		if (bdev ? o->tune.backing : o->tune.cache)
			return cmd_fail(&o->cmd, o->paths[i], "this is a second %s device, expected one of each",
					bdev ? "backing" : "cache");
		*(bdev ? &o->tune.backing : &o->tune.cache) = o->devs[i];
		if (o->tune.relink && bdev && memcmp(sb.uuid, o->relink_uuid, 16))
			return cmd_fail(&o->cmd, o->paths[i], "its UUID is not that of --relink");
	}
	return 0;
}

static int open_all(struct opts *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		o->paths[i] = cmd_device(&o->cmd, o->specs[i]);
		if (i && o->paths[i] && cache_probe_same(o->paths[0], o->paths[i]))
			return cmd_fail(&o->cmd, o->paths[i], "was given twice");
		if (!o->paths[i] || cmd_open(&o->cmd, o->paths[i], o->tune.dry_run, &o->devs[i]) ||
		    cmd_is_foreign(&o->cmd, o->devs[i]))
			return EXIT_FAILED;
	}
	for (unsigned i = 0; i < o->n && o->undo && !o->tune.dry_run; i++) {
		if (cmd_undo(&o->cmd, &o->devs[i], o->undo, i))
			return EXIT_FAILED;
		o->saving = true;
	}
	return sort_devices(o);
}

/* A UUID, or a cache device of the set, which then is looked at too. */
static int find_set(struct opts *o)
{
	struct cache_err err = { 0 };
	struct cache_dev *dev;
	struct cache_sb sb;
	char *path;
	int ret;

	if (!o->attach)
		return 0;
	o->tune.attach = o->set_uuid;
	if (!cache_uuid_parse(o->attach, o->set_uuid))
		return 0;
	path = cmd_device(&o->cmd, o->attach);
	if (!path)
		return EXIT_FAILED;
	ret = cache_dev_open(path, CACHE_DEV_READ, &dev, &err);
	if (!ret) {
		ret = cache_sb_read(dev, &sb, &err);
		if (!ret)
			ret = cache_sb_check(&sb, cache_dev_sectors(dev), 0, NULL, &err);
		cache_dev_close(dev);
	}
	if (ret)
		cmd_error(&o->cmd, path, ret, &err);
	else if (cache_sb_is_bdev(&sb))
		ret = cmd_fail(&o->cmd, path, "this is a backing device, expected a cache device");
	else
		memcpy(o->set_uuid, sb.set_uuid, 16);
	free(path);
	return ret ? EXIT_FAILED : 0;
}

static void end_undo(struct opts *o, bool changed)
{
	for (unsigned i = 0; i < o->n && o->saving; i++) {
		if (!changed)
			cmd_undo_forget(o->undo, i);
		else
			cmd_undo_note(&o->cmd, o->paths[i], o->undo, i);
	}
}

static int run(struct opts *o)
{
	struct cache_report *r = cmd_report(&o->cmd);
	struct cache_err err = { 0 };
	int ret = cache_tune(&o->tune, &err), status = EXIT_DONE;

	close_proofs(o);
	if (o->in_changes)
		cache_report_end(r);
	if (o->cmd.json) {
		cache_report_str(r, &(struct cache_field){ "device", NULL, CACHE_UNIT_TEXT }, o->paths[0]);
		cache_report_bool(r, &(struct cache_field){ "dry_run", NULL, CACHE_UNIT_TEXT }, o->tune.dry_run);
		cache_report_bool(r, &(struct cache_field){ "changed", NULL, CACHE_UNIT_TEXT },
				  ret == 1 && !o->tune.dry_run);
	} else if (!ret) {
		cache_report_line(r, "%s: nothing to change", o->paths[0]);
	} else if (ret == 1 && o->tune.dry_run) {
		cache_report_line(r, "%s: nothing was written", o->paths[0]);
	}
	if (ret == -ECANCELED && cmd_cancelled())
		status = cmd_fail(&o->cmd, o->paths[0], "cancelled, nothing was changed");
	else if (ret == -ECANCELED)
		status = cmd_fail(&o->cmd, o->paths[0], isatty(STDIN_FILENO) ?
				  "left as it is" : "no terminal to ask on: give -y, or -n to look");
	else if (ret < 0)
		status = cmd_error(&o->cmd, NULL, ret, &err);
	end_undo(o, ret == 1);
	return status;
}

int cache_tune_main(int argc, char **argv)
{
	struct opts o = { .cmd = CMD_INIT, .tune = { .mode = -1, .relink_slot = -1,
		.field = on_field, .slot = on_slot, .proof = on_proof, .gone = on_gone,
		.stop = on_stop, .confirm = on_confirm } };
	int status;

	o.tune.ctx = &o;
	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	if (!o.has_seed)
		o.tune.seed = cmd_random_seed(&o.cmd);
	cmd_catch_cancel();
	status = find_set(&o);
	if (!status)
		status = open_all(&o);
	if (!status)
		status = run(&o);
	else
		end_undo(&o, false);
	for (unsigned i = 0; i < o.n; i++) {
		cache_dev_close(o.devs[i]);
		free(o.paths[i]);
	}
	return cmd_end(&o.cmd, status);
}
