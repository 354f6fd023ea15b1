// SPDX-License-Identifier: GPL-2.0-only
/* The only door to libblkid: what lies on a device, and devices found by name. */
#include "dev/dev.h"
#include "host/probe.h"

#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void copy_value(blkid_probe pr, const char *name, char *to, size_t nbytes)
{
	const char *value = NULL;

	to[0] = '\0';
	if (!blkid_probe_lookup_value(pr, name, &value, NULL) && value)
		snprintf(to, nbytes, "%s", value);
}

/* What the probe stands on now; false when it has no type. */
static bool take_signature(blkid_probe pr, struct cache_signature *s)
{
	const char *offset = NULL;
	size_t nbytes = 0;

	memset(s, 0, sizeof(*s));
	copy_value(pr, "TYPE", s->type, sizeof(s->type));
	s->is_table = !s->type[0];
	if (s->is_table)
		copy_value(pr, "PTTYPE", s->type, sizeof(s->type));
	copy_value(pr, "LABEL", s->label, sizeof(s->label));
	copy_value(pr, s->is_table ? "PTUUID" : "UUID", s->uuid, sizeof(s->uuid));

	blkid_probe_lookup_value(pr, s->is_table ? "PTMAGIC_OFFSET" : "SBMAGIC_OFFSET",
				 &offset, NULL);
	if (offset)
		s->offset_bytes = strtoull(offset, NULL, 10);
	if (!blkid_probe_lookup_value(pr, s->is_table ? "PTMAGIC" : "SBMAGIC", NULL, &nbytes))
		s->nbytes = nbytes;
	return s->type[0];
}

static void ask_for_everything(blkid_probe pr)
{
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
					      BLKID_SUBLKS_UUID | BLKID_SUBLKS_MAGIC |
					      BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(pr, 1);
	blkid_probe_set_partitions_flags(pr, BLKID_PARTS_MAGIC | BLKID_PARTS_FORCE_GPT);
}

static int probe_all(blkid_probe pr, struct cache_signature *sig, unsigned *n)
{
	while (*n < CACHE_PROBE_MAX) {
		int ret = blkid_do_probe(pr);

		if (ret)
			return ret > 0 ? 0 : -EIO;
		*n += take_signature(pr, &sig[*n]);
	}
	return 0;
}

int cache_probe(const char *path, struct cache_signature *sig, unsigned *n,
		struct cache_err *err)
{
	blkid_probe pr;
	int fd, ret = -EIO;

	*n = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cache_err_set(err, -errno, 0, "cannot open: %s", strerror(errno));
	pr = blkid_new_probe();
	if (pr && !blkid_probe_set_device(pr, fd, 0, 0)) {
		ask_for_everything(pr);
		ret = probe_all(pr, sig, n);
	}
	blkid_free_probe(pr);
	close(fd);
	if (ret)
		cache_err_set(err, ret, 0, "cannot learn what lies on it");
	return ret;
}

/* A path may have a = in it: only these are names. */
static bool is_tag(const char *spec)
{
	static const char *const tags[] = { "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=" };

	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
		if (!strncmp(spec, tags[i], strlen(tags[i])))
			return true;
	return false;
}

int cache_probe_foreign(const char *path, struct cache_err *err)
{
	struct cache_signature sig[CACHE_PROBE_MAX];
	unsigned n = 0;

	if (cache_probe(path, sig, &n, NULL) || !n)
		return 0;
	return cache_err_set(err, -EEXIST, 0, "no bcache superblock, and it holds %s: left as it is",
			     sig[0].type);
}

int cache_probe_resolve(const char *spec, char **path, struct cache_err *err)
{
	char *name = NULL, *value = NULL;

	if (!is_tag(spec) || blkid_parse_tag_string(spec, &name, &value)) {
		*path = strdup(spec);
		return *path ? 0 : cache_err_set(err, -ENOMEM, 0, "no memory for a name");
	}
	*path = blkid_evaluate_tag(name, value, NULL);
	free(name);
	free(value);
	return *path ? 0 : cache_err_set(err, -ENODEV, 0, "no device has this name");
}

static bool read_super(const char *path, struct cache_sb *sb)
{
	struct cache_dev *dev = NULL;
	bool ok;

	if (cache_dev_open(path, CACHE_DEV_READ, &dev, NULL))
		return false;
	ok = !cache_sb_read(dev, sb, NULL) &&
	     cache_sb_has_magic(sb) &&
	     sb->csum_stored == sb->csum_computed;
	cache_dev_close(dev);
	return ok;
}

int cache_probe_set(const uint8_t set_uuid[16],
		    int (*found)(void *ctx, const char *path, const struct cache_sb *sb),
		    void *ctx)
{
	blkid_cache cache = NULL;
	blkid_dev_iterate it;
	blkid_dev dev;
	int ret = 0;

	/* without the cache file: what it remembers may be long gone */
	if (blkid_get_cache(&cache, "/dev/null"))
		return -ENOMEM;
	blkid_probe_all(cache);
	it = blkid_dev_iterate_begin(cache);
	if (it)
		blkid_dev_set_search(it, "TYPE", "bcache");
	while (it && !ret && !blkid_dev_next(it, &dev)) {
		const char *path = blkid_dev_devname(dev);
		struct cache_sb sb;

		if (path && read_super(path, &sb) && !memcmp(sb.set_uuid, set_uuid, 16))
			ret = found(ctx, path, &sb);
	}
	if (it)
		blkid_dev_iterate_end(it);
	blkid_put_cache(cache);
	return ret;
}
