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
		if (!s->spec) {
			s->spec = arg;
			return 0;
		}
		if (!s->takes_members || s->nmore == CACHE_MAX_CACHES_PER_SET - 1)
			argp_error(state, "one %s at a time: \"%s\" is one too many",
				   s->takes_members ? "set" : "device", arg);
		s->more[s->nmore++] = (struct show_member){ .show = s, .spec = arg };
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no device given");
		return 0;
	case 'C':
		s->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void say_finding(struct show *s, const char *path, const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	char text[512];

	cmd_progress_end(&s->progress);
	cache_finding_text(f, text, sizeof(text));
	if (info->severity == CACHE_SEVERITY_NOTE) {
		cmd_note(&s->cmd, 1, "%s: %s (0x%04x): note: %s", path, info->code,
			 info->number, text);
		return;
	}
	fflush(stdout);
	cmd_put(stderr, "%s: %s: %s (0x%04x): %s", s->cmd.name, path, info->code, info->number,
		text);
	fputc('\n', stderr);
	if (f->code == CACHE_P_SB_MEMBER_ABSENT &&
	    cmd_absent_text(&s->absent, f->index, text, sizeof(text)))
		cmd_note(&s->cmd, 0, "%s", text);
	if (s->nproblems < SHOW_PROBLEMS_HELD)
		s->problem[s->nproblems] = *f;
	s->nproblems++;
}

static void on_finding(void *ctx, const struct cache_finding *f)
{
	struct show *s = ctx;

	say_finding(s, s->path, f);
}

/* Ctrl-C ends a reader at once: nobody asks to stop here. */
static int on_progress(void *ctx, unsigned pass, uint64_t current, uint64_t max)
{
	static const char *const words[] = {
		[CACHE_PASS_JOURNAL] = "journal", [CACHE_PASS_PRIOS] = "prios",
		[CACHE_PASS_BTREE] = "nodes", [CACHE_PASS_BUCKETS] = "extents",
	};
	struct show *s = ctx;

	if (pass < sizeof(words) / sizeof(*words) && words[pass])
		cmd_progress(&s->progress, pass, words[pass], current, max);
	return 0;
}

static void on_member_finding(void *ctx, const struct cache_finding *f)
{
	struct show_member *m = ctx;

	say_finding(m->show, m->path, f);
}

#define FOREIGN	1	/* and an error was printed */

/* An error is said here, of the device that has it. */
static int open_member(struct show *s, struct show_member *m)
{
	struct cache_err err = { 0 };
	int ret;

	m->path = cmd_device(&s->cmd, m->spec);
	if (!m->path)
		return FOREIGN;
	cmd_warn_in_use(&s->cmd, m->path);
	ret = cmd_open_to_read(m->path, &m->dev, &err);
	if (!ret)
		ret = cache_sb_read(m->dev, &m->sb, &err);
	if (!ret && (!cache_sb_is_one_of_several(&m->sb) ||
		     memcmp(m->sb.set_uuid, s->sb.set_uuid, sizeof(m->sb.set_uuid))))
		ret = cache_err_set(&err, -EINVAL, 0, "it is no cache device of the set of %s: "
				    "one set at a time", s->path);
	if (ret)
		cmd_error(&s->cmd, m->path, ret, &err);
	m->sink = (struct cache_sink){ on_member_finding, m };
	return ret ? FOREIGN : 0;
}

/* The devices beside the first: all that were named are one set. */
static int open_members(struct show *s, struct cache_err *err)
{
	int ret = 0;

	if (s->nmore && !cache_sb_is_one_of_several(&s->sb))
		return cache_err_set(err, -EINVAL, 0, "it is not one of several cache devices of "
				     "a set: one device at a time");
	cmd_absent_named(&s->absent, &s->sb);
	for (unsigned i = 0; i < s->nmore && !ret; i++) {
		ret = open_member(s, &s->more[i]);
		if (!ret)
			cmd_absent_named(&s->absent, &s->more[i].sb);
	}
	if (!ret)
		cmd_absent_find(&s->absent);
	return ret;
}

