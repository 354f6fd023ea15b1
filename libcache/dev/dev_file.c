// SPDX-License-Identifier: GPL-2.0-only
/*
 * A block device or a regular file. A block device is read with O_DIRECT: the driver's own I/O
 * does not use the page cache, so the content of the page cache may be out of date. A regular
 * file is read through the page cache, which is correct and faster.
 */
#include "base/checked.h"
#include "dev/dev_ops.h"
#include "base/fd_io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/types.h"

#define READ_TRIES	3	/* some errors are temporary */
#define WRITE_OUT_SECTORS	(1u << 11)	/* 1 MiB */

static int read_exact(int fd, char *buf, size_t nbytes, off_t at)
{
	int ret = -EIO;

	for (unsigned i = 0; i < READ_TRIES && ret == -EIO; i++)
		ret = cache_fd_read(fd, buf, nbytes, at);
	return ret > 0 ? 0 : ret ? ret : -EIO;
}

static int write_exact(int fd, const char *buf, size_t nbytes, off_t at)
{
	while (nbytes) {
		ssize_t n = pwrite(fd, buf, nbytes, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		buf += n;
		nbytes -= n;
		at += n;
	}
	return 0;
}

static uint64_t block_sectors(const struct cache_dev *dev)
{
	return dev->logical_block_bytes / CACHE_SECTOR_BYTES;
}

static bool is_aligned(const struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		       const void *buf)
{
	return !dev->direct ||
	       (!((sector | nsectors) & (block_sectors(dev) - 1)) &&
		!((uintptr_t)buf & (dev->logical_block_bytes - 1)));
}

/* The whole blocks around a range, read into memory of their own. */
struct bounce {
	char *buf;
	uint64_t sector, nsectors;
	size_t skip;		/* bytes before the range */
};

static int bounce_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		       struct bounce *b)
{
	uint64_t bs = block_sectors(dev);
	uint64_t end = (sector + nsectors + bs - 1) & ~(bs - 1);
	int ret;

	b->sector = sector & ~(bs - 1);
	b->nsectors = cache_min_u64(end, dev->sectors) - b->sector;
	b->skip = (sector - b->sector) * CACHE_SECTOR_BYTES;
	b->buf = cache_dev_buf(b->nsectors * CACHE_SECTOR_BYTES);
	if (!b->buf)
		return -ENOMEM;
	ret = read_exact(dev->fd, b->buf, b->nsectors * CACHE_SECTOR_BYTES,
			 b->sector * CACHE_SECTOR_BYTES);
	if (ret)
		free(b->buf);
	return ret;
}

static int file_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	struct bounce b;
	int ret;

	if (is_aligned(dev, sector, nsectors, buf))
		return read_exact(dev->fd, buf, nsectors * CACHE_SECTOR_BYTES,
				  sector * CACHE_SECTOR_BYTES);
	ret = bounce_read(dev, sector, nsectors, &b);
	if (ret)
		return ret;
	memcpy(buf, b.buf + b.skip, nsectors * CACHE_SECTOR_BYTES);
	free(b.buf);
	return 0;
}

/*
 * A large write into the page cache goes to the disk at once, beside what follows, so that the
 * flush at the end has little left to do. An error of it comes from that flush.
 */
static void write_out(const struct cache_dev *dev, uint64_t sector, uint64_t nsectors)
{
	if (!dev->direct && nsectors >= WRITE_OUT_SECTORS)
		sync_file_range(dev->fd, sector * CACHE_SECTOR_BYTES,
				nsectors * CACHE_SECTOR_BYTES, SYNC_FILE_RANGE_WRITE);
}

static int file_write(struct cache_dev *dev, uint64_t sector, uint64_t nsectors,
		      const void *buf)
{
	struct bounce b;
	int ret;

	if (is_aligned(dev, sector, nsectors, buf)) {
		ret = write_exact(dev->fd, buf, nsectors * CACHE_SECTOR_BYTES,
				  sector * CACHE_SECTOR_BYTES);
		write_out(dev, sector, ret ? 0 : nsectors);
		return ret;
	}
	ret = bounce_read(dev, sector, nsectors, &b);
	if (ret)
		return ret;
	memcpy(b.buf + b.skip, buf, nsectors * CACHE_SECTOR_BYTES);
	ret = write_exact(dev->fd, b.buf, b.nsectors * CACHE_SECTOR_BYTES,
			  b.sector * CACHE_SECTOR_BYTES);
	free(b.buf);
	return ret;
}

static int file_flush(struct cache_dev *dev)
{
	return fdatasync(dev->fd) ? -errno : 0;
}

static int file_discard(struct cache_dev *dev, uint64_t sector, uint64_t nsectors)
{
	uint64_t range[2] = { sector * CACHE_SECTOR_BYTES, nsectors * CACHE_SECTOR_BYTES };
	int ret;

	if (dev->is_block)
		ret = ioctl(dev->fd, BLKDISCARD, range);
	else
		ret = fallocate(dev->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				range[0], range[1]);
	return ret ? -errno : 0;
}

static int file_read_many(struct cache_dev *dev, struct cache_dev_req *reqs, unsigned n)
{
	int ret;

	for (unsigned i = 0; i < n; i++)
		if (!is_aligned(dev, reqs[i].sector, reqs[i].nsectors, reqs[i].buf))
			return -ENOSYS;
	ret = cache_uring_read_many((struct cache_uring **)&dev->priv, dev->fd, reqs, n);

	/*
	 * After a short or failed io_uring read: a plain read tells whether the error is
	 * permanent.
	 */
	for (unsigned i = 0; i < n && !ret; i++)
		if (reqs[i].result == -EAGAIN || reqs[i].result == -EIO)
			reqs[i].result = file_read(dev, reqs[i].sector, reqs[i].nsectors,
						   reqs[i].buf);
	return ret;
}

