// SPDX-License-Identifier: GPL-2.0-only
/* The slots of the uuid table: where the data of each must lie on its backing device. */
#include "fsck/fsck_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void cache_fsck_bound_slot(struct fsck_slot *slot, const struct cache_uuid_entry *e)
{
	bool flash = cache_uuid_state(e) == CACHE_SLOT_FLASH;
	bool known = !cache_uuid_is_overwritten(e) && !cache_uuid_is_ambiguous(e);

	slot->data_start = flash || !known ? 0 : CACHE_BDEV_DATA_START_SECTORS;
	slot->data_end = flash && known ? e->sectors : CACHE_DEV_SECTORS_MAX;
}

int cache_fsck_init_slots(struct fsck_cache *c)
{
	const struct cache_uuids *u = &c->set->uuids;
	const struct fsck_backing *backing = c->backing;

	c->slots = calloc(u->n ? u->n : 1, sizeof(*c->slots));
	if (!c->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->n; i++)
		cache_fsck_bound_slot(&c->slots[i], &u->slot[i]);
	for (unsigned i = 0; i < c->nbacking; i++) {
		int64_t slot = -1;

		if (!memcmp(backing[i].sb.set_uuid, c->set->sb.set_uuid, 16))
			slot = cache_uuid_find(u, backing[i].sb.uuid);
		if (slot < 0 || !cache_fsck_is_backing(&backing[i]))
			continue;
		c->slots[slot].data_start = backing[i].sb.data_offset_sectors;
		c->slots[slot].data_end = backing[i].sectors;
	}
	return 0;
}
