/* SPDX-License-Identifier: GPL-2.0-only */
/* Fields of a superblock that is right get other values, in one write. */
#ifndef LIBCACHE_SUPER_CHANGE_H
#define LIBCACHE_SUPER_CHANGE_H

#include "super/repair_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is NULL, or less than 0, stays as it is. */
struct cache_super_change {
	const uint8_t *uuid, *set_uuid;	/* 16 bytes */
	const char *label;		/* at most CACHE_SB_LABEL_BYTES bytes */
	int state, mode;		/* of a backing device: enum cache_bdev_state, cache_mode */
};

#define CACHE_SUPER_CHANGE_NONE	{ .state = -1, .mode = -1 }

/**
 * cache_super_change() - change fields of a superblock
 * @dev:   open to write, or to read without @write; stays the caller's
 * @write: false: only tell
 * @tell:  may be NULL; each field that changes
 *
 * The fields and the checksum lie in the first sector of it: a power cut leaves the old ones or
 * the new ones. Return: 1 when it changed, or would; 0 when it is so already; -EUCLEAN,
 * -EBADMSG and the like for a superblock that is not right; -EIO; -ENOMEM.
 */
int cache_super_change(struct cache_dev *dev, const struct cache_super_change *change, bool write,
		       void (*tell)(void *ctx, const struct cache_repair_field *f), void *ctx,
		       struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
