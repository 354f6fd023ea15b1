/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A cache set in memory, made by hand: each structure put where a test wants it,
 * with the uuids of the spec's vectors. And a sink that remembers its findings.
 */
#ifndef TESTS_LIB_DISK_H
#define TESTS_LIB_DISK_H

#include "test.h"

#include "format/bset_codec.h"
#include "disk/jset_codec.h"
#include "base/crc64.h"
#include "set/set.h"

struct disk {
	struct cache_dev *dev;		/* an image loaded from it owns it then */
	struct cache_sb sb;
};

struct findings {
	enum cache_problem code[256];
	unsigned n;
	struct cache_finding last;
};

static inline void findings_report(void *ctx, const struct cache_finding *f)
{
	struct findings *h = ctx;

	if (h->n < 256)
		h->code[h->n++] = f->code;
	h->last = *f;
}

static inline struct cache_sink findings_sink(struct findings *h)
{
	memset(h, 0, sizeof(*h));
	return (struct cache_sink){ findings_report, h };
}

static inline unsigned findings_count(const struct findings *h, enum cache_problem code)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->n; i++)
		n += h->code[i] == code;
	return n;
}

static inline bool findings_damage(const struct findings *h)
{
	for (unsigned i = 0; i < h->n; i++)
		if (cache_problem_info(h->code[i])->severity == CACHE_SEVERITY_CORRUPT)
			return true;
	return false;
}

static inline void disk_uuid(uint8_t *uuid, uint8_t first)
{
	for (int i = 0; i < 16; i++)
		uuid[i] = first + i;
}

static inline struct cache_sb disk_sb(uint64_t nbuckets, uint32_t bucket_sectors,
				      unsigned njournal)
{
	struct cache_sb sb = {
		.offset_sector = CACHE_SB_SECTOR, .version = CACHE_SB_VERSION_CDEV_WITH_UUID,
		.flags = CACHE_SB_SYNC, .seq = 1, .nbuckets = nbuckets, .block_sectors = 8,
		.bucket_sectors = bucket_sectors, .nr_in_set = 1, .njournal = njournal,
		.first_bucket = 23 / bucket_sectors + 1,
	};

	memcpy(sb.magic, cache_sb_magic, 16);
	disk_uuid(sb.uuid, 0x10);
	disk_uuid(sb.set_uuid, 0x20);
	for (unsigned i = 0; i < njournal; i++)
		sb.journal_bucket[i] = sb.first_bucket + i;
	return sb;
}

static inline void disk_write(struct disk *d, uint64_t sector, uint64_t nsectors,
			      const void *buf)
{
	CHECK_EQ(cache_dev_write(d->dev, sector, nsectors, buf, NULL), 0);
}

static inline void disk_put_sb(struct disk *d)
{
	uint8_t *buf = cache_dev_buf(CACHE_SB_BYTES);

	cache_sb_encode(&d->sb, buf);
	disk_write(d, CACHE_SB_SECTOR, 8, buf);
	free(buf);
}

static inline struct disk disk_new(uint64_t nbuckets, uint32_t bucket_sectors,
				   unsigned njournal)
{
	struct disk d = { .sb = disk_sb(nbuckets, bucket_sectors, njournal) };

	CHECK_EQ(cache_dev_mem_new("disk", nbuckets * bucket_sectors, &d.dev, NULL), 0);
	disk_put_sb(&d);
	return d;
}

/* Flips one bit of a byte. */
static inline void disk_flip(struct disk *d, uint64_t sector, unsigned byte)
{
	uint8_t *buf = cache_dev_buf(CACHE_SECTOR_BYTES);

	CHECK_EQ(cache_dev_read(d->dev, sector + byte / 512, 1, buf, NULL), 0);
	buf[byte % 512] ^= 1;
	disk_write(d, sector + byte / 512, 1, buf);
	free(buf);
}

/* More than one byte: the checksum cannot tell what was there. */
static inline void disk_spoil(struct disk *d, uint64_t sector, unsigned byte)
{
	disk_flip(d, sector, byte);
	disk_flip(d, sector, byte % 8 < 4 ? byte + 3 : byte - 3);
}

static inline struct cache_bkey node_key(const struct cache_sb *sb, uint64_t inode,
					 uint64_t end, uint64_t bucket, uint8_t gen)
{
	struct cache_bkey k = cache_bkey_make(inode, end, cache_btree_node_sectors(sb), false);

	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(0, cache_bucket_sector(sb, bucket), gen);
	return k;
}

static inline struct cache_bkey root_key(const struct cache_sb *sb, uint64_t bucket, uint8_t gen)
{
	return node_key(sb, CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX, bucket, gen);
}

/* [start, end) of @inode at @sector of the cache device */
static inline struct cache_bkey extent(uint64_t inode, uint64_t start, uint64_t end, bool dirty,
				       uint64_t sector, uint8_t gen)
{
	struct cache_bkey k = cache_bkey_make(inode, end, end - start, dirty);

	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(0, sector, gen);
	return k;
}

/* A key without pointers: it hides what was there. */
static inline struct cache_bkey hole(uint64_t inode, uint64_t start, uint64_t end)
{
	return cache_bkey_make(inode, end, end - start, false);
}

