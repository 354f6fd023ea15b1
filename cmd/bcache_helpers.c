// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs of bcache-tools that udev rules call, with the same options and output. A device
 * about which there is nothing to say is no error: then they print nothing.
 */
#include "applet.h"
#include "common.h"

#include "host/ids.h"
#include "host/probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct helper {
	struct cmd cmd;
	bool udev;
	const char *root;	/* in front of /sys and /dev */
	const char *only;	/* the one device, where there is one */
	char **specs;
	int n;
};

enum { OPT_ROOT = 0x100 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct helper *h = state->input;

	switch (key) {
	case 'o':
		h->udev = !strcmp(arg, "udev");
		if (h->udev)
			return 0;
		cmd_put(stdout, "Invalid output format %s", arg);
		putchar('\n');
		exit(EXIT_FAILED);
	case OPT_ROOT:
		h->root = arg;
		return 0;
	case ARGP_KEY_ARGS:
		h->specs = state->argv + state->next;
		h->n = state->argc - state->next;
		h->only = h->specs[0];
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int open_quietly(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* A line "KEY=value" whose value can neither end the line nor name another key. */
static void put_value(const char *key, const char *value)
{
	printf("%s=", key);
	for (; *value; value++)
		if (*value <= ' ' || *value == '\\' || *value == 0x7f)
			printf("\\x%02x", (unsigned char)*value);
		else
			putchar(*value);
	putchar('\n');
}

static void probe_one(const struct helper *h, const char *path)
{
	int fd = open_quietly(path);
	char uuid[CACHE_UUID_TEXT_BYTES];
	struct cache_dev *dev = NULL;
	struct cache_sb sb;

	/* udev has it from libblkid already */
	if (fd < 0 || cache_probe_is_known(fd))
		goto out;
	if (cache_dev_open(path, CACHE_DEV_READ, &dev, NULL) || !cache_probe_super(dev, &sb))
		goto out;
	cache_uuid_format(sb.uuid, uuid);
	if (h->udev)
		printf("ID_FS_UUID=%s\nID_FS_UUID_ENC=%s\nID_FS_TYPE=bcache\n", uuid, uuid);
	else
		printf("%s: UUID=\"\" TYPE=\"bcache\"\n", uuid);
out:
	cache_dev_close(dev);
	if (fd >= 0)
		close(fd);
}

int probe_bcache_main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ NULL, 'o', "udev", 0, "print lines for IMPORT{program} of a udev rule" },
		{ 0 }
	};
	static const struct argp argp = {
		options, parse, "[DEV...]",
		"Print the UUID of each bcache device in which libblkid finds nothing, such as one "
		"whose superblock has a wrong checksum."
	};
	struct helper h = { .cmd = CMD_INIT };

	cmd_parse(&h.cmd, &argp, argc, argv, 0);
	for (int i = 0; i < h.n; i++)
		probe_one(&h, h.specs[i]);
	return cmd_end(&h.cmd, EXIT_DONE);
}

/* The part of a path behind its last slash. */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* True if @path is a backing device: its lines were printed. */
static bool export_one(const char *path)
{
	char uuid[CACHE_UUID_TEXT_BYTES], label[CACHE_SB_LABEL_BYTES + 1] = "";
	struct cache_dev *dev = NULL;
	struct cache_sb sb;
	bool found = !cache_dev_open(path, CACHE_DEV_READ, &dev, NULL) &&
		     cache_probe_super(dev, &sb) && cache_sb_is_bdev(&sb);

	cache_dev_close(dev);
	if (!found)
		return false;
	cache_uuid_format(sb.uuid, uuid);
	put_value("CACHED_UUID", uuid);
	memcpy(label, sb.label, CACHE_SB_LABEL_BYTES);
	if (*label)
		put_value("CACHED_LABEL", label);
	return true;
}

static const struct argp_option root_option[] = {
	{ "root", OPT_ROOT, "DIR", 0, "look for /sys and /dev in DIR" },
	{ 0 }
};

/* Calls @fn with each entry of a folder until it returns true. */
static bool each_entry(const char *folder, bool (*fn)(const char *folder, const char *name,
						      const struct helper *h),
		       const struct helper *h)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d)))
		if (e->d_name[0] != '.')
			found = fn(folder, e->d_name, h);
	if (d)
		closedir(d);
	return found;
}

static bool export_slave(const char *folder, const char *name, const struct helper *h)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev/%s", h->root, name);
	return export_one(path);
}

int bcache_export_cached_main(int argc, char **argv)
{
	static const struct argp argp = {
		root_option, parse, "DEV",
		"Print UUID and label of the backing device of a bcache device, as CACHED_UUID and "
		"CACHED_LABEL, for IMPORT{program} of a udev rule."
	};
	struct helper h = { .cmd = CMD_INIT, .root = "" };
	char folder[PATH_MAX];

	cmd_parse(&h.cmd, &argp, argc, argv, 0);
	if (!h.only)
		return cmd_end(&h.cmd, EXIT_FAILED);
	snprintf(folder, sizeof(folder), "%s/sys/class/block/%s/slaves", h.root,
		 last_part(h.only));
	each_entry(folder, export_slave, &h);
	return cmd_end(&h.cmd, EXIT_DONE);
}

/* True if the link leads to the device. */
static bool leads_here(const char *folder, const char *name, const struct helper *h)
{
	char link[PATH_MAX], *target;
	bool found;

	if (snprintf(link, sizeof(link), "%s/%s", folder, name) >= (int)sizeof(link))
		return false;
	target = realpath(link, NULL);
	found = target && !strcmp(target, h->only);
	free(target);
	if (found)
		put_value(strstr(folder, "by-uuid") ? "BCACHE_CACHED_UUID" : "BCACHE_CACHED_LABEL",
			  name);
	return found;
}

int bcache_keep_symlinks_main(int argc, char **argv)
{
	static const struct argp argp = {
		root_option, parse, "DEV",
		"Print the names in /dev/bcache/by-uuid and by-label that lead to a bcache device, as "
		"BCACHE_CACHED_UUID and BCACHE_CACHED_LABEL, for IMPORT{program} of a udev rule."
	};
	static const char *const folders[] = { "by-uuid", "by-label" };
	struct helper h = { .cmd = CMD_INIT, .root = "" };
	char folder[PATH_MAX];

	cmd_parse(&h.cmd, &argp, argc, argv, 0);
	for (unsigned i = 0; i < 2 && h.only; i++) {
		snprintf(folder, sizeof(folder), "%s/dev/bcache/%s", h.root, folders[i]);
		each_entry(folder, leads_here, &h);
	}
	return cmd_end(&h.cmd, EXIT_DONE);
}
