// SPDX-License-Identifier: GPL-2.0-only
/* Selects at run time the widest passes that this machine can run. */
#include "alloc/simd.h"

#include "alloc/simd_x86.h"

const struct cache_simd_ops *cache_simd_get(enum cache_simd simd)
{
	const struct cache_simd_ops *ops = NULL;

	if (simd == CACHE_SIMD_PLAIN)
		return &cache_simd_plain;
	if (simd == CACHE_SIMD_AUTO || simd == CACHE_SIMD_AVX512)
		ops = cache_simd_avx512();
	if (!ops && simd != CACHE_SIMD_AVX512)
		ops = cache_simd_avx2();
	return ops || simd != CACHE_SIMD_AUTO ? ops : &cache_simd_plain;
}

void cache_buckets_pack(const struct cache_buckets *t, uint64_t first, size_t n,
			void *out)
{
	cache_simd_get(CACHE_SIMD_AUTO)->fill(t->rec + first, n, t->epoch, out);
}
