// SPDX-License-Identifier: GPL-2.0-only
/* A device that saves what is overwritten; the old data is durable before the write begins. */
#include "dev/dev_ops.h"
#include "dev/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/fd_io.h"
#include "base/crc64.h"
#include "dev/undo_disk.h"

struct undo_dev {
	struct cache_dev *under;
	int fd;
	off_t end;		/* end of the last record */
	uint64_t nrecords;
	uint64_t chain;		/* csum of the last record, or of the header */
};

/* The part of a record before its data. */
struct record_front {
	struct cache_undo_record_disk r;
	cache_le64 csums[CACHE_UNDO_RECORD_SECTORS_MAX];
};

static struct undo_dev *undo_of(struct cache_dev *dev)
{
	return dev->priv;
}

/* Sector by sector, since an interrupted write may be done in part. */
static void sum_sectors(const void *new, uint64_t nsectors, cache_le64 *csums)
{
	for (uint64_t i = 0; i < nsectors; i++)
		csums[i] = cache_le64_of(cache_crc64((const char *)new + i * CACHE_SECTOR_BYTES,
						     CACHE_SECTOR_BYTES));
}

static void fill_front(const struct undo_dev *u, struct record_front *f, uint64_t sector,
		       uint64_t nsectors, const void *old, const void *new)
{
	struct cache_undo_record_disk *r = &f->r;

	sum_sectors(new, nsectors, f->csums);
	*r = (struct cache_undo_record_disk){
		.magic = cache_le64_of(CACHE_UNDO_RECORD_MAGIC),
		.before = cache_le64_of(u->chain),
		.index = cache_le64_of(u->nrecords),
		.sector = cache_le64_of(sector),
		.nsectors = cache_le64_of(nsectors),
		.old_csum = cache_le64_of(cache_crc64(old, nsectors * CACHE_SECTOR_BYTES)),
		.new_csum = cache_le64_of(cache_crc64(f->csums, nsectors * sizeof(*f->csums))),
	};
	r->csum = cache_le64_of(cache_crc64(&r->magic, sizeof(*r) - sizeof(r->csum)));
}

/* From now on a file that ends before record @n is incomplete. @last: NULL: no record yet. */
static int write_count(int fd, unsigned slot, uint64_t n,
		       const struct cache_undo_record_disk *last)
{
	char block[CACHE_SECTOR_BYTES] = { 0 };
	struct cache_undo_count_disk c = {
		.magic = cache_le64_of(CACHE_UNDO_COUNT_MAGIC),
		.nrecords = cache_le64_of(n),
	};

	if (last)
		c.last = *last;
	c.csum = cache_le64_of(cache_crc64(&c.magic, sizeof(c) - sizeof(c.csum)));
	memcpy(block, &c, sizeof(c));
	return cache_fd_write_at(fd, block, sizeof(block), CACHE_UNDO_COUNT_AT * (1 + slot));
}

static int append_record(struct undo_dev *u, const struct record_front *f, const void *old)
{
	uint64_t nsectors = cache_le64_get(f->r.nsectors);
	size_t front = sizeof(f->r) + nsectors * sizeof(*f->csums);
	size_t nbytes = nsectors * CACHE_SECTOR_BYTES;
	int ret = cache_fd_write_at(u->fd, f, front, u->end);

	if (!ret)
		ret = cache_fd_write_at(u->fd, old, nbytes, u->end + front);
	if (!ret)
		ret = write_count(u->fd, (u->nrecords + 1) % 2, u->nrecords + 1, &f->r);
	if (!ret && fdatasync(u->fd))
		ret = -errno;
	if (ret) {
		/* its write will not begin; the next record is written at the same place */
		(void)!ftruncate(u->fd, u->end);
		return ret;
	}
	u->end += front + nbytes;
	u->chain = cache_le64_get(f->r.csum);
	u->nrecords++;
	return 0;
}

static int save(struct undo_dev *u, uint64_t sector, uint64_t nsectors, const void *new)
{
	void *old = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);
	struct record_front *f = malloc(sizeof(*f));
	int ret = old && f ? 0 : -ENOMEM;

	if (!ret)
		ret = cache_dev_read(u->under, sector, nsectors, old, NULL);
	if (!ret) {
		fill_front(u, f, sector, nsectors, old, new);
		ret = append_record(u, f, old);
	}
	free(f);
	free(old);
	return ret;
}

