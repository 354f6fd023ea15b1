// SPDX-License-Identifier: GPL-2.0-only
/*
 * nbdkit-cache-tools-plugin: a cache and its backing device as one disk, read-only, over NBD.
 *
 *	nbdkit cache-tools cache=/dev/CACHE backing=/dev/BACKING
 *	nbdkit cache-tools cache=/dev/CACHE volume=UUID
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dev/dev.h"
#include "host/ids.h"
#include "serve/merged.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

/* One process of nbdkit has one configuration, and its callbacks get no pointer to it. */
static struct {
	char *cache_path, *backing_path;
	uint8_t volume[16];
	bool has_volume;
	int force, checked;
	struct cache_dev *cache, *backing;
	struct cache_merged *merged;
} plugin;

static int set_path(char **path, const char *key, const char *value)
{
	if (*path) {
		nbdkit_error("%s= is given twice", key);
		return -1;
	}
	*path = nbdkit_realpath(value);
	return *path ? 0 : -1;
}

static int set_bool(int *to, const char *value)
{
	int b = nbdkit_parse_bool(value);

	if (b < 0)
		return -1;
	*to = b;
	return 0;
}

static int plugin_config(const char *key, const char *value)
{
	if (!strcmp(key, "cache"))
		return set_path(&plugin.cache_path, key, value);
	if (!strcmp(key, "backing"))
		return set_path(&plugin.backing_path, key, value);
	if (!strcmp(key, "force"))
		return set_bool(&plugin.force, value);
	if (!strcmp(key, "checked"))
		return set_bool(&plugin.checked, value);
	if (strcmp(key, "volume")) {
		nbdkit_error("unknown parameter %s=", key);
		return -1;
	}
	if (cache_uuid_parse(value, plugin.volume)) {
		nbdkit_error("volume is \"%s\", expected a UUID", value);
		return -1;
	}
	plugin.has_volume = true;
	return 0;
}

static int plugin_config_complete(void)
{
	if (!plugin.cache_path || (plugin.backing_path && plugin.has_volume)) {
		nbdkit_error("expected cache=DEVICE, and backing=DEVICE or volume=UUID");
		return -1;
	}
	return 0;
}

static int open_device(const char *path, struct cache_dev **dev)
{
	struct cache_err err = { 0 };
	int ret = path ? cache_dev_open(path, CACHE_DEV_READ, dev, &err) : 0;

	if (ret)
		nbdkit_error("%s: %s", path, cache_err_text(&err, ret));
	return ret;
}

/* Called before nbdkit goes to the background, so that errors appear where it was started. */
static int plugin_get_ready(void)
{
	const struct cache_merged_opts opts = { .unchecked = plugin.force || plugin.checked,
						.volume_uuid = plugin.has_volume ? plugin.volume : NULL };
	struct cache_err err = { 0 };
	int ret;

	if (open_device(plugin.cache_path, &plugin.cache) ||
	    open_device(plugin.backing_path, &plugin.backing))
		return -1;
	ret = cache_merged_open(plugin.cache, plugin.backing, &opts, &plugin.merged, &err);
	if (ret)
		nbdkit_error("%s", cache_err_text(&err, ret));
	return ret ? -1 : 0;
}

static void plugin_unload(void)
{
	cache_merged_close(plugin.merged);
	cache_dev_close(plugin.backing);
	cache_dev_close(plugin.cache);
	free(plugin.backing_path);
	free(plugin.cache_path);
}

static void *plugin_open(int readonly)
{
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t plugin_get_size(void *handle)
{
	return cache_merged_info(plugin.merged)->sectors * CACHE_SECTOR_BYTES;
}

static int plugin_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
	const struct cache_merged_info *info = cache_merged_info(plugin.merged);

	*minimum = 1;
	*preferred = info->block_bytes < 4096 ? 4096 : info->block_bytes;
	*maximum = 32 * 1024 * 1024;
	return 0;
}

/* Nothing is written, so every connection sees the same. */
static int plugin_can_multi_conn(void *handle)
{
	return 1;
}

static int plugin_can_extents(void *handle)
{
	return 1;
}

/* A file is read through the kernel's page cache, so clients may cache less. */
static int plugin_can_cache(void *handle)
{
	return NBDKIT_CACHE_NONE;
}

static int plugin_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	int ret = cache_merged_read(plugin.merged, buf, count, offset);

	if (!ret)
		return 0;
	nbdkit_error("read of %u bytes at %llu failed: %s", count, (unsigned long long)offset,
		     strerror(-ret));
	nbdkit_set_error(-ret);
	return -1;
}

static int plugin_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
			  struct nbdkit_extents *extents)
{
	uint64_t sector = offset / CACHE_SECTOR_BYTES, end = (offset + count - 1) / CACHE_SECTOR_BYTES;

	while (sector <= end) {
		uint64_t n;
		enum cache_merged_kind kind = cache_merged_extent(plugin.merged, sector, &n);

		if (nbdkit_add_extent(extents, sector * CACHE_SECTOR_BYTES, n * CACHE_SECTOR_BYTES,
				      kind == CACHE_MERGED_HOLE ?
				      NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0) < 0)
			return -1;
		sector += n;
		if (flags & NBDKIT_FLAG_REQ_ONE)
			break;
	}
	return 0;
}

static struct nbdkit_plugin cache_tools_plugin = {
	.name = "cache-tools",
	.longname = "bcache cache and backing device as one disk",
	.description = "The merged device of a bcache cache and its backing device, read-only.",
	.config = plugin_config,
	.config_complete = plugin_config_complete,
	.config_help = "cache=<DEVICE>    (required) cache device\n"
		       "backing=<DEVICE>  its backing device, or\n"
		       "volume=<UUID>     a flash volume on the cache\n"
		       "force=true        serve a damaged set too",
	.magic_config_key = "cache",
	.get_ready = plugin_get_ready,
	.unload = plugin_unload,
	.open = plugin_open,
	.get_size = plugin_get_size,
	.block_size = plugin_block_size,
	.can_multi_conn = plugin_can_multi_conn,
	.can_extents = plugin_can_extents,
	.can_cache = plugin_can_cache,
	.pread = plugin_pread,
	.extents = plugin_extents,
	.errno_is_preserved = 0,
};

NBDKIT_REGISTER_PLUGIN(cache_tools_plugin)
