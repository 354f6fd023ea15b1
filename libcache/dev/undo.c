// SPDX-License-Identifier: GPL-2.0-only
/*
 * An undo file read back. Everything in it is bounded by its size before it is used,
 * and what a device holds now decides whether the file is about it: each saved sector
 * must hold what one of its writes left there, or found. So a writer, and an undo,
 * may have been cut off anywhere.
 */
#include "dev/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/fd_io.h"
#include "base/crc64.h"
#include "dev/undo_disk.h"

struct record {
	uint64_t sector, nsectors;
	uint64_t old_csum, new_csum;
	off_t sums_at;			/* of the new sectors' checksums */
	off_t at;			/* of the data */
};

struct cache_undo {
	int fd;
	uint64_t dev_sectors;
	char device[sizeof(((struct cache_undo_head_disk *)0)->device)];
	struct record *rec;
	size_t n;
};

static int read_head(struct cache_undo *u, struct cache_err *err)
{
	struct cache_undo_head_disk h;
	struct stat st;
	int ret;

	if (fstat(u->fd, &st) || !S_ISREG(st.st_mode))
		return cache_err_set(err, -EBADMSG, 0, "no undo file: not a regular file");
	ret = cache_fd_read(u->fd, &h, sizeof(h), 0);
	if (ret < 0)
		return cache_err_set(err, ret, 0, "cannot read: %s", strerror(-ret));
	if (!ret || memcmp(h.magic, CACHE_UNDO_MAGIC, sizeof(h.magic)))
		return cache_err_set(err, -EBADMSG, 0, "no undo file");
	if (cache_le64_get(h.csum) != cache_crc64(h.magic, sizeof(h) - sizeof(h.csum)))
		return cache_err_set(err, -EBADMSG, 0, "the undo file's header is damaged");
	if (cache_le32_get(h.version) != CACHE_UNDO_VERSION)
		return cache_err_set(err, -EOPNOTSUPP, 0, "undo file of version %" PRIu32
				     ", expected %u", cache_le32_get(h.version),
				     CACHE_UNDO_VERSION);
	u->dev_sectors = cache_le64_get(h.dev_sectors);
	memcpy(u->device, h.device, sizeof(u->device) - 1);
	return 0;
}

/* 1 a record and its data are there, 0 they are not, or a negative errno */
static int read_record(const struct cache_undo *u, off_t at, off_t size, struct record *r)
{
	struct cache_undo_record_disk d;
	int ret = cache_fd_read(u->fd, &d, sizeof(d), at);

	if (ret <= 0)
		return ret;
	if (cache_le64_get(d.nsectors) > CACHE_UNDO_RECORD_SECTORS_MAX)
		return 0;
	*r = (struct record){
		.sector = cache_le64_get(d.sector), .nsectors = cache_le64_get(d.nsectors),
		.old_csum = cache_le64_get(d.old_csum), .new_csum = cache_le64_get(d.new_csum),
		.sums_at = at + sizeof(d),
	};
	r->at = r->sums_at + r->nsectors * sizeof(cache_le64);
	return cache_le64_get(d.magic) == CACHE_UNDO_RECORD_MAGIC &&
	       cache_le64_get(d.csum) == cache_crc64(&d.magic, sizeof(d) - sizeof(d.csum)) &&
	       r->nsectors && cache_range_ok(r->at, r->nsectors * CACHE_SECTOR_BYTES, size) &&
	       cache_range_ok(r->sector, r->nsectors, u->dev_sectors);
}

static int add_record(struct cache_undo *u, const struct record *r)
{
	if (!(u->n & (u->n - 1))) {
		size_t room = u->n ? 2 * u->n : 1;
		void *p = reallocarray(u->rec, room, sizeof(*u->rec));

		if (!p)
			return -ENOMEM;
		u->rec = p;
	}
	u->rec[u->n++] = *r;
	return 0;
}

/* Data as it was saved. */
static int read_old(const struct cache_undo *u, const struct record *r, void *buf)
{
	size_t nbytes = r->nsectors * CACHE_SECTOR_BYTES;
	int ret = cache_fd_read(u->fd, buf, nbytes, r->at);

	if (ret <= 0)
		return ret ? ret : -EIO;
	return cache_crc64(buf, nbytes) == r->old_csum ? 0 : -EBADMSG;
}

