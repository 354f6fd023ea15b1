// SPDX-License-Identifier: GPL-2.0-only
/* cache-show-prios: priority, gen and use of every bucket. */
#include "applet.h"
#include "base/bits.h"
#include "rows.h"
#include "show_prios.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_BYTES	(256u << 10)	/* formatted rows are written when they reach this size */
#define ROW_BYTES_MAX	128u

enum { OPT_RAW = 1, OPT_RECOVERED };

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0, "one row per bucket: bucket, prio, gen, mark, sectors used" },
	{ "raw", OPT_RAW, NULL, 0, "trust only the prio chain; no btree is read" },
	{ "recovered", OPT_RECOVERED, NULL, 0,
	  "prios and gens as the kernel has them after its start, raised by keys" },
	CMD_PROGRESS_OPTION,
	{ }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct show_prios *o = state->input;

	switch (key) {
	case 'a':
		o->all = true;
		return 0;
	case OPT_RAW:
		o->raw = true;
		return 0;
	case OPT_RECOVERED:
		o->recovered = true;
		return 0;
	case ARGP_KEY_END:
		if (o->raw && o->recovered)
			argp_error(state, "--recovered needs the keys, which --raw does not read");
		return 0;
	}
	return show_parse_device(&o->show, key, arg, state);
}

static const struct argp argp = {
	options, parse, "DEV...",
	"Show the prio chain of a cache device, the figures of the kernel's "
	"priority_stats, and what each bucket holds. Of a set of several cache devices name "
	"the others behind it: what each bucket holds is known from all of them."
};

struct show_bucket show_prios_look(const struct show_prios *o, uint64_t b)
{
	const struct cache_set *set = o->show.set;
	struct show_bucket v = show_prios_numbers(o, b);

	v.known = o->all_known || cache_prio_is_known(&set->sb, &set->prios, b);
	if (o->raw)
		return v;
	v.role = cache_set_role(set, b);
	if (o->recovered)
		v.known |= set->gen_unknown && !cache_bit(set->gen_unknown, b);
	return v;
}

static const char *mark_name(const struct show_prios *o, const struct show_bucket *v)
{
	return o->raw ? "-" : cache_role_name(v->role);
}

/* Consecutive equal buckets; with -a each run has one bucket. */
struct run {
	uint64_t first, count, sectors_used;
	struct show_bucket v;
};

static bool same_run(const struct show_bucket *a, const struct show_bucket *b)
{
	return a->known == b->known && a->role == b->role &&
	       (!a->known || (a->prio == b->prio && a->gen == b->gen));
}

/* Buckets of equal prio, gen and mark; the sectors used are those of the whole run. */
static struct run run_from(const struct show_prios *o, uint64_t first)
{
	struct show_bucket next = show_prios_look(o, first);
	struct run run = { .first = first, .v = next };

	do {
		run.sectors_used += next.sectors_used;
		run.count++;
		if (o->all || first + run.count == o->end)
			break;
		next = show_prios_look(o, first + run.count);
	} while (same_run(&run.v, &next));
	return run;
}

/* A row of -a, for scripts. */
static char *put_bucket(char *p, const struct show_prios *o, const struct run *run)
{
	const struct show_bucket *v = &run->v;

	p = rows_number(p, 0, true, run->first - o->first);
	*p++ = '\t';
	p = rows_number(p, 0, v->known, v->prio);
	*p++ = '\t';
	p = rows_number(p, 0, v->known, v->gen);
	*p++ = '\t';
	p = stpcpy(p, mark_name(o, v));
	*p++ = '\t';
	p = rows_number(p, 0, !o->raw, run->sectors_used);
	*p++ = '\n';
	return p;
}

/* A row for people: in columns. */
static char *put_run(char *p, const struct show_prios *o, const struct run *run)
{
	const struct show_bucket *v = &run->v;
	uint64_t bytes = run->sectors_used * CACHE_SECTOR_BYTES;
	char used[CACHE_HUMAN_BYTES];
	size_t n;

	p = rows_number(p, 10, true, run->first - o->first);
	p = rows_number(p, 11, true, run->count);
	p = rows_number(p, 6, v->known, v->prio);
	p = rows_number(p, 4, v->known, v->gen);
	*p++ = ' ';
	n = strlen(mark_name(o, v));
	p = (char *)memset(stpcpy(p, mark_name(o, v)), ' ', 11 - n) + 11 - n;
	if (o->raw || o->show.cmd.bytes)
		p = rows_number(p, 0, !o->raw, bytes);
	else
		p = stpcpy(p, cache_bytes_show(used, bytes));
	*p++ = '\n';
	return p;
}

