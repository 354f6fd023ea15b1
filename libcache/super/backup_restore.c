// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restoring a superblock. First: is it the right device? Then: which parts of the backup are
 * state that may have changed since? The backup is written only if neither question gives an
 * objection.
 */
#include <libcache/backup.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/ids.h"
#include "super/repair_super.h"

#define BDEV_STATE_BITS	((uint64_t)CACHE_BDEV_STATE_MASK << CACHE_BDEV_STATE_SHIFT)

struct restore {
	struct cache_dev *dev;
	const struct cache_backup *b;
	const struct cache_backup_opts *opts;
	struct cache_err *err;
	uint8_t *was, *now;		/* CACHE_SB_BYTES, on disk now and after the restore */
	struct cache_sb there;		/* decoded from @was */
	bool there_is_right;		/* its magic and checksum are valid */
	const char *proof[SUPER_FIELDS];
};

/* A superblock that cannot be read counts as lost: a backup is made for that case. */
static int read_there(struct restore *r)
{
	if (cache_dev_sectors(r->dev) != r->b->dev_sectors)
		return cache_err_set(r->err, -ERANGE, 0, "has %" PRIu64 " sectors, the backup is of "
				     "a device of %" PRIu64, cache_dev_sectors(r->dev),
				     r->b->dev_sectors);
	r->was = cache_dev_buf(CACHE_SB_BYTES);
	r->now = cache_dev_buf(CACHE_SB_BYTES);
	if (!r->was || !r->now)
		return cache_err_set(r->err, -ENOMEM, 0, "no memory for a superblock");
	if (cache_dev_read(r->dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES, r->was,
			   NULL))
		memset(r->was, 0, CACHE_SB_BYTES);
	cache_sb_decode(r->was, &r->there);
	r->there_is_right = cache_sb_has_magic(&r->there) &&
			    r->there.csum_stored == r->there.csum_computed;
	memcpy(r->now, r->b->super, CACHE_SB_BYTES);
	return 0;
}

/* Refuses, or with @opts->force only reports. */
static int doubt(const struct restore *r, const char *why)
{
	return r->opts->force ? 0 : cache_err_set(r->err, -EAGAIN, CACHE_SB_SECTOR, "%s", why);
}

static int refuse(const struct restore *r, const char *why)
{
	return cache_err_set(r->err, -EUCLEAN, CACHE_SB_SECTOR, "%s", why);
}

static int other_uuid(const struct restore *r, const char *what, const uint8_t *there,
		      const uint8_t *saved)
{
	char a[CACHE_UUID_TEXT_BYTES], b[CACHE_UUID_TEXT_BYTES];

	return cache_err_set(r->err, -EUCLEAN, CACHE_SB_SECTOR, "its superblock is of %s %s, "
			     "the backup of %s", what, cache_uuid_format(there, a),
			     cache_uuid_format(saved, b));
}

/* Identifies the device by its superblock, if that is valid. */
static int ask_super(const struct restore *r)
{
	const struct cache_sb *there = &r->there, *saved = &r->b->sb;

	if (!r->there_is_right)
		return 0;
	if (cache_sb_is_bdev(there) != cache_sb_is_bdev(saved))
		return refuse(r, cache_sb_is_bdev(saved) ?
			      "is a cache device now, the backup is of a backing device" :
			      "is a backing device now, the backup is of a cache device");
	if (memcmp(there->uuid, saved->uuid, sizeof(there->uuid)))
		return other_uuid(r, "device", there->uuid, saved->uuid);
	if (!cache_sb_is_bdev(saved) &&
	    memcmp(there->set_uuid, saved->set_uuid, sizeof(there->set_uuid)))
		return other_uuid(r, "set", there->set_uuid, saved->set_uuid);
	return 0;
}

static bool is_in_ring(const struct cache_sb *sb, uint64_t sector)
{
	for (unsigned i = 0; i < sb->njournal; i++)
		if (sector / sb->bucket_sectors == sb->journal_bucket[i])
			return true;
	return false;
}

/* Whether entries of the set are, and name buckets, where its geometry allows. */
static bool fits(const struct repair_evidence *ev, const struct cache_sb *sb)
{
	if (!is_in_ring(sb, ev->newest_sector) ||
	    !(ev->blocks & 1u << __builtin_ctz(sb->block_sectors)))
		return false;
	if (!ev->bucket_proven)
		return true;
	return ev->bucket_sectors == sb->bucket_sectors && ev->nr_this_dev == sb->nr_this_dev &&
	       (!ev->members || ev->members == cache_prio_buckets(sb));
}

