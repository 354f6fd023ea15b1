// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only file that uses ISA-L. Its crc64_ecma_norm inverts the register on the way in and
 * out, so seed 0 there is a register of all ones here.
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

/* What a byte adds to the register, computed with ISA-L: no second polynomial here. */
static void byte_syndromes(uint64_t table[256], uint8_t by_low[256])
{
	uint8_t zero = 0;

	for (unsigned v = 0; v < 256; v++) {
		uint8_t byte = v;

		table[v] = cache_crc64(&byte, 1) ^ cache_crc64(&zero, 1);
		by_low[table[v] & 0xff] = v;	/* the polynomial ends in 1: all are different */
	}
}

uint64_t cache_crc64_bytewise(uint64_t seed, const void *data, size_t nbytes)
{
	const uint8_t *p = data;
	uint64_t table[256];
	uint8_t by_low[256];

	byte_syndromes(table, by_low);
	while (nbytes--)
		seed = seed << 8 ^ table[seed >> 56 ^ *p++];
	return ~seed;
}

bool cache_crc64_locate(uint64_t syndrome, size_t nbytes, size_t *at, uint8_t *flip)
{
	uint64_t table[256];
	uint8_t by_low[256];

	if (!syndrome)
		return false;
	byte_syndromes(table, by_low);
	for (size_t i = nbytes; i--;) {
		uint8_t v = by_low[syndrome & 0xff];

		if (v && table[v] == syndrome) {
			*at = i;
			*flip = v;
			return true;
		}
		/* one byte back: the register before it processed a zero byte */
		syndrome = (syndrome ^ table[v]) >> 8 | (uint64_t)v << 56;
	}
	return false;
}

/* The product of two registers, which are polynomials of which bit 63 is the highest power. */
static uint64_t multiply(uint64_t polynomial, uint64_t a, uint64_t b)
{
	uint64_t product = 0;

	for (unsigned i = 64; i--;) {
		product = product << 1 ^ (polynomial & -(product >> 63));
		product ^= a & -(b >> i & 1);
	}
	return product;
}

/* By what a register is multiplied by @nbytes of zeros. */
static uint64_t zeros(uint64_t polynomial, uint64_t nbytes)
{
	uint64_t factor = 1, power = 1 << 8;

	for (; nbytes; nbytes >>= 1) {
		if (nbytes & 1)
			factor = multiply(polynomial, factor, power);
		power = multiply(polynomial, power, power);
	}
	return factor;
}

uint64_t cache_crc64_shifted(struct cache_crc64_shift *shift, const void *flip, size_t nflip,
			     uint64_t nbytes)
{
	uint64_t step = nbytes - shift->nbytes;
	uint64_t flipped = ~cache_crc64_seeded(0, flip, nflip);

	if (!shift->polynomial) {
		const uint8_t one = 1;

		/* x^64, what is left of it */
		shift->polynomial = ~cache_crc64_seeded(0, &one, 1);
		shift->factor = shift->step_factor = 1;
	}
	if (step != shift->step) {
		shift->step = step;
		shift->step_factor = zeros(shift->polynomial, step);
	}
	shift->nbytes = nbytes;
	shift->factor = multiply(shift->polynomial, shift->factor, shift->step_factor);
	return multiply(shift->polynomial, flipped, shift->factor);
}
