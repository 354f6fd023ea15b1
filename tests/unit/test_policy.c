// SPDX-License-Identifier: GPL-2.0-only
/* Victims: the weights, the three policies, and the vector passes against plain C. */
#include <errno.h>

#include "alloc/ref_alloc.h"
#include "alloc/alloc.h"
#include "alloc/simd_x86.h"
#include "base/sort.h"
#include "test.h"

#define N	4096u

static void random_table(struct cache_buckets *t, uint64_t n, struct cache_rng *rng, int kind)
{
	CHECK_EQ(cache_buckets_init(t, n, 1, 1024), 0);
	for (uint64_t b = 0; b < n; b++) {
		uint64_t r = cache_rng_u64(rng);
		uint16_t prio = kind ? 32768 - r % 1024 : r;

		t->rec[b].mark = r >> 16;
		t->rec[b].gen = r >> 32;
		t->rec[b].last_gc = t->rec[b].gen - (r >> 40) % 110;
		t->rec[b].pin = r >> 48 & 7 ? 0 : r >> 51 & 3;
		t->rec[b].prio = r >> 60 ? prio : r & 1 ? 65535 : 0;
	}
}

/* The truth, from the contract in simd.h: record by record, with no blocks read together. */
static void sweep_one_by_one(struct cache_sweep *s)
{
	for (; s->block < cache_sweep_blocks(s->end); s->block++) {
		if (s->bound[s->block] >= s->reach)
			continue;
		if (s->used + CACHE_SWEEP_BLOCK > s->capacity)
			return;
		cache_sweep_one(s, s->block);
	}
}

static void same_sweep(void (*sweep)(struct cache_sweep *s), struct cache_sweep in)
{
	static uint64_t x[N + 64], y[N + 64];
	uint16_t bound[2][N / CACHE_SWEEP_BLOCK + CACHE_SWEEP_GROUP];
	struct cache_sweep a = in, b = in;
	uint64_t nblocks = cache_sweep_blocks(in.end);

	memcpy(bound[0], in.bound, sizeof(bound[0]));
	memcpy(bound[1], in.bound, sizeof(bound[1]));
	a.bound = bound[0];
	b.bound = bound[1];
	a.out = x;
	b.out = y;
	sweep_one_by_one(&a);
	sweep(&b);
	CHECK_EQ(b.most, a.most);
	CHECK_EQ(b.used, a.used);
	CHECK_EQ(b.block < nblocks ? b.block : nblocks, a.block);
	CHECK_MEM(bound[0], bound[1], sizeof(bound[0]));
	CHECK_MEM(x, y, a.used * sizeof(x[0]));
}

/* Limits of every size, and a range that starts anywhere. */
static void random_limits(struct cache_sweep *s, struct cache_rng *rng)
{
	uint64_t below = cache_rng_u64(rng) >> 32 >> cache_rng_below(rng, 24);

	s->below = cache_rng_below(rng, 5) ? below : UINT32_MAX;
	s->low = cache_rng_below(rng, 2) ? cache_rng_below(rng, s->below + 1ull) : 0;
	s->capacity = cache_rng_below(rng, 2) ? N + 32 : 32 + cache_rng_below(rng, 400);
	s->reach = cache_rng_below(rng, 65536);
	s->scale = cache_rng_below(rng, 14);
	s->drift = cache_rng_below(rng, 16385);
}

static void random_bounds(uint16_t *bound, uint64_t end, struct cache_rng *rng)
{
	for (uint64_t i = 0; i < N / CACHE_SWEEP_BLOCK + CACHE_SWEEP_GROUP; i++)
		bound[i] = i >= cache_sweep_blocks(end) ? CACHE_BOUND_NONE :
			   cache_rng_below(rng, 3) ? cache_rng_below(rng, 65536) : 0;
}

