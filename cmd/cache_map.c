// SPDX-License-Identifier: GPL-2.0-only
/* cache-map: pictures of a cache device. */
#include "applet.h"
#include "map_open.h"
#include "new_file.h"

#include "base/human.h"
#include "base/utf8.h"
#include "host/ids.h"
#include "host/probe.h"
#include "map/map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_MAX	400

enum { OPT_BY = 1, OPT_ORDER, OPT_SVG, OPT_HTML, OPT_DIFF, OPT_COLOR };
enum { COLOR_AUTO, COLOR_NEVER, COLOR_16, COLOR_256, COLOR_TRUE, COLORS };

struct opts {
	struct cmd cmd;
	const char *spec, *old, *svg, *html;
	char **backing;
	unsigned nbacking, color;
	unsigned by, order;
	bool by_given, order_given;
	int progress_fd;
	uint64_t width;
	struct map_device dev, was;
	struct map_backing *sizes;
	struct map_findings findings;
	struct cache_map *map;
};

static const struct argp_option options[] = {
	{ "by", OPT_BY, "WHAT", 0, "prio, mark, gen, dirty, used or change; mark by default" },
	{ "order", OPT_ORDER, "ORDER", 0, "linear or hilbert, which keeps neighbours together" },
	{ "svg", OPT_SVG, "FILE", 0, "write an SVG picture to FILE; - is standard output" },
	{ "html", OPT_HTML, "FILE", 0, "write a page with all pictures, tables and findings" },
	{ "diff", OPT_DIFF, "OLD", 0, "show which buckets changed since image OLD" },
	{ "color", OPT_COLOR, "WHEN", 0, "auto, never, 16, 256 or truecolor" },
	{ "width", 'w', "N", 0, "columns; those of the terminal by default" },
	CMD_PROGRESS_OPTION,
	{ }
};

static const char *color_name(unsigned i)
{
	static const char *const names[] = { "auto", "never", "16", "256", "truecolor" };

	return names[i];
}

