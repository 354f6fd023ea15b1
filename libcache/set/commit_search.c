// SPDX-License-Identifier: GPL-2.0-only
/* Whether the driver will find the entry that is about to be written. */
#include "set/commit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "disk/journal_search.h"

/*
 * The ring after the commit, in ring order, then by offset. Entries behind ours are seen while
 * each starts where the one before ends.
 */
static size_t ring_after(const struct cache_set *set, const struct cache_commit_place *p,
			 struct cache_jset_pos *ring)
{
	const struct cache_journal *j = &set->journal;
	uint64_t end = p->offset_sectors + cache_max_u64(p->nsectors, set->sb.block_sectors);
	size_t n = 0, i = 0;

	for (; i < j->nentries; i++) {
		const struct cache_jset_pos *e = &j->entries[i];

		if (e->index > p->index ||
		    (e->index == p->index && e->offset_sectors >= p->offset_sectors))
			break;
		ring[n++] = *e;
	}
	ring[n++] = (struct cache_jset_pos){ .seq = p->seq, .last_seq = p->last_seq,
					     .index = p->index,
					     .offset_sectors = p->offset_sectors };
	for (; i < j->nentries; i++) {
		const struct cache_jset_pos *e = &j->entries[i];

		if (e->index == p->index && e->offset_sectors != end)
			continue;
		if (e->index == p->index)
			end += cache_jset_sectors(&set->sb, e->nwords);
		ring[n++] = *e;
	}
	return n;
}

int cache_commit_is_found(const struct cache_set *set, const struct cache_commit_place *p,
			  bool *found, struct cache_err *err)
{
	struct cache_journal j = {
		.entries = calloc(set->journal.nentries + 1, sizeof(*j.entries)),
		.newest.pos = { .seq = p->seq, .last_seq = p->last_seq },
	};
	struct cache_journal_gap gap;
	int ret = -ENOMEM;

	if (j.entries) {
		j.nentries = ring_after(set, p, j.entries);
		ret = cache_journal_search(&set->sb, &j, &gap, NULL);
	}
	free(j.entries);
	*found = !ret && j.driver_newest_seq == p->seq && j.driver_agrees;
	return ret ? cache_err_set(err, ret, 0, "no memory to follow the driver's search") : 0;
}
