// SPDX-License-Identifier: GPL-2.0-only
/*
 * A metadata image of a kernel-written set, as a file, damaged as the input says, is opened,
 * checked and restored:
 *
 *	byte 0	bits 0-1 which set, 2 scrambled, 3 restore to a device that is smaller
 *	then 8 bytes a change: what, where (2), bytes (4), how
 *
 * What must hold: no crash, no over-read, no endless loop; time in proportion to what the file
 * unpacks to and what was read; what is restored without an error reads back as the image does;
 * of what is refused, nothing was written where no frame is damaged.
 */
#include "budget.h"
#include "overlay.h"

#include <libcache/fsck.h>
#include "base/crc64.h"
#include "image/image.h"
#include "image/image_disk.h"
#include "image/zframe.h"
#include "target.h"

#define CHANGES_MAX	32u
#define FILE_MAX	(8u << 20)
#define RESTORE_MAX	(64u << 11)	/* sectors of a device that is restored to */

enum { SCRAMBLED = 4, SMALLER = 8 };

static const char *const names[] = { "registered", "fresh", "churn-lru", "flash-vol" };
#define NBASES (sizeof(names) / sizeof(*names))

static struct base {
	char *data[2];			/* the file, as it is and scrambled */
	size_t nbytes[2];
} bases[NBASES];

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static void learn(struct base *b, const char *name)
{
	const char *dir = getenv("BUILD");
	struct cache_dev *dev;
	char path[512];

	snprintf(path, sizeof(path), "%s/images/%s.cache", dir ? dir : "build", name);
	if (cache_dev_open(path, CACHE_DEV_READ, &dev, NULL))
		fail("no image of a set: make tests first");
	for (unsigned i = 0; i < 2; i++) {
		struct cache_image_save save = { .scramble = i, .seed = 1 };
		int fd = memfd_create("saved", MFD_CLOEXEC);

		if (fd < 0 || cache_image_save(dev, fd, &save, NULL))
			fail("cannot save");
		b->nbytes[i] = lseek(fd, 0, SEEK_END);
		b->data[i] = malloc(b->nbytes[i]);
		if (!b->data[i] || pread(fd, b->data[i], b->nbytes[i], 0) != (ssize_t)b->nbytes[i])
			fail("cannot read what was saved");
		close(fd);
	}
	cache_dev_close(dev);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	for (size_t i = 0; cache_image_is_supported() && i < NBASES; i++)
		learn(&bases[i], names[i]);
	return 0;
}

/* Parts of a file, found from its ends; the input may have damaged what they say. */
enum what { HEADER, ENTRY, TAIL, SEEK, FRAME, ANY, LENGTH, PACKED, WHATS };

struct file {
	uint8_t *p;
	size_t nbytes;
};

static size_t seek_bytes(const struct file *f)
{
	struct cache_image_foot_disk foot;
	size_t n;

	if (f->nbytes < sizeof(foot))
		return 0;
	memcpy(&foot, f->p + f->nbytes - sizeof(foot), sizeof(foot));
	n = sizeof(foot) + cache_le32_get(foot.nframes) * sizeof(struct cache_image_seek_disk) +
	    sizeof(struct cache_image_skip_disk);
	return n <= f->nbytes ? n : 0;
}

/* Where the tail is; 0: nowhere. */
static size_t tail_at(const struct file *f)
{
	size_t n = seek_bytes(f) + sizeof(struct cache_image_tail_disk);

	return n + sizeof(struct cache_image_header_disk) < f->nbytes ? f->nbytes - n : 0;
}

static size_t entries_bytes(const struct file *f)
{
	struct cache_image_tail_disk t;
	size_t at = tail_at(f), n;

	if (!at)
		return 0;
	memcpy(&t, f->p + at, sizeof(t));
	n = cache_le64_get(t.nentries);
	return n < at / sizeof(struct cache_image_entry_disk) ? n * sizeof(struct cache_image_entry_disk) : 0;
}

static void csum_all(struct file *f)
{
	size_t at = tail_at(f), n = entries_bytes(f);
	struct cache_image_header_disk h;
	struct cache_image_tail_disk t;

	if (f->nbytes < sizeof(h))
		return;
	memcpy(&h, f->p, sizeof(h));
	h.csum = cache_le64_of(cache_crc64(&h, offsetof(struct cache_image_header_disk, csum)));
	memcpy(f->p, &h, sizeof(h));
	if (!at)
		return;
	memcpy(&t, f->p + at, sizeof(t));
	t.csum = cache_le64_of(cache_crc64(f->p + at - n, n));
	memcpy(f->p + at, &t, sizeof(t));
}

static void range_of(const struct file *f, enum what what, size_t *from, size_t *n)
{
	size_t tail = tail_at(f), entries = entries_bytes(f);

	*from = 0;
	*n = f->nbytes;
	if (what == HEADER) {
		*n = sizeof(struct cache_image_header_disk);
	} else if (what == TAIL && tail) {
		*from = tail;
		*n = sizeof(struct cache_image_tail_disk);
	} else if (what == ENTRY && entries) {
		*from = tail - entries;
		*n = entries;
	} else if (what == SEEK && tail) {
		*from = f->nbytes - seek_bytes(f);
		*n = seek_bytes(f);
	} else if (what == FRAME && tail) {
		*from = sizeof(struct cache_image_header_disk);
		*n = tail - entries - *from;
	}
	if (*from > f->nbytes || *n > f->nbytes - *from)
		*from = *n = 0;
}