static void same_as_plain(enum cache_simd simd)
{
	const struct cache_simd_ops *ops = cache_simd_get(simd);
	static uint8_t x[3 * N + 64], y[3 * N + 64];
	struct cache_rng rng;

	if (!ops)
		SKIP("this processor does not have it");
	cache_rng_init(&rng, 7);
	for (int i = 0; i < 200; i++) {
		uint64_t n = 1 + cache_rng_below(&rng, N);
		struct cache_buckets t;
		uint16_t bound[N / CACHE_SWEEP_BLOCK + CACHE_SWEEP_GROUP];
		struct cache_sweep s;
		uint32_t epoch = i % 3 ? cache_rng_below(&rng, 32767) : 0;
		uint64_t first = cache_rng_below(&rng, n);

		random_table(&t, n + 1, &rng, i & 1);
		random_bounds(bound, n, &rng);
		s = (struct cache_sweep) {
			.rec = t.rec, .first = cache_rng_below(&rng, n), .end = n, .epoch = epoch,
			.shift = (int32_t)cache_rng_below(&rng, 36864) - 32768,
			.bound = bound,
		};
		s.block = s.first / CACHE_SWEEP_BLOCK;
		if (i % 7 == 0)
			s.block += cache_rng_below(&rng, cache_sweep_blocks(n) - s.block);
		random_limits(&s, &rng);
		same_sweep(ops->sweep, s);
		memset(x, 0xaa, sizeof(x));
		memset(y, 0xaa, sizeof(y));
		cache_simd_get(CACHE_SIMD_PLAIN)->fill(t.rec + first, n - first, epoch, x);
		ops->fill(t.rec + first, n - first, epoch, y);
		CHECK_MEM(x, y, sizeof(x));
		cache_buckets_fini(&t);
	}
}

TEST(the_passes_in_plain_c_give_what_one_record_at_a_time_gives)
{
	same_as_plain(CACHE_SIMD_PLAIN);
}

TEST(the_avx2_passes_give_what_plain_c_gives)
{
	same_as_plain(CACHE_SIMD_AVX2);
}

TEST(the_avx512_passes_give_what_plain_c_gives)
{
	same_as_plain(CACHE_SIMD_AVX512);
}

TEST(a_pass_the_machine_lacks_is_refused_not_replaced)
{
	if (cache_simd_get(CACHE_SIMD_AVX512))
		SKIP("this processor has all of them");
	CHECK(!cache_simd_get(CACHE_SIMD_AVX512));
	CHECK(cache_simd_get(CACHE_SIMD_AUTO));
}

TEST(packed_prios_are_those_of_a_prio_set)
{
	struct cache_buckets t;
	uint8_t out[9];

	CHECK_EQ(cache_buckets_init(&t, 4, 1, 8), 0);
	cache_bucket_set_prio(&t, 1, 0x1235);
	cache_bucket_set_prio(&t, 2, CACHE_BTREE_PRIO);
	cache_bucket_set_gen(&t, 1, 7);
	cache_buckets_rescale(&t);
	cache_buckets_pack(&t, 1, 3, out);
	CHECK_MEM(out, "\x34\x12\x07\xff\xff\x00\x00\x00\x00", 9);
	cache_buckets_fini(&t);
}

/* Keys of 32 bits order as the driver's weights of 45 do, wrapped brackets too. */
TEST(short_keys_order_as_the_weights)
{
	struct cache_rng rng;

	cache_rng_init(&rng, 3);
	for (int i = 0; i < 2000000; i++) {
		uint32_t min_prio = cache_rng_below(&rng, 32769);
		int32_t shift = (int32_t)(32768 - min_prio) / 8 - (int32_t)min_prio;
		uint32_t scale = (CACHE_INITIAL_PRIO - min_prio) / 8, key[2];
		uint64_t weight[2];

		for (int k = 0; k < 2; k++) {
			uint32_t prio = cache_rng_below(&rng, 65536);
			uint32_t sectors = cache_rng_below(&rng, 4) ?
				cache_rng_below(&rng, 8192) : cache_rng_below(&rng, 3);

			if (!cache_rng_below(&rng, 3))
				prio = cache_rng_below(&rng, min_prio + 2);
			key[k] = cache_lru_key(prio, shift, sectors);
			weight[k] = (uint64_t)(uint32_t)(prio - min_prio + scale) * sectors;
		}
		CHECK_EQ(key[0] < key[1], weight[0] < weight[1]);
		CHECK_EQ(key[0] == key[1], weight[0] == weight[1]);
	}
}

TEST(the_worked_example_of_a_weight_holds)
{
	/* behaviour 5.5: min_prio 20000, prio 30000, 512 sectors */
	CHECK_EQ(cache_lru_key(30000, (32768 - 20000) / 8 - 20000, 512), 5937152);
}

TEST(sorting_sorts_whatever_the_order)
{
	static uint64_t v[10000];
	struct cache_rng rng;

	cache_rng_init(&rng, 1);
	for (int i = 0; i < 300; i++) {
		size_t n = cache_rng_below(&rng, 5000), want = n ? cache_rng_below(&rng, n + 1) : 0;
		unsigned int shift = cache_rng_below(&rng, 64);
		uint64_t sum = 0, greatest = 0, *front, *rest;

		for (size_t k = 0; k < n; k++) {
			v[k] = i % 4 ? cache_rng_u64(&rng) >> shift : n - k;
			sum += v[k];
		}
		front = cache_sort_front_u64(v, n, want, n + cache_rng_below(&rng, 5001));
		rest = front == v ? v + want : v;
		for (size_t k = 0; k < want; k++) {
			CHECK(front[k] >= greatest);
			greatest = front[k];
			sum -= front[k];
		}
		for (size_t k = 0; k < n - want; k++) {
			CHECK(rest[k] >= greatest);
			sum -= rest[k];
		}
		CHECK_EQ(sum, 0);
	}
}

