// SPDX-License-Identifier: GPL-2.0-only
/* Opening a cache device, step by step as the driver registers one (behaviour 7). */
#include "set/image_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int load_super(struct cache_image *img, const struct cache_sink *sink,
		      struct cache_err *err)
{
	int ret = cache_sb_read(img->dev, &img->sb, err);

	if (ret)
		return ret;
	return cache_sb_check(&img->sb, cache_dev_sectors(img->dev),
			      cache_dev_logical_block_bytes(img->dev), sink, err);
}

/*
 * Not synced: the driver starts anew and looks at nothing, but it will make its ring
 * where the one of an earlier life was, and its second start finds what is there.
 */
static int look_for_old_ring(struct cache_image *img, const struct cache_sink *sink,
			     struct cache_err *err)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_sb ring = img->sb;
	struct cache_journal old;
	uint64_t seq;
	int ret;

	if (!ring.njournal)
		cache_sb_predict_ring(&ring);
	ret = cache_journal_read(img->dev, &ring, &old, &silent, err);
	seq = old.nentries ? old.newest.pos.seq : 0;
	/* Where the superblock still says where it lies, it can be shown. */
	if (img->sb.njournal)
		img->journal = old;
	else
		cache_journal_fini(&old);
	if (ret || !seq)
		return ret;
	return cache_found(sink, err, &(struct cache_finding){
		.code = CACHE_P_SB_OLD_RING, .seq = seq });
}

static int load_journal(struct cache_image *img, const struct cache_sink *sink,
			struct cache_err *err)
{
	int ret;

	if (!cache_sb_is_synced(&img->sb))
		ret = look_for_old_ring(img, sink, err);
	else
		ret = cache_journal_read(img->dev, &img->sb, &img->journal, sink, err);
	if (ret)
		return ret;
	img->loaded = CACHE_LOAD_JOURNAL;
	img->has_journal = img->journal.nentries && cache_sb_is_synced(&img->sb);
	return 0;
}

static int load_prios(struct cache_image *img, enum cache_load upto,
		      const struct cache_sink *sink, struct cache_err *err)
{
	const struct cache_jset *newest = &img->journal.newest;
	uint64_t head = newest->prio_bucket[img->sb.nr_this_dev];
	int ret;

	if (upto == CACHE_LOAD_GENS)
		ret = cache_prio_read_gens(img->dev, &img->sb, head, &img->prios, sink, err);
	else
		ret = cache_prio_read(img->dev, &img->sb, head, &img->prios, sink, err);
	if (!ret)
		ret = cache_uuids_read(img->dev, &img->sb, &newest->uuid_bucket,
				       newest->pos.version, &img->uuids, sink, err);
	if (!ret)
		img->loaded = CACHE_LOAD_PRIOS;
	return ret;
}

int cache_image_load_rest(struct cache_image *img, enum cache_load upto,
			  const struct cache_sink *sink, struct cache_err *err)
{
	int ret = load_prios(img, upto, sink, err);

	return ret || upto < CACHE_LOAD_GENS ? ret : cache_image_mark(img, upto, sink, err);
}

static int load(struct cache_image *img, enum cache_load upto,
		const struct cache_sink *sink, struct cache_err *err)
{
	int ret = load_super(img, sink, err);

	if (ret || upto < CACHE_LOAD_JOURNAL || cache_sb_is_bdev(&img->sb) ||
	    !cache_sb_is_usable(&img->sb, cache_dev_sectors(img->dev)))
		return ret;
	ret = load_journal(img, sink, err);
	if (ret || upto < CACHE_LOAD_PRIOS || !img->has_journal)
		return ret;
	return cache_image_load_rest(img, upto, sink, err);
}

int cache_image_load(struct cache_dev *dev, enum cache_load upto,
		     const struct cache_sink *sink, struct cache_image **imgp,
		     struct cache_err *err)
{
	struct cache_image *img = calloc(1, sizeof(*img));
	int ret;

	if (!img) {
		cache_dev_close(dev);
		return cache_err_set(err, -ENOMEM, 0, "no memory for an image");
	}
	img->dev = dev;
	ret = load(img, upto, sink, err);
	if (ret) {
		cache_image_close(img);
		return ret;
	}
	*imgp = img;
	return 0;
}

void cache_image_close(struct cache_image *img)
{
	if (!img)
		return;
	cache_overlay_fini(&img->overlay);
	free(img->gen_unknown);
	cache_gens_fini(&img->gens);
	cache_buckets_fini(&img->buckets);
	cache_uuids_fini(&img->uuids);
	cache_prio_fini(&img->prios);
	cache_journal_fini(&img->journal);
	cache_dev_close(img->dev);
	free(img);
}

static bool is_in_chain(const struct cache_prios *p, uint64_t bucket)
{
	for (uint64_t i = 0; i < p->nfollowed; i++)
		if (p->chain[i] == bucket)
			return true;
	return false;
}

enum cache_role cache_image_role(const struct cache_image *img, uint64_t bucket)
{
	if (bucket < img->sb.first_bucket)
		return CACHE_ROLE_SUPERBLOCK;
	if (bucket < cache_sb_reserved_buckets(&img->sb))
		return CACHE_ROLE_JOURNAL;
	switch (cache_gens_mark(&img->gens, bucket)) {
	case CACHE_GC_MARK_DIRTY:
		return CACHE_ROLE_DIRTY;
	case CACHE_GC_MARK_RECLAIMABLE:
		return CACHE_ROLE_CLEAN;
	case CACHE_GC_MARK_METADATA:
		if (is_in_chain(&img->prios, bucket))
			return CACHE_ROLE_PRIO;
		if (bucket == cache_ptr_bucket(&img->sb, &img->journal.newest.uuid_bucket, 0))
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
