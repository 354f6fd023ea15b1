// SPDX-License-Identifier: GPL-2.0-only
/* Replacing one slot of the uuid table, and the bounds of its device. */
#include "repair/repair_uuids.h"

#include <string.h>

bool cache_owner_is_attached(const struct uuids_repair *m, const struct cache_sb *b)
{
	enum cache_bdev_state state = cache_sb_bdev_state(b);

	return !memcmp(b->set_uuid, m->c->set->sb.set_uuid, sizeof(b->set_uuid)) &&
	       b->csum_stored == b->csum_computed &&
	       (state == CACHE_BDEV_STATE_CLEAN || state == CACHE_BDEV_STATE_DIRTY);
}

const struct cache_sb *cache_owner_named(const struct uuids_repair *m, uint32_t i)
{
	for (unsigned k = 0; k < m->opts->nbacking; k++) {
		const struct cache_sb *b = &m->opts->backing[k];

		if (cache_owner_is_attached(m, b) && !memcmp(b->uuid, m->u->slot[i].uuid, sizeof(b->uuid)))
			return b;
	}
	return NULL;
}

static void bound_by_owner(struct uuids_repair *m, uint32_t i)
{
	const struct cache_sb *b = cache_owner_named(m, i);

	if (!b)
		return;
	m->c->slots[i].data_start = b->data_offset_sectors;
	if (m->opts->backing_sectors)
		m->c->slots[i].data_end = m->opts->backing_sectors[b - m->opts->backing];
}

void cache_slot_set(struct uuids_repair *m, uint32_t i, const struct cache_uuid_entry *e)
{
	m->u->slot[i] = *e;
	cache_fsck_bound_slot(&m->c->slots[i], e);
	bound_by_owner(m, i);
	m->changed = true;
}

void cache_slot_give(struct uuids_repair *m, uint32_t i, const struct cache_uuid_entry *e,
		     const char *proof)
{
	struct cache_repair_slot told = { .index = i, .proof = proof };

	cache_slot_set(m, i, e);
	memcpy(told.uuid, e->uuid, sizeof(told.uuid));
	if (m->opts->slot)
		m->opts->slot(m->opts->ctx, m->opts->dev, &told);
}
