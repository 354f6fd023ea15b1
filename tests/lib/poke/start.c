// SPDX-License-Identifier: GPL-2.0-only
/*
 * start=N: a formatted cache device becomes one that has run once, as the driver's
 * first start leaves it (format 8), with a ring of N buckets, or as many as the
 * driver makes when N is 0. So a test can have any geometry without a kernel.
 */
#include <stdlib.h>
#include <string.h>

#include "format/bset_codec.h"
#include "disk/jset_codec.h"
#include "base/crc64.h"
#include "poke.h"

#define ROOT_SEQ UINT64_C(0x656b6f70)

struct plan {
	struct cache_sb sb;
	uint64_t prio_bucket, nprio, uuid_bucket, root_bucket;
	struct cache_bkey uuid, root;
};

static struct cache_bkey key_to(const struct cache_sb *sb, uint64_t inode, uint64_t offset,
				uint64_t bucket, uint64_t nsectors)
{
	struct cache_bkey k = cache_bkey_make(inode, offset, nsectors, false);

	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(sb->nr_this_dev, cache_bucket_sector(sb, bucket), 1);
	return k;
}

static struct plan make_plan(const struct poke *p)
{
	struct plan a = { .sb = p->set->sb };
	struct cache_sb *sb = &a.sb;

	sb->njournal = poke_number(p, p->value, 0);
	if (!sb->njournal)
		sb->njournal = cache_njournal_for(sb->nbuckets);
	if (sb->njournal > CACHE_SB_JOURNAL_BUCKETS)
		poke_fail("a ring has at most %d buckets", CACHE_SB_JOURNAL_BUCKETS);
	for (unsigned i = 0; i < sb->njournal; i++)
		sb->journal_bucket[i] = sb->first_bucket + i;
	if (sb->version < CACHE_SB_VERSION_CDEV_WITH_UUID)
		sb->version = CACHE_SB_VERSION_CDEV_WITH_UUID;
	sb->flags |= CACHE_SB_SYNC;
	sb->seq++;
	a.nprio = cache_prio_buckets(sb);
	a.prio_bucket = cache_sb_reserved_buckets(sb);
	a.uuid_bucket = a.prio_bucket + a.nprio;
	a.root_bucket = a.uuid_bucket + 1;
	a.uuid = key_to(sb, 0, 0, a.uuid_bucket, cache_meta_bucket_bytes(sb) / CACHE_SECTOR_BYTES);
	a.root = key_to(sb, CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX, a.root_bucket,
			cache_btree_node_sectors(sb));
	return a;
}

static void *area(uint64_t nbytes)
{
	void *buf = cache_dev_buf(nbytes);

	if (!buf)
		poke_fail("no memory");
	return buf;
}

/* Member @i of the chain: gen 1 for each bucket that is in use. */
static void write_prio(const struct poke *p, const struct plan *a, uint64_t i)
{
	uint32_t nbytes = cache_meta_bucket_bytes(&a->sb);
	uint64_t per = cache_prios_per_bucket(&a->sb);
	struct cache_prio_set_disk *d = area(nbytes);
	struct cache_bucket_disk *e = (void *)(d + 1);

	for (uint64_t b = a->prio_bucket; b <= a->root_bucket; b++)
		if (b / per == i)
			e[b % per] = (struct cache_bucket_disk){ cache_le16_of(65535), 1 };
	d->magic = cache_le64_of(cache_sb_set_magic(&a->sb) ^ CACHE_PSET_MAGIC);
	d->seq = cache_le64_of(1);
	d->next_bucket = cache_le64_of(i + 1 < a->nprio ? a->prio_bucket + i + 1 : 0);
	d->csum = cache_le64_of(cache_crc64((char *)d + 8, nbytes - 8));
	poke_write(p, cache_bucket_sector(&a->sb, a->prio_bucket + i),
		   nbytes / CACHE_SECTOR_BYTES, d);
	free(d);
}

static void write_root(const struct poke *p, const struct plan *a)
{
	uint64_t nsectors = cache_key_size(&a->root);
	struct cache_bset_disk *d = area(nsectors * CACHE_SECTOR_BYTES);

	d->magic = cache_le64_of(cache_sb_set_magic(&a->sb) ^ CACHE_BSET_MAGIC);
	d->seq = cache_le64_of(ROOT_SEQ);
	d->version = cache_le32_of(CACHE_BSET_VERSION);
	d->csum = cache_le64_of(cache_bset_csum(d, a->root.ptr[0]));
	poke_write(p, cache_ptr_sector(a->root.ptr[0]), nsectors, d);
	free(d);
}

/* The first entry lies at index 1: the driver goes on by one before it writes. */
static void write_entry(const struct poke *p, const struct plan *a)
{
	struct cache_jset_pos pos = { .index = 1 % a->sb.njournal };
	uint32_t nsectors = cache_jset_sectors(&a->sb, 0);
	struct cache_jset_disk *d = area(nsectors * CACHE_SECTOR_BYTES);

	d->magic = cache_le64_of(cache_sb_set_magic(&a->sb) ^ CACHE_JSET_MAGIC);
	d->seq = d->last_seq = cache_le64_of(1);
	d->version = cache_le32_of(CACHE_JSET_VERSION);
	cache_bkey_encode(&a->uuid, d->uuid_bucket);
	cache_bkey_encode(&a->root, d->btree_root);
	d->prio_bucket[a->sb.nr_this_dev] = cache_le64_of(a->prio_bucket);
	d->csum = cache_le64_of(cache_jset_csum(d));
	poke_write(p, cache_jset_sector(&a->sb, &pos), nsectors, d);
	free(d);
}

void poke_start(struct poke *p)
{
	struct plan a;
	void *sb;

	if (!p->set->sb.bucket_sectors || !p->set->sb.nbuckets)
		poke_fail("no formatted cache device");
	a = make_plan(p);
	sb = poke_read(p, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES);

	for (uint64_t i = 0; i < a.nprio; i++)
		write_prio(p, &a, i);
	poke_zero(p, cache_ptr_sector(a.uuid.ptr[0]), cache_key_size(&a.uuid));
	write_root(p, &a);
	write_entry(p, &a);
	cache_sb_encode(&a.sb, sb);
	poke_write(p, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES, sb);
	free(sb);
}
