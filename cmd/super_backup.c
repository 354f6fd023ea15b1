// SPDX-License-Identifier: GPL-2.0-only
/* Header backups: saved after a check, restored after a question, and then checked again. */
#include "super_backup.h"

#include "finding.h"
#include "fsck_show.h"
#include "super_text.h"
#include "undo.h"

#include <libcache/backup.h>
#include "host/ids.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FIELD(name, unit) static const struct cache_field f_##name = \
	{ #name, NULL, CACHE_UNIT_##unit }

FIELD(device, TEXT); FIELD(backup, TEXT); FIELD(made_for, TEXT); FIELD(saved_at, COUNT);
FIELD(uuid, TEXT); FIELD(set_uuid, TEXT); FIELD(name, TEXT); FIELD(was, WORD);
FIELD(now, WORD); FIELD(proof, TEXT); FIELD(dry_run, TEXT); FIELD(restored, TEXT);
FIELD(kernel, TEXT);

static const char *time_text(uint64_t unix_time, char buf[32])
{
	time_t t = (time_t)unix_time;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(buf, 32, "time %" PRIu64, unix_time);
	return buf;
}

static void show_backup(const struct super_backup *s, const struct cache_backup *b)
{
	struct cache_report *r = cmd_report(s->cmd);
	char id[CACHE_UUID_TEXT_BYTES];

	cache_report_str(r, &f_device, s->path);
	cache_report_str(r, &f_backup, s->file);
	cache_report_str(r, &f_made_for, b->device);
	cache_report_u64(r, &f_saved_at, b->saved_at);
	cache_report_str(r, &f_uuid, cache_uuid_format(b->sb.uuid, id));
	cache_report_str(r, &f_set_uuid, cache_uuid_format(b->sb.set_uuid, id));
}

/* A fixed time if the output must be the same each time. */
static uint64_t now(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t v;

	return epoch && !cache_number_parse(epoch, &v) ? v : (uint64_t)time(NULL);
}

int super_save(const struct super_backup *s)
{
	struct cache_err err = { 0 };
	struct cache_backup b;
	struct cache_dev *dev;
	int ret = cmd_open_to_read(s->path, &dev, &err);

	if (!ret) {
		ret = cache_backup_take(dev, now(), &b, &err);
		cache_dev_close(dev);
	}
	if (ret)
		return cmd_error(s->cmd, s->path, ret, &err);
	ret = s->dry_run ? 0 : cache_backup_save(&b, s->file, &err);
	if (ret)
		return cmd_error(s->cmd, s->path, ret, &err);
	if (s->cmd->json)
		show_backup(s, &b);
	else if (!s->cmd->quiet)
		cache_report_line(cmd_report(s->cmd), "%s: superblock %s to %s", s->path,
				  s->dry_run ? "would be saved" : "saved", s->file);
	return EXIT_DONE;
}

struct restore {
	const struct super_backup *s;
	struct cache_backup b;
	struct cache_dev *dev;
	bool silent;		/* the fields were shown */
	bool differs;
};

static void on_field(void *ctx, const struct cache_repair_field *f)
{
	const struct restore *r = ctx;
	struct cache_report *out = cmd_report(r->s->cmd);

	if (r->silent)
		return;
	if (!r->s->cmd->json) {
		cache_report_line(out, "  %-18s 0x%" PRIx64 " becomes 0x%" PRIx64 ": %s", f->name,
				  f->was, f->now, f->proof);
		return;
	}
	cache_report_object(out, NULL);
	cache_report_str(out, &f_name, f->name);
	cache_report_u64(out, &f_was, f->was);
	cache_report_u64(out, &f_now, f->now);
	cache_report_str(out, &f_proof, f->proof);
	cache_report_end(out);
}

static int put_back(struct restore *r, bool dry_run)
{
	struct cache_backup_opts opts = { .size = sizeof(opts), .dry_run = dry_run, .force = r->s->force,
					  .field = on_field, .ctx = r };
	struct cache_err err = { 0 };
	int ret = cache_backup_restore(r->dev, &r->b, &opts, &r->differs, &err);

	if (ret == -EAGAIN)
		return cmd_fail(r->s->cmd, r->s->path, "%s; if it is right, give --force",
				err.text);
	return ret ? cmd_error(r->s->cmd, r->s->path, ret, &err) : EXIT_DONE;
}

/* The plan, as text or as "changes" of the document. */
static int show_plan(struct restore *r)
{
	struct cache_report *out = cmd_report(r->s->cmd);
	char when[32];
	int status;

	if (r->s->cmd->json) {
		show_backup(r->s, &r->b);
		cache_report_array(out, "changes");
	} else {
		r->silent = r->s->cmd->quiet;
		if (!r->silent)
			cache_report_line(out, "%s: backup of %s, made %s", r->s->path,
					  r->b.device, time_text(r->b.saved_at, when));
	}
	status = put_back(r, true);
	if (r->s->cmd->json && !status)
		cache_report_end(out);
	r->silent = true;
	return status;
}

static int may_go_on(const struct restore *r)
{
	char prompt[512];

	if (r->s->yes)
		return EXIT_DONE;
	fflush(stdout);
	snprintf(prompt, sizeof(prompt), "%s: write this superblock?", r->s->path);
	if (cmd_ask(prompt))
		return EXIT_DONE;
	return cmd_fail(r->s->cmd, r->s->path, "left as it is; -y restores without asking");
}

static int write_it(struct restore *r)
{
	int status = may_go_on(r);

	if (!status && r->s->undo)
		status = cmd_undo(r->s->cmd, &r->dev, r->s->undo, 0);
	if (!status && r->s->undo)
		cmd_undo_note(r->s->cmd, r->s->path, r->s->undo, 0);
	return status ? status : put_back(r, false);
}

static void on_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	const struct super_backup *s = ctx;
	struct cache_report *out = cmd_report(s->cmd);

	if (!s->cmd->json) {
		fsck_show_finding(s->cmd, out, s->path, f);
		return;
	}
	cache_report_object(out, NULL);
	cmd_report_finding(out, f);
	cache_report_end(out);
}

