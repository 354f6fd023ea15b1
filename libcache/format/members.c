// SPDX-License-Identifier: GPL-2.0-only
#include "format/members.h"

#include "base/checked.h"

bool cache_sb_is_one_of_several(const struct cache_sb *sb)
{
	return cache_sb_has_magic(sb) && !cache_sb_is_bdev(sb) && sb->nr_in_set > 1 &&
	       sb->nr_in_set <= CACHE_MAX_CACHES_PER_SET && sb->nr_this_dev < sb->nr_in_set;
}

void cache_members_add(struct cache_members *m, const struct cache_sb *sb)
{
	uint64_t per = cache_prios_per_bucket(sb);

	m->m[sb->nr_this_dev] = (struct cache_member_place){
		.present = true, .base = m->nbuckets, .nbuckets = sb->nbuckets,
		.first_bucket = sb->first_bucket, .reserved = cache_sb_reserved_buckets(sb) };
	m->nbuckets += cache_div_up(sb->nbuckets, per) * per;
}

bool cache_members_find(const struct cache_members *m, uint64_t bucket, unsigned *member,
			uint64_t *local)
{
	for (unsigned i = 0; i < CACHE_MAX_CACHES_PER_SET; i++) {
		const struct cache_member_place *p = &m->m[i];

		if (!p->present || bucket - p->base >= p->nbuckets)
			continue;
		*member = i;
		*local = bucket - p->base;
		return true;
	}
	return false;
}

uint64_t cache_sb_count_buckets(const struct cache_sb *sb)
{
	uint64_t n = 0;

	if (!sb->members)
		return sb->nbuckets;
	for (unsigned i = 0; i < CACHE_MAX_CACHES_PER_SET; i++)
		n += sb->members->m[i].present ? sb->members->m[i].nbuckets : 0;
	return n;
}

static enum cache_bucket_kind kind_of(uint64_t bucket, uint64_t first, uint64_t reserved)
{
	if (bucket < first)
		return CACHE_BUCKET_SUPER;
	return bucket < reserved ? CACHE_BUCKET_RING : CACHE_BUCKET_OTHER;
}

enum cache_bucket_kind cache_sb_bucket_kind(const struct cache_sb *sb, uint64_t bucket)
{
	unsigned member;
	uint64_t local;

	if (!sb->members)
		return kind_of(bucket, sb->first_bucket, cache_sb_reserved_buckets(sb));
	if (!cache_members_find(sb->members, bucket, &member, &local))
		return CACHE_BUCKET_NONE;
	return kind_of(local, sb->members->m[member].first_bucket,
		       sb->members->m[member].reserved);
}
