// SPDX-License-Identifier: GPL-2.0-only
#include "base/fd_io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cache_fd_write(int fd, const void *buf, size_t nbytes)
{
	const char *p = buf;

	while (nbytes) {
		ssize_t n = write(fd, p, nbytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		nbytes -= n;
	}
	return 0;
}

int cache_fd_write_at(int fd, const void *buf, size_t nbytes, off_t at)
{
	const char *p = buf;

	while (nbytes) {
		ssize_t n = pwrite(fd, p, nbytes, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		at += n;
		nbytes -= n;
	}
	return 0;
}

int cache_fd_read(int fd, void *buf, size_t nbytes, off_t at)
{
	char *p = buf;

	while (nbytes) {
		ssize_t n = pread(fd, p, nbytes, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : 0;
		p += n;
		at += n;
		nbytes -= n;
	}
	return 1;
}

int cache_fd_sync_folder(const char *file)
{
	char *copy = strdup(file);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int ret = fd >= 0 && !fsync(fd) ? 0 : -errno;

	if (fd >= 0)
		close(fd);
	free(copy);
	return ret;
}
