/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of 128 bytes equal a given one: 16 at a time with SSE2, otherwise 8. */
#ifndef CACHE_TAGS_H
#define CACHE_TAGS_H

#include <stdint.h>
#include <string.h>

#include "base/types.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define CACHE_TAGS	128

/* Bit @i % 64 of word @i / 64: tag @i is equal. */
struct cache_tags {
	uint64_t bits[CACHE_TAGS / 64];
};

#define CACHE_TAGS_LOW7	0x7f7f7f7f7f7f7f7full

/* The top bit of each byte of @tags that equals @which. */
static inline uint64_t cache_tags_of_8(uint64_t tags, uint8_t which)
{
	uint64_t x = tags ^ which * 0x0101010101010101ull;

	return ~(((x & CACHE_TAGS_LOW7) + CACHE_TAGS_LOW7) | x | CACHE_TAGS_LOW7);
}

static inline struct cache_tags cache_tags_find_plain(const uint8_t *tag, uint8_t which)
{
	struct cache_tags at = { { 0 } };

	for (unsigned int i = 0; i < CACHE_TAGS; i += 8) {
		cache_le64 word;
		uint64_t tops;

		memcpy(&word, tag + i, sizeof(word));
		tops = cache_tags_of_8(cache_le64_get(word), which);
		/* all eight side by side */
		at.bits[i / 64] |= ((tops >> 7) * 0x0102040810204080ull >> 56) << i % 64;
	}
	return at;
}

#ifdef __SSE2__
static inline uint64_t cache_tags_16(const uint8_t *tag, __m128i which)
{
	return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)tag), which));
}

static inline uint64_t cache_tags_64(const uint8_t *tag, __m128i which)
{
	return cache_tags_16(tag, which) | cache_tags_16(tag + 16, which) << 16 |
	       cache_tags_16(tag + 32, which) << 32 | cache_tags_16(tag + 48, which) << 48;
}
#endif

static inline struct cache_tags cache_tags_find(const uint8_t *tag, uint8_t which)
{
#ifdef __SSE2__
	__m128i all = _mm_set1_epi8(which);

	return (struct cache_tags) { { cache_tags_64(tag, all), cache_tags_64(tag + 64, all) } };
#else
	return cache_tags_find_plain(tag, which);
#endif
}

/* Removes and returns the lowest; CACHE_TAGS when there is none. */
static inline unsigned int cache_tags_next(struct cache_tags *at)
{
	for (unsigned int w = 0; w < CACHE_TAGS / 64; w++)
		if (at->bits[w]) {
			unsigned int i = __builtin_ctzll(at->bits[w]);

			at->bits[w] &= at->bits[w] - 1;
			return w * 64 + i;
		}
	return CACHE_TAGS;
}

#endif