struct run {
	struct cache_buckets t;
	struct cache_alloc a;
};

static void start(struct run *r, enum cache_policy policy, uint64_t seed, enum cache_simd simd)
{
	struct cache_alloc_opts o = {
		.policy = policy, .seed = seed, .prio_buckets = 1, .simd = simd,
	};

	CHECK_EQ(cache_buckets_init(&r->t, N, 1, 1024), 0);
	for (uint64_t b = 1; b < N; b++) {
		cache_bucket_set_mark(&r->t, b, CACHE_GC_MARK_RECLAIMABLE);
		cache_bucket_set_sectors_used(&r->t, b, 1024);
		cache_bucket_set_prio(&r->t, b, CACHE_INITIAL_PRIO - b * 7 % 1000);
	}
	CHECK_EQ(cache_alloc_init(&r->a, &r->t, &o, NULL, NULL), 0);
	CHECK_EQ(cache_alloc_gc_finish(&r->a, NULL, 0), 0);
}

static void stop(struct run *r)
{
	cache_alloc_fini(&r->a);
	cache_buckets_fini(&r->t);
}

TEST(fifo_goes_round_and_skips_what_may_not_be_taken)
{
	struct run r;
	uint64_t b;

	start(&r, CACHE_POLICY_FIFO, 0, 0);
	cache_alloc_dirty(&r.a, 2);
	r.a.fifo_last_bucket = N - 1;
	CHECK_EQ(cache_alloc_get_wait(&r.a, CACHE_RESERVE_PRIO, &b), 0);
	CHECK_EQ(r.a.fifo_last_bucket, 31);	/* two refills of 15 */
	CHECK_EQ(cache_bucket_pin(&r.t, N - 1), 1);
	CHECK_EQ(cache_bucket_pin(&r.t, 1), 1);
	CHECK_EQ(cache_bucket_pin(&r.t, 2), 0);
	CHECK_EQ(cache_bucket_pin(&r.t, 15), 1);
	stop(&r);
}

TEST(random_gives_up_after_half_as_many_tries_as_there_are_buckets)
{
	struct run r;

	start(&r, CACHE_POLICY_RANDOM, 5, 0);
	for (uint64_t b = 1; b < N; b++)
		cache_alloc_dirty(&r.a, b);
	CHECK_EQ(cache_alloc_refill(&r.a), CACHE_ALLOC_WAIT_GC);
	CHECK(r.a.invalidate_needs_gc);
	/* drawn sixteen at a time: what was tried is a multiple of that */
	CHECK_EQ(r.a.drawn, 16);
	stop(&r);
}

/* Takes buckets until the policy has picked once more. */
static void one_pass(struct run *r)
{
	uint64_t before = r->a.stats.invalidate_passes, b;

	while (r->a.stats.invalidate_passes == before)
		if (cache_alloc_step(&r->a) == CACHE_ALLOC_WAIT_SPACE)
			CHECK_EQ(cache_alloc_get(&r->a, CACHE_RESERVE_NONE, &b), 0);
}

TEST(a_weight_that_wrapped_is_found_when_it_is_the_least_again)
{
	const uint64_t low = 50;
	struct run r;

	start(&r, CACHE_POLICY_LRU, 0, 0);
	r.t.min_prio = 30000;
	cache_bucket_pin_get(&r.t, low);
	cache_bucket_touch(&r.t, low, 100);	/* so far below that its bracket is negative */
	one_pass(&r);
	cache_alloc_put(&r.a, low);
	one_pass(&r);
	CHECK_EQ(r.a.stats.sweeps, 1);		/* the bounds of the first pass were good */
	CHECK_EQ(cache_alloc_check(&r.a, NULL), 0);
	CHECK_EQ(cache_bucket_pin(&r.t, low), 0);	/* the heaviest of all */
	r.t.min_prio = 99;			/* by a rescale: 100 to 99, the least */
	r.a.rescale = 0;
	r.t.hist_valid = false;
	CHECK(cache_alloc_rescale(&r.a, 1));
	CHECK_EQ(r.t.min_prio, 99);
	one_pass(&r);
	CHECK_EQ(r.a.stats.sweeps, 1);
	CHECK_EQ(cache_bucket_pin(&r.t, low), 1);
	stop(&r);
}

