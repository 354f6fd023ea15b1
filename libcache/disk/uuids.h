/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The uuid table: which backing device or flash volume an inode number means
 * (format 4). It has neither magic nor checksum, so its content is judged.
 */
#ifndef LIBCACHE_UUIDS_H
#define LIBCACHE_UUIDS_H

#include <stdbool.h>
#include <stdint.h>

#include "format/bkey.h"
#include "dev/dev.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_uuid_entry {
	uint8_t	 uuid[16];
	uint8_t	 label[CACHE_SB_LABEL_BYTES + 1];	/* with a terminating NUL */
	uint32_t first_reg, last_reg, invalidated;	/* Unix times */
	uint32_t flags;
	uint64_t sectors;				/* size of a flash volume */
	uint8_t	 reserved[CACHE_UUID_RESERVED_BYTES];	/* zero, unless it was overwritten */
};

enum cache_slot_state { CACHE_SLOT_FREE, CACHE_SLOT_BACKING, CACHE_SLOT_FLASH,
			CACHE_SLOT_RETIRED };

struct cache_uuids {
	struct cache_uuid_entry *slot;
	uint32_t n;		/* number of slots; 0 when the table could not be read */
	bool old_layout;	/* entries of 64 bytes */
};

/* Written over the uuid of a detached device: the slot is never used again (format 1.8). */
extern const uint8_t cache_uuid_tombstone[16];

enum cache_slot_state cache_uuid_state(const struct cache_uuid_entry *e);
const char *cache_slot_state_name(enum cache_slot_state state);

/*
 * A slot in use in which more than a few of the bytes that every driver leaves zero are not
 * zero: it was overwritten, and its uuid belongs to no device. With only a few such bytes that
 * is not known.
 */
bool cache_uuid_is_overwritten(const struct cache_uuid_entry *e);

/*
 * Drivers give a size to flash volumes and to nothing else. The entry says otherwise: its flag or
 * its size is wrong, and it does not say itself which.
 */
bool cache_uuid_is_ambiguous(const struct cache_uuid_entry *e);

/* The slot of @uuid, or -1. */
int64_t cache_uuid_find(const struct cache_uuids *u, const uint8_t uuid[16]);

/**
 * cache_uuids_read() - read the table
 * @key:     uuid_bucket of the newest jset
 * @version: of that jset; 0 means 64-byte entries
 * @uuids:   filled; release with cache_uuids_fini(), also after an error
 * @sink:    as cache_found()
 *
 * Return: 0; without @sink the errno of the first broken rule; -ENOMEM.
 */
int cache_uuids_read(struct cache_dev *dev, const struct cache_sb *sb,
		     const struct cache_bkey *key, unsigned version,
		     struct cache_uuids *uuids, const struct cache_sink *sink,
		     struct cache_err *err);
void cache_uuids_fini(struct cache_uuids *uuids);

#ifdef __cplusplus
}
#endif
#endif
