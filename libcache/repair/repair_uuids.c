// SPDX-License-Identifier: GPL-2.0-only
/*
 * The correct uuid table. A slot that is empty although data belongs to it, or that was
 * overwritten, has lost its owner. The owner is taken from an older copy of the table, which an
 * older journal entry names, or it is the only backing device at hand that is possible. Nothing
 * is guessed: if the data of two devices were exchanged, both would be destroyed. And a slot
 * that is emptied goes to the next device that is attached, with all extents that the tree has
 * for it.
 */
#include "repair/repair_uuids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_hole(const struct uuids_repair *m, uint32_t i)
{
	return cache_slot_is_needed(m, i) && cache_slot_is_lost(m, i);
}

static bool has_holes(const struct uuids_repair *m)
{
	for (uint32_t i = 0; i < m->u->n; i++)
		if (is_hole(m, i))
			return true;
	return false;
}

static void empty_slot(struct uuids_repair *m, uint32_t i)
{
	static const struct cache_uuid_entry empty;

	cache_slot_set(m, i, &empty);
}

/* Of two slots with the same uuid, the one without extents is cleared. */
static bool drop_duplicates(struct uuids_repair *m)
{
	const struct fsck_slot *slots = m->c->slots;

	for (uint32_t i = 0; i < m->u->n; i++) {
		enum cache_slot_state state = cache_uuid_state(&m->u->slot[i]);
		int64_t first = cache_uuid_find(m->u, m->u->slot[i].uuid);

		if (first == i || state == CACHE_SLOT_FREE || state == CACHE_SLOT_RETIRED)
			continue;
		if (slots[i].extents && slots[first].extents)
			return false;
		empty_slot(m, slots[i].extents ? first : i);
	}
	return true;
}

/*
 * A slot that was overwritten, and does not belong to a device at hand, is cleared if it has no
 * dirty data: its clean data is dropped too, and a clean device gets another slot. This is not
 * done while nodes may be cut off: their extents are only known once they are in the tree.
 */
static void settle_overwritten(struct uuids_repair *m)
{
	for (uint32_t i = 0; i < m->u->n; i++) {
		const struct cache_sb *owner = cache_owner_named(m, i);
		struct cache_uuid_entry e;

		if (!cache_uuid_is_overwritten(&m->u->slot[i]))
			continue;
		/* of a flash volume nothing more would be known than of a device */
		m->u->slot[i].flags &= ~CACHE_UUID_FLASH_ONLY;
		cache_fsck_bound_slot(&m->c->slots[i], &m->u->slot[i]);
		if (owner) {
			e = cache_owner_entry(owner);
			cache_slot_give(m, i, &e, "a backing device at hand with the same uuid");
		} else if (!m->d->scan && !cache_slot_is_assigned(m, i) &&
			   (!cache_slot_is_needed(m, i) || m->opts->allow_data_loss)) {
			empty_slot(m, i);
		}
	}
}

/* @old has an owner for slot @i, and that owner has no other slot now. */
static bool knows_owner(const struct uuids_repair *m, const struct cache_uuids *old, uint32_t i)
{
	return i < old->n && !cache_slot_is_empty(&old->slot[i]) &&
	       (cache_uuid_state(&old->slot[i]) == CACHE_SLOT_RETIRED ||
		cache_uuid_find(m->u, old->slot[i].uuid) < 0);
}

static void take_older(struct uuids_repair *m, uint32_t i, const struct cache_uuid_entry *older)
{
	struct cache_uuid_entry e = *older;

	if (!cache_owner_has_left(m, older)) {
		cache_slot_give(m, i, older, "an older copy of the table");
		return;
	}
	cache_slot_give(m, i, older, "an older copy of the table; the device has left the set since");
	memcpy(e.uuid, cache_uuid_tombstone, sizeof(e.uuid));
	e.invalidated = e.last_reg;
	cache_slot_set(m, i, &e);
}

static bool fill_from(struct uuids_repair *m, const struct cache_uuids *old, const void *arg)
{
	for (uint32_t i = 0; i < m->u->n; i++)
		if (is_hole(m, i) && !knows_owner(m, old, i))
			return false;
	for (uint32_t i = 0; i < m->u->n; i++)
		if (cache_slot_is_lost(m, i) && knows_owner(m, old, i))
			take_older(m, i, &old->slot[i]);
	return true;
}

/* A slot is used for one device only, so the owner in @old is still the owner. */
static bool correct_from(struct uuids_repair *m, const struct cache_uuids *old, const void *arg)
{
	const unsigned *k = arg;
	int64_t i = cache_uuid_find(old, m->opts->backing[*k].uuid);

	if (i < 0 || i >= m->u->n)
		return false;
	if (cache_owner_may_be_wrong(m, i) && cache_owner_fits(m, *k, i))
		cache_slot_give(m, i, &old->slot[i], "an older copy of the table");
	return true;
}

/* Each dirty device must have a slot. Return: how many have none; -ENOMEM. */
static int correct_unknown(struct uuids_repair *m)
{
	int n = 0;

	for (unsigned k = 0; k < m->opts->nbacking; k++) {
		int ret = cache_owner_is_unknown(m, k) ? cache_uuids_each_older(m, correct_from, &k) : 0;

		if (ret < 0)
			return ret;
		if (cache_owner_is_unknown(m, k) && !m->d->scan)
			cache_owner_correct(m, k);
		n += cache_owner_is_unknown(m, k);
	}
	return n;
}

static unsigned count_overwritten(const struct uuids_repair *m)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < m->u->n; i++)
		n += cache_uuid_is_overwritten(&m->u->slot[i]);
	return n;
}

int cache_repair_uuids(struct fsck_cache *c, const struct repair_doubt *d,
		       const struct cache_repair_opts *opts, struct cache_uuids *u,
		       struct cache_repair_plan *plan, struct cache_err *err)
{
	struct uuids_repair m = { .c = c, .d = d, .opts = opts, .u = u };
	int filled = 1, unknown, ambiguous;
	unsigned overwritten;
	int ret = cache_slot_assign(&m, plan, err);

	if (ret)
		return ret;
	settle_overwritten(&m);
	ambiguous = cache_slot_settle_sizes(&m);
	if (ambiguous < 0)
		return ambiguous;
	if (has_holes(&m))
		filled = cache_uuids_each_older(&m, fill_from, NULL);
	if (!filled)
		filled = cache_owner_fill(&m);
	unknown = filled < 0 ? filled : correct_unknown(&m);
	if (unknown < 0)
		return unknown;
	if (!drop_duplicates(&m))
		plan->cannot = "two slots of the uuid table hold one uuid, and both have data";
	else if (!filled)
		plan->cannot = "dirty data belongs to a device whose slot is lost: name the backing devices too";
	if (plan->cannot)
		return -EUCLEAN;
	overwritten = count_overwritten(&m);
	plan->uuids = d->table || m.changed || d->garbage > overwritten + ambiguous;
	if (ambiguous && !d->scan)
		plan->cannot = "a slot of the uuid table may be a backing device or a flash volume: name the backing devices too";
	else if (overwritten && !d->scan)
		plan->cannot = "dirty data belongs to a device whose slot was overwritten: name the backing devices too";
	else if (unknown && !d->scan)
		plan->cannot = "a backing device is dirty and has no slot, and nothing proves which slot it had";
	return 0;
}
