/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random damage to a set that a kernel wrote: blocks zeroed, flipped, swapped, copied
 * from elsewhere, taken back to what they were before; fields changed under a right
 * checksum; whole buckets. The same seed does the same.
 *
 * Some damage nobody can tell from a healthy set: a checksum made right over a changed
 * key, the last set of a leaf or the newest journal entry gone as if never written, one
 * set of a node in the place of another, the oldest ring bucket of a set that discards
 * empty as if given back. What such a lie can spoil is noted as a range; all else must be
 * seen and named.
 */
#ifndef TESTS_LIB_MAUL_H
#define TESTS_LIB_MAUL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"

#include "base/crc64.h"
#include "base/rng.h"
#include "dev/dev_ops.h"
#include "disk/jset_codec.h"
#include "format/bset_codec.h"
#include "set/set.h"

#define MAUL_METADATA_MAX	4096
#define MAUL_NODES_MAX		4096
#define MAUL_LIES_MAX		64
#define MAUL_PRIOS_MAX		256
#define MAUL_SECTORS		8

/* Positions after (lo_inode, lo) up to (hi_inode, hi). */
struct maul_range {
	uint64_t lo_inode, lo, hi_inode, hi;
	bool forged;	/* what was never written verifies; else the newest is lost without trace */
};

enum maul_kind {
	MAUL_ZERO, MAUL_FLIP, MAUL_RANDOM, MAUL_COPY, MAUL_BLOCK_CSUM, MAUL_SWAP, MAUL_BUCKET,
	MAUL_NODE_CSUM, MAUL_TAKEN_BACK, MAUL_LOST, MAUL_MISDIRECTED, MAUL_TORN, MAUL_HALVES,
	MAUL_NODE_TWICE, MAUL_RING_BUCKET, MAUL_RING, MAUL_RING_FOREIGN, MAUL_RING_FIRST,
	MAUL_GENS, MAUL_MIB, MAUL_SB_FORMATTED, MAUL_BIT_EARLY, MAUL_TRUNCATED,
	MAUL_INTERIOR, MAUL_KINDS
};

static const char *const maul_names[MAUL_KINDS] = {
	"zero", "flip", "random", "copy", "block-csum", "swap", "bucket", "node-csum",
	"taken-back", "lost-write", "misdirected", "torn", "halves-swapped", "node-twice",
	"ring-bucket-earlier", "ring-earlier", "ring-foreign", "ring-firsts", "gens",
	"zero-mib", "sb-formatted", "bit-early", "truncated", "interior-lost" };

#define MAUL_ALL	((UINT32_C(1) << MAUL_KINDS) - 1)

#define MAUL_LIE	1	/* what the bucket holds, or held, may be another's */
#define MAUL_OLD	2	/* what was freed long ago may seem current */

/* Whether nobody can tell that @p is wrong; @falsified: of the set of @sb. */
static inline bool maul_is_falsified(const uint8_t *falsified, const struct cache_sb *sb,
				     const struct answers_piece *p)
{
	uint64_t was = p->was ? p->was->place / sb->bucket_sectors : UINT64_MAX;
	uint64_t now = p->now ? p->now->place / sb->bucket_sectors : UINT64_MAX;

	return (was < sb->nbuckets && falsified[was] == MAUL_LIE) ||
	       (now < sb->nbuckets && falsified[now]);
}

struct maul_node {
	struct maul_range range;
	uint64_t bucket, ptr;
	uint64_t sum;		/* of what its sets say, and where */
	uint32_t nsets, used_blocks;
	unsigned level;
	bool damaged;
};

struct maul_nodes {
	struct maul_node node[MAUL_NODES_MAX];
	unsigned n;
	uint64_t seq;		/* of the newest journal entry */
};

