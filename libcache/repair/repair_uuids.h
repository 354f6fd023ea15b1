/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared by the files that repair the uuid table: its slots, and the devices at hand. */
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

/* The owner of the slot is not known. */
static inline bool cache_slot_is_lost(const struct uuids_repair *m, uint32_t i)
{
	return cache_slot_is_empty(&m->u->slot[i]) || cache_uuid_is_overwritten(&m->u->slot[i]);
}

static inline bool cache_slot_is_needed(const struct uuids_repair *m, uint32_t i)
{
	return m->c->slots[i].dirty_sectors;
}

/* A person says which device has slot @i. */
static inline bool cache_slot_is_assigned(const struct uuids_repair *m, uint32_t i)
{
	for (unsigned k = 0; k < m->opts->ngiven_slots; k++)
		if (m->opts->given_slots[k].index == i)
			return true;
	return false;
}

/* Puts @e into slot @i, and sets the bounds of its device if that is at hand. */
void cache_slot_set(struct uuids_repair *m, uint32_t i, const struct cache_uuid_entry *e);
/* The same, and reports it with @proof to the caller of the repair. */
void cache_slot_give(struct uuids_repair *m, uint32_t i, const struct cache_uuid_entry *e,
		     const char *proof);

/*
 * What a person said of slots, m->opts->given_slots, is put into the table, where it is not there
 * yet; but nothing while nodes may be cut off, because it is not known what data exists.
 * Return: 0; -EINVAL if something contradicts it, and then @plan and @err say what; -ENOMEM.
 */
int cache_slot_assign(struct uuids_repair *m, struct cache_repair_plan *plan,
		      struct cache_err *err);

/*
 * Puts right what an entry says of a flash volume or its size, as far as that is proven: by a
 * backing device at hand, an older copy of the table, or data that only one of both kinds can
 * have. Data is no proof while nodes may be cut off. Return: the number of slots that stay
 * ambiguous; -ENOMEM.
 */
int cache_slot_settle_sizes(struct uuids_repair *m);

typedef bool cache_older_fn(struct uuids_repair *m, const struct cache_uuids *old, const void *arg);

/*
 * Calls @fn for each older copy of the table that older entries of the journal name, newest first,
 * until it returns true: 1. Otherwise 0; -ENOMEM; -EIO if a copy cannot be read, unless data may
 * be lost: it might say otherwise.
 */
int cache_uuids_each_older(struct uuids_repair *m, cache_older_fn *fn, const void *arg);

/* Below, @k is an index of the backing devices at hand. */

/* The device is at hand and was attached to this set when the set ran last. */
bool cache_owner_is_attached(const struct uuids_repair *m, const struct cache_sb *b);
/* It is attached and dirty, and no slot has its uuid. */
bool cache_owner_is_unknown(const struct uuids_repair *m, unsigned k);
/* All extents of the slot are in the range where device @k has data. */
bool cache_owner_fits(const struct uuids_repair *m, unsigned k, uint32_t i);
/* The attached device that has the uuid of slot @i, or NULL */
const struct cache_sb *cache_owner_named(const struct uuids_repair *m, uint32_t i);
/* The slot whose uuid differs from that of device @k in one bit; -1: there is none. */
int64_t cache_owner_near(const struct uuids_repair *m, unsigned k);
struct cache_uuid_entry cache_owner_entry(const struct cache_sb *b);
/*
 * The superblock of the device of @e says that it was detached: the data that it left has no
 * owner.
 */
bool cache_owner_has_left(const struct uuids_repair *m, const struct cache_uuid_entry *e);
/* An attached device is in @old. */
bool cache_owner_is_in(const struct uuids_repair *m, const struct cache_uuids *old);
/* The entry is plausible, but no device at hand has its uuid. */
bool cache_owner_may_be_wrong(const struct uuids_repair *m, uint32_t i);
/*
 * Gives lost slots with dirty data to the only device that can own them. Nothing is given while
 * nodes may be cut off, because it is not known what data exists. Return: whether each empty
 * slot with dirty data has an owner, now or once that is known.
 */
bool cache_owner_fill(struct uuids_repair *m);
/* Corrects the uuid that differs from that of device @k in one bit. */
void cache_owner_correct(struct uuids_repair *m, unsigned k);

#endif
