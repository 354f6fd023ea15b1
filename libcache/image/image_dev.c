// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image file as a device. Everything in the file is bounded before it is used: the table by
 * the file, each stretch by the device and by the one before it, each frame by the table.
 */
#include "image/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/checked.h"
#include "base/crc64.h"
#include "base/fd_io.h"
#include "dev/dev_ops.h"
#include "image/image_disk.h"
#include "image/zframe.h"

struct stretch {
	uint64_t sector, at;		/* at: of its frame in the file */
	uint32_t nsectors, frame_bytes;
};

struct image {
	struct cache_dev *file;
	uint64_t file_bytes;
	struct stretch *s;
	uint64_t n, saved_sectors;
	uint64_t held;			/* stretch in @content; n: none */
	char *content, *frame;
	size_t frame_capacity;
	struct cache_zframe *z;
	bool scrambled;
};

bool cache_image_is_supported(void)
{
	return cache_zframe_is_there();
}

static const struct image *image_of(const struct cache_dev *dev)
{
	return dev->priv;
}

bool cache_image_is_scrambled(const struct cache_dev *dev)
{
	return image_of(dev)->scrambled;
}

uint64_t cache_image_saved_sectors(const struct cache_dev *dev)
{
	return image_of(dev)->saved_sectors;
}

int cache_image_each_range(const struct cache_dev *dev, cache_image_range_fn *fn, void *ctx)
{
	const struct image *im = image_of(dev);
	int ret = 0;

	for (uint64_t i = 0; i < im->n && !ret; i++)
		if (im->s[i].frame_bytes)
			ret = fn(ctx, im->s[i].sector, im->s[i].nsectors);
	return ret;
}

/* The stretch of which @sector is, or else the one behind it. */
static uint64_t find(const struct image *im, uint64_t sector)
{
	return cache_first_index(i, im->n, im->s[i].sector + im->s[i].nsectors > sector);
}

static int hold(struct image *im, uint64_t i)
{
	const struct stretch *s = &im->s[i];
	int ret;

	if (im->held == i)
		return 0;
	im->held = im->n;
	if (s->frame_bytes > im->frame_capacity) {
		free(im->frame);
		im->frame = malloc(s->frame_bytes);
		im->frame_capacity = im->frame ? s->frame_bytes : 0;
		if (!im->frame)
			return -ENOMEM;
	}
	ret = cache_fd_read(cache_dev_fd(im->file), im->frame, s->frame_bytes, s->at);
	if (ret <= 0)
		return ret ? ret : -EIO;
	ret = cache_zframe_unpack(im->z, im->frame, s->frame_bytes, im->content,
				  s->nsectors * (size_t)CACHE_SECTOR_BYTES);
	if (!ret)
		im->held = i;
	return ret;
}

static int image_read(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, void *buf)
{
	struct image *im = dev->priv;
	uint64_t end = sector + nsectors;

	memset(buf, 0, nsectors * CACHE_SECTOR_BYTES);
	for (uint64_t i = find(im, sector); i < im->n && im->s[i].sector < end; i++) {
		const struct stretch *s = &im->s[i];
		uint64_t from = cache_max_u64(sector, s->sector);
		uint64_t to = cache_min_u64(end, s->sector + s->nsectors);
		int ret = s->frame_bytes ? hold(im, i) : -EIO;

		if (ret)
			return ret;
		memcpy((char *)buf + (from - sector) * CACHE_SECTOR_BYTES,
		       im->content + (from - s->sector) * CACHE_SECTOR_BYTES,
		       (to - from) * CACHE_SECTOR_BYTES);
	}
	return 0;
}

static int image_refuse(struct cache_dev *dev, uint64_t sector, uint64_t nsectors, const void *buf)
{
	return -EROFS;
}

static int image_flush(struct cache_dev *dev)
{
	return -EROFS;
}

static void image_close(struct cache_dev *dev)
{
	struct image *im = dev->priv;

	cache_zframe_free(im->z);
	cache_dev_close(im->file);
	free(im->frame);
	free(im->content);
	free(im->s);
	free(im);
}