/* Formatted by hand: stdio's formatting takes longer than reading the whole chain. */
static int text_rows(struct show_prios *o)
{
	char *buf = malloc(ROWS_BYTES), *p = buf;
	uint64_t n = o->end;

	if (!buf)
		return cmd_error(&o->show.cmd, NULL, -ENOMEM, NULL);
	for (uint64_t b = o->first; b < n;) {
		struct run run = run_from(o, b);

		p = o->all ? put_bucket(p, o, &run) : put_run(p, o, &run);
		b += run.count;
		if (p + ROW_BYTES_MAX < buf + ROWS_BYTES && b < n)
			continue;
		cache_report_text(cmd_report(&o->show.cmd), buf, p - buf);
		p = buf;
	}
	free(buf);
	return EXIT_DONE;
}

void show_prios_cell(struct show_prios *o, bool known, uint64_t v)
{
	struct cache_report *r = cmd_report(&o->show.cmd);

	if (known)
		cache_report_u64(r, NULL, v);
	else
		cache_report_null(r, NULL);
}

static void json_row(struct show_prios *o, const struct run *run)
{
	struct cache_report *r = cmd_report(&o->show.cmd);

	cache_report_row(r);
	cache_report_u64(r, NULL, run->first - o->first);
	if (!o->all)
		cache_report_u64(r, NULL, run->count);
	show_prios_cell(o, run->v.known, run->v.prio);
	show_prios_cell(o, run->v.known, run->v.gen);
	if (o->raw)
		cache_report_null(r, NULL);
	else
		cache_report_str(r, NULL, mark_name(o, &run->v));
	show_prios_cell(o, !o->raw, run->sectors_used);
	cache_report_end(r);
}

static void json_rows(struct show_prios *o)
{
	static const struct cache_field runs[] = {
		{ "first", NULL, CACHE_UNIT_COUNT }, { "count", NULL, CACHE_UNIT_COUNT },
		{ "prio", NULL, CACHE_UNIT_COUNT }, { "gen", NULL, CACHE_UNIT_COUNT },
		{ "mark", NULL, CACHE_UNIT_TEXT }, { "sectors_used", NULL, CACHE_UNIT_SECTORS },
	};
	static const struct cache_field buckets[] = {
		{ "bucket", NULL, CACHE_UNIT_COUNT }, { "prio", NULL, CACHE_UNIT_COUNT },
		{ "gen", NULL, CACHE_UNIT_COUNT }, { "mark", NULL, CACHE_UNIT_TEXT },
		{ "sectors_used", NULL, CACHE_UNIT_SECTORS },
	};
	struct cache_report *r = cmd_report(&o->show.cmd);

	cache_report_table(r, o->all ? "buckets" : "runs", o->all ? buckets : runs,
			   o->all ? 5 : 6, 0);
	for (uint64_t b = o->first; b < o->end;) {
		struct run run = run_from(o, b);

		json_row(o, &run);
		b += run.count;
	}
	cache_report_end(r);
}

static void show_chain(struct show_prios *o)
{
	static const struct cache_field
		seq = { "seq", "Seq", CACHE_UNIT_SEQ },
		chain = { "chain", "Prio chain", CACHE_UNIT_COUNT },
		nbuckets = { "nbuckets", "Buckets", CACHE_UNIT_COUNT },
		raised = { "raised", "Gens raised by keys", CACHE_UNIT_COUNT };
	const struct cache_set *set = o->show.set;
	struct cache_report *r = cmd_report(&o->show.cmd);

	cache_report_u64(r, &seq, cache_set_prio_seq(set, set->members ? o->show.sb.nr_this_dev : 0));
	cache_report_list(r, &chain);
	for (uint64_t i = 0; i < set->prios.nfollowed; i++)
		if (set->prios.chain[i] >= o->first && set->prios.chain[i] < o->end)
			cache_report_u64(r, &chain, set->prios.chain[i] - o->first);
	cache_report_end(r);
	cache_report_u64(r, &nbuckets, o->end - o->first);
	if (!o->raw)
		cache_report_u64(r, &raised, set->raised);
}

static bool is_all_known(const struct cache_prios *p)
{
	for (uint64_t i = 0; i < p->nmembers; i++)
		if (!p->member_ok[i])
			return false;
	return p->nmembers;
}

static int show_prios(struct show_prios *o)
{
	int ret;

	show_own_buckets(&o->show, &o->first, &o->end);
	o->all_known = is_all_known(&o->show.set->prios);
	if (o->all && !o->show.cmd.json)
		return text_rows(o);
	show_chain(o);
	ret = show_prios_summary(o);
	if (ret)
		return ret;
	if (o->show.cmd.json) {
		json_rows(o);
		return EXIT_DONE;
	}
	cache_report_line(cmd_report(&o->show.cmd),
			  "\n     FIRST      COUNT  PRIO GEN MARK       USED");
	return text_rows(o);
}

int cache_show_prios_main(int argc, char **argv)
{
	struct show_prios o = { .show = SHOW_INIT_MEMBERS };
	int status;

	cmd_parse(&o.show.cmd, &argp, argc, argv, 0);
	if (show_open(&o.show, o.raw ? CACHE_LOAD_PRIOS : CACHE_LOAD_MARKS, &status))
		status = show_prios(&o);
	return show_end(&o.show, status);
}
