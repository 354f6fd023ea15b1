// SPDX-License-Identifier: GPL-2.0-only
#include "finding.h"
#include "base/array.h"
#include "fsck_losses.h"
#include "fsck_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "undo.h"

#define FINDINGS_MAX	1000000

static void mark_seen(struct fsck_findings *h, unsigned dev, enum cache_problem code)
{
	bool (*seen)[CACHE_P_COUNT];

	if (dev >= h->nseen) {
		seen = reallocarray(h->seen, dev + 1, sizeof(*seen));
		if (!seen)
			return;
		memset(seen + h->nseen, 0, (dev + 1 - h->nseen) * sizeof(*seen));
		h->seen = seen;
		h->nseen = dev + 1;
	}
	h->seen[dev][code] = true;
}

void fsck_findings_add(struct fsck_findings *h, unsigned dev, const struct cache_finding *f)
{
	void *p = h->n >= FINDINGS_MAX ? NULL :
		  cache_array_grow(h->list, h->n, &h->capacity, sizeof(*h->list));

	mark_seen(h, dev, f->code);
	if (!p) {
		h->missed++;
		return;
	}
	h->list = p;
	h->list[h->n].dev = dev;
	h->list[h->n++].f = *f;
}

bool fsck_findings_has(const struct fsck_findings *h, unsigned dev, enum cache_problem code)
{
	return dev < h->nseen && h->seen[dev][code];
}

void fsck_findings_fini(struct fsck_findings *h)
{
	free(h->list);
	free(h->seen);
}

static bool is_shown_note(const struct cache_problem_info *info)
{
	return info->always_shown && info->severity == CACHE_SEVERITY_NOTE;
}

void fsck_show_finding(const struct cmd *cmd, struct cache_report *r, const char *path,
		       const struct cache_finding *f)
{
	const struct cache_problem_info *info = cache_problem_info(f->code);
	char line[512];

	if (!info->always_shown && !cmd->verbose)
		return;
	cache_finding_text(f, line, sizeof(line));
	cache_report_line(r, "%s: %s (0x%04x): %s%s", path, info->code, info->number,
			  !info->always_shown ? "note: " : is_shown_note(info) ? "warning: " : "",
			  line);
}

const char *fsck_kernel_words(const struct cache_fsck_result *r)
{
	switch (r->kernel) {
	case CACHE_VERDICT_REFUSES:
		return "the kernel will refuse this device";
	case CACHE_VERDICT_DISABLES:
		return "the kernel will disable this cache set when it starts it";
	case CACHE_VERDICT_PANICS:
		return "the kernel will panic when it starts this cache set";
	case CACHE_VERDICT_HANGS:
		return "the kernel will hang when it starts this cache set";
	case CACHE_VERDICT_MAY_HANG:
		return "the kernel may hang when it starts this cache set";
	default:
		if (r->damage)
			return "the kernel will start this cache set and may return wrong blocks";
		return r->is_backing ? "the kernel will start this backing device"
				     : "the kernel will start this cache set";
	}
}

const struct cache_fsck_result *fsck_final_result(const struct fsck_show *s, unsigned i)
{
	return &s->results[i].after;
}

/* Tells that there are notes that only -v prints. A note that is always shown comes once. */
static const char *notes_words(const struct fsck_show *s, unsigned i)
{
	const struct fsck_findings *h = s->results[i].checked_again ? s->left : s->findings;
	uint64_t n = fsck_final_result(s, i)->count[CACHE_SEVERITY_NOTE];

	for (unsigned code = 0; code < CACHE_P_COUNT && n; code++)
		n -= fsck_findings_has(h, i, code) && is_shown_note(cache_problem_info(code));
	if (s->cmd->verbose || !n)
		return "";
	return n == 1 ? " (a note: -v shows it)" : " (notes: -v shows them)";
}

static const char *result_word(const struct fsck_show *s, unsigned i)
{
	if (!cache_fsck_is_clean(fsck_final_result(s, i)))
		return "errors";
	return cache_fsck_is_clean(&s->results[i].before) ? "clean" : "corrected";
}

void fsck_show_sectors(const struct cmd *c, uint64_t sectors, char buf[CACHE_HUMAN_BYTES])
{
	if (c->bytes)
		snprintf(buf, CACHE_HUMAN_BYTES, "%" PRIu64 " bytes",
			 sectors * CACHE_SECTOR_BYTES);
	else
		cache_bytes_show(buf, sectors * CACHE_SECTOR_BYTES);
}

