// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clearing the discard bit. One bit of a valid superblock and its checksum change, both in the
 * first sector, so the write is atomic.
 */
#include "super/repair_super.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Writes @was (CACHE_SB_BYTES) with the bit cleared; all other bytes are unchanged. */
static void without_discard(const uint8_t *was, uint8_t *now)
{
	struct cache_sb_disk *d = (struct cache_sb_disk *)now;

	memcpy(now, was, CACHE_SB_BYTES);
	d->flags = cache_le64_of(cache_le64_get(d->flags) & ~(uint64_t)CACHE_SB_DISCARD);
	d->csum = cache_le64_of(cache_sb_csum(now));
}

static int read_right(struct cache_dev *dev, uint8_t *was, struct cache_err *err)
{
	struct cache_sb sb;
	int ret = cache_dev_read(dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES, was,
				 err);

	if (ret)
		return ret;
	cache_sb_decode(was, &sb);
	if (sb.csum_stored != sb.csum_computed || cache_sb_is_bdev(&sb))
		return cache_err_set(err, -EUCLEAN, CACHE_SB_SECTOR,
				     "its superblock has to be repaired before its discard bit is cleared");
	return 0;
}

int cache_repair_discard(struct cache_dev *dev, const struct cache_repair_opts *opts,
			 bool write, struct cache_err *err)
{
	static const char *const proof[SUPER_FIELDS] = { [SUPER_FLAGS] = "asked for" };
	uint8_t *was = cache_dev_buf(CACHE_SB_BYTES), *now = cache_dev_buf(CACHE_SB_BYTES);
	int ret;

	if (!was || !now)
		ret = cache_err_set(err, -ENOMEM, 0, "no memory for a superblock");
	else
		ret = read_right(dev, was, err);
	if (!ret) {
		without_discard(was, now);
		if (write)
			ret = cache_super_write(dev, now, err);
		else
			cache_super_tell(was, now, proof, 0, cache_repair_tell_field,
					 (void *)opts);
	}
	free(was);
	free(now);
	return ret;
}
