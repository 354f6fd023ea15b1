// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory and cables typically flip one bit, or damage one byte. The difference between the
 * stored checksum and the computed one tells where it is.
 */
#include "format/correct.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc64.h"
#include "format/ondisk.h"

/* What bsets and jsets begin with. */
struct head {
	cache_le64 csum, magic, seq;
	cache_le32 version, nwords;
};
static_assert(sizeof(struct head) == sizeof(struct cache_bset_disk), "a bset's header");
static_assert(offsetof(struct head, nwords) == offsetof(struct cache_bset_disk, keys) &&
	      offsetof(struct head, nwords) == offsetof(struct cache_jset_disk, keys),
	      "they agree where the number of words stands");

#define NWORDS_AT	offsetof(struct head, nwords)

struct entry {
	struct head *head;
	char *bytes;
	uint32_t header_bytes;
	uint64_t max_bytes;
};

static uint64_t length(const struct entry *e)
{
	return e->header_bytes + 8 * (uint64_t)cache_le32_get(e->head->nwords);
}

static uint64_t checksum(const struct entry *e, const uint64_t *seed)
{
	const char *from = e->bytes + sizeof(e->head->csum);
	uint64_t nbytes = length(e) - sizeof(e->head->csum);

	return seed ? cache_crc64_seeded(*seed, from, nbytes) : cache_crc64(from, nbytes);
}

/* The byte at @at, and the one of a number there, as it should be. */
static struct cache_correction byte_of(size_t at, uint64_t difference)
{
	unsigned i = difference ? __builtin_ctzll(difference) / 8 : 0;

	return (struct cache_correction){ at + i, difference >> 8 * i };
}

/* Its length is right, and one byte of the content or of the checksum is wrong. */
static bool correct_content(const struct entry *e, const uint64_t *seed,
			    struct cache_correction *done)
{
	uint64_t computed, stored = cache_le64_get(e->head->csum);
	uint8_t flip;
	size_t at;

	if (length(e) > e->max_bytes)
		return false;
	computed = checksum(e, seed);
	if (computed == stored)
		return true;
	if (cache_differ_in_one_byte(computed, stored)) {
		e->head->csum = cache_le64_of(computed);
		*done = byte_of(0, computed ^ stored);
		return true;
	}
	if (!cache_crc64_locate(computed ^ stored, length(e) - sizeof(e->head->csum), &at,
				&flip))
		return false;
	at += sizeof(e->head->csum);
	if (at >= NWORDS_AT && at < NWORDS_AT + sizeof(e->head->nwords))
		return false;	/* then the length was wrong, and so is this */
	e->bytes[at] ^= flip;
	*done = byte_of(at, flip);
	return true;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The numbers of words that differ from @e's in one byte and fit, least first. Return: how many. */
static unsigned other_lengths(const struct entry *e, uint32_t nwords[4 * 255])
{
	uint32_t was = cache_le32_get(e->head->nwords);
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(was); i++)
		for (uint32_t v = 1; v < 256; v++) {
			nwords[n] = was ^ v << 8 * i;
			n += e->header_bytes + 8 * (uint64_t)nwords[n] <= e->max_bytes;
		}
	/* 1020 at most */
	qsort(nwords, n, sizeof(*nwords), by_number);
	return n;
}

/*
 * What the number of words adds to the checksum is computed apart from the rest, so that one pass
 * over the content does for all lengths.
 */
static bool correct_length(const struct entry *e, const uint64_t *seed,
			   struct cache_correction *done)
{
	uint32_t nwords[4 * 255], was = cache_le32_get(e->head->nwords);
	uint64_t stored = cache_le64_get(e->head->csum), summed = sizeof(e->head->csum);
	uint64_t sum = seed ? cache_crc64_seeded(*seed, NULL, 0) : cache_crc64(NULL, 0);
	struct cache_crc64_shift shift = { 0 };

	for (unsigned i = 0, n = other_lengths(e, nwords); i < n; i++) {
		uint64_t nbytes = e->header_bytes + 8 * (uint64_t)nwords[i];
		uint32_t behind = nbytes - NWORDS_AT - sizeof(e->head->nwords);
		cache_le32 flip = cache_le32_of(was ^ nwords[i]);

		sum = cache_crc64_seeded(~sum, e->bytes + summed, nbytes - summed);
		summed = nbytes;
		if ((sum ^ cache_crc64_shifted(&shift, &flip, sizeof(flip), behind)) != stored)
			continue;
		e->head->nwords = cache_le32_of(nwords[i]);
		*done = byte_of(NWORDS_AT, was ^ nwords[i]);
		return true;
	}
	return false;
}

bool cache_correct_entry(void *entry, uint32_t header_bytes, uint64_t max_bytes,
			 const uint64_t *seed, struct cache_correction *done)
{
	struct entry e = { entry, entry, header_bytes, max_bytes };
	struct cache_correction ignored;

	if (!done)
		done = &ignored;
	*done = (struct cache_correction){ 0 };
	return correct_content(&e, seed, done) || correct_length(&e, seed, done);
}
