// SPDX-License-Identifier: GPL-2.0-only
/* The passes with AVX-512: sixteen records at a time. */
#include "simd_x86.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi,popcnt")))

struct consts {
	__m512i epoch, shift, below, even, odd;
};

/* cache_lru_key() of sixteen; @ok of those with sectors bound *@least from below. */
AVX512 static inline __m512i keys(__m512i prio, __m512i lo, __m512i shift,
				  __mmask16 ok, __m512i *least)
{
	__m512i sectors = _mm512_and_si512(_mm512_srli_epi32(lo, 18),
					   _mm512_set1_epi32(CACHE_GC_SECTORS_MAX));
	__m512i bracket = _mm512_add_epi32(prio, shift);
	__m512i key = _mm512_mullo_epi32(bracket, sectors);
	__m512i low = _mm512_and_si512(bracket,
			_mm512_set1_epi32((1 << CACHE_KEY_BRACKET_BITS) - 1));
	__m512i high = _mm512_or_si512(_mm512_set1_epi32(CACHE_KEY_WRAPPED),
			_mm512_slli_epi32(sectors, CACHE_KEY_BRACKET_BITS));
	__mmask16 some = _mm512_test_epi32_mask(sectors, sectors), wrapped;

	wrapped = _mm512_mask_cmplt_epi32_mask(some, bracket, _mm512_setzero_si512());
	*least = _mm512_mask_min_epi32(*least, ok & some, *least, bracket);
	return _mm512_mask_or_epi32(key, wrapped, low, high);
}

AVX512 static inline __m512i prios(__m512i lo, __m512i epoch)
{
	__m512i btree = _mm512_set1_epi32(CACHE_BTREE_PRIO);
	__m512i p = _mm512_and_si512(lo, btree);
	__mmask16 ages = _mm512_cmpneq_epi32_mask(p, btree);

	return _mm512_mask_max_epi32(p, ages, _mm512_sub_epi32(p, epoch),
				     _mm512_setzero_si512());
}

AVX512 static inline __mmask16 reclaimable(__m512i lo, __m512i hi)
{
	__m512i lag = _mm512_sub_epi32(hi, _mm512_srli_epi32(hi, 8));
	__mmask16 in;

	lag = _mm512_and_si512(lag, _mm512_set1_epi32(0xff));
	in = _mm512_cmplt_epi32_mask(lag, _mm512_set1_epi32(CACHE_GC_GEN_MAX));
	in = _mm512_mask_testn_epi32_mask(in, lo, _mm512_set1_epi32(2 << 16));
	return _mm512_mask_testn_epi32_mask(in, hi, _mm512_set1_epi32(0xffff0000));
}

AVX512 static inline void emit8(struct cache_sweep *s, __mmask8 mask, __m256i key,
				uint64_t first)
{
	__m512i index = _mm512_add_epi64(_mm512_set1_epi64(first),
					 _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
	__m512i v = _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(key), 32), index);

	/* compressing to memory is slow on some; there is room for a group */
	_mm512_storeu_si512(s->out + s->used, _mm512_maskz_compress_epi64(mask, v));
	s->used += __builtin_popcount(mask);
}

AVX512 static inline void sweep16(struct cache_sweep *s, const struct consts *c,
				  __m512i *least)
{
	__m512i a = _mm512_loadu_si512(s->rec + s->pos);
	__m512i b = _mm512_loadu_si512(s->rec + s->pos + 8);
	__m512i lo = _mm512_permutex2var_epi32(a, c->even, b);
	__m512i hi = _mm512_permutex2var_epi32(a, c->odd, b);
	__mmask16 ok = reclaimable(lo, hi), in;
	__m512i key = keys(prios(lo, c->epoch), lo, c->shift, ok, least);

	in = _mm512_mask_cmplt_epu32_mask(ok, key, c->below);
	if (in) {
		emit8(s, in, _mm512_castsi512_si256(key), s->pos);
		emit8(s, in >> 8, _mm512_extracti64x4_epi64(key, 1), s->pos + 8);
	}
}

AVX512 static void sweep_avx512(struct cache_sweep *s)
{
	const struct consts c = {
		_mm512_set1_epi32(s->epoch), _mm512_set1_epi32(s->shift),
		_mm512_set1_epi32(s->below),
		_mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
		_mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31),
	};
	__m512i least = _mm512_set1_epi32(INT32_MAX);
	int32_t lane;

	while (s->pos + CACHE_SWEEP_GROUP <= s->end &&
	       s->used + CACHE_SWEEP_GROUP <= s->room) {
		sweep16(s, &c, &least);
		s->pos += CACHE_SWEEP_GROUP;
	}
	while (s->pos < s->end && s->used + CACHE_SWEEP_GROUP <= s->room)
		cache_sweep_one(s);
	lane = _mm512_reduce_min_epi32(least);
	s->least = lane < s->least ? lane : s->least;
}

/* Sixteen records to 48 bytes; byte k of the result is byte pick[k] of two vectors. */
AVX512 static void fill_avx512(const struct cache_bucket *rec, size_t n, uint32_t epoch,
			       uint8_t *out)
{
	const __m512i ep = _mm512_set1_epi64(epoch);
	uint8_t pick[64] = { 0 };
	__m512i order;
	size_t i;

	for (i = 0; i < 48; i++)
		pick[i] = i / 3 * 8 + (i % 3 == 2 ? 4 : i % 3);
	order = _mm512_loadu_si512(pick);
	for (i = 0; i + 16 <= n; i += 16, out += 48) {
		__m512i v[2];

		for (int k = 0; k < 2; k++) {
			__m512i r = _mm512_loadu_si512(rec + i + 8 * k);
			/* word 0 of an unpinned record, unless it says btree */
			__mmask8 ages = _mm512_cmplt_epu64_mask(r, _mm512_set1_epi64(1ll << 48));
			__m512i p = _mm512_and_si512(r, _mm512_set1_epi64(CACHE_BTREE_PRIO));

			ages = _mm512_mask_cmpneq_epu64_mask(ages, p,
							     _mm512_set1_epi64(CACHE_BTREE_PRIO));
			v[k] = _mm512_subs_epu16(r, _mm512_maskz_mov_epi64(ages, ep));
		}
		_mm512_mask_storeu_epi8(out, (1ull << 48) - 1,
					_mm512_permutex2var_epi8(v[0], order, v[1]));
	}
	cache_fill_plain(rec + i, n - i, epoch, out);
}

static const struct cache_simd_ops ops = {
	.name = "avx512", .sweep = sweep_avx512, .fill = fill_avx512,
};

const struct cache_simd_ops *cache_simd_avx512(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512vbmi") ? &ops : NULL;
}
#else
const struct cache_simd_ops *cache_simd_avx512(void)
{
	return NULL;
}
#endif
