// SPDX-License-Identifier: GPL-2.0-only
/* Jobs run once each, with any number of threads and without. */
#include "base/workers.h"

#include <signal.h>
#include <stdlib.h>

#include "test.h"

#define JOBS 500u

struct sum {
	struct cache_job job;
	uint64_t from, result;
};

static void add_up(void *ctx)
{
	struct sum *s = ctx;

	for (uint64_t i = 0; i < 1000; i++)
		s->result += s->from + i;
}

static void check_sums(unsigned threads)
{
	struct sum *s = calloc(JOBS, sizeof(*s));
	struct cache_workers *w;

	CHECK_EQ(cache_workers_new(threads, &w), 0);
	CHECK((w != NULL) == (threads != 0));
	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned i = 0; i < JOBS; i++) {
			s[i].job.fn = add_up;
			s[i].job.ctx = &s[i];
			s[i].job.reads = i % 5 == 0;
			s[i].from = i;
			(i % 3 ? cache_workers_start : cache_workers_start_next)(w, &s[i].job);
		}
		for (unsigned i = 0; i < JOBS; i++) {
			/* in order, from the end, and from the middle */
			unsigned k = round == 1 ? i : round == 2 ? JOBS - 1 - i : (i + JOBS / 2) % JOBS;

			cache_workers_wait(w, &s[k].job);
			CHECK_EQ(s[k].result, round * (1000 * (uint64_t)k + 499500));
		}
	}
	cache_workers_free(w);
	free(s);
}

TEST(each_job_has_run_once_when_it_was_waited_for)
{
	static const unsigned threads[] = { 0, 1, 2, 7, 200 };

	for (unsigned i = 0; i < 5; i++)
		check_sums(threads[i]);
}

/* A job that starts others, as the read of a batch does. */
struct parent {
	struct cache_job job;
	struct cache_workers *w;
	struct sum child[4];
};

static void start_children(void *ctx)
{
	struct parent *p = ctx;

	for (unsigned i = 0; i < 4; i++) {
		p->child[i] = (struct sum){ .job = { add_up, &p->child[i] } };
		cache_workers_start(p->w, &p->child[i].job);
	}
}

TEST(a_job_may_start_others)
{
	for (unsigned threads = 0; threads < 4; threads++) {
		struct parent p = { .job = { start_children, &p } };

		CHECK_EQ(cache_workers_new(threads, &p.w), 0);
		for (unsigned round = 0; round < 200; round++) {
			cache_workers_start(p.w, &p.job);
			cache_workers_wait(p.w, &p.job);
			for (unsigned i = 0; i < 4; i++) {
				cache_workers_wait(p.w, &p.child[i].job);
				CHECK_EQ(p.child[i].result, 499500);
			}
		}
		cache_workers_free(p.w);
	}
}

TEST(a_job_that_is_dropped_has_run_or_never_will)
{
	for (unsigned threads = 0; threads < 3; threads++) {
		struct cache_workers *w;
		struct sum s[50];

		CHECK_EQ(cache_workers_new(threads, &w), 0);
		for (unsigned i = 0; i < 50; i++) {
			s[i] = (struct sum){ .job = { add_up, &s[i] } };
			cache_workers_start(w, &s[i].job);
		}
		for (unsigned i = 0; i < 50; i++) {
			cache_workers_drop(w, &s[i].job);
			CHECK(!s[i].result || s[i].result == 499500);
			CHECK(threads || !s[i].result);
			cache_workers_drop(w, &s[i].job);	/* idle: left alone */
			cache_workers_wait(w, &s[i].job);
			CHECK(!s[i].result || s[i].result == 499500);
		}
		cache_workers_free(w);
	}
}

static void note_mask(void *ctx)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	*(int *)ctx = sigismember(&set, SIGINT);
}

TEST(signals_are_left_to_the_thread_that_made_the_workers)
{
	struct cache_workers *w;
	int blocked = -1;
	struct cache_job job = { note_mask, &blocked };
	sigset_t set;

	CHECK_EQ(cache_workers_new(1, &w), 0);
	cache_workers_start(w, &job);
	cache_workers_free(w);	/* ends when all jobs have run */
	CHECK_EQ(blocked, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	CHECK(!sigismember(&set, SIGINT));
}

TEST_MAIN()
