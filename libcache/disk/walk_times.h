/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the time of reading a tree goes: nanoseconds of all threads together. */
#ifndef LIBCACHE_WALK_TIMES_H
#define LIBCACHE_WALK_TIMES_H

#include <stdint.h>

#include "base/clock.h"

struct cache_walk_times {
	uint64_t read_ns, checksum_ns, merge_ns;
	uint64_t mark_ns, extents_ns;		/* filled by the visitor of the nodes */
	uint64_t checksum_bytes;
	uint64_t alone_ns, alone_bytes;		/* nodes that were read one at a time, part of read_ns */
};

static inline void cache_walk_times_add(struct cache_walk_times *sum, const struct cache_walk_times *t)
{
	sum->read_ns += t->read_ns;
	sum->checksum_ns += t->checksum_ns;
	sum->merge_ns += t->merge_ns;
	sum->mark_ns += t->mark_ns;
	sum->extents_ns += t->extents_ns;
	sum->checksum_bytes += t->checksum_bytes;
	sum->alone_ns += t->alone_ns;
	sum->alone_bytes += t->alone_bytes;
}

#endif
