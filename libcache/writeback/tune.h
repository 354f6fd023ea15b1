/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes of a cache set and its devices, offline: label, UUID, cache mode, the set to which a
 * backing device belongs, and the owner of the dirty data of a retired slot.
 */
#ifndef LIBCACHE_TUNE_H
#define LIBCACHE_TUNE_H

#include "super/super_change.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What says that the dirty data of a retired slot is a device's, or that it is not. */
struct cache_tune_proof {
	uint32_t slot;
	uint8_t	 label[CACHE_SB_LABEL_BYTES + 1];	/* of the slot */
	uint32_t first_reg, last_reg, invalidated;	/* Unix times */
	uint64_t dirty_extents, dirty_sectors;
	uint64_t start, end;		/* where they lie on the backing device */
	bool	 fits;			/* they all lie in the data of the device */
	bool	 same_label;
	const char *fs;			/* a file system whose superblock is dirty; NULL: none; static life */
	bool	 same_fs;		/* the device has it too, with the same UUID */
	bool	 chosen;
};

/* A backing device that is gone, and all that goes with its slot. */
struct cache_tune_gone {
	uint32_t slot;
	uint8_t	 uuid[16], label[CACHE_SB_LABEL_BYTES + 1];
	uint32_t first_reg, last_reg;			/* Unix times */
	uint64_t dirty_extents, dirty_sectors, clean_sectors;
};

struct cache_tune {
	/* Either may be NULL; open to write, or to read with @dry_run. */
	struct cache_dev *cache, *backing;
	bool dry_run;
	uint64_t seed;
	/* Of the backing device if there is one, else of the cache device. */
	const char *label;
	const uint8_t *uuid;
	int mode;			/* enum cache_mode, or -1 */
	bool detach;
	const uint8_t *attach;		/* uuid of a cache set */
	bool clear_inconsistent;
	bool relink;
	int64_t relink_slot;		/* -1: the only one that fits */
	const uint8_t *drop;		/* uuid of a backing device that is gone; alone, with @cache */
	/*
	 * drop although data is dirty; relink against its proof; clear_inconsistent with dirty
	 * data; attach to a clone of the set
	 */
	bool force;

	/* Each may be NULL. */
	void *ctx;
	void (*field)(void *ctx, const char *dev, const struct cache_repair_field *f);
	void (*slot)(void *ctx, uint32_t slot, const char *what);	/* of the uuid table, changes */
	void (*proof)(void *ctx, const struct cache_tune_proof *p);
	void (*gone)(void *ctx, const struct cache_tune_gone *g);
	/* Asked while the set is loaded, and once more before the first write; true: -ECANCELED */
	bool (*stop)(void *ctx);
	bool (*confirm)(void *ctx);	/* after the proof, or after what is dropped */
};

/**
 * cache_tune() - do all of it that was asked for
 *
 * All checks come before the first write. A set is changed by one commit, and a superblock by
 * one write: cut off between the two, the kernel refuses the device or sees it as it was, and a
 * second run does the rest.
 * Return: 1 when something changed, or would; 0 when all is so already; -EBUSY when dirty data is
 * in the way; -EINVAL, -ENOENT, -EUCLEAN for devices that it cannot be done to; -ECANCELED;
 * -EIO; -ENOMEM.
 */
int cache_tune(const struct cache_tune *t, struct cache_err *err);

#ifdef __cplusplus
}
#endif
#endif
