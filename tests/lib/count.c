// SPDX-License-Identifier: GPL-2.0-only
/*
 * count alloc POLICY WORKLOAD N	N allocations on 64 Ki buckets
 * count sectors ours|walk N STREAMS [random]
 *					N writes of 4 KiB
 *
 * Something to count the instructions of: callgrind --toggle-collect=measured. No
 * clock, no thread, no wide instructions, so a count is that of a compiler, not of
 * a machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/alloc.h"
#include "walk.h"

#define NBUCKETS	(64 << 10)
#define BUCKET_SECTORS	1024
#define AGES		1024	/* priorities of an aged cache */

struct run {
	struct cache_buckets t;
	struct cache_alloc a;
	struct cache_rng rng;
	bool aged;
};

static void usage(void)
{
	fputs("usage: count alloc lru|fifo|random clean|aged N\n"
	      "       count sectors ours|walk N STREAMS [random]\n", stderr);
	exit(2);
}

static void fill_table(struct run *r)
{
	for (uint64_t b = 256; b < NBUCKETS; b++) {
		uint32_t age = r->aged ? cache_rng_below(&r->rng, AGES) : 0;
		uint32_t sectors = BUCKET_SECTORS;

		if (r->aged)
			sectors = 1 + cache_rng_below(&r->rng, BUCKET_SECTORS);
		cache_bucket_set_mark(&r->t, b, CACHE_GC_MARK_RECLAIMABLE);
		cache_bucket_set_sectors_used(&r->t, b, sectors);
		cache_bucket_set_prio(&r->t, b, CACHE_INITIAL_PRIO - age);
	}
}

static bool setup(struct run *r, enum cache_policy policy)
{
	struct cache_alloc_opts o = {
		.policy = policy, .prio_buckets = 1, .sync = true, .simd = CACHE_SIMD_PLAIN,
	};

	cache_rng_init(&r->rng, 1);
	if (cache_buckets_init(&r->t, NBUCKETS, 1, BUCKET_SECTORS))
		return false;
	fill_table(r);
	if (cache_alloc_init(&r->a, &r->t, &o, NULL, NULL) ||
	    cache_alloc_gc_finish(&r->a, NULL, 0))
		return false;
	cache_alloc_seed_free(&r->a);
	return cache_alloc_refill(&r->a) >= 0;
}

/* What cache-bench does for an allocation: the bucket is clean at once. */
static __attribute__((noinline)) uint64_t measured_allocs(struct run *r, uint64_t n)
{
	uint64_t done, b;

	for (done = 0; done < n; done++) {
		if (cache_alloc_get_wait(&r->a, CACHE_RESERVE_NONE, &b))
			break;
		r->t.rec[b].last_gc = r->t.rec[b].gen;
		cache_alloc_put(&r->a, b);
		if (!r->aged)
			continue;
		cache_alloc_hit(&r->a, 1 + cache_rng_below(&r->rng, NBUCKETS - 1));
		cache_alloc_rescale(&r->a, BUCKET_SECTORS);
	}
	return done;
}

static int count_allocs(const char *policy, const char *workload, uint64_t n)
{
	static struct run r;
	int p = 0;

	while (cache_policy_name(p) && strcmp(cache_policy_name(p), policy))
		p++;
	r.aged = !strcmp(workload, "aged");
	if (!cache_policy_name(p) || !setup(&r, p) || measured_allocs(&r, n) != n)
		return 1;
	cache_alloc_fini(&r.a);
	cache_buckets_fini(&r.t);
	return 0;
}

static __attribute__((noinline))
void measured_writes(struct run *r, struct writers *wr, uint64_t n, bool ours)
{
	static struct cache_sectors s;
	static struct walk w;
	struct cache_alloc *members[] = { &r->a };

	if (ours) {
		cache_sectors_init(&s, members, 1, 8, NULL, NULL);
		ours_writes(&s, wr, n);
	} else {
		walk_init(&w);
		walk_writes(&w, wr, &r->t, n);
	}
}

static int count_writes(bool ours, uint64_t n, int streams, bool random)
{
	static struct run r;
	struct writers wr;

	if (streams < 1 || streams > CACHE_OPEN_BUCKETS)
		usage();
	if (!setup(&r, CACHE_POLICY_FIFO))
		return 1;
	writers_init(&wr, streams, random);
	measured_writes(&r, &wr, n, ours);
	cache_alloc_fini(&r.a);
	cache_buckets_fini(&r.t);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "alloc"))
		return count_allocs(argv[2], argv[3], strtoull(argv[4], NULL, 10));
	if (argc < 5 || strcmp(argv[1], "sectors"))
		usage();
	return count_writes(!strcmp(argv[2], "ours"), strtoull(argv[3], NULL, 10),
			    atoi(argv[4]), argc > 5);
}
