// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which sets and devices there are. The driver has a folder per set, named by its UUID, with links
 * "cacheN", "bdevN" and "volumeN" to the folders of its devices. A backing device without a set
 * has its folder "bcache" below that of its disk or partition alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "status/status.h"
#include "status/status_file.h"

/* The names below folder @at/@name, sorted; those for which @want. NULL with errno. */
static char **list_names(int at, const char *name, bool (*want)(const char *), size_t max,
			 size_t *n)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t capacity = 0;
	char **list = NULL, **more;
	struct dirent *e;

	*n = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	list = cache_array_grow(NULL, 0, &capacity, sizeof(*list));
	while (list && *n < max && (e = readdir(dir))) {
		if (!want(e->d_name))
			continue;
		more = cache_array_grow(list, *n, &capacity, sizeof(*list));
		list = more ? more : list;
		list[*n] = more ? strdup(e->d_name) : NULL;
		if (!list[*n]) {
			cache_status_free_names(list, *n);
			list = NULL;
			break;
		}
		++*n;
	}
	closedir(dir);
	if (list)
		/* of a folder of sysfs, which no disk fills: few at most */
		qsort(list, *n, sizeof(*list), cache_status_by_name);
	else
		*n = 0, errno = ENOMEM;
	return list;
}

static bool is_uuid(const char *name)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(name) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? name[i] != '-' : !strchr("0123456789abcdefABCDEF", name[i]))
			return false;
	return true;
}

static bool is_numbered(const char *name, const char *stem)
{
	size_t n = strlen(stem);

	return !strncmp(name, stem, n) && name[n] && !name[n + strspn(name + n, "0123456789")];
}

static bool is_device(const char *name)
{
	return is_numbered(name, "cache") || is_numbered(name, "bdev") ||
	       is_numbered(name, "volume");
}

static bool is_visible(const char *name)
{
	return name[0] != '.';
}

/* A place at the end of @l, empty; NULL without memory, or when there are too many. */
static struct cache_status_device *add_device(struct cache_status_list *l, const char *name)
{
	struct cache_status_device *d;

	if (l->n >= CACHE_STATUS_DEVICES_MAX)
		return NULL;
	d = cache_array_grow(l->d, l->n, &l->capacity, sizeof(*d));
	if (!d)
		return NULL;
	l->d = d;
	d = &l->d[l->n++];
	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%.*s", (int)sizeof(d->name) - 1, name);
	return d;
}

/* One that is gone meanwhile is left out. */
static int read_device(int set, const char *name, struct cache_status_set *s, bool priorities)
{
	struct cache_status_list *l = *name == 'c' ? &s->caches : *name == 'b' ? &s->backing :
				      &s->volumes;
	enum cache_status_scope scope = *name == 'c' ? CACHE_STATUS_CACHE : CACHE_STATUS_BACKING;
	struct cache_status_device *d = add_device(l, name);

	if (!d)
		return l->n < CACHE_STATUS_DEVICES_MAX ? -ENOMEM : 0;
	if (!cache_status_read_device(set, name, scope, priorities, d))
		l->n--;
	return 0;
}

