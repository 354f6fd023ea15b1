/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Damage to an image that a kernel wrote: a list of changes to named structures, their checksums
 * computed again where the input says so, so that damage gets past the checksums.
 */
#ifndef TESTS_FUZZ_DAMAGE_H
#define TESTS_FUZZ_DAMAGE_H

#include "overlay.h"

#include "base/crc64.h"
#include "disk/jset_codec.h"
#include "format/bset_codec.h"
#include "set/set.h"

#define NODES_MAX	256
#define CHANGES_MAX	32

/* What there is to damage in one image. */
struct base {
	struct overlay o;
	struct cache_sb sb;
	struct cache_jset_pos entry[512];
	uint32_t nentries;
	struct cache_bkey node[NODES_MAX];
	uint32_t nnodes;
	uint64_t prio[8], uuid_sector;
	uint32_t nprios;
};

static inline int add_node(void *ctx, const struct cache_btree_node *n)
{
	struct base *b = ctx;

	if (b->nnodes < NODES_MAX)
		b->node[b->nnodes++] = n->key;
	return 0;
}

/* Ends the process where the images were not made. */
static inline void learn(struct base *b, const char *name)
{
	struct cache_set *set;
	struct cache_dev *dev;
	const char *dir = getenv("BUILD");
	char path[1024];
	int ret;

	snprintf(path, sizeof(path), "%s/images/%s", dir ? dir : "build", name);
	ret = overlay_open(&b->o, path);
	if (!ret) {
		dev = overlay_dev(&b->o);
		ret = cache_set_load(dev, CACHE_LOAD_MARKS, NULL, &set, NULL);
	}
	if (ret) {
		fprintf(stderr, "cannot load %s: make tests first\n", path);
		exit(1);
	}
	b->sb = set->sb;
	for (size_t i = 0; i < set->journal.nentries && b->nentries < 512; i++)
		b->entry[b->nentries++] = set->journal.entries[i];
	for (uint64_t i = 0; i < set->prios.nfollowed && b->nprios < 8; i++)
		b->prio[b->nprios++] = set->prios.chain[i];
	b->uuid_sector = cache_ptr_sector(set->journal.newest.uuid_bucket.ptr[0]);
	cache_set_each_node(set, add_node, b, NULL, NULL);
	cache_set_close(set);
	cache_dev_close(dev);
}

struct change {
	uint8_t kind;
	uint16_t pick, offset, value;
	uint8_t how;
};

/* Changes a little of @buf; the caller computes the checksum again, or does not. */
static inline void scribble(char *buf, size_t nbytes, const struct change *c)
{
	size_t at = c->offset % (nbytes - 1);

	if (c->how & 0x80)	/* one word becomes a copy of another */
		memcpy(buf + at / 8 * 8 % (nbytes - 7), buf + c->value % (nbytes - 7) / 8 * 8, 8);
	else if (c->how & 0x40)
		memset(buf + at, c->value, nbytes - at < 64 ? nbytes - at : 64);
	else if (c->how & 0x20)
		buf[at] ^= 1 << (c->value & 7);
	else
		memcpy(buf + at, &c->value, 2);
}

static inline void change_super(struct base *b, struct cache_dev *dev, const struct change *c)
{
	char buf[CACHE_SB_BYTES];

	cache_dev_read(dev, CACHE_SB_SECTOR, 8, buf, NULL);
	scribble(buf, c->how & 2 ? 0xd0 : sizeof(struct cache_sb_disk), c);
	if (c->how & 1)
		((struct cache_sb_disk *)buf)->csum = cache_le64_of(cache_sb_csum(buf));
	cache_dev_write(dev, CACHE_SB_SECTOR, 8, buf, NULL);
}

