// SPDX-License-Identifier: GPL-2.0-only
/*
 * The prio chain. It has no end mark: next_bucket of the last member is left over from the
 * previous chain, so only the number of members says where it ends.
 */
#include "base/bits.h"
#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/bucket.h"
#include "base/crc64.h"
#include "base/sort.h"
#include "disk/prio.h"
#include "disk/read_ahead.h"

struct chain {
	struct cache_dev *dev;
	const struct cache_sb *sb;
	struct cache_prios *p;
	const struct cache_sink *sink;
	struct cache_err *err;
	struct cache_read_ahead ahead;
	char *buf;		/* the member in hand */
	uint32_t area_bytes;
	bool has_seq;
	uint64_t *passed;	/* one bit per bucket: the chain was there */
};

static int found(struct chain *c, enum cache_problem code, uint64_t bucket,
		 uint64_t got, uint64_t want)
{
	return cache_found(c->sink, c->err, &(struct cache_finding){
		.code = code, .bucket = bucket, .index = c->p->nfollowed, .got = got,
		.want = want, .sector = bucket * c->sb->bucket_sectors });
}

/* 0: read this member; -ENOENT: the chain ends, which was reported; otherwise an error. */
static int check_place(struct chain *c, uint64_t bucket)
{
	uint64_t reserved = cache_sb_reserved_buckets(c->sb);
	int ret;

	if (bucket >= c->sb->nbuckets) {
		ret = found(c, CACHE_P_PRIO_RANGE, bucket, 0, c->sb->nbuckets);
		return ret ? ret : -ENOENT;
	}
	if (cache_bit_test_and_set(c->passed, bucket)) {
		ret = found(c, CACHE_P_PRIO_LOOP, bucket, 0, 0);
		return ret ? ret : -ENOENT;
	}
	if (bucket < reserved)
		return found(c, CACHE_P_PRIO_RESERVED, bucket, 0, reserved);
	return 0;
}

/* 0: verified; -ENOENT: not, which was reported; otherwise an error. */
static int check_member(struct chain *c, uint64_t bucket)
{
	const struct cache_prio_set_disk *d = (void *)c->buf;
	uint64_t magic = cache_sb_set_magic(c->sb) ^ CACHE_PSET_MAGIC;
	uint64_t csum;
	int ret;

	if (cache_le64_get(d->magic) != magic) {
		ret = found(c, CACHE_P_PRIO_MAGIC, bucket, cache_le64_get(d->magic), magic);
		return ret ? ret : -ENOENT;
	}
	csum = cache_crc64(c->buf + 8, c->area_bytes - 8);
	if (cache_le64_get(d->csum) != csum) {
		ret = found(c, CACHE_P_PRIO_CSUM, bucket, cache_le64_get(d->csum), csum);
		return ret ? ret : -ENOENT;
	}
	if (!c->has_seq)
		c->p->seq = cache_le64_get(d->seq);
	c->has_seq = true;
	if (cache_le64_get(d->seq) != c->p->seq)
		return found(c, CACHE_P_PRIO_SEQ, bucket, cache_le64_get(d->seq), c->p->seq);
	return 0;
}

static void take_member(struct chain *c)
{
	const struct cache_bucket_disk *e = (void *)(c->buf + CACHE_PRIO_SET_HEADER_BYTES);
	uint64_t per = cache_prios_per_bucket(c->sb);
	uint64_t first = c->p->nfollowed * per;
	uint64_t n = cache_min_u64(per, c->p->nbuckets - first);

	for (uint64_t i = 0; i < n; i++) {
		uint16_t prio = cache_le16_get(e[i].prio);

		if (c->p->prio)
			c->p->prio[first + i] = prio;
		c->p->gen[first + i] = e[i].gen;
		c->p->nmetadata += prio == CACHE_BTREE_PRIO;
	}
	c->p->member_ok[c->p->nfollowed] = true;
}

/* Reads one member; @next receives its link, if the member could be read at all. */
static int follow(struct chain *c, uint64_t bucket, uint64_t *next)
{
	uint64_t sector = cache_bucket_sector(c->sb, bucket);
	int ret = check_place(c, bucket);

	if (ret)
		return ret;
	ret = cache_read_ahead(&c->ahead, sector, &c->buf);
	if (ret == -ENOMEM)
		return cache_err_set(c->err, ret, 0, "no memory for a prio bucket");
	if (ret) {
		ret = found(c, CACHE_P_PRIO_UNREADABLE, bucket, 0, 0);
		return ret ? ret : -ENOENT;
	}
	ret = check_member(c, bucket);
	if (!ret)
		take_member(c);
	/*
	 * A damaged member may still have the right link: the checksum of the next one will
	 * tell.
	 */
	*next = cache_le64_get(((struct cache_prio_set_disk *)c->buf)->next_bucket);
	c->p->chain[c->p->nfollowed++] = bucket;
	return ret == -ENOENT && *next < c->sb->nbuckets ? 0 : ret;
}