static void text_rebuilt(const struct fsck_show *s, unsigned i)
{
	const struct cache_repair_result *m = &s->results[i];
	char kept[CACHE_HUMAN_BYTES], dirty[CACHE_HUMAN_BYTES], dropped[CACHE_HUMAN_BYTES];

	fsck_show_sectors(s->cmd, m->plan.kept_sectors, kept);
	fsck_show_sectors(s->cmd, m->plan.kept_dirty_sectors, dirty);
	fsck_show_sectors(s->cmd, m->plan.dropped_clean_sectors, dropped);
	cache_report_line(cmd_report(s->cmd), "%s: repaired: %s kept, %s of it dirty; %s of clean "
			  "data dropped; %" PRIu64 " new nodes, one journal entry",
			  s->paths[i], kept, dirty, dropped, m->plan.new_nodes);
	cmd_note(s->cmd, 0, "%s: --seed %" PRIu64 " repeats this repair byte by byte", s->paths[i],
		 s->seed);
}

static void text_repaired(const struct fsck_show *s, unsigned i)
{
	const struct cache_repair_result *m = &s->results[i];

	if (!m->done)
		return;
	if (m->super)
		cache_report_line(cmd_report(s->cmd), "%s: superblock repaired", s->paths[i]);
	if (m->plan.rebuild)
		text_rebuilt(s, i);
	/* the second check tells whether */
	if (m->plan.clear_discard && !fsck_findings_has(s->left, i, CACHE_P_SB_DISCARD))
		cache_report_line(cmd_report(s->cmd), "%s: discard bit cleared", s->paths[i]);
}

/* "clean" would be misunderstood if there is dirty data: then it is "sound". */
static void state_words(const struct fsck_show *s, const struct cache_fsck_result *res,
			char *buf, size_t size)
{
	const char *word = cache_fsck_is_clean(res) ? "clean" : "NOT CLEAN";
	char dirty[CACHE_HUMAN_BYTES];

	if (!res->has_summary || !res->summary.dirty_sectors) {
		snprintf(buf, size, "%s", word);
		return;
	}
	fsck_show_sectors(s->cmd, res->summary.dirty_sectors, dirty);
	snprintf(buf, size, "%s; %s of dirty data",
		 cache_fsck_is_clean(res) ? "sound" : word, dirty);
}

/* Whether the kernels asked for behave differently. */
static bool kernels_differ(const struct fsck_show *s, const struct cache_fsck_result *res)
{
	for (unsigned i = 0; i < CACHE_ERAS; i++)
		if (s->kernels->eras >> i & 1 && res->kernels[i] != res->kernel)
			return true;
	return false;
}

/* "5.10, 6.1: starts; 7.2: disables" */
static void text_kernels(const struct fsck_show *s, unsigned i)
{
	const struct cache_fsck_result *res = fsck_final_result(s, i);
	uint32_t left = s->kernels->eras;
	char line[256] = "";
	size_t n = 0;

	for (unsigned a = 0; a < CACHE_ERAS; a++) {
		if (!(left >> a & 1))
			continue;
		for (unsigned b = a; b < CACHE_ERAS; b++) {
			if (!(left >> b & 1) || res->kernels[b] != res->kernels[a])
				continue;
			left &= ~(UINT32_C(1) << b);
			n += snprintf(line + n, sizeof(line) - n, "%s%s",
				      b != a ? ", " : n ? "; " : "", cache_driver_of(b)->name);
		}
		n += snprintf(line + n, sizeof(line) - n, ": %s",
			      cache_verdict_name(res->kernels[a]));
	}
	if (kernels_differ(s, res))
		cache_report_line(cmd_report(s->cmd), "%s: by kernel: %s", s->paths[i], line);
	if (res->kernel == CACHE_VERDICT_DISABLES && res->before_root &&
	    cmd_kernels_may_oops(s->kernels))
		cache_report_line(cmd_report(s->cmd), "%s: kernels %s have an oops there: repair "
				  "it before its first start", s->paths[i],
				  cache_driver_oops_versions());
}

