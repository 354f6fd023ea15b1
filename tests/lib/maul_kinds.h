/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Damage as disks and firmware make it, for maul.h: writes that were lost (a block is as it
 * was at an earlier moment of the same set), that went elsewhere, that are torn inside a
 * block; a ring of another moment or of another set; whole stretches of zeros; a device
 * that became shorter. An earlier moment is another image of the same set, where there is
 * one; else a lost block is taken for never written.
 */
#ifndef TESTS_LIB_MAUL_KINDS_H
#define TESTS_LIB_MAUL_KINDS_H

#define MAUL_MIB_SECTORS	2048

/* The @n sectors at @at as they were, or zeros. */
static inline void maul_read_earlier(struct maul *m, uint64_t at, uint64_t n, void *buf)
{
	memset(buf, 0, n * 512);
	if (m->earlier && at + n <= cache_dev_sectors(m->earlier))
		cache_dev_read(m->earlier, at, n, buf, NULL);
}

/*
 * A block of metadata, @at itself or one after it in its bucket, that has another content
 * than earlier: there a write can have been lost.
 */
static inline uint64_t maul_pick_written(struct maul *m, uint64_t at)
{
	uint64_t block = m->sb.block_sectors, end = at - at % m->sb.bucket_sectors +
						    m->sb.bucket_sectors;
	uint8_t *was = cache_dev_buf(block * 512), *is = cache_dev_buf(block * 512);
	uint64_t first = at;

	for (; at < end; at += block) {
		maul_read_earlier(m, at, block, was);
		cache_dev_read(m->base, at, block, is, NULL);
		if (memcmp(was, is, block * 512))
			break;
	}
	free(was);
	free(is);
	return at < end ? at : first;
}

static inline uint64_t maul_pick_metadata(struct maul *m)
{
	uint64_t per = m->sb.bucket_sectors / m->sb.block_sectors;
	uint64_t b = m->bucket[maul_below(m, m->nbuckets)];

	return cache_bucket_sector(&m->sb, b) +
	       (maul_below(m, 2) ? 0 : maul_below(m, per)) * m->sb.block_sectors;
}

/* As maul_copy(), and not said. */
static inline void maul_copy_quietly(struct maul *m, struct cache_dev *from, uint64_t src,
				     uint64_t dst, uint64_t n)
{
	void *buf = cache_dev_buf(n * 512);

	if (from && src + n <= cache_dev_sectors(from))
		cache_dev_read(from, src, n, buf, NULL);
	if (dst + n <= cache_dev_sectors(m->dev))
		cache_dev_write(m->dev, dst, n, buf, NULL);
	free(buf);
}

static inline void maul_copy(struct maul *m, struct cache_dev *from, uint64_t src, uint64_t dst,
			     uint64_t n)
{
	maul_say(m, dst, n);
	maul_copy_quietly(m, from, src, dst, n);
}

/* A whole write: a block, or the rest of its bucket. */
static inline void maul_lose_write(struct maul *m)
{
	uint64_t at = maul_pick_written(m, maul_pick_metadata(m)), n = m->sb.block_sectors;

	if (!maul_below(m, 4))
		n = m->sb.bucket_sectors - at % m->sb.bucket_sectors;
	maul_copy(m, m->earlier, at, at, n);
}

/* A block that belongs there is written here; there stands what was before. */
static inline void maul_misdirect(struct maul *m)
{
	uint64_t from = maul_pick_written(m, maul_pick_metadata(m)), to = maul_pick_metadata(m);
	uint64_t block = m->sb.block_sectors;

	maul_copy(m, m->base, from, to, block);
	maul_copy(m, m->earlier, from, from, block);
}