static void file_close(struct cache_dev *dev)
{
	cache_uring_free(dev->priv);
	if (dev->lock_fd >= 0)
		close(dev->lock_fd);
	if (dev->fd >= 0)
		close(dev->fd);
}

static const struct cache_dev_ops file_ops = {
	.read = file_read, .write = file_write, .flush = file_flush,
	.discard = file_discard, .read_many = file_read_many, .close = file_close,
};

static int open_error(const char *path, struct cache_err *err)
{
	int code = -errno;

	if (code == -EBUSY)
		return cache_err_set(err, code, 0, "in use by the kernel or another program");
	return cache_err_set(err, code, 0, "cannot open: %s", strerror(-code));
}

/* Open flags: do not block, and do not take a terminal, whatever the path names by now. */
static int open_fd(struct cache_dev *dev, const char *path, unsigned flags, bool direct)
{
	int mode = (flags & CACHE_DEV_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

	if (dev->is_block && flags & CACHE_DEV_EXCL)
		mode |= O_EXCL;
	if (direct) {
		dev->fd = open(path, mode | O_DIRECT);
		dev->direct = dev->fd >= 0;
		if (dev->direct || errno != EINVAL)
			return dev->fd;
	}
	dev->fd = open(path, mode);
	return dev->fd;
}

/* A queue limit of a block device; of a partition it is that of the disk. */
static bool queue_limit(dev_t rdev, const char *name, unsigned long long *value)
{
	static const char *const queues[] = { "queue", "../queue" };
	bool found = false;
	char path[96];

	for (unsigned i = 0; i < 2 && !found; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(rdev),
			 minor(rdev), queues[i], name);
		f = fopen(path, "re");
		if (!f)
			continue;
		found = fscanf(f, "%llu", value) == 1;
		fclose(f);
	}
	return found;
}

static enum cache_dev_discards learn_discards(dev_t rdev)
{
	unsigned long long max;

	if (!queue_limit(rdev, "discard_max_bytes", &max))
		return CACHE_DEV_DISCARDS_UNKNOWN;
	return max ? CACHE_DEV_DISCARDS_YES : CACHE_DEV_DISCARDS_NO;
}

static int learn_file(struct cache_dev *dev, const struct stat *st)
{
	dev->sectors = st->st_size / CACHE_SECTOR_BYTES;
	dev->preferred_block_bytes = st->st_blksize;
	if (dev->direct)
		dev->logical_block_bytes = CACHE_PAGE_BYTES;
	return 0;
}

static int learn_block_device(struct cache_dev *dev, dev_t rdev, struct cache_err *err)
{
	int ssz = CACHE_SECTOR_BYTES;
	uint64_t nbytes = 0;

	if (ioctl(dev->fd, BLKGETSIZE64, &nbytes) || ioctl(dev->fd, BLKSSZGET, &ssz))
		return cache_err_set(err, -errno, 0, "cannot determine its size: %s",
				     strerror(errno));
	if (ssz < (int)CACHE_SECTOR_BYTES || !cache_is_pow2(ssz))
		return cache_err_set(err, -EINVAL, 0, "odd logical block of %d bytes", ssz);
	dev->sectors = nbytes / CACHE_SECTOR_BYTES;
	dev->logical_block_bytes = dev->preferred_block_bytes = ssz;
	dev->discards = learn_discards(rdev);
	return 0;
}

/* The state of the open file counts, not what the path named before. */
static int learn(struct cache_dev *dev, const struct stat *seen, struct cache_err *err)
{
	struct stat st;

	if (fstat(dev->fd, &st))
		return cache_err_set(err, -errno, 0, "cannot stat: %s", strerror(errno));
	if (st.st_mode != seen->st_mode || st.st_rdev != seen->st_rdev ||
	    st.st_dev != seen->st_dev || st.st_ino != seen->st_ino)
		return cache_err_set(err, -EAGAIN, 0, "the path changed while it was opened");
	return dev->is_block ? learn_block_device(dev, st.st_rdev, err) : learn_file(dev, &st);
}

/* Some kernels open a read-only device for writing and then let each write fail. */
static int check_writable(const struct cache_dev *dev, struct cache_err *err)
{
	int read_only = 0;

	if (dev->is_block && !ioctl(dev->fd, BLKROGET, &read_only) && read_only)
		return cache_err_set(err, -EROFS, 0, "the device is read-only");
	return 0;
}

int cache_dev_open(const char *path, unsigned flags, struct cache_dev **devp,
		   struct cache_err *err)
{
	struct cache_dev *dev;
	struct stat st;
	int ret;

	if (stat(path, &st))
		return open_error(path, err);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return cache_err_set(err, -ENOTBLK, 0,
				     "%s, expected a block device or a regular file",
				     S_ISDIR(st.st_mode) ? "a directory" : "a special file");
	dev = cache_dev_alloc(&file_ops, path);
	if (!dev)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a device");
	dev->is_block = S_ISBLK(st.st_mode);
	dev->writable = flags & CACHE_DEV_WRITE;

	ret = open_fd(dev, path, flags, dev->is_block || flags & CACHE_DEV_DIRECT) < 0 ?
		open_error(path, err) : learn(dev, &st, err);
	if (!ret && flags & (CACHE_DEV_WRITE | CACHE_DEV_MAY_WRITE))
		ret = check_writable(dev, err);
	if (!ret && flags & CACHE_DEV_EXCL)
		ret = cache_dev_lock(dev, flags, err);
	if (ret) {
		cache_dev_close(dev);
		return ret;
	}
	*devp = dev;
	return 0;
}
