// SPDX-License-Identifier: GPL-2.0-only
/* make-cache: its output and its questions. */
#include "make_cache.h"

#include "base/types.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_bcache(const struct cache_signature *s)
{
	return !strcmp(s->type, "bcache");
}

static void show_old_bcache(const struct cache_mkcache_dev *d)
{
	char set[CACHE_UUID_TEXT_BYTES];

	if (!d->has_old)
		return;
	cache_uuid_format(d->old.set_uuid, set);
	if (!cache_sb_is_bdev(&d->old))
		fprintf(stderr, ", cache of set %s", set);
	else
		fprintf(stderr, ", backing device of set %s, state %s", set,
			cache_bdev_state_name(cache_sb_bdev_state(&d->old)));
}

static void show_signature(const struct make *mk, unsigned i, const struct cache_signature *s)
{
	cmd_put(stderr, "%s: has %s%s at byte %" PRIu64, mk->targets[i].name, s->type,
		s->is_table ? " partition table" : "", s->offset_bytes);
	if (s->label[0])
		cmd_put(stderr, ", label \"%s\"", s->label);
	if (s->uuid[0])
		cmd_put(stderr, ", uuid %s", s->uuid);
	if (is_bcache(s))
		show_old_bcache(&mk->m.devs[i]);
	fputc('\n', stderr);
}

static void on_dirty(void *ctx, const uint8_t *uuid, const char *label, uint64_t sectors)
{
	struct make_target *t = ctx;
	struct make_dirty *more = reallocarray(t->dirty, t->ndirty + 1, sizeof(*more));

	if (!more) {
		t->dirty_unknown = -ENOMEM;
		return;
	}
	t->dirty = more;
	more += t->ndirty++;
	more->uuid[0] = '\0';
	if (uuid)
		cache_uuid_format(uuid, more->uuid);
	snprintf(more->label, sizeof(more->label), "%.32s", label);
	more->sectors = sectors;
}

/* Printed even with -q: no other output has it. */
static void show_dirty(const struct make *mk, const struct make_target *t)
{
	char size[CACHE_HUMAN_BYTES];

	for (unsigned i = 0; i < t->ndirty; i++) {
		const struct make_dirty *d = &t->dirty[i];

		cache_bytes_show(size, d->sectors * CACHE_SECTOR_BYTES);
		cmd_put(stderr, "%s: %s of dirty data of %s%s%s%s%s %s lost", t->name, size,
			d->uuid[0] ? "backing device " : "a device that the uuid table lacks",
			d->uuid, d->label[0] ? " \"" : "", d->label, d->label[0] ? "\"" : "",
			mk->dry_run ? "would be" : "will be");
		fputc('\n', stderr);
	}
	if (t->dirty_unknown) {
		cmd_put(stderr, "%s: the cache is damaged: there may be %sdirty data that cannot be counted",
			t->name, t->ndirty ? "more " : "");
		fputc('\n', stderr);
	}
}

/* Only for a cache: the content of a backing device is still there. */
static void find_dirty(struct make *mk, unsigned i)
{
	struct make_target *t = &mk->targets[i];
	struct cache_dev *dev = mk->m.devs[i].dev;
	bool bcache = false;
	struct cache_sb sb;
	int ret;

	for (unsigned j = 0; j < t->nsig; j++)
		bcache |= is_bcache(&t->sig[j]);
	if (!bcache || (cache_probe_super(dev, &sb) && cache_sb_is_bdev(&sb)))
		return;
	make_progress_begin(mk, i);
	ret = cache_mkcache_dirty(&mk->m, i, on_dirty, t);
	cmd_progress_end(&mk->progress);
	if (ret)
		t->dirty_unknown = ret;
}

static bool may_overwrite(const struct make *mk, const struct cache_signature *s)
{
	return mk->force || (mk->wipe_bcache && is_bcache(s));
}