TEST(lru_reads_the_whole_table_once_and_then_only_what_it_needs)
{
	struct run r;

	start(&r, CACHE_POLICY_LRU, 0, 0);
	for (int i = 0; i < 50; i++)
		one_pass(&r);
	CHECK_EQ(r.a.stats.sweeps, 1);
	cache_bucket_set_gen(&r.t, 5, 9);	/* who knows what else was changed */
	one_pass(&r);
	CHECK_EQ(r.a.stats.sweeps, 2);
	stop(&r);
}

/* Seven can be taken, and a pass would take fifteen. */
TEST(lru_by_priorities_that_the_driver_never_gives_takes_what_there_is)
{
	struct run r;

	start(&r, CACHE_POLICY_LRU, 0, 0);
	for (uint64_t b = 1; b < N; b++) {
		cache_bucket_set_prio(&r.t, b, 40000 + b);
		if (b > 7)
			cache_alloc_dirty(&r.a, b);
	}
	r.t.min_prio = 40001;
	CHECK_EQ(cache_alloc_refill(&r.a), CACHE_ALLOC_WAIT_GC);
	CHECK_EQ(r.a.stats.invalidated, 7);
	for (uint64_t b = 1; b <= 7; b++)
		CHECK_EQ(cache_bucket_pin(&r.t, b), 1);
	stop(&r);
}

/* Bounds count in what a full bucket can lose; damage may make one fuller than full. */
TEST(a_bucket_whose_sectors_count_exceeds_its_size_is_still_taken_in_time)
{
	const uint64_t fat = 77;
	struct run r;

	start(&r, CACHE_POLICY_LRU, 0, 0);
	cache_bucket_set_sectors_used(&r.t, fat, 8191);
	one_pass(&r);
	for (int i = 0; i < 400; i++) {
		r.a.rescale = 0;
		cache_alloc_rescale(&r.a, 1);
		CHECK_EQ(cache_alloc_check(&r.a, NULL), 0);
	}
	CHECK_EQ(r.a.stats.sweeps, 2);
	stop(&r);
}

static void age(struct run *r)
{
	r->a.rescale = 0;
	CHECK(cache_alloc_rescale(&r->a, 1));
	CHECK_EQ(cache_alloc_check(&r->a, NULL), 0);
}

/* The same bucket, pinned when the bounds are made and unpinned later, alone in its block. */
TEST(a_bucket_with_more_sectors_than_its_size_is_taken_in_time_when_it_is_let_go)
{
	const uint64_t fat = 77, block = fat / CACHE_SWEEP_BLOCK;
	struct run r;

	start(&r, CACHE_POLICY_LRU, 0, 0);
	cache_bucket_set_sectors_used(&r.t, fat, 8191);
	cache_bucket_pin_get(&r.t, fat);
	for (uint64_t b = block * CACHE_SWEEP_BLOCK; b < (block + 1) * CACHE_SWEEP_BLOCK; b++)
		if (b != fat)
			cache_alloc_dirty(&r.a, b);
	age(&r);
	one_pass(&r);
	cache_alloc_put(&r.a, fat);
	/* min_prio rises at the next rescale, and the weight of the fat one falls most */
	for (uint64_t b = 1; b < N; b++)
		cache_alloc_hit(&r.a, b);
	age(&r);
	stop(&r);
}

static uint64_t hash_of_a_run(enum cache_policy policy, uint64_t seed, enum cache_simd simd)
{
	uint64_t hash = 0, b;
	struct run r;

	start(&r, policy, seed, simd);
	for (int i = 0; i < 20000; i++) {
		CHECK_EQ(cache_alloc_get_wait(&r.a, CACHE_RESERVE_NONE, &b), 0);
		cache_bucket_set_last_gc(&r.t, b, cache_bucket_gen(&r.t, b));
		cache_alloc_put(&r.a, b);
		cache_alloc_hit(&r.a, 1 + (b * 31 + i) % (N - 1));
		cache_alloc_rescale(&r.a, 1024);
		hash = (hash ^ b) * 0x100000001b3;
	}
	stop(&r);
	return hash;
}

TEST(the_same_seed_gives_the_same_buckets_and_another_does_not)
{
	uint64_t x = hash_of_a_run(CACHE_POLICY_RANDOM, 1, 0);

	CHECK_EQ(hash_of_a_run(CACHE_POLICY_RANDOM, 1, 0), x);
	CHECK(hash_of_a_run(CACHE_POLICY_RANDOM, 2, 0) != x);
}

