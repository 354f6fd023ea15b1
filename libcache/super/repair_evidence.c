// SPDX-License-Identifier: GPL-2.0-only
#include "super/repair_evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/checked.h"
#include "disk/jset_codec.h"
#include "base/crc64.h"

#define BUCKET_SHIFT_MIN	3	/* one page */
#define BUCKET_SHIFT_MAX	31
#define META_SECTORS_MAX	8192	/* of a larger bucket only this much is used (format 0.2) */
#define SETS_MAX		16	/* number of different sets whose entries are counted */
#define ALL_BLOCKS		0xfu	/* 1, 2, 4 and 8 sectors */

/* The entries of one set. */
struct ring_set {
	uint64_t magic, nentries, newest_sector, last_sector;
	unsigned blocks;
	struct cache_jset newest;
};

struct search {
	struct cache_dev *dev;
	uint64_t dev_sectors;
	char *buf;		/* buffer for an entry or a prio_set */
	struct ring_set ring_set[SETS_MAX];
	unsigned nsets;
};

/* The entry at @sector, at most @max_sectors long, in s->buf; NULL: there is none. */
static const struct cache_jset_disk *entry_at(struct search *s, uint64_t sector,
					      uint64_t max_sectors)
{
	const struct cache_jset_disk *d = (void *)s->buf;
	uint64_t nsectors;

	if (!max_sectors || cache_dev_read(s->dev, sector, 1, s->buf, NULL))
		return NULL;
	nsectors = cache_div_up(cache_jset_bytes(d), CACHE_SECTOR_BYTES);
	if (!cache_le64_get(d->seq) || cache_le64_get(d->last_seq) > cache_le64_get(d->seq) ||
	    cache_le32_get(d->version) > CACHE_JSET_VERSION ||
	    cache_jset_bytes(d) > CACHE_JSET_MAX_BYTES || nsectors > max_sectors)
		return NULL;
	if (cache_dev_read(s->dev, sector, nsectors, s->buf, NULL) ||
	    cache_le64_get(d->csum) != cache_jset_csum(d))
		return NULL;
	return d;
}

static struct ring_set *set_of(struct search *s, uint64_t magic)
{
	for (unsigned i = 0; i < s->nsets; i++)
		if (s->ring_set[i].magic == magic)
			return &s->ring_set[i];
	if (s->nsets == SETS_MAX)
		return NULL;
	s->ring_set[s->nsets] = (struct ring_set){ .magic = magic, .blocks = ALL_BLOCKS };
	return &s->ring_set[s->nsets++];
}

/* The block sizes with which @nbytes, rounded up to blocks, become @sectors. */
static unsigned blocks_that_give(uint64_t nbytes, uint64_t sectors)
{
	unsigned blocks = 0;

	for (unsigned b = 0; b < 4; b++)
		if (cache_div_up(nbytes, CACHE_SECTOR_BYTES << b) << b == sectors)
			blocks |= 1u << b;
	return blocks;
}

static struct ring_set *take(struct search *s, const struct cache_jset_disk *d, uint64_t sector)
{
	struct ring_set *l = set_of(s, cache_le64_get(d->magic) ^ CACHE_JSET_MAGIC);

	if (!l)
		return NULL;
	l->nentries++;
	l->last_sector = cache_max_u64(l->last_sector, sector);
	if (cache_le64_get(d->seq) > l->newest.pos.seq) {
		cache_jset_decode(d, &l->newest);
		l->newest_sector = sector;
	}
	return l;
}

/*
 * Reads entries one after another while they verify. Where the next one begins depends on the
 * block size, which is not known: each size is tried, and the distance of two entries with
 * consecutive seqs tells which sizes are possible.
 */
static void walk_bucket(struct search *s, uint64_t start, uint64_t sectors)
{
	const struct cache_jset_disk *d = entry_at(s, start, sectors);
	uint64_t at = 0;

	while (d) {
		struct ring_set *l = take(s, d, start + at);
		uint64_t nbytes = cache_jset_bytes(d), seq = cache_le64_get(d->seq);
		uint64_t step = 0;

		d = NULL;
		for (unsigned b = 0; b < 4 && !d; b++) {
			step = cache_div_up(nbytes, CACHE_SECTOR_BYTES << b) << b;
			if (step < sectors - at)
				d = entry_at(s, start + at + step, sectors - at - step);
		}
		if (d && l && cache_le64_get(d->seq) == seq + 1)
			l->blocks &= blocks_that_give(nbytes, step);
		at += step;
	}
}

static void search_rings(struct search *s)
{
	for (unsigned shift = BUCKET_SHIFT_MIN; shift <= BUCKET_SHIFT_MAX; shift++) {
		uint64_t sectors = UINT64_C(1) << shift, nbuckets = s->dev_sectors >> shift;
		uint64_t first = cache_first_bucket_for(sectors);
		uint64_t end = cache_min_u64(first + cache_njournal_for(nbuckets), nbuckets);

		for (uint64_t b = first; b < end; b++)
			walk_bucket(s, b << shift, sectors);
	}
}