static void text_device(const struct fsck_show *s, unsigned i)
{
	const struct cache_fsck_result *res = fsck_final_result(s, i);
	const struct cache_fsck_summary *sum = &res->summary;
	struct cache_report *out = cmd_report(s->cmd);
	char cached[CACHE_HUMAN_BYTES], word[64];

	if (res->ret) {
		cmd_error(s->cmd, s->paths[i], res->ret, &res->err);
		return;
	}
	text_repaired(s, i);
	if (s->cmd->quiet && cache_fsck_is_clean(&s->results[i].before))
		return;
	state_words(s, res, word, sizeof(word));
	if (!res->has_summary) {
		cache_report_line(out, "%s: %s; %s%s", s->paths[i], word,
				  fsck_kernel_words(res), notes_words(s, i));
		text_kernels(s, i);
		return;
	}
	fsck_show_sectors(s->cmd, sum->cached_sectors, cached);
	cache_report_line(out, "%s: %s; %s; %" PRIu64 " extents, %s cached, %" PRIu64
			  " nodes in %" PRIu64 " levels%s", s->paths[i], word,
			  fsck_kernel_words(res), sum->extents, cached, sum->btree_nodes,
			  sum->btree_levels, notes_words(s, i));
	text_kernels(s, i);
	if (!s->cmd->verbose)
		return;
#define X(name) cache_report_line(out, "  %-18s %" PRIu64, #name, sum->name);
	CACHE_FSCK_NUMBERS(X)
#undef X
}

static void talk_next(void *ctx, const char *line)
{
	cmd_note(ctx, 0, "next: %s", line);
}

void fsck_show_text(const struct fsck_show *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		text_device(s, i);
		fsck_next_steps(s, i, talk_next, s->cmd);
	}
}

static const struct cache_field f_device = { "device", NULL, CACHE_UNIT_TEXT };

static void json_finding(const struct fsck_show *s, const struct fsck_finding *e)
{
	static const struct cache_field fixed = { "fixed", NULL, CACHE_UNIT_TEXT };
	struct cache_report *r = cmd_report(s->cmd);

	cache_report_object(r, NULL);
	cache_report_str(r, &f_device, s->paths[e->dev]);
	cmd_report_finding(r, &e->f);
	cache_report_bool(r, &fixed, s->results[e->dev].checked_again &&
			  !fsck_findings_has(s->left, e->dev, e->f.code));
	cache_report_end(r);
}

static enum cache_unit unit_of(const char *name)
{
	bool seq = !strcmp(name, "journal_seq") || !strcmp(name, "journal_last_seq");

	return seq ? CACHE_UNIT_SEQ : CACHE_UNIT_COUNT;
}