/* Some sectors of a block are as before. */
static inline void maul_tear(struct maul *m)
{
	uint64_t at = maul_pick_written(m, maul_pick_metadata(m)), block = m->sb.block_sectors;
	uint64_t n = 8 < block ? block : 8, keep = 1 + maul_below(m, n - 1);

	if (at % m->sb.bucket_sectors + n > m->sb.bucket_sectors)
		n = block;
	if (keep < n)
		maul_copy(m, m->earlier, at + keep, at + keep, n - keep);
}

static inline void maul_swap_halves(struct maul *m)
{
	uint64_t at = maul_pick_metadata(m), half = m->sb.block_sectors / 2;

	half = half ? half : 1;
	if (at % m->sb.bucket_sectors + 2 * half > m->sb.bucket_sectors)
		return;
	maul_copy(m, m->base, at, at + half, half);
	maul_copy(m, m->base, at + half, at, half);
}

/* A set of a node stands in it a second time, over another or behind the end. */
static inline void maul_node_twice(struct maul *m)
{
	const struct maul_node *node = &m->nodes.node[maul_below(m, m->nodes.n)];
	uint64_t block = m->sb.block_sectors, at = cache_ptr_sector(node->ptr);
	uint64_t blocks = cache_btree_node_sectors(&m->sb) / block;
	uint64_t from = maul_below(m, node->used_blocks), to = maul_below(m, blocks);

	maul_copy(m, m->base, at + from * block, at + to * block, block);
}

static inline void maul_ring_bucket(struct maul *m, struct cache_dev *from, uint64_t i)
{
	uint64_t at = cache_bucket_sector(&m->sb, m->sb.journal_bucket[i]);

	maul_copy(m, from, at, at, m->sb.bucket_sectors);
}

static inline void maul_ring(struct maul *m, struct cache_dev *from)
{
	for (uint32_t i = 0; i < m->sb.njournal; i++) {
		uint64_t at = cache_bucket_sector(&m->sb, m->sb.journal_bucket[i]);

		maul_copy_quietly(m, from, at, at, m->sb.bucket_sectors);
	}
}

static inline void maul_ring_firsts(struct maul *m)
{
	for (uint32_t i = 0; i < m->sb.njournal; i++)
		maul_copy_quietly(m, NULL, 0, cache_bucket_sector(&m->sb, m->sb.journal_bucket[i]),
			  m->sb.block_sectors);
}

/* Of a bucket that is there. */
static inline void maul_say_gen(struct maul *m, uint64_t bucket, uint8_t was, uint8_t is)
{
	size_t len = strlen(m->faults);

	if (bucket < m->sb.nbuckets)
		snprintf(m->faults + len, sizeof(m->faults) - len, "[%llu: %u to %u]",
			 (unsigned long long)bucket, was, is);
}

/* Gens are compared in a circle: far ahead of what was freed long ago is before it. */
static inline void maul_note_gen(struct maul *m, uint64_t bucket, uint8_t was, uint8_t is)
{
	if (bucket >= m->sb.nbuckets)
		return;
	if (!cache_gen_after(is, was))
		m->falsified[bucket] = MAUL_LIE;
	else if (cache_gen_after(is, was) >= 64)
		m->falsified[bucket] = MAUL_OLD;
}

/* A gen or some in one prio_set, and its checksum made right. */
static inline void maul_flip_gens(struct maul *m)
{
	uint64_t nbytes = cache_meta_bucket_bytes(&m->sb), n = 1 + maul_below(m, 4);
	uint64_t i = maul_below(m, m->nprios), per = cache_prios_per_bucket(&m->sb);
	struct cache_prio_set_disk *d = cache_dev_buf(nbytes);
	uint64_t at = cache_bucket_sector(&m->sb, m->prio[i]);

	cache_dev_read(m->dev, at, nbytes / 512, d, NULL);
	while (n--) {
		uint64_t k = maul_below(m, per);

		struct cache_bucket_disk *pair = (struct cache_bucket_disk *)(d + 1) + k;
		uint8_t was = pair->gen;

		pair->gen ^= 1u << maul_below(m, 8);
		maul_say_gen(m, i * per + k, was, pair->gen);
		maul_note_gen(m, i * per + k, was, pair->gen);
	}
	d->csum = cache_le64_of(cache_crc64((char *)d + 8, nbytes - 8));
	cache_dev_write(m->dev, at, nbytes / 512, d, NULL);
	free(d);
}

