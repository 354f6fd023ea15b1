// SPDX-License-Identifier: GPL-2.0-only
/* The passes with AVX2: eight records at a time. */
#include "simd_x86.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi")))

struct consts {
	__m256i epoch, shift, below;
};

/* Eight records as two vectors: prio and mark, and the rest; in order. */
AVX2 static inline void load8(const struct cache_bucket *rec, __m256i *lo, __m256i *hi)
{
	__m256 a = _mm256_loadu_ps((const float *)rec);
	__m256 b = _mm256_loadu_ps((const float *)(rec + 4));
	__m256i l = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
	__m256i h = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));

	*lo = _mm256_permute4x64_epi64(l, 0xd8);
	*hi = _mm256_permute4x64_epi64(h, 0xd8);
}

/* True priorities of unpinned records. */
AVX2 static inline __m256i prios(__m256i lo, __m256i epoch)
{
	__m256i btree = _mm256_set1_epi32(CACHE_BTREE_PRIO);
	__m256i p = _mm256_and_si256(lo, btree);
	__m256i aged = _mm256_max_epi32(_mm256_sub_epi32(p, epoch), _mm256_setzero_si256());

	return _mm256_blendv_epi8(aged, p, _mm256_cmpeq_epi32(p, btree));
}

/* All ones where the driver may invalidate. */
AVX2 static inline __m256i reclaimable(__m256i lo, __m256i hi)
{
	__m256i dirty = _mm256_and_si256(lo, _mm256_set1_epi32(2 << 16));
	__m256i pin = _mm256_srli_epi32(hi, 16);
	__m256i lag = _mm256_and_si256(_mm256_sub_epi32(hi, _mm256_srli_epi32(hi, 8)),
				       _mm256_set1_epi32(0xff));
	__m256i in = _mm256_cmpgt_epi32(_mm256_set1_epi32(CACHE_GC_GEN_MAX), lag);
	__m256i out = _mm256_or_si256(dirty, pin);

	return _mm256_and_si256(in, _mm256_cmpeq_epi32(out, _mm256_setzero_si256()));
}

/*
 * cache_lru_key() of eight; *@brackets receives what the priority amounts to, where
 * there are sectors.
 */
AVX2 static inline __m256i keys(__m256i prio, __m256i lo, __m256i shift, __m256i *brackets)
{
	__m256i sectors = _mm256_and_si256(_mm256_srli_epi32(lo, 18),
					   _mm256_set1_epi32(CACHE_GC_SECTORS_MAX));
	__m256i none = _mm256_cmpeq_epi32(sectors, _mm256_setzero_si256());
	__m256i bracket = _mm256_add_epi32(prio, shift);
	__m256i key = _mm256_mullo_epi32(bracket, sectors);
	__m256i low = _mm256_and_si256(bracket,
			_mm256_set1_epi32((1 << CACHE_KEY_BRACKET_BITS) - 1));
	__m256i high = _mm256_or_si256(_mm256_set1_epi32(CACHE_KEY_WRAPPED),
			_mm256_slli_epi32(sectors, CACHE_KEY_BRACKET_BITS));
	__m256i wrapped = _mm256_andnot_si256(none, _mm256_srai_epi32(bracket, 31));

	*brackets = _mm256_blendv_epi8(bracket, _mm256_set1_epi32(INT32_MAX), none);
	return _mm256_blendv_epi8(key, _mm256_or_si256(low, high), wrapped);
}

AVX2 static inline void emit(struct cache_sweep *s, unsigned int mask, __m256i key,
			     uint64_t first)
{
	uint32_t k[8];

	_mm256_storeu_si256((__m256i *)k, key);
	for (; mask; mask &= mask - 1) {
		unsigned int i = __builtin_ctz(mask);

		s->out[s->used++] = (uint64_t)k[i] << 32 | (first + i);
	}
}

AVX2 static inline void sweep8(struct cache_sweep *s, const struct consts *c, uint64_t pos,
			       __m256i *least)
{
	__m256i bias = _mm256_set1_epi32(CACHE_KEY_WRAPPED), lo, hi, ok, key, bracket, in;
	unsigned int mask;

	load8(s->rec + pos, &lo, &hi);
	ok = reclaimable(lo, hi);
	key = keys(prios(lo, c->epoch), lo, c->shift, &bracket);
	bracket = _mm256_blendv_epi8(_mm256_set1_epi32(INT32_MAX), bracket, ok);
	*least = _mm256_min_epi32(*least, bracket);
	in = _mm256_cmpgt_epi32(c->below, _mm256_xor_si256(key, bias));
	mask = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_and_si256(in, ok)));
	if (mask)
		emit(s, mask, key, pos);
}

AVX2 static void sweep_avx2(struct cache_sweep *s)
{
	const struct consts c = {
		_mm256_set1_epi32(s->epoch), _mm256_set1_epi32(s->shift),
		_mm256_set1_epi32(s->below ^ CACHE_KEY_WRAPPED),
	};
	__m256i least = _mm256_set1_epi32(INT32_MAX);
	int32_t lane[8];

	while (s->pos + CACHE_SWEEP_GROUP <= s->end &&
	       s->used + CACHE_SWEEP_GROUP <= s->room) {
		sweep8(s, &c, s->pos, &least);
		sweep8(s, &c, s->pos + 8, &least);
		s->pos += CACHE_SWEEP_GROUP;
	}
	while (s->pos < s->end && s->used + CACHE_SWEEP_GROUP <= s->room)
		cache_sweep_one(s);
	_mm256_storeu_si256((__m256i *)lane, least);
	for (int i = 0; i < 8; i++)
		s->least = lane[i] < s->least ? lane[i] : s->least;
}

/* Four records to twelve bytes, six from each half of the vector. */
AVX2 static void fill_avx2(const struct cache_bucket *rec, size_t n, uint32_t epoch,
			   uint8_t *out)
{
	const __m256i pack = _mm256_setr_epi8(
		0, 1, 4, 8, 9, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
		0, 1, 4, 8, 9, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const __m256i ep = _mm256_set1_epi64x(epoch), btree = _mm256_set1_epi64x(CACHE_BTREE_PRIO);
	size_t i = 0;

	/* the last store writes four bytes more than it fills */
	for (; i + 6 <= n; i += 4, out += 12) {
		__m256i r = _mm256_loadu_si256((const __m256i *)(rec + i));
		__m256i p = _mm256_and_si256(r, btree);
		__m256i pin = _mm256_srli_epi64(r, 48);
		__m256i keep = _mm256_cmpgt_epi64(pin, _mm256_setzero_si256());
		__m256i aged = _mm256_subs_epu16(p, ep);
		__m128i a, b;

		keep = _mm256_or_si256(keep, _mm256_cmpeq_epi64(p, btree));
		p = _mm256_blendv_epi8(aged, p, keep);
		r = _mm256_shuffle_epi8(_mm256_blend_epi16(r, p, 0x11), pack);
		a = _mm256_castsi256_si128(r);
		b = _mm256_extracti128_si256(r, 1);
		_mm_storeu_si128((__m128i *)out, _mm_or_si128(a, _mm_slli_si128(b, 6)));
	}
	cache_fill_plain(rec + i, n - i, epoch, out);
}

static const struct cache_simd_ops ops = {
	.name = "avx2", .sweep = sweep_avx2, .fill = fill_avx2,
};

const struct cache_simd_ops *cache_simd_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") ? &ops : NULL;
}
#else
const struct cache_simd_ops *cache_simd_avx2(void)
{
	return NULL;
}
#endif