TEST(lru_takes_the_same_buckets_however_the_passes_are_computed)
{
	uint64_t x = hash_of_a_run(CACHE_POLICY_LRU, 1, CACHE_SIMD_PLAIN);

	CHECK_EQ(hash_of_a_run(CACHE_POLICY_LRU, 1, CACHE_SIMD_AUTO), x);
	if (cache_simd_get(CACHE_SIMD_AVX2))
		CHECK_EQ(hash_of_a_run(CACHE_POLICY_LRU, 1, CACHE_SIMD_AVX2), x);
}

/* One pass on inputs the random walk does not make: every order, large tables. */
static void same_weights(uint64_t n, int order)
{
	struct cache_alloc_opts o = { .policy = CACHE_POLICY_LRU, .prio_buckets = 1, .sync = true };
	struct cache_buckets t;
	struct cache_alloc a;
	struct cache_ref_alloc k;
	struct cache_rng rng;

	cache_rng_init(&rng, order);
	CHECK_EQ(cache_buckets_init(&t, n, 1, 1024), 0);
	CHECK_EQ(cache_ref_alloc_init(&k, n, 1, 1024, &o, NULL, NULL), 0);
	for (uint64_t b = 1; b < n; b++) {
		uint32_t prio = 32768, sectors = 1024;

		if (order == 1)
			prio = 20000 + b * 12768 / n;
		else if (order == 2)
			prio = 32768 - b * 12768 / n;
		else if (order >= 3)
			prio -= cache_rng_below(&rng, 1024);
		if (order == 4)
			sectors = 1 + cache_rng_below(&rng, 1024);
		cache_bucket_set_mark(&t, b, CACHE_GC_MARK_RECLAIMABLE);
		cache_bucket_set_sectors_used(&t, b, sectors);
		cache_bucket_set_prio(&t, b, prio);
		k.b[b].mark = CACHE_GC_MARK_RECLAIMABLE;
		k.b[b].sectors = sectors;
		k.b[b].prio = prio;
	}
	CHECK_EQ(cache_alloc_init(&a, &t, &o, NULL, NULL), 0);
	cache_alloc_gc_finish(&a, NULL, 0);
	cache_ref_alloc_gc_finish(&k);
	cache_alloc_rescale(&a, 1);
	cache_ref_alloc_rescale(&k, 1);
	for (int pass = 0; pass < 6; pass++) {
		uint64_t w[2] = { 0, 0 }, last = 0;

		for (uint32_t b = 1; b < n; b++)
			w[0] += k.b[b].pin ? 0 : cache_ref_alloc_weight(&k, b);
		while (a.phase != CACHE_ALLOC_COMMIT)
			cache_alloc_step(&a);
		for (uint32_t i = 0; i < a.free_inc.used; i++) {
			uint32_t b = a.free_inc.slot[(a.free_inc.head + i) & a.free_inc.mask];
			uint64_t weight = cache_ref_alloc_weight(&k, b);

			CHECK(weight >= last);
			CHECK_EQ(k.b[b].pin, 0);
			last = weight;
			w[1] += weight;
		}
		/* the sum of the least weights is one number, whoever picked them */
		k.follow = NULL;
		while (k.phase != CACHE_ALLOC_COMMIT)
			cache_ref_alloc_step(&k);
		for (uint32_t b = 1; b < n; b++)
			w[0] -= k.b[b].pin ? 0 : cache_ref_alloc_weight(&k, b);
		CHECK_EQ(w[1], w[0]);
		/* both go on with ours */
		for (uint64_t i = 0; i < k.free_inc.used; i++) {
			uint64_t b = k.free_inc.v[(k.free_inc.head + i) & k.free_inc.mask];

			k.b[b].pin = 0;
			k.b[b].prio = cache_bucket_pin(&t, b) ? 32768 : cache_bucket_prio(&t, b);
		}
		k.free_inc.used = 0;
		k.phase = CACHE_ALLOC_DRAIN;
		for (uint32_t b = 1; b < n; b++)
			k.b[b].pin = cache_bucket_pin(&t, b);
		for (uint32_t i = 0; i < a.free_inc.used; i++)
			k.b[a.free_inc.slot[(a.free_inc.head + i) & a.free_inc.mask]].prio = 32768;
		a.free_inc.used = 0;
		a.phase = CACHE_ALLOC_DRAIN;
	}
	cache_alloc_fini(&a);
	cache_buckets_fini(&t);
	cache_ref_alloc_fini(&k);
}

TEST(lru_takes_the_least_weights_in_whatever_order_they_lie)
{
	for (int order = 0; order < 5; order++) {
		same_weights(513, order);
		same_weights(16384, order);
		same_weights(200000, order);
	}
}

TEST_MAIN()
