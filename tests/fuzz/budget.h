/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an input may cost: processor time in proportion to the bytes that the input made, and a
 * little for each that was read beside them, such as zeros of a sparse device. Only where inputs are looked for (make fuzz): to play a corpus back looks at no clock.
 */
#ifndef TESTS_FUZZ_BUDGET_H
#define TESTS_FUZZ_BUDGET_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Under sanitizers, which make a key of 24 bytes cost some 1000 ns in all passes together. */
#define BUDGET_BASE_NS		UINT64_C(1000000000)	/* a busy machine is slow at times */
#define BUDGET_NS_PER_CONTENT	400u
#define BUDGET_NS_PER_READ	10u

#pragma weak fuzz_is_replay
extern const int fuzz_is_replay;	/* of replay.c */

static uint64_t budget_started_ns;

static inline uint64_t budget_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static inline void budget_start(void)
{
	budget_started_ns = budget_now_ns();
}

/*
 * Aborts where more was used than the bytes of content and those that were read account for, and
 * @beside_ns.
 */
static inline void budget_end_beside(uint64_t content_bytes, uint64_t read_bytes,
				     uint64_t beside_ns)
{
	uint64_t used = budget_now_ns() - budget_started_ns;
	uint64_t may = BUDGET_BASE_NS + content_bytes * BUDGET_NS_PER_CONTENT +
		       read_bytes * BUDGET_NS_PER_READ + beside_ns;

	if (&fuzz_is_replay || used <= may)
		return;
	fprintf(stderr, "%" PRIu64 " ns, of %" PRIu64 " that %" PRIu64 " bytes may take\n",
		used, may, content_bytes);
	abort();
}

static inline void budget_end(uint64_t content_bytes, uint64_t read_bytes)
{
	budget_end_beside(content_bytes, read_bytes, 0);
}

#endif
