// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a cache device that is shorter than its superblock says has lost. It is read as a device of
 * the full size of which reads past the real end fail: dirty extents that lie there are named, and
 * the ranges of nodes that are there are in doubt. Nothing is written.
 */
#include "repair/repair_truncated.h"

#include <string.h>

#include "base/checked.h"
#include "repair/repair_impl.h"

/* The device has lost at most so much of itself: memory grows with what it claims to be. */
#define CLAIM_MAX	16

struct truncated {
	const struct cache_repair_opts *opts;
	uint64_t end;		/* sector */
};

static void name(const struct truncated *t, const struct cache_repair_view *view,
		 const struct cache_packed_key *p)
{
	const struct cache_bkey k = { p->high, p->low, { p->ptr } };
	struct cache_repair_loss loss = { .inode = cache_key_inode(&k), .start = cache_key_start(&k),
					  .end = k.low, .certain = true,
					  .code = CACHE_LOSS_PAST_TRUNCATION };

	if (loss.inode < view->set->uuids.n) {
		memcpy(loss.uuid, view->set->uuids.slot[loss.inode].uuid, sizeof(loss.uuid));
		loss.data_start = view->slots[loss.inode].data_start;
	}
	t->opts->loss(t->opts->ctx, t->opts->dev, &loss);
}

static int name_past_end(void *ctx, const struct cache_repair_view *view, struct cache_err *err)
{
	const struct truncated *t = ctx;

	for (size_t i = 0; i < view->kept->n; i++) {
		const struct cache_packed_key *p = &view->kept->keys[i];

		if (cache_key_high_dirty(p->high) &&
		    cache_ptr_sector(p->ptr) + cache_key_high_size(p->high) > t->end)
			name(t, view, p);
	}
	return 1;
}

int cache_repair_name_truncated(struct cache_dev *dev, const struct cache_repair_opts *opts,
				struct cache_err *err)
{
	struct truncated t = { .opts = opts, .end = cache_dev_sectors(dev) };
	const struct cache_repair_change change = { .extents = name_past_end, .ctx = &t };
	const struct cache_dev_part part = { .dev = dev, .nsectors = t.end };
	const struct cache_repair_opts look = {
		.size = sizeof(look), .dry_run = true, .allow_data_loss = true, .ctx = opts->ctx,
		.dev = opts->dev, .loss = opts->loss, .progress = opts->progress,
		.backing = opts->backing, .backing_sectors = opts->backing_sectors,
		.nbacking = opts->nbacking };
	struct cache_repair_plan plan;
	struct cache_dev *whole;
	uint64_t sectors;
	struct cache_sb sb;
	int ret = cache_sb_read(dev, &sb, err);

	if (ret || !opts->loss || sb.csum_stored != sb.csum_computed || cache_sb_is_bdev(&sb) ||
	    !cache_mul_ok(sb.nbuckets, sb.bucket_sectors, &sectors) ||
	    sectors / CLAIM_MAX > t.end)
		return ret;
	ret = cache_dev_join(&part, 1, sectors, &whole, err);
	if (ret)
		return ret;
	ret = cache_repair_change(whole, &look, &change, &plan, err);
	cache_dev_close(whole);
	return ret > 0 ? 0 : ret;
}
