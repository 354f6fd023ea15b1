// SPDX-License-Identifier: GPL-2.0-only
/* Back from an image to a device: everything but the superblock, a flush, the superblock. */
#include "image/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/checked.h"
#include "format/super.h"
#include "image/image_disk.h"

#define SB_END	(CACHE_SB_SECTOR + CACHE_SB_BYTES / CACHE_SECTOR_BYTES)


struct restore {
	struct cache_dev *image, *to;
	char *buf;
	bool check;		/* read only: nothing is written before all can be read */
	bool super;		/* only the superblock's sectors, else all but these */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
	void *ctx;
	uint64_t done, all;
	struct cache_err *err;
};

static int copy(struct restore *r, uint64_t from, uint64_t to)
{
	int ret;

	if (from >= to)
		return 0;
	ret = cache_dev_read(r->image, from, to - from, r->buf, r->err);
	if (!ret && !r->check)
		ret = cache_dev_write(r->to, from, to - from, r->buf, r->err);
	r->done += to - from;
	if (!ret && r->progress && r->progress(r->ctx, CACHE_IMAGE_PASS_SAVE, r->done, r->all))
		ret = -ECANCELED;
	return ret;
}

static int restore_range(void *ctx, uint64_t sector, uint64_t nsectors)
{
	struct restore *r = ctx;
	uint64_t end = sector + nsectors;
	int ret;

	if (r->super)
		return copy(r, cache_max_u64(sector, CACHE_SB_SECTOR), cache_min_u64(end, SB_END));
	ret = copy(r, sector, cache_min_u64(end, CACHE_SB_SECTOR));
	return ret ? ret : copy(r, cache_max_u64(sector, SB_END), end);
}

/* An old superblock would lead into what is written meanwhile. */
static int blank_super(struct restore *r)
{
	char *zeros = cache_dev_buf(CACHE_SB_BYTES);
	int ret = -ENOMEM;

	if (zeros)
		ret = cache_dev_write(r->to, CACHE_SB_SECTOR, SB_END - CACHE_SB_SECTOR, zeros,
				      r->err);
	cache_dev_buf_free(zeros);
	return ret ? ret : cache_dev_flush(r->to, r->err);
}

static int write_all(struct restore *r)
{
	int ret = cache_image_each_range(r->image, restore_range, r);

	if (!ret) {
		r->check = false;
		ret = blank_super(r);
	}
	if (!ret)
		ret = cache_image_each_range(r->image, restore_range, r);
	if (!ret)
		ret = cache_dev_flush(r->to, r->err);
	r->super = true;
	if (!ret)
		ret = cache_image_each_range(r->image, restore_range, r);
	return ret ? ret : cache_dev_flush(r->to, r->err);
}

int cache_image_restore(struct cache_dev *image, struct cache_dev *to,
			int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max),
			void *ctx, struct cache_err *err)
{
	struct restore r = { .image = image, .to = to, .check = true, .progress = progress,
			     .ctx = ctx, .all = 2 * cache_image_saved_sectors(image), .err = err };
	int ret;

	if (cache_dev_sectors(to) < cache_dev_sectors(image) || cache_dev_sectors(to) < SB_END)
		return cache_err_set(err, -ERANGE, 0, "has %" PRIu64 " sectors, the device that was saved %"
				     PRIu64, cache_dev_sectors(to), cache_dev_sectors(image));
	r.buf = cache_dev_buf(CACHE_IMAGE_FRAME_BYTES);
	if (!r.buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a stretch of the image");
	ret = write_all(&r);
	cache_dev_buf_free(r.buf);
	return ret;
}
