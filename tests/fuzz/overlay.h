/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that shows a base image and can be written to, and forgets what was
 * written at once: a private mapping, whose touched pages are given back. So a fuzzer
 * can damage a kernel-written image thousands of times without copying it.
 */
#ifndef TESTS_FUZZ_OVERLAY_H
#define TESTS_FUZZ_OVERLAY_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev/dev_ops.h"
#include "base/types.h"

#define OVERLAY_WRITES	4096u	/* remembered one by one; more: the whole is given back */

static uint64_t overlay_bytes;	/* read and written, of all overlays since the last overlay_forget() */

struct overlay {
	char *base;
	uint64_t sectors;
	struct { uint64_t sector, n; } write[OVERLAY_WRITES];
	uint32_t nwrites;
};

static inline int overlay_open(struct overlay *o, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	o->base = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
		       fd, 0);
	close(fd);
	o->sectors = st.st_size / CACHE_SECTOR_BYTES;
	return o->base == MAP_FAILED ? -ENOMEM : 0;
}

static inline void overlay_drop(struct overlay *o, uint64_t sector, uint64_t n)
{
	uint64_t start = sector / CACHE_PAGE_SECTORS * CACHE_PAGE_BYTES;

	madvise(o->base + start, (sector + n) * CACHE_SECTOR_BYTES - start, MADV_DONTNEED);
}

static inline void overlay_forget(struct overlay *o)
{
	if (o->nwrites > OVERLAY_WRITES)
		overlay_drop(o, 0, o->sectors);
	else
		for (uint32_t i = 0; i < o->nwrites; i++)
			overlay_drop(o, o->write[i].sector, o->write[i].n);
	o->nwrites = 0;
	overlay_bytes = 0;
}

static inline int overlay_read(struct cache_dev *dev, uint64_t sector, uint64_t n, void *buf)
{
	struct overlay *o = dev->priv;

	overlay_bytes += n * CACHE_SECTOR_BYTES;
	memcpy(buf, o->base + sector * CACHE_SECTOR_BYTES, n * CACHE_SECTOR_BYTES);
	return 0;
}

static inline int overlay_write(struct cache_dev *dev, uint64_t sector, uint64_t n,
				const void *buf)
{
	struct overlay *o = dev->priv;

	overlay_bytes += n * CACHE_SECTOR_BYTES;
	memcpy(o->base + sector * CACHE_SECTOR_BYTES, buf, n * CACHE_SECTOR_BYTES);
	if (o->nwrites < OVERLAY_WRITES) {
		o->write[o->nwrites].sector = sector;
		o->write[o->nwrites].n = n;
	}
	o->nwrites += o->nwrites <= OVERLAY_WRITES;
	return 0;
}

static inline int overlay_flush(struct cache_dev *dev)
{
	return 0;
}

static const struct cache_dev_ops overlay_ops = {
	.read = overlay_read, .write = overlay_write, .flush = overlay_flush,
};

/* A device over @o; closing it leaves @o as it is. */
static inline struct cache_dev *overlay_dev(struct overlay *o)
{
	struct cache_dev *dev = cache_dev_alloc(&overlay_ops, "overlay");

	if (!dev)
		abort();
	dev->sectors = o->sectors;
	dev->writable = true;
	dev->priv = o;
	return dev;
}

#endif