static const struct cache_dev_ops image_ops = {
	.read = image_read, .write = image_refuse, .flush = image_flush, .close = image_close,
};

/* 1; 0: the file ends before. */
static int read_at(struct image *im, void *buf, size_t nbytes, uint64_t at)
{
	if (!cache_range_ok(at, nbytes, im->file_bytes))
		return 0;
	return cache_fd_read(cache_dev_fd(im->file), buf, nbytes, at);
}

static bool begins_as_image(const struct cache_image_header_disk *h)
{
	return cache_le32_get(h->skip.magic) == CACHE_IMAGE_SKIP_MAGIC &&
	       !memcmp(h->magic, cache_image_magic, sizeof(h->magic));
}

bool cache_image_is(struct cache_dev *dev)
{
	struct cache_image_header_disk h;

	/* the file's own bytes: it need not be whole sectors */
	return cache_dev_fd(dev) >= 0 && !dev->is_block &&
	       cache_fd_read(cache_dev_fd(dev), &h, sizeof(h), 0) > 0 && begins_as_image(&h);
}

static int bad(int code, struct cache_err *err, const char *why)
{
	return cache_err_set(err, code, 0, "not a whole metadata image: %s", why);
}

static int check_header(struct image *im, struct cache_image_header_disk *h, struct cache_err *err)
{
	uint32_t version, block;
	int ret = read_at(im, h, sizeof(*h), 0);

	if (ret < 0)
		return cache_err_set(err, ret, 0, "cannot read: %s", strerror(-ret));
	if (!ret || !begins_as_image(h))
		return cache_err_set(err, -EBADMSG, 0, "not a metadata image of cache-image");
	version = cache_le32_get(h->version);
	if (version > CACHE_IMAGE_VERSION)
		return cache_err_set(err, -EOPNOTSUPP, 0,
				     "a metadata image of version %" PRIu32 ", newer than %u, which this program knows",
				     version, CACHE_IMAGE_VERSION);
	block = cache_le32_get(h->logical_block_bytes);
	if (cache_le64_get(h->csum) !=
		    cache_crc64(h, offsetof(struct cache_image_header_disk, csum)) ||
	    cache_le64_get(h->sectors) > CACHE_DEV_SECTORS_MAX || block < CACHE_SECTOR_BYTES ||
	    block > CACHE_IMAGE_FRAME_BYTES || !cache_is_pow2(block))
		return bad(-EBADMSG, err, "its header is damaged");
	im->scrambled = cache_le32_get(h->flags) & CACHE_IMAGE_SCRAMBLED;
	return 0;
}

/* Where the table's entries begin, and how many there are: found from the end of the file. */
static int find_table(struct image *im, uint64_t *at, uint64_t *n, uint64_t *csum,
		      struct cache_err *err)
{
	static const char cut[] = "it ends before its table";
	struct cache_image_foot_disk foot;
	struct cache_image_tail_disk tail;
	uint64_t seek_bytes, end, table;

	if (im->file_bytes < sizeof(foot) ||
	    read_at(im, &foot, sizeof(foot), im->file_bytes - sizeof(foot)) <= 0 ||
	    cache_le32_get(foot.magic) != CACHE_IMAGE_FOOT_MAGIC)
		return bad(-EBADMSG, err, cut);
	seek_bytes = sizeof(struct cache_image_skip_disk) + sizeof(foot) +
		     cache_le32_get(foot.nframes) * (uint64_t)sizeof(struct cache_image_seek_disk);
	if (seek_bytes + sizeof(tail) > im->file_bytes)
		return bad(-EBADMSG, err, cut);
	end = im->file_bytes - seek_bytes - sizeof(tail);
	if (read_at(im, &tail, sizeof(tail), end) <= 0 ||
	    memcmp(tail.magic, cache_image_tail_magic, sizeof(tail.magic)))
		return bad(-EBADMSG, err, cut);
	*n = cache_le64_get(tail.nentries);
	*csum = cache_le64_get(tail.csum);
	if (*n > CACHE_IMAGE_ENTRIES_MAX)
		return bad(-EBADMSG, err, "its table is damaged");
	table = *n * sizeof(struct cache_image_entry_disk);
	if (table + sizeof(struct cache_image_header_disk) +
	    sizeof(struct cache_image_skip_disk) > end)
		return bad(-EBADMSG, err, "its table is damaged");
	*at = end - table;
	return 0;
}

