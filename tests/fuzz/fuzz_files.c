// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes as an undo file or a header backup, their first checksum computed again where the
 * input says so: fuzz_undo.c and fuzz_backup.c build theirs record by record. The input:
 *
 *	byte 0	bit 0 a backup, 1 the head's checksum is right, 2 the records follow at once,
 *		3-7 how long the file is beyond that: 2^n KiB of zeros
 *	then the file; the part behind the head of an undo file where its records are
 *
 * What must hold: no crash, no over-read; time and memory as the file's bytes, not its claims.
 */
#include "budget.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc64.h"
#include "dev/dev.h"
#include "dev/undo_disk.h"
#include "super/backup_disk.h"
#include "target.h"

#include <libcache/backup.h>

#define SECTORS		4096u

enum { BACKUP = 1, RIGHT_CSUM = 2, RECORDS = 4 };

static void put(int fd, const void *buf, size_t n, uint64_t at)
{
	if (pwrite(fd, buf, n, at) != (ssize_t)n)
		abort();
}

static void put_undo(int fd, const uint8_t *data, size_t size, unsigned bits)
{
	struct cache_undo_head_disk h = { .version = cache_le32_of(CACHE_UNDO_VERSION),
					  .dev_sectors = cache_le64_of(SECTORS) };
	size_t head = size < sizeof(h) ? size : sizeof(h);

	if (bits & RECORDS)
		head = 0;
	else
		memcpy(&h, data, head);
	memcpy(h.magic, CACHE_UNDO_MAGIC, sizeof(h.magic));
	if (bits & RIGHT_CSUM)
		h.csum = cache_le64_of(cache_crc64(h.magic, sizeof(h) - sizeof(h.csum)));
	put(fd, &h, sizeof(h), 0);
	put(fd, data + head, size - head, bits & RECORDS ? CACHE_UNDO_COUNT_AT :
	    CACHE_UNDO_RECORDS_AT);
}

static void put_backup(int fd, const uint8_t *data, size_t size, unsigned bits)
{
	struct cache_backup_disk d = { 0 };

	memcpy((uint8_t *)&d + sizeof(d.csum), data,
	       size < sizeof(d) - sizeof(d.csum) ? size : sizeof(d) - sizeof(d.csum));
	memcpy(d.magic, CACHE_BACKUP_MAGIC, sizeof(d.magic));
	d.version = cache_le32_of(CACHE_BACKUP_VERSION);
	if (bits & RIGHT_CSUM)
		d.csum = cache_le64_of(cache_crc64(d.magic, sizeof(d) - sizeof(d.csum)));
	put(fd, &d, sizeof(d), 0);
}

static void apply(const char *path, struct cache_dev *dev, bool is_backup)
{
	struct cache_backup_opts opts = { .size = sizeof(opts), .force = true };
	struct cache_backup backup = { 0 };
	struct cache_undo *u = NULL;
	bool differs;

	if (is_backup) {
		if (!cache_backup_read(path, &backup, NULL))
			cache_backup_restore(dev, &backup, &opts, &differs, NULL);
		return;
	}
	if (cache_undo_open(path, NULL, NULL, &u, NULL))
		return;
	cache_undo_check(u, dev, NULL);
	cache_undo_apply(u, dev, NULL);
	cache_undo_close(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cache_dev *dev;
	char path[32];
	off_t nbytes;
	int fd;

	if (size < 1)
		return 0;
	fd = memfd_create("file", MFD_CLOEXEC);
	if (fd < 0 || cache_dev_mem_new("mem", SECTORS, &dev, NULL))
		abort();
	if (data[0] & BACKUP)
		put_backup(fd, data + 1, size - 1, data[0]);
	else
		put_undo(fd, data + 1, size - 1, data[0]);
	nbytes = lseek(fd, 0, SEEK_END);
	if (data[0] >> 3 && ftruncate(fd, nbytes + ((off_t)1024 << (data[0] >> 3) % 14)))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	budget_start();
	apply(path, dev, data[0] & BACKUP);
	budget_end(nbytes, nbytes + ((uint64_t)1024 << (data[0] >> 3) % 14));
	cache_dev_close(dev);
	close(fd);
	return 0;
}