/* The messages of make-bcache: scripts search for them. */
static int peer_refuses(const struct make_target *t, const struct cache_signature *s)
{
	if (is_bcache(s))
		cmd_put(stderr, "Already a bcache device on %s, overwrite with --wipe-bcache",
			t->name);
	else
		cmd_put(stderr, "Device %s already has a non-bcache superblock, remove it using "
			"wipefs and wipefs -a", t->name);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

static int ask_person(struct make *mk)
{
	if (mk->dry_run) {
		cmd_warn(&mk->cmd, NULL, "would ask before overwriting this");
		return 0;
	}
	if (!isatty(STDIN_FILENO))
		return cmd_fail(&mk->cmd, NULL, "not overwritten without --force");
	return cmd_ask("Proceed anyway?") ? 0
					  : cmd_fail(&mk->cmd, NULL, "nothing was written");
}

int make_ask(struct make *mk)
{
	bool ask = false;

	for (unsigned i = 0; i < mk->m.ndevs; i++) {
		const struct make_target *t = &mk->targets[i];

		for (unsigned j = 0; j < t->nsig; j++) {
			bool may = may_overwrite(mk, &t->sig[j]);

			if (mk->peer && !may)
				return peer_refuses(t, &t->sig[j]);
			if (!mk->peer && (!may || !mk->cmd.quiet))
				show_signature(mk, i, &t->sig[j]);
			ask |= !may;
		}
		find_dirty(mk, i);
		show_dirty(mk, t);
	}
	return ask ? ask_person(mk) : 0;
}

/* Where the versions differ, 1.1 and later print more than 1.0.8: scripts parse both. */
static void show_text(const struct make *mk, unsigned i)
{
	const struct cache_sb *sb = &mk->m.devs[i].sb;
	bool bdev = cache_sb_is_bdev(sb);
	const char *block = mk->peer ? "block_size:\t\t" : "block_size_in_sectors:\t";
	const char *bucket = mk->peer ? "bucket_size:\t\t" : "bucket_size_in_sectors:\t";
	const char *offset = mk->peer ? "data_offset:\t\t" : "data_offset_in_sectors:\t";
	char uuid[CACHE_UUID_TEXT_BYTES];

	if (!mk->peer) {
		printf("Name\t\t\t");
		cmd_put(stdout, "%s", mk->targets[i].path);
		printf("\nLabel\t\t\t");
		cmd_put(stdout, "%s", (const char *)sb->label);
		printf("\nType\t\t\t%s\n", bdev ? "data" : "cache");
	}
	printf("UUID:\t\t\t%s\n", cache_uuid_format(sb->uuid, uuid));
	printf("Set UUID:\t\t%s\n", cache_uuid_format(sb->set_uuid, uuid));
	printf("version:\t\t%" PRIu64 "\n", sb->version);
	if (!bdev)
		printf("nbuckets:\t\t%" PRIu64 "\n", sb->nbuckets);
	printf("%s%" PRIu32 "\n", block, sb->block_sectors);
	if (!bdev)
		printf("%s%" PRIu64 "\nnr_in_set:\t\t%u\nnr_this_dev:\t\t%u\n"
		       "first_bucket:\t\t%u\n", bucket, sb->bucket_sectors, sb->nr_in_set,
		       sb->nr_this_dev, sb->first_bucket);
	else
		printf("%s%" PRIu64 "\n", offset, sb->data_offset_sectors);
	if (!mk->peer)
		printf("\n");
}

#define FIELD(k)	(&(const struct cache_field){ .key = (k) })

static void report_uuid(struct cache_report *r, const char *key, const uint8_t *uuid)
{
	char text[CACHE_UUID_TEXT_BYTES];

	cache_report_str(r, FIELD(key), cache_uuid_format(uuid, text));
}

static void report_cache(struct cache_report *r, const struct cache_sb *sb)
{
	cache_report_u64(r, FIELD("bucket_sectors"), sb->bucket_sectors);
	cache_report_u64(r, FIELD("nbuckets"), sb->nbuckets);
	cache_report_u64(r, FIELD("first_bucket"), sb->first_bucket);
	cache_report_u64(r, FIELD("nr_in_set"), sb->nr_in_set);
	cache_report_u64(r, FIELD("nr_this_dev"), sb->nr_this_dev);
	cache_report_str(r, FIELD("replacement"),
			 cache_replacement_name(cache_sb_replacement(sb)));
	cache_report_bool(r, FIELD("discard"), sb->flags & CACHE_SB_DISCARD);
}

static void report_bdev(struct cache_report *r, const struct cache_sb *sb)
{
	cache_report_u64(r, FIELD("data_offset_sectors"), sb->data_offset_sectors);
	cache_report_str(r, FIELD("cache_mode"), cache_mode_name(cache_sb_bdev_mode(sb)));
	cache_report_str(r, FIELD("state"), cache_bdev_state_name(cache_sb_bdev_state(sb)));
}

static void report_overwritten(struct cache_report *r, const struct make_target *t)
{
	cache_report_array(r, "overwritten");
	for (unsigned i = 0; i < t->nsig; i++) {
		cache_report_object(r, NULL);
		cache_report_str(r, FIELD("type"), t->sig[i].type);
		cache_report_str(r, FIELD("label"), t->sig[i].label);
		cache_report_str(r, FIELD("uuid"), t->sig[i].uuid);
		cache_report_u64(r, FIELD("offset_bytes"), t->sig[i].offset_bytes);
		cache_report_end(r);
	}
	cache_report_end(r);
	cache_report_array(r, "dirty_data");
	for (unsigned i = 0; i < t->ndirty; i++) {
		cache_report_object(r, NULL);
		cache_report_str(r, FIELD("uuid"), t->dirty[i].uuid);
		cache_report_str(r, FIELD("label"), t->dirty[i].label);
		cache_report_u64(r, FIELD("dirty_sectors"), t->dirty[i].sectors);
		cache_report_end(r);
	}
	cache_report_end(r);
}

static void report_device(struct cache_report *r, const struct make *mk, unsigned i)
{
	const struct cache_sb *sb = &mk->m.devs[i].sb;
	bool bdev = cache_sb_is_bdev(sb);

	cache_report_object(r, NULL);
	cache_report_str(r, FIELD("device"), mk->targets[i].path);
	cache_report_str(r, FIELD("type"), bdev ? "backing" : "cache");
	cache_report_u64(r, FIELD("version"), sb->version);
	report_uuid(r, "uuid", sb->uuid);
	report_uuid(r, "set_uuid", sb->set_uuid);
	cache_report_str(r, FIELD("label"), (const char *)sb->label);
	cache_report_u64(r, FIELD("block_sectors"), sb->block_sectors);
	(bdev ? report_bdev : report_cache)(r, sb);
	report_overwritten(r, &mk->targets[i]);
	cache_report_end(r);
}

/* Cache devices come first, as in make-bcache. */
static void each_device(const struct make *mk, struct cache_report *r)
{
	for (int bdev = 0; bdev < 2; bdev++)
		for (unsigned i = 0; i < mk->m.ndevs; i++) {
			if (mk->m.devs[i].is_bdev != bdev)
				continue;
			if (r)
				report_device(r, mk, i);
			else
				show_text(mk, i);
		}
}

static void show_dry_run(const struct make *mk)
{
	for (unsigned i = 0; i < mk->m.ndevs; i++) {
		const struct cache_sb *sb = &mk->m.devs[i].sb;
		unsigned njournal = cache_njournal_for(sb->nbuckets);

		if (cache_sb_is_bdev(sb))
			cmd_note(&mk->cmd, 0, "%s: would write 8 KiB, the superblock last",
				 mk->targets[i].name);
		else
			cmd_note(&mk->cmd, 0, "%s: would write 8 KiB, the superblock last, after "
				 "clearing the journal in buckets %u to %u",
				 mk->targets[i].name, sb->first_bucket,
				 sb->first_bucket + njournal - 1);
	}
}

void make_show(struct make *mk)
{
	struct cache_report *r;

	if (mk->dry_run)
		show_dry_run(mk);
	if (!mk->cmd.json) {
		if (!mk->cmd.quiet)
			each_device(mk, NULL);
		return;
	}
	r = cmd_report(&mk->cmd);
	cache_report_bool(r, FIELD("dry_run"), mk->dry_run);
	cache_report_array(r, "devices");
	each_device(mk, r);
	cache_report_end(r);
}
