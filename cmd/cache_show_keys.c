// SPDX-License-Identifier: GPL-2.0-only
/* cache-show-keys: the content of the btree, as a driver would see it or as stored. */
#include "applet.h"
#include "rows.h"
#include "show_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_BYTES	(256u << 10)	/* formatted rows are written when they reach this size */
#define ROW_BYTES_MAX	256u

enum { OPT_RAW = 1, OPT_EFFECTIVE, OPT_NODES, OPT_STALE, OPT_INODE, OPT_RANGE, OPT_DIRTY,
       OPT_LEVEL, OPT_OWNER, OPT_TSV };

static const struct argp_option options[] = {
	{ "effective", OPT_EFFECTIVE, NULL, 0,
	  "sets and journal merged as the driver would: only what is live (the default)" },
	{ "raw", OPT_RAW, NULL, 0, "every set of every node as stored" },
	{ "nodes", OPT_NODES, NULL, 0, "one row per node instead of one per key" },
	{ "inode", OPT_INODE, "N", 0, "only keys of slot N of the uuid table" },
	{ "range", OPT_RANGE, "A-B", 0, "only keys that touch sectors A up to B, B not in it" },
	{ "dirty", OPT_DIRTY, NULL, 0, "only dirty keys" },
	{ "level", OPT_LEVEL, "N", 0, "only keys in nodes of level N (with --effective: 0)" },
	{ "stale", OPT_STALE, NULL, 0, "with --effective: stale extents and check keys too" },
	{ "tsv", OPT_TSV, NULL, 0, "plain numbers between TABs and no heading, for scripts: "
	  "millions of rows a second" },
	{ "owner", OPT_OWNER, "N[s]", 0,
	  "who owns bucket N, or with an s sector N, of the cache device" },
	CMD_PROGRESS_OPTION,
	{ }
};

static uint64_t number(const struct argp_state *state, const char *what, const char *arg,
		       const char *end)
{
	char text[32];

	if ((size_t)(end - arg) >= sizeof(text))
		argp_error(state, "%s is \"%s\", expected a number", what, arg);
	snprintf(text, sizeof(text), "%.*s", (int)(end - arg), arg);
	return cmd_arg_number(state, what, text);
}

static uint64_t sector(const struct argp_state *state, const char *arg, size_t n)
{
	char text[32];
	uint64_t v = 0;

	snprintf(text, sizeof(text), "%.*s", (int)(n < sizeof(text) ? n : 0), arg);
	if (cmd_sectors_parse(text, &v))
		argp_error(state, "range has \"%.*s\", expected a sector or a size", (int)n, arg);
	return v;
}

static void parse_range(struct show_keys *o, const char *arg, const struct argp_state *state)
{
	const char *dash = strchr(arg, '-');

	if (!dash)
		argp_error(state, "range is \"%s\", expected two sectors such as 0-2048", arg);
	o->range_start = sector(state, arg, (size_t)(dash - arg));
	o->range_end = sector(state, dash + 1, strlen(dash + 1));
	if (o->range_start >= o->range_end)
		argp_error(state, "range \"%s\" is empty", arg);
	o->by_range = true;
}

static void parse_owner(struct show_keys *o, const char *arg, const struct argp_state *state)
{
	const char *end = strchr(arg, '\0');

	o->by_owner = true;
	o->owner_is_sector = end > arg && end[-1] == 's';
	o->owner = number(state, o->owner_is_sector ? "sector" : "bucket", arg,
				end - o->owner_is_sector);
}