/* Identifies a cache device by its journal. */
static int ask_journal(const struct restore *r)
{
	const struct cache_sb *saved = &r->b->sb;
	struct repair_evidence ev;
	bool has_run = r->there_is_right && cache_sb_is_synced(&r->there);
	int ret;

	if (cache_sb_is_bdev(saved))
		return 0;
	ret = cache_repair_evidence(r->dev, cache_sb_set_magic(saved), &ev, r->err);
	if (ret)
		return ret;
	if (ev.set_magic != cache_sb_set_magic(saved)) {
		ev.nstrangers += ev.nentries;
		ev.nentries = 0;
	}
	if ((ev.nentries || has_run) && !cache_sb_is_synced(saved))
		return refuse(r, "the set has run since the backup was made: with that superblock "
			      "a kernel would initialise it again; cache-fsck can repair the one that is there");
	if (ev.nentries)
		return fits(&ev, saved) ? 0 :
		       refuse(r, "the place of its journal does not fit the geometry in the backup");
	if (r->there_is_right && has_run == cache_sb_is_synced(saved))
		return 0;
	if (ev.nstrangers && cache_sb_is_synced(saved))
		return refuse(r, "its journal is of another set than the backup");
	return doubt(r, "nothing on it says that the backup is of this device");
}

static void set_bdev_state(struct cache_sb *sb, enum cache_bdev_state state)
{
	sb->flags = (sb->flags & ~BDEV_STATE_BITS) | (uint64_t)state << CACHE_BDEV_STATE_SHIFT;
}

static void take_over(const struct restore *r, struct cache_sb *sb)
{
	sb->seq = r->there.seq;
	sb->last_mount = r->there.last_mount;
	if (!cache_sb_is_bdev(sb))
		return;
	memcpy(sb->set_uuid, r->there.set_uuid, sizeof(sb->set_uuid));
	set_bdev_state(sb, cache_sb_bdev_state(&r->there));
}

/* For a backing device: does a cache have dirty data of it, and which cache? */
static int assume_dirty(struct restore *r, struct cache_sb *sb)
{
	enum cache_bdev_state saved = cache_sb_bdev_state(sb);

	if (saved == CACHE_BDEV_STATE_NONE || saved == CACHE_BDEV_STATE_STALE)
		return doubt(r, "it had no cache when the backup was made: if it was given one "
			     "since, dirty data there would be abandoned");
	set_bdev_state(sb, CACHE_BDEV_STATE_DIRTY);
	if (saved != CACHE_BDEV_STATE_DIRTY)
		r->proof[SUPER_FLAGS] = "header backup, and dirty, so that a kernel waits for the cache";
	return 0;
}

static int keep_state(struct restore *r)
{
	struct cache_sb sb = r->b->sb;
	int ret = 0;

	if (r->there_is_right)
		take_over(r, &sb);
	else if (cache_sb_is_bdev(&sb))
		ret = assume_dirty(r, &sb);
	if (!ret)
		cache_sb_encode(&sb, r->now);
	return ret;
}

/* The device may now be on another kind of disk, with larger logical blocks. */
static int check_result(const struct restore *r)
{
	struct cache_sb sb;

	cache_sb_decode(r->now, &sb);
	return cache_sb_check(&sb, cache_dev_sectors(r->dev),
			      cache_dev_logical_block_bytes(r->dev), NULL, r->err);
}

static int restore(struct restore *r, bool *differs)
{
	int ret = read_there(r);

	if (!ret)
		ret = ask_super(r);
	if (!ret)
		ret = ask_journal(r);
	if (!ret)
		ret = keep_state(r);
	if (!ret)
		ret = check_result(r);
	if (ret)
		return ret;
	*differs = memcmp(r->was, r->now, CACHE_SB_BYTES);
	if (!*differs)
		return 0;
	for (unsigned i = 0; i < SUPER_FIELDS; i++)
		if (!r->proof[i])
			r->proof[i] = "header backup";
	cache_super_tell(r->was, r->now, r->proof, 0, r->opts->field, r->opts->ctx);
	return r->opts->dry_run ? 0 : cache_super_write(r->dev, r->now, r->err);
}

int cache_backup_restore(struct cache_dev *dev, const struct cache_backup *b,
			 const struct cache_backup_opts *opts, bool *differs,
			 struct cache_err *err)
{
	struct cache_backup_opts o;
	struct restore r = { .dev = dev, .b = b, .opts = &o, .err = err };
	bool unused;
	int ret = cache_opts_read(&o, sizeof(o), opts, err);

	if (!ret)
		ret = restore(&r, differs ? differs : &unused);

	free(r.was);
	free(r.now);
	return ret;
}