struct maul {
	struct cache_dev *base, *dev;	/* as it was; what is hit: the caller's */
	struct cache_dev *earlier;	/* the same set before that; may be NULL */
	struct cache_dev *foreign;	/* another set; may be NULL */
	uint32_t kinds;			/* one bit per kind that is taken */
	struct cache_sb sb;
	struct cache_rng rng;
	struct cache_jset_pos newest;
	uint64_t oldest_bucket;		/* where its replay begins */
	uint64_t table;			/* the uuid table's first sector */
	uint64_t bucket[MAUL_METADATA_MAX];	/* superblock, ring, prios, uuids, nodes */
	unsigned nbuckets;
	uint64_t prio[MAUL_PRIOS_MAX];	/* the prio_sets' buckets */
	unsigned nprios;
	uint8_t *data;		/* a bucket: data lies there */
	uint8_t *falsified;		/* a bucket: what is said of it may be a lie; see MAUL_OLD */
	bool spare_data;	/* only metadata and what is unused is hit */
	struct maul_nodes nodes;
	/* of one run */
	char faults[512];
	uint64_t dev_sectors;	/* how long the device is now */
	struct maul_range lie[MAUL_LIES_MAX];
	unsigned nlies;
};

static const struct maul_range maul_all = { 0, 0, UINT64_MAX, UINT64_MAX, false };

static inline bool maul_covers(const struct maul_range *r, uint64_t inode, uint64_t start,
			       uint64_t end)
{
	return cache_pos_cmp(inode, start, r->lo_inode, r->lo) >= 0 &&
	       cache_pos_cmp(inode, end, r->hi_inode, r->hi) <= 0;
}

static inline uint64_t maul_below(struct maul *m, uint64_t n)
{
	return cache_rng_below(&m->rng, n);
}

static inline struct cache_set *maul_load(struct cache_dev *dev)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_set *set = NULL;

	return cache_set_load(dev, CACHE_LOAD_MARKS, &silent, &set, NULL) ? NULL : set;
}

static inline uint64_t maul_mix(uint64_t sum, uint64_t v)
{
	sum = (sum ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return sum ^ sum >> 29;
}

/* Of its first @nsets sets. */
static inline uint64_t maul_sum(const struct cache_btree_node *n, uint32_t nsets)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n->nsets && i < nsets; i++) {
		sum = maul_mix(maul_mix(sum, n->sets[i].block), n->sets[i].nwords);
		for (uint32_t w = 0; w < n->sets[i].nwords; w++)
			sum = maul_mix(sum, cache_le64_get(n->sets[i].words[w]));
	}
	return sum;
}

static inline int maul_see_node(void *ctx, const struct cache_btree_node *n)
{
	struct maul_nodes *s = ctx;

	if (s->n == MAUL_NODES_MAX)
		return 0;
	s->node[s->n++] = (struct maul_node){
		{ n->lo_inode, n->lo_offset, cache_key_inode(&n->key), n->key.low, false },
		n->bucket, n->key.ptr[0], maul_sum(n, n->nsets), n->nsets, n->used_blocks,
		n->level, n->damaged };
	return 0;
}

static inline void maul_see_nodes(struct cache_set *set, struct maul_nodes *s)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };

	s->n = 0;
	s->seq = set->has_journal ? set->journal.newest.pos.seq : 0;
	if (set->loaded == CACHE_LOAD_MARKS)
		cache_set_each_node(set, maul_see_node, s, &silent, NULL);
}

/* What there is to hit on @dev, which is not damaged yet. */
static inline bool maul_learn(struct maul *m, struct cache_dev *dev)
{
	struct cache_set *set = maul_load(dev);

	if (!set || set->loaded != CACHE_LOAD_MARKS) {
		cache_set_close(set);
		return false;
	}
	m->sb = set->sb;
	m->newest = set->journal.newest.pos;
	m->oldest_bucket = m->sb.journal_bucket[set->journal.nreplay ?
						set->journal.replay[0]->index : m->newest.index];
	m->table = cache_ptr_sector(set->journal.newest.uuid_bucket.ptr[0]);
	m->base = dev;
	for (; m->nprios < set->prios.nfollowed && m->nprios < MAUL_PRIOS_MAX; m->nprios++)
		m->prio[m->nprios] = set->prios.chain[m->nprios];
	m->kinds = MAUL_ALL;
	m->data = calloc(m->sb.nbuckets, 1);
	m->falsified = calloc(m->sb.nbuckets, 1);
	for (uint64_t b = 0; b < set->sb.nbuckets; b++) {
		enum cache_role role = cache_set_role(set, b);

		m->data[b] = role == CACHE_ROLE_CLEAN || role == CACHE_ROLE_DIRTY;
		if (!m->data[b] && role != CACHE_ROLE_FREE && m->nbuckets < MAUL_METADATA_MAX)
			m->bucket[m->nbuckets++] = b;
	}
	maul_see_nodes(set, &m->nodes);
	cache_set_close(set);
	return true;
}