static int load_members(struct show *s, enum cache_load upto, struct cache_err *err)
{
	struct cache_set_member list[CACHE_MAX_CACHES_PER_SET] = {
		{ s->dev, &s->sb, &s->sink },
	};

	for (unsigned i = 0; i < s->nmore; i++)
		list[i + 1] = (struct cache_set_member){ s->more[i].dev, &s->more[i].sb,
							 &s->more[i].sink };
	return cache_set_load_members(list, s->nmore + 1, upto, NULL, &s->set, err);
}

/* A ring is a device's own: that of the first one, of which all was said already. */
static int load_own_ring(struct show *s, struct cache_err *err)
{
	static const struct cache_sink silent = { .report = cache_sink_ignore };

	cache_set_close(s->set);
	s->set = NULL;
	return cache_set_load(s->dev, CACHE_LOAD_JOURNAL, &silent, &s->set, err);
}

static int load(struct show *s, enum cache_load upto, struct cache_err *err)
{
	int ret = cmd_open_to_read(s->path, &s->dev, err);

	if (ret)
		return ret;
	if (cmd_is_foreign(&s->cmd, s->dev))
		return FOREIGN;
	if (s->takes_members) {
		ret = cache_sb_read(s->dev, &s->sb, err);
		if (!ret)
			ret = open_members(s, err);
		if (ret)
			return ret;
	}
	if (!s->makes_files)
		cmd_confine();
	cmd_progress_init(&s->progress, &s->cmd, s->path, s->progress_fd, 0);
	s->sink = (struct cache_sink){ on_finding, s, on_progress };
	if (s->takes_members && cache_sb_is_one_of_several(&s->sb)) {
		ret = load_members(s, upto, err);
		return ret || upto > CACHE_LOAD_JOURNAL ? ret : load_own_ring(s, err);
	}
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

/* Reports why there is nothing to show and returns the exit status, or -1. */
static int nothing(struct show *s, enum cache_load upto)
{
	const struct cache_set *set = s->set;

	if (!set->dev || !cache_sb_is_usable(&set->sb, cache_dev_sectors(set->dev)))
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
	cmd_progress_end(&s->progress);
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

void show_own_buckets(const struct show *s, uint64_t *first, uint64_t *end)
{
	const struct cache_members *m = s->set->sb.members;
	const struct cache_member_place *place = m ? &m->m[s->sb.nr_this_dev] : NULL;

	*first = place ? place->base : 0;
	*end = place ? place->base + place->nbuckets : s->set->sb.nbuckets;
}

void show_place(const struct show *s, uint64_t bucket, uint64_t *member, uint64_t *local)
{
	unsigned place = s->set->sb.nr_this_dev;

	*local = bucket;
	if (s->set->sb.members)
		cache_members_find(s->set->sb.members, bucket, &place, local);
	*member = place;
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
	cmd_absent_fini(&s->absent);
	for (unsigned i = 0; i < s->nmore; i++) {
		cache_dev_close(s->more[i].dev);
		free(s->more[i].path);
	}
	return cmd_end(&s->cmd, status);
}

bool show_has_ptr(const struct show *s, const struct cache_bkey *k)
{
	const struct cache_sb *sb = &s->set->sb;

	return cache_key_ptrs(k) && (cache_ptr_is_available(sb, k, 0) ||
				     (sb->nr_in_set > 1 && cache_ptr_dev(k->ptr[0]) < sb->nr_in_set));
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
	if (!show_has_ptr(s, k)) {
		for (unsigned i = 0; i < 3; i++)
			cache_report_null(r, NULL);
		return;
	}
	cache_report_u64(r, NULL, cache_ptr_sector(k->ptr[0]));
	cache_report_u64(r, NULL, cache_ptr_sector(k->ptr[0]) / s->set->sb.bucket_sectors);
	cache_report_u64(r, NULL, cache_ptr_gen(k->ptr[0]));
}
