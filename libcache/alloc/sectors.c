// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver searches a list of 128 open buckets for every write. Here the slots of the last
 * eight used are in one word: while no more streams than that write, nothing else is touched.
 * The other slots are filed: one byte of hash for each tells where the driver's search could
 * stop, at the most recently used slot that ended where this write starts, or at the least
 * recently used slot of the same write point.
 */
#include "alloc/sectors.h"

#include <errno.h>
#include <string.h>

#include "alloc/tags.h"

#define NIL		0xff
#define RECENT		8
#define FEW_SLOTS	8	/* with more candidates, search from the oldest slot on */

_Static_assert(CACHE_OPEN_BUCKETS == CACHE_TAGS, "a tag for each slot");
_Static_assert(CACHE_OPEN_BUCKETS < NIL, "slot numbers fit a byte");

static uint8_t hash(uint64_t v)
{
	return v * 0x9e3779b97f4a7c15ull >> 56;
}

static uint8_t pos_tag(uint32_t inode, uint64_t offset)
{
	return hash(offset + ((uint64_t)inode << 40));
}

/* Slot @i was used before the recent ones, and after all others that are filed. */
static void file(struct cache_sectors *s, uint8_t i, uint8_t tag)
{
	struct cache_open_bucket *o = &s->slot[i];

	o->filed = ++s->nfiled;
	s->pos_tag[i] = tag;
	s->wp_tag[i] = hash(o->write_point);
	o->older = s->newest_filed;
	o->newer = NIL;
	if (o->older == NIL)
		s->oldest_filed = i;
	else
		s->slot[o->older].newer = i;
	s->newest_filed = i;
}

static void unfile(struct cache_sectors *s, uint8_t i)
{
	struct cache_open_bucket *o = &s->slot[i];

	*(o->older == NIL ? &s->oldest_filed : &s->slot[o->older].newer) = o->newer;
	*(o->newer == NIL ? &s->newest_filed : &s->slot[o->newer].older) = o->older;
	o->filed = 0;
}

static uint8_t recent(const struct cache_sectors *s, unsigned int n)
{
	return s->recent >> 8 * n;
}

/* Removes byte @n of @word (8: none) and puts @byte in front. */
static uint64_t to_front(uint64_t word, unsigned int n, uint8_t byte)
{
	uint64_t newer = n < RECENT ? (UINT64_C(1) << 8 * n) - 1 : UINT64_MAX;

	return (word & ~newer << 8) | (word & newer) << 8 | byte;
}

/* Slot @i, the @n-th recent or a filed one, becomes the last used. */
static void make_newest(struct cache_sectors *s, uint8_t i, unsigned int n)
{
	if (n == RECENT) {
		const struct cache_open_bucket *last = &s->slot[recent(s, RECENT - 1)];

		unfile(s, i);
		file(s, recent(s, RECENT - 1), pos_tag(last->inode, last->offset));
	}
	s->recent = to_front(s->recent, n, i);
}

static bool is_flash(const struct cache_sectors *s, uint32_t inode)
{
	return s->flash_only && s->flavour != CACHE_ALLOC_OLDER && s->flash_only(s->ctx, inode);
}

void cache_sectors_init(struct cache_sectors *s, struct cache_alloc *const *members,
			unsigned int nmembers, uint32_t block_sectors,
			bool (*flash_only)(void *ctx, uint32_t inode), void *ctx)
{
	memset(s, 0, sizeof(*s));
	s->members = members;
	s->nmembers = nmembers;
	s->flavour = members[0]->opts.flavour;
	s->bucket_sectors = members[0]->buckets->bucket_sectors;
	s->block_sectors = block_sectors;
	s->flash_only = flash_only;
	s->ctx = ctx;
	s->oldest_filed = s->newest_filed = NIL;
	for (int i = CACHE_OPEN_BUCKETS - 1; i >= 0; i--) {
		s->slot[i].flash_only = is_flash(s, 0);
		if (i >= RECENT)
			file(s, i, pos_tag(0, 0));
		else
			s->recent = s->recent << 8 | i;
	}
}

void cache_sectors_fini(struct cache_sectors *s)
{
	for (int i = 0; i < CACHE_OPEN_BUCKETS; i++)
		for (int k = 0; s->slot[i].sectors_free && k < s->slot[i].nptrs; k++)
			cache_alloc_put(s->members[k], s->ptr[i][k].bucket);
	memset(s, 0, sizeof(*s));
}

void cache_sectors_uuids_changed(struct cache_sectors *s)
{
	for (int i = 0; i < CACHE_OPEN_BUCKETS; i++)
		s->slot[i].flash_only = is_flash(s, s->slot[i].inode);
}

static bool continues(const struct cache_open_bucket *o, const struct cache_sectors_req *req,
		      bool flash)
{
	return o->offset == req->offset && o->inode == req->inode && o->flash_only == flash;
}

static bool same_writer(const struct cache_open_bucket *o,
			const struct cache_sectors_req *req, bool flash)
{
	return o->write_point == req->write_point && o->flash_only == flash;
}

/* Tags of recent slots are out of date, but none of those is searched for. */
static uint8_t newest_continued(const struct cache_sectors *s,
				const struct cache_sectors_req *req, bool flash, uint8_t tag)
{
	struct cache_tags at = cache_tags_find(s->pos_tag, tag);
	uint8_t best = NIL, i;

	while ((i = cache_tags_next(&at)) < CACHE_TAGS)
		if (continues(&s->slot[i], req, flash) &&
		    (best == NIL || s->slot[i].filed > s->slot[best].filed))
			best = i;
	return best;
}

