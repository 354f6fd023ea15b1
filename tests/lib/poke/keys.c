// SPDX-License-Identifier: GPL-2.0-only
/* Keys: their fields, new ones from text, and finding one among words. */
#include <stdlib.h>
#include <string.h>

#include "poke.h"

static uint64_t set_bits(uint64_t word, unsigned shift, unsigned nbits, uint64_t v)
{
	uint64_t mask = (UINT64_C(1) << nbits) - 1;

	return (word & ~(mask << shift)) | (v & mask) << shift;
}

static uint64_t bits_of(uint64_t word, unsigned shift, unsigned nbits)
{
	return word >> shift & ((UINT64_C(1) << nbits) - 1);
}

static const struct {
	const char *name;
	unsigned word, shift, nbits;	/* word 2: the pointer that the index names */
} key_fields[] = {
	{ "inode", 0, 0, 20 }, { "size", 0, 20, 16 }, { "dirty", 0, 36, 1 },
	{ "ptrs", 0, 60, 3 },  { "offset", 1, 0, 63 },
	{ "gen", 2, 0, 8 },    { "sector", 2, 8, 43 }, { "dev", 2, 51, 12 },
};

/* "bucket" keeps the place in the bucket, "rest" is that place, in sectors */
static uint64_t set_place(const struct poke *p, uint64_t ptr, bool rest, const char *value)
{
	uint64_t size = p->set->sb.bucket_sectors, at = cache_ptr_sector(ptr);
	uint64_t v = poke_number(p, value, rest ? at % size : at / size);

	return set_bits(ptr, 8, 43, rest ? at / size * size + v : v * size + at % size);
}

/* A pointer into a bucket gets the gen that the bucket has, unless told another. */
static void match_gen(const struct poke *p, cache_le64 *word)
{
	uint64_t ptr = cache_le64_get(*word);
	uint64_t bucket = cache_ptr_sector(ptr) / p->set->sb.bucket_sectors;

	if (bucket < p->set->buckets.nbuckets)
		*word = cache_le64_of(set_bits(ptr, 0, 8,
				      cache_bucket_gen(&p->set->buckets, bucket)));
}

void poke_set_key(const struct poke *p, cache_le64 *words, const char *field,
		  const char *index, const char *value)
{
	cache_le64 *ptr = words + CACHE_BKEY_WORDS_MIN +
			  (index ? poke_index(p, index, CACHE_BKEY_PTRS_MAX) : 0);
	uint64_t v = cache_le64_get(*ptr);

	if (!strcmp(field, "bucket") || !strcmp(field, "rest")) {
		*ptr = cache_le64_of(set_place(p, v, *field == 'r', value));
		match_gen(p, ptr);
		return;
	}
	for (size_t i = 0; i < sizeof(key_fields) / sizeof(*key_fields); i++) {
		unsigned shift = key_fields[i].shift, nbits = key_fields[i].nbits;
		cache_le64 *w = key_fields[i].word < 2 ? words + key_fields[i].word : ptr;

		if (strcmp(field, key_fields[i].name))
			continue;
		v = cache_le64_get(*w);
		*w = cache_le64_of(set_bits(v, shift, nbits,
				   poke_number(p, value, bits_of(v, shift, nbits))));
		return;
	}
	poke_fail("a key has no field \"%s\"", field);
}

static void begin_like(const struct poke *p, const char *index, const struct cache_keys *like,
		       cache_le64 *words)
{
	if (!like)
		poke_fail("there are no keys that one could be like");
	cache_bkey_encode(&like->k[poke_index(p, index, like->n)], words);
}

/* One "{field=value,...}"; returns what follows it. */
static const char *parse_key(const struct poke *p, const char *s, const struct cache_keys *like,
			     cache_le64 *words)
{
	struct cache_bkey k = cache_bkey_make(0, 0, 0, false);

	cache_bkey_set_ptrs(&k, 1);
	cache_bkey_encode(&k, words);
	if (*s++ != '{')
		poke_fail("expected {field=value,...} at \"%s\"", s - 1);
	while (*s != '}') {
		size_t n = strcspn(s, "="), m = strcspn(s, ",}");
		char field[32] = "", value[64] = "";

		if (n >= m || n >= sizeof(field) || m - n > sizeof(value))
			poke_fail("expected field=value at \"%s\"", s);
		memcpy(field, s, n);
		memcpy(value, s + n + 1, m - n - 1);
		if (!strcmp(field, "like"))
			begin_like(p, value, like, words);
		else
			poke_set_key(p, words, field, NULL, value);
		s += m + (s[m] == ',');
	}
	return s + 1;
}

uint32_t poke_keys_parse(const struct poke *p, const char *s, const struct cache_keys *like,
			 cache_le64 *words, uint32_t capacity)
{
	uint32_t used = 0;

	if (!strcmp(s, "none"))
		return 0;
	for (;;) {
		cache_le64 key[CACHE_BKEY_WORDS_MAX] = { 0 };
		uint32_t n;

		s = parse_key(p, s, like, key);
		n = CACHE_BKEY_WORDS_MIN + (cache_le64_get(key[0]) >> 60 & 7);
		if (n > capacity - used)
			poke_fail("no space for so many keys");
		memcpy(words + used, key, 8 * n);
		used += n;
		if (!*s)
			return used;
		if (*s++ != ';')
			poke_fail("expected ; between keys at \"%s\"", s - 1);
	}
}

uint32_t poke_key_at(const struct poke *p, const cache_le64 *words, uint32_t nwords,
		     const char *index)
{
	uint64_t want = strcmp(index, "last") ? poke_number(p, index, 0) : UINT64_MAX;
	uint32_t at = 0, before = 0;
	struct cache_bkey k;

	for (uint64_t i = 0;; i++) {
		unsigned n = cache_bkey_decode(words + at, nwords - at, &k);

		if (i == want && n)
			return at;
		if (!n)
			break;
		before = at;
		at += n;
	}
	if (want != UINT64_MAX || !at)
		poke_fail("there is no key %s", index);
	return before;
}