static void check(struct opts *o, const struct argp_state *state)
{
	if (!o->spec)
		argp_error(state, "no device given");
	if (!!o->svg + !!o->html + o->cmd.json > 1)
		argp_error(state, "--svg, --html and --json exclude each other");
	if (o->by_given && o->by == CACHE_MAP_CHANGE && !o->old)
		argp_error(state, "--by=change needs --diff");
	if (!o->by_given)
		o->by = o->old ? CACHE_MAP_CHANGE : CACHE_MAP_MARK;
	if (!o->order_given)
		o->order = o->svg || o->html ? CACHE_MAP_HILBERT : CACHE_MAP_LINEAR;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	switch (key) {
	case OPT_BY:
		o->by = cmd_arg_name(state, "picture", arg, cache_map_by_name, CACHE_MAP_NBY);
		o->by_given = true;
		return 0;
	case OPT_ORDER:
		o->order = cmd_arg_name(state, "order", arg, cache_map_order_name,
					CACHE_MAP_NORDERS);
		o->order_given = true;
		return 0;
	case OPT_SVG:
		o->svg = arg;
		return 0;
	case OPT_HTML:
		o->html = arg;
		return 0;
	case OPT_DIFF:
		o->old = arg;
		return 0;
	case OPT_COLOR:
		o->color = cmd_arg_name(state, "color", arg, color_name, COLORS);
		return 0;
	case 'w':
		o->width = cmd_arg_number(state, "width", arg);
		if (!o->width || o->width > WIDTH_MAX)
			argp_error(state, "width is %s, expected 1 to %d", arg, WIDTH_MAX);
		return 0;
	case 'C':
		o->progress_fd = cmd_arg_fd(state, arg);
		return 0;
	case ARGP_KEY_ARGS:
		o->spec = state->argv[state->next];
		o->backing = state->argv + state->next + 1;
		o->nbacking = state->argc - state->next - 1;
		return 0;
	case ARGP_KEY_END:
		check(o, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options, parse, "DEV [BACKING...]",
	"Draw a cache device: what each of its buckets holds, in the terminal, as SVG or as an HTML "
	"page. The sizes of backing devices that are named are taken from them."
};

/* What the terminal says that it can do. */
static enum cache_map_depth depth_of_terminal(void)
{
	const char *term = getenv("TERM"), *color = getenv("COLORTERM"), *no = getenv("NO_COLOR");

	if ((no && *no) || !isatty(STDOUT_FILENO) || !term || !*term || !strcmp(term, "dumb"))
		return CACHE_MAP_LETTERS;
	if (color && (!strcmp(color, "truecolor") || !strcmp(color, "24bit")))
		return CACHE_MAP_TRUECOLOUR;
	return strstr(term, "256color") ? CACHE_MAP_256 : CACHE_MAP_16;
}

static uint32_t width_of_terminal(void)
{
	struct winsize w;

	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_col ? w.ws_col : 80;
}

static int fill_svg(void *ctx, FILE *out)
{
	struct opts *o = ctx;

	cache_map_svg(o->map, o->by, o->dev.path, out);
	return 0;
}

#define ROWS_MAX	14

struct rows {
	const char *text[2 * ROWS_MAX + 1];
	char value[ROWS_MAX][64];
	unsigned n;
};

static char *add_row(struct rows *r, const char *label)
{
	r->text[2 * r->n] = label;
	r->text[2 * r->n + 1] = r->value[r->n];
	return r->value[r->n++];
}

static void add_number(struct rows *r, const char *label, uint64_t v)
{
	snprintf(add_row(r, label), sizeof(r->value[0]), "%" PRIu64, v);
}

static void fill_rows(struct rows *r, const struct cache_set *set)
{
	const struct cache_sb *sb = &set->sb;
	char uuid[CACHE_UUID_TEXT_BYTES], size[CACHE_HUMAN_BYTES];
	uint64_t nodes = 0;

	snprintf(add_row(r, "set UUID"), sizeof(r->value[0]), "%s",
		 cache_uuid_format(sb->set_uuid, uuid));
	snprintf(add_row(r, "UUID"), sizeof(r->value[0]), "%s", cache_uuid_format(sb->uuid, uuid));
	if (sb->label[0])
		snprintf(add_row(r, "label"), sizeof(r->value[0]), "%s", (const char *)sb->label);
	add_number(r, "buckets", sb->nbuckets);
	snprintf(add_row(r, "bucket size"), sizeof(r->value[0]), "%s",
		 cache_bytes_show(size, sb->bucket_sectors * 512));
	snprintf(add_row(r, "block size"), sizeof(r->value[0]), "%s",
		 cache_bytes_show(size, sb->block_sectors * UINT64_C(512)));
	add_number(r, "journal buckets", sb->njournal);
	if (set->has_journal) {
		for (unsigned i = 0; i <= CACHE_BTREE_LEVEL_MAX; i++)
			nodes += set->nnodes[i];
		add_number(r, "btree nodes", nodes);
		add_number(r, "keys to replay", set->journal_keys);
		add_number(r, "nodes that could not be read", set->nbad_nodes);
	}
}

static int fill_html(void *ctx, FILE *out)
{
	struct opts *o = ctx;
	struct rows rows = { .n = 0 };
	struct cache_map_page page = {
		.title = o->dev.path, .rows = rows.text,
		.findings = (const char *const *)o->findings.text, .by = o->by,
	};

	if (o->findings.n > MAP_FINDINGS_HELD)
		page.findings_left = o->findings.n - MAP_FINDINGS_HELD;
	fill_rows(&rows, o->dev.set);
	snprintf(add_row(&rows, "a kernel's start"), sizeof(rows.value[0]), "%s%s",
		 cache_verdict_name(o->findings.verdict),
		 o->findings.damage ? ", and may return wrong blocks" : "");
	cache_map_html(o->map, &page, out);
	return 0;
}

static uint64_t size_of_backing(void *ctx, const uint8_t uuid[16])
{
	const struct opts *o = ctx;

	for (unsigned i = 0; i < o->nbacking; i++)
		if (!memcmp(o->sizes[i].uuid, uuid, 16))
			return o->sizes[i].sectors;
	return 0;
}

static bool open_all(struct opts *o)
{
	o->sizes = calloc(o->nbacking + 1, sizeof(*o->sizes));
	if (!o->sizes) {
		cmd_error(&o->cmd, NULL, -ENOMEM, NULL);
		return false;
	}
	if (!map_open(&o->cmd, o->spec, &o->dev))
		return false;
	if (o->old && !map_open(&o->cmd, o->old, &o->was))
		return false;
	for (unsigned i = 0; i < o->nbacking; i++)
		if (!map_open_backing(&o->cmd, o->backing[i], &o->sizes[i]))
			return false;
	return true;
}

static bool writes_file(const char *file)
{
	return file && strcmp(file, "-");
}

/* A picture in a file is written beside the old one first, by its path. */
static bool load_all(struct opts *o)
{
	if (!writes_file(o->svg) && !writes_file(o->html))
		cmd_confine();
	return map_load(&o->dev, o->progress_fd) &&
	       (!o->old || map_load(&o->was, o->progress_fd));
}

static int make_map(struct opts *o, struct cache_err *err)
{
	static const struct cache_sink silent = { cache_sink_ignore, NULL };
	bool file = o->svg || o->html || o->cmd.json;
	uint32_t width = file ? CACHE_MAP_SIDE_MAX : o->width ? o->width : width_of_terminal();
	uint32_t height = file || o->order == CACHE_MAP_HILBERT ? CACHE_MAP_SIDE_MAX : 32;
	int ret;

	if (width > CACHE_MAP_CELLS_MAX / height)
		width = CACHE_MAP_CELLS_MAX / height;
	ret = cache_map_new(o->dev.set, o->old ? o->was.set : NULL, o->order, width, height,
			    &o->map, err);
	if (ret || o->dev.set->loaded < CACHE_LOAD_GENS || !(o->html || o->cmd.json))
		return ret;
	return cache_map_add_backing(o->map, o->dev.set, size_of_backing, o, &silent, err);
}

/* A file or, as "-", standard output. The device is never overwritten, though it be a file. */
static int write_picture(struct opts *o, const char *file, int (*fill)(void *ctx, FILE *out))
{
	if (!strcmp(file, "-"))
		return fill(o, stdout);
	if (cache_probe_same(file, o->dev.path) || (o->old && cache_probe_same(file, o->was.path)))
		return cmd_fail(&o->cmd, file, "is the device that is drawn");
	return cmd_new_file(&o->cmd, file, fill, o);
}

static void json_buckets(struct cache_report *r, const uint64_t role[CACHE_MAP_ROLES])
{
	for (unsigned i = 0; i < CACHE_MAP_ROLES; i++)
		cache_report_u64(r, NULL, role[i]);
}

#define ROLE_COLS							\
	{ "superblock_buckets" }, { "ring_buckets" }, { "prio_buckets" },	\
	{ "uuid_buckets" }, { "btree_buckets" }, { "dirty_buckets" },		\
	{ "clean_buckets" }, { "free_buckets" }, { "unknown_buckets" }

static void put_average(struct cache_report *r, uint64_t sum, uint64_t n)
{
	if (n)
		cache_report_u64(r, NULL, sum / n);
	else
		cache_report_null(r, NULL);
}

static void show_json(struct opts *o)
{
	static const struct cache_field device = { "device" }, nbuckets = { "nbuckets" };
	static const struct cache_field totals[] = { { "first" }, { "count" }, ROLE_COLS };
	static const struct cache_field cols[] = {
		{ "first" }, { "count" }, ROLE_COLS, { "average_prio" }, { "average_gen" },
		{ "used_sectors" }, { "changed_buckets" },
	};
	struct cache_report *r = cmd_report(&o->cmd);

	cache_report_str(r, &device, o->dev.path);
	cache_report_u64(r, &nbuckets, o->map->nbuckets);
	cache_report_table(r, "buckets", totals, sizeof(totals) / sizeof(*totals), 0);
	cache_report_row(r);
	cache_report_u64(r, NULL, 0);
	cache_report_u64(r, NULL, o->map->nbuckets);
	json_buckets(r, o->map->role);
	cache_report_end(r);
	cache_report_end(r);
	cache_report_table(r, "cells", cols, sizeof(cols) / sizeof(*cols), 0);
	for (uint32_t i = 0; i < o->map->ncells; i++) {
		const struct cache_map_cell *c = &o->map->cell[i];

		cache_report_row(r);
		cache_report_u64(r, NULL, c->first);
		cache_report_u64(r, NULL, c->count);
		json_buckets(r, c->role);
		put_average(r, c->prio_sum, c->prio_known);
		put_average(r, c->gen_sum, c->gen_known);
		cache_report_u64(r, NULL, c->used_sectors);
		cache_report_u64(r, NULL, c->changed);
		cache_report_end(r);
	}
	cache_report_end(r);
}

static int show(struct opts *o)
{
	static const enum cache_map_depth depths[] = {
		0, CACHE_MAP_LETTERS, CACHE_MAP_16, CACHE_MAP_256, CACHE_MAP_TRUECOLOUR,
	};
	enum cache_map_depth depth = o->color ? depths[o->color] : depth_of_terminal();

	if (o->svg)
		return write_picture(o, o->svg, fill_svg);
	if (o->html)
		return write_picture(o, o->html, fill_html);
	if (o->cmd.json)
		show_json(o);
	else
		cache_map_text(o->map, o->by, depth,
			       cache_utf8_of_locale() != CACHE_UTF8_ASCII, stdout);
	return EXIT_DONE;
}

int cache_map_main(int argc, char **argv)
{
	struct opts o = { .cmd = CMD_INIT, .progress_fd = -1 };
	struct cache_err err = { 0 };
	int status = EXIT_FAILED, ret;

	cmd_parse(&o.cmd, &argp, argc, argv, 0);
	if (open_all(&o) && load_all(&o)) {
		ret = o.html ? map_check(&o.dev, &o.findings) : 0;
		if (!ret)
			ret = make_map(&o, &err);
		status = ret ? cmd_error(&o.cmd, o.dev.path, ret, &err) : show(&o);
		if (o.dev.nwrong || o.findings.nwrong)
			status = EXIT_FAILED;
	}
	cache_map_free(o.map);
	map_findings_free(&o.findings);
	map_close(&o.dev);
	map_close(&o.was);
	free(o.sizes);
	return cmd_end(&o.cmd, status);
}