/* Checks the device again from the beginning. */
static int check(const struct super_backup *s)
{
	struct cache_report *out = cmd_report(s->cmd);
	struct cache_fsck_result res = { 0 };
	struct cache_dev *dev;
	struct cache_fsck f = { .size = sizeof(f), .devs = &dev, .ndevs = 1, .results = &res,
				.report = on_finding, .ctx = (void *)s };
	struct cache_err err = { 0 };
	int ret = cmd_open_to_read(s->path, &dev, &err);

	if (ret)
		return cmd_error(s->cmd, s->path, ret, &err);
	if (s->cmd->json)
		cache_report_array(out, "findings");
	ret = cache_fsck_run(&f);
	cache_dev_close(dev);
	if (ret || res.ret)
		return cmd_error(s->cmd, s->path, ret ? ret : res.ret, &res.err);
	if (s->cmd->json) {
		cache_report_end(out);
		cache_report_str(out, &f_kernel, cache_verdict_name(res.kernel));
	} else if (!s->cmd->quiet) {
		cache_report_line(out, "%s: restored; %s; %s", s->path,
				  cache_fsck_is_clean(&res) ? "clean" : "NOT CLEAN",
				  fsck_kernel_words(&res));
	}
	return cache_fsck_is_clean(&res) ? EXIT_DONE : EXIT_FAILED;
}

static int open_device(struct restore *r)
{
	const struct super_backup *s = r->s;
	if (cmd_open(s->cmd, s->path, s->dry_run, &r->dev))
		return EXIT_FAILED;
	/* without a superblock it may be something else now */
	return !s->force && cmd_is_foreign(s->cmd, r->dev) ? EXIT_FAILED : EXIT_DONE;
}

static void show_end(const struct restore *r)
{
	struct cache_report *out = cmd_report(r->s->cmd);

	if (r->s->cmd->json) {
		cache_report_bool(out, &f_dry_run, r->s->dry_run);
		cache_report_bool(out, &f_restored, r->differs && !r->s->dry_run);
	} else if (!r->differs && !r->s->cmd->quiet) {
		cache_report_line(out, "%s: is identical to the backup", r->s->path);
	}
}

int super_restore(const struct super_backup *s)
{
	struct restore r = { .s = s };
	struct cache_err err = { 0 };
	bool written = false;
	int ret = cache_backup_read(s->file, &r.b, &err), status;

	if (ret)
		return cmd_error(s->cmd, s->file, ret, &err);
	status = open_device(&r);
	if (!status)
		status = show_plan(&r);
	if (!status && r.differs && !s->dry_run) {
		status = write_it(&r);
		written = !status;
	}
	cache_dev_close(r.dev);
	if (!status)
		show_end(&r);
	return written ? check(s) : status;
}
