// SPDX-License-Identifier: GPL-2.0-only
/* The passes with AVX-512: sixteen records at a time. */
#include "alloc/simd_x86.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi,popcnt")))

struct consts {
	__m512i epoch, shift, low, span, below, even, odd;
};

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

/* Keys and numbers of the records in @mask, of sixteen from @first on. */
AVX512 static inline void emit16(struct cache_sweep *s, __mmask16 mask, __m512i key,
				 uint32_t first)
{
	__m512i number = _mm512_add_epi32(_mm512_set1_epi32(first),
			_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	const __m512i pairs = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22,
						7, 23);
	const __m512i rest = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30,
					       15, 31);
	unsigned int n = __builtin_popcount(mask);

	/* compressing to memory is slow on some processors; there is space for a whole block */
	key = _mm512_maskz_compress_epi32(mask, key);
	number = _mm512_maskz_compress_epi32(mask, number);
	_mm512_storeu_si512(s->out + s->used, _mm512_permutex2var_epi32(number, pairs, key));
	if (n > 8)
		_mm512_storeu_si512(s->out + s->used + 8,
				    _mm512_permutex2var_epi32(number, rest, key));
	s->used += n;
}

struct sixteen {
	__m512i key;
	__mmask16 in;
};

AVX512 static inline struct sixteen sweep16(const struct cache_bucket *rec,
					    const struct consts *c, __m512i *least, __m512i *most)
{
	__m512i a = _mm512_loadu_si512(rec), b = _mm512_loadu_si512(rec + 8);
	__m512i lo = _mm512_permutex2var_epi32(a, c->even, b);
	__m512i hi = _mm512_permutex2var_epi32(a, c->odd, b);
	__m512i sectors = _mm512_and_si512(_mm512_srli_epi32(lo, 18),
					   _mm512_set1_epi32(CACHE_GC_SECTORS_MAX));
	/* wrapped ones are negative */
	__m512i key = _mm512_mullo_epi32(_mm512_add_epi32(prios(lo, c->epoch), c->shift), sectors);
	__mmask16 ok = reclaimable(lo, hi), out;

	*most = _mm512_mask_max_epi32(*most, ok, *most, sectors);
	out = _mm512_mask_cmpge_epu32_mask(ok, key, c->below);
	*least = _mm512_mask_min_epi32(*least, out, *least, key);
	return (struct sixteen) {
		key, _mm512_mask_cmplt_epu32_mask(ok, _mm512_sub_epi32(key, c->low), c->span),
	};
}

AVX512 static inline void sweep_block(struct cache_sweep *s, const struct consts *c,
				      uint64_t block, __m512i *most)
{
	uint64_t pos = block * CACHE_SWEEP_BLOCK;
	__m512i least = _mm512_set1_epi32(INT32_MAX);
	struct sixteen x = sweep16(s->rec + pos, c, &least, most);
	struct sixteen y = sweep16(s->rec + pos + 16, c, &least, most);

	s->bound[block] = cache_sweep_bound(_mm512_reduce_min_epi32(least), s->scale, s->drift);
	if (_mm512_kunpackw(x.in, y.in)) {
		emit16(s, x.in, x.key, pos);
		emit16(s, y.in, y.key, pos + 16);
	}
}

/* For a group of bounds, one bit for each that is below @reach. */
AVX512 static inline uint32_t within_reach(const uint16_t *bound, uint32_t reach)
{
	return _mm512_cmplt_epu16_mask(_mm512_loadu_si512(bound), _mm512_set1_epi16(reach));
}

AVX512 static void whole_avx512(struct cache_sweep *s, uint64_t end)
{
	const struct consts c = {
		_mm512_set1_epi32(s->epoch), _mm512_set1_epi32(s->shift),
		_mm512_set1_epi32(s->low), _mm512_set1_epi32(s->below - s->low),
		_mm512_set1_epi32(s->below),
		_mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
		_mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31),
	};
	__m512i most = _mm512_set1_epi32(s->most);
	uint32_t lane;
	struct cache_walk w = cache_walk_begin(s, end, within_reach);

	while (cache_walk_next(s, &w, within_reach))
		sweep_block(s, &c, s->block, &most);
	lane = _mm512_reduce_max_epi32(most);
	s->most = lane > s->most ? lane : s->most;
}

static void sweep_avx512(struct cache_sweep *s)
{
	cache_sweep_with(s, whole_avx512);
}

/* Packs sixteen records into 48 bytes; byte k of the result is byte pick[k] of two vectors. */
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
