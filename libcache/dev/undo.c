// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading an undo file. Everything in it is bounded by its size and verified before use:
 * callers get the whole file as it was written, or nothing.
 */
#include "dev/undo_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/fd_io.h"
#include "base/crc64.h"

#define IS_SUMMED(d) \
	(cache_le64_get((d)->csum) == cache_crc64(&(d)->magic, sizeof(*(d)) - sizeof((d)->csum)))

struct reader {
	struct cache_undo *u;
	char *data;			/* of one record */
	cache_le64 sums[CACHE_UNDO_RECORD_SECTORS_MAX];
	struct cache_err *err;
};

static int read_error(struct cache_err *err, int ret)
{
	return cache_err_set(err, ret, 0, "cannot read: %s", strerror(-ret));
}

static int read_head(struct cache_undo *u, struct cache_err *err)
{
	struct cache_undo_head_disk h;
	int ret;

	if (fstat(u->fd, &u->st) || !S_ISREG(u->st.st_mode))
		return cache_err_set(err, -EBADMSG, 0, "not an undo file: not a regular file");
	ret = cache_fd_read(u->fd, &h, sizeof(h), 0);
	if (ret < 0)
		return read_error(err, ret);
	if (!ret || memcmp(h.magic, CACHE_UNDO_MAGIC, sizeof(h.magic)))
		return cache_err_set(err, -EBADMSG, 0, "not an undo file");
	if (cache_le64_get(h.csum) != cache_crc64(h.magic, sizeof(h) - sizeof(h.csum)))
		return cache_err_set(err, -EBADMSG, 0, "the undo file's header is damaged");
	if (cache_le32_get(h.version) != CACHE_UNDO_VERSION)
		return cache_err_set(err, -EOPNOTSUPP, 0, "undo file of version %" PRIu32
				     ", expected %u", cache_le32_get(h.version),
				     CACHE_UNDO_VERSION);
	u->chain = cache_le64_get(h.csum);
	u->dev_sectors = cache_le64_get(h.dev_sectors);
	memcpy(u->device, h.device, sizeof(u->device) - 1);
	memcpy(u->program, h.program, sizeof(u->program) - 1);
	memcpy(u->origin.run_uuid, h.run_uuid, sizeof(h.run_uuid));
	memcpy(u->origin.dev_uuid, h.dev_uuid, sizeof(h.dev_uuid));
	u->origin.made = cache_le64_get(h.made);
	u->origin.program = u->program;
	return 0;
}

/* Doubles the array when all @n of its elements are used. */
static int grow(void **list, size_t n, size_t *capacity, size_t size)
{
	size_t more = *capacity ? 2 * *capacity : 64;
	void *p;

	if (n < *capacity)
		return 0;
	p = reallocarray(*list, more, size);
	if (!p)
		return -ENOMEM;
	*list = p;
	*capacity = more;
	return 0;
}

static int add_record(struct reader *rd, const struct undo_record *r)
{
	struct cache_undo *u = rd->u;
	int ret = grow((void **)&u->rec, u->n, &u->rec_capacity, sizeof(*u->rec));

	for (uint64_t i = 0; i < r->nsectors && !ret; i++) {
		ret = grow((void **)&u->known, u->nknown, &u->known_capacity, sizeof(*u->known));
		if (!ret)
			u->known[u->nknown++] = (struct undo_sector){
				.sector = r->sector + i,
				.old_csum = cache_crc64(rd->data + i * CACHE_SECTOR_BYTES,
							CACHE_SECTOR_BYTES),
				.new_csum = cache_le64_get(rd->sums[i]),
			};
	}
	if (!ret)
		u->rec[u->n++] = *r;
	return ret;
}

