// SPDX-License-Identifier: GPL-2.0-only
/* A device that saves what is overwritten, on disk before it is. */
#include "dev/dev_ops.h"
#include "dev/undo.h"

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
};

static struct undo_dev *undo_of(struct cache_dev *dev)
{
	return dev->priv;
}

/* Sector by sector, since a write that is cut off may be done in part. */
static void sum_sectors(const void *new, uint64_t nsectors, cache_le64 *csums)
{
	for (uint64_t i = 0; i < nsectors; i++)
		csums[i] = cache_le64_of(cache_crc64((const char *)new + i * CACHE_SECTOR_BYTES,
						     CACHE_SECTOR_BYTES));
}

static int append_record(int fd, uint64_t sector, uint64_t nsectors, const void *old,
			 const void *new)
{
	size_t nbytes = nsectors * CACHE_SECTOR_BYTES;
	cache_le64 csums[CACHE_UNDO_RECORD_SECTORS_MAX];
	struct cache_undo_record_disk r = {
		.magic = cache_le64_of(CACHE_UNDO_RECORD_MAGIC),
		.sector = cache_le64_of(sector),
		.nsectors = cache_le64_of(nsectors),
		.old_csum = cache_le64_of(cache_crc64(old, nbytes)),
	};
	int ret;

	sum_sectors(new, nsectors, csums);
	r.new_csum = cache_le64_of(cache_crc64(csums, nsectors * sizeof(*csums)));
	r.csum = cache_le64_of(cache_crc64(&r.magic, sizeof(r) - sizeof(r.csum)));
	ret = cache_fd_write(fd, &r, sizeof(r));
	if (!ret)
		ret = cache_fd_write(fd, csums, nsectors * sizeof(*csums));
	if (!ret)
		ret = cache_fd_write(fd, old, nbytes);
	if (!ret && fdatasync(fd))
		ret = -errno;
	return ret;
}

/* A record that could not be completed must not stand before later ones. */
static int save(struct undo_dev *u, uint64_t sector, uint64_t nsectors, const void *new)
{
	void *old = cache_dev_buf(nsectors * CACHE_SECTOR_BYTES);
	off_t end = lseek(u->fd, 0, SEEK_END);
	int ret = old && end >= 0 ? 0 : -ENOMEM;

	if (!ret)
		ret = cache_dev_read(u->under, sector, nsectors, old, NULL);
	if (!ret)
		ret = append_record(u->fd, sector, nsectors, old, new);
	if (ret && end >= 0 && ftruncate(u->fd, end))
		ret = -EIO;
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

static void undo_close(struct cache_dev *dev)
{
	struct undo_dev *u = undo_of(dev);

	cache_dev_close(u->under);
	if (u->fd >= 0)
		close(u->fd);
	free(u);
}

static const struct cache_dev_ops undo_ops = {
	.read = undo_read, .write = undo_write, .flush = undo_flush,
	.read_many = undo_read_many, .close = undo_close,
};

static int write_head(int fd, const struct cache_dev *under)
{
	struct cache_undo_head_disk h = {
		.version = cache_le32_of(CACHE_UNDO_VERSION),
		.dev_sectors = cache_le64_of(under->sectors),
	};
	int ret;

	memcpy(h.magic, CACHE_UNDO_MAGIC, sizeof(h.magic));
	strncpy(h.device, under->name, sizeof(h.device) - 1);
	h.csum = cache_le64_of(cache_crc64(h.magic, sizeof(h) - sizeof(h.csum)));
	ret = cache_fd_write(fd, &h, sizeof(h));
	if (!ret && fsync(fd))
		ret = -errno;
	return ret;
}

int cache_dev_undo_new(struct cache_dev *under, const char *file, struct cache_dev **devp,
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
		ret = write_head(u->fd, under);
	if (!ret)
		ret = cache_fd_sync_folder(file);
	if (ret) {
		cache_err_set(err, ret, 0, "cannot make the undo file %s: %s", file,
			      strerror(-ret));
		cache_dev_close(dev);
		return ret;
	}
	*devp = dev;
	return 0;
}
