// SPDX-License-Identifier: GPL-2.0-only
/*
 * What goes into an image. The check is run on a device that remembers what was read. So an image
 * has everything that a check reads, on a damaged set too, and nothing else.
 */
#include "image/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libcache/repair.h>

#include "base/checked.h"
#include "format/bset_codec.h"
#include "format/members.h"
#include "format/super.h"
#include "image/image_disk.h"
#include "image/image_record.h"
#include "image/image_scramble.h"
#include "image/image_write.h"

/* Of what has no buckets, and of larger buckets: what is in hand at once. */
#define WINDOW_SECTORS		(CACHE_IMAGE_FRAME_BYTES / CACHE_SECTOR_BYTES)
#define WINDOW_SECTORS_MAX	(UINT64_C(64) << 20 >> CACHE_SECTOR_SHIFT)

struct saver {
	struct cache_image_save *save;
	struct cache_dev *dev;
	struct cache_sb sb;
	bool has_buckets;		/* the superblock says where they are */
	uint64_t window_sectors;
	struct cache_image_run *run;
	size_t nruns;
	struct cache_scramble *scramble;
	struct cache_image_writer *w;
	char *buf;			/* a window; zero where nothing was read */
	uint64_t *unread;		/* one bit per sector of it */
	struct cache_err *err;
};

static void count_finding(void *ctx, unsigned dev, const struct cache_finding *f)
{
	struct cache_image_save *save = ctx;

	if (cache_problem_info(f->code)->severity != CACHE_SEVERITY_NOTE)
		save->findings++;
}

static int pass_on(void *ctx, unsigned dev, unsigned pass, uint64_t current, uint64_t max)
{
	const struct cache_image_save *save = ctx;

	return save->progress && save->progress(save->ctx, pass, current, max);
}

static int ask(void *ctx)
{
	return pass_on(ctx, 0, 0, 0, 0) ? -ECANCELED : 0;
}

#define ALL_ERAS	((UINT32_C(1) << CACHE_ERAS) - 1)

/* Everything that cache-fsck reads, and if it has something to repair, what that reads. */
static int check(struct saver *s, struct cache_dev *record)
{
	struct cache_fsck_result checked = { 0 };
	struct cache_repair_result repaired;
	struct cache_fsck f = { .size = sizeof(f), .devs = &record, .ndevs = 1,
				.results = &checked, .eras = ALL_ERAS,
				.report = count_finding, .progress = pass_on, .ctx = s->save };
	const struct cache_repair_opts o = { .size = sizeof(o), .dry_run = true, .eras = ALL_ERAS,
					     .progress = pass_on, .ctx = s->save };
	int ret = cache_fsck_run(&f);

	if (ret || cache_fsck_is_clean(&checked))
		return ret;
	cache_image_record_search(record);
	ret = cache_repair_run(&record, 1, &o, &repaired);
	return ret == -ECANCELED || ret == -ENOMEM ? ret : 0;
}

static int learn_runs(struct saver *s)
{
	struct cache_dev *record;
	int ret = cache_image_record_new(s->dev, &record, s->err);

	if (ret)
		return ret;
	ret = check(s, record);
	if (ret)
		cache_err_set(s->err, ret, 0, "cannot probe it: %s", strerror(-ret));
	if (!ret)
		ret = cache_image_record_take(record, &s->run, &s->nruns,
					      &(struct cache_image_poll){ ask, s->save }, s->err);
	cache_dev_close(record);
	return ret;
}

static int learn_geometry(struct saver *s)
{
	int ret = cache_sb_read(s->dev, &s->sb, s->err);
	bool usable;

	if (ret)
		return ret;
	if (cache_sb_is_one_of_several(&s->sb))
		return cache_err_set(s->err, -EOPNOTSUPP, CACHE_SB_SECTOR, "it is one of %u cache devices "
				     "of its set, and what to save is known from all of them only",
				     s->sb.nr_in_set);
	usable = cache_sb_has_magic(&s->sb) &&
		 cache_sb_is_usable(&s->sb, cache_dev_sectors(s->dev));
	s->has_buckets = usable && !cache_sb_is_bdev(&s->sb);
	s->window_sectors = s->has_buckets ? cache_min_u64(s->sb.bucket_sectors,
							   WINDOW_SECTORS_MAX) : WINDOW_SECTORS;
	if (!s->save->scramble)
		return 0;
	if (!usable)
		return cache_err_set(s->err, -EUCLEAN, CACHE_SB_SECTOR,
				     "no usable superblock: nothing says what to scramble");
	if (s->has_buckets && s->sb.bucket_sectors > WINDOW_SECTORS_MAX)
		return cache_err_set(s->err, -EUCLEAN, CACHE_SB_SECTOR,
				     "buckets above 64 MiB cannot be scrambled");
	return cache_scramble_new(s->dev, &s->sb, s->save->seed, &s->scramble, s->err);
}

