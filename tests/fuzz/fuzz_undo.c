// SPDX-License-Identifier: GPL-2.0-only
/*
 * Undo files, built from the input and then damaged, and applied to a device that may
 * or may not be theirs:
 *
 *	byte 0	bits of the header: 1 checksum, 2 version, 4 size of the device; of the
 *		counts: 8 too many, 16 too few, 32 checksum; 64 a closing record
 *	then 8 bytes a record: sector (2), count (2), old byte, new byte, flags (2)
 *
 * What must hold: no crash, no sector is written that no record names, and the time is in
 * proportion to the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc64.h"
#include "base/types.h"
#include "budget.h"
#include "dev/dev.h"
#include "target.h"
#include "dev/undo_disk.h"

#define SECTORS		256u
#define RECORDS_MAX	32u

enum {
	BAD_CSUM = 1, BAD_OLD = 2, BAD_NEW = 4, CUT = 8, FAR = 16, LONG = 32,
	WRITTEN = 64, ZERO = 128, NO_MAGIC = 256, UNCHAINED = 512,
};

struct file {
	int fd;
	struct cache_dev *dev;
	bool named[SECTORS];
	uint64_t chain, n;
	struct cache_undo_record_disk last;
};

static void put(struct file *f, const void *buf, size_t nbytes)
{
	if (write(f->fd, buf, nbytes) != (ssize_t)nbytes)
		abort();
}

static void put_head(struct file *f, unsigned bits)
{
	struct cache_undo_head_disk h = {
		.version = cache_le32_of(bits & 2 ? 7 : CACHE_UNDO_VERSION),
		.dev_sectors = cache_le64_of(bits & 4 ? UINT64_MAX : SECTORS),
	};

	memcpy(h.magic, CACHE_UNDO_MAGIC, sizeof(h.magic));
	memset(h.device, 'd', sizeof(h.device));	/* no terminator */
	h.csum = cache_le64_of(cache_crc64(h.magic, sizeof(h) - sizeof(h.csum)) ^ (bits & 1));
	f->chain = cache_le64_get(h.csum);
	put(f, &h, sizeof(h));
	if (lseek(f->fd, CACHE_UNDO_RECORDS_AT, SEEK_SET) < 0)
		abort();
}

static void put_count(struct file *f, unsigned slot, uint64_t n, bool bad)
{
	struct cache_undo_count_disk c = {
		.magic = cache_le64_of(CACHE_UNDO_COUNT_MAGIC),
		.nrecords = cache_le64_of(n),
		.last = f->last,
	};

	c.csum = cache_le64_of(cache_crc64(&c.magic, sizeof(c) - sizeof(c.csum)) ^ bad);
	if (pwrite(f->fd, &c, sizeof(c), CACHE_UNDO_COUNT_AT * (1 + slot)) != sizeof(c))
		abort();
}

/* @bits: 8 one more than there are, 16 one fewer, 32 bad checksum, 64 closing record */
static void put_counts(struct file *f, unsigned bits)
{
	uint64_t n = f->n + !!(bits & 8) - (f->n && bits & 16);
	struct cache_undo_end_disk e = {
		.magic = cache_le64_of(CACHE_UNDO_END_MAGIC),
		.before = cache_le64_of(f->chain),
		.nrecords = cache_le64_of(f->n),
	};

	put_count(f, 0, n, bits & 32);
	put_count(f, 1, n ? n - 1 : 0, false);
	e.csum = cache_le64_of(cache_crc64(&e.magic, sizeof(e) - sizeof(e.csum)));
	if (bits & 64)
		put(f, &e, sizeof(e));
}

/* What a writer that was not cut off here would have left. */
static void write_new(struct file *f, uint64_t sector, uint64_t n, int byte)
{
	char buf[CACHE_SECTOR_BYTES];

	memset(buf, byte, sizeof(buf));
	for (uint64_t i = 0; i < n; i++)
		cache_dev_write(f->dev, sector + i, 1, buf, NULL);
}

