// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of the uuid table whose flag or size is wrong. A flash volume of size 0 has data that no
 * kernel can reach; one that is too small, some; and one without its flag is not there at all. A
 * backing device with the flag is not attached. The data stays as it is until the kind is proven:
 * a wrong answer would drop all of it.
 */
#include "repair/repair_uuids.h"

#include <string.h>

/* Data of a flash volume lies past the end that its entry names. */
static bool is_too_short(const struct cache_uuid_entry *e, const struct fsck_slot *slot)
{
	return cache_uuid_state(e) == CACHE_SLOT_FLASH && !cache_uuid_is_overwritten(e) &&
	       !cache_uuid_is_ambiguous(e) && slot->extents && slot->end > e->sectors;
}

bool cache_repair_has_short_slot(const struct fsck_cache *c)
{
	for (uint32_t i = 0; i < c->set->uuids.n; i++)
		if (is_too_short(&c->set->uuids.slot[i], &c->slots[i]))
			return true;
	return false;
}

static void give(struct uuids_repair *m, uint32_t i, uint32_t flag, uint64_t sectors,
		 const char *proof)
{
	struct cache_uuid_entry e = m->u->slot[i];

	e.flags = (e.flags & ~CACHE_UUID_FLASH_ONLY) | flag;
	e.sectors = sectors;
	cache_slot_give(m, i, &e, proof);
}

/* The kind and the size of a device never change while it has its slot. */
static bool take_older(struct uuids_repair *m, const struct cache_uuids *old, const void *arg)
{
	uint32_t i = *(const uint32_t *)arg;
	const struct cache_uuid_entry *e;

	if (i >= old->n)
		return false;
	e = &old->slot[i];
	if (memcmp(e->uuid, m->u->slot[i].uuid, sizeof(e->uuid)) || cache_uuid_is_ambiguous(e) ||
	    is_too_short(e, &m->c->slots[i]))
		return false;
	give(m, i, e->flags & CACHE_UUID_FLASH_ONLY, e->sectors, "an older copy of the table");
	return true;
}

/* All data of a flash volume is dirty, and no backing device has data before its data offset. */
static void judge_data(struct uuids_repair *m, uint32_t i)
{
	const struct fsck_slot *slot = &m->c->slots[i];
	uint64_t sectors = m->u->slot[i].sectors;

	if (!slot->extents)
		return;
	if (slot->cached_sectors > slot->dirty_sectors)
		give(m, i, 0, 0, "clean data, which a flash volume never has");
	else if (slot->first < CACHE_BDEV_DATA_START_SECTORS && sectors && slot->end <= sectors)
		give(m, i, CACHE_UUID_FLASH_ONLY, sectors,
		     "data where a backing device has none");
}

static bool is_wrong(const struct uuids_repair *m, uint32_t i)
{
	const struct cache_uuid_entry *e = &m->u->slot[i];

	if (cache_uuid_is_ambiguous(e))
		return cache_uuid_state(e) == CACHE_SLOT_BACKING || m->c->slots[i].extents;
	return is_too_short(e, &m->c->slots[i]);
}

int cache_slot_settle_sizes(struct uuids_repair *m)
{
	int left = 0;

	for (uint32_t i = 0; i < m->u->n; i++) {
		int ret = 0;

		if (!is_wrong(m, i))
			continue;
		if (cache_owner_named(m, i))
			give(m, i, 0, 0, "a backing device at hand with the same uuid");
		else
			ret = cache_uuids_each_older(m, take_older, &i);
		if (ret < 0)
			return ret;
		if (cache_uuid_is_ambiguous(&m->u->slot[i]) && !m->d->scan)
			judge_data(m, i);
		left += cache_uuid_is_ambiguous(&m->u->slot[i]);
	}
	return left;
}
