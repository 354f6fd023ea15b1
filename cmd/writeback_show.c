// SPDX-License-Identifier: GPL-2.0-only
#include "writeback_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "fsck_show.h"
#include "host/ids.h"
#include "new_file.h"

/* "UUID (label, path)", as people know it. */
static const char *name_of(const struct writeback_show *s, const struct cache_writeback_device *d,
			   char *buf, size_t nbytes)
{
	const char *path = d->backing >= 0 ? s->paths[1 + d->backing] : NULL;
	char uuid[CACHE_UUID_TEXT_BYTES];
	bool both = d->label[0] && path;

	cache_uuid_format(d->uuid, uuid);
	if (!d->label[0] && !path)
		snprintf(buf, nbytes, "%s", uuid);
	else
		snprintf(buf, nbytes, "%s (%s%s%s)", uuid, (const char *)d->label,
			 both ? ", " : "", path ? path : "");
	return buf;
}

static const char *attached(const struct cache_writeback_device *d, char *buf, size_t nbytes)
{
	time_t when = d->last_reg;
	struct tm tm;

	buf[0] = '\0';
	if (when && localtime_r(&when, &tm))
		strftime(buf, nbytes, "; it was attached last on %F %T %z", &tm);
	return buf;
}

static void dirty_line(struct writeback_show *s, const struct cache_writeback_device *d)
{
	char name[512], size[CACHE_HUMAN_BYTES], when[64];

	fsck_show_sectors(s->cmd, d->dirty_sectors, size);
	cache_report_line(cmd_report(s->cmd), "%s: %s: if this cache were thrown away now, %s in %"
			  PRIu64 " place%s would be lost%s%s", s->paths[0],
			  name_of(s, d, name, sizeof(name)), size, d->ranges,
			  d->ranges == 1 ? "" : "s",
			  d->flash ? "; it is a flash volume, which has no backing device" : "",
			  attached(d, when, sizeof(when)));
}

void writeback_show_devices(struct writeback_show *s, const struct cache_writeback_device *list,
			    unsigned n)
{
	bool any = false;

	s->told = true;
	for (unsigned i = 0; i < n && s->look && !s->cmd->json; i++) {
		any |= list[i].dirty_sectors;
		if (list[i].dirty_sectors)
			dirty_line(s, &list[i]);
	}
	if (s->look && !s->cmd->json && !any)
		cache_report_line(cmd_report(s->cmd), "%s: no dirty data: nothing would be lost with this cache",
				  s->paths[0]);
}

static void open_ranges(struct writeback_show *s)
{
	static const struct cache_field cols[] = {
		{ "device_uuid", "DEVICE", CACHE_UNIT_TEXT },
		{ "start_sector", "START", CACHE_UNIT_COUNT },
		{ "sectors", "SECTORS", CACHE_UNIT_COUNT },
	};

	cache_report_table(cmd_report(s->cmd), "ranges", cols, 3, CACHE_TABLE_TABS);
	s->in_ranges = true;
}

static void close_ranges(struct writeback_show *s)
{
	if (s->in_ranges)
		cache_report_end(cmd_report(s->cmd));
	s->in_ranges = false;
	if (s->hidden)
		cache_report_line(cmd_report(s->cmd), "and %" PRIu64 " more ranges: --list shows all", s->hidden);
}

void writeback_show_range(struct writeback_show *s, const struct cache_writeback_device *d,
			  uint64_t start, uint64_t end)
{
	struct cache_report *r = cmd_report(s->cmd);
	char uuid[CACHE_UUID_TEXT_BYTES];

	if (!s->in_ranges)
		open_ranges(s);
	if (s->range_inode != d->inode)
		s->nranges = 0;
	s->range_inode = d->inode;
	if (s->nranges++ >= WRITEBACK_SHOW_RANGES && !s->all_ranges && !s->cmd->json) {
		s->hidden++;
		return;
	}
	cache_report_row(r);
	cache_report_str(r, NULL, cache_uuid_format(d->uuid, uuid));
	cache_report_u64(r, NULL, start - d->data_start);
	cache_report_u64(r, NULL, end - start);
	cache_report_end(r);
}

