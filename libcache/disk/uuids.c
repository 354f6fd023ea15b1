// SPDX-License-Identifier: GPL-2.0-only
/* The uuid table, in both layouts, and what makes a slot plausible. */
#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/uuids.h"

const uint8_t cache_uuid_tombstone[16] = {
	0xa0, 0x3e, 0xf8, 0xed, 0x3e, 0xe1, 0xb8, 0x78,
	0xc8, 0x50, 0xfc, 0x5e, 0xcb, 0x16, 0xcd, 0x99
};

static const uint8_t zero_uuid[16];

enum cache_slot_state cache_uuid_state(const struct cache_uuid_entry *e)
{
	if (!memcmp(e->uuid, zero_uuid, sizeof(zero_uuid)))
		return CACHE_SLOT_FREE;
	if (!memcmp(e->uuid, cache_uuid_tombstone, sizeof(cache_uuid_tombstone)))
		return CACHE_SLOT_RETIRED;
	return e->flags & CACHE_UUID_FLASH_ONLY ? CACHE_SLOT_FLASH : CACHE_SLOT_BACKING;
}

/* With more nonzero bytes than this, where drivers write zeros, a slot was overwritten. */
#define FEW_BYTES	4

static unsigned count_nonzero(const void *p, size_t nbytes)
{
	const uint8_t *bytes = p;
	unsigned n = 0;

	for (size_t i = 0; i < nbytes; i++)
		n += !!bytes[i];
	return n;
}

/*
 * Reserved bytes and flags alone decide whether there is a finding. Labels are not checked, since
 * the driver leaves old bytes there.
 */
bool cache_uuid_is_overwritten(const struct cache_uuid_entry *e)
{
	enum cache_slot_state state = cache_uuid_state(e);
	uint32_t flags = e->flags & ~CACHE_UUID_FLASH_ONLY;
	unsigned n = count_nonzero(e->reserved, sizeof(e->reserved)) +
		     count_nonzero(&flags, sizeof(flags));

	if (!n || state == CACHE_SLOT_FREE || state == CACHE_SLOT_RETIRED)
		return false;
	n += count_nonzero(&e->invalidated, sizeof(e->invalidated));
	if (state == CACHE_SLOT_BACKING)
		n += count_nonzero(&e->sectors, sizeof(e->sectors));
	return n > FEW_BYTES;
}

bool cache_uuid_is_ambiguous(const struct cache_uuid_entry *e)
{
	enum cache_slot_state state = cache_uuid_state(e);

	return ((state == CACHE_SLOT_FLASH && !e->sectors) ||
		(state == CACHE_SLOT_BACKING && e->sectors)) &&
	       !cache_uuid_is_overwritten(e);
}

const char *cache_slot_state_name(enum cache_slot_state state)
{
	static const char *const names[] = { "free", "backing", "flash", "retired" };

	return (unsigned)state < 4 ? names[state] : "?";
}

int64_t cache_uuid_find(const struct cache_uuids *u, const uint8_t uuid[16])
{
	for (uint32_t i = 0; i < u->n; i++)
		if (!memcmp(u->slot[i].uuid, uuid, 16))
			return i;
	return -1;
}

static void decode_entry(const struct cache_uuid_disk *d, struct cache_uuid_entry *e)
{
	memcpy(e->uuid, d->uuid, sizeof(e->uuid));
	memcpy(e->label, d->label, sizeof(d->label));
	e->first_reg = cache_le32_get(d->first_reg);
	e->last_reg = cache_le32_get(d->last_reg);
	e->invalidated = cache_le32_get(d->invalidated);
	e->flags = cache_le32_get(d->flags);
	e->sectors = cache_le64_get(d->sectors);
	memcpy(e->reserved, d->pad, sizeof(e->reserved));
}

static void decode_old_entry(const struct cache_uuid_v0_disk *d, struct cache_uuid_entry *e)
{
	memcpy(e->uuid, d->uuid, sizeof(e->uuid));
	memcpy(e->label, d->label, sizeof(d->label));
	e->first_reg = cache_le32_get(d->first_reg);
	e->last_reg = cache_le32_get(d->last_reg);
	e->invalidated = cache_le32_get(d->invalidated);
}

/* Why no driver can have written the slot; NULL: one can. */
static const char *odd_slot(const struct cache_uuid_disk *d)
{
	static const uint8_t zero[sizeof(*d)];

	if (memcmp(d->pad, zero, sizeof(d->pad)))
		return "its reserved bytes are not zero";
	if (cache_le32_get(d->flags) & ~CACHE_UUID_FLASH_ONLY)
		return "it has unknown flags";
	if (!memcmp(d->uuid, zero, sizeof(d->uuid)) && memcmp(d, zero, sizeof(*d)))
		return "it has content and no uuid";
	return NULL;
}

struct table {
	const struct cache_sb *sb;
	const struct cache_sink *sink;
	struct cache_err *err;
	uint64_t bucket, sector;
};

