/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copying many pieces of one device to others. While one batch of them is written, the next is
 * read: two threads, each with a device of its own. What touches on the target is one write,
 * what touches on the source one read. A transfer that fails is tried again in halves, down to
 * a block.
 */
#ifndef LIBCACHE_COPY_H
#define LIBCACHE_COPY_H

#include "dev/dev.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sectors of one device that belong to another one. */
struct cache_copy_piece {
	size_t id;			/* the caller's */
	struct cache_dev *target;
	uint64_t from, to;		/* sectors of the source, of the target */
	uint64_t nsectors;
};

enum cache_copy_step { CACHE_COPY_READ, CACHE_COPY_WRITE, CACHE_COPY_VERIFY };

/* Sectors of a piece that were not copied. */
struct cache_copy_failure {
	enum cache_copy_step step;
	uint64_t from, to, nsectors;
	int error;			/* a negative errno; 0: what was read back differs */
};

struct cache_copy {
	struct cache_dev *source;	/* only read, and no target */
	uint32_t block_sectors;		/* the smallest part of a piece */
	bool verify;			/* write nothing: compare what both devices have */
	void *ctx;
	/* The next piece, of at least one sector. false: that was all. */
	bool (*next)(void *ctx, struct cache_copy_piece *p);
	/* A part of piece @id failed. 0: go on with the rest; a negative errno ends the copy. */
	int (*failed)(void *ctx, size_t id, const struct cache_copy_failure *f);
	/* @nsectors are done, failed or not. A non-zero return asks to stop. */
	int (*progress)(void *ctx, uint64_t nsectors);

	/* set by the copy: */
	bool stopped;			/* because it was asked to, before the end */
	size_t first_left;		/* then the first piece that was not, or not wholly, reached */
};

/**
 * cache_copy_run() - copy all pieces
 *
 * All callbacks are called by the caller's thread. After a request to stop, what was read
 * already is still written. Nothing is flushed. Memory: two buffers of 4 MiB, three to verify.
 * Return: 0; -ENOMEM; -ENOSPC and the like for a target that takes nothing more; what
 * @failed returned.
 */
int cache_copy_run(struct cache_copy *c, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
