// SPDX-License-Identifier: GPL-2.0-only
/*
 * If discards are on, the driver discards ring buckets whose keys are in the tree, and last_seq
 * of the newest entry may be older than that. So the driver's start accepts that the oldest
 * entries are missing. It also accepts damaged ones, whose keys may be nowhere else, and then
 * old data returns. So a discarded bucket must be distinguished from damage.
 *
 * A discard affects whole buckets and leaves one repeated byte: zeros, or ones on some flash
 * devices. A bucket that was overwritten, or lost only its first entry, reads differently. A
 * device that returns random bytes for discarded sectors (for example with encryption below the
 * cache) is treated as damaged: that costs clean data; the opposite error would cost written
 * data.
 */
#include "disk/journal_discard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "format/members.h"

#define WINDOW_SECTORS	128u

static bool has_entries(const struct cache_journal *j, const struct cache_jset_pos *at)
{
	for (size_t i = 0; i < j->nentries; i++)
		if (j->entries[i].index == at->index && j->entries[i].member == at->member)
			return true;
	return false;
}

static bool is_all(const char *p, size_t n, char byte)
{
	return !n || (*p == byte && !memcmp(p, p + 1, n - 1));
}

/* Ring buckets that the device has on which @at is. */
static uint32_t ring_of(const struct cache_sb *sb, const struct cache_jset_pos *at)
{
	if (!sb->members)
		return sb->njournal;
	return sb->members->m[at->member].reserved - sb->members->m[at->member].first_bucket;
}

static int is_blank(struct cache_dev *dev, const struct cache_sb *sb,
		    const struct cache_jset_pos *at_bucket, struct cache_err *err)
{
	uint64_t start = cache_jset_sector(sb, at_bucket);
	char *buf = cache_dev_buf(WINDOW_SECTORS * CACHE_SECTOR_BYTES), byte = 0;
	int blank = 1;

	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a journal window");
	for (uint64_t at = 0; at < sb->bucket_sectors && blank; at += WINDOW_SECTORS) {
		uint64_t n = cache_min_u64(sb->bucket_sectors - at, WINDOW_SECTORS);

		blank = !cache_dev_read(dev, start + at, n, buf, NULL);
		byte = at ? byte : *buf;
		blank = blank && is_all(buf, n * CACHE_SECTOR_BYTES, byte);
	}
	free(buf);
	return blank;
}

int cache_journal_was_discarded(struct cache_dev *dev, const struct cache_sb *sb,
				const struct cache_journal *j,
				const struct cache_jset_pos *next, struct cache_err *err)
{
	uint32_t n = ring_of(sb, next);
	struct cache_jset_pos before = { .index = (next->index + n - 1) % n,
					 .member = next->member };

	if (next->offset_sectors || has_entries(j, &before))
		return 0;
	return is_blank(dev, sb, &before, err);
}