static int read_sums(const struct cache_undo *u, const struct record *r, cache_le64 *sums)
{
	size_t nbytes = r->nsectors * sizeof(*sums);
	int ret = cache_fd_read(u->fd, sums, nbytes, r->sums_at);

	if (ret <= 0)
		return ret ? ret : -EIO;
	return cache_crc64(sums, nbytes) == r->new_csum ? 0 : -EBADMSG;
}

static int read_records(struct cache_undo *u, struct cache_err *err)
{
	off_t at = sizeof(struct cache_undo_head_disk);
	struct record r;
	struct stat st;
	int ret = fstat(u->fd, &st) ? -errno : 1;

	while (ret > 0) {
		ret = read_record(u, at, st.st_size, &r);
		if (ret <= 0)
			break;
		if (add_record(u, &r))
			return cache_err_set(err, -ENOMEM, 0, "no memory for the records");
		at = r.at + r.nsectors * CACHE_SECTOR_BYTES;
	}
	return ret < 0 ? cache_err_set(err, ret, 0, "cannot read: %s", strerror(-ret)) : 0;
}

/* The first to fail has said so already. */
static int saved_error(struct cache_err *err, int ret, uint64_t sector)
{
	return ret == -EBADMSG ?
		cache_err_set(err, ret, sector, "the saved data of sector %" PRIu64
			      " is damaged", sector) :
		cache_err_set(err, ret, sector, "cannot read the saved data of sector %"
			      PRIu64 ": %s", sector, strerror(-ret));
}

struct work {
	char *a, *b;			/* room for a record's data each */
	cache_le64 sums[CACHE_UNDO_RECORD_SECTORS_MAX];
	bool strange[CACHE_UNDO_RECORD_SECTORS_MAX];
};

static int work_init(struct work *w, struct cache_err *err)
{
	size_t nbytes = CACHE_UNDO_RECORD_SECTORS_MAX * CACHE_SECTOR_BYTES;

	w->a = cache_dev_buf(nbytes);
	w->b = cache_dev_buf(nbytes);
	return w->a && w->b ? 0 : cache_err_set(err, -ENOMEM, 0, "no memory for a record");
}

static void work_fini(struct work *w)
{
	free(w->a);
	free(w->b);
}

/* Torn data at the very end, too, means that its write never began. */
static int drop_torn(struct cache_undo *u, struct cache_err *err)
{
	const struct record *last;
	struct work w;
	int ret;

	if (!u->n)
		return 0;
	last = &u->rec[u->n - 1];
	ret = work_init(&w, err);
	if (!ret)
		ret = read_old(u, last, w.a);
	if (!ret)
		ret = read_sums(u, last, w.sums);
	work_fini(&w);
	if (ret && ret != -EBADMSG)
		return saved_error(err, ret, last->sector);
	u->n -= ret == -EBADMSG;
	return 0;
}

int cache_undo_open(const char *file, struct cache_undo **undo, struct cache_err *err)
{
	struct cache_undo *u = calloc(1, sizeof(*u));
	int ret;

	if (!u)
		return cache_err_set(err, -ENOMEM, 0, "no memory for an undo file");
	u->fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);	/* no wait for a pipe */
	if (u->fd < 0)
		ret = cache_err_set(err, -errno, 0, "cannot open: %s", strerror(errno));
	else
		ret = read_head(u, err);
	if (!ret)
		ret = read_records(u, err);
	if (!ret)
		ret = drop_torn(u, err);
	if (ret)
		cache_undo_close(u);
	else
		*undo = u;
	return ret;
}

void cache_undo_close(struct cache_undo *u)
{
	if (!u)
		return;
	if (u->fd >= 0)
		close(u->fd);
	free(u->rec);
	free(u);
}

const char *cache_undo_device(const struct cache_undo *u)
{
	return u->device;
}

uint64_t cache_undo_records(const struct cache_undo *u)
{
	return u->n;
}