/* The MiB from bucket @b on, but for buckets of data. */
static inline void maul_zero_metadata(struct maul *m, uint64_t b)
{
	uint64_t end = b + (MAUL_MIB_SECTORS + m->sb.bucket_sectors - 1) / m->sb.bucket_sectors;

	maul_say(m, cache_bucket_sector(&m->sb, b), (end - b) * m->sb.bucket_sectors);
	for (; b < end && b < m->sb.nbuckets; b++)
		if (!m->data[b])
			maul_copy_quietly(m, NULL, 0, cache_bucket_sector(&m->sb, b),
					  m->sb.bucket_sectors);
}

static inline void maul_zero_mib(struct maul *m)
{
	uint64_t n = cache_dev_sectors(m->base), at;

	if (m->spare_data) {	/* where the superblock, the ring and the oldest nodes are */
		maul_zero_metadata(m, maul_below(m, 2) ? 0 : m->bucket[maul_below(m, m->nbuckets)]);
		return;
	}
	at = maul_below(m, n / 8) * 8;
	maul_copy(m, NULL, 0, at, n - at < MAUL_MIB_SECTORS ? n - at : MAUL_MIB_SECTORS);
}

/* What the formatter wrote, and nothing since. */
static inline void maul_format_super(struct maul *m)
{
	struct cache_sb_disk *d = cache_dev_buf(CACHE_SB_BYTES);

	cache_dev_read(m->base, CACHE_SB_SECTOR, CACHE_SB_BYTES / 512, d, NULL);
	d->flags = cache_le64_of(cache_le64_get(d->flags) & ~(uint64_t)CACHE_SB_SYNC);
	d->seq = cache_le64_of(0);
	d->last_mount = cache_le32_of(0);
	if (maul_below(m, 2) && cache_le64_get(d->version) == CACHE_SB_VERSION_CDEV_WITH_UUID) {
		d->version = cache_le64_of(0);
		d->keys = cache_le16_of(0);
		memset(d->d, 0, sizeof(d->d));
	}
	d->csum = cache_le64_of(cache_sb_csum(d));
	cache_dev_write(m->dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / 512, d, NULL);
	free(d);
}

/* One bit in one of the first sets of a node: what stands behind it is whole. */
static inline void maul_flip_early(struct maul *m)
{
	const struct maul_node *node = &m->nodes.node[maul_below(m, m->nodes.n)];
	uint64_t block = m->sb.block_sectors, early = node->used_blocks / 2 + 1;
	uint64_t at = cache_ptr_sector(node->ptr) + maul_below(m, early) * block;
	uint8_t *p = cache_dev_buf(block * 512);

	cache_dev_read(m->dev, at, block, p, NULL);
	p[maul_below(m, block * 512)] ^= 1u << maul_below(m, 8);
	cache_dev_write(m->dev, at, block, p, NULL);
	free(p);
}

/* The root, or another interior node; of a tree that is one leaf, nothing. */
static inline void maul_lose_interior(struct maul *m)
{
	const struct maul_node *interior[MAUL_NODES_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < m->nodes.n; i++)
		if (m->nodes.node[i].level)
			interior[n++] = &m->nodes.node[i];
	if (n)
		maul_copy(m, NULL, 0, cache_ptr_sector(interior[maul_below(m, n)]->ptr),
			  m->sb.bucket_sectors);
}

/* Up to a quarter of it is gone. */
static inline void maul_truncate(struct maul *m)
{
	uint64_t n = cache_dev_sectors(m->base);

	m->dev_sectors = n - maul_below(m, n / 4 / 8) * 8 - 8;
}

#endif
