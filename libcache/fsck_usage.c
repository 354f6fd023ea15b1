// SPDX-License-Identifier: GPL-2.0-only
/* Buckets: what they hold, and how far their oldest pointer lags (S10, S12). */
#include "fsck_impl.h"

void cache_fsck_buckets(struct fsck_cache *c)
{
	const struct cache_buckets *t = &c->img->buckets;
	struct cache_fsck_summary *s = c->sum;

	for (uint64_t b = t->first_bucket; b < t->nbuckets; b++) {
		unsigned lag = cache_bucket_gc_gen(t, b);

		switch (cache_bucket_mark(t, b)) {
		case CACHE_GC_MARK_METADATA:
			s->metadata_buckets++;
			break;
		case CACHE_GC_MARK_DIRTY:
			s->dirty_buckets++;
			break;
		case CACHE_GC_MARK_RECLAIMABLE:
			s->clean_buckets++;
			break;
		default:
			s->free_buckets++;
		}
		if (lag > CACHE_GC_GEN_MAX)
			cache_found(c->sink, NULL, &(struct cache_finding){
				.code = CACHE_P_BUCKET_LAG, .bucket = b, .got = lag,
				.want = CACHE_GC_GEN_MAX });
	}
}
