// SPDX-License-Identifier: GPL-2.0-only
/*
 * cache-super-show: print and verify a superblock, save it to a file and restore it. Called as
 * bcache-super-show, output and exit status are those of bcache-tools 1.0.8, byte for byte.
 */
#include "applet.h"
#include "common.h"
#include "finding.h"
#include "super_backup.h"
#include "super_text.h"
#include "undo.h"

#include <libcache/device.h>
#include "host/ids.h"
#include <libcache/superblock.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEER_NAME	"bcache-super-show"
enum { PEER_USAGE = 1, PEER_INVALID = 2 };

enum { OPT_SAVE = 0x100, OPT_RESTORE };

struct opts {
	struct cmd cmd;
	bool all, force, dry_run, yes;
	const char *spec, *save, *restore, *undo;
};

struct show {
	struct opts *o;
	const char *path;
	struct cache_sb sb;
	uint64_t dev_sectors;
	uint32_t block_bytes;		/* logical, of the hardware */
	unsigned corrupt;		/* number of broken rules */
};

#define FIELD(name, unit) static const struct cache_field f_##name = \
	{ #name, NULL, CACHE_UNIT_##unit }

FIELD(device, TEXT); FIELD(type, TEXT); FIELD(version, COUNT);
FIELD(stored, WORD); FIELD(computed, WORD); FIELD(valid, TEXT);
FIELD(uuid, TEXT); FIELD(set_uuid, TEXT); FIELD(label, TEXT);
FIELD(flags, WORD); FIELD(seq, WORD);
FIELD(compat, WORD); FIELD(incompat, WORD); FIELD(ro_compat, WORD);
FIELD(block_sectors, SECTORS); FIELD(bucket_sectors, SECTORS); FIELD(nbuckets, COUNT);
FIELD(first_bucket, COUNT); FIELD(nr_in_set, COUNT); FIELD(nr_this_dev, COUNT);
FIELD(journal_buckets, COUNT); FIELD(replacement, TEXT); FIELD(sync, TEXT);
FIELD(discard, TEXT); FIELD(last_mount, COUNT);
FIELD(data_offset_sectors, SECTORS); FIELD(cache_mode, TEXT); FIELD(state, TEXT);

static void json_common(struct cache_report *r, const struct show *s)
{
	const struct cache_sb *sb = &s->sb;
	char id[CACHE_UUID_TEXT_BYTES];

	cache_report_str(r, &f_device, s->path);
	cache_report_str(r, &f_type, super_type(sb));
	cache_report_u64(r, &f_version, sb->version);
	cache_report_object(r, "csum");
	cache_report_u64(r, &f_stored, sb->csum_stored);
	cache_report_u64(r, &f_computed, sb->csum_computed);
	cache_report_bool(r, &f_valid, is_csum_right(sb));
	cache_report_end(r);
	cache_report_str(r, &f_uuid, cache_uuid_format(sb->uuid, id));
	cache_report_str(r, &f_set_uuid, cache_uuid_format(sb->set_uuid, id));
	cache_report_str(r, &f_label, (const char *)sb->label);
	cache_report_u64(r, &f_flags, sb->flags);
	cache_report_u64(r, &f_seq, sb->seq);
	cache_report_object(r, "features");
	cache_report_u64(r, &f_compat, sb->feature_compat);
	cache_report_u64(r, &f_incompat, sb->feature_incompat);
	cache_report_u64(r, &f_ro_compat, sb->feature_ro_compat);
	cache_report_end(r);
	cache_report_u64(r, &f_block_sectors, sb->block_sectors);
	cache_report_u64(r, &f_bucket_sectors, sb->bucket_sectors);
}

static void json_cache(struct cache_report *r, const struct cache_sb *sb)
{
	cache_report_u64(r, &f_nbuckets, sb->nbuckets);
	cache_report_u64(r, &f_first_bucket, sb->first_bucket);
	cache_report_u64(r, &f_nr_in_set, sb->nr_in_set);
	cache_report_u64(r, &f_nr_this_dev, sb->nr_this_dev);
	cache_report_list(r, &f_journal_buckets);
	for (unsigned i = 0; i < sb->njournal && i < CACHE_SB_JOURNAL_BUCKETS; i++)
		cache_report_u64(r, &f_journal_buckets, sb->journal_bucket[i]);
	cache_report_end(r);
	cache_report_str(r, &f_replacement, cache_replacement_name(cache_sb_replacement(sb)));
	cache_report_bool(r, &f_sync, cache_sb_is_synced(sb));
	cache_report_bool(r, &f_discard, sb->flags & CACHE_SB_DISCARD);
	cache_report_u64(r, &f_last_mount, sb->last_mount);
}

static void json_backing(struct cache_report *r, const struct cache_sb *sb)
{
	cache_report_u64(r, &f_data_offset_sectors,
			 sb->version == CACHE_SB_VERSION_BDEV ?
			 CACHE_BDEV_DATA_START_SECTORS : sb->data_offset_sectors);
	cache_report_str(r, &f_cache_mode, cache_mode_name(cache_sb_bdev_mode(sb)));
	cache_report_str(r, &f_state, cache_bdev_state_name(cache_sb_bdev_state(sb)));
}

/* A broken rule: an object of problems[], or a line of text. */
static void on_problem(void *ctx, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	struct show *s = ctx;
	struct cmd *c = &s->o->cmd;
	char line[512];

	cache_finding_text(f, line, sizeof(line));
	s->corrupt += info->severity == CACHE_SEVERITY_CORRUPT;
	if (c->json) {
		struct cache_report *r = cmd_report(c);

		cache_report_object(r, NULL);
		cmd_report_finding(r, f);
		cache_report_end(r);
	} else if (info->severity == CACHE_SEVERITY_CORRUPT) {
		cmd_fail(c, s->path, "%s", line);
	} else if (info->severity == CACHE_SEVERITY_WARN) {
		cmd_warn(c, s->path, "%s", line);
	} else {
		cmd_note(c, 1, "%s: note: %s", s->path, line);
	}
}

static void check_rules(struct show *s)
{
	const struct cache_sink sink = { .report = on_problem, .ctx = s };

	cache_sb_check(&s->sb, s->dev_sectors, s->block_bytes, &sink, NULL);
}

static void print_json(struct show *s)
{
	struct cache_report *r = cmd_report(&s->o->cmd);

	json_common(r, s);
	if (cache_sb_is_bdev(&s->sb))
		json_backing(r, &s->sb);
	else
		json_cache(r, &s->sb);
	cache_report_array(r, "problems");
	check_rules(s);
	cache_report_end(r);
}

static int show(struct show *s)
{
	struct cmd *c = &s->o->cmd;
	bool doubtful = !is_csum_right(&s->sb) && !s->o->force;

	if (!has_our_magic(&s->sb))
		return cmd_fail(c, s->path, "not a bcache device: no superblock magic at sector %u",
				CACHE_SB_SECTOR);
	if (c->json) {
		print_json(s);
	} else {
		if (!doubtful && !c->quiet)
			super_print(&s->sb, s->o->all);
		check_rules(s);
	}
	return s->corrupt ? EXIT_FAILED : EXIT_DONE;
}

#define FOREIGN	1	/* and an error was printed */

static int load(struct show *s, struct cache_err *err)
{
	struct cache_dev *dev;
	int ret = cmd_open_to_read(s->path, &dev, err);

	if (ret)
		return ret;
	if (s->o->cmd.name && cmd_is_foreign(&s->o->cmd, dev)) {
		cache_dev_close(dev);
		return FOREIGN;
	}
	s->dev_sectors = cache_dev_sectors(dev);
	s->block_bytes = cache_dev_logical_block_bytes(dev);
	cmd_confine();
	ret = cache_sb_read(dev, &s->sb, err);
	cache_dev_close(dev);
	return ret;
}

static int peer_main(int argc, char **argv)
{
	struct opts o = { };
	struct show s = { .o = &o };
	int c, ret;

	while ((c = getopt(argc, argv, "f")) == 'f')
		o.force = true;
	if (c != -1 || argc - optind != 1) {
		fputs("Usage: " PEER_NAME " [-f] <device>\n", stderr);
		return PEER_USAGE;
	}
	s.path = argv[optind];
	ret = load(&s, NULL);
	if (ret == -ERANGE || ret == -EIO) {
		fputs("Couldn't read\n", stderr);
		return PEER_INVALID;
	}
	if (ret) {
		cmd_put(stdout, "Can't open dev %s: %s", s.path, strerror(-ret));
		putchar('\n');
		return PEER_INVALID;
	}
	return super_print_peer(&s.sb, o.force);
}

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0, "more lines: flags, seq, features, last mount, journal buckets" },
	{ "force", 'f', NULL, 0, "go on past a bad checksum; restore where nothing proves the device" },
	{ "save", OPT_SAVE, "FILE", 0, "save the superblock to FILE, a header backup" },
	{ "restore", OPT_RESTORE, "FILE", 0, "put the superblock of a header backup on the device" },
	{ "dry-run", 'n', NULL, 0, "with --save or --restore: say what would be done, write nothing" },
	{ "yes", 'y', NULL, 0, "restore without asking" },
	CMD_UNDO_OPTION,
	{ }
};

