/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of several cache devices that has run, as the driver of about 4.15 leaves one: made in
 * bulk, since no such kernel is to be had. Each member has its ring with the same entries and
 * its prio chain; root, leaves, uuid table and data lie on all of them in turn.
 */
#ifndef TESTS_LIB_MEMBERS_H
#define TESTS_LIB_MEMBERS_H

#include "disk.h"

#define MEMBERS_EXTENT_SECTORS	8u

struct members {
	unsigned n, nleaves, nextents;		/* extents of each leaf */
	struct disk d[CACHE_MAX_CACHES_PER_SET];
	uint64_t next[CACHE_MAX_CACHES_PER_SET];	/* bucket, unused and all after it */
	uint16_t *prio[CACHE_MAX_CACHES_PER_SET];
	uint8_t *gen[CACHE_MAX_CACHES_PER_SET];
	uint64_t chain[CACHE_MAX_CACHES_PER_SET];
	unsigned turn;				/* member that has the next extent */
	struct cache_bkey uuid, root;
};

static inline uint64_t members_take(struct members *m, unsigned i, uint16_t prio)
{
	uint64_t b = m->next[i]++;

	CHECK(b < m->d[i].sb.nbuckets);
	m->prio[i][b] = prio;
	m->gen[i][b] = 1;
	return b;
}

static inline struct cache_bkey members_node(struct members *m, unsigned i, uint64_t inode,
					     uint64_t end)
{
	struct cache_bkey k = node_key(&m->d[i].sb, inode, end,
				       members_take(m, i, CACHE_BTREE_PRIO), 1);

	k.ptr[0] = cache_ptr_make(i, cache_ptr_sector(k.ptr[0]), 1);
	return k;
}

/* The next extent of slot 0, on the next member; @*sector is where it lies. */
static inline struct cache_bkey members_extent(struct members *m, uint64_t start, bool dirty)
{
	unsigned i = m->turn++ % m->n;
	uint64_t b = members_take(m, i, CACHE_INITIAL_PRIO);
	struct cache_bkey k = extent(0, start, start + MEMBERS_EXTENT_SECTORS, dirty,
				     cache_bucket_sector(&m->d[i].sb, b), 1);

	k.ptr[0] = cache_ptr_make(i, cache_ptr_sector(k.ptr[0]), 1);
	return k;
}

static inline void members_begin(struct members *m, unsigned i)
{
	struct cache_sb *sb = &m->d[i].sb;

	sb->flags |= CACHE_SB_SYNC;
	sb->version = CACHE_SB_VERSION_CDEV_WITH_UUID;
	sb->seq++;
	cache_sb_predict_ring(sb);
	m->prio[i] = calloc(sb->nbuckets, sizeof(*m->prio[i]));
	m->gen[i] = calloc(sb->nbuckets, 1);
	m->next[i] = cache_sb_reserved_buckets(sb);
	m->chain[i] = m->next[i];
	for (uint64_t k = 0; k < cache_prio_buckets(sb); k++)
		members_take(m, i, CACHE_BTREE_PRIO);
}

static inline void members_leaf(struct members *m, unsigned leaf, struct cache_bkey *key)
{
	uint64_t span = (uint64_t)m->nextents * MEMBERS_EXTENT_SECTORS, start = 16 + leaf * span;
	struct cache_bkey *k = calloc(m->nextents, sizeof(*k));
	unsigned i = leaf % m->n;
	bool last = leaf == m->nleaves - 1;

	for (unsigned e = 0; e < m->nextents; e++)
		k[e] = members_extent(m, start + e * MEMBERS_EXTENT_SECTORS, e & 1);
	*key = last ? members_node(m, i, CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX)
		    : members_node(m, i, 0, start + span);
	put_bset(&m->d[i], key, 7 + leaf, 0, k, m->nextents);
	free(k);
}

static inline void members_tree(struct members *m)
{
	struct cache_bkey *leaf = calloc(m->nleaves, sizeof(*leaf));

	for (unsigned i = 0; i < m->nleaves; i++)
		members_leaf(m, i, &leaf[i]);
	m->root = members_node(m, 0, CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX);
	put_bset(&m->d[0], &m->root, 5, 0, leaf, m->nleaves);
	free(leaf);
}

/* One slot, a backing device, on the last member. */
static inline void members_uuids(struct members *m)
{
	struct disk *d = &m->d[m->n - 1];
	uint32_t nbytes = cache_meta_bucket_bytes(&d->sb);
	struct cache_uuid_disk *e = cache_dev_buf(nbytes);

	m->uuid = members_node(m, m->n - 1, 0, 0);
	cache_bkey_set_size(&m->uuid, nbytes / CACHE_SECTOR_BYTES);
	disk_uuid(e->uuid, 0x50);
	e->first_reg = e->last_reg = cache_le32_of(1500000000);
	disk_write(d, cache_ptr_sector(m->uuid.ptr[0]), nbytes / CACHE_SECTOR_BYTES, e);
	free(e);
}

/* Entry @seq in ring bucket @index of every member. */
static inline void members_entry(struct members *m, uint64_t seq, uint64_t last_seq,
				 unsigned index, const struct cache_bkey *keys, unsigned n)
{
	const struct jset_spec j = { .seq = seq, .last_seq = last_seq, .uuid_bucket = m->uuid,
				     .btree_root = m->root, .level = 1, .keys = keys,
				     .nkeys = n };

	for (unsigned i = 0; i < m->n; i++) {
		struct cache_jset_disk *b = cache_dev_buf(CACHE_JSET_MAX_BYTES);
		uint32_t size = cache_jset_sectors(&m->d[i].sb, make_jset(&m->d[i].sb, b, &j));

		for (unsigned k = 0; k < m->n; k++)
			b->prio_bucket[k] = cache_le64_of(m->chain[k]);
		b->csum = cache_le64_of(cache_jset_csum(b));
		disk_write(&m->d[i], cache_bucket_sector(&m->d[i].sb,
							 m->d[i].sb.journal_bucket[index]),
			   size, b);
		free(b);
	}
}

static inline void members_prios(struct members *m, unsigned i)
{
	struct disk *d = &m->d[i];
	uint64_t per = cache_prios_per_bucket(&d->sb), n = cache_prio_buckets(&d->sb);

	for (uint64_t k = 0; k < n; k++)
		put_prio_set(d, m->chain[i] + k, 1, k + 1 < n ? m->chain[i] + k + 1 : 0, k * per,
			     m->prio[i], m->gen[i]);
}

/*
 * @m: n, nleaves, nextents, and d[] of formatted devices, members 0 to n - 1 in this order.
 * The tree has nleaves * nextents extents of 8 sectors from sector 16 on, each second one
 * dirty, and two journal entries of three more keys, all dirty, that a start replays.
 */
static inline void members_build(struct members *m)
{
	struct cache_bkey late[3];
	uint64_t end = 16 + (uint64_t)m->nleaves * m->nextents * MEMBERS_EXTENT_SECTORS;

	m->turn = 0;
	for (unsigned i = 0; i < m->n; i++)
		members_begin(m, i);
	members_tree(m);
	members_uuids(m);
	for (unsigned i = 0; i < 3; i++)
		late[i] = members_extent(m, end + i * MEMBERS_EXTENT_SECTORS, true);
	members_entry(m, 41, 41, 1, late, 2);
	members_entry(m, 42, 41, 2, late + 2, 1);
	for (unsigned i = 0; i < m->n; i++) {
		members_prios(m, i);
		disk_put_sb(&m->d[i]);
		free(m->prio[i]);
		free(m->gen[i]);
	}
}

#endif
