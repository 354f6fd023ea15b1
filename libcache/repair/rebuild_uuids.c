// SPDX-License-Identifier: GPL-2.0-only
/* A uuid table into an unused bucket. */
#include "repair/rebuild.h"

#include <errno.h>
#include <string.h>

#include "disk/uuids.h"

/*
 * Encodes @e into @d, which is all zero. Content that no driver writes is left out: the content
 * of free slots, unknown flags. But a slot whose owner is not known must not look like a valid
 * entry.
 */
static void encode_slot(const struct cache_uuid_entry *e, struct cache_uuid_disk *d)
{
	bool overwritten = cache_uuid_is_overwritten(e);

	if (cache_uuid_state(e) == CACHE_SLOT_FREE)
		return;
	memcpy(d->uuid, e->uuid, sizeof(d->uuid));
	memcpy(d->label, e->label, sizeof(d->label));
	d->first_reg = cache_le32_of(e->first_reg);
	d->last_reg = cache_le32_of(e->last_reg);
	d->invalidated = cache_le32_of(e->invalidated);
	d->flags = cache_le32_of(overwritten ? e->flags : e->flags & CACHE_UUID_FLASH_ONLY);
	d->sectors = cache_le64_of(e->sectors);
	if (overwritten)
		memcpy(d->pad, e->reserved, sizeof(d->pad));
}

int cache_rebuild_uuids(struct cache_commit *commit, struct cache_set *set,
			const struct cache_uuids *u, struct cache_err *err)
{
	const struct cache_sb *sb = &set->sb;
	uint32_t nsectors = cache_meta_bucket_bytes(sb) / CACHE_SECTOR_BYTES;
	struct cache_uuid_disk *d = cache_dev_buf(cache_meta_bucket_bytes(sb));
	struct cache_bkey key = cache_bkey_make(0, 0, nsectors, false);
	uint64_t bucket;
	int ret;

	if (!d)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a uuid table");
	for (uint32_t i = 0; i < u->n && i < cache_nr_uuids(sb); i++)
		encode_slot(&u->slot[i], &d[i]);
	ret = cache_commit_pick(commit, 1, &bucket, err);
	if (!ret)
		ret = cache_commit_write(commit, bucket, 0, nsectors, d, err);
	if (!ret) {
		uint8_t gen = cache_bucket_gen(&set->buckets, bucket) + 1;

		cache_bucket_set_gen(&set->buckets, bucket, gen);
		cache_bucket_set_prio(&set->buckets, bucket, CACHE_BTREE_PRIO);
		cache_bkey_set_ptrs(&key, 1);
		key.ptr[0] = cache_ptr_make(sb->nr_this_dev, cache_bucket_sector(sb, bucket),
					    gen);
		cache_commit_set_uuids(commit, &key);
	}
	cache_dev_buf_free(d);
	return ret;
}
