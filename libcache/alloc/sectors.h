/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sector allocator (behaviour 5.8): 128 buckets open for writing, so that the data of one
 * stream is stored together and evicted together.
 */
#ifndef LIBCACHE_SECTORS_H
#define LIBCACHE_SECTORS_H

#include "alloc/alloc.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_OPEN_BUCKETS	128

/* One open bucket, or one per member of an older set. */
struct cache_open_bucket {
	uint64_t offset;	/* with inode: where the last write to it ended */
	uint64_t filed;		/* greater than that of all slots used before; 0: it is recent */
	uint32_t inode;
	uint32_t write_point;	/* write point of that write */
	uint32_t sectors_free;
	uint8_t	 nptrs;
	bool	 flash_only;	/* of inode */
	uint8_t	 older, newer;	/* filed ones, by last use */
};

struct cache_sectors {
	struct cache_alloc *const *members;
	unsigned int nmembers;
	enum cache_alloc_flavour flavour;
	uint32_t bucket_sectors, block_sectors;
	bool (*flash_only)(void *ctx, uint32_t inode);
	void *ctx;
	/* the last eight slots used, one byte each, the last one lowest */
	uint64_t recent;
	/* the other slots are filed, by hashes of their position and write point */
	uint8_t newest_filed, oldest_filed;
	uint8_t pos_tag[CACHE_OPEN_BUCKETS], wp_tag[CACHE_OPEN_BUCKETS];
	struct cache_open_bucket slot[CACHE_OPEN_BUCKETS];
	struct cache_alloc_ptr ptr[CACHE_OPEN_BUCKETS][CACHE_ALLOC_PTRS_MAX];
	uint64_t nfiled, sectors_written;
};

struct cache_sectors_req {
	uint32_t inode;
	uint64_t offset;	/* first sector wanted, on the backing device */
	uint32_t sectors;	/* at least 1 */
	uint32_t write_point;	/* who writes */
	bool	 moving;	/* copy gc: may use its reserve */
	bool	 wait;		/* writeback: refill instead of failing */
	unsigned int nptrs;	/* number of copies; 1 in the newer driver */
};

/* Where to write; each pointer holds a pin until its key is in the tree. */
struct cache_sectors_space {
	uint32_t sectors;	/* 1 to what was requested */
	unsigned int nptrs;
	struct cache_alloc_ptr ptr[CACHE_ALLOC_PTRS_MAX];
};

/**
 * cache_sectors_init() - no bucket open yet
 * @members:          allocators of one flavour; the caller's, as is the array
 * @block_sectors: a smaller rest of a bucket is not used
 * @flash_only:       whether an inode is a flash volume (newer): if there is a choice, its data
 *                    is not mixed with that of cached devices; NULL: no inode is
 */
void cache_sectors_init(struct cache_sectors *s, struct cache_alloc *const *members,
			unsigned int nmembers, uint32_t block_sectors,
			bool (*flash_only)(void *ctx, uint32_t inode), void *ctx);

/* Closes every open bucket: drops their pins. */
void cache_sectors_fini(struct cache_sectors *s);

/* Call it when the answers of flash_only have changed. */
void cache_sectors_uuids_changed(struct cache_sectors *s);

/**
 * cache_sectors_alloc() - allocate sectors for a write
 *
 * May allocate fewer than requested: call it again for the rest.
 *
 * Return: 0; -EINVAL for 0 sectors; the error of cache_alloc_set_get() when a new bucket is
 * needed.
 */
int cache_sectors_alloc(struct cache_sectors *s, const struct cache_sectors_req *req,
			struct cache_sectors_space *space);

/*
 * The two halves of it, for callers with a lock: try returns -EAGAIN when a bucket must be
 * opened; get @spare from cache_alloc_set_get() with the lock dropped and try again. *@nspare
 * is 0 after the spare was used; else cache_alloc_put() it.
 */
int cache_sectors_try(struct cache_sectors *s, const struct cache_sectors_req *req,
		      const struct cache_alloc_ptr *spare, unsigned int *nspare,
		      struct cache_sectors_space *space);

#ifdef __cplusplus
}
#endif
#endif
