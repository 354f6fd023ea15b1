// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds a block device. The driver creates a "bcache" directory in sysfs below each device
 * it has registered: with a link "set" for a cache device, and "cache" and "dev" for a backing
 * device that is attached and running.
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

/* Last component of the target of link @name; empty if there is none. */
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

/* The line in file @name; empty if there is none. */
static void read_line(int dir, const char *name, char *to, size_t nbytes)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, to, nbytes - 1) : 0;

	to[n > 0 ? n : 0] = '\0';
	to[strcspn(to, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* What a mapped device or an array is, by the name that its tools use. */
static void ask_what(int dir, struct cache_holder *h)
{
	static const struct { const char *prefix, *word; } kinds[] = {
		{ "LVM-", "LVM volume" }, { "CRYPT-", "encrypted volume" },
		{ "mpath-", "multipath device" }, { "DMRAID-", "array" }, { "", "mapped device" },
	};
	char path[160], name[64], uuid[64];

	snprintf(path, sizeof(path), "%s/dm/name", h->device);
	read_line(dir, path, name, sizeof(name));
	snprintf(path, sizeof(path), "%s/dm/uuid", h->device);
	read_line(dir, path, uuid, sizeof(uuid));
	if (!strncmp(h->device, "md", 2))
		snprintf(h->what, sizeof(h->what), "array");
	for (size_t i = 0; name[0] && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(uuid, kinds[i].prefix, strlen(kinds[i].prefix))) {
			snprintf(h->what, sizeof(h->what), "%s %.40s", kinds[i].word, name);
			break;
		}
}

/* The first entry of holders/: a mapped device, an array, or bcacheN. */
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
	if (h->device[0])
		ask_what(dirfd(d), h);
	closedir(d);
}

static int open_dir_at(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Looks at one disk or partition, whose directory in sysfs is @dir. */
static bool ask_one(int dir, dev_t rdev, struct cache_holder *h)
{
	int sub = open_dir_at(dir, "bcache");

	if (sub >= 0) {
		ask_bcache(sub, h);
		close(sub);
		return true;
	}
	sub = open_dir_at(dir, "holders");
	if (sub >= 0)
		ask_holders(sub, h);
	return h->device[0] || cache_probe_mount(rdev, h->mount, sizeof(h->mount));
}

/* A disk or partition whose number is in its directory. */
static bool ask_numbered(int dir, struct cache_holder *h)
{
	unsigned maj, min;
	char number[32];

	read_line(dir, "dev", number, sizeof(number));
	return sscanf(number, "%u:%u", &maj, &min) == 2 && ask_one(dir, makedev(maj, min), h);
}

/* Looks at @name, a directory in that of a disk, if it is a partition that is held. */
static bool ask_partition(int disk, const char *name, struct cache_holder *h)
{
	int dir = open_dir_at(disk, name);
	bool held;

	if (dir < 0)
		return false;
	held = !faccessat(dir, "partition", F_OK, 0) && ask_numbered(dir, h);
	close(dir);
	if (held)
		snprintf(h->part, sizeof(h->part), "%.63s", name);
	return held;
}

static bool ask_partitions(int disk, struct cache_holder *h)
{
	int dir = open_dir_at(disk, ".");
	DIR *d = dir >= 0 ? fdopendir(dir) : NULL;
	struct dirent *e;
	bool held = false;

	if (!d && dir >= 0)
		close(dir);
	while (d && !held && (e = readdir(d)))
		if (e->d_name[0] != '.')
			held = ask_partition(disk, e->d_name, h);
	if (d)
		closedir(d);
	return held;
}

static bool is_loop_of(int dir, const struct stat *file)
{
	char path[PATH_MAX];
	struct stat st;

	read_line(dir, "loop/backing_file", path, sizeof(path));
	return path[0] && !stat(path, &st) && st.st_dev == file->st_dev && st.st_ino == file->st_ino;
}

/* Looks at the device @name if it is a loop device of @file. */
static bool ask_loop(int block, const char *name, const struct stat *file, struct cache_holder *h)
{
	int dir = open_dir_at(block, name);
	bool held;

	if (dir < 0)
		return false;
	held = is_loop_of(dir, file) && (ask_numbered(dir, h) || ask_partitions(dir, h));
	close(dir);
	if (held)
		snprintf(h->loop, sizeof(h->loop), "%.63s", name);
	return held;
}

/* A file is in use by who uses its loop device, where it has one. */
static bool ask_loops(const char *sysfs, const struct stat *file, struct cache_holder *h)
{
	char name[PATH_MAX];
	struct dirent *e;
	bool held = false;
	DIR *d;

	snprintf(name, sizeof(name), "%s/block", sysfs);
	d = opendir(name);
	while (d && !held && (e = readdir(d)))
		if (!strncmp(e->d_name, "loop", 4))
			held = ask_loop(dirfd(d), e->d_name, file, h);
	if (d)
		closedir(d);
	return held;
}

int cache_probe_holder(const char *sysfs, const char *path, struct cache_holder *h)
{
	char name[PATH_MAX];
	struct stat st;
	bool held;
	int dir;

	memset(h, 0, sizeof(*h));
	sysfs = sysfs ? sysfs : "/sys";
	if (stat(path, &st))
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return S_ISREG(st.st_mode) && ask_loops(sysfs, &st, h);
	snprintf(name, sizeof(name), "%s/dev/block/%u:%u", sysfs, major(st.st_rdev), minor(st.st_rdev));
	dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cache_probe_mount(st.st_rdev, h->mount, sizeof(h->mount));
	held = ask_one(dir, st.st_rdev, h) || ask_partitions(dir, h);
	close(dir);
	return held;
}

/* The holders beside bcache. */
static void other_text(const struct cache_holder *h, char *buf, unsigned nbytes)
{
	if (h->what[0])
		snprintf(buf, nbytes, "held by %s (%s)", h->what, h->device);
	else if (h->device[0])
		snprintf(buf, nbytes, "held by %s", h->device);
	else if (!strcmp(h->mount, "swap"))
		snprintf(buf, nbytes, "in use as swap; release with: swapoff");
	else
		snprintf(buf, nbytes, "mounted at %s", h->mount);
}

void cache_holder_text(const struct cache_holder *h, const char *path, char *buf,
		       unsigned nbytes)
{
	const char *slash = strrchr(path, '/');
	const char *name = h->part[0] ? h->part : h->loop[0] ? h->loop : slash ? slash + 1 : path;
	int n = h->part[0] ? snprintf(buf, nbytes, "its partition %s is ", h->part) :
		h->loop[0] ? snprintf(buf, nbytes, "its loop device %s is ", h->loop) : 0;

	if (n < 0 || (unsigned)n >= nbytes)
		return;
	buf += n;
	nbytes -= (unsigned)n;
	if (!h->bcache)
		other_text(h, buf, nbytes);
	else if (!h->is_bdev && h->set[0])
		snprintf(buf, nbytes, "registered as cache of set %s; stop its bcache devices, "
			 "then release with: echo 1 > /sys/fs/bcache/%s/stop", h->set, h->set);
	else if (!h->is_bdev)
		snprintf(buf, nbytes, "registered as a cache device whose set does not run");
	else
		snprintf(buf, nbytes, "registered as backing device%s%s%s%s; release with: "
			 "echo 1 > /sys/class/block/%s/bcache/stop",
			 h->device[0] ? " of " : "", h->device,
			 h->set[0] ? ", attached to set " : "", h->set, name);
}
