// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program inside the guest: writes blocks that say who they are, and later
 * tells a lost or a stale block from a right one (written.h).
 *
 *	guest write DEV SEED BLOCKS SPAN FROM COUNT BATCH	acknowledged per batch
 *	guest read  DEV SEED BLOCKS SPAN COUNT NTH		random reads, verified
 *	guest check DEV SEED BLOCKS SPAN ACKED TOTAL		nothing lost or stale
 *
 * BLOCKS may be BASE+BLOCKS: the region starts at block BASE.
 */
#include <fcntl.h>
#include <unistd.h>

#include "written.h"

#define READ_TRIES	3

struct region {
	struct written w;
	int fd;
};

static uint64_t buf[WRITTEN_SPAN_MAX * WRITTEN_BLOCK_WORDS]
	__attribute__((aligned(WRITTEN_BLOCK_BYTES)));

static void die(const char *what)
{
	printf("guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

static off_t offset_of(const struct region *r, uint64_t block)
{
	return (r->w.base + block) * WRITTEN_BLOCK_BYTES;
}

static void put(const struct region *r, uint64_t i)
{
	uint64_t len, first = written_place(&r->w, i, &len);
	size_t nbytes = len * WRITTEN_BLOCK_BYTES;

	for (uint64_t k = 0; k < len; k++)
		written_fill(&r->w, first + k, i + 1, buf + k * WRITTEN_BLOCK_WORDS);
	if (pwrite(r->fd, buf, nbytes, offset_of(r, first)) != (ssize_t)nbytes)
		die("write");
}

/*
 * The driver answers EIO to a read that meets dirty data and, in the same request, a
 * clean bucket that was reused meanwhile (it counts cache_read_races). The next read
 * does not find that bucket.
 */
static void get(const struct region *r, uint64_t first, uint64_t len)
{
	size_t nbytes = len * WRITTEN_BLOCK_BYTES;

	for (int i = 0; i < READ_TRIES; i++) {
		if (pread(r->fd, buf, nbytes, offset_of(r, first)) == (ssize_t)nbytes)
			return;
		printf("again %" PRIu64 ": read of %" PRIu64 " blocks at %" PRIu64 ": %s\n",
		       r->w.seed, len, first, strerror(errno));
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
		printf("ack %" PRIu64 " %" PRIu64 "\n", r->w.seed, i + 1);
	}
	return 0;
}

static int do_read(const struct region *r, uint64_t count, uint64_t nth)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t first = written_mix(r->w.seed ^ nth, ~i) % r->w.blocks;

		get(r, first, 1);
		if (written_version(&r->w, first, buf) < 0) {
			printf("wrong seed %" PRIu64 " block %" PRIu64 ": not ours\n",
			       r->w.seed, first);
			return 1;
		}
	}
	printf("read %" PRIu64 " %" PRIu64 "\n", r->w.seed, count);
	return 0;
}

static int get_some(void *ctx, uint64_t first, uint64_t len, uint64_t *into)
{
	(void)into;	/* buf */
	get(ctx, first, len);
	return 0;
}

static int do_check(const struct region *r, uint64_t acked, uint64_t total)
{
	int64_t wrong = written_check(&r->w, acked, total, get_some, (void *)r, buf);

	if (wrong < 0)
		die("memory");
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
	r.w.seed = strtoull(argv[3], NULL, 0);
	plus = strchr(argv[4], '+');
	r.w.base = plus ? strtoull(argv[4], NULL, 0) : 0;
	r.w.blocks = strtoull(plus ? plus + 1 : argv[4], NULL, 0);
	r.w.span = strtoull(argv[5], NULL, 0);
	for (int i = 0; i < 3 && argv[6 + i]; i++)
		n[i] = strtoull(argv[6 + i], NULL, 0);
	if (!r.w.blocks || !r.w.span || r.w.span > WRITTEN_SPAN_MAX)
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
