// SPDX-License-Identifier: GPL-2.0-only
/*
 * The content of the device decides whether an undo file belongs to it: each saved sector must
 * hold what was there before or after one of its writes. So a writer, and an undo, may have
 * been interrupted at any point.
 */
#include "dev/undo_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/crc64.h"
#include "base/fd_io.h"
#include "base/sort.h"

#define RUN_SECTORS	CACHE_UNDO_RECORD_SECTORS_MAX

int cache_undo_read_old(const struct cache_undo *u, const struct undo_record *r, void *buf)
{
	size_t nbytes = r->nsectors * CACHE_SECTOR_BYTES;
	int ret = cache_fd_read(u->fd, buf, nbytes, r->at);

	if (ret <= 0)
		return ret ? ret : -EIO;
	return cache_crc64(buf, nbytes) == r->old_csum ? 0 : -EBADMSG;
}

static int saved_error(struct cache_err *err, int ret, uint64_t sector)
{
	return ret == -EBADMSG ?
		cache_err_set(err, ret, sector, "the saved data of sector %" PRIu64
			      " is damaged", sector) :
		cache_err_set(err, ret, sector, "cannot read the saved data of sector %"
			      PRIu64 ": %s", sector, strerror(-ret));
}

static int by_sector(const void *a, const void *b, void *ctx)
{
	const struct undo_sector *x = a, *y = b;

	return x->sector < y->sector ? -1 : x->sector > y->sector;
}

static int poll_sort(void *ctx)
{
	return cache_undo_poll(ctx, CACHE_UNDO_PASS_COMPARE, 0, ((struct cache_undo *)ctx)->nknown);
}

static int sort_known(struct cache_undo *u, struct cache_err *err)
{
	int ret = u->sorted ? 0 : cache_sort(u->known, u->nknown, &(struct cache_sort){
		.size = sizeof(*u->known), .cmp = by_sector, .poll = poll_sort, .poll_ctx = u });

	u->sorted = !ret;
	return !ret ? 0 : cache_err_set(err, ret, 0, ret == -ENOMEM ? "no memory for sectors" :
					"cancelled, nothing was written");
}

/* The records from @i on that are adjacent on the device; *@nsectors in total. */
static size_t run_of(const struct cache_undo *u, size_t i, uint64_t *nsectors)
{
	uint64_t first = u->known[i].sector;

	*nsectors = 1;
	while (++i < u->nknown) {
		uint64_t off = u->known[i].sector - first;

		if (off > *nsectors || off >= RUN_SECTORS)
			break;
		*nsectors = off + 1;
	}
	return i;
}

/* One sector, described by the records [*@i, ...); *@i is advanced past them. */
static bool is_explained(const struct cache_undo *u, size_t *i, const void *now)
{
	uint64_t sector = u->known[*i].sector, csum = cache_crc64(now, CACHE_SECTOR_BYTES);
	bool found = false;

	for (; *i < u->nknown && u->known[*i].sector == sector; ++*i)
		found |= csum == u->known[*i].old_csum || csum == u->known[*i].new_csum;
	return found;
}

static int check_run(const struct cache_undo *u, size_t *at, struct cache_dev *dev, char *buf,
		     struct cache_err *err)
{
	uint64_t first = u->known[*at].sector, nsectors;
	size_t end = run_of(u, *at, &nsectors);
	int ret = cache_dev_read(dev, first, nsectors, buf, err);

	while (*at < end && !ret) {
		uint64_t sector = u->known[*at].sector;

		if (!is_explained(u, at, buf + (sector - first) * CACHE_SECTOR_BYTES))
			return cache_err_set(err, -ESTALE, sector, "sector %" PRIu64
					     " has other content than the undo file says: something else "
					     "was written since, or it is for another device",
					     sector);
	}
	return ret;
}

/*
 * A missing record at the end does not matter if its write never began. Otherwise the device
 * would become a mixture of old and new.
 */
