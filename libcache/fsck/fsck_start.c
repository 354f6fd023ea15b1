// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long the driver will take to start this set on this machine. It reads every node and every
 * prio_set, each only after the one before, verifies it with a table of bytes (newer kernels are
 * faster there) and marks the bucket of each key; half as many threads as there are
 * processors share the tree.
 */
#include "fsck/fsck_impl.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/crc64.h"

#define SAMPLE_BYTES	(256u << 10)
#define SAMPLES		3u
/*
 * Its other work on a byte of keys over the checksum of it: 4 to 8 in starts of sets of 1 and 3
 * million extents in a guest; and then a node is done at 50 to 100 MB/s, as people report.
 */
#define KEY_WORK	6.0

/* Nanoseconds for one byte of a checksum as the driver computes it: the best of a few. */
static double checksum_byte_ns(void)
{
	uint8_t *p = calloc(1, SAMPLE_BYTES);
	volatile uint64_t used = 0;
	uint64_t best = UINT64_MAX;

	if (!p)
		return 0;
	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t start = cache_clock_ns(), ns;

		used = cache_crc64_bytewise(used, p, SAMPLE_BYTES);
		ns = cache_clock_ns() - start;
		best = ns < best ? ns : best;
	}
	free(p);
	return (double)best / SAMPLE_BYTES;
}

static unsigned driver_threads(const struct fsck_cache *c)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN) / 2;

	return c->sum->btree_levels < 2 || n < 1 ? 1 : n;
}

void cache_fsck_times_of(const struct fsck_cache *c, struct cache_fsck_times *t)
{
	const struct cache_walk_times *w = &c->times;
	const struct cache_set *set = c->set;
	double byte_ns = checksum_byte_ns(), read_ns = 0;
	double prio_bytes = (double)set->prios.nmembers * set->sb.bucket_sectors * CACHE_SECTOR_BYTES;
	unsigned n = driver_threads(c);

	if (w->alone_bytes)
		read_ns = (double)w->alone_ns / w->alone_bytes;
	t->read_ns = w->read_ns;
	t->checksum_ns = w->checksum_ns;
	t->merge_ns = w->merge_ns;
	t->mark_ns = w->mark_ns;
	t->extents_ns = w->extents_ns;
	t->start_checksum_ns = byte_ns * ((double)w->checksum_bytes / n + prio_bytes);
	t->start_ns = t->start_checksum_ns + read_ns * ((double)set->read_bytes / n + prio_bytes) +
		      byte_ns * KEY_WORK * w->checksum_bytes / n;
}
