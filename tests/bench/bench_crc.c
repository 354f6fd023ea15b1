// SPDX-License-Identifier: GPL-2.0-only
/* bench_crc: how many times faster the checksum is than one with a table of bytes, as a number. */
#include "base/clock.h"
#include "base/crc64.h"

#include <stdio.h>
#include <stdlib.h>

#define NBYTES	(256u << 10)
#define RUNS	9

static uint64_t best_of(uint64_t (*crc)(uint64_t, const void *, size_t), const void *p)
{
	uint64_t best = UINT64_MAX;
	volatile uint64_t used = 0;

	for (int i = 0; i < RUNS; i++) {
		uint64_t start = cache_clock_ns(), ns;

		used = crc(used, p, NBYTES);
		ns = cache_clock_ns() - start;
		best = ns < best ? ns : best;
	}
	return best;
}

int main(void)
{
	void *p = calloc(1, NBYTES);

	if (!p)
		return 1;
	printf("%.1f\n", (double)best_of(cache_crc64_bytewise, p) / best_of(cache_crc64_seeded, p));
	free(p);
	return 0;
}
