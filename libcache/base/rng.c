// SPDX-License-Identifier: GPL-2.0-only
/* Seeding: splitmix64 spreads any seed over the four words, so none is ever all zero. */
#include "base/rng.h"

void cache_rng_init(struct cache_rng *rng, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		rng->s[i] = z ^ (z >> 31);
	}
}