static const char *const steps[] = { "read", "write", "verify" };

void writeback_show_failed(struct writeback_show *s, const struct cache_writeback_device *d,
			   const struct cache_writeback_failure *f)
{
	struct writeback_failed *last = s->nfailed ? &s->failed[s->nfailed - 1] : NULL;
	void *p;

	/* what touches on both devices is one range */
	if (last && last->f.step == f->step && last->f.error == f->error &&
	    last->backing == d->backing && !memcmp(last->uuid, d->uuid, 16) &&
	    last->f.start + last->f.sectors == f->start &&
	    last->f.cache_sector + last->f.sectors == f->cache_sector) {
		last->f.sectors += f->sectors;
		return;
	}
	p = cache_array_grow(s->failed, s->nfailed, &s->capacity, sizeof(*s->failed));
	s->no_memory |= !p;
	if (!p)
		return;
	s->failed = p;
	last = &s->failed[s->nfailed++];
	*last = (struct writeback_failed){ .f = *f, .data_start = d->data_start,
					   .backing = d->backing };
	memcpy(last->uuid, d->uuid, sizeof(last->uuid));
}

static const char *why(const struct cache_writeback_failure *f)
{
	return f->error ? strerror(-f->error) : "what was read back differs";
}

static void text_failed(struct writeback_show *s)
{
	static const char *const words[] = {
		"cannot be read from the cache", "cannot be written", "cannot be verified" };

	for (size_t i = 0; i < s->nfailed; i++) {
		const struct writeback_failed *b = &s->failed[i];
		char uuid[CACHE_UUID_TEXT_BYTES];

		cache_report_line(cmd_report(s->cmd), "%s: %s: sectors %" PRIu64 " to %" PRIu64
				  " %s (sector %" PRIu64 " of the cache): %s", s->paths[0],
				  cache_uuid_format(b->uuid, uuid), b->f.start - b->data_start,
				  b->f.start - b->data_start + b->f.sectors, words[b->f.step],
				  b->f.cache_sector, why(&b->f));
	}
}

static void text_left(struct writeback_show *s, const struct cache_writeback_device *d,
		      char *buf, size_t nbytes)
{
	char left[CACHE_HUMAN_BYTES];

	fsck_show_sectors(s->cmd, d->left_sectors, left);
	if (s->export)
		snprintf(buf, nbytes, "%s not copied", d->left_sectors ? left : "nothing");
	else if (!d->left_sectors)
		snprintf(buf, nbytes, "%s", d->detached ? "detached: it runs without its cache" :
			 s->force ? "the cache was not changed and still calls it dirty" : "clean");
	else if (d->refused_sectors)
		snprintf(buf, nbytes, "%s stays dirty, of which damage puts in doubt %" PRIu64
			 " sectors", left, d->refused_sectors);
	else
		snprintf(buf, nbytes, "%s stays dirty", left);
}

static void text_device(struct writeback_show *s, const struct cache_writeback_device *d)
{
	char name[512], size[CACHE_HUMAN_BYTES], left[128];

	text_left(s, d, left, sizeof(left));
	fsck_show_sectors(s->cmd, d->written_sectors, size);
	name_of(s, d, name, sizeof(name));
	if (d->backing < 0 && !d->written_sectors)
		cache_report_line(cmd_report(s->cmd), "%s: %s: %s%s", s->paths[0], name, left,
				  d->flash ? ": it is a flash volume" :
				  ": this backing device was not given");
	else
		cache_report_line(cmd_report(s->cmd), "%s: %s: %s %s; %s", s->paths[0], name, size,
				  s->export ? "exported" : "written back", left);
}

