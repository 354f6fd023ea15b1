// SPDX-License-Identifier: GPL-2.0-only
/* Reading a superblock from a device; format/super.c checks it. */
#include "format/super.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "dev/dev.h"

int cache_sb_read(struct cache_dev *dev, struct cache_sb *sb, struct cache_err *err)
{
	void *buf;
	int ret;

	if (!cache_range_ok(CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES,
			    cache_dev_sectors(dev)))
		return cache_err_set(err, -ERANGE, CACHE_SB_SECTOR,
				     "too small for a superblock: %llu bytes, at least %u needed",
				     (unsigned long long)cache_dev_sectors(dev) *
					     CACHE_SECTOR_BYTES,
				     CACHE_SB_SECTOR * CACHE_SECTOR_BYTES + CACHE_SB_BYTES);
	buf = cache_dev_buf(CACHE_SB_BYTES);
	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a superblock");
	ret = cache_dev_read(dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES,
			     buf, err);
	if (!ret)
		cache_sb_decode(buf, sb);
	free(buf);
	return ret;
}
