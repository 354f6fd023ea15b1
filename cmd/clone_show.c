// SPDX-License-Identifier: GPL-2.0-only
#include "clone_show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "fsck_show.h"
#include "host/ids.h"

static void size_of(const struct clone_show *s, uint64_t sectors, char *buf)
{
	fsck_show_sectors(s->cmd, sectors, buf);
}

static void name_of(const struct cache_clone_device *d, char *buf, size_t nbytes)
{
	char uuid[CACHE_UUID_TEXT_BYTES];

	snprintf(buf, nbytes, d->label[0] ? "%s (%s)" : "%s", cache_uuid_format(d->uuid, uuid),
		 (const char *)d->label);
}

static uint64_t left_of(const struct cache_clone_device *d)
{
	return d->clean - d->chosen_clean - d->refused_clean;
}

static void device_line(struct clone_show *s, const struct cache_clone_device *d)
{
	char name[128], dirty[CACHE_HUMAN_BYTES], clean[CACHE_HUMAN_BYTES], left[CACHE_HUMAN_BYTES];
	const char *verb = s->look ? "would be cloned" : "are cloned";

	name_of(d, name, sizeof(name));
	size_of(s, d->dirty - d->refused_dirty, dirty);
	size_of(s, d->chosen_clean, clean);
	size_of(s, left_of(d), left);
	cache_report_line(cmd_report(s->cmd), "%s: %s: %s of dirty data and %s of clean data %s%s%s%s",
			  s->paths[0], name, dirty, clean, verb, left_of(d) ? "; " : "",
			  left_of(d) ? left : "", left_of(d) ? " of clean data stays behind" : "");
	if (!d->refused_dirty)
		return;
	size_of(s, d->refused_dirty, dirty);
	cache_report_line(cmd_report(s->cmd), "%s: %s: damage puts %s of dirty data in doubt, which is not cloned",
			  s->paths[0], name, dirty);
}

static void target_line(struct clone_show *s, const struct cache_clone_result *res)
{
	const struct cache_sb *sb = &res->target;

	cache_report_line(cmd_report(s->cmd), "%s: %" PRIu64 " buckets of %" PRIu64 " KiB, of which %"
			  PRIu64 " for data, %" PRIu64 " for the btree, %" PRIu64
			  " stay unused for the kernel's start", s->paths[1], sb->nbuckets,
			  sb->bucket_sectors / 2, res->used_buckets, res->node_buckets,
			  res->queue_buckets);
}

void clone_show_planned(struct clone_show *s, const struct cache_clone_result *res)
{
	s->told = true;
	if (s->cmd->json)
		return;
	for (unsigned i = 0; i < res->n; i++)
		device_line(s, &res->devices[i]);
	if (s->look)
		target_line(s, res);
}

void clone_show_left(struct clone_show *s, const struct cache_clone_device *d, uint64_t start,
		     uint64_t end)
{
	static const struct cache_field cols[] = {
		{ "device_uuid", "DEVICE", CACHE_UNIT_TEXT },
		{ "start_sector", "START", CACHE_UNIT_COUNT },
		{ "sectors", "SECTORS", CACHE_UNIT_COUNT },
	};
	struct cache_report *r = cmd_report(s->cmd);
	char uuid[CACHE_UUID_TEXT_BYTES];

	if (!s->list)
		return;
	if (!s->in_ranges)
		cache_report_table(r, "left_ranges", cols, 3, CACHE_TABLE_TABS);
	s->in_ranges = true;
	cache_report_row(r);
	cache_report_str(r, NULL, cache_uuid_format(d->uuid, uuid));
	cache_report_u64(r, NULL, start - d->data_start);
	cache_report_u64(r, NULL, end - start);
	cache_report_end(r);
}

void clone_show_failed(struct clone_show *s, const struct cache_clone_device *d,
		       const struct cache_clone_failure *f)
{
	void *p = cache_array_grow(s->failed, s->nfailed, &s->capacity, sizeof(*s->failed));

	s->no_memory |= !p;
	if (!p)
		return;
	s->failed = p;
	s->failed[s->nfailed] = (struct clone_failed){ .f = *f, .data_start = d->data_start };
	memcpy(s->failed[s->nfailed++].uuid, d->uuid, sizeof(d->uuid));
}

static void text_failed(struct clone_show *s)
{
	for (size_t i = 0; i < s->nfailed; i++) {
		const struct clone_failed *b = &s->failed[i];
		char uuid[CACHE_UUID_TEXT_BYTES];

		cache_report_line(cmd_report(s->cmd), "%s: %s: %s sectors %" PRIu64 " to %" PRIu64
				  " cannot be read from the cache (sector %" PRIu64 " of the cache): %s",
				  s->paths[0], cache_uuid_format(b->uuid, uuid),
				  b->f.dirty ? "dirty" : "clean", b->f.start - b->data_start,
				  b->f.end - b->data_start, b->f.cache_sector,
				  strerror(-b->f.error));
	}
}

