// SPDX-License-Identifier: GPL-2.0-only
/* Results that are files, and what they may overwrite. */
#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/probe.h"

/* Beside @file, with a name that nobody takes for a result. */
static int temporary_name(const char *file, char name[PATH_MAX])
{
	const char *slash = strrchr(file, '/');
	int folder = slash ? (int)(slash - file) + 1 : 0;

	return snprintf(name, PATH_MAX, "%.*s.%s.XXXXXX", folder, file, file + folder) < PATH_MAX ?
		0 : -ENAMETOOLONG;
}

/* Closes @fd. */
static int write_all(int fd, int (*fill)(void *ctx, FILE *out), void *ctx)
{
	FILE *out = fdopen(fd, "w");
	mode_t mask = umask(0);
	int ret;

	umask(mask);
	if (!out) {
		ret = -errno;
		close(fd);
		return ret;
	}
	ret = fill(ctx, out);
	if (!ret && (ferror(out) || fflush(out)))
		ret = cache_stream_error(out);
	if (!ret && fchmod(fd, 0666 & ~mask))
		ret = -errno;
	if (fclose(out) && !ret)
		ret = -errno;
	return ret;
}

/* A result that goes to it by mistake would be the end of it. */
static bool is_bcache(const char *file)
{
	struct cache_dev *dev;
	struct cache_sb sb;
	bool is;

	if (cache_dev_open(file, CACHE_DEV_READ, &dev, NULL))
		return false;
	is = cache_probe_super(dev, &sb);
	cache_dev_close(dev);
	return is;
}

/* The new file is written beside the old one, and takes its name when it is whole. */
int cmd_new_file(struct cmd *c, const char *file, int (*fill)(void *ctx, FILE *out), void *ctx)
{
	char name[PATH_MAX];
	struct stat st;
	int fd, ret;

	if (!lstat(file, &st) && !S_ISREG(st.st_mode))
		return cmd_fail(c, file, "is there and no regular file");
	if (is_bcache(file))
		return cmd_fail(c, file, "is a bcache device: it is not overwritten");
	ret = temporary_name(file, name);
	if (ret)
		return cmd_fail(c, file, "cannot be written: %s", strerror(-ret));
	fd = mkstemp(name);
	if (fd < 0)
		return cmd_fail(c, file, "cannot be written: %s", strerror(errno));
	ret = write_all(fd, fill, ctx);
	if (!ret && rename(name, file))
		ret = -errno;
	if (!ret)
		return EXIT_DONE;
	unlink(name);
	return cmd_fail(c, file, "cannot be written: %s", strerror(-ret));
}

static bool starts_with(const char *file, const char *first)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char start[128];		/* of which @first has less */
	ssize_t n = fd >= 0 ? read(fd, start, sizeof(start)) : -1;

	if (fd >= 0)
		close(fd);
	return n >= (ssize_t)strlen(first) && !memcmp(start, first, strlen(first));
}

bool cmd_list_may_replace(struct cmd *c, const char *file, const char *first)
{
	struct stat st;

	if (stat(file, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return true;
	if (S_ISREG(st.st_mode) && (!st.st_size || starts_with(file, first)))
		return true;
	cmd_fail(c, file, "is there, and is no older list: it is not overwritten");
	return false;
}

/* A pipe without a reader is an error: nobody would notice that it is waited for. */
static FILE *open_list(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
	struct stat st;
	FILE *out = NULL;

	if (fd < 0)
		return NULL;
	/* what is written is waited for */
	if (!fstat(fd, &st) && fcntl(fd, F_SETFL, 0) >= 0 &&
	    (!S_ISREG(st.st_mode) || !ftruncate(fd, 0)))
		out = fdopen(fd, "w");
	if (!out)
		close(fd);
	return out;
}

FILE *cmd_list_open(struct cmd *c, const char *file, const char *first)
{
	FILE *out;

	if (!cmd_list_may_replace(c, file, first))
		return NULL;
	out = open_list(file);
	if (!out)
		cmd_fail(c, file, "cannot create: %s", strerror(errno));
	return out;
}
