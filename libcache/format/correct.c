// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory and cables typically flip one bit, or damage one byte. The difference between the
 * stored checksum and the computed one tells where it is.
 */
#include "format/correct.h"

#include <stddef.h>
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
	const uint64_t *seed;
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

/* Its length is right, and one byte of the content or of the checksum is wrong. */
static bool correct_content(const struct entry *e, const uint64_t *seed)
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
		return true;
	}
	if (!cache_crc64_locate(computed ^ stored, length(e) - sizeof(e->head->csum), &at,
				&flip))
		return false;
	at += sizeof(e->head->csum);
	if (at >= NWORDS_AT && at < NWORDS_AT + sizeof(e->head->nwords))
		return false;	/* then the length was wrong, and so is this */
	e->bytes[at] ^= flip;
	return true;
}

static bool correct_length(const struct entry *e)
{
	cache_le32 was = e->head->nwords;

	for (unsigned i = 0; i < sizeof(was); i++)
		for (unsigned v = 1; v < 256; v++) {
			e->bytes[NWORDS_AT + i] ^= v;
			if (length(e) <= e->max_bytes &&
			    checksum(e, e->seed) == cache_le64_get(e->head->csum))
				return true;
			e->head->nwords = was;
		}
	return false;
}

bool cache_correct_entry(void *entry, uint32_t header_bytes, uint64_t max_bytes,
			 const uint64_t *seed)
{
	struct entry e = { entry, entry, header_bytes, max_bytes, seed };

	return correct_content(&e, seed) || correct_length(&e);
}