/* Which of the two may be started, and how the backing devices find the clone. */
static void text_next(struct clone_show *s, const struct cache_clone_result *res)
{
	struct cache_report *r = cmd_report(s->cmd);
	char from[CACHE_UUID_TEXT_BYTES], to[CACHE_UUID_TEXT_BYTES];

	cache_uuid_format(res->source.set_uuid, from);
	cache_uuid_format(res->target.set_uuid, to);
	if (s->retired)
		cache_report_line(r, "%s: retired: it is no bcache device any more", s->paths[0]);
	else if (s->keep_uuid)
		cache_report_line(r, "%s has the same set UUID, %s: do not start it again; to retire it: wipefs -a %s",
				  s->paths[0], from, s->paths[0]);
	if (s->keep_uuid)
		return;
	cache_report_line(r, "%s: it is cache set %s; the backing devices belong to %s still. To move one, when that set has not run since: cache-tune --force --attach=%s %s BACKING",
			  s->paths[1], to, from, to, s->paths[1]);
}

static void text_result(struct clone_show *s, const struct cache_clone_result *res)
{
	char size[CACHE_HUMAN_BYTES], uuid[CACHE_UUID_TEXT_BYTES];

	text_failed(s);
	if (res->done) {
		size_of(s, res->copy_sectors, size);
		cache_report_line(cmd_report(s->cmd), "%s: cache set %s: %s in %" PRIu64 " extents, %"
				  PRIu64 " of %" PRIu64 " buckets of %" PRIu64 " KiB", s->paths[1],
				  cache_uuid_format(res->target.set_uuid, uuid), size, res->extents,
				  res->used_buckets + res->node_buckets, res->target.nbuckets,
				  res->target.bucket_sectors / 2);
		text_next(s, res);
	}
	fsck_losses_text(&s->losses, 0, false);
}

static void u64(struct cache_report *r, const char *key, uint64_t v)
{
	cache_report_u64(r, &(struct cache_field){ key, NULL, CACHE_UNIT_COUNT }, v);
}

static void str(struct cache_report *r, const char *key, const char *v)
{
	cache_report_str(r, &(struct cache_field){ key, NULL, CACHE_UNIT_TEXT }, v);
}

static void flag(struct cache_report *r, const char *key, bool v)
{
	cache_report_bool(r, &(struct cache_field){ key, NULL, CACHE_UNIT_TEXT }, v);
}

static void uuid_field(struct cache_report *r, const char *key, const uint8_t *uuid)
{
	char text[CACHE_UUID_TEXT_BYTES];

	str(r, key, cache_uuid_format(uuid, text));
}

static void json_device(struct cache_report *r, const struct cache_clone_device *d)
{
	cache_report_object(r, NULL);
	uuid_field(r, "device_uuid", d->uuid);
	str(r, "label", (const char *)d->label);
	u64(r, "slot", d->inode);
	flag(r, "flash", d->flash);
	u64(r, "dirty_sectors", d->dirty);
	u64(r, "clean_sectors", d->clean);
	u64(r, "cloned_dirty_sectors", d->dirty - d->refused_dirty - d->failed_dirty);
	u64(r, "cloned_clean_sectors", d->chosen_clean - d->failed_clean);
	u64(r, "left_clean_sectors", left_of(d));
	u64(r, "doubtful_sectors", d->refused_dirty);
	u64(r, "failed_dirty_sectors", d->failed_dirty);
	u64(r, "failed_clean_sectors", d->failed_clean);
	cache_report_end(r);
}

static void json_failed(struct clone_show *s)
{
	struct cache_report *r = cmd_report(s->cmd);

	cache_report_array(r, "failures");
	for (size_t i = 0; i < s->nfailed; i++) {
		const struct clone_failed *b = &s->failed[i];

		cache_report_object(r, NULL);
		uuid_field(r, "device_uuid", b->uuid);
		u64(r, "start_sector", b->f.start - b->data_start);
		u64(r, "sectors", b->f.end - b->f.start);
		u64(r, "cache_sector", b->f.cache_sector);
		flag(r, "dirty", b->f.dirty);
		str(r, "reason", strerror(-b->f.error));
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void json_result(struct clone_show *s, const struct cache_clone_result *res)
{
	struct cache_report *r = cmd_report(s->cmd);

	str(r, "device", s->paths[0]);
	str(r, "target", s->paths[1]);
	uuid_field(r, "set_uuid", res->target.set_uuid);
	flag(r, "damaged", res->damaged);
	flag(r, "cloned", res->done);
	flag(r, "source_retired", s->retired);
	u64(r, "nbuckets", res->target.nbuckets);
	u64(r, "bucket_sectors", res->target.bucket_sectors);
	u64(r, "data_buckets", res->used_buckets);
	u64(r, "btree_buckets", res->node_buckets);
	u64(r, "unused_buckets", res->queue_buckets);
	u64(r, "extents", res->extents);
	cache_report_array(r, "devices");
	for (unsigned i = 0; i < res->n; i++)
		json_device(r, &res->devices[i]);
	cache_report_end(r);
	json_failed(s);
	fsck_losses_json(&s->losses);
}

void clone_show_result(struct clone_show *s, const struct cache_clone_result *res)
{
	if (s->in_ranges)
		cache_report_end(cmd_report(s->cmd));
	s->in_ranges = false;
	if (s->cmd->json)
		json_result(s, res);
	else
		text_result(s, res);
}

void clone_show_fini(struct clone_show *s)
{
	free(s->failed);
	cache_losses_fini(&s->losses.all);
}