static bool is_next(const struct cache_undo *u, const struct cache_undo_record_disk *d, off_t at)
{
	uint64_t n = cache_le64_get(d->nsectors);

	return cache_le64_get(d->magic) == CACHE_UNDO_RECORD_MAGIC && IS_SUMMED(d) &&
	       cache_le64_get(d->before) == u->chain && cache_le64_get(d->index) == u->n &&
	       n && n <= CACHE_UNDO_RECORD_SECTORS_MAX &&
	       cache_range_ok(at + sizeof(*d), n * (sizeof(cache_le64) + CACHE_SECTOR_BYTES),
			      u->st.st_size) &&
	       cache_range_ok(cache_le64_get(d->sector), n, u->dev_sectors);
}

/* 1 the next record is at *@at, which is advanced; 0 there is none; or an errno. */
static int read_record(struct reader *rd, off_t *at)
{
	struct cache_undo *u = rd->u;
	struct cache_undo_record_disk d;
	struct undo_record r;
	size_t front;
	int ret = cache_fd_read(u->fd, &d, sizeof(d), *at);

	if (ret <= 0 || !is_next(u, &d, *at))
		return ret < 0 ? ret : 0;
	r = (struct undo_record){ .sector = cache_le64_get(d.sector),
				  .nsectors = cache_le64_get(d.nsectors),
				  .old_csum = cache_le64_get(d.old_csum) };
	front = r.nsectors * sizeof(*rd->sums);
	r.at = *at + sizeof(d) + front;
	ret = cache_fd_read(u->fd, rd->sums, front, *at + sizeof(d));
	if (ret <= 0 || cache_crc64(rd->sums, front) != cache_le64_get(d.new_csum))
		return ret < 0 ? ret : 0;
	ret = cache_undo_read_old(u, &r, rd->data);
	if (ret)
		return ret == -EBADMSG ? 0 : ret;
	ret = add_record(rd, &r);
	if (ret)
		return ret;
	u->chain = cache_le64_get(d.csum);
	*at = r.at + r.nsectors * CACHE_SECTOR_BYTES;
	return 1;
}

static int read_records(struct reader *rd)
{
	struct cache_undo *u = rd->u;
	off_t at = CACHE_UNDO_RECORDS_AT;
	struct cache_undo_end_disk e;
	int ret;

	do
		ret = cache_undo_poll(u, CACHE_UNDO_PASS_READ, at, u->st.st_size);
	while (!ret && (ret = read_record(rd, &at)) == 1);
	if (!ret)
		ret = cache_fd_read(u->fd, &e, sizeof(e), at);
	if (ret < 0)
		return ret == -ENOMEM ?
		       cache_err_set(rd->err, ret, 0, "no memory for the records") :
		       ret == -ECANCELED ? cache_err_set(rd->err, ret, 0, "cancelled") :
		       read_error(rd->err, ret);
	u->closed = ret && cache_le64_get(e.magic) == CACHE_UNDO_END_MAGIC && IS_SUMMED(&e) &&
		    cache_le64_get(e.before) == u->chain && cache_le64_get(e.nrecords) == u->n;
	return 0;
}

/* The greater of the two counts, which differ by one. */
static int read_count(const struct cache_undo *u, struct cache_undo_count_disk *count,
		      struct cache_err *err)
{
	struct cache_undo_count_disk c[2];
	uint64_t n[2];

	for (unsigned i = 0; i < 2; i++) {
		int ret = cache_fd_read(u->fd, &c[i], sizeof(c[i]), CACHE_UNDO_COUNT_AT * (1 + i));

		if (ret < 0)
			return read_error(err, ret);
		if (!ret || cache_le64_get(c[i].magic) != CACHE_UNDO_COUNT_MAGIC ||
		    !IS_SUMMED(&c[i]))
			return cache_err_set(err, -EBADMSG, 0, "the undo file is damaged: its count "
					     "of records does not match its checksum");
		n[i] = cache_le64_get(c[i].nrecords);
	}
	*count = c[n[1] > n[0]];
	if (n[0] != n[1] + 1 && n[1] != n[0] + 1 && (n[0] || n[1]))
		return cache_err_set(err, -EBADMSG, 0, "the undo file is damaged: it counts %" PRIu64
				     " records and %" PRIu64, n[0], n[1]);
	return 0;
}

