// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices found by name or by their set, by reading each device that the kernel lists. No cache
 * file is used: what libblkid's cache file has may be out of date.
 */
#include "host/probe.h"
#include "host/ids.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev/dev.h"

#define LIST		"/proc/partitions"
#define NAME_BYTES	128

static const char *const tags[] = { "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=" };

/* A path may contain a "=": only these prefixes are names. */
static const char *tag_of(const char *spec)
{
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
		if (!strncmp(spec, tags[i], strlen(tags[i])))
			return tags[i];
	return NULL;
}

/*
 * A mapped device or an array shows the bytes of its members: the paths of a multipath disk,
 * the mirrors of an array. The device on top is meant.
 */
static bool is_beneath_another(unsigned maj, unsigned min)
{
	char path[64];
	struct dirent *e;
	bool beneath = false;
	DIR *d;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", maj, min);
	d = opendir(path);
	while (d && !beneath && (e = readdir(d)))
		beneath = !strncmp(e->d_name, "dm-", 3) || !strncmp(e->d_name, "md", 2);
	if (d)
		closedir(d);
	return beneath;
}

int cache_probe_each(cache_probe_fn *fn, void *ctx)
{
	FILE *list = fopen(LIST, "re");
	char line[256], name[NAME_BYTES], path[NAME_BYTES + 8];
	unsigned maj, min;
	int ret = 0;

	while (list && !ret && fgets(line, sizeof(line), list)) {
		struct cache_dev *dev;

		if (sscanf(line, "%u %u %*u %127s", &maj, &min, name) != 3 ||
		    is_beneath_another(maj, min))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", name);
		if (cache_dev_open(path, CACHE_DEV_READ, &dev, NULL))
			continue;
		ret = fn(ctx, dev);
		cache_dev_close(dev);
	}
	if (list)
		fclose(list);
	return ret;
}

bool cache_probe_super(struct cache_dev *dev, struct cache_sb *sb)
{
	return !cache_sb_read(dev, sb, NULL) &&
	       !memcmp(sb->magic, cache_sb_magic, sizeof(cache_sb_magic));
}

static bool same_uuid(const char *text, const uint8_t *uuid)
{
	uint8_t wanted[CACHE_UUID_BYTES];

	return !cache_uuid_parse(text, wanted) && !memcmp(wanted, uuid, sizeof(wanted));
}

/*
 * A bcache superblock is read for its name first, even with a bad checksum; libblkid knows the
 * rest.
 */
static bool has_name(struct cache_dev *dev, const char *tag, const char *value)
{
	char word[16];
	struct cache_sb sb;
	bool found;
	int fd;

	if (cache_probe_super(dev, &sb)) {
		if (!strcmp(tag, "UUID="))
			return same_uuid(value, sb.uuid);
		if (!strcmp(tag, "LABEL="))
			return *value && !strcmp(value, (const char *)sb.label);
	}
	snprintf(word, sizeof(word), "%.*s", (int)strlen(tag) - 1, tag);
	fd = open(cache_dev_name(dev), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	found = cache_probe_has_tag(fd, word, value);
	close(fd);
	return found;
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

struct search {
	const char *tag, *value;
	bool (*more)(void *ctx, struct cache_dev *dev, const char *tag, const char *value);
	void *ctx;
	char *first;
	unsigned count;
	char all[CACHE_ERR_TEXT_BYTES / 2];
	int ret;
};

static int try_device(void *ctx, struct cache_dev *dev)
{
	struct search *s = ctx;
	size_t used = strlen(s->all);

	if (!has_name(dev, s->tag, s->value) &&
	    !(s->more && s->more(s->ctx, dev, s->tag, s->value)))
		return 0;
	snprintf(s->all + used, sizeof(s->all) - used, "%s%s", used ? ", " : "",
		 cache_dev_name(dev));
	if (s->count++)
		return 0;
	s->first = strdup(cache_dev_name(dev));
	return s->first ? 0 : -ENOMEM;
}

int cache_probe_resolve(const char *spec, char **path,
			bool (*more)(void *ctx, struct cache_dev *dev, const char *tag,
				     const char *value),
			void *ctx, struct cache_err *err)
{
	struct search s = { .tag = tag_of(spec), .more = more, .ctx = ctx };
	size_t n;
	char *value;
	int ret;

	*path = s.tag ? strdup(spec + strlen(s.tag)) : strdup(spec);
	if (!*path)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a name");
	if (!s.tag)
		return 0;
	value = *path;
	*path = NULL;
	n = strlen(value);
	if (n > 1 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0]) {
		memmove(value, value + 1, n - 2);
		value[n - 2] = '\0';
	}
	s.value = value;
	ret = cache_probe_each(try_device, &s);
	free(value);
	if (!ret && s.count == 1) {
		*path = s.first;
		return 0;
	}
	free(s.first);
	if (ret)
		return cache_err_set(err, ret, 0, "no memory for a name");
	if (!s.count)
		return cache_err_set(err, -ENODEV, 0, "no device has this name");
	return cache_err_set(err, -ENOTUNIQ, 0, "%u devices have this name: %s; give the path of one",
			     s.count, s.all);
}

struct members {
	const uint8_t *set_uuid;
	int (*found)(void *ctx, const char *path, const struct cache_sb *sb);
	void *ctx;
};

static int try_member(void *ctx, struct cache_dev *dev)
{
	const struct members *m = ctx;
	struct cache_sb sb;

	if (!cache_probe_super(dev, &sb) || sb.csum_stored != sb.csum_computed ||
	    memcmp(sb.set_uuid, m->set_uuid, sizeof(sb.set_uuid)))
		return 0;
	return m->found(m->ctx, cache_dev_name(dev), &sb);
}

int cache_probe_set(const uint8_t set_uuid[16],
		    int (*found)(void *ctx, const char *path, const struct cache_sb *sb),
		    void *ctx)
{
	struct members m = { set_uuid, found, ctx };

	return cache_probe_each(try_member, &m);
}
