/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Work that lacks memory: the n-th allocation fails, for all n, until none does.
 *
 *	for (uint64_t n = 1; struck; n++) {
 *		crash_alloc_fail(n);
 *		ret = work(&err);
 *		struck = crash_alloc_said(ret, &err);
 *	}
 */
#ifndef TESTS_CRASH_MEMORY_H
#define TESTS_CRASH_MEMORY_H

#include <errno.h>

#include "base/err.h"
#include "test.h"

/* Counted by wrap.h while @at is not 0; at the n-th NULL is returned. */
struct crash_alloc {
	uint64_t seen, at, runs;
};

extern struct crash_alloc crash_alloc;

/* The @n-th allocation from here on fails. */
static inline void crash_alloc_fail(uint64_t n)
{
	if (n == 1)
		crash_alloc.runs = 0;
	crash_alloc.seen = 0;
	crash_alloc.at = n;
}

/*
 * None fails any more. What was done meanwhile with @ret lacked memory and says so, in
 * @err too if there is one; or, false, it had all that it asked for, and is done.
 */
static inline bool crash_alloc_said(int ret, const struct cache_err *err)
{
	uint64_t n = crash_alloc.at;
	bool struck = crash_alloc.seen >= n;

	crash_alloc.at = 0;
	if (ret != (struck ? -ENOMEM : 0) || (err && !ret != !err->text[0]))
		TEST_FAIL("allocation %" PRIu64 " %s: %d %s", n, struck ? "failed" : "not asked for",
			  ret, err ? err->text : "");
	if (struck)
		crash_alloc.runs++;
	else
		printf("# %" PRIu64 " runs without memory\n", crash_alloc.runs);
	return struck;
}

#endif
