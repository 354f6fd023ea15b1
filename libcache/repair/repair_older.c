// SPDX-License-Identifier: GPL-2.0-only
/* Older copies of the uuid table, which older entries of the journal name. */
#include "repair/repair_uuids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whether something known is in @old too: then the bucket holds a table of this set. */
static bool is_known_table(const struct uuids_repair *m, const struct cache_uuids *old)
{
	for (uint32_t i = 0; i < m->u->n && i < old->n; i++)
		if (!cache_slot_is_empty(&old->slot[i]) && !cache_slot_is_lost(m, i) &&
		    cache_uuid_state(&m->u->slot[i]) != CACHE_SLOT_RETIRED &&
		    !memcmp(old->slot[i].uuid, m->u->slot[i].uuid, sizeof(old->slot[i].uuid)))
			return true;
	return cache_owner_is_in(m, old);
}

/*
 * Reads the table in @key's bucket into @old; always release @old. 1: it is plausible; 0: it is
 * not; -EIO.
 */
static int read_older(const struct uuids_repair *m, const struct cache_bkey *key, unsigned version,
		       struct cache_uuids *old)
{
	const struct cache_set *set = m->c->set;
	struct repair_noted found = { 0 };
	struct cache_sink sink = { .report = cache_repair_note, .ctx = &found };
	int ret = cache_uuids_read(set->dev, &set->sb, key, version, old, &sink, NULL);

	if (found.unread && !m->opts->allow_data_loss)
		return -EIO;
	if (ret || found.n)
		return 0;
	/* the bucket was reused since: the content may only look like a table */
	return !cache_bkey_staleness(&set->sb, &set->gens, key) || is_known_table(m, old);
}

int cache_uuids_each_older(struct uuids_repair *m, cache_older_fn *fn, const void *arg)
{
	const struct cache_set *set = m->c->set;
	cache_le64 *words = calloc(CACHE_JSET_MAX_WORDS, sizeof(*words));
	uint64_t tried = set->journal.newest.uuid_bucket.ptr[0];
	int done = 0;

	if (!words)
		return -ENOMEM;
	for (size_t i = set->journal.nentries; i-- && !done;) {
		const struct cache_jset_pos *pos = &set->journal.entries[i];
		struct cache_uuids old = { 0 };
		struct cache_jset jset;

		done = cache_jset_read(set->dev, &set->sb, pos, &jset, words, NULL);
		if (done == -EIO && !m->opts->allow_data_loss)
			break;
		if (done || jset.uuid_bucket.ptr[0] == tried) {
			done = 0;
			continue;
		}
		tried = jset.uuid_bucket.ptr[0];
		done = read_older(m, &jset.uuid_bucket, pos->version, &old);
		if (done > 0)
			done = fn(m, &old, arg);
		cache_uuids_fini(&old);
	}
	free(words);
	return done;
}