static void check_usage(const struct opts *o, const struct argp_state *state)
{
	if (o->save && o->restore)
		argp_error(state, "--save or --restore, not both");
	if ((o->yes || o->undo) && !o->restore)
		argp_error(state, "-y and -z are for --restore");
	if (o->dry_run && !o->save && !o->restore)
		argp_error(state, "-n is for --save and --restore");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case 'a':
		o->all = true;
		return 0;
	case 'f':
		o->force = true;
		return 0;
	case OPT_SAVE:
		o->save = arg;
		return 0;
	case OPT_RESTORE:
		o->restore = arg;
		return 0;
	case 'n':
		o->dry_run = true;
		return 0;
	case 'y':
		o->yes = true;
		return 0;
	case 'z':
		o->undo = arg;
		return 0;
	case ARGP_KEY_END:
		check_usage(o, state);
		return 0;
	case ARGP_KEY_ARG:
		if (o->spec)
			argp_error(state, "one device at a time");
		o->spec = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no device given");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options, parse, "DEV",
	"Print the superblock of a cache or backing device and check every rule that a "
	"kernel checks, and some that it does not; save it to a file, and restore it from there."
	"\vWithout -y it asks before it restores. Exit status: 0 it is right, or was saved or "
	"restored and a full check finds it clean; 1 not so, or it cannot be read; 2 usage."
};

static int run(struct opts *o, const char *path)
{
	const struct super_backup backup = {
		.cmd = &o->cmd, .path = path, .file = o->save ? o->save : o->restore,
		.undo = o->undo, .dry_run = o->dry_run, .yes = o->yes, .force = o->force };
	struct show s = { .o = o, .path = path };
	struct cache_err err = { };
	int ret;

	if (o->restore)
		return super_restore(&backup);
	cmd_warn_in_use(&o->cmd, path);
	if (o->save)
		return super_save(&backup);
	ret = load(&s, &err);
	if (ret == FOREIGN)
		return EXIT_FAILED;
	return ret ? cmd_error(&o->cmd, path, ret, &err) : show(&s);
}

int cache_super_show_main(int argc, char **argv)
{
	struct opts o = { .cmd = CMD_INIT };
	char *path;
	int ret;

	if (!strcmp(argv[0], PEER_NAME) && !(argc == 2 && !strcmp(argv[1], "--list-options")))
		return peer_main(argc, argv);
	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	path = cmd_device(&o.cmd, o.spec);
	ret = path ? run(&o, path) : EXIT_FAILED;
	free(path);
	return cmd_end(&o.cmd, ret);
}
