// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of fields of a superblock that were asked for. All other bytes stay, those without a
 * meaning too.
 */
#include "super/super_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "super/repair_super.h"

static int read_right(struct cache_dev *dev, uint8_t *was, struct cache_sb *sb,
		      struct cache_err *err)
{
	int ret = cache_dev_read(dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES, was,
				 err);

	if (ret)
		return ret;
	cache_sb_decode(was, sb);
	return cache_sb_check(sb, cache_dev_sectors(dev), cache_dev_logical_block_bytes(dev), NULL,
			      err);
}

static void change_fields(uint8_t *now, const struct cache_super_change *c)
{
	struct cache_sb_disk *d = (struct cache_sb_disk *)now;
	uint64_t flags = cache_le64_get(d->flags);

	if (c->uuid)
		memcpy(d->uuid, c->uuid, sizeof(d->uuid));
	if (c->set_uuid)
		memcpy(d->set_uuid, c->set_uuid, sizeof(d->set_uuid));
	if (c->label) {
		memset(d->label, 0, sizeof(d->label));
		memcpy(d->label, c->label, strnlen(c->label, sizeof(d->label)));
	}
	if (c->mode >= 0)
		flags = (flags & ~(uint64_t)CACHE_BDEV_MODE_MASK) | (uint64_t)c->mode;
	if (c->state >= 0)
		flags = (flags & ~((uint64_t)CACHE_BDEV_STATE_MASK << CACHE_BDEV_STATE_SHIFT)) |
			(uint64_t)c->state << CACHE_BDEV_STATE_SHIFT;
	d->flags = cache_le64_of(flags);
	d->csum = cache_le64_of(cache_sb_csum(now));
}

int cache_super_change(struct cache_dev *dev, const struct cache_super_change *change, bool write,
		       void (*tell)(void *ctx, const struct cache_repair_field *f), void *ctx,
		       struct cache_err *err)
{
	static const char *const proof[SUPER_FIELDS] = {
		[SUPER_UUID] = "asked for", [SUPER_SET_UUID] = "asked for",
		[SUPER_LABEL] = "asked for", [SUPER_FLAGS] = "asked for" };
	uint8_t *was = cache_dev_buf(CACHE_SB_BYTES), *now = cache_dev_buf(CACHE_SB_BYTES);
	struct cache_sb sb = { 0 };
	int ret;

	if (!was || !now)
		ret = cache_err_set(err, -ENOMEM, 0, "no memory for a superblock");
	else
		ret = read_right(dev, was, &sb, err);
	if (!ret && !cache_sb_is_bdev(&sb) && (change->state >= 0 || change->mode >= 0))
		ret = cache_err_set(err, -EINVAL, 0, "only a backing device has a state and a cache mode");
	if (ret)
		goto out;
	memcpy(now, was, CACHE_SB_BYTES);
	change_fields(now, change);
	if (!memcmp(was, now, CACHE_SB_BYTES))
		goto out;
	cache_super_tell(was, now, proof, 0, tell, ctx);
	ret = write ? cache_super_write(dev, now, err) : 0;
	ret = ret ? ret : 1;
out:
	cache_dev_buf_free(was);
	cache_dev_buf_free(now);
	return ret;
}