/* Mostly metadata, and there mostly its beginning, or slots in use; else anywhere. */
static inline uint64_t maul_pick(struct maul *m)
{
	uint64_t block = m->sb.block_sectors, per = m->sb.bucket_sectors / block;
	uint64_t b = maul_below(m, m->sb.nbuckets);

	if (!maul_below(m, 10))
		return CACHE_SB_SECTOR;
	if (!maul_below(m, 20))
		return m->table;
	if (maul_below(m, 5) || (m->spare_data && m->data[b]))
		b = m->bucket[maul_below(m, m->nbuckets)];
	return cache_bucket_sector(&m->sb, b) +
	       (maul_below(m, 2) ? 0 : maul_below(m, per)) * block;
}

static inline void maul_flip(struct maul *m, void *p, uint64_t nbytes)
{
	uint64_t at = maul_below(m, maul_below(m, 2) && nbytes > 300 ? 300 : nbytes);

	((uint8_t *)p)[at] ^= 1u << maul_below(m, 8);
}

static inline void maul_lie(struct maul *m, struct maul_range r)
{
	if (m->nlies < MAUL_LIES_MAX)
		m->lie[m->nlies++] = r;
	else
		m->lie[0] = maul_all;
}

/* The node as @dev has it, in a buffer to be freed. */
static inline void *maul_parse(struct maul *m, struct cache_dev *dev,
			       const struct maul_node *node, struct cache_btree_node *n)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	uint32_t nsectors = cache_btree_node_sectors(&m->sb);
	void *buf = cache_dev_buf(nsectors * 512ull);

	*n = (struct cache_btree_node){ .bucket = node->bucket };
	n->key = cache_bkey_make(CACHE_KEY_INODE_MAX, CACHE_KEY_OFFSET_MAX, nsectors, false);
	cache_bkey_set_ptrs(&n->key, 1);
	n->key.ptr[0] = node->ptr;
	cache_dev_read(dev, cache_ptr_sector(node->ptr), nsectors, buf, NULL);
	cache_btree_node_parse(&m->sb, buf, n, &silent, NULL);
	return buf;
}

static inline uint64_t maul_prefix_sum(struct maul *m, const struct maul_node *node,
				       uint32_t nsets)
{
	struct cache_btree_node n;
	void *buf = maul_parse(m, m->base, node, &n);
	uint64_t sum = maul_sum(&n, nsets);

	cache_btree_node_fini(&n);
	free(buf);
	return sum;
}

/* A key raises the gen of its bucket: a lie about it reaches whatever points there. */
static inline void maul_lie_about_keys(struct maul *m, struct cache_dev *dev,
				       const struct maul_node *node)
{
	struct cache_btree_node n;
	void *buf = maul_parse(m, dev, node, &n);

	for (uint32_t i = 0; i < n.nsets; i++)
		for (uint32_t at = 0; at < n.sets[i].nwords;) {
			struct cache_bkey k;
			unsigned len = cache_bkey_decode(n.sets[i].words + at,
							 n.sets[i].nwords - at, &k);
			uint64_t bucket = len && cache_key_ptrs(&k) ?
					  cache_ptr_bucket(&m->sb, &k, 0) : UINT64_MAX;

			if (bucket < m->sb.nbuckets)
				m->falsified[bucket] = MAUL_LIE;
			at = len ? at + len : UINT32_MAX;
		}
	cache_btree_node_fini(&n);
	free(buf);
}

static inline void maul_lie_about_node(struct maul *m, const struct maul_node *n)
{
	struct maul_range range = n->range;

	range.forged = true;
	maul_lie(m, range);
	maul_lie_about_keys(m, m->base, n);
	maul_lie_about_keys(m, m->dev, n);
}

