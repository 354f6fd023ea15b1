// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lock of programs that write: flock(2) on the file or the block device. udev takes it,
 * shared, before it probes a disk, so that it never sees an unfinished write; for a partition
 * the lock is that of its whole disk (systemd, "Locking Block Device Access").
 */
#include "dev/dev_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define WAIT_ROUNDS	50	/* udev may hold it for a moment */
#define WAIT_NS		100000000

/* The device number of the disk of partition @rdev; false when it is no partition. */
static bool disk_of(dev_t rdev, char *path, size_t nbytes)
{
	char dir[64], target[PATH_MAX], *slash;
	ssize_t n;

	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u/partition", major(rdev), minor(rdev));
	if (access(dir, F_OK))
		return false;
	*strrchr(dir, '/') = '\0';
	n = readlink(dir, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	slash = strrchr(target, '/');		/* ".../block/sda/sda1" */
	if (!slash)
		return false;
	*slash = '\0';
	slash = strrchr(target, '/');
	if (!slash)
		return false;
	for (char *c = slash + 1; *c; c++)	/* a slash in the name, as sysfs encodes it */
		if (*c == '!')
			*c = '/';
	return (size_t)snprintf(path, nbytes, "/dev/%s", slash + 1) < nbytes;
}

/* Another partition of the disk may be in use under the same lock: that is no conflict. */
static void lock_disk(struct cache_dev *dev, dev_t rdev)
{
	char path[PATH_MAX];

	if (!disk_of(rdev, path, sizeof(path)))
		return;
	dev->lock_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (dev->lock_fd >= 0)
		(void)!flock(dev->lock_fd, LOCK_EX | LOCK_NB);
}

int cache_dev_lock(struct cache_dev *dev, unsigned flags, struct cache_err *err)
{
	const int kind = flags & CACHE_DEV_SHARED_LOCK ? LOCK_SH : LOCK_EX;
	const struct timespec wait = { .tv_nsec = WAIT_NS };
	unsigned rounds = dev->is_block ? WAIT_ROUNDS : 1;
	struct stat st;

	if (dev->is_block && !fstat(dev->fd, &st))
		lock_disk(dev, st.st_rdev);
	while (flock(dev->fd, kind | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return cache_err_set(err, -errno, 0, "cannot lock: %s", strerror(errno));
		if (!--rounds)
			return cache_err_set(err, -EBUSY, 0, "locked by another program");
		nanosleep(&wait, NULL);
	}
	return 0;
}
