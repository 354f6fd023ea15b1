// SPDX-License-Identifier: GPL-2.0-only
/* The passes in portable C, and the choice of a wider version at run time. */
#include "simd.h"

#include <string.h>

#include "policy.h"
#include "simd_x86.h"

/* One record; shared by the plain pass and the tails of the others. */
void cache_sweep_one(struct cache_sweep *s)
{
	const struct cache_bucket *r = &s->rec[s->pos];
	uint32_t sectors = r->mark >> 2 & CACHE_GC_SECTORS_MAX;
	uint16_t prio = cache_bucket_prio_of(r, s->epoch);
	uint32_t key = cache_lru_key(prio, s->shift, sectors);

	if (cache_record_reclaimable(r)) {
		if (sectors && prio + s->shift < s->least)
			s->least = prio + s->shift;
		s->out[s->used] = (uint64_t)key << 32 | s->pos;
		s->used += key < s->below;
	}
	s->pos++;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WORD_SHIFT(field, bits)	(8 * offsetof(struct cache_bucket, field))
#else
#define WORD_SHIFT(field, bits)	(64 - (bits) - 8 * offsetof(struct cache_bucket, field))
#endif

/* A pin, or a mark of dirty or metadata, anywhere in a record taken as one word. */
#define WORD_TAKEN	(0xffffull << WORD_SHIFT(pin, 16) | 2ull << WORD_SHIFT(mark, 16))

/* As cache_sweep_one() for @n records: one load each, all else in registers. */
static void sweep_some(struct cache_sweep *s, uint32_t n)
{
	const struct cache_bucket *rec = s->rec + s->pos;
	uint32_t used = s->used, below = s->below;
	int32_t epoch = s->epoch, shift = s->shift, least = s->least;
	uint64_t *out = s->out, first = s->pos;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t sectors, key;
		int32_t prio;
		uint64_t w;

		memcpy(&w, rec + i, sizeof(w));
		if (w & WORD_TAKEN)
			continue;
		if ((uint8_t)((w >> WORD_SHIFT(gen, 8)) - (w >> WORD_SHIFT(last_gc, 8))) >=
		    CACHE_GC_GEN_MAX)
			continue;
		prio = (uint16_t)(w >> WORD_SHIFT(prio, 16));
		if (prio != CACHE_BTREE_PRIO)
			prio = prio > epoch ? prio - epoch : 0;
		sectors = w >> (WORD_SHIFT(mark, 16) + 2) & CACHE_GC_SECTORS_MAX;
		if (prio + shift < least && sectors)
			least = prio + shift;
		key = cache_lru_key(prio, shift, sectors);
		if (key < below)
			out[used++] = (uint64_t)key << 32 | (first + i);
	}
	s->used = used;
	s->least = least;
	s->pos = first + n;
}

static void sweep_plain(struct cache_sweep *s)
{
	while (s->pos < s->end && s->used + CACHE_SWEEP_GROUP <= s->room) {
		uint64_t left = s->end - s->pos;
		uint32_t room = s->room - s->used;	/* each may give a result */

		sweep_some(s, left < room ? left : room);
	}
}

void cache_fill_plain(const struct cache_bucket *rec, size_t n, uint32_t epoch,
		      uint8_t *out)
{
	for (size_t i = 0; i < n; i++) {
		uint16_t prio = cache_bucket_prio_of(&rec[i], epoch);

		*out++ = prio;
		*out++ = prio >> 8;
		*out++ = rec[i].gen;
	}
}

static const struct cache_simd_ops plain = {
	.name = "plain", .sweep = sweep_plain, .fill = cache_fill_plain,
};

const struct cache_simd_ops *cache_simd_get(enum cache_simd simd)
{
	const struct cache_simd_ops *ops = NULL;

	if (simd == CACHE_SIMD_PLAIN)
		return &plain;
	if (simd == CACHE_SIMD_AUTO || simd == CACHE_SIMD_AVX512)
		ops = cache_simd_avx512();
	if (!ops && simd != CACHE_SIMD_AVX512)
		ops = cache_simd_avx2();
	return ops || simd != CACHE_SIMD_AUTO ? ops : &plain;
}

void cache_buckets_pack(const struct cache_buckets *t, uint64_t first, size_t n,
			void *out)
{
	cache_simd_get(CACHE_SIMD_AUTO)->fill(t->rec + first, n, t->epoch, out);
}