static const struct ring_set *choose(const struct search *s, uint64_t set_magic)
{
	const struct ring_set *best = NULL;

	for (unsigned i = 0; i < s->nsets; i++) {
		if (s->ring_set[i].magic == set_magic)
			return &s->ring_set[i];
		if (!best || s->ring_set[i].nentries > best->nentries)
			best = &s->ring_set[i];
	}
	return best;
}

/* The seq of the prio_set in @bucket, if it verifies with that bucket size; otherwise 0. */
static uint64_t prio_set_at(struct search *s, const struct repair_evidence *ev,
			    uint64_t sectors, uint64_t bucket, uint64_t *next)
{
	const struct cache_prio_set_disk *d = (void *)s->buf;
	uint64_t area = cache_min_u64(sectors, META_SECTORS_MAX), start;

	if (!bucket || !cache_mul_ok(bucket, sectors, &start) ||
	    !cache_range_ok(start, area, s->dev_sectors) ||
	    cache_dev_read(s->dev, start, area, s->buf, NULL) ||
	    cache_le64_get(d->magic) != (ev->set_magic ^ CACHE_PSET_MAGIC) ||
	    cache_le64_get(d->csum) !=
		    cache_crc64(s->buf + 8, area * CACHE_SECTOR_BYTES - 8))
		return 0;
	*next = cache_le64_get(d->next_bucket);
	return cache_le64_get(d->seq);
}

/*
 * The number of prio_sets of one seq that form a chain. The set after the last one is older or,
 * since the last link is left over from before, a member of the chain again.
 */
static int count_members(struct search *s, struct repair_evidence *ev)
{
	uint64_t bucket = ev->newest.prio_bucket[ev->nr_this_dev], next = 0, n = 0;
	uint64_t *counted = cache_bits_new(s->dev_sectors / ev->bucket_sectors);
	uint64_t seq = prio_set_at(s, ev, ev->bucket_sectors, bucket, &next);

	if (!counted)
		return -ENOMEM;
	for (uint64_t got = seq; got && got == seq &&
	     !cache_bit_test_and_set(counted, bucket); n++) {
		bucket = next;
		got = prio_set_at(s, ev, ev->bucket_sectors, bucket, &next);
	}
	free(counted);
	ev->members = n;
	return 0;
}

/* Tries the bucket sizes with which the newest entry's prio_set verifies. */
static bool size_by_prios(struct search *s, struct repair_evidence *ev)
{
	for (unsigned shift = BUCKET_SHIFT_MIN; shift <= BUCKET_SHIFT_MAX; shift++) {
		uint64_t sectors = UINT64_C(1) << shift, next;

		for (unsigned i = 0; i < CACHE_MAX_CACHES_PER_SET; i++)
			if (prio_set_at(s, ev, sectors, ev->newest.prio_bucket[i], &next)) {
				ev->bucket_sectors = sectors;
				ev->nr_this_dev = i;
				return true;
			}
	}
	return false;
}

static int find_bucket_size(struct search *s, struct repair_evidence *ev)
{
	const struct cache_bkey *k = &ev->newest.uuid_bucket;
	uint64_t table = cache_key_size(k);

	ev->bucket_proven = size_by_prios(s, ev);
	if (ev->bucket_proven)
		return count_members(s, ev);
	/* the uuid table fills its bucket, unless the bucket is larger than 4 MiB */
	if (cache_is_pow2(table) && table >= CACHE_PAGE_SECTORS && table < META_SECTORS_MAX &&
	    cache_key_ptrs(k) && !(cache_ptr_sector(k->ptr[0]) % table))
		ev->bucket_sectors = table;
	return 0;
}

static int conclude(struct search *s, uint64_t set_magic, struct repair_evidence *ev)
{
	const struct ring_set *l = choose(s, set_magic);

	if (!l)
		return 0;
	for (unsigned i = 0; i < s->nsets; i++)
		ev->nstrangers += s->ring_set[i].nentries;
	ev->nstrangers -= l->nentries;
	ev->nentries = l->nentries;
	ev->set_magic = l->magic;
	ev->newest = l->newest;
	ev->newest_sector = l->newest_sector;
	ev->last_sector = l->last_sector;
	ev->blocks = l->blocks;
	return find_bucket_size(s, ev);
}

int cache_repair_evidence(struct cache_dev *dev, uint64_t set_magic,
			  struct repair_evidence *ev, struct cache_err *err)
{
	struct search *s = calloc(1, sizeof(*s));
	int ret;

	memset(ev, 0, sizeof(*ev));
	if (s)
		s->buf = cache_dev_buf(META_SECTORS_MAX * CACHE_SECTOR_BYTES);
	if (!s || !s->buf) {
		free(s);
		return cache_err_set(err, -ENOMEM, 0, "no memory to look for journal entries");
	}
	s->dev = dev;
	s->dev_sectors = cache_dev_sectors(dev);
	search_rings(s);
	ret = conclude(s, set_magic, ev);
	free(s->buf);
	free(s);
	return ret ? cache_err_set(err, ret, 0, "no memory to follow the prio chain") : 0;
}
