// SPDX-License-Identifier: GPL-2.0-only
#include "undo.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libcache/superblock.h>
#include "host/ids.h"

const char *cmd_undo_name(const char *file, unsigned index, char *buf, size_t nbytes)
{
	if (!index)
		return file;
	snprintf(buf, nbytes, "%s.%u", file, index + 1);
	return buf;
}

static struct cache_undo_origin origin_of(const struct cmd *c, struct cache_dev *dev)
{
	struct cache_undo_origin o = { .program = c->name, .made = time(NULL) };
	struct cache_sb sb;

	cache_uuid_generate(o.run_uuid);
	if (!cache_sb_read(dev, &sb, NULL))
		memcpy(o.dev_uuid, sb.uuid, sizeof(o.dev_uuid));
	return o;
}

int cmd_undo(struct cmd *c, struct cache_dev **dev, const char *file, unsigned index)
{
	char buf[PATH_MAX];
	const char *name = cmd_undo_name(file, index, buf, sizeof(buf));
	struct cache_undo_origin origin = origin_of(c, *dev);
	struct cache_dev *under = *dev;
	struct cache_err err = { 0 };
	int ret;

	*dev = NULL;
	ret = cache_dev_undo_new(under, name, &origin, dev, &err);
	return ret ? cmd_error(c, NULL, ret, &err) : 0;
}

void cmd_undo_note(const struct cmd *c, const char *device, const char *file, unsigned index)
{
	char buf[PATH_MAX];
	const char *name = cmd_undo_name(file, index, buf, sizeof(buf));

	if (!access(name, F_OK))
		cmd_note(c, 0, "take it back with: cache-undo %s %s", name, device);
}

void cmd_undo_forget(const char *file, unsigned index)
{
	char buf[PATH_MAX];

	unlink(cmd_undo_name(file, index, buf, sizeof(buf)));
}
