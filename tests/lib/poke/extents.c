// SPDX-License-Identifier: GPL-2.0-only
/*
 * extents=N, extents[INODES]=N: the tree becomes one of N clean extents of 4 KiB, spread
 * evenly over the inodes and over the upper buckets of the device. Sizes are measured
 * with it: nothing is read or written where the data would be.
 *
 * scattered=N, scattered[INODES]=N: the same, but neighbours lie in buckets far from each
 * other, as those of a cache that has run for long, and every fourth is dirty.
 *
 * dirty=N, dirty[INODES]=N: as extents, but every one is dirty.
 *
 * mixed[INODES][DIRTY:STALE]=N: as scattered, with these shares in percent; what is stale is clean,
 * one gen behind its bucket.
 */
#include <stdio.h>
#include <stdlib.h>

#include "poke.h"
#include "repair/rebuild.h"

#define EXTENT_SECTORS	8u

struct cache_bkey poke_extent(const struct cache_sb *sb, uint64_t i, uint64_t n,
			      uint64_t inodes)
{
	uint64_t first = sb->nbuckets / 4;	/* the nodes are below */
	uint64_t per_bucket = n / (sb->nbuckets - first) + 1, per_inode = n / inodes + 1;
	uint64_t inode = i / per_inode, nth = i % per_inode;
	uint64_t sector = cache_bucket_sector(sb, first + i / per_bucket) +
			  i % per_bucket * EXTENT_SECTORS;
	struct cache_bkey k = cache_bkey_make(inode, CACHE_BDEV_DATA_START_SECTORS +
					      (nth + 1) * EXTENT_SECTORS, EXTENT_SECTORS, false);

	if (per_bucket * EXTENT_SECTORS > sb->bucket_sectors)
		poke_fail("no space for that many extents");
	cache_bkey_set_ptrs(&k, 1);
	k.ptr[0] = cache_ptr_make(sb->nr_this_dev, sector, 0);
	return k;
}

/* Where number @i of @n goes: each place once, neighbours far apart. */
static uint64_t scatter(uint64_t i, uint64_t n)
{
	unsigned bits = 64 - __builtin_clzll(n | 1);
	uint64_t mask = (UINT64_C(1) << bits) - 1;

	do {
		i = i * UINT64_C(0x9e3779b97f4a7c15) & mask;
		i ^= i >> (bits / 2 + 1);
		i = i * UINT64_C(0xd1342543de82ef95) & mask;
	} while (i >= n);
	return i;
}

#define MIXED_GEN	2u

struct mixture {
	bool scattered, gens;		/* data buckets get MIXED_GEN */
	unsigned dirty, stale;		/* percent */
};

static struct cache_packed_key *make(const struct poke *p, uint64_t n, uint64_t inodes,
				     const struct mixture *m)
{
	struct cache_packed_key *keys = calloc(n, sizeof(*keys));

	if (!keys)
		poke_fail("no memory for that many extents");
	for (uint64_t i = 0; i < n; i++) {
		struct cache_bkey k = poke_extent(&p->set->sb, i, n, inodes);
		unsigned share = i % 4 * 25 + i / 4 % 25;

		if (m->scattered)
			k.ptr[0] = poke_extent(&p->set->sb, scatter(i, n), n, inodes).ptr[0];
		if (m->gens)
			k.ptr[0] |= MIXED_GEN - (share + m->stale >= 100);
		cache_bkey_set_dirty(&k, share < m->dirty);
		keys[i] = (struct cache_packed_key){ k.high, k.low, k.ptr[0] };
	}
	return keys;
}

static void set_gens(struct cache_buckets *t)
{
	for (uint64_t b = t->nbuckets / 4; b < t->nbuckets; b++) {
		cache_bucket_set_gen(t, b, MIXED_GEN);
		cache_bucket_set_last_gc(t, b, MIXED_GEN);
	}
}

static void rebuild(struct poke *p, const struct mixture *m)
{
	uint64_t n = poke_number(p, p->value, 0);
	uint64_t inodes = p->seg[0].nindex ? poke_number(p, p->seg[0].index[0], 0) : 1;
	struct cache_packed_key *keys = make(p, n, inodes ? inodes : 1, m);
	struct cache_rebuild r = { .sb = &p->set->sb, .t = &p->set->buckets };
	struct cache_err err = { 0 };

	if (m->gens)
		set_gens(&p->set->buckets);
	cache_rng_init(&r.rng, 1);
	if (cache_commit_new(p->set, &r.commit, &err) ||
	    cache_rebuild_tree(&r, keys, n, &err))
		poke_fail("%s", err.text);
	cache_commit_checkpoint(r.commit);
	if (cache_commit_prios(r.commit, &p->set->buckets, &err) ||
	    cache_commit_finish(r.commit, &err))
		poke_fail("%s", err.text);
	cache_commit_free(r.commit);
	free(keys);
}

void poke_extents(struct poke *p)
{
	rebuild(p, &(struct mixture){ 0 });
}

void poke_scattered(struct poke *p)
{
	rebuild(p, &(struct mixture){ .scattered = true, .dirty = 25 });
}

void poke_dirty(struct poke *p)
{
	rebuild(p, &(struct mixture){ .dirty = 100 });
}

void poke_mixed(struct poke *p)
{
	struct mixture m = { .scattered = true, .gens = true };
	int end = 0;

	if (p->seg[0].nindex != 2 ||
	    sscanf(p->seg[0].index[1], "%u:%u%n", &m.dirty, &m.stale, &end) != 2 ||
	    p->seg[0].index[1][end] || m.dirty > 100 || m.stale > 100 - m.dirty)
		poke_fail("expected mixed[INODES][DIRTY:STALE]=N, both in percent");
	rebuild(p, &m);
}
