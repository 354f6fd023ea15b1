// SPDX-License-Identifier: GPL-2.0-only
/* Requests of 4 KiB from many streams to the sector allocator. */
#include <errno.h>
#include <stdlib.h>

#include "bench/bench_impl.h"
#include "alloc/sectors.h"
#include "base/types.h"

#define STREAM_GAP	(UINT64_C(1) << 32)	/* sectors between where streams begin */

struct streams {
	const struct cache_bench_opts *o;
	struct cache_sectors s;
	struct cache_rng rng;
	uint64_t *next;		/* of each stream */
};

static struct cache_sectors_req next_request(struct streams *st, uint64_t i)
{
	unsigned int stream = i % st->o->write_points;
	struct cache_sectors_req r = {
		.inode = 0, .sectors = CACHE_PAGE_SECTORS, .write_point = stream + 1,
		.wait = true, .nptrs = 1, .offset = st->next[stream],
	};

	if (!st->o->sequential)
		r.offset = cache_rng_below(&st->rng, STREAM_GAP) * CACHE_PAGE_SECTORS;
	st->next[stream] = r.offset + CACHE_PAGE_SECTORS;
	return r;
}

static int timed_request(struct streams *st, uint64_t i, struct cache_sectors_space *space,
			 struct cache_bench_result *r)
{
	struct cache_sectors_req req = next_request(st, i);
	bool timed = !(i % CACHE_BENCH_SAMPLE);
	uint64_t start = timed ? cache_bench_now_ns() : 0;
	int ret = cache_sectors_alloc(&st->s, &req, space);

	cache_bench_tell(st->o, i, st->o->count);
	if (timed) {
		cache_bench_count(r, cache_bench_now_ns() - start, CACHE_BENCH_SAMPLE);
		cache_bench_at(r, i, st->o->count);
	}
	return ret;
}

/* The caller owns @a and its table; written buckets become clean at once. */
int cache_bench_sectors(const struct cache_bench_opts *o, struct cache_alloc *a,
			struct cache_bench_result *r)
{
	struct cache_alloc *members[] = { a };
	struct streams st = { .o = o };
	struct cache_sectors_space space;
	uint64_t i;
	int ret = 0;

	st.next = calloc(o->write_points, sizeof(*st.next));
	if (!st.next)
		return -ENOMEM;
	for (unsigned int k = 0; k < o->write_points; k++)
		st.next[k] = k * STREAM_GAP;
	cache_rng_init(&st.rng, o->seed);
	cache_sectors_init(&st.s, members, 1, CACHE_PAGE_SECTORS, NULL, NULL);
	for (i = 0; i < o->count && !ret; i++) {
		ret = timed_request(&st, i, &space, r);
		if (ret)
			break;
		/* does what the driver's gc would do, as in the other workloads */
		a->buckets->rec[space.ptr[0].bucket].last_gc =
			a->buckets->rec[space.ptr[0].bucket].gen;
		cache_alloc_put(a, space.ptr[0].bucket);
	}
	r->count = i;
	if (r->npoints)
		cache_bench_add_point(r, i);
	cache_sectors_fini(&st.s);
	free(st.next);
	return ret == -EAGAIN ? 0 : ret;
}
