// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device to which the dirty data of a retired slot belongs. The kernel writes over the uuid of
 * a slot when it detaches a device, or attaches one that has run without its cache; label, times
 * and extents stay. A file system's superblock among the extents names the file system, and the
 * backing device has one too.
 */
#include "writeback/tune_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Sectors of the data, and bytes in the first of them. */
static const struct fs {
	const char *name, *magic;
	uint32_t sector, magic_at, magic_bytes, uuid_at;
} file_systems[] = {
	{ "ext4", "\x53\xef", 2, 56, 2, 104 },
	{ "xfs", "XFSB", 0, 0, 4, 32 },
	{ "btrfs", "_BHRfS_M", 128, 64, 8, 32 },
};

static struct cache_tune_proof *proof_of(struct tune *r, uint64_t slot)
{
	for (unsigned i = 0; i < r->nproofs; i++)
		if (r->proofs[i].slot == slot)
			return &r->proofs[i];
	return NULL;
}

static int list_retired(struct tune *r, const struct cache_uuids *u)
{
	r->proofs = calloc((size_t)u->n + 1, sizeof(*r->proofs));
	if (!r->proofs)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->n; i++) {
		const struct cache_uuid_entry *e = &u->slot[i];
		struct cache_tune_proof *p = &r->proofs[r->nproofs];

		if (cache_uuid_state(e) != CACHE_SLOT_RETIRED)
			continue;
		*p = (struct cache_tune_proof){ .slot = i, .first_reg = e->first_reg,
						.last_reg = e->last_reg, .fits = true,
						.invalidated = e->invalidated };
		memcpy(p->label, e->label, sizeof(p->label));
		p->same_label = !strcmp((const char *)p->label, (const char *)r->backing.label);
		r->nproofs++;
	}
	return 0;
}

/* @k covers the superblock of @fs: is the one on the backing device the same? */
static int compare_fs(struct tune *r, struct cache_tune_proof *p, const struct cache_bkey *k,
		      const struct fs *fs, struct cache_err *err)
{
	uint64_t at = r->backing.data_offset_sectors + fs->sector;
	uint64_t cached = cache_ptr_sector(k->ptr[0]) + (at - cache_key_start(k));
	char *buf = cache_dev_buf(2 * CACHE_SECTOR_BYTES), *theirs;
	int ret;

	if (!buf)
		return cache_err_set(err, -ENOMEM, 0, "no memory for a sector");
	theirs = buf + CACHE_SECTOR_BYTES;
	ret = cache_dev_read(r->t->cache, cached, 1, buf, err);
	if (!ret && !memcmp(buf + fs->magic_at, fs->magic, fs->magic_bytes)) {
		p->fs = fs->name;
		ret = cache_dev_read(r->t->backing, at, 1, theirs, err);
		p->same_fs = !ret && !memcmp(theirs + fs->magic_at, fs->magic, fs->magic_bytes) &&
			     !memcmp(theirs + fs->uuid_at, buf + fs->uuid_at, 16);
	}
	cache_dev_buf_free(buf);
	return ret;
}

static int add_extent(struct tune *r, const struct cache_bkey *k, struct cache_err *err)
{
	struct cache_tune_proof *p = proof_of(r, cache_key_inode(k));
	int ret = 0;

	if (!p || !cache_key_dirty(k))
		return 0;
	if (!p->dirty_extents++)
		p->start = cache_key_start(k);
	p->dirty_sectors += cache_key_size(k);
	p->end = k->low;
	p->fits &= cache_key_start(k) >= r->backing.data_offset_sectors &&
		   k->low <= r->backing_sectors;
	for (size_t i = 0; i < sizeof(file_systems) / sizeof(*file_systems) && !ret; i++) {
		uint64_t at = r->backing.data_offset_sectors + file_systems[i].sector;

		if (p->fits && cache_key_start(k) <= at && at < k->low)
			ret = compare_fs(r, p, k, &file_systems[i], err);
	}
	return ret;
}

int cache_tune_prove(struct tune *r, const struct cache_repair_view *view, struct cache_err *err)
{
	unsigned n = 0;
	int ret = list_retired(r, &view->set->uuids);

	if (ret)
		return cache_err_set(err, ret, 0, "no memory for the slots of the uuid table");
	for (size_t i = 0; i < view->kept->n && !ret; i++) {
		const struct cache_packed_key *p = &view->kept->keys[i];

		ret = add_extent(r, &(struct cache_bkey){ p->high, p->low, { p->ptr } }, err);
	}
	for (unsigned i = 0; i < r->nproofs; i++)
		if (r->proofs[i].dirty_extents)
			r->proofs[n++] = r->proofs[i];
	r->nproofs = n;
	return ret;
}

/* Some evidence is for it, and none against it. */
static bool is_proven(const struct cache_tune_proof *p)
{
	return p->fits && (!p->fs || p->same_fs) && (p->same_fs || (p->same_label && p->label[0]));
}

static int check_choice(const struct tune *r, const struct cache_tune_proof *p,
			struct cache_err *err)
{
	if (!p->fits)
		return cache_err_set(err, -ERANGE, 0, "slot %" PRIu32 " has dirty data up to sector %" PRIu64
				     ", and the backing device %" PRIu64 " sectors, from %" PRIu64 " on",
				     p->slot, p->end, r->backing_sectors,
				     r->backing.data_offset_sectors);
	if (is_proven(p) || r->t->force)
		return 0;
	return cache_err_set(err, -EUCLEAN, 0, "nothing proves that slot %" PRIu32
			     " was that of the backing device: neither label nor file system; --force takes it all the same",
			     p->slot);
}

int cache_tune_choose(struct tune *r, struct cache_err *err)
{
	struct cache_tune_proof *chosen = NULL;
	unsigned proven = 0;
	int ret;

	for (unsigned i = 0; i < r->nproofs; i++) {
		struct cache_tune_proof *p = &r->proofs[i];
		bool takes = r->t->relink_slot < 0 ? is_proven(p) || r->nproofs == 1 :
						     p->slot == r->t->relink_slot;

		proven += takes;
		chosen = takes ? p : chosen;
	}
	if (proven != 1)
		chosen = NULL;
	if (chosen)
		chosen->chosen = true;
	for (unsigned i = 0; i < r->nproofs && r->t->proof; i++)
		r->t->proof(r->t->ctx, &r->proofs[i]);
	if (!r->nproofs)
		return cache_err_set(err, -ENOENT, 0, "no retired slot of the set has dirty data");
	if (!chosen)
		return cache_err_set(err, -ENOTUNIQ, 0, "%u of %u retired slots with dirty data could be that of the backing device: choose one with --slot",
				     proven, r->nproofs);
	ret = check_choice(r, chosen, err);
	if (!ret)
		r->relink = chosen->slot;
	return ret;
}
