/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copying a cache set, warm, to another cache device of any size and bucket size.
 *
 *	1. the source is loaded as a kernel would; what fits on the target is chosen: all dirty
 *	   extents, then clean ones by the priority of their buckets
 *	2. what was on the target is erased: it is no bcache device any more
 *	3. the data is copied, and flushed
 *	4. a tree, the uuid table, prios and gens, and one journal entry that names them; flushed
 *	5. the superblock, with which the target becomes a set that has run; flushed
 *
 * Cut off anywhere before the end of 5, the target has no valid superblock, and every kernel
 * refuses it. The source is only read.
 */
#ifndef LIBCACHE_CLONE_H
#define LIBCACHE_CLONE_H

#include <libcache/repair.h>

#include "dev/copy.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A backing device or flash volume of the set. In sectors. */
struct cache_clone_device {
	uint32_t inode;
	uint8_t	 uuid[16];
	uint8_t	 label[CACHE_SB_LABEL_BYTES + 1];
	bool	 flash;
	uint64_t data_start;		/* where sector 0 of the bcache device is */
	uint64_t dirty, clean;		/* cached on the source */
	uint64_t chosen_clean;		/* of which so much fits; what is dirty fits always */
	uint64_t refused_dirty, refused_clean;	/* in conflict or in doubt: not copied */
	uint64_t failed_dirty, failed_clean;	/* that could not be read */
};

/* Sectors of the source that could not be read. */
struct cache_clone_failure {
	uint64_t inode;
	uint64_t start, end;		/* of the backing device */
	uint64_t cache_sector;		/* where they lie on the source */
	bool	 dirty;
	int	 error;			/* a negative errno */
};

enum cache_clone_pass {
	CACHE_CLONE_PASS_COPY = 12,	/* after those of a repair; sectors */
	CACHE_CLONE_PASS_VERIFY,
};

struct cache_clone_result {
	struct cache_clone_device *devices;
	unsigned n;
	struct cache_sb source, target;	/* superblocks: as it is, and as it will be */
	/* Buckets of the target: for data, of which so many are used, for the tree, ... */
	uint64_t data_buckets, used_buckets, node_buckets;
	uint64_t queue_buckets;		/* left unused, so that a start finds what it needs */
	uint64_t copy_sectors;
	uint64_t extents;		/* keys of the new tree */
	bool damaged;			/* findings say that the source is */
	bool erased;			/* the target was written to */
	bool done;			/* the target is a cache set now */
};

struct cache_clone_opts {
	uint64_t bucket_sectors;	/* 0: that of the source, or less if too few would fit */
	bool keep_uuid;			/* the target becomes the successor of the set */
	bool dirty_only;
	bool look;			/* choose, and write nothing */
	bool force;			/* clone what is certain of a source that is damaged or has bad sectors */
	bool verify;			/* read back what was copied, before the set is made */
	uint64_t seed;			/* of the new nodes' seq numbers */

	/* Each may be NULL. */
	void *ctx;
	void (*note)(void *ctx, bool warning, const char *device, const char *text);
	/* What will be done, before anything is written. */
	void (*planned)(void *ctx, const struct cache_clone_result *res);
	/* Clean ranges that do not fit, in order of device and start; right after planned. */
	void (*left)(void *ctx, const struct cache_clone_device *d, uint64_t start, uint64_t end);
	void (*failed)(void *ctx, const struct cache_clone_device *d,
		       const struct cache_clone_failure *f);
	/* What damage has lost or put in doubt, as cache-fsck says it. */
	void (*loss)(void *ctx, unsigned dev, const struct cache_repair_loss *loss);
	void (*finding)(void *ctx, const struct cache_finding *f);
	/* Non-zero asks to stop; the target is then no bcache device. */
	int (*progress)(void *ctx, unsigned pass, uint64_t current, uint64_t max);
};

/**
 * cache_clone_run() - clone @src to @dst
 * @src: open to read, exclusively
 * @dst: open to write, exclusively, or to read with opts->look
 * @res: release with cache_clone_fini(), also after an error
 *
 * All checks come before the first write: those of a format; that the target is no backing
 * device of the set; that its uuid table has the slots that are in use; that all dirty data
 * fits.
 *
 * Memory: that of a repair, which is 24 bytes per extent, and 16 more; 11 bytes for each bucket of
 * both devices; 8 MiB of buffers, 12 with opts->verify.
 * Return: 0; -ENOSPC when not all dirty data fits; -EUCLEAN for a set that is damaged or has
 * never run; -EIO for dirty data that cannot be read, without opts->force, and for what was read
 * back and differs; -ECANCELED; -EINVAL, -ERANGE, -EEXIST and -EOPNOTSUPP for devices that do not
 * fit; the errors of a transfer; -ENOMEM. After an error res->erased says whether the target was
 * written to; it is then no bcache device.
 */
int cache_clone_run(struct cache_dev *src, struct cache_dev *dst,
		    const struct cache_clone_opts *opts, struct cache_clone_result *res,
		    struct cache_err *err);
void cache_clone_fini(struct cache_clone_result *res);

#ifdef __cplusplus
}
#endif
#endif
