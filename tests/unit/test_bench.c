// SPDX-License-Identifier: GPL-2.0-only
/* The benchmark counts what it should; how long things take is not tested. */
#include <errno.h>
#include <unistd.h>

#include "bench/bench_gc.h"
#include "bench/bench_impl.h"
#include "base/crc64.h"
#include "test.h"

static struct cache_bench_result r;

static struct cache_bench_opts small(void)
{
	return (struct cache_bench_opts) {
		.nbuckets = 4096, .first_bucket = 1, .bucket_sectors = 1024, .count = 20000,
		.threads = 1, .write_points = 8, .seed = 1, .commit_fd = -1,
	};
}

static uint64_t timed(void)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < CACHE_BENCH_HIST; i++)
		n += r.hist[i];
	return n;
}

TEST(every_policy_and_workload_allocates_what_was_asked_for)
{
	for (int i = 0; i < 3 * 3 * 2; i++) {
		struct cache_bench_opts o = small();

		o.policy = i % 3;
		o.workload = i / 3 % 3;
		o.reference = i / 9;
		CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), 0);
		CHECK_EQ(r.count, o.count);
		CHECK(r.invalidate_passes > 0);
		CHECK((r.rescales > 0) == (o.workload == CACHE_BENCH_AGED));
		CHECK(timed() > 0 && timed() < 2 * o.count);
	}
}

TEST(threads_and_the_background_allocator_allocate_as_many)
{
	struct cache_bench_opts o = small();

	o.threads = 3;
	CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), 0);
	CHECK_EQ(r.count, o.count);
	o.threads = 1;
	o.allocator_thread = true;
	CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), 0);
	CHECK_EQ(r.count, o.count);
}

TEST(a_prio_write_covers_every_bucket_at_each_refill)
{
	struct cache_bench_opts o = small();
	char path[] = "/tmp/test_bench.XXXXXX";

	o.commit = CACHE_BENCH_COMMIT_MEMORY;
	CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), 0);
	CHECK(r.prio_writes >= o.count / 15 - 1);
	CHECK_EQ(r.prio_bytes, r.prio_writes * 512 * 1024);
	o.commit = CACHE_BENCH_COMMIT_FILE;
	o.count = 1000;
	CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), -EBADF);
	o.commit_fd = mkstemp(path);
	CHECK(o.commit_fd >= 0);
	CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), 0);
	CHECK_EQ(lseek(o.commit_fd, 0, SEEK_END), 2 * 512 * 1024);
	close(o.commit_fd);
	unlink(path);
}

TEST(sectors_come_at_random_and_in_order)
{
	struct cache_bench_opts o = small();

	o.sectors = true;
	for (int i = 0; i < 2; i++) {
		o.sequential = i;
		CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), 0);
		CHECK_EQ(r.count, o.count);
	}
	o.threads = 2;
	CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), -EINVAL);
}

TEST(a_table_with_nothing_to_take_ends_the_run)
{
	struct cache_bench_opts o = small();
	struct cache_buckets t;

	CHECK_EQ(cache_buckets_init(&t, 4096, 1, 1024), 0);
	for (unsigned int b = 0; b < 4096; b++)
		cache_bucket_set_mark(&t, b, CACHE_GC_MARK_DIRTY);
	for (int i = 0; i < 3; i++) {
		o.reference = i == 1;
		o.allocator_thread = i == 2;
		CHECK_EQ(cache_bench_run(&o, &t, &r, NULL), -ENOSPC);
	}
	cache_buckets_fini(&t);
}

TEST(what_cannot_be_run_is_refused)
{
	struct cache_bench_opts o = small();

	o.count = 0;
	CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), -EINVAL);
	o = small();
	o.nbuckets = 100;
	CHECK_EQ(cache_bench_run(&o, NULL, &r, NULL), -EINVAL);
}

TEST(the_histogram_has_sixteen_steps_to_a_power_of_two)
{
	memset(&r, 0, sizeof(r));
	for (uint64_t ns = 1; ns < UINT64_C(1) << 60; ns += ns / 7 + 1) {
		memset(r.hist, 0, sizeof(r.hist));
		cache_bench_count(&r, ns, 3);
		CHECK_EQ(timed(), 3);
		CHECK(cache_bench_percentile_ns(&r, 1) <= ns);
		CHECK(cache_bench_percentile_ns(&r, 1) >= ns - ns / 16);
		CHECK_EQ(r.max_ns, ns);
	}
}

TEST(the_reference_checksum_is_the_same_checksum)
{
	uint8_t data[1000];

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = i * 37;
	CHECK_EQ(cache_bench_crc64_bytewise(data, 1000), cache_crc64(data, 1000));
	CHECK_EQ(cache_bench_crc64_bytewise("123456789", 9), 0x62ec59e3f1a4f00a);
}

static struct cache_bench_gc_result gc_run(enum cache_era era, enum cache_policy policy)
{
	const struct cache_bench_gc_opts o = {
		.nbuckets = 65536, .first_bucket = 1, .bucket_sectors = 1024, .policy = policy,
		.driver = cache_driver_of(era), .count = 100000, .rate = 1000, .nodes = 4000,
		.node_ns = 100000, .seed = 1,
	};
	struct cache_bench_gc_result g;

	CHECK_EQ(cache_bench_gc_run(&o, NULL, &g, NULL), 0);
	CHECK_EQ(g.latency.count, o.count);
	CHECK(g.latency.gc_runs > 0);
	if (getenv("SHOW"))
		printf("# %s: %llu stalls, longest %llu ms, gc %llu x %llu ms, %llu during gc\n",
		       o.driver->name, (unsigned long long)g.stalls,
		       (unsigned long long)g.latency.max_ns / 1000000,
		       (unsigned long long)g.latency.gc_runs,
		       (unsigned long long)(g.gc_ns / g.latency.gc_runs / 1000000),
		       (unsigned long long)g.during_gc);
	return g;
}

TEST(in_simulated_time_the_newest_driver_waits_less_for_gc)
{
	for (int policy = 0; policy < CACHE_POLICY_NR; policy++) {
		struct cache_bench_gc_result old = gc_run(CACHE_ERA_6_1, policy);
		struct cache_bench_gc_result again = gc_run(CACHE_ERA_5_10, policy);
		struct cache_bench_gc_result newer = gc_run(CACHE_ERA_7_2, policy);

		CHECK_EQ(old.during_gc, 0);
		CHECK(old.stalls > 0);
		CHECK_EQ(again.stalled_ns, old.stalled_ns);
		CHECK(newer.during_gc > 0);
		CHECK(newer.stalled_ns < old.stalled_ns);
	}
}

TEST_MAIN()