static int check_pointer(struct table *t, const struct cache_bkey *key, bool *readable)
{
	const char *why = cache_btree_ptr_invalid(t->sb, key);
	uint64_t want = cache_meta_bucket_bytes(t->sb) / CACHE_SECTOR_BYTES;
	struct cache_finding f = { .sector = t->sector, .bucket = t->bucket };

	*readable = !why && cache_ptr_is_available(t->sb, key, 0);
	if (!*readable) {
		f.code = CACHE_P_UUID_PTR;
		f.what = why ? why : "points to a cache device that is not there";
		return cache_found(t->sink, t->err, &f);
	}
	if (t->sector % t->sb->bucket_sectors) {
		f.code = CACHE_P_UUID_OFFSET;
		f.offset = t->sector % t->sb->bucket_sectors;
		return cache_found(t->sink, t->err, &f);
	}
	/* Before 5.9 the length was the bucket's, where the two differ. */
	if (cache_key_size(key) != want && cache_key_size(key) != t->sb->bucket_sectors) {
		f.code = CACHE_P_UUID_SIZE;
		f.got = cache_key_size(key);
		f.want = want;
		return cache_found(t->sink, t->err, &f);
	}
	return 0;
}

static int decode_table(struct table *t, const void *buf, struct cache_uuids *u)
{
	const struct cache_uuid_disk *d = buf;
	const struct cache_uuid_v0_disk *old = buf;

	for (uint32_t i = 0; i < u->n; i++) {
		const char *why = u->old_layout ? NULL : odd_slot(&d[i]);
		int ret;

		if (u->old_layout)
			decode_old_entry(&old[i], &u->slot[i]);
		else
			decode_entry(&d[i], &u->slot[i]);
		if (!why)
			continue;
		ret = cache_found(t->sink, t->err, &(struct cache_finding){
			.code = CACHE_P_UUID_GARBAGE, .index = i, .what = why,
			.sector = t->sector });
		if (ret)
			return ret;
	}
	return 0;
}

struct slot_ref {
	const uint8_t *uuid;
	uint32_t index;
};

static int by_uuid(const void *a, const void *b)
{
	const struct slot_ref *x = a, *y = b;
	int cmp = memcmp(x->uuid, y->uuid, 16);

	return cmp ? cmp : x->index < y->index ? -1 : 1;
}

static int check_unique(struct table *t, const struct cache_uuids *u)
{
	struct slot_ref *refs = calloc(u->n, sizeof(*refs));
	uint32_t n = 0;
	int ret = 0;

	if (!refs)
		return cache_err_set(t->err, -ENOMEM, 0, "no memory for a uuid table");
	for (uint32_t i = 0; i < u->n; i++) {
		enum cache_slot_state state = cache_uuid_state(&u->slot[i]);

		if (state == CACHE_SLOT_BACKING || state == CACHE_SLOT_FLASH)
			refs[n++] = (struct slot_ref){ u->slot[i].uuid, i };
	}
	/* 32768 at most, as many as there are slots */
	qsort(refs, n, sizeof(*refs), by_uuid);
	for (uint32_t i = 1; i < n && !ret; i++) {
		struct cache_finding f = { .code = CACHE_P_UUID_TWICE, .sector = t->sector,
					   .index = refs[i - 1].index,
					   .other = refs[i].index };

		if (memcmp(refs[i - 1].uuid, refs[i].uuid, 16))
			continue;
		memcpy(f.uuid, refs[i].uuid, 16);
		ret = cache_found(t->sink, t->err, &f);
	}
	free(refs);
	return ret;
}

static int read_table(struct table *t, struct cache_dev *dev, struct cache_uuids *u)
{
	uint32_t nbytes = cache_meta_bucket_bytes(t->sb);
	void *buf = cache_dev_buf(nbytes);
	int ret;

	u->slot = calloc(cache_nr_uuids(t->sb), sizeof(*u->slot));
	if (!buf || !u->slot) {
		free(buf);
		return cache_err_set(t->err, -ENOMEM, 0, "no memory for a uuid table");
	}
	ret = cache_dev_read(dev, t->sector, nbytes / CACHE_SECTOR_BYTES, buf, NULL);
	if (ret) {
		ret = cache_found(t->sink, t->err, &(struct cache_finding){
			.code = CACHE_P_UUID_UNREADABLE, .bucket = t->bucket,
			.sector = t->sector });
	} else {
		u->n = cache_nr_uuids(t->sb);
		ret = decode_table(t, buf, u);
		if (!ret)
			ret = check_unique(t, u);
	}
	free(buf);
	return ret;
}

int cache_uuids_read(struct cache_dev *dev, const struct cache_sb *sb,
		     const struct cache_bkey *key, unsigned version,
		     struct cache_uuids *u, const struct cache_sink *sink,
		     struct cache_err *err)
{
	struct table t = { .sb = sb, .sink = sink, .err = err };
	bool readable;
	int ret;

	memset(u, 0, sizeof(*u));
	u->old_layout = !version;
	t.sector = cache_key_ptrs(key) ? cache_ptr_place(sb, key, 0) : 0;
	t.bucket = t.sector / sb->bucket_sectors;
	if (t.sector == UINT64_MAX)	/* then the slot can only be reported */
		t.bucket = cache_ptr_sector(key->ptr[0]) / sb->bucket_sectors;
	ret = check_pointer(&t, key, &readable);
	if (ret || !readable)
		return ret;
	if (u->old_layout)
		ret = cache_found(sink, err, &(struct cache_finding){ .code = CACHE_P_UUID_OLD });
	return ret ? ret : read_table(&t, dev, u);
}

void cache_uuids_fini(struct cache_uuids *u)
{
	free(u->slot);
	memset(u, 0, sizeof(*u));
}
