// SPDX-License-Identifier: GPL-2.0-only
/* Buckets: what they hold, and how old their oldest pointer is (S10, S12). */
#include "fsck/fsck_impl.h"
#include "format/members.h"

/* Five sixths of what the driver allows. */
#define LAG_NEAR	(CACHE_GC_GEN_MAX * 5 / 6)

/* A bucket takes some nanoseconds. */
#define POLL_BUCKETS	(1u << 20)

static void add_near(struct cache_finding *near, uint64_t bucket, uint8_t lag)
{
	near->count++;
	if (lag <= near->got)
		return;
	near->got = lag;
	near->bucket = bucket;
}

int cache_fsck_buckets(struct fsck_cache *c)
{
	const struct cache_gens *g = &c->set->gens;
	struct cache_fsck_summary *s = c->sum;
	struct cache_finding near = { .code = CACHE_P_BUCKET_LAG_NEAR, .want = LAG_NEAR,
				      .other = CACHE_GC_GEN_MAX };

	for (uint64_t b = c->set->sb.first_bucket; b < g->nbuckets; b++) {
		uint8_t lag = cache_gens_lag(g, b);

		if (!(b % POLL_BUCKETS) && cache_poll(c->sink, 0, 0, 0))
			return -ECANCELED;
		if (c->set->sb.members &&
		    cache_sb_bucket_kind(&c->set->sb, b) < CACHE_BUCKET_RING)
			continue;
		switch (cache_gens_mark(g, b)) {
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
		else if (lag >= LAG_NEAR)
			add_near(&near, b, lag);
	}
	if (near.count)
		cache_found(c->sink, NULL, &near);
	return 0;
}