/* One bit of one set of a node, and its checksum made right again. */
static inline void maul_csum_node(struct maul *m, const struct maul_node *n)
{
	uint32_t nsectors = cache_btree_node_sectors(&m->sb);
	uint64_t at = cache_ptr_sector(n->ptr), capacity = nsectors * 512ull;
	uint32_t block_bytes = m->sb.block_sectors * 512;
	uint8_t *buf = cache_dev_buf(capacity);
	uint64_t which = maul_below(m, n->nsets ? n->nsets : 1), off = 0;
	struct cache_bset_disk *d;

	cache_dev_read(m->dev, at, nsectors, buf, NULL);
	for (d = (void *)buf; which-- && off < capacity; d = (void *)(buf + off))
		off += (cache_bset_bytes(d) + block_bytes - 1) / block_bytes * block_bytes;
	if (off < capacity && cache_bset_bytes(d) <= capacity - off) {
		maul_flip(m, d, cache_bset_bytes(d));
		if (cache_bset_bytes(d) <= capacity - off)
			d->csum = cache_le64_of(cache_bset_csum(d, n->ptr));
		cache_dev_write(m->dev, at, nsectors, buf, NULL);
		maul_lie_about_node(m, n);
	}
	free(buf);
}

/* The checksum of a superblock or a journal entry follows the change. */
static inline void maul_csum_block(struct maul *m, uint8_t *p, uint64_t sector, uint64_t n)
{
	struct cache_sb_disk *sb = (void *)p;
	struct cache_jset_disk *j = (void *)p;
	uint64_t magic = cache_sb_set_magic(&m->sb) ^ CACHE_JSET_MAGIC;
	bool is_jset = cache_le64_get(j->magic) == magic && cache_jset_bytes(j) <= n * 512;

	uint8_t set_uuid[16];

	memcpy(set_uuid, sb->set_uuid, sizeof(set_uuid));
	maul_flip(m, p, is_jset ? cache_jset_bytes(j) : n * 512);
	if (sector == CACHE_SB_SECTOR && !memcmp(sb->magic, cache_sb_magic, 16)) {
		/* under another name it would be another set, which nobody asked for */
		memcpy(sb->set_uuid, set_uuid, sizeof(set_uuid));
		sb->csum = cache_le64_of(cache_sb_csum(p));
	} else if (is_jset && cache_jset_bytes(j) <= n * 512) {
		struct maul_range range = maul_all;

		j->csum = cache_le64_of(cache_jset_csum(j));
		range.forged = true;
		maul_lie(m, range);
	}
}

static inline void maul_say(struct maul *m, uint64_t at, uint64_t n)
{
	size_t len = strlen(m->faults);

	snprintf(m->faults + len, sizeof(m->faults) - len, "[%llu+%llu]", (unsigned long long)at,
		 (unsigned long long)n);
}

/* Zeros where the newest entry, or the last set of a node, was written last. */
static inline void maul_take_back(struct maul *m)
{
	uint64_t at = cache_jset_sector(&m->sb, &m->newest);
	uint64_t n = cache_jset_sectors(&m->sb, m->newest.nwords);
	void *zeros;

	if (m->nodes.n && maul_below(m, 3)) {
		const struct maul_node *node = &m->nodes.node[maul_below(m, m->nodes.n)];
		uint64_t blocks = 1 + maul_below(m, node->used_blocks);

		at = cache_ptr_sector(node->ptr) +
		     (node->used_blocks - blocks) * m->sb.block_sectors;
		n = blocks * m->sb.block_sectors;
	}
	zeros = cache_dev_buf(n * 512);
	maul_say(m, at, n);
	cache_dev_write(m->dev, at, n, zeros, NULL);
	free(zeros);
}

#include "maul_kinds.h"