static char *at_sector(const struct saver *s, uint64_t sector)
{
	return s->buf + sector % s->window_sectors * CACHE_SECTOR_BYTES;
}

/* A stretch of the window, sector by sector where it cannot be read at once. */
static void read_stretch(struct saver *s, uint64_t sector, uint64_t nsectors)
{
	if (!cache_dev_read(s->dev, sector, nsectors, at_sector(s, sector), NULL))
		return;
	for (uint64_t i = sector; i < sector + nsectors; i++) {
		uint64_t at = i % s->window_sectors;

		if (!cache_dev_read(s->dev, i, 1, at_sector(s, i), NULL))
			continue;
		memset(at_sector(s, i), 0, CACHE_SECTOR_BYTES);
		s->unread[at / 64] |= UINT64_C(1) << (at & 63);
		s->save->unreadable_sectors++;
	}
}

static bool is_unread(const struct saver *s, uint64_t sector)
{
	uint64_t at = sector % s->window_sectors;

	return s->unread[at / 64] >> (at & 63) & 1;
}

/* Runs of one window: of s->run those from @first up to @end, cut to it. */
struct window {
	uint64_t start, end;		/* sectors of the device */
	size_t first, last;
	bool looked;			/* something else than a search has read of it */
};

/* The part of run @i that lies in @w. */
static bool part_of(const struct saver *s, const struct window *w, size_t i, uint64_t *from,
		    uint64_t *to)
{
	*from = cache_max_u64(s->run[i].sector, w->start);
	*to = cache_min_u64(s->run[i].sector + s->run[i].nsectors, w->end);
	return *from < *to;
}

static bool is_magic(const struct saver *s, uint64_t sector)
{
	const struct cache_bset_disk *d = (const void *)at_sector(s, sector);
	uint64_t magic = cache_le64_get(d->magic) ^ cache_sb_set_magic(&s->sb);

	return magic == CACHE_BSET_MAGIC || magic == CACHE_PSET_MAGIC ||
	       magic == CACHE_JSET_MAGIC;
}

/* Whether something in what was read of a bucket starts as metadata of this set does. */
static bool has_metadata(const struct saver *s, const struct window *w)
{
	for (size_t i = w->first; i < w->last; i++) {
		uint64_t from, to;

		if (!part_of(s, w, i, &from, &to))
			continue;
		for (uint64_t at = from; at < to; at += s->sb.block_sectors)
			if (is_magic(s, at))
				return true;
	}
	return false;
}

/*
 * Where the written part of a sound node ends: what stands behind it is left over from
 * whatever the bucket held before, and is data most often. 0: it is no node, or not a sound one.
 */
static uint64_t node_end(const struct saver *s, const struct window *w)
{
	uint64_t bucket = w->start / s->sb.bucket_sectors, at = w->start, seq = 0;
	uint64_t end = cache_min_u64(w->end, w->start + cache_btree_node_sectors(&s->sb));
	uint64_t magic = cache_sb_set_magic(&s->sb) ^ CACHE_BSET_MAGIC;

	while (at < end) {
		const struct cache_bset_disk *d = (const void *)at_sector(s, at);
		uint64_t nbytes = cache_bset_bytes(d);

		if (is_unread(s, at))
			return 0;
		if (cache_le64_get(d->magic) != magic ||
		    (at > w->start && cache_le64_get(d->seq) != seq))
			break;
		seq = cache_le64_get(d->seq);
		if (nbytes > (end - at) * CACHE_SECTOR_BYTES ||
		    cache_bset_find_gen(d, &s->sb, bucket, 0) < 0)
			return 0;
		at += cache_div_up(nbytes, s->sb.block_sectors * CACHE_SECTOR_BYTES) *
		      s->sb.block_sectors;
	}
	return at == w->start ? 0 : at;
}

/* How much of the window is saved, from its start. */
static uint64_t kept_end(const struct saver *s, const struct window *w)
{
	uint64_t bucket, end;

	if (!s->has_buckets)
		return w->end;
	bucket = w->start / s->sb.bucket_sectors;
	if (bucket < cache_sb_reserved_buckets(&s->sb) || w->start % s->sb.bucket_sectors)
		return w->end;
	if (!w->looked && !has_metadata(s, w))
		return w->start;
	/* behind a set that does not verify there may be others, which a repair would find */
	end = s->save->findings ? 0 : node_end(s, w);
	return end ? end : w->end;
}

