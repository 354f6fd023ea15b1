// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which backing device at hand owns a slot of the uuid table. The owner may also be a device
 * that is not at hand, and a wrong answer writes the data of one device over that of another.
 * So the owner must be attached and dirty and large enough, and no other device may be
 * possible.
 */
#include "repair/repair_uuids.h"

#include <string.h>

static bool lacks_slot(const struct uuids_repair *m, const struct cache_sb *b)
{
	return cache_owner_is_attached(m, b) && cache_uuid_find(m->u, b->uuid) < 0;
}

bool cache_owner_is_unknown(const struct uuids_repair *m, unsigned k)
{
	const struct cache_sb *b = &m->opts->backing[k];

	return cache_sb_bdev_state(b) == CACHE_BDEV_STATE_DIRTY && lacks_slot(m, b);
}

bool cache_owner_fits(const struct uuids_repair *m, unsigned k, uint32_t i)
{
	const struct fsck_slot *slot = &m->c->slots[i];

	return !slot->extents ||
	       (slot->first >= m->opts->backing[k].data_offset_sectors &&
		(!m->opts->backing_sectors || slot->end <= m->opts->backing_sectors[k]));
}

struct cache_uuid_entry cache_owner_entry(const struct cache_sb *b)
{
	struct cache_uuid_entry e = { .first_reg = b->last_mount, .last_reg = b->last_mount };

	memcpy(e.uuid, b->uuid, sizeof(e.uuid));
	memcpy(e.label, b->label, sizeof(e.label));
	return e;
}

bool cache_owner_has_left(const struct uuids_repair *m, const struct cache_uuid_entry *e)
{
	for (unsigned k = 0; k < m->opts->nbacking; k++) {
		const struct cache_sb *b = &m->opts->backing[k];

		if (!memcmp(b->uuid, e->uuid, sizeof(e->uuid)) &&
		    b->csum_stored == b->csum_computed)
			return memcmp(b->set_uuid, m->c->set->sb.set_uuid, sizeof(b->set_uuid)) ||
			       cache_sb_bdev_state(b) == CACHE_BDEV_STATE_NONE;
	}
	return false;
}

/*
 * Counts the lost slots whose data device @k could own, with @dirty only dirty data; @last
 * receives one.
 */
static unsigned could_be(const struct uuids_repair *m, unsigned k, bool dirty, uint32_t *last)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < m->u->n; i++) {
		if (!cache_slot_is_lost(m, i) || !m->c->slots[i].extents ||
		    cache_slot_is_assigned(m, i) ||
		    !cache_owner_fits(m, k, i) ||
		    (dirty && !cache_slot_is_needed(m, i)))
			continue;
		*last = i;
		n++;
	}
	return n;
}

static bool is_random(const uint8_t uuid[16])
{
	return uuid[6] >> 4 == 4 && uuid[8] >> 6 == 2;
}

static bool is_one_bit_off(const uint8_t *a, const uint8_t *b)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < 16; i++)
		bits += __builtin_popcount(a[i] ^ b[i]);
	return bits == 1;
}

bool cache_owner_may_be_wrong(const struct uuids_repair *m, uint32_t i)
{
	return cache_uuid_state(&m->u->slot[i]) == CACHE_SLOT_BACKING &&
	       !cache_slot_is_lost(m, i) && !cache_owner_named(m, i);
}

int64_t cache_owner_near(const struct uuids_repair *m, unsigned k)
{
	for (uint32_t i = 0; i < m->u->n; i++)
		if (cache_owner_may_be_wrong(m, i) &&
		    is_one_bit_off(m->u->slot[i].uuid, m->opts->backing[k].uuid))
			return i;
	return -1;
}

/* Whether another dirty device at hand could own the data of lost slot @i. */
static bool is_disputed(const struct uuids_repair *m, unsigned k, uint32_t i)
{
	for (unsigned other = 0; other < m->opts->nbacking; other++)
		if (other != k && cache_owner_is_unknown(m, other) && cache_owner_fits(m, other, i))
			return true;
	return false;
}

static unsigned count_slotless(const struct uuids_repair *m)
{
	unsigned n = 0;

	for (unsigned k = 0; k < m->opts->nbacking; k++)
		n += lacks_slot(m, &m->opts->backing[k]);
	return n;
}

/*
 * The one lost slot with dirty data that device @k can own, if no other device can; else -1. If
 * the device also could own lost clean data, the dirty data might be another device's: so for
 * each slot that it could own a device must be at hand.
 */
static int64_t slot_of(const struct uuids_repair *m, unsigned k)
{
	uint32_t i, any;

	if (!cache_owner_is_unknown(m, k) || could_be(m, k, true, &i) != 1 ||
	    could_be(m, k, false, &any) > count_slotless(m) || is_disputed(m, k, i) ||
	    cache_owner_near(m, k) >= 0)
		return -1;
	return i;
}

bool cache_owner_fill(struct uuids_repair *m)
{
	unsigned holes = 0;

	for (uint32_t i = 0; i < m->u->n; i++)
		holes += cache_slot_is_needed(m, i) && cache_slot_is_empty(&m->u->slot[i]) &&
			 !cache_slot_is_assigned(m, i);
	for (unsigned k = 0; k < m->opts->nbacking; k++) {
		int64_t i = slot_of(m, k);
		struct cache_uuid_entry e;

		if (i < 0)
			continue;
		holes -= cache_slot_is_empty(&m->u->slot[i]);
		if (m->d->scan)
			continue;
		e = cache_owner_entry(&m->opts->backing[k]);
		cache_slot_give(m, i, &e, "no other backing device at hand can own it");
	}
	return !holes;
}

/*
 * Two random uuids do not differ in one bit only. But if any other data has lost its owner, the
 * device may own that, and a uuid that a person chose may be similar to another one.
 */
void cache_owner_correct(struct uuids_repair *m, unsigned k)
{
	const struct cache_sb *b = &m->opts->backing[k];
	int64_t i = cache_owner_near(m, k);
	struct cache_uuid_entry e;
	uint32_t any;

	if (i < 0 || !cache_slot_is_needed(m, i) || !cache_owner_fits(m, k, i) ||
	    could_be(m, k, false, &any) || !is_random(b->uuid) ||
	    memcmp(m->u->slot[i].label, b->label, sizeof(b->label)))
		return;
	e = m->u->slot[i];
	memcpy(e.uuid, b->uuid, sizeof(e.uuid));
	cache_slot_give(m, i, &e, "a backing device at hand whose uuid differs in one bit");
}

bool cache_owner_is_in(const struct uuids_repair *m, const struct cache_uuids *old)
{
	for (unsigned k = 0; k < m->opts->nbacking; k++)
		if (cache_owner_is_attached(m, &m->opts->backing[k]) &&
		    cache_uuid_find(old, m->opts->backing[k].uuid) >= 0)
			return true;
	return false;
}

bool cache_repair_misses_slot(struct fsck_cache *c, const struct cache_repair_opts *opts)
{
	const struct uuids_repair m = { .c = c, .opts = opts, .u = &c->set->uuids };

	for (unsigned k = 0; k < opts->nbacking; k++)
		if (cache_owner_is_unknown(&m, k))
			return true;
	return false;
}