/* The count names the last record, or the record that is missing after it. */
static bool follows(const struct cache_undo *u, const struct cache_undo_count_disk *c, uint64_t n)
{
	const struct cache_undo_record_disk *last = &c->last;

	if (n == u->n)
		return !n || cache_le64_get(last->csum) == u->chain;
	return n == u->n + 1 && cache_le64_get(last->before) == u->chain &&
	       cache_range_ok(cache_le64_get(last->sector), cache_le64_get(last->nsectors),
			      u->dev_sectors) &&
	       cache_le64_get(last->nsectors) <= CACHE_UNDO_RECORD_SECTORS_MAX;
}

static int compare_count(struct cache_undo *u, struct cache_err *err)
{
	struct cache_undo_count_disk c = { .nrecords = cache_le64_of(0) };
	uint64_t n;
	int ret = read_count(u, &c, err);

	if (ret)
		return ret;
	n = cache_le64_get(c.nrecords);
	/* a record is written before it is counted */
	if (u->n == n + 1 && !u->closed)
		return 0;
	if (!follows(u, &c, n))
		return cache_err_set(err, -EBADMSG, 0, "the undo file is incomplete: %" PRIu64
				     " records were written to it, %zu are whole", n, u->n);
	/* in a closed file: a record that could not be saved, whose write was refused */
	if (n > u->n && !u->closed)
		u->missing = (struct undo_record){ .sector = cache_le64_get(c.last.sector),
						   .nsectors = cache_le64_get(c.last.nsectors),
						   .old_csum = cache_le64_get(c.last.old_csum) };
	return 0;
}

int cache_undo_open(const char *file,
		    int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max),
		    void *ctx, struct cache_undo **undo, struct cache_err *err)
{
	struct reader rd = { .u = calloc(1, sizeof(*rd.u)), .err = err };
	int ret;

	rd.data = cache_dev_buf(CACHE_UNDO_RECORD_SECTORS_MAX * CACHE_SECTOR_BYTES);
	if (!rd.u || !rd.data) {
		free(rd.u);
		free(rd.data);
		return cache_err_set(err, -ENOMEM, 0, "no memory for an undo file");
	}
	rd.u->progress = progress;
	rd.u->ctx = ctx;
	/* do not block if it is a pipe */
	rd.u->fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (rd.u->fd < 0)
		ret = cache_err_set(err, -errno, 0, "cannot open: %s", strerror(errno));
	else
		ret = read_head(rd.u, err);
	if (!ret)
		ret = read_records(&rd);
	if (!ret)
		ret = compare_count(rd.u, err);
	free(rd.data);
	if (ret)
		cache_undo_close(rd.u);
	else
		*undo = rd.u;
	return ret;
}

void cache_undo_close(struct cache_undo *u)
{
	if (!u)
		return;
	if (u->fd >= 0)
		close(u->fd);
	free(u->rec);
	free(u->known);
	free(u);
}

const char *cache_undo_device(const struct cache_undo *u)
{
	return u->device;
}

const struct cache_undo_origin *cache_undo_origin(const struct cache_undo *u)
{
	return &u->origin;
}

uint64_t cache_undo_records(const struct cache_undo *u)
{
	return u->n;
}

uint64_t cache_undo_sectors(const struct cache_undo *u)
{
	return u->nknown;
}

bool cache_undo_is_closed(const struct cache_undo *u)
{
	return u->closed;
}

bool cache_undo_is_exposed(const struct cache_undo *u, uint32_t uid)
{
	return u->st.st_mode & (S_IWGRP | S_IWOTH) || (u->st.st_uid && u->st.st_uid != uid);
}