static uint8_t oldest_of_writer(const struct cache_sectors *s,
				const struct cache_sectors_req *req, bool flash)
{
	struct cache_tags at = cache_tags_find(s->wp_tag, hash(req->write_point));
	uint8_t best = NIL, i;

	for (int n = 0; n < FEW_SLOTS; n++) {
		i = cache_tags_next(&at);
		if (i == CACHE_TAGS)
			return best;
		if (s->slot[i].filed && same_writer(&s->slot[i], req, flash) &&
		    (best == NIL || s->slot[i].filed < s->slot[best].filed))
			best = i;
	}
	for (i = s->oldest_filed; i != NIL; i = s->slot[i].newer)
		if (same_writer(&s->slot[i], req, flash))
			return i;
	return NIL;
}

/* @n becomes the position of a recent slot. */
static __attribute__((noinline))
uint8_t pick_further(const struct cache_sectors *s, const struct cache_sectors_req *req,
		     bool flash, uint8_t tag, unsigned int *n)
{
	uint8_t i = newest_continued(s, req, flash, tag);

	if (i == NIL)
		i = oldest_of_writer(s, req, flash);
	if (i != NIL)
		return i;
	for (unsigned int k = RECENT; k--;)
		if (same_writer(&s->slot[recent(s, k)], req, flash)) {
			*n = k;
			return recent(s, k);
		}
	return s->oldest_filed;
}

/* The slot for a write; *@n is its position if it is recent, else RECENT. */
static uint8_t pick(const struct cache_sectors *s, const struct cache_sectors_req *req,
		    bool flash, unsigned int *n)
{
	uint64_t left = s->recent;

#pragma GCC unroll 8
	for (*n = 0; *n < RECENT; ++*n, left >>= 8)
		if (continues(&s->slot[(uint8_t)left], req, flash))
			return left;
	return pick_further(s, req, flash, pos_tag(req->inode, req->offset), n);
}

/* Opens bucket @o with @spare, if there is one. */
static __attribute__((noinline))
int open_bucket(struct cache_sectors *s, struct cache_open_bucket *o,
		const struct cache_alloc_ptr *spare, unsigned int *nspare)
{
	if (!*nspare)
		return -EAGAIN;
	o->sectors_free = s->bucket_sectors;
	o->nptrs = *nspare;
	memcpy(s->ptr[o - s->slot], spare, *nspare * sizeof(*spare));
	*nspare = 0;
	return 0;
}

/* Cuts the sectors off @o, which has some left; its pin is passed on with the last of them. */
static void take(struct cache_sectors *s, struct cache_open_bucket *o,
		 const struct cache_sectors_req *req, struct cache_sectors_space *space)
{
	const struct cache_alloc_ptr *ptr = s->ptr[o - s->slot];
	uint32_t n = req->sectors < o->sectors_free ? req->sectors : o->sectors_free;
	uint32_t start = s->bucket_sectors - o->sectors_free;
	unsigned int nptrs = o->nptrs;
	bool more = o->sectors_free - n >= s->block_sectors;

	o->sectors_free = more ? o->sectors_free - n : 0;
	o->offset = req->offset + n;
	s->sectors_written += (uint64_t)n * nptrs;
	space->sectors = n;
	space->nptrs = nptrs;
	for (unsigned int k = 0; k < nptrs; k++) {
		space->ptr[k] = ptr[k];
		space->ptr[k].sector = ptr[k].sector + start;
		if (more)
			cache_bucket_pin_get(s->members[k]->buckets, ptr[k].bucket);
	}
}

int cache_sectors_try(struct cache_sectors *s, const struct cache_sectors_req *req,
		      const struct cache_alloc_ptr *spare, unsigned int *nspare,
		      struct cache_sectors_space *space)
{
	bool flash = is_flash(s, req->inode);
	struct cache_open_bucket *o;
	unsigned int n;
	uint8_t i;
	int ret;

	if (!req->sectors)
		return -EINVAL;
	i = pick(s, req, flash, &n);
	o = &s->slot[i];
	if (!o->sectors_free) {
		ret = open_bucket(s, o, spare, nspare);
		if (ret)
			return ret;
	}
	if (n)
		make_newest(s, i, n);
	o->inode = req->inode;
	o->write_point = req->write_point;
	o->flash_only = flash;
	take(s, o, req, space);
	return 0;
}

int cache_sectors_alloc(struct cache_sectors *s, const struct cache_sectors_req *req,
			struct cache_sectors_space *space)
{
	enum cache_reserve reserve = req->moving ? CACHE_RESERVE_MOVINGGC : CACHE_RESERVE_NONE;
	struct cache_alloc_ptr spare[CACHE_ALLOC_PTRS_MAX];
	unsigned int nspare = 0;
	int ret = cache_sectors_try(s, req, NULL, &nspare, space);

	if (ret != -EAGAIN)
		return ret;
	ret = cache_alloc_set_get(s->members, s->nmembers, reserve, req->nptrs, req->wait, spare);
	if (ret)
		return ret;
	nspare = req->nptrs;
	return cache_sectors_try(s, req, spare, &nspare, space);
}
