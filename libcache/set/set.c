// SPDX-License-Identifier: GPL-2.0-only
/* Opening a cache device, step by step as the driver registers one (behaviour 7). */
#include "format/members.h"
#include "set/set_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int check_super(struct cache_set *set, const struct cache_sink *sink,
		      struct cache_err *err)
{
	return cache_sb_check(&set->sb, cache_dev_sectors(set->dev),
			      cache_dev_logical_block_bytes(set->dev), sink, err);
}

/*
 * Not synced: the driver ignores what is there at its first start, but it will create its ring
 * at the place of an earlier one, and its second start finds what is left there.
 */
static int look_for_old_ring(struct cache_set *set, const struct cache_sink *sink,
			     struct cache_err *err)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_sb ring = set->sb;
	struct cache_journal old;
	uint64_t seq;
	int ret;

	if (!ring.njournal)
		cache_sb_predict_ring(&ring);
	ret = cache_journal_read(set->dev, &ring, &old, &silent, err);
	seq = old.nentries ? old.newest.pos.seq : 0;
	/* If the superblock still says where the content is, it can be shown. */
	if (set->sb.njournal)
		set->journal = old;
	else
		cache_journal_fini(&old);
	if (ret || !seq)
		return ret;
	return cache_found(sink, err, &(struct cache_finding){
		.code = CACHE_P_SB_OLD_RING, .seq = seq });
}

static int load_journal(struct cache_set *set, const struct cache_sink *sink,
			struct cache_err *err)
{
	int ret;

	if (!cache_sb_is_synced(&set->sb))
		ret = look_for_old_ring(set, sink, err);
	else
		ret = cache_journal_read(set->dev, &set->sb, &set->journal, sink, err);
	if (ret)
		return ret;
	set->loaded = CACHE_LOAD_JOURNAL;
	set->has_journal = set->journal.nentries && cache_sb_is_synced(&set->sb);
	return 0;
}

static int load_prios(struct cache_set *set, enum cache_load upto,
		      const struct cache_sink *sink, struct cache_err *err)
{
	const struct cache_jset *newest = &set->journal.newest;
	uint64_t head = newest->prio_bucket[set->sb.nr_this_dev];
	int ret;

	if (upto == CACHE_LOAD_GENS)
		ret = cache_prio_read_gens(set->dev, &set->sb, head, &set->prios, sink, err);
	else
		ret = cache_prio_read(set->dev, &set->sb, head, &set->prios, sink, err);
	if (!ret && set->correct_prios)
		set->correct_prios(set->correct_ctx, &set->prios);
	if (!ret)
		ret = cache_uuids_read(set->dev, &set->sb, &newest->uuid_bucket,
				       newest->pos.version, &set->uuids, sink, err);
	if (!ret)
		set->loaded = CACHE_LOAD_PRIOS;
	return ret;
}

static int load_rest(struct cache_set *set, enum cache_load upto,
		     struct cache_extent_visit *visit, const struct cache_sink *sink,
		     struct cache_err *err)
{
	int ret = load_prios(set, upto, sink, err);

	return ret || upto < CACHE_LOAD_GENS ? ret : cache_set_mark(set, upto, visit, sink, err);
}

int cache_set_load_rest(struct cache_set *set, enum cache_load upto,
			  const struct cache_sink *sink, struct cache_err *err)
{
	return load_rest(set, upto, NULL, sink, err);
}

static int load(struct cache_set *set, enum cache_load upto, struct cache_extent_visit *visit,
		const struct cache_sink *sink, struct cache_err *err)
{
	int ret = check_super(set, sink, err);

	if (ret || upto < CACHE_LOAD_JOURNAL || cache_sb_is_bdev(&set->sb) ||
	    !cache_sb_is_usable(&set->sb, cache_dev_sectors(set->dev)))
		return ret;
	ret = load_journal(set, sink, err);
	if (ret || upto < CACHE_LOAD_PRIOS || !set->has_journal)
		return ret;
	return load_rest(set, upto, visit, sink, err);
}

int cache_set_load_visit(struct cache_dev *dev, const struct cache_sb *sb, enum cache_load upto,
			 struct cache_extent_visit *visit, const struct cache_sink *sink,
			 struct cache_set **imgp, struct cache_err *err)
{
	struct cache_set *set;
	int ret;

	/*
	 * alone it looks like a set of which much is missing, and there is no sink to report that
	 * to
	 */
	if (!sink && upto > CACHE_LOAD_JOURNAL && cache_sb_is_one_of_several(sb))
		return cache_err_set(err, -EOPNOTSUPP, 0, "it is one of %u cache devices of its set, "
				     "and all of them are needed", sb->nr_in_set);
	set = calloc(1, sizeof(*set));
	if (!set)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a set");
	set->dev = dev;
	set->sb = *sb;
	if (visit)
		visit->done = false;
	ret = load(set, upto, visit, sink, err);
	if (ret) {
		cache_set_close(set);
		return ret;
	}
	*imgp = set;
	return 0;
}

int cache_set_load(struct cache_dev *dev, enum cache_load upto, const struct cache_sink *sink,
		   struct cache_set **set, struct cache_err *err)
{
	struct cache_sb sb;
	int ret = cache_sb_read(dev, &sb, err);

	return ret ? ret : cache_set_load_visit(dev, &sb, upto, NULL, sink, set, err);
}

void cache_set_close(struct cache_set *set)
{
	if (!set)
		return;
	cache_overlay_fini(&set->overlay);
	free(set->gen_unknown);
	cache_stale_free(set->stale);
	cache_gens_fini(&set->gens);
	cache_buckets_fini(&set->buckets);
	cache_uuids_fini(&set->uuids);
	cache_prio_fini(&set->prios);
	cache_journal_fini(&set->journal);
	if (set->members)
		cache_dev_close(set->dev);
	free(set->members);
	free(set);
}

enum cache_role cache_set_role(const struct cache_set *set, uint64_t bucket)
{
	switch (cache_sb_bucket_kind(&set->sb, bucket)) {
	case CACHE_BUCKET_NONE:
	case CACHE_BUCKET_SUPER:
		return CACHE_ROLE_SUPERBLOCK;
	case CACHE_BUCKET_RING:
		return CACHE_ROLE_JOURNAL;
	case CACHE_BUCKET_OTHER:
		break;
	}
	switch (cache_gens_mark(&set->gens, bucket)) {
	case CACHE_GC_MARK_DIRTY:
		return CACHE_ROLE_DIRTY;
	case CACHE_GC_MARK_RECLAIMABLE:
		return CACHE_ROLE_CLEAN;
	case CACHE_GC_MARK_METADATA:
		if (cache_prio_has_member(&set->prios, bucket))
			return CACHE_ROLE_PRIO;
		if (bucket == cache_ptr_bucket(&set->sb, &set->journal.newest.uuid_bucket, 0))
			return CACHE_ROLE_UUID;
		return CACHE_ROLE_BTREE;
	default:
		return CACHE_ROLE_FREE;
	}
}

const char *cache_role_name(enum cache_role role)
{
	static const char *const names[CACHE_ROLE_COUNT] = {
		"superblock", "journal", "prio", "uuid", "btree", "dirty", "clean", "free",
	};

	return (unsigned)role < CACHE_ROLE_COUNT ? names[role] : "?";
}