/* 0 also when the set is gone: then nothing of it is known. */
static int read_set(int sets, const char *uuid, struct cache_status_set *s, bool priorities)
{
	char **names;
	size_t n;
	int fd, ret = 0;

	snprintf(s->uuid, sizeof(s->uuid), "%.*s", (int)sizeof(s->uuid) - 1, uuid);
	fd = openat(sets, uuid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	cache_status_read_numbers(fd, CACHE_STATUS_SET, priorities, &s->n);
	cache_status_read_windows(fd, s->window);
	names = list_names(fd, ".", is_device, 3 * CACHE_STATUS_DEVICES_MAX, &n);
	for (size_t i = 0; names && i < n && !ret; i++)
		ret = read_device(fd, names[i], s, priorities);
	if (!names && errno == ENOMEM)
		ret = -ENOMEM;
	cache_status_free_names(names, n);
	close(fd);
	return ret;
}

static bool is_gone(const struct cache_status_set *s)
{
	for (unsigned v = 0; v < CACHE_STATUS_NVALUES; v++)
		if (s->n.known[v])
			return false;
	return !s->caches.n && !s->backing.n && !s->volumes.n;
}

static void free_set(struct cache_status_set *s)
{
	free(s->caches.d);
	free(s->backing.d);
	free(s->volumes.d);
}

static int read_sets(int sets, struct cache_status *status, bool priorities)
{
	struct cache_status_set *grown;
	size_t n;
	char **names = list_names(sets, ".", is_uuid, CACHE_STATUS_SETS_MAX, &n);
	int ret = names ? 0 : -errno;

	for (size_t i = 0; i < n && !ret; i++) {
		grown = cache_array_grow(status->set, status->n, &status->capacity, sizeof(*grown));
		if (!grown) {
			ret = -ENOMEM;
			break;
		}
		status->set = grown;
		memset(&grown[status->n], 0, sizeof(*grown));
		ret = read_set(sets, names[i], &grown[status->n], priorities);
		if (is_gone(&grown[status->n]))
			free_set(&grown[status->n]);
		else
			status->n++;
	}
	cache_status_free_names(names, n);
	return ret;
}

/* The disk or partition @name in folder @at, if it is a backing device that no set has. */
static int read_lone(int at, const char *name, struct cache_status_set *s)
{
	char path[2 * CACHE_STATUS_NAME_BYTES];
	struct cache_status_device *d;
	char link[1];
	int disk, ret = 0;

	if (snprintf(path, sizeof(path), "%s/bcache", name) >= (int)sizeof(path))
		return 0;
	disk = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (disk < 0)
		return 0;
	/* a bcacheN has a link of that name to the folder of its backing device */
	if (!faccessat(disk, "cache_mode", F_OK, 0) && readlinkat(disk, "cache", link, 1) < 0 &&
	    readlinkat(at, path, link, 1) < 0) {
		d = add_device(&s->backing, name);
		if (!d)
			ret = s->backing.n < CACHE_STATUS_DEVICES_MAX ? -ENOMEM : 0;
		else if (!cache_status_read_device(at, path, CACHE_STATUS_BACKING, false, d))
			s->backing.n--;
		else if (!d->device[0])
			memcpy(d->device, d->name, sizeof(d->device));
	}
	close(disk);
	return ret;
}

/* Every disk, and what is below it: its partitions. */
static int read_lone_devices(int sysfs, struct cache_status_set *s)
{
	size_t n, nparts;
	char **names = list_names(sysfs, "block", is_visible, 1 << 20, &n), **parts;
	int block = openat(sysfs, "block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int disk, ret = 0;

	for (size_t i = 0; names && block >= 0 && i < n && !ret; i++) {
		ret = read_lone(block, names[i], s);
		disk = openat(block, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		parts = disk < 0 ? NULL : list_names(disk, ".", is_visible, 1 << 16, &nparts);
		for (size_t k = 0; parts && k < nparts && !ret; k++)
			if (!strncmp(parts[k], names[i], strlen(names[i])))
				ret = read_lone(disk, parts[k], s);
		if (parts)
			cache_status_free_names(parts, nparts);
		if (disk >= 0)
			close(disk);
	}
	cache_status_free_names(names, n);
	if (block >= 0)
		close(block);
	return ret;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

int cache_status_read(const char *sysfs, bool priorities, struct cache_status *status,
		      struct cache_err *err)
{
	const char *root = sysfs ? sysfs : "/sys";
	int fd, sets = -1, ret;

	memset(status, 0, sizeof(*status));
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cache_err_set(err, -errno, 0, "%s: %s", root, strerror(errno));
	status->time_ns = now_ns();
	sets = openat(fd, "fs/bcache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sets < 0) {
		ret = errno == ENOENT || errno == ENOTDIR ?
			cache_err_set(err, -ENODEV, 0,
				      "%s/fs/bcache is not there: the bcache driver is not loaded", root) :
			cache_err_set(err, -errno, 0, "%s/fs/bcache: %s", root, strerror(errno));
		goto out;
	}
	ret = read_sets(sets, status, priorities);
	if (!ret)
		ret = read_lone_devices(fd, &status->without);
	if (ret)
		cache_err_set(err, ret, 0, "%s/fs/bcache: %s", root, strerror(-ret));
	close(sets);
out:
	close(fd);
	return ret;
}

void cache_status_free(struct cache_status *status)
{
	for (size_t i = 0; i < status->n; i++)
		free_set(&status->set[i]);
	free(status->set);
	free_set(&status->without);
	memset(status, 0, sizeof(*status));
}

void cache_status_drop(struct cache_status *status, size_t i)
{
	free_set(&status->set[i]);
	memmove(&status->set[i], &status->set[i + 1], (--status->n - i) * sizeof(*status->set));
}

const struct cache_status_set *cache_status_find(const struct cache_status *s, const char *uuid)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->set[i].uuid, uuid))
			return &s->set[i];
	return *uuid ? NULL : &s->without;
}

const struct cache_status_device *cache_status_find_device(const struct cache_status_list *l,
							   const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->d[i].name, name))
			return &l->d[i];
	return NULL;
}
