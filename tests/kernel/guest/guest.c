// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program inside the guest: writes blocks that say who they are, and later
 * tells a lost or a stale block from a right one.
 *
 * Write number i of a seed covers 1..SPAN blocks of 4 KiB, where both place and
 * length follow from (seed, i) alone, and every block carries version i + 1. So
 * whoever knows seed and acknowledged count knows, for every block, the oldest
 * version it may hold; a newer one is right only if that write covers the block.
 *
 *	guest write DEV SEED BLOCKS SPAN FROM COUNT BATCH	acknowledged per batch
 *	guest read  DEV SEED BLOCKS SPAN COUNT NTH		random reads, verified
 *	guest check DEV SEED BLOCKS SPAN ACKED TOTAL		nothing lost or stale
 *
 * BLOCKS may be BASE+BLOCKS: the region starts at block BASE.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES	4096
#define BLOCK_WORDS	(BLOCK_BYTES / 8)
#define SPAN_MAX	256
#define CHECK_BLOCKS	64	/* read at a time */
#define READ_TRIES	3
#define MAGIC		0x6361636874657374ull

struct region {
	int fd;
	uint64_t seed, base, blocks, span;
};

static uint64_t buf[SPAN_MAX * BLOCK_WORDS] __attribute__((aligned(BLOCK_BYTES)));

static void die(const char *what)
{
	printf("guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t z = a * 0x9e3779b97f4a7c15ull + b + 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Which blocks write @i of the region covers. */
static uint64_t place(const struct region *r, uint64_t i, uint64_t *len)
{
	uint64_t h = mix(r->seed, i);
	uint64_t first = h % r->blocks;

	*len = 1 + (h >> 40) % r->span;
	if (*len > r->blocks - first)
		*len = r->blocks - first;
	return first;
}

/* Repeats inside a block, so that images compress; differs between blocks. */
static void fill(const struct region *r, uint64_t block, uint64_t version, uint64_t *w)
{
	uint64_t h = mix(r->seed ^ block << 32, version);

	for (int i = 0; i < BLOCK_WORDS; i += 4) {
		w[i] = MAGIC ^ h;
		w[i + 1] = r->seed;
		w[i + 2] = block;
		w[i + 3] = version;
	}
}

/* The version of a block, 0 for one never written, -1 for none of ours. */
static int64_t version_of(const struct region *r, uint64_t block, const uint64_t *w)
{
	static const uint64_t zero[BLOCK_WORDS];
	uint64_t want[BLOCK_WORDS], first, len;

	if (!memcmp(w, zero, BLOCK_BYTES))
		return 0;
	if (!w[3] || w[3] > INT64_MAX)
		return -1;
	fill(r, block, w[3], want);
	if (memcmp(w, want, BLOCK_BYTES))
		return -1;
	first = place(r, w[3] - 1, &len);
	return block - first < len ? (int64_t)w[3] : -1;
}

static void put(const struct region *r, uint64_t i)
{
	uint64_t len, first = place(r, i, &len);

	for (uint64_t k = 0; k < len; k++)
		fill(r, first + k, i + 1, buf + k * BLOCK_WORDS);
	if (pwrite(r->fd, buf, len * BLOCK_BYTES, (r->base + first) * BLOCK_BYTES) !=
	    (ssize_t)(len * BLOCK_BYTES))
		die("write");
}

/*
 * The driver answers EIO to a read that meets dirty data and, in the same request, a
 * clean bucket that was reused meanwhile (it counts cache_read_races). The next read
 * does not find that bucket.
 */
static void get(const struct region *r, uint64_t first, uint64_t len)
{
	for (int i = 0; i < READ_TRIES; i++) {
		if (pread(r->fd, buf, len * BLOCK_BYTES, (r->base + first) * BLOCK_BYTES) ==
		    (ssize_t)(len * BLOCK_BYTES))
			return;
		printf("again %" PRIu64 ": read of %" PRIu64 " blocks at %" PRIu64 ": %s\n",
		       r->seed, len, first, strerror(errno));
	}
	die("read");
}

/* A write counts as acknowledged only once a flush behind it came back. */
static int do_write(const struct region *r, uint64_t from, uint64_t count, uint64_t batch)
{
	for (uint64_t i = from; i < from + count; i++) {
		put(r, i);
		if ((i + 1) % batch && i + 1 < from + count)
			continue;
		if (fdatasync(r->fd))
			die("flush");
		printf("ack %" PRIu64 " %" PRIu64 "\n", r->seed, i + 1);
	}
	return 0;
}

static int do_read(const struct region *r, uint64_t count, uint64_t nth)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t first = mix(r->seed ^ nth, ~i) % r->blocks;

		get(r, first, 1);
		if (version_of(r, first, buf) < 0) {
			printf("wrong seed %" PRIu64 " block %" PRIu64 ": not ours\n",
			       r->seed, first);
			return 1;
		}
	}
	printf("read %" PRIu64 " %" PRIu64 "\n", r->seed, count);
	return 0;
}

