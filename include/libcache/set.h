/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One cache device with all that a kernel would load at its start (behaviour 7): superblock,
 * journal, gens, uuid table and btree. The device is only read.
 *
 * 	cache_set_load()	up to a given stage
 * 	cache_set_bucket()	what a bucket holds
 * 	cache_set_slot()	the backing device or flash volume of an inode
 * 	cache_set_each_range()	what of them is cached, and where
 *
 * Threads: a set and its device are used by one thread at a time; different sets are
 * independent.
 */
#ifndef LIBCACHE_SET_H
#define LIBCACHE_SET_H

#include <stdbool.h>
#include <stdint.h>

#include <libcache/device.h>
#include <libcache/findings.h>
#include <libcache/superblock.h>

CACHE_DECLS_BEGIN

struct cache_set;

/* How far to load; each includes those before it. */
enum cache_load {
	CACHE_LOAD_SUPER,
	CACHE_LOAD_JOURNAL,
	CACHE_LOAD_PRIOS,	/* and the uuid table */
	CACHE_LOAD_GENS,	/* the whole tree is read, as the kernel's start does */
	CACHE_LOAD_MARKS,	/* and with prios and sectors used, which an allocator needs */
};

/* The use of a bucket: the words of the kernel's priority_stats, and more. */
enum cache_role {
	CACHE_ROLE_SUPERBLOCK, CACHE_ROLE_JOURNAL, CACHE_ROLE_PRIO, CACHE_ROLE_UUID,
	CACHE_ROLE_BTREE, CACHE_ROLE_DIRTY, CACHE_ROLE_CLEAN, CACHE_ROLE_FREE,
	CACHE_ROLE_COUNT
};

/**
 * cache_set_load() - load a cache device
 * @dev:  open device; owned by the caller, and open until cache_set_close()
 * @upto: the last stage to load
 * @sink: receives every finding, and loading continues if it safely can; NULL: the first damage
 *        is the error
 * @set:  receives the set; release it with cache_set_close()
 *
 * With a sink, an unusable superblock gives a set that has nothing else; check
 * cache_set_loaded(). A backing device loads as far as CACHE_LOAD_SUPER.
 *
 * Memory: 11 bytes per bucket, for CACHE_LOAD_GENS 3 and a quarter; 56 per journal entry,
 * 28 per key of it that is to be replayed; one node per level.
 * Return: 0; -EIO, -ENOMEM; -ERANGE when too small for a superblock; without a
 * sink the errno of the first broken rule, and -EOPNOTSUPP for one of several cache devices of
 * a set, which is not known from one of them.
 */
int cache_set_load(struct cache_dev *dev, enum cache_load upto,
		     const struct cache_sink *sink, struct cache_set **set,
		     struct cache_err *err);
void cache_set_close(struct cache_set *set);

/* The last stage that was loaded: damage may have stopped it early. */
enum cache_load cache_set_loaded(const struct cache_set *set);
/* Of the set; valid until it is closed. */
const struct cache_sb *cache_set_super(const struct cache_set *set);

/*
 * The use of @bucket, from marks as the kernel has them after its start. @bucket must be less
 * than the superblock's nbuckets, and the set loaded up to CACHE_LOAD_GENS.
 */
enum cache_role cache_set_role(const struct cache_set *set, uint64_t bucket);
const char *cache_role_name(enum cache_role role);

/* What a bucket holds. */
struct cache_bucket_state {
	enum cache_role role;
	bool	 gen_known;	/* false: its gen is lost */
	uint8_t	 gen;
	uint16_t prio;
	uint32_t used_sectors;	/* of live extents; saturates at 8191 */
	uint64_t reserved[4];
};

/**
 * cache_set_bucket() - what the kernel knows of a bucket after its start
 * @set: loaded up to CACHE_LOAD_MARKS
 *
 * Return: 0; -ERANGE past the last bucket; -EINVAL for a set that was not loaded that far.
 */
int cache_set_bucket(const struct cache_set *set, uint64_t bucket,
		     struct cache_bucket_state *state);

/* A slot of the uuid table; the inode of its extents is its index. */
struct cache_slot {
	uint8_t	 uuid[16];
	uint8_t	 label[CACHE_SB_LABEL_BYTES + 1];	/* terminated */
	/* a volume that exists only on the cache; its size is ->sectors */
	bool	 flash;
	uint32_t first_reg, last_reg;	/* Unix times */
	uint64_t sectors;
	uint64_t reserved[4];
};

/**
 * cache_set_slot() - the device whose extents have the number @inode
 * @set: loaded up to CACHE_LOAD_PRIOS
 *
 * Return: 0; -ENOENT when no device has it; -ERANGE past the table; -EINVAL for a set that was
 * not loaded that far.
 */
int cache_set_slot(const struct cache_set *set, uint64_t inode, struct cache_slot *slot);

/* A cached range of a backing device, as the driver sees it after its start. */
struct cache_range {
	uint64_t inode;		/* which device: cache_set_slot() */
	/* Sectors, end excluded: of the whole backing device, including the data offset. */
	uint64_t start, end;
	uint64_t cache_sector;	/* its place on the cache device */
	bool	 dirty;		/* the backing device does not have it yet */
	bool	 from_journal;	/* only the journal has it */
	bool	 readable;	/* live, and on this device */
};

/* A non-zero return ends the walk and is returned. @range is valid during the call. */
typedef int cache_range_fn(void *ctx, const struct cache_range *range);

/**
 * cache_set_each_range() - all cached ranges in order of inode and start
 * @set:  loaded up to CACHE_LOAD_GENS
 * @sink: receives the findings of this walk; NULL: the first damage is the error
 *
 * Reads the tree again; memory: one node per level. Ranges that the driver does not follow (a
 * stale pointer, another member of the set) are delivered, and are not readable.
 * Return: 0; what @fn returned; -EINVAL for a set that was not loaded that far; -ECANCELED;
 * -EIO, -ENOMEM; without a sink the errno of the first broken rule.
 */
int cache_set_each_range(struct cache_set *set, cache_range_fn *fn, void *ctx,
			 const struct cache_sink *sink, struct cache_err *err);

CACHE_DECLS_END
#endif
