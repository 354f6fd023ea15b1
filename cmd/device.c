// SPDX-License-Identifier: GPL-2.0-only
/* Devices of the command line: found by name and opened, and who else uses them. */
#include "common.h"

#include "host/probe.h"
#include "image/image.h"
#include "set/set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Backing devices to which the uuid table of some cache gives this label. */
struct labelled {
	const char *label;
	uint8_t (*uuid)[16];
	unsigned n;
	bool known;
};

static int add_labelled(struct labelled *l, const uint8_t *uuid)
{
	uint8_t (*grown)[16] = reallocarray(l->uuid, l->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	l->uuid = grown;
	memcpy(l->uuid[l->n++], uuid, sizeof(*l->uuid));
	return 0;
}

static int ask_table(void *ctx, struct cache_dev *dev)
{
	static const struct cache_sink silent = { cache_sink_ignore, NULL };
	struct labelled *l = ctx;
	struct cache_set *set = NULL;
	struct cache_sb sb;
	int ret = 0;

	if (!cache_probe_super(dev, &sb) || cache_sb_is_bdev(&sb) ||
	    cache_set_load(dev, CACHE_LOAD_PRIOS, &silent, &set, NULL))
		return 0;
	for (uint32_t i = 0; i < set->uuids.n && !ret; i++) {
		const struct cache_uuid_entry *e = &set->uuids.slot[i];

		if (cache_uuid_state(e) == CACHE_SLOT_BACKING &&
		    !strncmp((const char *)e->label, l->label, sizeof(e->label)))
			ret = add_labelled(l, e->uuid);
	}
	cache_set_close(set);
	return ret;
}

static bool has_table_label(void *ctx, struct cache_dev *dev, const char *tag, const char *value)
{
	struct labelled *l = ctx;
	struct cache_sb sb;

	if (strcmp(tag, "LABEL=") || !*value || !cache_probe_super(dev, &sb) ||
	    !cache_sb_is_bdev(&sb))
		return false;
	if (!l->known) {
		l->label = value;
		cache_probe_each(ask_table, l);
		l->known = true;
	}
	for (unsigned i = 0; i < l->n; i++)
		if (!memcmp(l->uuid[i], sb.uuid, sizeof(sb.uuid)))
			return true;
	return false;
}

char *cmd_device(struct cmd *c, const char *spec)
{
	struct labelled labels = { 0 };
	struct cache_err err = { 0 };
	char *path = NULL;
	int ret = cache_probe_resolve(spec, &path, has_table_label, &labels, &err);

	free(labels.uuid);
	if (ret) {
		cmd_error(c, spec, ret, &err);
		return NULL;
	}
	if (strcmp(path, spec))
		cmd_note(c, 1, "%s is %s", spec, path);
	return path;
}

/* Opened exclusively by a program that sysfs does not name. */
static bool is_open_elsewhere(const char *path)
{
	int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EBUSY;
}

void cmd_warn_in_use(const struct cmd *c, const char *path)
{
	struct cache_holder holder;
	char text[512];
	int ret = cache_probe_holder(NULL, path, &holder);

	if (ret == 1 && holder.bcache && !holder.part[0]) {
		cmd_warn(c, path, "in use by %s%s: what is read may be stale",
			 holder.set[0] ? "cache set " : "the kernel's bcache driver", holder.set);
	} else if (ret == 1) {
		cache_holder_text(&holder, path, text, sizeof(text));
		cmd_warn(c, path, "%s: what is read may be stale", text);
	} else if (!ret && is_open_elsewhere(path)) {
		cmd_warn(c, path, "opened by another program: what is read may be stale");
	}
}

bool cmd_may_write(struct cmd *c, const char *path)
{
	struct cache_holder holder;
	char text[512];

	if (cache_probe_holder(NULL, path, &holder) != 1)
		return true;
	cache_holder_text(&holder, path, text, sizeof(text));
	cmd_fail_with(c, path, -EBUSY, 0, text);
	return false;
}

int cmd_open(struct cmd *c, const char *path, bool dry_run, struct cache_dev **dev)
{
	unsigned flags = CACHE_DEV_EXCL | (dry_run ? CACHE_DEV_MAY_WRITE : CACHE_DEV_WRITE) |
			 (c->udev ? CACHE_DEV_SHARED_LOCK : 0);
	struct cache_err err = { 0 };
	int ret;

	*dev = NULL;
	if (!cmd_may_write(c, path))
		return -EBUSY;
	ret = cache_dev_open(path, flags, dev, &err);
	if (!ret && dry_run && access(path, W_OK) && errno == EROFS) {
		ret = cache_err_set(&err, -EROFS, 0, "it lies on a read-only file system");
	} else if (!ret && cache_image_is(*dev)) {
		ret = cache_err_set(&err, -EINVAL, 0,
				    "a metadata image: nothing but cache-image writes one");
	}
	if (ret) {
		cache_dev_close(*dev);
		*dev = NULL;
		cmd_error(c, path, ret, &err);
	}
	return ret;
}

int cmd_open_source(struct cmd *c, const char *path, bool look, struct cache_dev **dev)
{
	unsigned flags = look ? CACHE_DEV_READ : CACHE_DEV_READ | CACHE_DEV_EXCL;
	struct cache_err err = { 0 };
	int ret;

	if (look)
		cmd_warn_in_use(c, path);
	else if (!cmd_may_write(c, path))
		return -EBUSY;
	ret = cache_dev_open(path, flags, dev, &err);
	if (ret)
		cmd_error(c, path, ret, &err);
	return ret;
}

int cmd_open_to_read(const char *path, struct cache_dev **dev, struct cache_err *err)
{
	struct cache_dev *file;
	int ret = cache_dev_open(path, CACHE_DEV_READ, &file, err);

	if (ret)
		return ret;
	if (cache_image_is(file))
		return cache_image_open(file, dev, err);
	*dev = file;
	return 0;
}

bool cmd_is_foreign(struct cmd *c, struct cache_dev *dev)
{
	struct cache_err err = { 0 };
	int ret = cache_probe_foreign(dev, &err);

	if (ret)
		cmd_error(c, cache_dev_name(dev), ret, &err);
	return ret;
}
