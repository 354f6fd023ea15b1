// SPDX-License-Identifier: GPL-2.0-only
/* What the next start does with the journal ring, which depends on the driver's era. */
#include "fsck/fsck_impl.h"
#include "replay/replay.h"

static void found_ring(struct fsck_cache *c, enum cache_problem code, uint32_t eras,
		       const struct cache_replay_forecast *f)
{
	const struct cache_set *set = c->set;

	if (eras)
		cache_found(c->sink, NULL, &(struct cache_finding){
			.code = code, .eras = eras, .seq = f->seq, .count = set->journal_keys,
			.got = cache_journal_free_buckets(&set->sb, &set->journal) });
}

int cache_fsck_ring(struct fsck_cache *c, struct cache_err *err)
{
	struct cache_replay_forecast f;
	int ret = cache_replay_forecast(c->set, c->eras, c->sink, &f, err);

	if (ret)
		return ret;
	found_ring(c, CACHE_P_JOURNAL_RING_FULL, f.hangs, &f);
	found_ring(c, CACHE_P_JOURNAL_RING_TIGHT, f.may_hang, &f);
	return 0;
}

static bool forgives(const struct cache_driver *d)
{
	return d->accepts_front_gap;
}

static bool does_not_forgive(const struct cache_driver *d)
{
	return !d->accepts_front_gap;
}

/*
 * Older drivers accept a gap at the front of the journal if the discard bit is set and the
 * device at hand supports discards. For a regular file that is not known; it is assumed.
 */
void cache_fsck_front_gap(struct fsck_cache *c)
{
	enum cache_dev_discards discards = cache_dev_discards(c->set->dev);
	uint32_t eras = cache_eras_which(c->eras, does_not_forgive);
	const char *what = "older drivers do if the device takes discards, newer ones do not";

	if (!c->gap.code)
		return;
	if (discards == CACHE_DEV_DISCARDS_NO) {
		eras = c->eras;
		what = cache_eras_which(eras, forgives) ?
		       "no driver does, since this device takes no discards" :
		       "newer drivers do not";
	}
	if (eras)
		cache_found(c->sink, NULL, &(struct cache_finding){
			.code = CACHE_P_JOURNAL_NOT_FORGIVEN, .eras = eras, .what = what,
			.start = c->gap.start, .end = c->gap.end });
}
