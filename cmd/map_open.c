// SPDX-License-Identifier: GPL-2.0-only
#include "map_open.h"

#include <libcache/fsck.h>

#include "dev/dev.h"
#include "format/members.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_finding(void *ctx, const struct cache_finding *f)
{
	struct map_device *d = ctx;
	const struct cache_problem_info *info = cache_problem_info(f->code);
	char text[512];

	cmd_progress_end(&d->progress);
	cache_finding_text(f, text, sizeof(text));
	if (info->severity == CACHE_SEVERITY_NOTE) {
		cmd_note(d->cmd, 1, "%s: %s (0x%04x): note: %s", d->path, info->code, info->number,
			 text);
		return;
	}
	fflush(stdout);
	cmd_put(stderr, "%s: %s: %s (0x%04x): %s", d->cmd->name, d->path, info->code, info->number,
		text);
	fputc('\n', stderr);
	d->nwrong++;
}

static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	struct map_device *d = ctx;

	cmd_progress(&d->progress, pass, cmd_pass_name(pass), current, max);
	return 0;
}

static bool refuse(struct map_device *d, int code, const char *why)
{
	cmd_fail_with(d->cmd, d->path, code, 0, why);
	return false;
}

bool map_open(struct cmd *c, const char *spec, struct map_device *d)
{
	struct cache_err err = { 0 };
	int ret;

	d->cmd = c;
	d->path = cmd_device(c, spec);
	if (!d->path)
		return false;
	cmd_warn_in_use(c, d->path);
	ret = cmd_open_to_read(d->path, &d->dev, &err);
	if (!ret && cmd_is_foreign(c, d->dev))
		return false;
	if (ret)
		cmd_error(c, d->path, ret, &err);
	return !ret;
}

bool map_load(struct map_device *d, int fd)
{
	struct cache_err err = { 0 };
	struct cache_sb sb;
	int ret = cache_sb_read(d->dev, &sb, &err);

	d->sink = (struct cache_sink){ on_finding, d, on_progress };
	cmd_progress_init(&d->progress, d->cmd, d->path, fd, 0);
	if (!ret && cache_sb_is_one_of_several(&sb))
		return refuse(d, -EOPNOTSUPP, "it is one of several cache devices of its set, and "
			      "all of them are needed");
	if (!ret)
		ret = cache_set_load(d->dev, CACHE_LOAD_MARKS, &d->sink, &d->set, &err);
	cmd_progress_end(&d->progress);
	if (ret) {
		cmd_error(d->cmd, d->path, ret, &err);
		return false;
	}
	if (!cache_sb_is_usable(&d->set->sb, cache_dev_sectors(d->dev)))
		return refuse(d, -EUCLEAN, "no superblock that could be used");
	if (cache_sb_is_bdev(&d->set->sb))
		return refuse(d, -EINVAL,
			      "this is a backing device; give the cache device of its set");
	return true;
}

void map_close(struct map_device *d)
{
	cache_set_close(d->set);
	cache_dev_close(d->dev);
	free(d->path);
}

bool map_open_backing(struct cmd *c, const char *spec, struct map_backing *b)
{
	struct cache_err err = { 0 };
	struct cache_dev *dev = NULL;
	struct cache_sb sb;
	char *path = cmd_device(c, spec);
	int ret;

	if (!path)
		return false;
	ret = cmd_open_to_read(path, &dev, &err);
	if (!ret)
		ret = cache_sb_read(dev, &sb, &err);
	if (ret)
		cmd_error(c, path, ret, &err);
	else if (!cache_sb_has_magic(&sb) || !cache_sb_is_bdev(&sb))
		ret = cmd_fail(c, path, "is no backing device");
	if (!ret) {
		memcpy(b->uuid, sb.uuid, sizeof(b->uuid));
		b->sectors = cache_dev_sectors(dev);
	}
	cache_dev_close(dev);
	free(path);
	return !ret;
}

static void on_check_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	struct map_findings *to = ctx;
	char text[512];

	to->nwrong += info->severity != CACHE_SEVERITY_NOTE;
	if (to->n++ >= MAP_FINDINGS_HELD)
		return;
	cache_finding_text(f, text, sizeof(text));
	if (asprintf(&to->text[to->n - 1], "%s%s (0x%04x): %s",
		     info->severity == CACHE_SEVERITY_NOTE ? "note: " : "", info->code,
		     info->number, text) < 0)
		to->text[--to->n] = NULL;
}

static int on_check_progress(void *ctx, unsigned dev, unsigned pass, uint64_t current,
			     uint64_t max)
{
	struct map_findings *f = ctx;

	return on_progress(f->dev, pass, current, max);
}

int map_check(struct map_device *d, struct map_findings *f)
{
	struct cache_fsck_result result = { 0 };
	struct cache_fsck check = {
		.size = sizeof(check), .devs = &d->dev, .ndevs = 1, .results = &result,
		.report = on_check_finding, .progress = on_check_progress, .ctx = f,
	};
	int ret;

	f->dev = d;
	ret = cache_fsck_run(&check);
	cmd_progress_end(&d->progress);
	f->verdict = result.kernel;
	f->damage = result.damage;
	return ret ? ret : result.ret;
}

void map_findings_free(struct map_findings *f)
{
	for (unsigned i = 0; i < MAP_FINDINGS_HELD; i++)
		free(f->text[i]);
}