static void check_options(const struct show_keys *o, const struct argp_state *state)
{
	bool filters = o->by_inode || o->by_level || o->by_range || o->dirty || o->stale;

	if (o->raw + o->nodes + o->by_owner > 1)
		argp_error(state, "only one of --raw, --nodes and --owner may be given");
	if (o->by_owner && filters)
		argp_error(state, "--owner takes no filters");
	if (o->tsv && (o->by_owner || o->show.cmd.json))
		argp_error(state, "--tsv goes with neither --owner nor --json");
	if (o->raw && o->stale)
		argp_error(state, "--raw shows stale keys anyway");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct show_keys *o = state->input;

	switch (key) {
	case OPT_EFFECTIVE:
		o->raw = false;
		return 0;
	case OPT_RAW:
		o->raw = true;
		return 0;
	case OPT_NODES:
		o->nodes = true;
		return 0;
	case OPT_STALE:
		o->stale = true;
		return 0;
	case OPT_TSV:
		o->tsv = true;
		return 0;
	case OPT_DIRTY:
		o->dirty = true;
		return 0;
	case OPT_INODE:
		o->inode = cmd_arg_number(state, "inode", arg);
		o->by_inode = true;
		return 0;
	case OPT_LEVEL:
		o->level = cmd_arg_number(state, "level", arg);
		o->by_level = true;
		return 0;
	case OPT_RANGE:
		parse_range(o, arg, state);
		return 0;
	case OPT_OWNER:
		parse_owner(o, arg, state);
		return 0;
	case ARGP_KEY_END:
		check_options(o, state);
		return 0;
	}
	return show_parse_device(&o->show, key, arg, state);
}

static const struct argp argp = {
	options, parse, "DEV...",
	"Show the keys of a cache set's btree, a row each: level and bucket of the node, "
	"the extent on the backing device, where it lies in the cache. A node of - is the "
	"journal. Positions and sizes are sectors. Of a set of several cache devices name all."
};

/* Of a set of several devices: which of them, last in each row. */
static const struct cache_field member_cols[] = {
	{ "node_member", "NODE ON", CACHE_UNIT_COUNT }, { "ptr_member", "PTR ON", CACHE_UNIT_COUNT },
};

static const struct cache_field show_keys_cols[SHOW_KEYS_NCOLS] = {
	{ "level", "LEVEL", CACHE_UNIT_COUNT }, { "node", "NODE", CACHE_UNIT_COUNT },
	SHOW_KEY_COLS,
	{ "stale", "STALE", CACHE_UNIT_COUNT },
	{ "block", "BLOCK", CACHE_UNIT_COUNT },	/* where its set starts in the node */
};

static void flush_rows(struct show_keys *o)
{
	cache_report_text(cmd_report(&o->show.cmd), o->rows, o->nrows);
	o->nrows = 0;
}

static char *put_cell(char *p, bool known, uint64_t v)
{
	p = rows_number(p, 0, known, v);
	*p++ = '\t';
	return p;
}

/* The cells of show_keys_cols, separated by TABs. */
static void put_row(struct show_keys *o, const struct cache_bkey *k, unsigned level,
		    uint64_t node_bucket, const uint32_t *block)
{
	const struct cache_set *set = o->show.set;
	bool has_start = !level && cache_key_size(k) <= cache_key_offset(k);
	bool has_ptr = show_has_ptr(&o->show, k);
	char *p = o->rows + o->nrows;
	uint64_t node_member, node;

	show_place(&o->show, node_bucket, &node_member, &node);
	p = put_cell(p, true, level);
	p = put_cell(p, node_bucket, node);
	p = put_cell(p, true, cache_key_inode(k));
	p = put_cell(p, has_start, cache_key_start(k));
	p = put_cell(p, true, cache_key_offset(k));
	p = put_cell(p, true, cache_key_size(k));
	p = stpcpy(p, cache_key_dirty(k) ? "yes\t" : "no\t");
	p = put_cell(p, has_ptr, has_ptr ? cache_ptr_sector(k->ptr[0]) : 0);
	p = put_cell(p, has_ptr, has_ptr ? cache_ptr_sector(k->ptr[0]) / set->sb.bucket_sectors : 0);
	p = put_cell(p, has_ptr, has_ptr ? cache_ptr_gen(k->ptr[0]) : 0);
	p = put_cell(p, true, cache_bkey_staleness(&set->sb, &set->gens, k));
	if (block)
		p = put_cell(p, true, *block);
	if (set->members) {
		p = put_cell(p, node_bucket, node_member);
		p = put_cell(p, cache_key_ptrs(k), cache_ptr_dev(k->ptr[0]));
	}
	p[-1] = '\n';
	o->nrows = p - o->rows;
	if (o->nrows + ROW_BYTES_MAX > ROWS_BYTES)
		flush_rows(o);
}