static inline unsigned put_keys(cache_le64 *words, const struct cache_bkey *keys, unsigned n)
{
	unsigned at = 0;

	for (unsigned i = 0; i < n; i++)
		at += cache_bkey_encode(&keys[i], words + at);
	return at;
}

struct jset_spec {
	uint64_t seq, last_seq;
	struct cache_bkey uuid_bucket, btree_root;
	unsigned level;
	uint64_t prio_bucket;
	const struct cache_bkey *keys;
	unsigned nkeys;
};

/* Encodes an entry; @b has CACHE_JSET_MAX_BYTES of zeros. Returns its key words. */
static inline uint32_t make_jset(const struct cache_sb *sb, struct cache_jset_disk *b,
				 const struct jset_spec *j)
{
	uint32_t nwords = put_keys((cache_le64 *)(b + 1), j->keys, j->nkeys);

	b->magic = cache_le64_of(cache_sb_set_magic(sb) ^ CACHE_JSET_MAGIC);
	b->seq = cache_le64_of(j->seq);
	b->last_seq = cache_le64_of(j->last_seq);
	b->version = cache_le32_of(CACHE_JSET_VERSION);
	put_keys(b->uuid_bucket, &j->uuid_bucket, 1);
	put_keys(b->btree_root, &j->btree_root, 1);
	b->btree_level = cache_le16_of(j->level);
	b->prio_bucket[0] = cache_le64_of(j->prio_bucket);
	b->keys = cache_le32_of(nwords);
	b->csum = cache_le64_of(cache_jset_csum(b));
	return nwords;
}

/* Writes an entry into ring bucket @index and returns the sectors it takes. */
static inline uint32_t put_jset(struct disk *d, unsigned index, uint32_t offset,
				const struct jset_spec *j)
{
	struct cache_jset_disk *b = cache_dev_buf(CACHE_JSET_MAX_BYTES);
	uint32_t n = cache_jset_sectors(&d->sb, make_jset(&d->sb, b, j));

	disk_write(d, cache_bucket_sector(&d->sb, d->sb.journal_bucket[index]) + offset, n, b);
	free(b);
	return n;
}

/* A prio_set: entries of the buckets from @first on, taken from whole-device arrays. */
static inline void put_prio_set(struct disk *d, uint64_t bucket, uint64_t seq, uint64_t next,
				uint64_t first, const uint16_t *prio, const uint8_t *gen)
{
	uint32_t nbytes = cache_meta_bucket_bytes(&d->sb);
	struct cache_prio_set_disk *b = cache_dev_buf(nbytes);
	struct cache_bucket_disk *e = (void *)(b + 1);

	b->magic = cache_le64_of(cache_sb_set_magic(&d->sb) ^ CACHE_PSET_MAGIC);
	b->seq = cache_le64_of(seq);
	b->next_bucket = cache_le64_of(next);
	for (uint64_t i = 0; i < cache_prios_per_bucket(&d->sb) &&
	     first + i < d->sb.nbuckets; i++) {
		e[i].prio = cache_le16_of(prio[first + i]);
		e[i].gen = gen[first + i];
	}
	b->csum = cache_le64_of(cache_crc64((char *)b + 8, nbytes - 8));
	disk_write(d, cache_bucket_sector(&d->sb, bucket), nbytes / CACHE_SECTOR_BYTES, b);
	free(b);
}

/* Encodes a set of a node whose key is @node; returns its length in bytes. */
static inline uint32_t make_bset(const struct cache_sb *sb, struct cache_bset_disk *b,
				 const struct cache_bkey *node, uint64_t seq,
				 const struct cache_bkey *keys, unsigned n)
{
	b->magic = cache_le64_of(cache_sb_set_magic(sb) ^ CACHE_BSET_MAGIC);
	b->seq = cache_le64_of(seq);
	b->version = cache_le32_of(CACHE_BSET_VERSION);
	b->keys = cache_le32_of(put_keys((cache_le64 *)(b + 1), keys, n));
	b->csum = cache_le64_of(cache_bset_csum(b, node->ptr[0]));
	return cache_bset_bytes(b);
}

/* Writes one set at @block of the node; returns the blocks it takes. */
static inline uint32_t put_bset(struct disk *d, const struct cache_bkey *node, uint64_t seq,
				uint32_t block, const struct cache_bkey *keys, unsigned n)
{
	uint32_t bytes = d->sb.block_sectors * CACHE_SECTOR_BYTES;
	/* no more than these keys may take: a node can have 32 MiB, and thousands of sets */
	uint64_t most = sizeof(struct cache_bset_disk) + 8 * (uint64_t)CACHE_BKEY_WORDS_MAX * n;
	struct cache_bset_disk *b = cache_dev_buf((most + bytes - 1) / bytes * bytes);
	uint32_t blocks = (make_bset(&d->sb, b, node, seq, keys, n) + bytes - 1) / bytes;

	disk_write(d, cache_ptr_sector(node->ptr[0]) + block * d->sb.block_sectors,
		   blocks * d->sb.block_sectors, b);
	free(b);
	return blocks;
}

#endif
