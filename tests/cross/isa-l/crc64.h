/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In place of ISA-L, which Debian's cross compilers do not come with: the same
 * checksum by its definition. Only for tests; what ships uses ISA-L.
 */
#ifndef TESTS_CROSS_CRC64_H
#define TESTS_CROSS_CRC64_H

#include <stdint.h>

static inline uint64_t crc64_ecma_norm_byte(uint64_t crc)
{
	for (int i = 0; i < 8; i++)
		crc = crc << 1 ^ (crc >> 63 ? UINT64_C(0x42f0e1eba9ea3693) : 0);
	return crc;
}

static inline uint64_t crc64_ecma_norm(uint64_t seed, const uint8_t *p, uint64_t nbytes)
{
	static uint64_t table[256];
	uint64_t crc = ~seed;

	for (unsigned i = 1; i < 256 && !table[255]; i++)
		table[i] = crc64_ecma_norm_byte((uint64_t)i << 56);
	while (nbytes--)
		crc = crc << 8 ^ table[crc >> 56 ^ *p++];
	return ~crc;
}

#endif