static void text_result(struct writeback_show *s, const struct cache_writeback_result *res,
			int ret)
{
	text_failed(s);
	for (unsigned i = 0; i < res->n && !s->look && !(s->export && res->cancelled); i++)
		if (!s->export || res->devices[i].written_sectors)
			text_device(s, &res->devices[i]);
	if (!ret && !res->n && (!s->look || !s->told))
		cache_report_line(cmd_report(s->cmd), "%s: no dirty data", s->paths[0]);
	if (res->dropped_clean)
		cache_report_line(cmd_report(s->cmd), "%s: too few buckets were unused for the new tree: all clean data was dropped from the cache",
				  s->paths[0]);
	fsck_losses_text(&s->losses, 0, false);
}

static void u64(struct cache_report *r, const char *key, uint64_t v)
{
	cache_report_u64(r, &(struct cache_field){ key, NULL, CACHE_UNIT_COUNT }, v);
}

static void str(struct cache_report *r, const char *key, const char *v)
{
	const struct cache_field f = { key, NULL, CACHE_UNIT_TEXT };

	if (v)
		cache_report_str(r, &f, v);
	else
		cache_report_null(r, &f);
}

static void flag(struct cache_report *r, const char *key, bool v)
{
	cache_report_bool(r, &(struct cache_field){ key, NULL, CACHE_UNIT_TEXT }, v);
}

static void json_device(struct writeback_show *s, const struct cache_writeback_device *d)
{
	struct cache_report *r = cmd_report(s->cmd);
	char uuid[CACHE_UUID_TEXT_BYTES];

	cache_report_object(r, NULL);
	str(r, "device_uuid", cache_uuid_format(d->uuid, uuid));
	str(r, "path", d->backing >= 0 ? s->paths[1 + d->backing] : NULL);
	str(r, "label", (const char *)d->label);
	u64(r, "slot", d->inode);
	flag(r, "flash", d->flash);
	u64(r, "last_reg", d->last_reg);
	u64(r, "dirty_extents", d->dirty_extents);
	u64(r, "dirty_sectors", d->dirty_sectors);
	u64(r, "dirty_ranges", d->ranges);
	u64(r, "doubtful_sectors", d->refused_sectors);
	u64(r, "copied_sectors", d->written_sectors);
	u64(r, "failed_sectors", d->failed_sectors);
	u64(r, "left_dirty_sectors", d->left_sectors);
	flag(r, "clean", d->super_done || !d->dirty_sectors);
	flag(r, "detached", d->detached);
	cache_report_end(r);
}

