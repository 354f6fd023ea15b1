// SPDX-License-Identifier: GPL-2.0-only
/* The slots of the uuid table whose owner was found, kept for JSON. */
#include "fsck_show.h"

#include "base/array.h"
#include "host/ids.h"

void fsck_owners_add(struct fsck_owners *o, unsigned dev, const struct cache_repair_slot *slot)
{
	void *p = cache_array_grow(o->list, o->n, &o->capacity, sizeof(*o->list));

	if (!p)
		return;
	o->list = p;
	o->list[o->n++] = (struct fsck_owner){ dev, *slot };
}

void fsck_owners_json(const struct fsck_owners *o, unsigned dev, struct cache_report *out)
{
	static const struct cache_field slot = { "slot", NULL, CACHE_UNIT_COUNT },
		uuid = { "uuid", NULL, CACHE_UNIT_TEXT }, proof = { "proof", NULL, CACHE_UNIT_TEXT };
	char text[CACHE_UUID_TEXT_BYTES];

	cache_report_array(out, "slots");
	for (size_t k = 0; k < o->n; k++) {
		const struct fsck_owner *w = &o->list[k];

		if (w->dev != dev)
			continue;
		cache_report_object(out, NULL);
		cache_report_u64(out, &slot, w->slot.index);
		cache_report_str(out, &uuid, cache_uuid_format(w->slot.uuid, text));
		cache_report_str(out, &proof, w->slot.proof);
		cache_report_end(out);
	}
	cache_report_end(out);
}
