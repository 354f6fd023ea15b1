// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who in the kernel holds a block device. The driver hangs a "bcache" directory
 * below each device it has registered: with a link "set" for a cache device, and
 * "cache" and "dev" for a backing device that is attached and running.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host/probe.h"

/* Last part of where the link @name points; empty without one. */
static void link_name(int dir, const char *name, char *to, size_t nbytes)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir, name, target, sizeof(target) - 1);
	const char *slash;

	if (len < 0)
		return;
	target[len] = '\0';
	slash = strrchr(target, '/');
	snprintf(to, nbytes, "%.*s", (int)nbytes - 1, slash ? slash + 1 : target);
}

static void ask_bcache(int dir, struct cache_holder *h)
{
	h->bcache = true;
	link_name(dir, "set", h->set, sizeof(h->set));
	h->is_bdev = !h->set[0] && !faccessat(dir, "cache_mode", F_OK, 0);
	if (!h->is_bdev)
		return;
	link_name(dir, "cache", h->set, sizeof(h->set));
	link_name(dir, "dev", h->device, sizeof(h->device));
}

/* The first entry of holders/: a mapped device, an array, a bcacheN. */
static void ask_holders(int dir, struct cache_holder *h)
{
	DIR *d = fdopendir(dir);
	struct dirent *e;

	if (!d) {
		close(dir);
		return;
	}
	while (!h->device[0] && (e = readdir(d)))
		if (e->d_name[0] != '.')
			snprintf(h->device, sizeof(h->device), "%.63s", e->d_name);
	closedir(d);
}

/* A directory of the device in sysfs, or -1. */
static int open_dir(const char *sysfs, dev_t dev, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev/block/%u:%u/%s", sysfs ? sysfs : "/sys",
		 major(dev), minor(dev), name);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int cache_probe_holder(const char *sysfs, const char *path, struct cache_holder *h)
{
	struct stat st;
	int dir;

	memset(h, 0, sizeof(*h));
	if (stat(path, &st))
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return 0;
	dir = open_dir(sysfs, st.st_rdev, "bcache");
	if (dir >= 0) {
		ask_bcache(dir, h);
		close(dir);
		return 1;
	}
	dir = open_dir(sysfs, st.st_rdev, "holders");
	if (dir >= 0)
		ask_holders(dir, h);
	return h->device[0] != '\0';
}

bool cache_probe_same(const char *a, const char *b)
{
	struct stat x, y;

	if (stat(a, &x) || stat(b, &y))
		return !strcmp(a, b);
	if (S_ISBLK(x.st_mode))
		return S_ISBLK(y.st_mode) && x.st_rdev == y.st_rdev;
	return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

void cache_holder_text(const struct cache_holder *h, const char *path, char *buf,
		       unsigned nbytes)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (!h->bcache)
		snprintf(buf, nbytes, "held by %s", h->device);
	else if (!h->is_bdev && h->set[0])
		snprintf(buf, nbytes, "registered as cache of set %s; stop its bcache devices, "
			 "then let go with: echo 1 > /sys/fs/bcache/%s/stop", h->set, h->set);
	else if (!h->is_bdev)
		snprintf(buf, nbytes, "registered as a cache device whose set does not run");
	else
		snprintf(buf, nbytes, "registered as backing device%s%s%s%s; let go with: "
			 "echo 1 > /sys/class/block/%s/bcache/stop",
			 h->device[0] ? " of " : "", h->device,
			 h->set[0] ? ", attached to set " : "", h->set, name);
}
