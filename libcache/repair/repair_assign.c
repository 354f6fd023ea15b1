// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots of the uuid table that a person gives to devices, where nothing proves the owner. What
 * is known is not changed in this way: the slot must be lost and have data, the device must be at
 * hand, attached to this set and in no slot, the data must lie within it, and no older copy of the
 * table may say otherwise.
 */
#include "repair/repair_uuids.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/ids.h"

static const char contradicted[] = "a slot was given to a device that cannot have it";

/* Its index among the backing devices at hand, or -1. */
static int64_t device_of(const struct uuids_repair *m, const struct cache_repair_given_slot *g)
{
	for (unsigned k = 0; k < m->opts->nbacking; k++)
		if (!memcmp(m->opts->backing[k].uuid, g->uuid, sizeof(g->uuid)))
			return k;
	return -1;
}

static bool has_slot_already(const struct uuids_repair *m, const struct cache_repair_given_slot *g)
{
	return g->index < m->u->n && !cache_slot_is_lost(m, g->index) &&
	       !memcmp(m->u->slot[g->index].uuid, g->uuid, sizeof(g->uuid));
}

static const char *wrong_slot(const struct uuids_repair *m, const struct cache_repair_given_slot *g)
{
	const struct cache_sb *named;

	if (g->index >= m->u->n)
		return "the uuid table has no such slot";
	named = cache_owner_named(m, g->index);
	if (!cache_slot_is_lost(m, g->index) ||
	    (named && memcmp(named->uuid, g->uuid, sizeof(g->uuid))))
		return "the slot has another owner, and that is known";
	if (!m->d->scan && !m->c->slots[g->index].extents)
		return "the cache has no data for the slot";
	return NULL;
}

static const char *wrong_device(const struct uuids_repair *m,
				const struct cache_repair_given_slot *g)
{
	int64_t k = device_of(m, g), other = cache_uuid_find(m->u, g->uuid);

	if (k < 0)
		return "name the backing device too";
	if (!cache_owner_is_attached(m, &m->opts->backing[k]))
		return "the superblock of the device does not say that it is attached to this set";
	if (other >= 0 && other != g->index)
		return "the device has another slot";
	if (cache_owner_near(m, k) >= 0)
		return "another slot has a uuid that differs from that of the device in one bit";
	if (!cache_owner_fits(m, k, g->index))
		return "data of the slot is outside of the device";
	return NULL;
}

static const char *given_twice(const struct uuids_repair *m, unsigned n)
{
	const struct cache_repair_given_slot *g = m->opts->given_slots;

	for (unsigned k = 0; k < n; k++)
		if (g[k].index == g[n].index || !memcmp(g[k].uuid, g[n].uuid, sizeof(g[n].uuid)))
			return "the slot or the device is given twice";
	return NULL;
}

/* An older copy of the table has another device in the slot, or the device in another one. */
static bool is_denied(struct uuids_repair *m, const struct cache_uuids *old, const void *arg)
{
	const struct cache_repair_given_slot *g = arg;
	int64_t was = cache_uuid_find(old, g->uuid);

	return (was >= 0 && was != g->index) ||
	       (g->index < old->n && !cache_slot_is_empty(&old->slot[g->index]) &&
		memcmp(old->slot[g->index].uuid, g->uuid, sizeof(g->uuid)));
}

static int refuse(const struct cache_repair_given_slot *g, const char *why,
		  struct cache_repair_plan *plan, struct cache_err *err)
{
	char text[CACHE_UUID_TEXT_BYTES];

	plan->cannot = contradicted;
	return cache_err_set(err, -EINVAL, 0, "slot %" PRIu32 " cannot be given to %s: %s", g->index,
			     cache_uuid_format(g->uuid, text), why);
}

static int check_given(struct uuids_repair *m, unsigned n, struct cache_repair_plan *plan,
		       struct cache_err *err)
{
	const struct cache_repair_given_slot *g = &m->opts->given_slots[n];
	const char *why = given_twice(m, n);
	int denied;

	if (!why && has_slot_already(m, g))
		return 0;
	if (!why)
		why = wrong_slot(m, g);
	if (!why)
		why = wrong_device(m, g);
	if (why)
		return refuse(g, why, plan, err);
	denied = cache_uuids_each_older(m, is_denied, g);
	return denied > 0 ? refuse(g, "an older copy of the uuid table says otherwise", plan, err) :
			    denied;
}

int cache_slot_assign(struct uuids_repair *m, struct cache_repair_plan *plan,
		      struct cache_err *err)
{
	int ret = 0;

	/* all are checked before the first is given */
	for (unsigned n = 0; n < m->opts->ngiven_slots && !ret; n++)
		ret = check_given(m, n, plan, err);
	if (ret || m->d->scan)
		return ret;
	for (unsigned n = 0; n < m->opts->ngiven_slots; n++) {
		const struct cache_repair_given_slot *g = &m->opts->given_slots[n];
		struct cache_uuid_entry e;

		if (has_slot_already(m, g))
			continue;
		e = cache_owner_entry(&m->opts->backing[device_of(m, g)]);
		cache_slot_give(m, g->index, &e, "the slot was given by hand");
	}
	return 0;
}
