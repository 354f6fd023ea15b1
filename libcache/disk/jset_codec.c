// SPDX-License-Identifier: GPL-2.0-only
/* One jset: what makes it valid, and what it contains (format 3.2, 3.4). */
#include "disk/jset_codec.h"
#include "format/members.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/crc64.h"
#include "dev/dev.h"
#include "format/correct.h"

uint64_t cache_jset_csum(const struct cache_jset_disk *d)
{
	return cache_crc64((const char *)d + 8, cache_jset_bytes(d) - 8);
}

bool cache_jset_decode(const struct cache_jset_disk *d, struct cache_jset *jset)
{
	uint32_t version = cache_le32_get(d->version);
	bool ok;

	jset->pos.csum = cache_le64_get(d->csum);
	jset->pos.seq = cache_le64_get(d->seq);
	jset->pos.last_seq = cache_le64_get(d->last_seq);
	jset->pos.nwords = cache_le32_get(d->keys);
	jset->pos.level = cache_le16_get(d->btree_level);
	jset->pos.hidden = false;
	jset->pos.member = 0;
	jset->pos.version = version < UINT16_MAX ? version : UINT16_MAX;
	ok = cache_bkey_decode(d->uuid_bucket, CACHE_BKEY_PADDED_WORDS, &jset->uuid_bucket);
	if (!cache_bkey_decode(d->btree_root, CACHE_BKEY_PADDED_WORDS, &jset->btree_root))
		ok = false;
	for (int i = 0; i < CACHE_MAX_CACHES_PER_SET; i++)
		jset->prio_bucket[i] = cache_le64_get(d->prio_bucket[i]);
	return ok;
}

void cache_jset_encode(const struct cache_jset *jset, uint64_t magic,
		       const cache_le64 *words, void *buf)
{
	struct cache_jset_disk *d = buf;

	d->magic = cache_le64_of(magic ^ CACHE_JSET_MAGIC);
	d->seq = cache_le64_of(jset->pos.seq);
	d->version = cache_le32_of(jset->pos.version);
	d->keys = cache_le32_of(jset->pos.nwords);
	d->last_seq = cache_le64_of(jset->pos.last_seq);
	cache_bkey_encode(&jset->uuid_bucket, d->uuid_bucket);
	cache_bkey_encode(&jset->btree_root, d->btree_root);
	d->btree_level = cache_le16_of(jset->pos.level);
	for (int i = 0; i < CACHE_MAX_CACHES_PER_SET; i++)
		d->prio_bucket[i] = cache_le64_of(jset->prio_bucket[i]);
	memcpy(d + 1, words, 8 * (size_t)jset->pos.nwords);
	d->csum = cache_le64_of(cache_jset_csum(d));
}

/* A ring's buckets follow one another from the first bucket on (rule SB_JOURNAL_ORDER). */
uint64_t cache_jset_bucket(const struct cache_sb *sb, const struct cache_jset_pos *pos)
{
	const struct cache_member_place *p;

	if (!sb->members)
		return sb->journal_bucket[pos->index];
	p = &sb->members->m[pos->member];
	return p->base + p->first_bucket + pos->index;
}

uint64_t cache_jset_sector(const struct cache_sb *sb, const struct cache_jset_pos *pos)
{
	return cache_bucket_sector(sb, cache_jset_bucket(sb, pos)) + pos->offset_sectors;
}

uint32_t cache_jset_sectors(const struct cache_sb *sb, uint32_t nwords)
{
	uint64_t block_bytes = sb->block_sectors * CACHE_SECTOR_BYTES;
	uint64_t nbytes = CACHE_JSET_HEADER_BYTES + 8 * (uint64_t)nwords;

	return cache_div_up(nbytes, block_bytes) * sb->block_sectors;
}

int cache_jset_read(struct cache_dev *dev, const struct cache_sb *sb,
		    const struct cache_jset_pos *pos, struct cache_jset *jset,
		    cache_le64 *words, struct cache_err *err)
{
	uint64_t sector = cache_jset_sector(sb, pos);
	uint32_t nsectors = cache_jset_sectors(sb, pos->nwords);
	struct cache_jset_disk *d = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);
	int ret;

	if (!d)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a journal entry");
	ret = cache_dev_read(dev, sector, nsectors, d, err);
	if (ret)
		goto out;
	if (pos->hidden)	/* its one wrong byte may have been corrected */
		cache_correct_entry(d, CACHE_JSET_HEADER_BYTES, nsectors * CACHE_SECTOR_BYTES, NULL,
				    NULL);
	if (cache_le64_get(d->seq) != pos->seq || cache_le32_get(d->keys) != pos->nwords ||
	    cache_le64_get(d->csum) != cache_jset_csum(d)) {
		ret = cache_err_set(err, -EUCLEAN, sector,
				    "journal entry %" PRIu64 " changed while it was read: is the device in use?",
				    pos->seq);
		goto out;
	}
	if (jset) {
		cache_jset_decode(d, jset);
		jset->pos = *pos;
	}
	memcpy(words, d + 1, 8 * (size_t)pos->nwords);
out:
	free(d);
	return ret;
}
