// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversion of the superblock between its bytes and struct cache_sb, and the sizes that follow
 * from it.
 */
#include "base/checked.h"

#include <string.h>

#include "base/crc64.h"
#include "format/super.h"

/* Buffers of contiguous memory end at 4 MiB on x86-64 (format 0.2). */
#define MAX_META_PAGES		1024u
#define MAX_NODE_PAGES		(256u * 1024 / CACHE_PAGE_BYTES)
/* The formatter counts the superblock area generously (format 1.5). */
#define LAST_SB_SECTOR		23

const uint8_t cache_sb_magic[16] = {
	0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca,
	0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81
};

bool cache_sb_has_magic(const struct cache_sb *sb)
{
	return !memcmp(sb->magic, cache_sb_magic, sizeof(cache_sb_magic));
}

uint64_t cache_sb_csum(const void *buf)
{
	const struct cache_sb_disk *d = buf;
	uint64_t keys = cache_le16_get(d->keys);
	uint64_t end = offsetof(struct cache_sb_disk, d) +
		       8 * cache_min_u64(keys, CACHE_SB_JOURNAL_BUCKETS);

	return cache_crc64((const char *)buf + 8, end - 8);
}

/* format 1.3: the 16-bit field alone, an exponent, or a low half */
static uint64_t decode_bucket_size(const struct cache_sb *sb, uint16_t hi)
{
	if (sb->version < CACHE_SB_VERSION_CDEV_WITH_FEATURES || cache_sb_is_bdev(sb))
		return sb->bucket_field;
	if (sb->feature_incompat & CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET)
		return sb->bucket_field < 32 ? UINT64_C(1) << sb->bucket_field : 0;
	if (sb->feature_incompat & CACHE_FEATURE_INCOMPAT_OBSO_LARGE_BUCKET)
		return sb->bucket_field | (uint64_t)hi << 16;
	return sb->bucket_field;
}

void cache_sb_decode(const void *buf, struct cache_sb *sb)
{
	const struct cache_sb_disk *d = buf;

	memset(sb, 0, sizeof(*sb));
	sb->csum_stored = cache_le64_get(d->csum);
	sb->csum_computed = cache_sb_csum(buf);
	sb->offset_sector = cache_le64_get(d->offset);
	sb->version = cache_le64_get(d->version);
	memcpy(sb->magic, d->magic, sizeof(sb->magic));
	memcpy(sb->uuid, d->uuid, sizeof(sb->uuid));
	memcpy(sb->set_uuid, d->set_uuid, sizeof(sb->set_uuid));
	memcpy(sb->label, d->label, sizeof(d->label));
	sb->flags = cache_le64_get(d->flags);
	sb->seq = cache_le64_get(d->seq);
	sb->feature_compat = cache_le64_get(d->feature_compat);
	sb->feature_incompat = cache_le64_get(d->feature_incompat);
	sb->feature_ro_compat = cache_le64_get(d->feature_ro_compat);
	for (int i = 0; i < 5; i++)
		sb->pad[i] = cache_le64_get(d->pad[i]);
	if (sb->version == CACHE_SB_VERSION_BDEV)
		sb->data_offset_sectors = CACHE_BDEV_DATA_START_SECTORS;
	else if (cache_sb_is_bdev(sb))
		sb->data_offset_sectors = cache_le64_get(d->data_offset);
	else
		sb->nbuckets = cache_le64_get(d->nbuckets);
	sb->block_sectors = cache_le16_get(d->block_size);
	sb->bucket_field = cache_le16_get(d->bucket_size);
	sb->bucket_sectors = decode_bucket_size(sb, cache_le16_get(d->obso_bucket_size_hi));
	sb->nr_in_set = cache_le16_get(d->nr_in_set);
	sb->nr_this_dev = cache_le16_get(d->nr_this_dev);
	sb->last_mount = cache_le32_get(d->last_mount);
	sb->first_bucket = cache_le16_get(d->first_bucket);
	sb->njournal = cache_le16_get(d->keys);
	for (int i = 0; i < CACHE_SB_JOURNAL_BUCKETS; i++)
		sb->journal_bucket[i] = cache_le64_get(d->d[i]);
}

