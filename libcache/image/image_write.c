// SPDX-License-Identifier: GPL-2.0-only
#include "image/image_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/checked.h"
#include "base/crc64.h"
#include "base/fd_io.h"
#include "image/image_disk.h"
#include "image/zframe.h"

struct cache_image_writer {
	int fd;
	struct cache_zframe *z;
	struct cache_image_entry_disk *entry;
	size_t nentries, capacity;
	uint64_t nframes, nbytes;
};

static int put(struct cache_image_writer *w, const void *buf, size_t nbytes,
	       struct cache_err *err)
{
	int ret = cache_fd_write(w->fd, buf, nbytes);

	if (ret)
		return cache_err_set(err, ret, 0, "cannot write the image: %s", strerror(-ret));
	w->nbytes += nbytes;
	return 0;
}

static int put_header(struct cache_image_writer *w, const struct cache_dev *dev, bool scrambled,
		      struct cache_err *err)
{
	struct cache_image_header_disk h = {
		.skip = { cache_le32_of(CACHE_IMAGE_SKIP_MAGIC),
			  cache_le32_of(sizeof(h) - sizeof(h.skip)) },
		.version = cache_le32_of(CACHE_IMAGE_VERSION),
		.flags = cache_le32_of(scrambled ? CACHE_IMAGE_SCRAMBLED : 0),
		.sectors = cache_le64_of(cache_dev_sectors(dev)),
		.logical_block_bytes = cache_le32_of(cache_dev_logical_block_bytes(dev)),
	};

	memcpy(h.magic, cache_image_magic, sizeof(h.magic));
	h.csum = cache_le64_of(cache_crc64(&h, offsetof(struct cache_image_header_disk, csum)));
	return put(w, &h, sizeof(h), err);
}

int cache_image_writer_new(int fd, const struct cache_dev *dev, bool scrambled,
			   struct cache_image_writer **wp, struct cache_err *err)
{
	struct cache_image_writer *w;
	int ret;

	if (!cache_zframe_is_there())
		return cache_err_set(err, -EOPNOTSUPP, 0, "built without zstd: no images");
	w = calloc(1, sizeof(*w));
	if (w)
		w->z = cache_zframe_new(CACHE_IMAGE_FRAME_BYTES);
	if (!w || !w->z) {
		free(w);
		return cache_err_set(err, -ENOMEM, 0, "no memory for an image");
	}
	w->fd = fd;
	ret = put_header(w, dev, scrambled, err);
	if (ret)
		cache_image_writer_free(w);
	else
		*wp = w;
	return ret;
}

void cache_image_writer_free(struct cache_image_writer *w)
{
	if (!w)
		return;
	cache_zframe_free(w->z);
	free(w->entry);
	free(w);
}

static int add_entry(struct cache_image_writer *w, uint64_t sector, uint64_t nsectors,
		     size_t frame_bytes, struct cache_err *err)
{
	void *p;

	if (w->nentries >= CACHE_IMAGE_ENTRIES_MAX)
		return cache_err_set(err, -EFBIG, sector, "more stretches than an image can have");
	p = cache_array_grow(w->entry, w->nentries, &w->capacity, sizeof(*w->entry));
	if (!p)
		return cache_err_set(err, -ENOMEM, 0, "no memory for the table of an image");
	w->entry = p;
	w->entry[w->nentries++] = (struct cache_image_entry_disk){
		cache_le64_of(sector), cache_le32_of(nsectors), cache_le32_of(frame_bytes) };
	w->nframes += !!frame_bytes;
	return 0;
}

static int add_frame(struct cache_image_writer *w, uint64_t sector, uint64_t nsectors,
		     const void *buf, struct cache_err *err)
{
	const void *frame = NULL;
	size_t frame_bytes = 0;
	int ret = 0;

	if (buf)
		ret = cache_zframe_pack(w->z, buf, nsectors * CACHE_SECTOR_BYTES, &frame,
					&frame_bytes);
	if (ret)
		return cache_err_set(err, ret, sector, "cannot compress: %s", strerror(-ret));
	if (frame_bytes)
		ret = put(w, frame, frame_bytes, err);
	return ret ? ret : add_entry(w, sector, nsectors, frame_bytes, err);
}

int cache_image_writer_add(struct cache_image_writer *w, uint64_t sector, uint64_t nsectors,
			   const void *buf, struct cache_err *err)
{
	const uint64_t max = CACHE_IMAGE_FRAME_BYTES / CACHE_SECTOR_BYTES;
	int ret = 0;

	for (uint64_t at = 0; at < nsectors && !ret; at += max)
		ret = add_frame(w, sector + at, cache_min_u64(max, nsectors - at),
				buf ? (const char *)buf + at * CACHE_SECTOR_BYTES : NULL, err);
	return ret;
}

static int put_skip(struct cache_image_writer *w, uint32_t magic, uint64_t nbytes,
		    struct cache_err *err)
{
	const struct cache_image_skip_disk skip = { cache_le32_of(magic), cache_le32_of(nbytes) };

	return put(w, &skip, sizeof(skip), err);
}

static int put_table(struct cache_image_writer *w, struct cache_err *err)
{
	uint64_t nbytes = w->nentries * sizeof(*w->entry);
	struct cache_image_tail_disk tail = { cache_le64_of(w->nentries),
					      cache_le64_of(cache_crc64(w->entry, nbytes)) };
	int ret;

	memcpy(tail.magic, cache_image_tail_magic, sizeof(tail.magic));
	ret = put_skip(w, CACHE_IMAGE_SKIP_MAGIC, nbytes + sizeof(tail), err);
	if (!ret && nbytes)
		ret = put(w, w->entry, nbytes, err);
	return ret ? ret : put(w, &tail, sizeof(tail), err);
}

/* In place: an entry of our table is larger, and is no longer needed. */
static int put_seek_table(struct cache_image_writer *w, struct cache_err *err)
{
	struct cache_image_foot_disk foot = { cache_le32_of(w->nframes), 0,
					      cache_le32_of(CACHE_IMAGE_FOOT_MAGIC) };
	struct cache_image_seek_disk *seek = (void *)w->entry;
	uint64_t n = 0;
	int ret;

	for (size_t i = 0; i < w->nentries; i++) {
		struct cache_image_entry_disk e = w->entry[i];

		if (cache_le32_get(e.frame_bytes))
			seek[n++] = (struct cache_image_seek_disk){
				e.frame_bytes, cache_le32_of(cache_le32_get(e.nsectors) *
							     CACHE_SECTOR_BYTES) };
	}
	ret = put_skip(w, CACHE_IMAGE_SEEK_MAGIC, n * sizeof(*seek) + sizeof(foot), err);
	if (!ret && n)
		ret = put(w, seek, n * sizeof(*seek), err);
	return ret ? ret : put(w, &foot, sizeof(foot), err);
}

int cache_image_writer_finish(struct cache_image_writer *w, struct cache_err *err)
{
	int ret = put_table(w, err);

	return ret ? ret : put_seek_table(w, err);
}

uint64_t cache_image_writer_bytes(const struct cache_image_writer *w)
{
	return w->nbytes;
}

uint64_t cache_image_writer_frames(const struct cache_image_writer *w)
{
	return w->nframes;
}