static int alloc_prios(struct chain *c, bool with_prio)
{
	struct cache_prios *p = c->p;

	memset(p, 0, sizeof(*p));
	p->nbuckets = c->sb->nbuckets;
	p->nmembers = cache_prio_buckets(c->sb);
	p->prio = with_prio ? calloc(p->nbuckets, sizeof(*p->prio)) : NULL;
	p->gen = calloc(p->nbuckets, sizeof(*p->gen));
	p->chain = calloc(p->nmembers, sizeof(*p->chain));
	p->member_ok = calloc(p->nmembers, sizeof(*p->member_ok));
	c->passed = cache_bits_new(p->nbuckets);
	if ((p->prio || !with_prio) && p->gen && p->chain && p->member_ok && c->passed)
		return 0;
	return cache_err_set(c->err, -ENOMEM, 0, "no memory for the gens of %llu buckets",
			     (unsigned long long)p->nbuckets);
}

static int by_bucket(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int cache_prio_sort_members(struct cache_prios *p, struct cache_err *err)
{
	p->sorted = calloc(p->nfollowed + 1, sizeof(*p->sorted));
	if (!p->sorted)
		return cache_err_set(err, -ENOMEM, 0, "no memory for the prio chain");
	memcpy(p->sorted, p->chain, p->nfollowed * sizeof(*p->sorted));
	cache_sort_u64(p->sorted, p->nfollowed);	/* three million at most, and most often in order */
	return 0;
}

bool cache_prio_has_member(const struct cache_prios *p, uint64_t bucket)
{
	return p->sorted && bsearch(&bucket, p->sorted, p->nfollowed, sizeof(bucket), by_bucket);
}

static int read_chain(struct chain *c, uint64_t bucket, bool with_prio)
{
	int ret;

	c->area_bytes = cache_meta_bucket_bytes(c->sb);
	cache_read_ahead_init(&c->ahead, c->dev, c->area_bytes / CACHE_SECTOR_BYTES);
	ret = alloc_prios(c, with_prio);
	while (!ret && c->p->nfollowed < c->p->nmembers) {
		ret = cache_poll(c->sink, CACHE_PASS_PRIOS, c->p->nfollowed, c->p->nmembers);
		if (!ret)
			ret = follow(c, bucket, &bucket);
	}
	cache_read_ahead_fini(&c->ahead);
	free(c->passed);
	if (ret && ret != -ENOENT)
		return ret;
	ret = cache_prio_sort_members(c->p, c->err);
	return ret ? ret : cache_poll(c->sink, CACHE_PASS_PRIOS, c->p->nmembers, c->p->nmembers);
}

int cache_prio_read(struct cache_dev *dev, const struct cache_sb *sb, uint64_t head,
		    struct cache_prios *prios, const struct cache_sink *sink,
		    struct cache_err *err)
{
	struct chain c = { .dev = dev, .sb = sb, .p = prios, .sink = sink, .err = err };

	return read_chain(&c, head, true);
}

int cache_prio_read_gens(struct cache_dev *dev, const struct cache_sb *sb, uint64_t head,
			 struct cache_prios *prios, const struct cache_sink *sink,
			 struct cache_err *err)
{
	struct chain c = { .dev = dev, .sb = sb, .p = prios, .sink = sink, .err = err };

	return read_chain(&c, head, false);
}

void cache_prio_fini(struct cache_prios *p)
{
	free(p->prio);
	free(p->gen);
	free(p->chain);
	free(p->sorted);
	free(p->member_ok);
	memset(p, 0, sizeof(*p));
}

bool cache_prio_is_known(const struct cache_sb *sb, const struct cache_prios *p,
			 uint64_t bucket)
{
	return bucket < p->nbuckets && p->member_ok[bucket / cache_prios_per_bucket(sb)];
}

int cache_prio_gen(struct cache_dev *dev, const struct cache_sb *sb,
		   const struct cache_prios *p, uint64_t bucket)
{
	uint64_t per = cache_prios_per_bucket(sb);
	uint64_t at = CACHE_PRIO_SET_HEADER_BYTES + bucket % per * sizeof(struct cache_bucket_disk) +
		      offsetof(struct cache_bucket_disk, gen);
	uint8_t *page;
	int ret;

	if (!cache_prio_is_known(sb, p, bucket))
		return -ENOENT;
	if (p->gen)
		return p->gen[bucket];
	page = cache_dev_buf(CACHE_PAGE_BYTES);
	if (!page)
		return -ENOMEM;
	ret = cache_dev_read(dev, cache_bucket_sector(sb, p->chain[bucket / per]) +
			     at / CACHE_PAGE_BYTES * CACHE_PAGE_SECTORS,
			     CACHE_PAGE_SECTORS, page, NULL);
	if (!ret)
		ret = page[at % CACHE_PAGE_BYTES];
	free(page);
	return ret;
}
