// SPDX-License-Identifier: GPL-2.0-only
/*
 * The uuid table as it should be. A slot that dirty data needs and that is gone
 * comes from an older copy of the table, which an older journal entry names, or
 * from the one backing device at hand that can own it. Nothing is guessed.
 */
#include "repair_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_empty(const struct cache_uuid_entry *e)
{
	return cache_uuid_state(e) == CACHE_SLOT_FREE;
}

static bool is_needed(const struct fsck_cache *c, uint32_t i)
{
	return c->slots[i].dirty_sectors;
}

/* Of two slots with one uuid the one without extents goes. */
static bool drop_twins(const struct fsck_cache *c, struct cache_uuids *u)
{
	for (uint32_t i = 0; i < u->n; i++) {
		enum cache_slot_state state = cache_uuid_state(&u->slot[i]);
		int64_t first = cache_uuid_find(u, u->slot[i].uuid);

		if (first == i || state == CACHE_SLOT_FREE || state == CACHE_SLOT_RETIRED)
			continue;
		if (c->slots[i].extents && c->slots[first].extents)
			return false;
		memset(&u->slot[c->slots[i].extents ? first : i], 0, sizeof(u->slot[0]));
	}
	return true;
}

static bool fills_holes(const struct fsck_cache *c, const struct cache_uuids *u,
			const struct cache_uuids *old)
{
	for (uint32_t i = 0; i < u->n; i++)
		if (is_needed(c, i) && is_empty(&u->slot[i]) &&
		    (i >= old->n || is_empty(&old->slot[i])))
			return false;
	return true;
}

static void count_finding(void *ctx, const struct cache_finding *f)
{
	(*(unsigned *)ctx)++;
}

/* The table that an older entry names, if it is sound and has what is missing. */
static bool try_older(const struct fsck_cache *c, const struct cache_jset_pos *pos,
		      cache_le64 *words, struct cache_uuids *u)
{
	const struct cache_image *img = c->img;
	unsigned findings = 0;
	struct cache_sink sink = { .report = count_finding, .ctx = &findings };
	struct cache_uuids old = { 0 };
	struct cache_jset jset;
	bool ok;

	if (cache_jset_read(img->dev, &img->sb, pos, &jset, words, NULL) ||
	    cache_uuids_read(img->dev, &img->sb, &jset.uuid_bucket, pos->version, &old,
			     &sink, NULL)) {
		cache_uuids_fini(&old);
		return false;
	}
	ok = !findings && fills_holes(c, u, &old);
	for (uint32_t i = 0; ok && i < u->n; i++)
		if (is_empty(&u->slot[i]))
			u->slot[i] = old.slot[i];
	cache_uuids_fini(&old);
	return ok;
}

/* 1: it is complete now; 0: it is not; -ENOMEM */
static int from_older(const struct fsck_cache *c, struct cache_uuids *u)
{
	const struct cache_journal *j = &c->img->journal;
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	bool ok = false;

	if (!words)
		return -ENOMEM;
	for (size_t i = j->nentries; i-- && !ok;)
		ok = try_older(c, &j->entries[i], words, u);
	free(words);
	return ok;
}

/* One hole and one device that could fill it: then it does. */
static bool from_backing(const struct fsck_cache *c, const struct cache_repair_opts *opts,
			 struct cache_uuids *u)
{
	const struct cache_sb *owner = NULL;
	int64_t hole = -1;

	for (uint32_t i = 0; i < u->n; i++) {
		if (!is_needed(c, i) || !is_empty(&u->slot[i]))
			continue;
		if (hole >= 0)
			return false;
		hole = i;
	}
	for (unsigned i = 0; i < opts->nbacking; i++) {
		const struct cache_sb *b = &opts->backing[i];

		if (memcmp(b->set_uuid, c->img->sb.set_uuid, 16) ||
		    cache_uuid_find(u, b->uuid) >= 0)
			continue;
		if (owner)
			return false;
		owner = b;
	}
	if (hole < 0 || !owner)
		return false;
	memcpy(u->slot[hole].uuid, owner->uuid, sizeof(owner->uuid));
	memcpy(u->slot[hole].label, owner->label, sizeof(owner->label));
	u->slot[hole].first_reg = u->slot[hole].last_reg = owner->last_mount;
	return true;
}

int cache_repair_uuids(const struct fsck_cache *c, const struct cache_repair_opts *opts,
		       struct cache_uuids *u, struct cache_repair_plan *plan)
{
	static const struct cache_uuids none = { 0 };
	int older;

	if (!drop_twins(c, u)) {
		plan->cannot = "two slots of the uuid table hold one uuid, and both have data";
		return -EUCLEAN;
	}
	if (fills_holes(c, u, &none))
		return 0;
	older = from_older(c, u);
	if (older)
		return older < 0 ? older : 0;
	if (from_backing(c, opts, u))
		return 0;
	plan->cannot = "dirty data belongs to a device whose slot is lost: name the backing devices too";
	return -EUCLEAN;
}
