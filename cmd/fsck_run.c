// SPDX-License-Identifier: GPL-2.0-only
/* One run of cache-fsck: open the devices, check and repair them, show the result. */
#include "fsck_run.h"
#include "undo.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

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

static int status_of(const struct fsck_run *r)
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

static void show(struct fsck_run *r, double seconds)
{
	const struct fsck_show s = {
		.cmd = &r->o->cmd, .paths = r->paths, .n = r->o->n, .results = r->results,
		.findings = &r->findings, .left = &r->left, .owners = &r->owners, .losses = &r->losses,
		.absent = &r->absent, .seconds = seconds, .timed = r->o->timing,
		.threads = (unsigned)r->o->threads, .guess = r->o->guess, .seed = r->o->seed,
		.undo = r->o->dry_run ? NULL : r->o->undo, .kernels = &r->o->kernels };

	if (r->o->cmd.json) {
		fsck_show_json(&s);
		return;
	}
	fsck_show_text(&s);
	if (r->o->timing)
		fsck_show_times(&s);
}

static int open_all(struct fsck_run *r)
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

static void find_absent(struct fsck_run *r)
{
	for (unsigned i = 0; i < r->o->n; i++) {
		struct cache_sb sb;

		if (!cache_sb_read(r->devs[i], &sb, NULL))
			cmd_absent_named(&r->absent, &sb);
	}
	cmd_absent_find(&r->absent);
}

/* Opened anew: what was checked is open to read. */
static int on_open(void *ctx, unsigned i, struct cache_dev **dev, struct cache_err *err)
{
	struct fsck_run *r = ctx;
	struct fsck_opts *o = r->o;
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

static int check_and_repair(struct fsck_run *r)
{
	const struct fsck_opts *o = r->o;
	struct cache_repair_opts opts = { .size = sizeof(opts),
		.look_only = o->mode == FSCK_MODE_LOOK,
		.safe_only = o->mode == FSCK_MODE_PREEN && !o->dry_run,
		.allow_data_loss = o->allow_data_loss, .dry_run = o->dry_run, .guess = o->guess,
		.clear_discard = o->clear_discard, .fold_journal = o->fold, .seed = o->seed,
		.eras = o->kernels.eras, .threads = (unsigned)o->threads, .timed = o->timing,
		.drop_uuids = (const uint8_t (*)[16])o->drop, .ndrop_uuids = o->ndrop,
		.given_slots = o->slots, .ngiven_slots = o->nslots,
		.open = on_open, .close = on_close };

	fsck_talk(r, &opts);
	return cache_repair_run(r->devs, o->n, &opts, r->results);
}

static int check(struct fsck_run *r)
{
	double start = now();
	int ret, status;

	if (open_all(r) || fsck_losses_open(&r->losses, r->o->losses))
		return FSCK_ERROR;
	find_absent(r);
	if (r->o->mode == FSCK_MODE_LOOK && !r->o->dry_run)
		cmd_confine();
	ret = check_and_repair(r);
	cmd_progress_end(&r->progress);
	if (ret && ret != -ECANCELED)
		cmd_error(&r->o->cmd, NULL, ret, NULL);
	if (r->o->mode == FSCK_MODE_LOOK)
		fsck_talk_losses(r);
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

static int name_all(struct fsck_run *r)
{
	for (unsigned i = 0; i < r->o->n; i++) {
		r->paths[i] = cmd_device(&r->o->cmd, r->o->specs[i]);
		if (!r->paths[i])
			return FSCK_ERROR;
		cmd_warn_in_use(&r->o->cmd, r->paths[i]);
	}
	return 0;
}

static void fini(struct fsck_run *r)
{
	for (unsigned i = 0; r->devs && i < r->o->n; i++)
		cache_dev_close(r->devs[i]);
	for (unsigned i = 0; r->paths && i < r->o->n; i++)
		free(r->paths[i]);
	cache_losses_fini(&r->losses.all);
	cmd_absent_fini(&r->absent);
	fsck_findings_fini(&r->findings);
	fsck_findings_fini(&r->left);
	free(r->owners.list);
	free(r->devs);
	free(r->paths);
	free(r->results);
}

int fsck_run(struct fsck_opts *o)
{
	struct fsck_run r = { .o = o, .progress_dev = UINT32_MAX, .losses_shown = UINT32_MAX };
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

