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

/* The byte that was changed. */
struct cache_correction {
	uint64_t at;	/* offset in the entry */
	uint8_t flip;	/* its bits that changed; 0: it was right before */
};

/**
 * cache_correct_entry() - change the one byte that makes an entry's checksum right
 * @entry: a bset or a jset: checksum, magic, seq, version, number of words, content
 * @header_bytes: size of its header
 * @max_bytes: maximal length; @entry has that many bytes
 * @seed: of the checksum; NULL: none
 * @done: which byte was changed; may be NULL
 *
 * The byte may be one of the content, of the checksum, or of the number of words. The caller
 * must have reason to expect an entry there, and judges what the header says now.
 *
 * Time: at most three passes over @max_bytes, two for the content (its checksum, and which byte
 * explains the difference) and one for the number of words, of which 1020 are tried, each with a
 * checksum of four bytes. Memory: 4 KiB of stack.
 *
 * Return: true when @entry is valid now, or was before; false when it is unchanged.
 */
bool cache_correct_entry(void *entry, uint32_t header_bytes, uint64_t max_bytes,
			 const uint64_t *seed, struct cache_correction *done);

#endif
