// SPDX-License-Identifier: GPL-2.0-only
/*
 * A backing device that is gone for ever: its slot is retired, and what the cache has of it is
 * dropped, so that the buckets can be used again. It is said before what that is.
 */
#include "writeback/tune_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void cache_tune_see_gone(struct tune *r, const struct cache_uuid_entry *e)
{
	struct cache_tune_gone *g = &r->gone;

	g->slot = r->slot;
	g->first_reg = e->first_reg;
	g->last_reg = e->last_reg;
	memcpy(g->uuid, e->uuid, sizeof(g->uuid));
	memcpy(g->label, e->label, CACHE_SB_LABEL_BYTES);
	r->gone_is_flash = cache_uuid_state(e) == CACHE_SLOT_FLASH;
}

int cache_tune_check_drop(const struct tune *r, struct cache_err *err)
{
	struct cache_tune_gone gone = r->gone;
	const char *cache;

	gone.dirty_extents = r->slot_dirty_extents;
	gone.dirty_sectors = r->slot_dirty;
	gone.clean_sectors = r->slot_clean;
	if (!r->t->cache || r->t->backing)
		return cache_err_set(err, -EINVAL, 0, "the cache device alone is needed to drop a backing device that is gone; one that is at hand is detached");
	cache = cache_dev_name(r->t->cache);
	if (r->slot < 0)
		return cache_err_set(err, -ENOENT, 0, "%s: no slot of the set has this UUID", cache);
	if (r->gone_is_flash)
		return cache_err_set(err, -EINVAL, 0, "%s: slot %" PRId64 " is a flash volume, expected a backing device",
				     cache, r->slot);
	if (r->t->gone)
		r->t->gone(r->t->ctx, &gone);
	if (r->slot_dirty && !r->t->force && !r->t->dry_run)
		return cache_err_set(err, -EBUSY, 0, "%s: %" PRIu64 " sectors of it are dirty and are nowhere else: cache-writeback --export saves them, --force gives them up",
				     cache, r->slot_dirty);
	return 0;
}
