/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The losses of a repair as people want them: sorted, and ranges with the same reason
 * that touch or overlap are one. A repair may name a loss twice, which counts once.
 */
#ifndef LIBCACHE_LOSSES_H
#define LIBCACHE_LOSSES_H

#include <stddef.h>

#include <libcache/repair.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero it to begin. */
struct cache_losses {
	struct cache_losses_range {
		unsigned dev;			/* as the callback was told */
		struct cache_repair_loss loss;
	} *list;
	size_t n, capacity;
	bool merged;
	bool coarse;	/* there were too many: ranges near each other are one, gaps included */
	bool failed;	/* out of memory: some are missing */
};

/* At most this many ranges are kept; 80 bytes each. */
#define CACHE_LOSSES_MAX	(1u << 18)

void cache_losses_add(struct cache_losses *l, unsigned dev, const struct cache_repair_loss *loss);

/* Sorts and merges; call before the list is read. Ranges that are lost for certain stay apart. */
void cache_losses_merge(struct cache_losses *l);

/* Sectors of @dev; a range to the end of a device counts one sector. */
uint64_t cache_losses_sectors(struct cache_losses *l, unsigned dev, bool certain);

void cache_losses_fini(struct cache_losses *l);

#ifdef __cplusplus
}
#endif
#endif