static void put_number(struct cache_report *r, bool known, uint64_t v)
{
	if (known)
		cache_report_u64(r, NULL, v);
	else
		cache_report_null(r, NULL);
}

void show_keys_row(struct show_keys *o, const struct cache_bkey *k, unsigned level,
		   uint64_t node_bucket, const uint32_t *block)
{
	const struct cache_set *set = o->show.set;
	struct cache_report *r = cmd_report(&o->show.cmd);
	uint64_t node_member, node;

	if (o->rows) {
		put_row(o, k, level, node_bucket, block);
		return;
	}
	show_place(&o->show, node_bucket, &node_member, &node);
	cache_report_row(r);
	cache_report_u64(r, NULL, level);
	put_number(r, node_bucket, node);
	show_key_cells(&o->show, k, level);
	cache_report_u64(r, NULL, cache_bkey_staleness(&set->sb, &set->gens, k));
	if (block)
		cache_report_u64(r, NULL, *block);
	if (set->members) {
		put_number(r, node_bucket, node_member);
		put_number(r, cache_key_ptrs(k), cache_ptr_dev(k->ptr[0]));
	}
	cache_report_end(r);
}

/* The position where a child's range begins; @prev: its left neighbour in the node, or NULL. */
static bool is_wanted(const struct show_keys *o, const struct cache_bkey *k, unsigned level,
		      const struct cache_bkey *prev)
{
	if (o->by_inode && cache_key_inode(k) != o->inode)
		return false;
	if (o->dirty && !cache_key_dirty(k))
		return false;
	if (!o->by_range)
		return true;
	if (!level)
		return cache_key_start(k) < o->range_end && k->low > o->range_start;
	return k->low > o->range_start &&
	       (!prev || cache_key_inode(prev) != cache_key_inode(k) || prev->low < o->range_end);
}

static int show_extent(void *ctx, const struct cache_extent *e)
{
	struct show_keys *o = ctx;
	bool live = e->available && !e->check_key && !e->staleness;

	if ((live || o->stale) && is_wanted(o, &e->key, 0, NULL))
		show_keys_row(o, &e->key, 0, e->leaf_bucket, NULL);
	return 0;
}

/* Interior keys: the journal has none, and invalid ones are not followed. */
static int show_interior(void *ctx, const struct cache_btree_node *n)
{
	struct show_keys *o = ctx;
	const struct cache_set *set = o->show.set;
	const struct cache_bkey *prev = NULL;

	if (n->level != o->level)
		return 0;
	for (size_t i = 0; i < n->keys.n; i++) {
		const struct cache_bkey *k = &n->keys.k[i];

		if (!o->stale && cache_bkey_is_bad(&set->sb, &set->gens, k, n->level))
			continue;
		if (is_wanted(o, k, n->level, prev))
			show_keys_row(o, k, n->level, n->bucket, NULL);
		prev = k;
	}
	return 0;
}

static void show_set(struct show_keys *o, const struct cache_btree_node *n,
		     const struct cache_bset_ref *set)
{
	struct cache_bkey k, prev;
	unsigned words;

	for (uint32_t at = 0; at < set->nwords; at += words) {
		words = cache_bkey_decode(set->words + at, set->nwords - at, &k);
		if (!words)
			return;		/* a finding reported it */
		if (is_wanted(o, &k, n->level, at ? &prev : NULL))
			show_keys_row(o, &k, n->level, n->bucket, &set->block);
		prev = k;
	}
}

static int show_sets(void *ctx, const struct cache_btree_node *n)
{
	struct show_keys *o = ctx;

	if (o->by_level && n->level != o->level)
		return 0;
	for (uint32_t i = 0; i < n->nsets; i++)
		show_set(o, n, &n->sets[i]);
	return 0;
}

