// SPDX-License-Identifier: GPL-2.0-only
/* A new file is written beside the old one, and takes its name when it is whole. */
#include "new_file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int cmd_new_file(struct cmd *c, const char *file, int (*fill)(void *ctx, FILE *out), void *ctx)
{
	char name[PATH_MAX];
	struct stat st;
	int fd, ret;

	if (!lstat(file, &st) && !S_ISREG(st.st_mode))
		return cmd_fail(c, file, "is there and no regular file");
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