static void json_failed(struct writeback_show *s)
{
	struct cache_report *r = cmd_report(s->cmd);

	cache_report_array(r, "failures");
	for (size_t i = 0; i < s->nfailed; i++) {
		const struct writeback_failed *b = &s->failed[i];
		char uuid[CACHE_UUID_TEXT_BYTES];

		cache_report_object(r, NULL);
		str(r, "device_uuid", cache_uuid_format(b->uuid, uuid));
		u64(r, "start_sector", b->f.start - b->data_start);
		u64(r, "sectors", b->f.sectors);
		u64(r, "cache_sector", b->f.cache_sector);
		str(r, "step", steps[b->f.step]);
		str(r, "reason", why(&b->f));
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void json_result(struct writeback_show *s, const struct cache_writeback_result *res)
{
	struct cache_report *r = cmd_report(s->cmd);

	str(r, "device", s->paths[0]);
	flag(r, "damaged", res->damaged);
	flag(r, "committed", res->committed);
	flag(r, "cancelled", res->cancelled);
	cache_report_array(r, "devices");
	for (unsigned i = 0; i < res->n; i++)
		json_device(s, &res->devices[i]);
	cache_report_end(r);
	json_failed(s);
	fsck_losses_json(&s->losses);
}

void writeback_show_result(struct writeback_show *s, const struct cache_writeback_result *res,
			   int ret)
{
	close_ranges(s);
	if (s->cmd->json)
		json_result(s, res);
	else
		text_result(s, res, ret);
}

static int by_start(const void *a, const void *b)
{
	const struct writeback_failed *x = a, *y = b;

	return x->f.start < y->f.start ? -1 : x->f.start > y->f.start;
}

void writeback_show_sort(struct writeback_show *s)
{
	/* at most one for each transfer that failed, which took longer than this */
	if (s->nfailed)
		qsort(s->failed, s->nfailed, sizeof(*s->failed), by_start);
}

static int by_cache_sector(const void *a, const void *b)
{
	const struct writeback_failed *x = a, *y = b;

	return x->f.cache_sector < y->f.cache_sector ? -1 :
	       x->f.cache_sector > y->f.cache_sector;
}

#define LIST_NAMES "device_uuid\tpath\tstart_sector\tsectors\tcache_sector\tstep\treason\n"
#define MAP_FIRST  "# Mapfile. Created by cache-writeback\n"

static void put_list(const struct writeback_show *s, FILE *out)
{
	fputs(LIST_NAMES, out);
	for (size_t i = 0; i < s->nfailed; i++) {
		const struct writeback_failed *b = &s->failed[i];
		char uuid[CACHE_UUID_TEXT_BYTES];

		fprintf(out, "%s\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%s\t%s\n",
			cache_uuid_format(b->uuid, uuid),
			b->backing >= 0 ? s->paths[1 + b->backing] : "-",
			b->f.start - b->data_start, b->f.sectors, b->f.cache_sector,
			steps[b->f.step], why(&b->f));
	}
}

static void put_area(FILE *out, uint64_t start, uint64_t end, char status)
{
	if (end > start)
		fprintf(out, "0x%08" PRIX64 "  0x%08" PRIX64 "  %c\n", start * CACHE_SECTOR_BYTES,
			(end - start) * CACHE_SECTOR_BYTES, status);
}

/* What of the cache device failed is bad, all else was not tried. */
static void put_map(struct writeback_show *s, FILE *out)
{
	uint64_t at = 0;

	/* as many at most */
	if (s->nfailed)
		qsort(s->failed, s->nfailed, sizeof(*s->failed), by_cache_sector);
	fputs(MAP_FIRST "# current_pos  current_status  current_pass\n"
	      "0x00000000     ?               1\n#      pos        size  status\n", out);
	for (size_t i = 0; i < s->nfailed; i++) {
		const struct cache_writeback_failure *f = &s->failed[i].f;

		if (f->step != CACHE_COPY_READ || f->cache_sector < at)
			continue;
		put_area(out, at, f->cache_sector, '?');
		put_area(out, f->cache_sector, f->cache_sector + f->sectors, '-');
		at = f->cache_sector + f->sectors;
	}
	put_area(out, at, s->cache_sectors, '?');
}

static int put_file(struct writeback_show *s, const char *name, bool map)
{
	FILE *out = cmd_list_open(s->cmd, name, map ? MAP_FIRST : LIST_NAMES);
	bool failed;

	if (!out)
		return EXIT_FAILED;
	if (map)
		put_map(s, out);
	else
		put_list(s, out);
	failed = fflush(out) || ferror(out);
	failed |= fclose(out);
	return failed ? cmd_fail(s->cmd, name, "cannot write: %m") : 0;
}

static int check_file(struct writeback_show *s, const char *name, bool map)
{
	return cmd_list_may_replace(s->cmd, name, map ? MAP_FIRST : LIST_NAMES) ? 0 : EXIT_FAILED;
}

/* @each is called for the list and for the map. */
static int each_file(struct writeback_show *s, const char *name,
		     int (*each)(struct writeback_show *s, const char *name, bool map))
{
	char *map = NULL;
	int ret = each(s, name, false);

	if (!ret && asprintf(&map, "%s.map", name) < 0)
		return cmd_error(s->cmd, name, -ENOMEM, NULL);
	if (!ret)
		ret = each(s, map, true);
	free(map);
	return ret;
}

int writeback_show_failed_check(struct writeback_show *s, const char *name)
{
	return each_file(s, name, check_file);
}

int writeback_show_failed_list(struct writeback_show *s, const char *name)
{
	return each_file(s, name, put_file);
}

void writeback_show_fini(struct writeback_show *s)
{
	free(s->failed);
	cache_losses_fini(&s->losses.all);
}