/* One entry behind those before it; @frame_at moves on. */
static bool take_entry(struct image *im, const struct cache_image_entry_disk *e,
		       uint64_t sectors, uint64_t *next_sector, uint64_t *frame_at)
{
	struct stretch s = { cache_le64_get(e->sector), *frame_at, cache_le32_get(e->nsectors),
			     cache_le32_get(e->frame_bytes) };

	if (s.sector < *next_sector || !s.nsectors ||
	    s.nsectors > CACHE_IMAGE_FRAME_BYTES / CACHE_SECTOR_BYTES ||
	    !cache_range_ok(s.sector, s.nsectors, sectors) ||
	    s.frame_bytes > cache_zframe_bound(CACHE_IMAGE_FRAME_BYTES))
		return false;
	*next_sector = s.sector + s.nsectors;
	*frame_at += s.frame_bytes;
	if (s.frame_bytes)
		im->saved_sectors += s.nsectors;
	im->s[im->n++] = s;
	return true;
}

static int read_table(struct image *im, uint64_t sectors, struct cache_err *err)
{
	uint64_t at = 0, n = 0, csum = 0, next_sector = 0,
		 frame_at = sizeof(struct cache_image_header_disk);
	struct cache_image_entry_disk *table;
	int ret = find_table(im, &at, &n, &csum, err);
	bool good;

	if (ret)
		return ret;
	table = malloc(n * sizeof(*table) + 1);
	im->s = malloc(n * sizeof(*im->s) + 1);
	if (!table || !im->s) {
		free(table);
		return cache_err_set(err, -ENOMEM, 0, "no memory for the table of an image");
	}
	good = (!n || read_at(im, table, n * sizeof(*table), at) > 0) &&
	       csum == cache_crc64(table, n * sizeof(*table));
	for (uint64_t i = 0; i < n && good; i++)
		good = take_entry(im, &table[i], sectors, &next_sector, &frame_at);
	good &= frame_at + sizeof(struct cache_image_skip_disk) == at;
	free(table);
	return good ? 0 : bad(-EBADMSG, err, "its table is damaged");
}

static int load(struct image *im, struct cache_dev *dev, struct cache_err *err)
{
	struct cache_image_header_disk h;
	struct stat st;
	int ret;

	if (cache_dev_fd(im->file) < 0 || fstat(cache_dev_fd(im->file), &st))
		return cache_err_set(err, -EBADF, 0, "not a regular file");
	im->file_bytes = S_ISREG(st.st_mode) ? st.st_size : 0;
	ret = check_header(im, &h, err);
	if (!ret)
		ret = read_table(im, cache_le64_get(h.sectors), err);
	if (ret)
		return ret;
	if (!cache_zframe_is_there())
		return cache_err_set(err, -EOPNOTSUPP, 0,
				     "a metadata image, and this program was built without zstd");
	im->held = im->n;
	im->content = malloc(CACHE_IMAGE_FRAME_BYTES);
	im->z = cache_zframe_new(1);
	if (!im->content || !im->z)
		return cache_err_set(err, -ENOMEM, 0, "no memory for an image");
	dev->sectors = cache_le64_get(h.sectors);
	dev->logical_block_bytes = cache_le32_get(h.logical_block_bytes);
	return 0;
}

int cache_image_open(struct cache_dev *file, struct cache_dev **devp, struct cache_err *err)
{
	struct cache_dev *dev = cache_dev_alloc(&image_ops, cache_dev_name(file));
	struct image *im = calloc(1, sizeof(*im));
	int ret;

	if (!dev || !im) {
		if (dev)
			free(dev->name);
		free(dev);
		free(im);
		cache_dev_close(file);
		return cache_err_set(err, -ENOMEM, 0, "no memory for an image");
	}
	im->file = file;
	dev->priv = im;
	ret = load(im, dev, err);
	if (ret)
		cache_dev_close(dev);
	else
		*devp = dev;
	return ret;
}