static void put_record(struct file *f, const uint8_t *in)
{
	unsigned flags = in[6] | in[7] << 8;
	uint64_t n = in[2] | in[3] << 8, sector = in[0] | in[1] << 8;
	static char old[CACHE_UNDO_RECORD_SECTORS_MAX * CACHE_SECTOR_BYTES];
	static cache_le64 sums[CACHE_UNDO_RECORD_SECTORS_MAX];
	struct cache_undo_record_disk r = {
		.magic = cache_le64_of(CACHE_UNDO_RECORD_MAGIC ^ !!(flags & NO_MAGIC)),
		.before = cache_le64_of(f->chain ^ !!(flags & UNCHAINED)),
		.index = cache_le64_of(f->n++),
	};
	uint64_t stored;

	if (!(flags & LONG)) {
		n = n % 8 + 1;
		sector %= SECTORS;
	}
	stored = n < CACHE_UNDO_RECORD_SECTORS_MAX ? n : CACHE_UNDO_RECORD_SECTORS_MAX;
	for (uint64_t i = 0; i < stored && sector + i < SECTORS; i++)
		f->named[sector + i] = true;
	if (flags & WRITTEN)
		write_new(f, sector, stored, in[5]);
	memset(old, in[5], CACHE_SECTOR_BYTES);
	for (uint64_t i = 0; i < stored; i++)
		sums[i] = cache_le64_of(cache_crc64(old, CACHE_SECTOR_BYTES));
	memset(old, in[4], stored * CACHE_SECTOR_BYTES);
	r.sector = cache_le64_of(sector | (flags & FAR ? UINT64_MAX - 2 : 0));
	r.nsectors = cache_le64_of(flags & ZERO ? 0 : n);
	r.old_csum = cache_le64_of(cache_crc64(old, stored * CACHE_SECTOR_BYTES) ^
				   !!(flags & BAD_OLD));
	r.new_csum = cache_le64_of(cache_crc64(sums, stored * sizeof(*sums)) ^
				   !!(flags & BAD_NEW));
	r.csum = cache_le64_of(cache_crc64(&r.magic, sizeof(r) - sizeof(r.csum)) ^
			       (flags & BAD_CSUM));
	f->chain = cache_le64_get(r.csum);
	f->last = r;
	put(f, &r, sizeof(r));
	put(f, sums, stored * sizeof(*sums));
	put(f, old, flags & CUT ? stored * CACHE_SECTOR_BYTES / 2 : stored * CACHE_SECTOR_BYTES);
}

static void take_back(struct file *f)
{
	off_t nbytes = lseek(f->fd, 0, SEEK_END);
	char path[32], before[SECTORS * CACHE_SECTOR_BYTES], after[sizeof(before)];
	struct cache_undo *u = NULL;
	struct cache_err err = { 0 };

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	budget_start();
	if (cache_undo_open(path, NULL, NULL, &u, &err)) {
		budget_end(nbytes, nbytes);
		return;
	}
	if (strlen(cache_undo_device(u)) > 383 || cache_undo_records(u) > RECORDS_MAX)
		abort();
	cache_dev_read(f->dev, 0, SECTORS, before, NULL);
	cache_undo_check(u, f->dev, &err);
	cache_undo_apply(u, f->dev, &err);	/* also where the check said no: -f */
	budget_end(nbytes, nbytes + sizeof(before));
	cache_dev_read(f->dev, 0, SECTORS, after, NULL);
	for (unsigned i = 0; i < SECTORS; i++)
		if (!f->named[i] && memcmp(before + i * CACHE_SECTOR_BYTES,
					   after + i * CACHE_SECTOR_BYTES, CACHE_SECTOR_BYTES))
			abort();
	cache_undo_close(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file f = { .fd = memfd_create("undo", MFD_CLOEXEC) };

	if (size && f.fd >= 0 && !cache_dev_mem_new("mem", SECTORS, &f.dev, NULL)) {
		put_head(&f, data[0]);
		for (size_t i = 1; i + 8 <= size && i < 1 + 8 * RECORDS_MAX; i += 8)
			put_record(&f, data + i);
		put_counts(&f, data[0]);
		take_back(&f);
		cache_dev_close(f.dev);
	}
	close(f.fd);
	return 0;
}
