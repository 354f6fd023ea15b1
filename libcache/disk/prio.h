/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Priority and generation of every bucket as they lie on disk: a chain of
 * prio_sets whose head the newest jset names (format 2).
 */
#ifndef LIBCACHE_PRIO_H
#define LIBCACHE_PRIO_H

#include <stdbool.h>
#include <stdint.h>

#include "dev/dev.h"
#include "format/super.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cache_prios {
	uint64_t nbuckets;
	uint16_t *prio;			/* NULL: not requested */
	uint8_t	 *gen;
	uint64_t nmetadata;		/* buckets of priority CACHE_BTREE_PRIO */
	uint64_t seq;			/* of the head, or of the first member that verified */
	uint64_t nmembers;		/* members of a complete chain */
	/* nmembers bucket numbers, as far as the links were followed */
	uint64_t *chain;
	uint64_t nfollowed;
	uint64_t *sorted;		/* the same in ascending order; see cache_prio_has_member() */
	/* for each of nmembers: it verified, so its gens are known */
	bool	 *member_ok;
};

/**
 * cache_prio_read() - load prio and gen of every bucket
 * @head: bucket of the first prio_set, from the newest jset
 * @prios: filled; release with cache_prio_fini(), also after an error
 * @sink: as cache_found()
 *
 * Magic and checksum of each prio_set are checked before use. No more links are followed than
 * the table needs, so a looping chain ends by itself. The entries of a member that does not
 * verify stay zero, and its member_ok false. Three bytes per bucket, and one bit while it is read.
 *
 * Return: 0; without @sink the errno of the first broken rule; -ENOMEM.
 */
int cache_prio_read(struct cache_dev *dev, const struct cache_sb *sb, uint64_t head,
		    struct cache_prios *prios, const struct cache_sink *sink,
		    struct cache_err *err);
/* As cache_prio_read(), but without prios->prio: one byte per bucket. */
int cache_prio_read_gens(struct cache_dev *dev, const struct cache_sb *sb, uint64_t head,
			 struct cache_prios *prios, const struct cache_sink *sink,
			 struct cache_err *err);
void cache_prio_fini(struct cache_prios *prios);

/* Whether the chain, as far as it was followed, leads through @bucket. */
bool cache_prio_has_member(const struct cache_prios *prios, uint64_t bucket);
/* For those that put the chains of several devices into one table. Return: 0 or -ENOMEM. */
int cache_prio_sort_members(struct cache_prios *prios, struct cache_err *err);

/* Whether the gen of @bucket was read from a member that verified. */
bool cache_prio_is_known(const struct cache_sb *sb, const struct cache_prios *prios,
			 uint64_t bucket);

/*
 * The gen of @bucket on disk, read again if @prios does not have it any more. Return: 0 to 255;
 * -ENOENT when it is not known; -EIO, -ENOMEM.
 */
int cache_prio_gen(struct cache_dev *dev, const struct cache_sb *sb,
		   const struct cache_prios *prios, uint64_t bucket);

#ifdef __cplusplus
}
#endif
#endif
