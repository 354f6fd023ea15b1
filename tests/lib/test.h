/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A unit test program is a list of functions whose names say what must hold:
 *
 *	TEST(no_bucket_before_gens_are_committed) { CHECK_EQ(a, b); }
 *	TEST_MAIN()
 *
 * Each prints "ok NAME" or "not ok NAME"; a failed CHECK says where and goes on
 * to the next test. SKIP("reason") ends a test without a verdict.
 */
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

static struct test *test_first, **test_last __attribute__((unused)) = &test_first;
static jmp_buf test_jmp;
static const char *test_skip_reason;

#define TEST(name)							\
	static void name(void);						\
	static struct test test_of_##name = { #name, name, NULL };	\
	__attribute__((constructor)) static void add_##name(void)	\
	{								\
		*test_last = &test_of_##name;				\
		test_last = &test_of_##name.next;			\
	}								\
	static void name(void)

#define TEST_FAIL(...)							\
	do {								\
		printf("# %s:%d: ", __FILE__, __LINE__);		\
		printf(__VA_ARGS__);					\
		printf("\n");						\
		longjmp(test_jmp, 1);					\
	} while (0)

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			TEST_FAIL("%s does not hold", #cond);		\
	} while (0)

#define CHECK_EQ(got, want)						\
	do {								\
		long long got_ = (long long)(got);			\
		long long want_ = (long long)(want);			\
		if (got_ != want_)					\
			TEST_FAIL("%s is %lld (0x%llx), want %lld (0x%llx)", #got, \
				  got_, (unsigned long long)got_, want_,\
				  (unsigned long long)want_);		\
	} while (0)

#define CHECK_STR(got, want)						\
	do {								\
		const char *got_ = (got), *want_ = (want);		\
		if (strcmp(got_, want_))				\
			TEST_FAIL("%s is \"%s\", want \"%s\"", #got, got_, want_); \
	} while (0)

#define CHECK_MEM(got, want, len)					\
	do {								\
		if (memcmp((got), (want), (len)))			\
			TEST_FAIL("%s differs from %s", #got, #want);	\
	} while (0)

#define SKIP(reason)							\
	do {								\
		test_skip_reason = (reason);				\
		longjmp(test_jmp, 2);					\
	} while (0)

/* 0 passed, 1 failed, 2 skipped; apart, since setjmp() spoils what its frame holds */
static inline int test_run_one(const struct test *t)
{
	int verdict = setjmp(test_jmp);

	if (!verdict)
		t->run();
	return verdict;
}

/* Runs all tests, or those whose names are given; 0 when none failed. */
static inline int test_run_all(int argc, char **argv)
{
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *t = test_first; t; t = t->next) {
		bool wanted = argc < 2;
		int verdict;

		for (int i = 1; i < argc; i++)
			wanted |= !strcmp(argv[i], t->name);
		if (!wanted)
			continue;
		verdict = test_run_one(t);
		printf("%sok %s%s%s\n", verdict == 1 ? "not " : "", t->name,
		       verdict == 2 ? " # skip " : "",
		       verdict == 2 ? test_skip_reason : "");
		failed += verdict == 1;
	}
	return failed ? 1 : 0;
}

#define TEST_MAIN()							\
	int main(int argc, char **argv)					\
	{								\
		return test_run_all(argc, argv);			\
	}

#endif
