/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The losses of a repair sorted and merged: ranges with the same reason that touch or overlap
 * become one range. A loss that the repair reports twice counts once.
 */
#ifndef LIBCACHE_LOSSES_H
#define LIBCACHE_LOSSES_H

#include <stddef.h>

#include <libcache/repair.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Set to zero before the first use. */
struct cache_losses {
	struct cache_losses_range {
		unsigned dev;			/* as passed to the loss callback */
		struct cache_repair_loss loss;
	} *list;
	size_t n, capacity;
	bool merged;
	/* there were too many ranges: near ones were joined, with the gaps between them */
	bool coarse;
	bool failed;	/* out of memory: some losses are missing */
};

/* At most this many ranges are kept; 80 bytes each. */
#define CACHE_LOSSES_MAX	(1u << 18)

void cache_losses_add(struct cache_losses *l, unsigned dev, const struct cache_repair_loss *loss);

/*
 * Sorts and merges the ranges; call it before the list is read. Ranges that are certainly lost
 * are not joined with those that are only possibly lost.
 */
void cache_losses_merge(struct cache_losses *l);

/*
 * Number of lost sectors of @dev; a range that goes to the end of a device counts as one
 * sector.
 */
uint64_t cache_losses_sectors(struct cache_losses *l, unsigned dev, bool certain);

void cache_losses_fini(struct cache_losses *l);

#ifdef __cplusplus
}
#endif
#endif
