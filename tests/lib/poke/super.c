// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "poke.h"

#define SB cache_sb_disk

static const struct poke_field fields[] = {
	POKE_FIELD(SB, csum),
	POKE_FIELD(SB, offset),
	POKE_FIELD(SB, version),
	POKE_FIELD(SB, magic, .kind = POKE_UUID),
	POKE_FIELD(SB, uuid, .kind = POKE_UUID),
	POKE_FIELD(SB, set_uuid, .kind = POKE_UUID),
	POKE_FIELD(SB, label, .kind = POKE_TEXT),
	POKE_FIELD(SB, flags),
	POKE_BITS(SB, flags, "sync", 0, 1),
	POKE_BITS(SB, flags, "discard", 1, 1),
	POKE_BITS(SB, flags, "replacement", 2, 3, .words = "lru fifo random"),
	POKE_BITS(SB, flags, "mode", 0, 4, .words = "writethrough writeback writearound none"),
	POKE_BITS(SB, flags, "state", 61, 2, .words = "none clean dirty stale"),
	POKE_FIELD(SB, seq),
	POKE_FIELD(SB, feature_compat),
	POKE_FIELD(SB, feature_incompat),
	POKE_FIELD(SB, feature_ro_compat),
	POKE_ARRAY(SB, pad),
	POKE_FIELD(SB, nbuckets),
	POKE_FIELD(SB, data_offset),
	POKE_FIELD(SB, block_size),
	POKE_FIELD(SB, bucket_size),
	POKE_FIELD(SB, nr_in_set),
	POKE_FIELD(SB, nr_this_dev),
	POKE_FIELD(SB, last_mount),
	POKE_FIELD(SB, first_bucket),
	POKE_FIELD(SB, keys),
	POKE_ARRAY(SB, d),
	POKE_FIELD(SB, obso_bucket_size_hi),
};

void poke_super(struct poke *p)
{
	struct cache_sb_disk *d = poke_read(p, CACHE_SB_SECTOR,
					    CACHE_SB_BYTES / CACHE_SECTOR_BYTES);
	bool is_csum = p->nsegs > 1 && !strcmp(p->seg[1].name, "csum");

	poke_set(p, d, fields, sizeof(fields) / sizeof(*fields), 1);
	if (!p->raw && !is_csum)
		d->csum = cache_le64_of(cache_sb_csum(d));
	poke_write(p, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES, d);
	free(d);
}
