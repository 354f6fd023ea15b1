// SPDX-License-Identifier: GPL-2.0-only
/* Keys from and to their words, and the rules that make one valid (format 5). */
#include "format/bkey.h"

#include "format/members.h"

unsigned cache_bkey_decode(const cache_le64 *words, uint64_t nwords, struct cache_bkey *k)
{
	unsigned n;

	if (nwords < CACHE_BKEY_WORDS_MIN)
		return 0;
	k->high = cache_le64_get(words[0]);
	k->low = cache_le64_get(words[1]);
	n = cache_bkey_words(k);
	if (n > nwords)
		return 0;
	for (unsigned i = CACHE_BKEY_WORDS_MIN; i < n; i++)
		k->ptr[i - CACHE_BKEY_WORDS_MIN] = cache_le64_get(words[i]);
	return n;
}

unsigned cache_bkey_encode(const struct cache_bkey *k, cache_le64 *words)
{
	unsigned n = cache_bkey_words(k);

	words[0] = cache_le64_of(k->high);
	words[1] = cache_le64_of(k->low);
	for (unsigned i = CACHE_BKEY_WORDS_MIN; i < n; i++)
		words[i] = cache_le64_of(k->ptr[i - CACHE_BKEY_WORDS_MIN]);
	return n;
}

bool cache_ptr_is_available(const struct cache_sb *sb, const struct cache_bkey *k, unsigned i)
{
	unsigned dev = cache_ptr_dev(k->ptr[i]);

	if (sb->members)
		return dev < CACHE_MAX_CACHES_PER_SET && sb->members->m[dev].present;
	/* With one member the driver resolves every device below 8 to it. */
	if (sb->nr_in_set == 1)
		return dev < CACHE_MAX_CACHES_PER_SET;
	return dev == sb->nr_this_dev;
}

uint64_t cache_ptr_place(const struct cache_sb *sb, const struct cache_bkey *k, unsigned i)
{
	uint64_t sector = cache_ptr_sector(k->ptr[i]);
	const struct cache_member_place *m;

	if (!sb->members)
		return sector;
	if (!cache_ptr_is_available(sb, k, i))
		return UINT64_MAX;
	m = &sb->members->m[cache_ptr_dev(k->ptr[i])];
	/* what is past its device must not be taken for another one's */
	if (sector / sb->bucket_sectors >= m->nbuckets)
		return UINT64_MAX;
	return m->base * sb->bucket_sectors + sector;
}

uint64_t cache_ptr_bucket(const struct cache_sb *sb, const struct cache_bkey *k, unsigned i)
{
	return cache_ptr_place(sb, k, i) / sb->bucket_sectors;
}

/* Of the device that pointer @i leads to: its number there, and what it may be. */
static uint64_t local_bucket(const struct cache_sb *sb, const struct cache_bkey *k, unsigned i,
			     uint64_t *first, uint64_t *nbuckets)
{
	const struct cache_member_place *m =
		sb->members ? &sb->members->m[cache_ptr_dev(k->ptr[i])] : NULL;

	*first = m ? m->first_bucket : sb->first_bucket;
	*nbuckets = m ? m->nbuckets : sb->nbuckets;
	return cache_ptr_sector(k->ptr[i]) / sb->bucket_sectors;
}

static const char *range_invalid(const struct cache_sb *sb, const struct cache_bkey *k)
{
	for (unsigned i = 0; i < cache_key_ptrs(k); i++) {
		uint64_t bucket, first, nbuckets, rest;

		if (!cache_ptr_is_available(sb, k, i))
			continue;
		bucket = local_bucket(sb, k, i, &first, &nbuckets);
		rest = cache_ptr_sector(k->ptr[i]) % sb->bucket_sectors;
		if (cache_key_size(k) + rest > sb->bucket_sectors)
			return "goes past the end of its bucket";
		if (bucket < first)
			return "points before the first bucket";
		if (bucket >= nbuckets)
			return "points past the end of the device";
	}
	return NULL;
}

const char *cache_extent_invalid(const struct cache_sb *sb, const struct cache_bkey *k)
{
	if (cache_key_size(k) > k->low)
		return "is larger than its end";
	return range_invalid(sb, k);
}

const char *cache_btree_ptr_invalid(const struct cache_sb *sb, const struct cache_bkey *k)
{
	if (!cache_key_ptrs(k))
		return "has no pointer";
	if (!cache_key_size(k))
		return "has size 0";
	if (cache_key_dirty(k))
		return "is marked dirty";
	return range_invalid(sb, k);
}

void cache_bkey_cut_front(struct cache_bkey *k, uint64_t start)
{
	uint64_t cut = start - cache_key_start(k);

	for (unsigned i = 0; i < cache_key_ptrs(k); i++)
		k->ptr[i] += cut << 8;
	cache_bkey_set_size(k, cache_key_size(k) - cut);
}

void cache_bkey_cut_back(struct cache_bkey *k, uint64_t end)
{
	cache_bkey_set_size(k, cache_key_size(k) - (k->low - end));
	k->low = end;
}