static void encode_bucket_size(const struct cache_sb *sb, struct cache_sb_disk *d)
{
	uint16_t field = sb->bucket_sectors;

	if (cache_sb_is_bdev(sb) || sb->version < CACHE_SB_VERSION_CDEV_WITH_FEATURES)
		field = sb->bucket_field ? sb->bucket_field : field;
	else if (sb->feature_incompat & CACHE_FEATURE_INCOMPAT_LOG_LARGE_BUCKET)
		field = sb->bucket_sectors ? __builtin_ctzll(sb->bucket_sectors) : 0;
	else if (sb->feature_incompat & CACHE_FEATURE_INCOMPAT_OBSO_LARGE_BUCKET)
		d->obso_bucket_size_hi = cache_le16_of(sb->bucket_sectors >> 16);
	d->bucket_size = cache_le16_of(field);
}

void cache_sb_encode(const struct cache_sb *sb, void *buf)
{
	struct cache_sb_disk *d = buf;

	d->offset = cache_le64_of(sb->offset_sector);
	d->version = cache_le64_of(sb->version);
	memcpy(d->magic, sb->magic, sizeof(d->magic));
	memcpy(d->uuid, sb->uuid, sizeof(d->uuid));
	memcpy(d->set_uuid, sb->set_uuid, sizeof(d->set_uuid));
	memcpy(d->label, sb->label, sizeof(d->label));
	d->flags = cache_le64_of(sb->flags);
	d->seq = cache_le64_of(sb->seq);
	d->feature_compat = cache_le64_of(sb->feature_compat);
	d->feature_incompat = cache_le64_of(sb->feature_incompat);
	d->feature_ro_compat = cache_le64_of(sb->feature_ro_compat);
	for (int i = 0; i < 5; i++)
		d->pad[i] = cache_le64_of(sb->pad[i]);
	if (!cache_sb_is_bdev(sb))
		d->nbuckets = cache_le64_of(sb->nbuckets);
	else if (sb->version != CACHE_SB_VERSION_BDEV)
		d->data_offset = cache_le64_of(sb->data_offset_sectors);
	d->block_size = cache_le16_of(sb->block_sectors);
	encode_bucket_size(sb, d);
	d->nr_in_set = cache_le16_of(sb->nr_in_set);
	d->nr_this_dev = cache_le16_of(sb->nr_this_dev);
	d->last_mount = cache_le32_of(sb->last_mount);
	d->first_bucket = cache_le16_of(sb->first_bucket);
	d->keys = cache_le16_of(sb->njournal);
	for (int i = 0; i < CACHE_SB_JOURNAL_BUCKETS; i++)
		d->d[i] = cache_le64_of(sb->journal_bucket[i]);
	d->csum = cache_le64_of(cache_sb_csum(buf));
}

uint64_t cache_sb_set_magic(const struct cache_sb *sb)
{
	cache_le64 v;

	memcpy(&v, sb->set_uuid, sizeof(v));
	return cache_le64_get(v);
}

static uint32_t meta_bucket_pages(const struct cache_sb *sb)
{
	return cache_min_u64(sb->bucket_sectors / CACHE_PAGE_SECTORS, MAX_META_PAGES);
}

uint32_t cache_meta_bucket_bytes(const struct cache_sb *sb)
{
	return meta_bucket_pages(sb) * CACHE_PAGE_BYTES;
}

uint64_t cache_prios_per_bucket(const struct cache_sb *sb)
{
	return (cache_meta_bucket_bytes(sb) - CACHE_PRIO_SET_HEADER_BYTES) /
	       sizeof(struct cache_bucket_disk);
}

uint64_t cache_prio_buckets(const struct cache_sb *sb)
{
	return cache_div_up(sb->nbuckets, cache_prios_per_bucket(sb));
}

uint32_t cache_nr_uuids(const struct cache_sb *sb)
{
	return cache_meta_bucket_bytes(sb) / sizeof(struct cache_uuid_disk);
}

uint32_t cache_btree_node_sectors(const struct cache_sb *sb)
{
	uint32_t pages = meta_bucket_pages(sb);

	if (pages > MAX_NODE_PAGES)
		pages = cache_max_u64(pages / 4, MAX_NODE_PAGES);
	return pages * CACHE_PAGE_SECTORS;
}

uint16_t cache_first_bucket_for(uint64_t bucket_sectors)
{
	return LAST_SB_SECTOR / bucket_sectors + 1;
}

uint16_t cache_njournal_for(uint64_t nbuckets)
{
	return cache_max_u64(2, cache_min_u64(nbuckets >> 7, CACHE_SB_JOURNAL_BUCKETS));
}

void cache_sb_predict_ring(struct cache_sb *sb)
{
	sb->njournal = cache_njournal_for(sb->nbuckets);
	for (unsigned i = 0; i < sb->njournal; i++)
		sb->journal_bucket[i] = sb->first_bucket + i;
}
