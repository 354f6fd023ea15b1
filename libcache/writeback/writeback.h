/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing dirty data back to its backing devices without a kernel.
 *
 *	1. dirty extents, tree and journal merged, are copied in the order of the backing device
 *	2. the backing devices are flushed
 *	3. one commit says that those extents are clean: the cache has them still, or drops them
 *	4. the superblock of each backing device that has no dirty data left says so
 *
 * Cut off before 3, all is dirty as it was, and is copied again. Cut off between 3 and 4, the
 * kernel, or the next run, finds nothing dirty and does 4.
 *
 * An extent is left alone, and stays dirty, if its device is not at hand, if a block of it
 * could not be copied, if another extent claims its place or its range, or if damage puts it
 * in doubt. All of these are reported.
 */
#ifndef LIBCACHE_WRITEBACK_H
#define LIBCACHE_WRITEBACK_H

#include <libcache/repair.h>

#include "dev/copy.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A backing device or flash volume of the set. Sectors are those of the device as it lies. */
struct cache_writeback_device {
	uint32_t inode;
	uint8_t	 uuid[16];
	uint8_t	 label[CACHE_SB_LABEL_BYTES + 1];
	bool	 flash;			/* its data is nowhere else; it has no backing device */
	uint32_t last_reg;		/* when it was attached last, a Unix time */
	uint64_t volume_sectors;	/* of a flash volume */
	uint64_t data_start;		/* where sector 0 of the bcache device is */
	int	 backing;		/* index of opts->backing; -1: not at hand */
	uint64_t dirty_extents, dirty_sectors;	/* before */
	uint64_t ranges;		/* of dirty sectors that touch, as one */
	uint64_t end;			/* of the last of them */
	uint64_t refused_sectors;	/* in conflict or in doubt: not written */
	uint64_t written_sectors;	/* copied and, if asked for, read back */
	uint64_t failed_sectors;	/* that could not be read or written, or read back differently */
	uint64_t left_sectors;		/* dirty in the cache when all is done */
	bool	 super_done;		/* its superblock was written, or was right */
	bool	 detached;
};

/* Sectors that could not be copied. */
struct cache_writeback_failure {
	enum cache_copy_step step;
	uint64_t start, sectors;	/* of the backing device */
	uint64_t cache_sector;		/* where they lie in the cache */
	int	 error;			/* a negative errno; 0: what was read back differs */
};

enum cache_writeback_pass {
	CACHE_WRITEBACK_PASS_COPY = 12,	/* after those of a repair; sectors */
	CACHE_WRITEBACK_PASS_VERIFY,
};

/* What became of a dirty range. */
enum cache_writeback_range {
	CACHE_WRITEBACK_DIRTY,		/* with @look: nothing */
	CACHE_WRITEBACK_COPIED,
	CACHE_WRITEBACK_IN_PART,	/* @failed was told which sectors are missing */
	CACHE_WRITEBACK_LEFT,		/* in conflict or in doubt: not copied */
};

struct cache_writeback_opts {
	struct cache_dev *const *backing;	/* open to write, or to read with @look */
	unsigned nbacking;
	/* Where superblocks are written: the same devices, or wrappers; NULL: @backing */
	struct cache_dev *const *supers;
	bool look;		/* copy nothing: only say what is dirty */
	bool force;		/* of a damaged set copy what is certain; the cache is only read */
	bool drop;		/* take the extents out of the cache, in place of marking them clean */
	bool verify;		/* read back what was written, and compare */
	bool detach;		/* devices without dirty data leave the set */
	uint64_t seed;		/* of the new nodes' seq numbers */
	/*
	 * Copy one device's dirty data to another device instead. The cache and the backing
	 * device are only read. @create is called once, when it is known how long that is.
	 */
	const uint8_t *export_uuid;
	int (*create)(void *ctx, const struct cache_writeback_device *d, uint64_t sectors,
		      struct cache_dev **dev, struct cache_err *err);

	/* Each may be NULL. */
	void *ctx;
	/* All devices of the set that have dirty data or are at hand, before anything is written. */
	void (*devices)(void *ctx, const struct cache_writeback_device *list, unsigned n);
	/*
	 * Dirty sectors that touch, as one range, in order of device and start: with @look of all
	 * devices; of an export those of its device, once they are copied.
	 */
	void (*range)(void *ctx, const struct cache_writeback_device *d, uint64_t start,
		      uint64_t end, enum cache_writeback_range what);
	void (*failed)(void *ctx, const struct cache_writeback_device *d,
		       const struct cache_writeback_failure *f);
	/* What damage has lost or put in doubt, as cache-fsck says it. */
	void (*loss)(void *ctx, unsigned dev, const struct cache_repair_loss *loss);
	void (*finding)(void *ctx, const struct cache_finding *f);
	/* Non-zero asks to stop: what was copied until then is committed. */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
};

struct cache_writeback_result {
	struct cache_writeback_device *devices;
	unsigned n;
	bool damaged;		/* findings say that the set is */
	bool committed;		/* the cache was written */
	bool cancelled;
	bool dropped_clean;	/* too few buckets were unused: all clean data was dropped */
	uint64_t written_bytes;	/* of metadata, to the cache */
};

/**
 * cache_writeback_run() - write dirty data back
 * @cache: open to write, or to read with opts->look, opts->force or an export
 * @res:   release with cache_writeback_fini(), also after an error
 *
 * All checks come before the first write: each backing device must be one of the set, once, as
 * long as its dirty data, and must not have run without its cache since.
 *
 * Memory: that of a repair, which is 24 bytes per extent, and 2 bits; 8 MiB of buffers, 12 with
 * opts->verify.
 * Return: 0, also when sectors failed or were refused: see @res; -EUCLEAN for a set that is
 * damaged, without opts->force; -EINVAL, -ERANGE for devices that do not fit; the errors of reading
 * metadata and of a flush. After an error the cache has all that it had, and is dirty where it was;
 * backing devices may have received data that stays dirty.
 */
int cache_writeback_run(struct cache_dev *cache, const struct cache_writeback_opts *opts,
			struct cache_writeback_result *res, struct cache_err *err);
void cache_writeback_fini(struct cache_writeback_result *res);

#ifdef __cplusplus
}
#endif
#endif