static int undo_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	return cache_dev_read(undo_of(dev)->under, sector, nsectors, buf, NULL);
}

static int undo_write(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		      const void *buf)
{
	struct undo_dev *u = undo_of(dev);
	int ret = 0;

	while (nsectors && !ret) {
		uint64_t n = cache_min_u64(nsectors, CACHE_UNDO_RECORD_SECTORS_MAX);

		ret = save(u, sector, n, buf);
		if (!ret)
			ret = cache_dev_write(u->under, sector, n, buf, NULL);
		buf = (const char *)buf + n * CACHE_SECTOR_BYTES;
		sector += n;
		nsectors -= n;
	}
	return ret;
}

static int undo_flush(struct cache_dev *dev)
{
	return cache_dev_flush(undo_of(dev)->under, NULL);
}

static int undo_read_many(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n)
{
	return cache_dev_read_many(undo_of(dev)->under, reqs, n);
}

/* An error here loses nothing: the file is then like one of a writer that was killed. */
static void close_file(const struct undo_dev *u)
{
	struct cache_undo_end_disk e = {
		.magic = cache_le64_of(CACHE_UNDO_END_MAGIC),
		.before = cache_le64_of(u->chain),
		.nrecords = cache_le64_of(u->nrecords),
	};

	e.csum = cache_le64_of(cache_crc64(&e.magic, sizeof(e) - sizeof(e.csum)));
	if (!cache_fd_write_at(u->fd, &e, sizeof(e), u->end))
		(void)!fdatasync(u->fd);
	close(u->fd);
}

static void undo_close(struct cache_dev *dev)
{
	struct undo_dev *u = undo_of(dev);

	cache_dev_close(u->under);
	if (u->fd >= 0)
		close_file(u);
	free(u);
}

static const struct cache_dev_ops undo_ops = {
	.read = undo_read, .write = undo_write, .flush = undo_flush,
	.read_many = undo_read_many, .close = undo_close,
};

static int write_head(struct undo_dev *u, const struct cache_undo_origin *o)
{
	struct cache_undo_head_disk h = {
		.version = cache_le32_of(CACHE_UNDO_VERSION),
		.dev_sectors = cache_le64_of(u->under->sectors),
	};
	int ret;

	memcpy(h.magic, CACHE_UNDO_MAGIC, sizeof(h.magic));
	strncpy(h.device, u->under->name, sizeof(h.device) - 1);
	if (o) {
		h.made = cache_le64_of(o->made);
		memcpy(h.run_uuid, o->run_uuid, sizeof(h.run_uuid));
		memcpy(h.dev_uuid, o->dev_uuid, sizeof(h.dev_uuid));
		strncpy(h.program, o->program ? o->program : "", sizeof(h.program) - 1);
	}
	h.csum = cache_le64_of(cache_crc64(h.magic, sizeof(h) - sizeof(h.csum)));
	ret = cache_fd_write_at(u->fd, &h, sizeof(h), 0);
	for (unsigned slot = 0; slot < 2 && !ret; slot++)
		ret = write_count(u->fd, slot, 0, NULL);
	if (!ret && ftruncate(u->fd, CACHE_UNDO_RECORDS_AT))
		ret = -errno;
	if (!ret && fsync(u->fd))
		ret = -errno;
	u->end = CACHE_UNDO_RECORDS_AT;
	u->chain = cache_le64_get(h.csum);
	return ret;
}

int cache_dev_undo_new(struct cache_dev *under, const char *file,
		       const struct cache_undo_origin *origin, struct cache_dev **devp,
		       struct cache_err *err)
{
	struct cache_dev *dev = cache_dev_wrap(&undo_ops, under, sizeof(struct undo_dev));
	struct undo_dev *u;
	int ret = 0;

	if (!dev)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a device");
	u = dev->priv;
	u->under = under;
	u->fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (u->fd < 0)
		ret = -errno;
	else
		ret = write_head(u, origin);
	if (!ret)
		ret = cache_fd_sync_folder(file);
	if (ret) {
		cache_err_set(err, ret, 0, "cannot make the undo file %s: %s", file,
			      strerror(-ret));
		/* the next run may use the name */
		if (u->fd >= 0)
			unlink(file);
		cache_dev_close(dev);
		return ret;
	}
	*devp = dev;
	return 0;
}
