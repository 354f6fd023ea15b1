// SPDX-License-Identifier: GPL-2.0-only
/* The only file that uses libmount: whether a device is mounted or used for swap. */
#include <libmount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/probe.h"

/* Some file systems have a device number of their own: then the path of the source is compared. */
static bool is_source(struct libmnt_fs *fs, dev_t rdev)
{
	const char *source = mnt_fs_get_srcpath(fs);
	struct stat st;

	if (mnt_fs_get_devno(fs) == rdev)
		return true;
	return source && *source == '/' && !stat(source, &st) && S_ISBLK(st.st_mode) &&
	       st.st_rdev == rdev;
}

/* The first row of @table that is about @rdev. */
static struct libmnt_fs *row_of(struct libmnt_table *table, struct libmnt_iter *iter, dev_t rdev)
{
	struct libmnt_fs *fs;

	while (!mnt_table_next_fs(table, iter, &fs))
		if (is_source(fs, rdev))
			return fs;
	return NULL;
}

static bool ask(const char *file, bool swaps, dev_t rdev, char *where, unsigned nbytes)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_table *table = mnt_new_table();
	struct libmnt_fs *fs = NULL;
	const char *target;

	if (iter && table && !(swaps ? mnt_table_parse_swaps(table, file)
				     : mnt_table_parse_file(table, file)))
		fs = row_of(table, iter, rdev);
	target = fs && !swaps ? mnt_fs_get_target(fs) : NULL;
	if (fs)
		snprintf(where, nbytes, "%s", target ? target : swaps ? "swap" : "?");
	mnt_unref_table(table);
	mnt_free_iter(iter);
	return fs;
}

bool cache_probe_mount(uint64_t rdev, char *where, unsigned nbytes)
{
	return ask("/proc/self/mountinfo", false, rdev, where, nbytes) ||
	       ask("/proc/swaps", true, rdev, where, nbytes);
}