static int do_check(const struct region *r, uint64_t acked, uint64_t total)
{
	int64_t *oldest = calloc(r->blocks, sizeof(*oldest));
	uint64_t wrong = 0, newer = 0;

	if (!oldest)
		die("memory");
	for (uint64_t i = 0; i < acked; i++) {
		uint64_t len, first = place(r, i, &len);

		for (uint64_t k = 0; k < len; k++)
			oldest[first + k] = i + 1;
	}
	for (uint64_t b = 0; b < r->blocks; b++) {
		uint64_t left = r->blocks - b, at = b % CHECK_BLOCKS;
		int64_t v;

		if (!at)
			get(r, b, left < CHECK_BLOCKS ? left : CHECK_BLOCKS);
		v = version_of(r, b, buf + at * BLOCK_WORDS);
		newer += v > (int64_t)acked;
		if (v >= oldest[b] && v <= (int64_t)total)
			continue;
		if (wrong++ < 10)
			printf("wrong seed %" PRIu64 " block %" PRIu64 ": version %" PRId64
			       ", acknowledged %" PRId64 "\n", r->seed, b, v, oldest[b]);
	}
	printf("check %" PRIu64 ": %" PRIu64 " blocks, %" PRIu64 " acknowledged writes, %"
	       PRIu64 " blocks newer, %" PRIu64 " wrong\n", r->seed, r->blocks, acked,
	       newer, wrong);
	free(oldest);
	return wrong != 0;
}

int main(int argc, char **argv)
{
	struct region r = { 0 };
	uint64_t n[3] = { 0 };
	const char *plus;

	if (argc < 7)
		goto usage;
	setvbuf(stdout, NULL, _IOLBF, 0);
	r.seed = strtoull(argv[3], NULL, 0);
	plus = strchr(argv[4], '+');
	r.base = plus ? strtoull(argv[4], NULL, 0) : 0;
	r.blocks = strtoull(plus ? plus + 1 : argv[4], NULL, 0);
	r.span = strtoull(argv[5], NULL, 0);
	for (int i = 0; i < 3 && argv[6 + i]; i++)
		n[i] = strtoull(argv[6 + i], NULL, 0);
	if (!r.blocks || !r.span || r.span > SPAN_MAX)
		goto usage;
	r.fd = open(argv[2], O_RDWR | O_DIRECT);
	if (r.fd < 0)
		die(argv[2]);
	if (!strcmp(argv[1], "write"))
		return do_write(&r, n[0], n[1], n[2] ? n[2] : 64);
	if (!strcmp(argv[1], "read"))
		return do_read(&r, n[0], n[1]);
	if (!strcmp(argv[1], "check"))
		return do_check(&r, n[0], n[1]);
usage:
	fprintf(stderr, "usage: guest write|read|check DEV SEED BLOCKS SPAN N...\n");
	return 2;
}
