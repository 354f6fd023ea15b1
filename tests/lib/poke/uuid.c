// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "poke.h"

#define UUID cache_uuid_disk

static const struct poke_field fields[] = {
	POKE_FIELD(UUID, uuid, .kind = POKE_UUID),
	POKE_FIELD(UUID, label, .kind = POKE_TEXT),
	POKE_FIELD(UUID, first_reg),
	POKE_FIELD(UUID, last_reg),
	POKE_FIELD(UUID, invalidated),
	POKE_FIELD(UUID, flags),
	POKE_BITS(UUID, flags, "flash", 0, 1),
	POKE_FIELD(UUID, sectors),
	POKE_ARRAY(UUID, pad),
};

static void fill(const struct poke *p, uint8_t *table, uint32_t nbytes)
{
	memset(table, 0, nbytes);
	if (!strcmp(p->value, "zero"))
		return;
	if (strcmp(p->value, "garbage"))
		poke_fail("a table can be made zero or garbage");
	for (uint32_t i = 0; i < nbytes; i++)
		table[i] = 37 * i + 11;
}

/* uuid[SLOT].FIELD, uuid[SLOT].copy=FROM or uuid.table=zero|garbage; it has no checksum */
void poke_uuid(struct poke *p)
{
	const struct cache_bkey *key = &p->set->journal.newest.uuid_bucket;
	uint32_t nbytes = cache_meta_bucket_bytes(&p->set->sb);
	uint32_t nslots = cache_nr_uuids(&p->set->sb);
	uint64_t sector = cache_ptr_sector(key->ptr[0]);
	struct UUID *table = poke_read(p, sector, nbytes / CACHE_SECTOR_BYTES);

	if (p->nsegs == 2 && p->seg[0].nindex) {
		struct UUID *slot = table + poke_index(p, p->seg[0].index[0], nslots);

		if (!strcmp(p->seg[1].name, "copy"))
			*slot = table[poke_index(p, p->value, nslots)];
		else
			poke_set(p, slot, fields, sizeof(fields) / sizeof(*fields), 1);
	} else if (p->nsegs == 2 && !strcmp(p->seg[1].name, "table")) {
		fill(p, (void *)table, nbytes);
	} else {
		poke_unknown(p);
	}
	poke_write(p, sector, nbytes / CACHE_SECTOR_BYTES, table);
	free(table);
}
