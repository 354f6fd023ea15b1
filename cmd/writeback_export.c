// SPDX-License-Identifier: GPL-2.0-only
#include "writeback_export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"

/* Of a line of the table: what an NBD server takes in one request. */
#define LINE_SECTORS	(16u << 11)

static bool is_there(const char *name)
{
	struct stat st;

	return !lstat(name, &st);
}

static int name_all(struct writeback_export *x)
{
	if (asprintf(&x->part, "%s.part", x->file) < 0) {
		x->part = NULL;
		return -ENOMEM;
	}
	if (asprintf(&x->table_name, "%s.table", x->file) < 0) {
		x->table_name = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* An overlay that is not empty would hide what is in the backing device. */
static int create_part(struct writeback_export *x, uint64_t sectors, struct cache_err *err)
{
	int fd = open(x->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int ret = fd < 0 ? -errno : 0;

	if (ret == -EEXIST)
		return cache_err_set(err, ret, 0, "%s: is there: an export that was cut off has left it; remove it",
				     x->part);
	if (!ret && ftruncate(fd, sectors * CACHE_SECTOR_BYTES))
		ret = -errno;
	if (fd >= 0)
		close(fd);
	if (ret && fd >= 0)
		unlink(x->part);
	return ret ? cache_err_set(err, ret, 0, "cannot create %s: %s", x->part, strerror(-ret)) : 0;
}

int writeback_export_create(struct writeback_export *x, const struct cache_writeback_device *d,
			    uint64_t sectors, struct cache_dev **dev, struct cache_err *err)
{
	int ret = name_all(x);

	if (ret)
		return cache_err_set(err, ret, 0, "no memory for a name");
	x->data_start = d->data_start;
	if (is_there(x->file) || (x->backing && is_there(x->table_name)))
		return cache_err_set(err, -EEXIST, 0, "cannot create %s: %s",
				     is_there(x->file) ? x->file : x->table_name, strerror(EEXIST));
	ret = create_part(x, sectors, err);
	if (ret)
		return ret;
	ret = cache_dev_open(x->part, CACHE_DEV_WRITE | CACHE_DEV_EXCL, dev, err);
	x->dev = ret ? NULL : *dev;
	if (ret)
		unlink(x->part);
	return ret;
}

/* Up to sector @end of the bcache device; @from: where it is, "" for an error. */
static void table_lines(struct writeback_export *x, uint64_t end, const char *from)
{
	while (x->table_end < end) {
		uint64_t n = cache_min_u64(end - x->table_end, LINE_SECTORS);

		if (*from)
			fprintf(x->table, "%" PRIu64 " %" PRIu64 " linear %s %" PRIu64 "\n",
				x->table_end, n, from, x->table_end + x->data_start);
		else
			fprintf(x->table, "%" PRIu64 " %" PRIu64 " error\n", x->table_end, n);
		x->table_end += n;
	}
}

/* What could be copied of a range is there; the rest fails when it is read. */
static void table_in_part(struct writeback_export *x, uint64_t start, uint64_t end)
{
	const struct writeback_show *s = x->show;

	for (; x->next_failed < s->nfailed; x->next_failed++) {
		const struct cache_writeback_failure *f = &s->failed[x->next_failed].f;

		if (f->start >= end)
			break;
		table_lines(x, cache_max_u64(f->start, start) - x->data_start, "OVERLAY");
		table_lines(x, cache_min_u64(f->start + f->sectors, end) - x->data_start, "");
		if (f->start + f->sectors > end)
			break;
	}
	table_lines(x, end - x->data_start, "OVERLAY");
}

static void open_table(struct writeback_export *x)
{
	writeback_show_sort(x->show);
	x->table = fopen(x->table_name, "wxe");
	x->failed = !x->table;
	if (x->failed)
		cmd_fail(x->cmd, x->table_name, "cannot create: %s", strerror(errno));
}

void writeback_export_range(struct writeback_export *x, const struct cache_writeback_device *d,
			    uint64_t start, uint64_t end, enum cache_writeback_range what)
{
	x->missing |= what != CACHE_WRITEBACK_COPIED;
	if (!x->backing || x->failed)
		return;
	if (!x->table)
		open_table(x);
	if (x->failed)
		return;
	table_lines(x, start - x->data_start, "BACKING");
	if (what == CACHE_WRITEBACK_IN_PART && !x->show->no_memory)
		table_in_part(x, start, end);
	else
		table_lines(x, end - x->data_start, what == CACHE_WRITEBACK_COPIED ? "OVERLAY" : "");
}

static int close_table(struct writeback_export *x, uint64_t backing_sectors)
{
	bool failed;

	if (!x->table)
		return x->failed ? EXIT_FAILED : 0;
	table_lines(x, backing_sectors - x->data_start, "BACKING");
	failed = fflush(x->table) || ferror(x->table) || fsync(fileno(x->table));
	failed |= fclose(x->table);
	x->table = NULL;
	return failed ? cmd_fail(x->cmd, x->table_name, "cannot write: %s", strerror(errno)) : 0;
}

/* Both as one disk; what is written to it is in neither of them. */
static void show_lines(struct writeback_export *x)
{
	struct cache_report *r = cmd_report(x->cmd);
	char full[PATH_MAX];

	cache_report_line(r, "%s says which sectors are in %s; all others are right on %s%s",
			  x->table_name, x->file, x->backing,
			  x->missing ? ", but those that could not be copied, which fail when they are read" : "");
	cache_report_line(r, "both as one disk, read-only, with the device-mapper:");
	cache_report_line(r, "  sed \"s,OVERLAY,$(losetup -rf --show %s),; s,BACKING,%s,\" %s | dmsetup create --readonly merged",
			  x->file, x->backing, x->table_name);
	if (x->missing || !realpath(x->backing, full))
		return;
	cache_report_line(r, "or for qemu, as %s.qcow2, which takes what is written to it:", x->file);
	cache_report_line(r, "  qemu-img create -q -f qcow2 -F raw -b %s %s.qcow2", full, x->file);
	cache_report_line(r, "  nbdsh -c 'import os; h.connect_systemd_socket_activation([\"qemu-nbd\", \"-f\", \"qcow2\", \"%s.qcow2\"])' "
			  "-c 'f = os.open(\"%s\", 0)' "
			  "-c 'for t in map(str.split, open(\"%s\")): t[3] == \"OVERLAY\" and h.pwrite(os.pread(f, int(t[1]) * 512, int(t[4]) * 512), int(t[4]) * 512)' "
			  "-c 'h.flush(); h.shutdown()'", x->file, x->file, x->table_name);
	cache_report_line(r, "  qemu-system-x86_64 -drive if=virtio,driver=raw,offset=%" PRIu64 ",file.driver=qcow2,file.file.filename=%s.qcow2 ...",
			  x->data_start * CACHE_SECTOR_BYTES, x->file);
}

/* A part of the dirty data would pass for all of it: only what is complete gets the name. */
static int give_name(struct writeback_export *x)
{
	int ret = renameat2(AT_FDCWD, x->part, AT_FDCWD, x->file, RENAME_NOREPLACE);

	if (ret && errno == EINVAL && !is_there(x->file))	/* a file system that cannot do that */
		ret = rename(x->part, x->file);
	return ret ? cmd_fail(x->cmd, x->file, "cannot give %s this name: %s", x->part, strerror(errno)) : 0;
}

int writeback_export_end(struct writeback_export *x, bool keep, uint64_t backing_sectors)
{
	int ret = EXIT_FAILED;

	if (!x->dev)
		return 0;
	if (keep)
		ret = close_table(x, backing_sectors);
	if (keep && !ret)
		ret = give_name(x);
	if (ret)
		unlink(x->part);
	if (ret && keep)
		unlink(x->table_name);
	if (keep && !ret && x->backing && !x->cmd->json)
		show_lines(x);
	return keep ? ret : 0;
}

void writeback_export_fini(struct writeback_export *x)
{
	cache_dev_close(x->dev);
	free(x->part);
	free(x->table_name);
}
