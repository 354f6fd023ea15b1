/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest writes, and what a block may hold after that: the rule that the guest
 * and the judge without a kernel share.
 *
 * Write number i of a seed covers 1..SPAN blocks of 4 KiB, where both place and
 * length follow from (seed, i) alone, and every block carries version i + 1. So
 * whoever knows seed and acknowledged count knows, for every block, the oldest
 * version it may hold; a newer one is right only if that write covers the block.
 */
#ifndef TESTS_KERNEL_GUEST_WRITTEN_H
#define TESTS_KERNEL_GUEST_WRITTEN_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITTEN_BLOCK_BYTES	4096
#define WRITTEN_BLOCK_WORDS	(WRITTEN_BLOCK_BYTES / 8)
#define WRITTEN_SPAN_MAX	256
#define WRITTEN_AT_ONCE		64	/* blocks that a check reads at a time */
#define WRITTEN_SHOWN_MAX	10	/* wrong blocks that are named, the rest is counted */
#define WRITTEN_MAGIC		0x6361636874657374ull

/* The region starts at block @base of its device. */
struct written {
	uint64_t seed, base, blocks, span;
};

static inline uint64_t written_mix(uint64_t a, uint64_t b)
{
	uint64_t z = a * 0x9e3779b97f4a7c15ull + b + 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Which blocks write @i of the region covers. */
static inline uint64_t written_place(const struct written *r, uint64_t i, uint64_t *len)
{
	uint64_t h = written_mix(r->seed, i);
	uint64_t first = h % r->blocks;

	*len = 1 + (h >> 40) % r->span;
	if (*len > r->blocks - first)
		*len = r->blocks - first;
	return first;
}

/* Repeats inside a block, so that images compress; differs between blocks. */
static inline void written_fill(const struct written *r, uint64_t block, uint64_t version,
				uint64_t *w)
{
	uint64_t h = written_mix(r->seed ^ block << 32, version);

	for (int i = 0; i < WRITTEN_BLOCK_WORDS; i += 4) {
		w[i] = WRITTEN_MAGIC ^ h;
		w[i + 1] = r->seed;
		w[i + 2] = block;
		w[i + 3] = version;
	}
}

/* The version of a block, 0 for one never written, -1 for none of ours. */
static inline int64_t written_version(const struct written *r, uint64_t block,
				      const uint64_t *w)
{
	static const uint64_t zero[WRITTEN_BLOCK_WORDS];
	uint64_t want[WRITTEN_BLOCK_WORDS], first, len;

	if (!memcmp(w, zero, WRITTEN_BLOCK_BYTES))
		return 0;
	if (!w[3] || w[3] > INT64_MAX)
		return -1;
	written_fill(r, block, w[3], want);
	if (memcmp(w, want, WRITTEN_BLOCK_BYTES))
		return -1;
	first = written_place(r, w[3] - 1, &len);
	return block - first < len ? (int64_t)w[3] : -1;
}

/* Blocks @first and @len - 1 more of the region, into @buf of WRITTEN_AT_ONCE blocks. */
typedef int written_read_fn(void *ctx, uint64_t first, uint64_t len, uint64_t *buf);

static inline int64_t *written_oldest(const struct written *r, uint64_t acked)
{
	int64_t *oldest = calloc(r->blocks, sizeof(*oldest));

	for (uint64_t i = 0; oldest && i < acked; i++) {
		uint64_t len, first = written_place(r, i, &len);

		for (uint64_t k = 0; k < len; k++)
			oldest[first + k] = i + 1;
	}
	return oldest;
}

/*
 * Every block is as old as what was acknowledged of it, or newer, by a write below @total.
 * Says what is wrong. Return: how many blocks are, or a negative errno.
 */
static inline int64_t written_check(const struct written *r, uint64_t acked, uint64_t total,
				    written_read_fn *read, void *ctx, uint64_t *buf)
{
	int64_t *oldest = written_oldest(r, acked), wrong = 0;
	uint64_t newer = 0;

	if (!oldest)
		return -ENOMEM;
	for (uint64_t b = 0; b < r->blocks; b++) {
		uint64_t left = r->blocks - b, at = b % WRITTEN_AT_ONCE;
		int64_t v;
		int ret = 0;

		if (!at)
			ret = read(ctx, b, left < WRITTEN_AT_ONCE ? left : WRITTEN_AT_ONCE, buf);
		if (ret) {
			free(oldest);
			return ret;
		}
		v = written_version(r, b, buf + at * WRITTEN_BLOCK_WORDS);
		newer += v > (int64_t)acked;
		if (v >= oldest[b] && v <= (int64_t)total)
			continue;
		if (wrong++ < WRITTEN_SHOWN_MAX)
			printf("wrong seed %" PRIu64 " block %" PRIu64 ": version %" PRId64
			       ", acknowledged %" PRId64 "\n", r->seed, b, v, oldest[b]);
	}
	printf("check %" PRIu64 ": %" PRIu64 " blocks, %" PRIu64 " acknowledged writes, %"
	       PRIu64 " blocks newer, %" PRId64 " wrong\n", r->seed, r->blocks, acked,
	       newer, wrong);
	free(oldest);
	return wrong;
}

#endif
