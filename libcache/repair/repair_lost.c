// SPDX-License-Identifier: GPL-2.0-only
/* A set whose ring has no entry, or an old one: its state is found without. */
#include "repair/repair_lost.h"

#include <errno.h>

/*
 * Nothing of the set but its superblock: what is on the device may belong to somebody else, and
 * an empty set would be written over it.
 */
static int refuse_empty(const struct lost *l)
{
	if (l->nprios || l->nnodes || l->set->journal.nentries || l->unread)
		return 0;
	return cache_err_set(l->err, -EUCLEAN, 0, "nothing of a cache set is on the device but its "
			     "superblock, and other data may be: format the device anew");
}

int cache_repair_find_lost(struct cache_set *set, bool old_ring, const struct cache_sink *sink,
			   bool *unread, struct cache_err *err)
{
	struct lost l = { .set = set, .sb = &set->sb, .sink = sink, .err = err,
			  .old_ring = old_ring };
	struct cache_jset_pos *pos = &set->journal.newest.pos;
	int ret = cache_lost_begin(&l);

	l.old_seq = old_ring ? pos->seq : 0;
	if (old_ring)
		cache_journal_fini(&set->journal);
	/*
	 * as if the entry filled the last ring bucket, so that the next one goes to the first
	 * bucket
	 */
	*pos = (struct cache_jset_pos){ .seq = 1, .last_seq = 1, .version = CACHE_JSET_VERSION,
					.index = set->sb.njournal - 1,
					.offset_sectors = set->sb.bucket_sectors };
	if (!ret)
		ret = cache_lost_find(&l);
	if (!ret)
		ret = cache_lost_take_run(&l);
	if (!ret)
		ret = refuse_empty(&l);
	*unread |= l.unread;
	cache_lost_end(&l);
	set->has_journal = !ret;
	if (!ret)
		ret = cache_set_load_rest(set, CACHE_LOAD_MARKS, sink, err);
	if (!ret && l.asks_for_more && set->loaded == CACHE_LOAD_MARKS)
		ret = cache_repair_drop_flushed(set, sink, err);
	return ret;
}
