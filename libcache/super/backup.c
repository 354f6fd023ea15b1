// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of a header backup: one checksum covers all of it, so it is valid as a whole or not
 * at all.
 */
#include "super/backup_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd_io.h"
#include "base/crc64.h"

static uint64_t csum_of(const struct cache_backup_disk *d)
{
	return cache_crc64(d->magic, sizeof(*d) - sizeof(d->csum));
}

int cache_backup_take(struct cache_dev *dev, uint64_t saved_at, struct cache_backup *b,
		      struct cache_err *err)
{
	int ret = cache_sb_read(dev, &b->sb, err);
	void *buf = NULL;

	if (!ret)
		ret = cache_sb_check(&b->sb, cache_dev_sectors(dev),
				     cache_dev_logical_block_bytes(dev), NULL, err);
	if (ret)
		return ret;
	buf = cache_dev_buf(CACHE_SB_BYTES);
	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a superblock");
	ret = cache_dev_read(dev, CACHE_SB_SECTOR, CACHE_SB_BYTES / CACHE_SECTOR_BYTES, buf, err);
	if (!ret) {
		memcpy(b->super, buf, CACHE_SB_BYTES);
		b->dev_sectors = cache_dev_sectors(dev);
		b->saved_at = saved_at;
		memset(b->device, 0, sizeof(b->device));
		strncpy(b->device, cache_dev_name(dev), sizeof(b->device) - 1);
	}
	free(buf);
	return ret;
}

static int write_file(int fd, const struct cache_backup *b)
{
	struct cache_backup_disk d = {
		.version = cache_le32_of(CACHE_BACKUP_VERSION),
		.dev_sectors = cache_le64_of(b->dev_sectors),
		.saved_at = cache_le64_of(b->saved_at),
	};
	int ret;

	memcpy(d.magic, CACHE_BACKUP_MAGIC, sizeof(d.magic));
	memcpy(d.device, b->device, sizeof(d.device) - 1);
	memcpy(d.super, b->super, sizeof(d.super));
	d.csum = cache_le64_of(csum_of(&d));
	ret = cache_fd_write(fd, &d, sizeof(d));
	return !ret && fsync(fd) ? -errno : ret;
}

int cache_backup_save(const struct cache_backup *b, const char *file, struct cache_err *err)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int ret = fd < 0 ? -errno : write_file(fd, b);

	if (fd >= 0 && close(fd) && !ret)
		ret = -errno;
	if (fd >= 0 && !ret)
		ret = cache_fd_sync_folder(file);
	if (fd >= 0 && ret)
		unlink(file);
	return ret ? cache_err_set(err, ret, 0, "cannot make the backup %s: %s", file,
				   strerror(-ret)) : 0;
}

static int decode(const struct cache_backup_disk *d, struct cache_backup *b,
		  struct cache_err *err)
{
	if (memcmp(d->magic, CACHE_BACKUP_MAGIC, sizeof(d->magic)))
		return cache_err_set(err, -EBADMSG, 0, "not a header backup");
	if (cache_le64_get(d->csum) != csum_of(d))
		return cache_err_set(err, -EBADMSG, 0, "the header backup is damaged: checksum is "
				     "0x%" PRIx64 ", computed 0x%" PRIx64,
				     cache_le64_get(d->csum), csum_of(d));
	if (cache_le32_get(d->version) != CACHE_BACKUP_VERSION)
		return cache_err_set(err, -EOPNOTSUPP, 0, "header backup of version %" PRIu32
				     ", expected %u", cache_le32_get(d->version),
				     CACHE_BACKUP_VERSION);
	memset(b, 0, sizeof(*b));
	b->dev_sectors = cache_le64_get(d->dev_sectors);
	b->saved_at = cache_le64_get(d->saved_at);
	memcpy(b->device, d->device, sizeof(b->device) - 1);
	memcpy(b->super, d->super, sizeof(b->super));
	cache_sb_decode(b->super, &b->sb);
	return cache_sb_check(&b->sb, b->dev_sectors, 0, NULL, err);
}

static int read_file(int fd, struct cache_backup_disk *d, struct cache_err *err)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return cache_err_set(err, -EBADMSG, 0, "not a header backup: not a regular file");
	ret = cache_fd_read(fd, d, sizeof(*d), 0);
	if (ret < 0)
		return cache_err_set(err, ret, 0, "cannot read: %s", strerror(-ret));
	if (!ret || st.st_size != sizeof(*d))
		return cache_err_set(err, -EBADMSG, 0, "not a header backup: %lld bytes long, expected %zu",
				     (long long)st.st_size, sizeof(*d));
	return 0;
}

int cache_backup_read(const char *file, struct cache_backup *b, struct cache_err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);	/* do not block if it is a pipe */
	struct cache_backup_disk d;
	int ret;

	if (fd < 0)
		return cache_err_set(err, -errno, 0, "cannot open: %s", strerror(errno));
	ret = read_file(fd, &d, err);
	close(fd);
	return ret ? ret : decode(&d, b, err);
}
