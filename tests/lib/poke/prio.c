// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "base/crc64.h"
#include "poke.h"

#define PSET cache_prio_set_disk

static const struct poke_field set_fields[] = {
	POKE_FIELD(PSET, csum),
	POKE_FIELD(PSET, magic),
	POKE_FIELD(PSET, seq),
	POKE_FIELD(PSET, version),
	POKE_FIELD(PSET, next_bucket),
};

static const struct poke_field bucket_fields[] = {
	POKE_FIELD(cache_bucket_disk, prio),
	POKE_FIELD(cache_bucket_disk, gen),
};

/* prio[MEMBER].FIELD or .copy=BUCKET; prio.gen[BUCKET] in whichever member holds it */
void poke_prio(struct poke *p)
{
	const struct cache_sb *sb = &p->set->sb;
	uint32_t nbytes = cache_meta_bucket_bytes(sb);
	uint64_t per = cache_prios_per_bucket(sb), bucket = 0, member, sector;
	bool of_bucket = !p->seg[0].nindex;
	char *area;

	if (p->nsegs != 2 || (of_bucket && !p->seg[1].nindex))
		poke_unknown(p);
	if (of_bucket)
		bucket = poke_index(p, p->seg[1].index[0], sb->nbuckets);
	member = of_bucket ? bucket / per : poke_index(p, p->seg[0].index[0],
						       p->set->prios.nfollowed);
	if (member >= p->set->prios.nfollowed)
		poke_fail("the prio chain is too short");
	sector = cache_bucket_sector(sb, p->set->prios.chain[member]);
	area = poke_read(p, sector, nbytes / CACHE_SECTOR_BYTES);
	p->seg[1].nindex = 0;
	if (!of_bucket && !strcmp(p->seg[1].name, "copy"))
		sector = cache_bucket_sector(sb, poke_index(p, p->value, sb->nbuckets));
	else if (of_bucket)
		poke_set(p, (struct cache_bucket_disk *)(area + CACHE_PRIO_SET_HEADER_BYTES) +
			 bucket % per, bucket_fields, 2, 1);
	else
		poke_set(p, area, set_fields, sizeof(set_fields) / sizeof(*set_fields), 1);
	if (!p->raw && strcmp(p->seg[1].name, "csum"))
		((struct PSET *)area)->csum = cache_le64_of(cache_crc64(area + 8, nbytes - 8));
	poke_write(p, sector, nbytes / CACHE_SECTOR_BYTES, area);
	free(area);
}
