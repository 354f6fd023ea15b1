/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets and journal entries with one wrong byte: their checksum tells which. */
#ifndef LIBCACHE_CORRECT_H
#define LIBCACHE_CORRECT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether exactly one of the eight bytes of @a and @b differs. */
static inline bool cache_differ_in_one_byte(uint64_t a, uint64_t b)
{
	uint64_t d = a ^ b;

	return d && !(d & ~(UINT64_C(0xff) << __builtin_ctzll(d) / 8 * 8));
}

/**
 * cache_correct_entry() - change the one byte that makes an entry's checksum right
 * @entry: a bset or a jset: checksum, magic, seq, version, number of words, content
 * @header_bytes: size of its header
 * @max_bytes: maximal length; @entry has that many bytes
 * @seed: of the checksum; NULL: none
 *
 * The byte may be one of the content, of the checksum, or of the number of words. The caller
 * must have reason to expect an entry there. Takes a few passes over @max_bytes at most.
 *
 * Return: true when @entry is valid now, or was before; false when it is unchanged.
 */
bool cache_correct_entry(void *entry, uint32_t header_bytes, uint64_t max_bytes,
			 const uint64_t *seed);

#endif