static int write_stretch(struct saver *s, uint64_t from, uint64_t to)
{
	int ret = 0;

	while (from < to && !ret) {
		bool unread = is_unread(s, from);
		uint64_t end = from + 1;

		while (end < to && is_unread(s, end) == unread)
			end++;
		ret = cache_image_writer_add(s->w, from, end - from,
					     unread ? NULL : at_sector(s, from), s->err);
		if (!unread)
			s->save->saved_sectors += end - from;
		from = end;
	}
	return ret;
}

static int write_window(struct saver *s, const struct window *w, uint64_t end)
{
	uint64_t done = w->start;
	int ret = 0;

	for (size_t i = w->first; i < w->last && !ret; i++) {
		uint64_t from, to;

		if (!part_of(s, w, i, &from, &to))
			continue;
		from = cache_max_u64(from, done);
		to = cache_min_u64(to, end);
		if (from >= to)
			continue;
		ret = write_stretch(s, from, to);
		done = to;
	}
	return ret;
}

static int scramble_window(struct saver *s, const struct window *w)
{
	uint64_t super_end = CACHE_SB_SECTOR + CACHE_SB_BYTES / CACHE_SECTOR_BYTES;
	int ret = 0;

	if (!s->scramble)
		return 0;
	if (w->start <= CACHE_SB_SECTOR && w->end >= super_end)
		ret = cache_scramble_super(s->scramble, at_sector(s, CACHE_SB_SECTOR));
	else if (s->has_buckets)
		ret = cache_scramble_bucket(s->scramble, w->start / s->sb.bucket_sectors, s->buf,
					    w->end - w->start);
	return ret ? cache_err_set(s->err, ret, 0, "no memory to scramble") : 0;
}

static int save_window(struct saver *s, const struct window *w)
{
	uint64_t end;
	int ret;

	memset(s->buf, 0, s->window_sectors * CACHE_SECTOR_BYTES);
	memset(s->unread, 0, cache_div_up(s->window_sectors, 64) * 8);
	for (size_t i = w->first; i < w->last; i++) {
		uint64_t from, to;

		if (part_of(s, w, i, &from, &to))
			read_stretch(s, from, to - from);
	}
	end = kept_end(s, w);
	ret = scramble_window(s, w);
	return ret ? ret : write_window(s, w, end);
}

/* Runs overlap at most in pairs, so the ones of a window are neighbours. */
static int save_all(struct saver *s)
{
	uint64_t next = 0;
	size_t first = 0;
	int ret = 0;

	while (first < s->nruns && !ret) {
		struct window w = { .first = first };
		uint64_t sector = cache_max_u64(s->run[first].sector, next);

		w.start = sector / s->window_sectors * s->window_sectors;
		w.end = cache_min_u64(w.start + s->window_sectors, cache_dev_sectors(s->dev));
		for (w.last = first; w.last < s->nruns && s->run[w.last].sector < w.end; w.last++) {
			uint64_t from, to;

			w.looked |= part_of(s, &w, w.last, &from, &to) && !s->run[w.last].search;
		}
		ret = save_window(s, &w);
		next = w.end;
		while (first < s->nruns && s->run[first].sector + s->run[first].nsectors <= next)
			first++;
		if (!ret && pass_on(s->save, 0, CACHE_IMAGE_PASS_SAVE, first, s->nruns))
			ret = -ECANCELED;
	}
	return ret;
}

static int write_image(struct saver *s, int fd)
{
	int ret;

	s->buf = cache_dev_buf(s->window_sectors * CACHE_SECTOR_BYTES);
	s->unread = calloc(cache_div_up(s->window_sectors, 64), 8);
	if (!s->buf || !s->unread)
		return cache_err_set(s->err, -ENOMEM, 0, "no memory for a bucket");
	ret = cache_image_writer_new(fd, s->dev, s->save->scramble, &s->w, s->err);
	if (!ret)
		ret = save_all(s);
	if (!ret)
		ret = cache_image_writer_finish(s->w, s->err);
	if (!ret) {
		s->save->frames = cache_image_writer_frames(s->w);
		s->save->file_bytes = cache_image_writer_bytes(s->w);
	}
	return ret;
}

int cache_image_save(struct cache_dev *dev, int fd, struct cache_image_save *save,
		     struct cache_err *err)
{
	struct saver s = { .save = save, .dev = dev, .err = err };
	int ret = cache_image_is_supported() ? learn_geometry(&s) :
		  cache_err_set(err, -EOPNOTSUPP, 0, "built without zstd: no images");

	save->frames = save->saved_sectors = save->unreadable_sectors = save->file_bytes = 0;
	save->findings = 0;
	if (!ret)
		ret = learn_runs(&s);
	if (!ret)
		ret = write_image(&s, fd);
	cache_image_writer_free(s.w);
	cache_scramble_free(s.scramble);
	cache_dev_buf_free(s.buf);
	free(s.unread);
	free(s.run);
	return ret;
}
