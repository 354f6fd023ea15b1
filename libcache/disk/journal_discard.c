// SPDX-License-Identifier: GPL-2.0-only
/*
 * With discards on the driver gives back ring buckets whose keys are in the tree, and the
 * newest entry's last_seq may lag behind that: its start forgives the oldest entries that
 * are missing. It forgives damaged ones as well, whose keys may be nowhere else, and then
 * old data rises; so a discard must be told from damage.
 *
 * A discard takes whole buckets, and leaves one byte all over: zeros, or on some flash
 * ones. What was written over, or lost its first entry only, reads otherwise. A device
 * that returns random bytes for discarded sectors (encryption below the cache) is taken for damaged too:
 * that costs clean data, the other way round would cost what was written.
 */
#include "disk/journal_discard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define WINDOW_SECTORS	128u

static bool has_entries(const struct cache_journal *j, uint32_t index)
{
	for (size_t i = 0; i < j->nentries; i++)
		if (j->entries[i].index == index)
			return true;
	return false;
}

static bool is_all(const char *p, size_t n, char byte)
{
	return !n || (*p == byte && !memcmp(p, p + 1, n - 1));
}

static int is_blank(struct cache_dev *dev, const struct cache_sb *sb, uint32_t index,
		    struct cache_err *err)
{
	uint64_t start = cache_bucket_sector(sb, sb->journal_bucket[index]);
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
	uint32_t before = (next->index + sb->njournal - 1) % sb->njournal;

	if (next->offset_sectors || has_entries(j, before))
		return 0;
	return is_blank(dev, sb, before, err);
}