static inline void maul_hit_block(struct maul *m, enum maul_kind kind, uint64_t at,
				  uint64_t from, uint64_t n)
{
	uint8_t *p = cache_dev_buf(n * 512), *q = cache_dev_buf(n * 512);

	cache_dev_read(m->dev, at, n, p, NULL);
	cache_dev_read(m->dev, from, n, q, NULL);
	if (kind == MAUL_ZERO)
		memset(p, 0, n * 512);
	else if (kind == MAUL_FLIP)
		maul_flip(m, p, n * 512);
	else if (kind == MAUL_BLOCK_CSUM)
		maul_csum_block(m, p, at, n);
	for (unsigned i = 0; kind == MAUL_RANDOM && i < n * 512; i++)
		p[i] = cache_rng_u64(&m->rng);
	if (kind == MAUL_SWAP)
		cache_dev_write(m->dev, from, n, p, NULL);
	cache_dev_write(m->dev, at, n, kind == MAUL_SWAP || kind == MAUL_COPY ? q : p, NULL);
	free(p);
	free(q);
}

/* Sectors from @at on that are still in its bucket, one hit's worth at most. */
static inline uint64_t maul_space(const struct maul *m, uint64_t at)
{
	uint64_t left = m->sb.bucket_sectors - at % m->sb.bucket_sectors;

	return left < MAUL_SECTORS ? left : MAUL_SECTORS;
}

static inline void maul_hit_bucket(struct maul *m, uint64_t at)
{
	uint64_t n = m->sb.bucket_sectors;

	maul_copy(m, NULL, 0, at - at % n, n);
}

/* The kinds that choose by themselves where they hit. */
static inline bool maul_hit_kind(struct maul *m, enum maul_kind kind)
{
	switch (kind) {
	case MAUL_NODE_CSUM:
		maul_csum_node(m, &m->nodes.node[maul_below(m, m->nodes.n)]);
		return true;
	case MAUL_TAKEN_BACK:
		maul_take_back(m);
		return true;
	case MAUL_LOST:
		maul_lose_write(m);
		return true;
	case MAUL_MISDIRECTED:
		maul_misdirect(m);
		return true;
	case MAUL_TORN:
		maul_tear(m);
		return true;
	case MAUL_HALVES:
		maul_swap_halves(m);
		return true;
	case MAUL_NODE_TWICE:
		maul_node_twice(m);
		return true;
	case MAUL_RING_BUCKET:
		maul_ring_bucket(m, m->earlier, maul_below(m, m->sb.njournal));
		return true;
	case MAUL_RING:
		maul_ring(m, m->earlier);
		return true;
	case MAUL_RING_FOREIGN:
		maul_ring(m, m->foreign);
		return true;
	case MAUL_RING_FIRST:
		maul_ring_firsts(m);
		return true;
	case MAUL_GENS:
		maul_flip_gens(m);
		return true;
	case MAUL_MIB:
		maul_zero_mib(m);
		return true;
	case MAUL_SB_FORMATTED:
		maul_format_super(m);
		return true;
	case MAUL_BIT_EARLY:
		maul_flip_early(m);
		return true;
	case MAUL_TRUNCATED:
		maul_truncate(m);
		return true;
	case MAUL_INTERIOR:
		maul_lose_interior(m);
		return true;
	default:
		return false;
	}
}

static inline void maul_hurt_once(struct maul *m)
{
	uint64_t at = maul_pick(m), from = maul_pick(m);
	uint64_t n = maul_space(m, at), n2 = maul_space(m, from);
	enum maul_kind kind = maul_below(m, MAUL_KINDS);
	size_t len = strlen(m->faults);

	while (!(m->kinds >> kind & 1))
		kind = maul_below(m, MAUL_KINDS);
	if (!m->nodes.n && (kind == MAUL_NODE_CSUM || kind == MAUL_NODE_TWICE ||
			    kind == MAUL_BIT_EARLY))
		kind = MAUL_FLIP;
	snprintf(m->faults + len, sizeof(m->faults) - len, " %s@%llu", maul_names[kind],
		 (unsigned long long)at);
	len = strlen(m->faults);
	if (kind == MAUL_COPY || kind == MAUL_SWAP)
		snprintf(m->faults + len, sizeof(m->faults) - len, "-%llu",
			 (unsigned long long)from);
	if (kind == MAUL_BUCKET)
		maul_hit_bucket(m, at);
	else if (!maul_hit_kind(m, kind))
		maul_hit_block(m, kind, at, from, n < n2 ? n : n2);
}

