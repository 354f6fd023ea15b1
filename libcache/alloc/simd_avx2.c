// SPDX-License-Identifier: GPL-2.0-only
/* The passes with AVX2: eight records at a time. */
#include "alloc/simd_x86.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi")))

struct consts {
	__m256i epoch, shift, low, span, below;	/* the last two biased, to compare signed */
};

struct least_most {
	__m256i least, most;
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
			       struct least_most *lm)
{
	__m256i bias = _mm256_set1_epi32(CACHE_KEY_WRAPPED), lo, hi, ok, key, sectors, in, out;
	unsigned int mask;

	load8(s->rec + pos, &lo, &hi);
	ok = reclaimable(lo, hi);
	sectors = _mm256_and_si256(_mm256_srli_epi32(lo, 18),
				   _mm256_set1_epi32(CACHE_GC_SECTORS_MAX));
	/* wrapped ones are negative */
	key = _mm256_mullo_epi32(_mm256_add_epi32(prios(lo, c->epoch), c->shift), sectors);
	lm->most = _mm256_max_epi32(lm->most, _mm256_and_si256(sectors, ok));
	out = _mm256_andnot_si256(_mm256_cmpgt_epi32(c->below, _mm256_xor_si256(key, bias)), ok);
	lm->least = _mm256_min_epi32(lm->least,
			_mm256_blendv_epi8(_mm256_set1_epi32(INT32_MAX), key, out));
	in = _mm256_xor_si256(_mm256_sub_epi32(key, c->low), bias);
	in = _mm256_and_si256(_mm256_cmpgt_epi32(c->span, in), ok);
	mask = _mm256_movemask_ps(_mm256_castsi256_ps(in));
	if (mask)
		emit(s, mask, key, pos);
}

AVX2 static inline int32_t least_of(__m256i v)
{
	__m128i m = _mm_min_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	m = _mm_min_epi32(m, _mm_shuffle_epi32(m, 0x4e));
	m = _mm_min_epi32(m, _mm_shuffle_epi32(m, 0xb1));
	return _mm_cvtsi128_si32(m);
}

AVX2 static inline void sweep_block(struct cache_sweep *s, const struct consts *c,
				    uint64_t block, __m256i *most)
{
	struct least_most lm = { _mm256_set1_epi32(INT32_MAX), *most };

	for (int i = 0; i < CACHE_SWEEP_BLOCK; i += 8)
		sweep8(s, c, block * CACHE_SWEEP_BLOCK + i, &lm);
	*most = lm.most;
	s->bound[block] = cache_sweep_bound(least_of(lm.least), s->scale, s->drift);
}

/* For a group of bounds, one bit for each that is below @reach. */
AVX2 static inline uint32_t within_reach(const uint16_t *bound, uint32_t reach)
{
	__m256i r = _mm256_set1_epi16(reach), zero = _mm256_setzero_si256();
	__m256i a = _mm256_subs_epu16(r, _mm256_loadu_si256((const __m256i *)bound));
	__m256i b = _mm256_subs_epu16(r, _mm256_loadu_si256((const __m256i *)(bound + 16)));

	a = _mm256_packs_epi16(_mm256_cmpeq_epi16(a, zero), _mm256_cmpeq_epi16(b, zero));
	return ~_mm256_movemask_epi8(_mm256_permute4x64_epi64(a, 0xd8));
}

AVX2 static void whole_avx2(struct cache_sweep *s, uint64_t end)
{
	const struct consts c = {
		_mm256_set1_epi32(s->epoch), _mm256_set1_epi32(s->shift),
		_mm256_set1_epi32(s->low),
		_mm256_set1_epi32((s->below - s->low) ^ CACHE_KEY_WRAPPED),
		_mm256_set1_epi32(s->below ^ CACHE_KEY_WRAPPED),
	};
	__m256i most = _mm256_set1_epi32(s->most);
	struct cache_walk w = cache_walk_begin(s, end, within_reach);

	while (cache_walk_next(s, &w, within_reach))
		sweep_block(s, &c, s->block, &most);
	most = _mm256_sub_epi32(_mm256_setzero_si256(), most);
	s->most = (uint32_t)-least_of(most) > s->most ? (uint32_t)-least_of(most) : s->most;
}

static void sweep_avx2(struct cache_sweep *s)
{
	cache_sweep_with(s, whole_avx2);
}

/* Packs four records into twelve bytes, six from each half of the vector. */
AVX2 static void fill_avx2(const struct cache_bucket *rec, size_t n, uint32_t epoch,
			   uint8_t *out)
{
	const __m256i pack = _mm256_setr_epi8(
		0, 1, 4, 8, 9, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
		0, 1, 4, 8, 9, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	const __m256i ep = _mm256_set1_epi64x(epoch), btree = _mm256_set1_epi64x(CACHE_BTREE_PRIO);
	size_t i = 0;

	/* the last store writes four bytes past the result */
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
