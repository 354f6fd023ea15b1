// SPDX-License-Identifier: GPL-2.0-only
/*
 * A backing device that is gone for ever: its slot is retired, and what the cache has of it is
 * dropped, so that the buckets can be used again. It is said before what that is.
 */
#include "writeback/tune_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void cache_tune_count_gone(struct tune *r, const struct cache_repair_view *view)
{
	const struct cache_uuid_entry *e = &view->set->uuids.slot[r->slot];
	struct cache_tune_gone *g = &r->gone;

	*g = (struct cache_tune_gone){ .slot = r->slot, .first_reg = e->first_reg,
				       .last_reg = e->last_reg };
	memcpy(g->uuid, e->uuid, sizeof(g->uuid));
	memcpy(g->label, e->label, CACHE_SB_LABEL_BYTES);
	r->gone_is_flash = cache_uuid_state(e) == CACHE_SLOT_FLASH;
	for (size_t i = 0; i < view->kept->n; i++) {
		const struct cache_packed_key *k = &view->kept->keys[i];

		if ((int64_t)(k->high & CACHE_KEY_INODE_MAX) != r->slot)
			continue;
		if (!cache_key_high_dirty(k->high)) {
			g->clean_sectors += cache_key_high_size(k->high);
			continue;
		}
		g->dirty_extents++;
		g->dirty_sectors += cache_key_high_size(k->high);
	}
}

int cache_tune_check_drop(const struct tune *r, struct cache_err *err)
{
	const char *cache;

	if (!r->t->cache || r->t->backing)
		return cache_err_set(err, -EINVAL, 0, "the cache device alone is needed to drop a backing device that is gone; one that is at hand is detached");
	cache = cache_dev_name(r->t->cache);
	if (r->slot < 0)
		return cache_err_set(err, -ENOENT, 0, "%s: no slot of the set has this UUID", cache);
	if (r->gone_is_flash)
		return cache_err_set(err, -EINVAL, 0, "%s: slot %" PRId64 " is a flash volume, expected a backing device",
				     cache, r->slot);
	if (r->t->gone)
		r->t->gone(r->t->ctx, &r->gone);
	if (r->gone.dirty_sectors && !r->t->force && !r->t->dry_run)
		return cache_err_set(err, -EBUSY, 0, "%s: %" PRIu64 " sectors of it are dirty and are nowhere else: cache-writeback --export saves them, --force gives them up",
				     cache, r->gone.dirty_sectors);
	return 0;
}