static int check_missing(const struct cache_undo *u, struct cache_dev *dev, char *buf,
			 struct cache_err *err)
{
	const struct undo_record *m = &u->missing;
	int ret;

	if (!m->nsectors)
		return 0;
	ret = cache_dev_read(dev, m->sector, m->nsectors, buf, err);
	if (ret || cache_crc64(buf, m->nsectors * CACHE_SECTOR_BYTES) == m->old_csum)
		return ret;
	return cache_err_set(err, -EBADMSG, m->sector, "the undo file is incomplete: it lacks the "
			     "record of a write to sector %" PRIu64 " that was done", m->sector);
}

static int check_size(const struct cache_undo *u, const struct cache_dev *dev,
		      struct cache_err *err)
{
	if (cache_dev_sectors(dev) == u->dev_sectors)
		return 0;
	return cache_err_set(err, -ERANGE, 0, "has %" PRIu64 " sectors, the undo file is for a device "
			     "of %" PRIu64, cache_dev_sectors(dev), u->dev_sectors);
}

static int poll(const struct cache_undo *u, enum cache_undo_pass pass, uint64_t current,
		uint64_t max, struct cache_err *err)
{
	int ret = cache_undo_poll(u, pass, current, max);

	return ret ? cache_err_set(err, ret, 0, "cancelled, nothing was written") : 0;
}

int cache_undo_check(struct cache_undo *u, struct cache_dev *dev, struct cache_err *err)
{
	int ret = check_size(u, dev, err);
	char *buf;

	if (ret)
		return ret;
	buf = cache_dev_buf(RUN_SECTORS * CACHE_SECTOR_BYTES);
	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for sectors");
	ret = sort_known(u, err);
	if (!ret)
		ret = check_missing(u, dev, buf, err);
	for (size_t i = 0; i < u->nknown && !ret; ) {
		ret = poll(u, CACHE_UNDO_PASS_COMPARE, i, u->nknown, err);
		if (!ret)
			ret = check_run(u, &i, dev, buf, err);
	}
	free(buf);
	return ret;
}

/* Nothing is written before all data to be written was verified. */
static int check_saved(const struct cache_undo *u, struct cache_dev *dev, char *buf,
		       struct cache_err *err)
{
	for (size_t i = 0; i < u->n; i++) {
		const struct undo_record *r = &u->rec[i];
		int ret = poll(u, CACHE_UNDO_PASS_VERIFY, i, u->n, err);

		if (ret)
			return ret;
		if (!cache_range_ok(r->sector, r->nsectors, cache_dev_sectors(dev)))
			return cache_err_set(err, -ERANGE, r->sector, "%" PRIu64 " saved sectors at "
					     "sector %" PRIu64 " lie past the end of the device",
					     r->nsectors, r->sector);
		ret = cache_undo_read_old(u, r, buf);
		if (ret)
			return saved_error(err, ret, r->sector);
	}
	return check_missing(u, dev, buf, err);
}

int cache_undo_apply(struct cache_undo *u, struct cache_dev *dev, struct cache_err *err)
{
	char *buf = cache_dev_buf(RUN_SECTORS * CACHE_SECTOR_BYTES);
	int ret;

	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a record");
	ret = check_saved(u, dev, buf, err);
	for (size_t i = u->n; i-- && !ret; ) {
		/* a part of it would be a mixture: from here on nobody can stop it */
		cache_undo_poll(u, CACHE_UNDO_PASS_WRITE, u->n - 1 - i, u->n);
		ret = cache_undo_read_old(u, &u->rec[i], buf);
		if (ret)
			saved_error(err, ret, u->rec[i].sector);
		else
			ret = cache_dev_write(dev, u->rec[i].sector, u->rec[i].nsectors, buf, err);
	}
	if (!ret)
		ret = cache_dev_flush(dev, err);
	free(buf);
	return ret;
}
