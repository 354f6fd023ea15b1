// SPDX-License-Identifier: GPL-2.0-only
/* cache-show-uuids: devices attached to a cache set, and how much of each is cached. */
#include "applet.h"
#include "show.h"

#include "host/ids.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct opts {
	struct show show;
	bool all;
};

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0, "retired slots too: devices that were detached or removed" },
	CMD_PROGRESS_OPTION,
	{ }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct opts *o = state->input;

	if (key == 'a') {
		o->all = true;
		return 0;
	}
	return show_parse_device(&o->show, key, arg, state);
}

static const struct argp argp = {
	options, parse, "DEV...",
	"Show the uuid table of a cache set: its backing devices and flash-only volumes, "
	"and how much of each is cached, and dirty. Of a set of several cache devices name all."
};

/* The sum of the extents of one slot. */
struct amount {
	uint64_t cached, dirty;		/* sectors */
};

struct amounts {
	struct amount *slot;
	uint32_t n;
	struct amount homeless;		/* of inodes past the table */
};

static int add_extent(void *ctx, const struct cache_extent *e)
{
	struct amounts *a = ctx;
	uint64_t inode = cache_key_inode(&e->key);
	struct amount *to = inode < a->n ? &a->slot[inode] : &a->homeless;

	if (e->check_key || !e->available || e->staleness)
		return 0;
	to->cached += cache_key_size(&e->key);
	if (cache_key_dirty(&e->key))
		to->dirty += cache_key_size(&e->key);
	return 0;
}

static const char *time_text(uint32_t t, char *buf, size_t nbytes)
{
	time_t when = t;
	struct tm tm;

	if (!t || !localtime_r(&when, &tm) || !strftime(buf, nbytes, "%F %T %z", &tm))
		return "-";
	return buf;
}

/* Seconds since 1970 in JSON and with --bytes; otherwise date and time. */
static void time_cell(struct opts *o, uint32_t t)
{
	struct cache_report *r = cmd_report(&o->show.cmd);
	char buf[32];

	if (o->show.cmd.json || o->show.cmd.bytes)
		cache_report_u64(r, NULL, t);
	else
		cache_report_str(r, NULL, time_text(t, buf, sizeof(buf)));
}

static void slot_row(struct opts *o, uint32_t i, const struct amount *a)
{
	const struct cache_uuid_entry *e = &o->show.set->uuids.slot[i];
	struct cache_report *r = cmd_report(&o->show.cmd);
	enum cache_slot_state state = cache_uuid_state(e);
	char uuid[CACHE_UUID_TEXT_BYTES];

	cache_report_row(r);
	cache_report_u64(r, NULL, i);
	if (state == CACHE_SLOT_BACKING || state == CACHE_SLOT_FLASH)
		cache_report_str(r, NULL, cache_uuid_format(e->uuid, uuid));
	else
		cache_report_null(r, NULL);
	cache_report_str(r, NULL, (const char *)e->label);
	cache_report_str(r, NULL, cache_slot_state_name(state));
	time_cell(o, e->first_reg);
	time_cell(o, e->last_reg);
	for (int twice = 0; twice < 2; twice++) {	/* "size" is its older name */
		if (state == CACHE_SLOT_FLASH)
			cache_report_u64(r, NULL, e->sectors);
		else
			cache_report_null(r, NULL);
	}
	cache_report_u64(r, NULL, a->cached);
	cache_report_u64(r, NULL, a->dirty);
	cache_report_end(r);
}

/* Free slots are left out, unless extents in the cache belong to them. */
static bool is_wanted(const struct opts *o, uint32_t i, const struct amount *a)
{
	switch (cache_uuid_state(&o->show.set->uuids.slot[i])) {
	case CACHE_SLOT_FREE:
		return a->cached;
	case CACHE_SLOT_RETIRED:
		return o->all || a->cached;
	default:
		return true;
	}
}

static void show_table(struct opts *o, const struct amounts *a)
{
	static const struct cache_field cols[] = {
		{ "slot", "SLOT", CACHE_UNIT_COUNT }, { "uuid", "UUID", CACHE_UNIT_TEXT },
		{ "label", "LABEL", CACHE_UNIT_TEXT }, { "flags", "FLAGS", CACHE_UNIT_TEXT },
		{ "first_reg", "FIRST_REG", CACHE_UNIT_TEXT },
		{ "last_reg", "LAST_REG", CACHE_UNIT_TEXT },
		{ "size", "SIZE", CACHE_UNIT_SECTORS },
		{ "size_sectors", NULL, CACHE_UNIT_SECTORS },
		{ "cached_sectors", "CACHED", CACHE_UNIT_SECTORS },
		{ "dirty_sectors", "DIRTY", CACHE_UNIT_SECTORS },
	};
	static const struct cache_field
		slots = { "nr_uuids", NULL, CACHE_UNIT_COUNT },
		cached = { "homeless_cached_sectors", NULL, CACHE_UNIT_SECTORS },
		dirty = { "homeless_dirty_sectors", NULL, CACHE_UNIT_SECTORS };
	struct cache_report *r = cmd_report(&o->show.cmd);

	cache_report_u64(r, &slots, o->show.set->uuids.n);
	cache_report_table(r, "uuids", cols, 10, 0);
	for (uint32_t i = 0; i < a->n; i++)
		if (is_wanted(o, i, &a->slot[i]))
			slot_row(o, i, &a->slot[i]);
	cache_report_end(r);
	if (!a->homeless.cached)
		return;
	cache_report_u64(r, &cached, a->homeless.cached);
	cache_report_u64(r, &dirty, a->homeless.dirty);
	cache_report_line(r, "%" PRIu64 " sectors, %" PRIu64 " of them dirty, belong to no slot of the table",
			  a->homeless.cached, a->homeless.dirty);
}

static int show_uuids(struct opts *o)
{
	static const struct cache_sink silent = { cache_sink_ignore, NULL };
	struct amounts a = { .n = o->show.set->uuids.n };
	struct cache_err err = { 0 };
	int ret;

	a.slot = calloc(a.n + 1, sizeof(*a.slot));
	if (!a.slot)
		return cmd_error(&o->show.cmd, NULL, -ENOMEM, NULL);
	ret = cache_set_each_extent(o->show.set, add_extent, &a, &silent, &err);
	if (ret)
		ret = show_failed(&o->show, ret, &err);
	else
		show_table(o, &a);
	free(a.slot);
	return ret;
}

int cache_show_uuids_main(int argc, char **argv)
{
	struct opts o = { .show = SHOW_INIT_MEMBERS };
	int status;

	cmd_parse(&o.show.cmd, &argp, argc, argv, 0);
	if (show_open(&o.show, CACHE_LOAD_MARKS, &status))
		status = show_uuids(&o);
	return show_end(&o.show, status);
}
