// SPDX-License-Identifier: GPL-2.0-only
/* Victims: the weights, the three policies, and the vector passes against plain C. */
#include <errno.h>

#include "book.h"
#include "libcache/alloc.h"
#include "simd.h"
#include "sort.h"
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

static void same_sweep(const struct cache_simd_ops *ops, struct cache_sweep in)
{
	static uint64_t x[N + 64], y[N + 64];
	struct cache_sweep a = in, b = in;

	a.out = x;
	b.out = y;
	cache_simd_get(CACHE_SIMD_PLAIN)->sweep(&a);
	ops->sweep(&b);
	CHECK_EQ(b.least, a.least);
	if (in.room >= N) {
		CHECK_EQ(b.used, a.used);
		CHECK_EQ(b.pos, a.pos);
	}
	CHECK_MEM(x, y, (a.used < b.used ? a.used : b.used) * sizeof(x[0]));
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
		struct cache_sweep s;
		uint32_t epoch = i % 3 ? cache_rng_below(&rng, 32767) : 0;
		uint64_t first = cache_rng_below(&rng, n);

		random_table(&t, n + 1, &rng, i & 1);
		s = (struct cache_sweep) {
			.rec = t.rec, .pos = 1, .end = n, .epoch = epoch, .least = INT32_MAX,
			.shift = (int32_t)cache_rng_below(&rng, 36864) - 32768,
			.below = i % 5 ? cache_rng_u64(&rng) >> cache_rng_below(&rng, 24) : UINT32_MAX,
			.room = N + 16,
		};
		if (i % 5 && s.below > UINT32_MAX)
			s.below = UINT32_MAX;
		same_sweep(ops, s);
		memset(x, 0xaa, sizeof(x));
		memset(y, 0xaa, sizeof(y));
		cache_simd_get(CACHE_SIMD_PLAIN)->fill(t.rec + first, n - first, epoch, x);
		ops->fill(t.rec + first, n - first, epoch, y);
		CHECK_MEM(x, y, sizeof(x));
		cache_buckets_fini(&t);
	}
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
	static uint64_t v[5000];
	struct cache_rng rng;

	cache_rng_init(&rng, 1);
	for (int i = 0; i < 300; i++) {
		size_t n = cache_rng_below(&rng, 5000), want = n ? cache_rng_below(&rng, n + 1) : 0;
		unsigned int shift = cache_rng_below(&rng, 64);
		uint64_t sum = 0, greatest = 0;
		size_t got;

		for (size_t k = 0; k < n; k++) {
			v[k] = i % 4 ? cache_rng_u64(&rng) >> shift : n - k;
			sum += v[k];
		}
		got = cache_sort_front_u64(v, n, want);
		CHECK(got >= want && got <= n);
		for (size_t k = 0; k < n; k++) {
			CHECK(k >= got || v[k] >= greatest);
			CHECK(v[k] >= greatest);
			if (k < got)
				greatest = v[k];
			sum -= v[k];
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

TEST(a_pool_that_met_a_weight_that_wrapped_is_not_used_again)
{
	const uint64_t low = 50;
	struct run r;
	uint64_t sweeps;

	start(&r, CACHE_POLICY_LRU, 0, 0);
	for (uint64_t b = 100; b < N; b++)
		cache_bucket_set_mark(&r.t, b, CACHE_GC_MARK_DIRTY);
	r.t.min_prio = 30000;
	cache_bucket_pin_get(&r.t, low);
	cache_bucket_touch(&r.t, low, 100);	/* so far below that its bracket is negative */
	one_pass(&r);
	sweeps = r.a.stats.sweeps;
	one_pass(&r);
	CHECK_EQ(r.a.stats.sweeps, sweeps);	/* what was gathered first is good */
	cache_alloc_put(&r.a, low);
	one_pass(&r);
	CHECK_EQ(r.a.stats.sweeps, sweeps + 1);
	CHECK_EQ(cache_bucket_pin(&r.t, low), 0);	/* the heaviest of all */
	one_pass(&r);
	CHECK_EQ(r.a.stats.sweeps, sweeps + 2);
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
	struct cache_book k;
	struct cache_rng rng;

	cache_rng_init(&rng, order);
	CHECK_EQ(cache_buckets_init(&t, n, 1, 1024), 0);
	CHECK_EQ(cache_book_init(&k, n, 1, 1024, &o, NULL, NULL), 0);
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
	cache_book_gc_finish(&k);
	cache_alloc_rescale(&a, 1);
	cache_book_rescale(&k, 1);
	for (int pass = 0; pass < 6; pass++) {
		uint64_t w[2] = { 0, 0 }, last = 0;

		for (uint32_t b = 1; b < n; b++)
			w[0] += k.b[b].pin ? 0 : cache_book_weight(&k, b);
		while (a.phase != CACHE_ALLOC_COMMIT)
			cache_alloc_step(&a);
		for (uint32_t i = 0; i < a.free_inc.used; i++) {
			uint32_t b = a.free_inc.slot[(a.free_inc.head + i) & a.free_inc.mask];
			uint64_t weight = cache_book_weight(&k, b);

			CHECK(weight >= last);
			CHECK_EQ(k.b[b].pin, 0);
			last = weight;
			w[1] += weight;
		}
		/* the sum of the least weights is one number, whoever picked them */
		k.follow = NULL;
		while (k.phase != CACHE_ALLOC_COMMIT)
			cache_book_step(&k);
		for (uint32_t b = 1; b < n; b++)
			w[0] -= k.b[b].pin ? 0 : cache_book_weight(&k, b);
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
	cache_book_fini(&k);
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
