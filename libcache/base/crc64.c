// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only door to ISA-L. Its crc64_ecma_norm inverts the register on the way
 * in and out, so seed 0 there is a register of all ones here.
 */
#include "base/crc64.h"

#include <isa-l/crc64.h>

uint64_t cache_crc64_seeded(uint64_t seed, const void *data, size_t nbytes)
{
	return crc64_ecma_norm(~seed, data, nbytes);
}

uint64_t cache_crc64(const void *data, size_t nbytes)
{
	return cache_crc64_seeded(~UINT64_C(0), data, nbytes);
}
