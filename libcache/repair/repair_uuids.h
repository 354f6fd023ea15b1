/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files that repair the uuid table: its slots, and the devices at hand. */
#ifndef LIBCACHE_REPAIR_UUIDS_H
#define LIBCACHE_REPAIR_UUIDS_H

#include "repair/repair_impl.h"

struct uuids_repair {
	struct fsck_cache *c;
	const struct repair_doubt *d;
	const struct cache_repair_opts *opts;
	struct cache_uuids *u;
	bool changed;
};

static inline bool cache_slot_is_empty(const struct cache_uuid_entry *e)
{
	return cache_uuid_state(e) == CACHE_SLOT_FREE;
}

/* Whose it is is not known. */
static inline bool cache_slot_is_lost(const struct uuids_repair *m, uint32_t i)
{
	return cache_slot_is_empty(&m->u->slot[i]) || cache_uuid_is_overwritten(&m->u->slot[i]);
}

static inline bool cache_slot_is_needed(const struct uuids_repair *m, uint32_t i)
{
	return m->c->slots[i].dirty_sectors;
}

/* Slot @i becomes @e, bounded by its device if that is at hand. */
void cache_slot_set(struct uuids_repair *m, uint32_t i, const struct cache_uuid_entry *e);
/* The same, reported with @proof to the caller of the repair. */
void cache_slot_give(struct uuids_repair *m, uint32_t i, const struct cache_uuid_entry *e,
		     const char *proof);

/* Below @k is an index of the backing devices at hand. */

/* A device at hand that was attached to this set when it ran last. */
bool cache_owner_is_attached(const struct uuids_repair *m, const struct cache_sb *b);
/* It is attached, and dirty, and no slot has it. */
bool cache_owner_is_unknown(const struct uuids_repair *m, unsigned k);
/* All that the slot has lies where device @k has data. */
bool cache_owner_fits(const struct uuids_repair *m, unsigned k, uint32_t i);
/* The attached device that has the uuid of slot @i, or NULL */
const struct cache_sb *cache_owner_named(const struct uuids_repair *m, uint32_t i);
struct cache_uuid_entry cache_owner_entry(const struct cache_sb *b);
/* The device of @e says that it has left the set: what it left there is nobody's. */
bool cache_owner_has_left(const struct uuids_repair *m, const struct cache_uuid_entry *e);
/* An attached device is in @old. */
bool cache_owner_is_in(const struct uuids_repair *m, const struct cache_uuids *old);
/* An entry as any other, but no device at hand has its uuid. */
bool cache_owner_may_be_wrong(const struct uuids_repair *m, uint32_t i);
/*
 * Lost slots with dirty data that only one device can own are its. While nodes may be cut
 * off nothing is given: it is not known what data there is. Return: there is an owner for
 * each empty slot with dirty data, now or once that is known.
 */
bool cache_owner_fill(struct uuids_repair *m);
/* The uuid that is that of device @k but for one bit is put right. */
void cache_owner_correct(struct uuids_repair *m, unsigned k);

#endif