static void json_summary(const struct fsck_show *s, const struct cache_fsck_summary *sum)
{
	struct cache_report *out = cmd_report(s->cmd);

	cache_report_object(out, "summary");
#define X(name)								\
	cache_report_u64(out, &(struct cache_field){ #name, NULL, unit_of(#name) }, sum->name);
	CACHE_FSCK_NUMBERS(X)
#undef X
	cache_report_real(out, &(struct cache_field){ "seconds", NULL, CACHE_UNIT_COUNT },
			  s->seconds);
	cache_report_end(out);
}

static void json_next(void *ctx, const char *line)
{
	cache_report_str(ctx, &(struct cache_field){ "step", NULL, CACHE_UNIT_TEXT }, line);
}

static void json_lost(const struct fsck_show *s, unsigned i)
{
	static const struct cache_field
		lost = { "lost_dirty_sectors", NULL, CACHE_UNIT_COUNT },
		doubtful = { "doubtful_sectors", NULL, CACHE_UNIT_COUNT },
		seed = { "seed", NULL, CACHE_UNIT_COUNT }, undo = { "undo_file", NULL, CACHE_UNIT_TEXT };
	struct cache_report *out = cmd_report(s->cmd);
	char file[4096];

	cache_report_u64(out, &lost, cache_losses_sectors(&s->losses->all, i, true));
	cache_report_u64(out, &doubtful, cache_losses_sectors(&s->losses->all, i, false));
	cache_report_u64(out, &seed, s->seed);
	if (s->undo)
		cache_report_str(out, &undo, cmd_undo_name(s->undo, i, file, sizeof(file)));
	else
		cache_report_null(out, &undo);
}

static void json_repaired(const struct fsck_show *s, unsigned i)
{
	const struct cache_repair_result *m = &s->results[i];
	struct cache_report *out = cmd_report(s->cmd);

	if (!m->tried)
		return;
	cache_report_object(out, "repair");
	cache_report_bool(out, &(struct cache_field){ "done", NULL, CACHE_UNIT_TEXT }, m->done);
	cache_report_bool(out, &(struct cache_field){ "super", NULL, CACHE_UNIT_TEXT }, m->super);
	cache_report_bool(out, &(struct cache_field){ "clear_discard", NULL, CACHE_UNIT_TEXT },
			  m->plan.clear_discard);
	cache_report_bool(out, &(struct cache_field){ "safe", NULL, CACHE_UNIT_TEXT },
			  m->plan.safe);
#define X(name)								\
	do {								\
		static const struct cache_field f = { #name, NULL, CACHE_UNIT_COUNT }; \
		cache_report_u64(out, &f, m->plan.name);		\
	} while (0);
	CACHE_REPAIR_NUMBERS(X)
#undef X
	json_lost(s, i);
	fsck_owners_json(s->owners, i, out);
	cache_report_array(out, "next_steps");
	fsck_next_steps(s, i, json_next, out);
	cache_report_end(out);
	cache_report_end(out);
}

static void json_kernels(const struct fsck_show *s, const struct cache_fsck_result *res)
{
	struct cache_report *out = cmd_report(s->cmd);

	cache_report_object(out, "kernels");
	for (unsigned i = 0; i < CACHE_ERAS; i++)
		if (s->kernels->eras >> i & 1)
			cache_report_str(out, &(struct cache_field){ cache_driver_of(i)->name, NULL,
								     CACHE_UNIT_TEXT },
					 cache_verdict_name(res->kernels[i]));
	cache_report_end(out);
}

/* Members of the set that were not named, and are there. */
static void json_absent(const struct fsck_show *s, unsigned i)
{
	static const struct cache_field
		index = { "index", NULL, CACHE_UNIT_COUNT },
		path = { "path", NULL, CACHE_UNIT_TEXT };
	struct cache_report *out = cmd_report(s->cmd);

	if (!fsck_findings_has(s->findings, i, CACHE_P_SB_MEMBER_ABSENT))
		return;
	cache_report_array(out, "absent_members");
	for (unsigned k = 0; k < CACHE_MAX_CACHES_PER_SET; k++) {
		if (!s->absent->path[k])
			continue;
		cache_report_object(out, NULL);
		cache_report_u64(out, &index, k);
		cache_report_str(out, &path, s->absent->path[k]);
		cache_report_end(out);
	}
	cache_report_end(out);
}

static void json_result(const struct fsck_show *s, unsigned i)
{
	static const struct cache_field
		result = { "result", NULL, CACHE_UNIT_TEXT },
		kernel = { "kernel", NULL, CACHE_UNIT_TEXT },
		damage = { "damage", NULL, CACHE_UNIT_TEXT },
		code = { "code", NULL, CACHE_UNIT_TEXT },
		message = { "message", NULL, CACHE_UNIT_TEXT };
	const struct cache_fsck_result *res = fsck_final_result(s, i);
	struct cache_report *out = cmd_report(s->cmd);

	cache_report_str(out, &f_device, s->paths[i]);
	cache_report_str(out, &result, result_word(s, i));
	cache_report_str(out, &kernel, cache_verdict_name(res->kernel));
	cache_report_bool(out, &damage, res->damage);
	json_kernels(s, res);
	json_absent(s, i);
	if (res->ret) {
		cache_report_object(out, "error");
		cache_report_str(out, &code, strerrorname_np(-res->ret) ? : "EUNKNOWN");
		cache_report_str(out, &message, cache_err_text(&res->err, res->ret));
		cache_report_end(out);
	}
	json_repaired(s, i);
	if (res->has_summary)
		json_summary(s, &res->summary);
	fsck_json_times(s, res);
}

/* The result of the cache device counts for the set; a backing device only for itself. */
static unsigned main_device(const struct fsck_show *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!s->results[i].before.is_backing)
			return i;
	return 0;
}

void fsck_show_json(const struct fsck_show *s)
{
	static const struct cache_field missed = { "findings_left_out", NULL, CACHE_UNIT_COUNT };
	struct cache_report *out = cmd_report(s->cmd);

	json_result(s, main_device(s));
	cache_report_array(out, "findings");
	for (size_t i = 0; i < s->findings->n; i++)
		json_finding(s, &s->findings->list[i]);
	cache_report_end(out);
	fsck_losses_json(s->losses);
	if (s->findings->missed)
		cache_report_u64(out, &missed, s->findings->missed);
	cache_report_array(out, "devices");
	for (unsigned i = 0; i < s->n; i++) {
		cache_report_object(out, NULL);
		json_result(s, i);
		cache_report_end(out);
	}
	cache_report_end(out);
}
