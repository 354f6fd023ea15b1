/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets and journal entries of which one byte is wrong: their checksum says which. */
#ifndef LIBCACHE_CORRECT_H
#define LIBCACHE_CORRECT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether exactly one of the eight bytes of @a and @b is not the same. */
static inline bool cache_differ_in_one_byte(uint64_t a, uint64_t b)
{
	uint64_t d = a ^ b;

	return d && !(d & ~(UINT64_C(0xff) << __builtin_ctzll(d) / 8 * 8));
}

/**
 * cache_correct_entry() - change the one byte that makes an entry's checksum right
 * @entry: a bset or a jset: checksum, magic, seq, version, number of words, content
 * @header_bytes: of one of its kind
 * @max_bytes: how long it can be at most, all of it in @entry
 * @seed: of the checksum; NULL: none
 *
 * The byte may be one of the content, of the checksum, or of the number of words. The caller
 * has reason to believe that there is such an entry. Takes one pass over the content, and
 * one for each length that a changed byte of the number of words could mean.
 *
 * Return: true and @entry is right, or was; false and it is as it was.
 */
bool cache_correct_entry(void *entry, uint32_t header_bytes, uint64_t max_bytes,
			 const uint64_t *seed);

#endif