static inline const struct maul_node *maul_find(const struct maul_nodes *s, uint64_t ptr)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->node[i].ptr == ptr)
			return &s->node[i];
	return NULL;
}

/* A superblock that says that its set has run, and which it is. */
static inline bool maul_is_named(const void *is, const void *was)
{
	const struct cache_sb_disk *a = is, *b = was;

	return cache_le64_get(a->flags) & CACHE_SB_SYNC &&
	       !memcmp(a->set_uuid, b->set_uuid, sizeof(a->set_uuid));
}

static inline void maul_put_super(struct maul *m, const void *sb)
{
	cache_dev_write(m->dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / 512, sb, NULL);
}

static inline bool maul_is_empty(struct cache_dev *dev, const struct cache_sb *sb, uint64_t bucket)
{
	uint8_t *p = cache_dev_buf(sb->bucket_sectors * 512);
	bool empty = true;

	cache_dev_read(dev, cache_bucket_sector(sb, bucket), sb->bucket_sectors, p, NULL);
	for (uint64_t i = 0; i < sb->bucket_sectors * 512 && empty; i++)
		empty = !p[i];
	free(p);
	return empty;
}

/*
 * The driver discards a ring bucket once its keys are in the tree, before an entry says
 * that it is not asked for any more: then zeros at the front of the replay are all right,
 * and nobody can know what stood there.
 */
static inline bool maul_seems_discarded(const struct maul *m)
{
	return m->sb.flags & CACHE_SB_DISCARD && maul_is_empty(m->dev, &m->sb, m->oldest_bucket);
}

/*
 * What looks whole and is not what it was: it lacks what was written last, or what was
 * copied there verifies wherever it stands in its node.
 */
static inline void maul_note_lost(struct maul *m)
{
	void *was = cache_dev_buf(CACHE_SB_BYTES), *is = cache_dev_buf(CACHE_SB_BYTES);
	struct maul_nodes *now = calloc(1, sizeof(*now));
	struct cache_set *set;

	/* a superblock that is hurt is repaired first, and then the rest is believed */
	cache_dev_read(m->base, CACHE_SB_SECTOR, CACHE_SB_BYTES / 512, was, NULL);
	cache_dev_read(m->dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / 512, is, NULL);
	maul_put_super(m, was);
	set = maul_load(m->dev);
	maul_put_super(m, is);
	/* formatted or gone, and no ring: nothing says that it ever ran, or its name */
	if (set && !set->journal.nentries && !maul_is_named(is, was)) {
		struct maul_range range = maul_all;

		range.forged = true;
		maul_lie(m, range);
	}
	if (set) {
		maul_see_nodes(set, now);
		if ((now->seq && now->seq < m->nodes.seq) || maul_seems_discarded(m))
			maul_lie(m, maul_all);
	}
	for (unsigned i = 0; i < m->nodes.n; i++) {
		const struct maul_node *node = &m->nodes.node[i];
		const struct maul_node *n = maul_find(now, node->ptr);

		if (!n || n->damaged || n->sum == node->sum)
			continue;
		if (n->sum == maul_prefix_sum(m, node, n->nsets))
			maul_lie(m, node->range);
		else
			maul_lie_about_node(m, node);
	}
	cache_set_close(set);
	free(was);
	free(is);
	free(now);
}

/* One or two faults that follow from @seed. */
static inline void maul_hurt(struct maul *m, uint64_t seed)
{
	cache_rng_init(&m->rng, seed);
	m->faults[0] = '\0';
	m->nlies = 0;
	m->dev_sectors = cache_dev_sectors(m->base);
	memset(m->falsified, 0, m->sb.nbuckets);
	for (uint64_t n = 1 + maul_below(m, 2); n--;)
		maul_hurt_once(m);
	m->dev->sectors = m->dev_sectors;
	maul_note_lost(m);
}

static inline void maul_fini(struct maul *m)
{
	free(m->data);
	free(m->falsified);
}

#endif