static int show_node(void *ctx, const struct cache_btree_node *n)
{
	struct show_keys *o = ctx;
	struct cache_report *r = cmd_report(&o->show.cmd);
	uint64_t member, bucket;

	if (o->by_level && n->level != o->level)
		return 0;
	show_place(&o->show, n->bucket, &member, &bucket);
	cache_report_row(r);
	cache_report_u64(r, NULL, n->level);
	cache_report_u64(r, NULL, bucket);
	cache_report_u64(r, NULL, cache_ptr_gen(n->key.ptr[0]));
	cache_report_u64(r, NULL, n->seq);
	cache_report_u64(r, NULL, n->nsets);
	cache_report_u64(r, NULL, n->keys.n);
	cache_report_u64(r, NULL, n->used_blocks);
	cache_report_u64(r, NULL, n->nblocks);
	cache_report_u64(r, NULL, cache_key_inode(&n->key));
	cache_report_u64(r, NULL, n->key.low);
	if (o->show.set->members)
		cache_report_u64(r, NULL, member);
	cache_report_end(r);
	return 0;
}

static const struct cache_field node_cols[] = {
	{ "level", "LEVEL", CACHE_UNIT_COUNT }, { "node", "NODE", CACHE_UNIT_COUNT },
	{ "gen", "GEN", CACHE_UNIT_COUNT }, { "seq", "SEQ", CACHE_UNIT_WORD },
	{ "sets", "SETS", CACHE_UNIT_COUNT }, { "nkeys", "KEYS", CACHE_UNIT_COUNT },
	{ "used_blocks", "USED", CACHE_UNIT_COUNT }, { "blocks", "BLOCKS", CACHE_UNIT_COUNT },
	{ "inode", "INODE", CACHE_UNIT_COUNT }, { "end", "END", CACHE_UNIT_COUNT },
};

void show_keys_begin(struct show_keys *o, unsigned flags)
{
	unsigned nnode = sizeof(node_cols) / sizeof(*node_cols);
	unsigned n = o->nodes ? nnode : o->raw ? SHOW_KEYS_NCOLS : SHOW_KEYS_NCOLS - 1;
	struct cache_field *cols = o->cols;

	memcpy(cols, o->nodes ? node_cols : show_keys_cols, n * sizeof(*cols));
	if (o->show.set->members) {
		memcpy(cols + n, member_cols, sizeof(member_cols));
		n += o->nodes ? 1 : 2;
	}
	cache_report_table(cmd_report(&o->show.cmd), o->nodes ? "nodes" : "keys", cols, n, flags);
}

/* The tree was checked when it was loaded: no finding is reported twice. */
static const struct cache_sink silent = { cache_sink_ignore, NULL };

static int show_table(struct show_keys *o)
{
	struct cache_report *r = cmd_report(&o->show.cmd);
	unsigned flags = o->tsv ? CACHE_TABLE_TABS : 0;
	struct cache_err err = { 0 };
	int ret;

	if (o->tsv && !o->nodes) {
		o->rows = malloc(ROWS_BYTES);
		if (!o->rows)
			return show_failed(&o->show, -ENOMEM, &err);
	}
	show_keys_begin(o, flags);
	if (o->nodes || o->raw)
		ret = cache_set_each_node(o->show.set, o->nodes ? show_node : show_sets, o,
					    &silent, &err);
	else if (o->by_level && o->level)
		ret = cache_set_each_node(o->show.set, show_interior, o, &silent, &err);
	else
		ret = cache_set_each_extent(o->show.set, show_extent, o, &silent, &err);
	if (o->rows)
		flush_rows(o);
	free(o->rows);
	o->rows = NULL;
	if (ret)
		return show_failed(&o->show, ret, &err);
	cache_report_end(r);
	return EXIT_DONE;
}

int cache_show_keys_main(int argc, char **argv)
{
	struct show_keys o = { .show = SHOW_INIT_MEMBERS };
	int status;

	cmd_parse(&o.show.cmd, &argp, argc, argv, 0);
	if (show_open(&o.show, CACHE_LOAD_MARKS, &status))
		status = o.by_owner ? show_owner(&o) : show_table(&o);
	return show_end(&o.show, status);
}
