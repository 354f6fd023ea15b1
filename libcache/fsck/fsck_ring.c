// SPDX-License-Identifier: GPL-2.0-only
/*
 * Will the start hang? The replay is rehearsed once for each way in which the
 * allocator's thread may happen to run beside it: hangs in all of them, or in some, or
 * gets through a ring that was full.
 */
#include "fsck/fsck_impl.h"
#include "replay/replay.h"

int cache_fsck_ring(struct fsck_cache *c, struct cache_err *err)
{
	const struct cache_set *set = c->set;
	struct cache_replay_forecast f;
	int ret = cache_replay_forecast(c->set, cache_eras_all(), &f, err);

	if (ret || !cache_replay_may_hang(&f))
		return ret;
	return cache_found(c->sink, err, &(struct cache_finding){
		.code = !f.may_hang ? CACHE_P_JOURNAL_RING_FULL
						: CACHE_P_JOURNAL_RING_TIGHT,
		.got = cache_journal_free_buckets(&set->sb, &set->journal),
		.count = set->journal_keys, .seq = f.seq });
}