static inline void change_journal(struct base *b, struct cache_dev *dev, const struct change *c)
{
	const struct cache_jset_pos *pos = &b->entry[b->nentries - 1 - c->pick % b->nentries];
	uint32_t n = cache_jset_sectors(&b->sb, pos->nwords);
	uint64_t sector = cache_jset_sector(&b->sb, pos);
	char *buf = malloc(n * CACHE_SECTOR_BYTES);
	struct cache_jset_disk *d = (void *)buf;

	cache_dev_read(dev, sector, n, buf, NULL);
	scribble(buf, c->how & 2 ? CACHE_JSET_HEADER_BYTES : n * CACHE_SECTOR_BYTES, c);
	if (c->how & 1 && cache_jset_bytes(d) <= n * CACHE_SECTOR_BYTES)
		d->csum = cache_le64_of(cache_jset_csum(d));
	cache_dev_write(dev, sector, n, buf, NULL);
	free(buf);
}

static inline void change_prio(struct base *b, struct cache_dev *dev, const struct change *c)
{
	uint32_t nbytes = cache_meta_bucket_bytes(&b->sb), n = nbytes / CACHE_SECTOR_BYTES;
	uint64_t sector = cache_bucket_sector(&b->sb, b->prio[c->pick % b->nprios]);
	char *buf = malloc(nbytes);

	cache_dev_read(dev, sector, n, buf, NULL);
	scribble(buf, c->how & 2 ? CACHE_PRIO_SET_HEADER_BYTES : nbytes, c);
	if (c->how & 1)
		((struct cache_prio_set_disk *)buf)->csum =
			cache_le64_of(cache_crc64(buf + 8, nbytes - 8));
	cache_dev_write(dev, sector, n, buf, NULL);
	free(buf);
}

static inline void change_uuids(struct base *b, struct cache_dev *dev, const struct change *c)
{
	uint32_t n = cache_meta_bucket_bytes(&b->sb) / CACHE_SECTOR_BYTES;
	uint64_t sector = b->uuid_sector + (c->how & 2 ? 0 : c->pick % n);
	char buf[CACHE_SECTOR_BYTES];

	cache_dev_read(dev, sector, 1, buf, NULL);
	scribble(buf, sizeof(buf), c);
	cache_dev_write(dev, sector, 1, buf, NULL);
}

static inline void change_node(struct base *b, struct cache_dev *dev, const struct change *c)
{
	const struct cache_bkey *k = &b->node[c->pick % b->nnodes];
	uint32_t n = cache_key_size(k), block = b->sb.block_sectors;
	uint64_t sector = cache_ptr_sector(k->ptr[0]);
	uint32_t at = c->how >> 2 & 7;		/* which block */
	char *buf = malloc(n * CACHE_SECTOR_BYTES);
	struct cache_bset_disk *d;

	if (at * block >= n)
		at = 0;
	cache_dev_read(dev, sector, n, buf, NULL);
	d = (void *)(buf + at * block * CACHE_SECTOR_BYTES);
	scribble((char *)d, c->how & 2 ? CACHE_BSET_HEADER_BYTES + 96 :
		 (n - at * block) * CACHE_SECTOR_BYTES, c);
	if (c->how & 1 && cache_bset_bytes(d) <= (n - at * block) * CACHE_SECTOR_BYTES)
		d->csum = cache_le64_of(cache_bset_csum(d, k->ptr[0]));
	cache_dev_write(dev, sector, n, buf, NULL);
	free(buf);
}

static void (*const damage_kinds[])(struct base *, struct cache_dev *, const struct change *) = {
	change_super, change_journal, change_prio, change_uuids, change_node, change_node,
};

/* 8 bytes a change: kind, pick (2), offset (2), value (2), how. */
static inline void damage(struct base *b, const uint8_t *data, size_t size)
{
	struct cache_dev *dev = overlay_dev(&b->o);

	for (size_t i = 0; i + 8 <= size && i < 8 * CHANGES_MAX; i += 8) {
		struct change c = { data[i], data[i + 1] | data[i + 2] << 8,
				    data[i + 3] | data[i + 4] << 8,
				    data[i + 5] | data[i + 6] << 8, data[i + 7] };

		damage_kinds[c.kind % (sizeof(damage_kinds) / sizeof(*damage_kinds))](b, dev, &c);
	}
	cache_dev_close(dev);
}

#endif
