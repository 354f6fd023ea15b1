// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling interior nodes from leaves. An interior node that was replaced still looks whole; taken
 * for a leaf, its keys would hide the dirty extents that end where its children did.
 */
#include "repair/repair_kind.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "format/bset_codec.h"

struct cache_child {
	uint64_t inode, end, ptr;
};

/* A clean key for a whole bucket, as that of a child is. */
static bool has_form_of_child(const struct cache_set *set, const struct cache_bkey *k)
{
	return !cache_key_dirty(k) && cache_key_size(k) == cache_btree_node_sectors(&set->sb) &&
	       (!cache_key_ptrs(k) || !(cache_ptr_sector(k->ptr[0]) % set->sb.bucket_sectors));
}

/* Whether the content of the bucket that the key points to starts like a node. */
static bool leads_to_node(const struct cache_set *set, const struct cache_bkey *k)
{
	const struct cache_bset_disk *d;
	char *buf;
	bool is;

	if (!cache_key_ptrs(k) || !cache_ptr_is_available(&set->sb, k, 0) ||
	    cache_ptr_bucket(&set->sb, k, 0) >= set->sb.nbuckets)
		return false;
	buf = cache_dev_buf(CACHE_SECTOR_BYTES);
	d = (const void *)buf;
	is = buf && !cache_dev_read(set->dev, cache_ptr_sector(k->ptr[0]), 1, buf, NULL) &&
	     cache_le64_get(d->magic) == (cache_sb_set_magic(&set->sb) ^ CACHE_BSET_MAGIC);
	free(buf);
	return is;
}

enum repair_kind cache_repair_kind_of(const struct cache_set *set, const struct cache_keys *keys)
{
	bool leads = false;

	for (size_t i = 0; i < keys->n && !leads; i++) {
		if (!has_form_of_child(set, &keys->k[i]))
			return REPAIR_LEAF;
		/* no extent ends there, but the last child of each level does */
		leads = cache_bkey_is_max(&keys->k[i]) || leads_to_node(set, &keys->k[i]);
	}
	return leads ? REPAIR_INTERIOR : REPAIR_EITHER;
}

int cache_children_add(struct cache_children *c, const struct cache_keys *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		const struct cache_bkey *k = &keys->k[i];
		void *p;

		if (!cache_key_ptrs(k))
			continue;
		p = cache_array_grow(c->c, c->n, &c->capacity, sizeof(*c->c));
		if (!p)
			return -ENOMEM;
		c->c = p;
		c->c[c->n++] = (struct cache_child){ cache_key_inode(k), k->low, k->ptr[0] };
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct cache_child *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return x->ptr < y->ptr ? -1 : x->ptr > y->ptr;
}

static int sort_place(const void *a, const void *b, void *ctx)
{
	return by_place(a, b);
}

int cache_children_sort(struct cache_children *c, const struct cache_repair_opts *opts)
{
	int ret = repair_sort(c->c, c->n, sizeof(*c->c), sort_place, opts);

	c->nsorted = ret ? 0 : c->n;
	return ret;
}

bool cache_children_has_any(const struct cache_children *c, const struct cache_keys *keys)
{
	for (size_t i = 0; i < keys->n && c->nsorted; i++) {
		const struct cache_bkey *k = &keys->k[i];
		const struct cache_child child = { cache_key_inode(k), k->low,
						   cache_key_ptrs(k) ? k->ptr[0] : 0 };

		if (cache_key_ptrs(k) &&
		    bsearch(&child, c->c, c->nsorted, sizeof(child), by_place))
			return true;
	}
	return false;
}

void cache_children_fini(struct cache_children *c)
{
	free(c->c);
	*c = (struct cache_children){ 0 };
}