uint64_t cache_undo_sectors(const struct cache_undo *u)
{
	uint64_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		n += u->rec[i].nsectors;
	return n;
}

/*
 * Takes from @w->strange, which has one flag for each sector of @r, those whose content
 * in @w->a is one that @other knows.
 */
static int explain(const struct cache_undo *u, const struct record *r,
		   const struct record *other, struct work *w)
{
	uint64_t start = cache_max_u64(r->sector, other->sector);
	uint64_t end = cache_min_u64(r->sector + r->nsectors, other->sector + other->nsectors);
	int ret = 0;

	if (start >= end)
		return 0;
	ret = read_old(u, other, w->b);
	if (!ret)
		ret = read_sums(u, other, w->sums);
	for (; start < end && !ret; start++) {
		const char *now = w->a + (start - r->sector) * CACHE_SECTOR_BYTES;
		uint64_t i = start - other->sector;

		if (!memcmp(now, w->b + i * CACHE_SECTOR_BYTES, CACHE_SECTOR_BYTES) ||
		    cache_crc64(now, CACHE_SECTOR_BYTES) == cache_le64_get(w->sums[i]))
			w->strange[start - r->sector] = false;
	}
	return ret;
}

static const bool *first_strange(const struct work *w, const struct record *r)
{
	return memchr(w->strange, true, r->nsectors);
}

static int check_record(const struct cache_undo *u, const struct record *r,
			struct cache_dev *dev, struct work *w, struct cache_err *err)
{
	int ret = cache_dev_read(dev, r->sector, r->nsectors, w->a, err);
	uint64_t sector;

	memset(w->strange, true, sizeof(w->strange));
	if (!ret)
		ret = explain(u, r, r, w);
	for (size_t j = 0; j < u->n && !ret && first_strange(w, r); j++)
		ret = explain(u, r, &u->rec[j], w);
	if (ret)
		return saved_error(err, ret, r->sector);
	if (!first_strange(w, r))
		return 0;
	sector = r->sector + (first_strange(w, r) - w->strange);
	return cache_err_set(err, -ESTALE, sector, "sector %" PRIu64 " is not as the undo file "
			     "knows it: something else was written since, or it is for another "
			     "device", sector);
}

int cache_undo_check(struct cache_undo *u, struct cache_dev *dev, struct cache_err *err)
{
	struct work w;
	int ret;

	if (cache_dev_sectors(dev) != u->dev_sectors)
		return cache_err_set(err, -ERANGE, 0, "has %" PRIu64 " sectors, the undo file is for "
				     "a device of %" PRIu64, cache_dev_sectors(dev),
				     u->dev_sectors);
	ret = work_init(&w, err);
	for (size_t i = u->n; i-- && !ret; )
		ret = check_record(u, &u->rec[i], dev, &w, err);
	work_fini(&w);
	return ret;
}

/* Nothing is written before all that will be is known to be good. */
static int check_saved(const struct cache_undo *u, struct cache_dev *dev, char *buf,
		       struct cache_err *err)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct record *r = &u->rec[i];
		int ret;

		if (!cache_range_ok(r->sector, r->nsectors, cache_dev_sectors(dev)))
			return cache_err_set(err, -ERANGE, r->sector, "%" PRIu64 " saved sectors at "
					     "sector %" PRIu64 " lie past the end of the device",
					     r->nsectors, r->sector);
		ret = read_old(u, r, buf);
		if (ret)
			return saved_error(err, ret, r->sector);
	}
	return 0;
}

int cache_undo_apply(struct cache_undo *u, struct cache_dev *dev, struct cache_err *err)
{
	struct work w;
	int ret = work_init(&w, err);

	if (!ret)
		ret = check_saved(u, dev, w.a, err);
	for (size_t i = u->n; i-- && !ret; ) {
		ret = read_old(u, &u->rec[i], w.a);
		if (ret)
			saved_error(err, ret, u->rec[i].sector);
		else
			ret = cache_dev_write(dev, u->rec[i].sector, u->rec[i].nsectors, w.a,
					      err);
	}
	if (!ret)
		ret = cache_dev_flush(dev, err);
	work_fini(&w);
	return ret;
}