/* A frame that unpacks to much more than it says, or to less. */
static void put_packed(struct file *f, uint32_t at, uint32_t nbytes)
{
	static uint8_t zeros[4u << 20];
	size_t from = sizeof(struct cache_image_header_disk), frame_bytes;
	struct cache_zframe *z = cache_zframe_new(sizeof(zeros));
	const void *frame;

	nbytes %= sizeof(zeros);
	if (z && !cache_zframe_pack(z, zeros, nbytes, &frame, &frame_bytes) &&
	    f->nbytes > from + frame_bytes)
		memcpy(f->p + from + at % (f->nbytes - from - frame_bytes), frame, frame_bytes);
	cache_zframe_free(z);
}

static void change(struct file *f, const uint8_t *c)
{
	enum what what = c[0] % WHATS;
	uint32_t at = c[1] | c[2] << 8, value, times = 1 + (c[7] >> 2 & 3);
	size_t from, n;

	memcpy(&value, c + 3, sizeof(value));
	range_of(f, what, &from, &n);
	if (what == LENGTH)
		f->nbytes = value % (f->nbytes + 1);
	else if (what == PACKED)
		put_packed(f, at, value);
	for (uint32_t i = 0; what < LENGTH && i < times && n; i++) {
		size_t where = from + (at * (c[7] & 32 ? 1031u : 1u) + i) % n;

		f->p[where] = c[7] & 2 ? f->p[where] ^ c[3 + i] : c[3 + i];
	}
	if (c[7] & 1)
		csum_all(f);
}

struct compare {
	struct cache_dev *image, *to;
	uint64_t sectors;
};

static int same(void *ctx, uint64_t sector, uint64_t n)
{
	struct compare *c = ctx;
	char *a = cache_dev_buf(n * CACHE_SECTOR_BYTES), *b = cache_dev_buf(n * CACHE_SECTOR_BYTES);

	if (!a || !b || cache_dev_read(c->image, sector, n, a, NULL) ||
	    cache_dev_read(c->to, sector, n, b, NULL) || memcmp(a, b, n * CACHE_SECTOR_BYTES))
		fail("what was restored is not what the image holds");
	cache_dev_buf_free(a);
	cache_dev_buf_free(b);
	return 0;
}

static void restore(struct cache_dev *image, bool smaller)
{
	struct compare c = { .image = image, .sectors = cache_dev_sectors(image) };
	int ret;

	if (c.sectors > RESTORE_MAX || c.sectors < 2 ||
	    cache_dev_mem_new("to", c.sectors - smaller, &c.to, NULL))
		return;
	ret = cache_image_restore(image, c.to, NULL, NULL, NULL);
	if (!ret && smaller)
		fail("restored to a device that is too small");
	if (!ret)
		cache_image_each_range(image, same, &c);
	cache_dev_close(c.to);
}

static uint64_t use(struct cache_dev *image, bool smaller)
{
	struct cache_fsck_result res = { 0 };
	struct cache_fsck f = { .size = sizeof(f), .devs = &image, .ndevs = 1, .results = &res };

	cache_fsck_run(&f);
	restore(image, smaller);
	return res.summary.read_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cache_dev *file, *image;
	uint64_t content = 0, read = 0;
	const struct base *b;
	struct file f;
	unsigned kind;
	char path[32];
	int fd;

	if (!size || !cache_image_is_supported())
		return 0;
	b = &bases[(data[0] & 3) % NBASES];
	kind = !!(data[0] & SCRAMBLED);
	f = (struct file){ malloc(b->nbytes[kind]), b->nbytes[kind] };
	fd = memfd_create("image", MFD_CLOEXEC);
	if (!f.p || fd < 0 || f.nbytes > FILE_MAX)
		fail("no memory for a file");
	memcpy(f.p, b->data[kind], f.nbytes);
	for (size_t at = 1; at + 8 <= size && at < 8 * CHANGES_MAX; at += 8)
		change(&f, data + at);
	if (write(fd, f.p, f.nbytes) != (ssize_t)f.nbytes)
		fail("no memory for a file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	budget_start();
	if (!cache_dev_open(path, CACHE_DEV_READ, &file, NULL)) {
		if (cache_image_open(file, &image, NULL) == 0) {
			content = cache_image_saved_sectors(image) * CACHE_SECTOR_BYTES;
			read = use(image, data[0] & SMALLER) +
			       cache_dev_sectors(image) / 8 + 2 * RESTORE_MAX * CACHE_SECTOR_BYTES;
			cache_dev_close(image);
		}
	}
	budget_end(f.nbytes + 2 * content, read);
	free(f.p);
	close(fd);
	return 0;
}
