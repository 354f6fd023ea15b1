/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CACHE_SIMD_X86_H
#define CACHE_SIMD_X86_H

#include "simd.h"

void cache_sweep_one(struct cache_sweep *s);
void cache_fill_plain(const struct cache_bucket *rec, size_t n, uint32_t epoch,
		      uint8_t *out);

/* NULL where the processor, or the architecture, does not have them. */
const struct cache_simd_ops *cache_simd_avx2(void);
const struct cache_simd_ops *cache_simd_avx512(void);

#endif
