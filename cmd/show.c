// SPDX-License-Identifier: GPL-2.0-only
#include "finding.h"
#include "show.h"

#include "host/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

error_t show_parse_device(struct show *s, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (s->spec)
			argp_error(state, "one device at a time: \"%s\" is one too many", arg);
		s->spec = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no device given");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void on_finding(void *ctx, const struct cache_finding *f)
{
	struct show *s = ctx;
	const struct cache_problem_info *info = cache_problem_info(f->code);
	char text[512];

	cache_finding_text(f, text, sizeof(text));
	if (info->severity == CACHE_SEVERITY_NOTE) {
		cmd_note(&s->cmd, 1, "%s: %s (0x%04x): note: %s", s->path, info->code,
			 info->number, text);
		return;
	}
	fflush(stdout);
	cmd_put(stderr, "%s: %s: %s (0x%04x): %s", s->cmd.name, s->path, info->code, info->number,
		text);
	fputc('\n', stderr);
	if (s->nproblems < SHOW_PROBLEMS_HELD)
		s->problem[s->nproblems] = *f;
	s->nproblems++;
}

#define FOREIGN	1	/* and an error was printed */

static int load(struct show *s, enum cache_load upto, struct cache_err *err)
{
	int ret = cmd_open_to_read(s->path, &s->dev, err);

	if (ret)
		return ret;
	if (cmd_is_foreign(&s->cmd, s->dev))
		return FOREIGN;
	cmd_confine();
	s->sink = (struct cache_sink){ on_finding, s };
	return cache_set_load(s->dev, upto, &s->sink, &s->set, err);
}

static int never_ran(struct show *s)
{
	static const struct cache_field synced = { "synced", NULL, CACHE_UNIT_TEXT };
	struct cache_report *r = cmd_report(&s->cmd);

	cache_report_bool(r, &synced, false);
	cache_report_line(r, "the set has not run yet: its first start makes journal, prios and btree");
	return EXIT_DONE;
}

static int refuse(struct show *s, int code, const char *why)
{
	struct cache_err err = { 0 };

	return show_failed(s, cache_err_set(&err, code, 0, "%s", why), &err);
}

/* Why there is nothing to show, or -1: there is. */
static int nothing(struct show *s, enum cache_load upto)
{
	const struct cache_set *set = s->set;

	if (!cache_sb_is_usable(&set->sb, cache_dev_sectors(set->dev)))
		return refuse(s, -EUCLEAN, "no superblock that could be used");
	if (cache_sb_is_bdev(&set->sb))
		return refuse(s, -EINVAL,
			      "this is a backing device; give the cache device of its set");
	if (upto == CACHE_LOAD_JOURNAL && set->journal.nentries)
		return -1;
	if (!cache_sb_is_synced(&set->sb))
		return never_ran(s);
	if (set->loaded < upto)
		return refuse(s, -EUCLEAN,
			      "no journal entry was found, and nothing else says where the rest is");
	return -1;
}

bool show_open(struct show *s, enum cache_load upto, int *status)
{
	static const struct cache_field device = { "device", NULL, CACHE_UNIT_TEXT };
	struct cache_err err = { 0 };
	int ret;

	*status = EXIT_FAILED;
	s->path = cmd_device(&s->cmd, s->spec);
	if (!s->path)
		return false;
	cmd_warn_in_use(&s->cmd, s->path);
	ret = load(s, upto, &err);
	if (ret) {
		if (ret != FOREIGN)
			show_failed(s, ret, &err);
		return false;
	}
	cache_report_str(cmd_report(&s->cmd), &device, s->path);
	ret = nothing(s, upto);
	if (ret >= 0)
		*status = ret;
	return ret < 0;
}

int show_failed(struct show *s, int code, const struct cache_err *err)
{
	return cmd_error(&s->cmd, s->path, code, err);
}

static void report_problems(struct show *s)
{
	static const struct cache_field count = { "nproblems", NULL, CACHE_UNIT_COUNT };
	struct cache_report *r = cmd_report(&s->cmd);

	cache_report_u64(r, &count, s->nproblems);
	cache_report_array(r, "problems");
	for (uint64_t i = 0; i < s->nproblems && i < SHOW_PROBLEMS_HELD; i++) {
		cache_report_object(r, NULL);
		cmd_report_finding(r, &s->problem[i]);
		cache_report_end(r);
	}
	cache_report_end(r);
}

int show_end(struct show *s, int status)
{
	if (s->nproblems)
		status = EXIT_FAILED;
	if (s->cmd.json)
		report_problems(s);
	cache_set_close(s->set);
	cache_dev_close(s->dev);
	free(s->path);
	return cmd_end(&s->cmd, status);
}

void show_key_cells(struct show *s, const struct cache_bkey *k, unsigned level)
{
	struct cache_report *r = cmd_report(&s->cmd);

	cache_report_u64(r, NULL, cache_key_inode(k));
	if (level || cache_key_size(k) > cache_key_offset(k))
		cache_report_null(r, NULL);
	else
		cache_report_u64(r, NULL, cache_key_start(k));
	cache_report_u64(r, NULL, cache_key_offset(k));
	cache_report_u64(r, NULL, cache_key_size(k));
	cache_report_bool(r, NULL, cache_key_dirty(k));
	if (!cache_key_ptrs(k) || !cache_ptr_is_available(&s->set->sb, k, 0)) {
		for (unsigned i = 0; i < 3; i++)
			cache_report_null(r, NULL);
		return;
	}
	cache_report_u64(r, NULL, cache_ptr_sector(k->ptr[0]));
	cache_report_u64(r, NULL, cache_ptr_bucket(&s->set->sb, k, 0));
	cache_report_u64(r, NULL, cache_ptr_gen(k->ptr[0]));
}
