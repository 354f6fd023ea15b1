// SPDX-License-Identifier: GPL-2.0-only
/*
 * The level of the root, which only the newest journal entry says. If it says another one, the
 * kernel takes nodes for leaves or leaves for nodes, and nothing of the tree is right. But what
 * is below a node is certain: the checksum of a child covers the pointer that leads to it.
 */
#include "repair/repair_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "disk/btree_salvage.h"
#include "format/bset_codec.h"

/* So many keys of a node are tried that look like those of children. */
#define TRIED_MAX	64

struct descent {
	const struct cache_set *set;
	uint32_t nsectors;
	char *node, *child;		/* buffers of @nsectors */
};

static bool may_lead_to_node(const struct descent *d, const struct cache_bkey *k)
{
	const struct cache_sb *sb = &d->set->sb;

	return cache_key_ptrs(k) && !cache_key_dirty(k) && !cache_bkey_is_freeing(k) &&
	       cache_key_size(k) == d->nsectors && cache_ptr_is_available(sb, k, 0) &&
	       !cache_btree_ptr_invalid(sb, k);
}

/* The first set of the node that @k points to verifies: 1, 0; -EIO. */
static int leads_to_node(const struct descent *d, const struct cache_bkey *k)
{
	const struct cache_bset_disk *b = (const void *)d->child;
	int ret = cache_dev_read(d->set->dev, cache_ptr_sector(k->ptr[0]), d->nsectors, d->child,
				 NULL);

	if (ret)
		return ret;
	return cache_le64_get(b->magic) == (cache_sb_set_magic(&d->set->sb) ^ CACHE_BSET_MAGIC) &&
	       cache_bset_bytes(b) <= d->nsectors * CACHE_SECTOR_BYTES &&
	       cache_le64_get(b->csum) == cache_bset_csum(b, k->ptr[0]);
}

/*
 * A child of the node that @key points to, in @key: 1. 0: it is a leaf. -ENOENT: it is not
 * known which it is. -ENOMEM.
 */
static int step_down(const struct descent *d, struct cache_bkey *key)
{
	const struct cache_sink silent = { .report = cache_sink_ignore };
	struct cache_btree_node n = { .key = *key, .level = 1 };
	unsigned tried = 0;
	bool has_last = false;
	int ret = 0;

	if (cache_dev_read(d->set->dev, cache_ptr_sector(key->ptr[0]), d->nsectors, d->node, NULL))
		return -ENOENT;
	n.bucket = cache_ptr_bucket(&d->set->sb, key, 0);
	ret = cache_btree_node_salvage(&d->set->sb, d->node, &n, &silent, NULL);
	if (!ret && (n.damaged || !n.nsets))
		ret = -ENOENT;
	for (size_t i = 0; i < n.keys.n && !ret && tried < TRIED_MAX; i++) {
		if (!may_lead_to_node(d, &n.keys.k[i]))
			continue;
		tried++;
		has_last |= !cache_bkey_cmp(&n.keys.k[i], &n.key);
		if (leads_to_node(d, &n.keys.k[i]) > 0) {
			*key = n.keys.k[i];
			ret = 1;
		}
	}
	/* keys look like those of children up to the node's end, and none of these is there */
	if (!ret && (has_last || tried == TRIED_MAX))
		ret = -ENOENT;
	cache_btree_node_fini(&n);
	return ret;
}

int cache_repair_root_level(struct cache_set *set, bool *wrong, struct cache_err *err)
{
	struct descent d = { .set = set, .nsectors = cache_btree_node_sectors(&set->sb) };
	struct cache_bkey key = set->journal.newest.btree_root;
	unsigned level = 0;
	int ret = 0;

	*wrong = false;
	if (cache_btree_ptr_invalid(&set->sb, &key) || cache_key_size(&key) != d.nsectors)
		return 0;
	d.node = cache_dev_buf(d.nsectors * CACHE_SECTOR_BYTES);
	d.child = cache_dev_buf(d.nsectors * CACHE_SECTOR_BYTES);
	if (!d.node || !d.child)
		ret = -ENOMEM;
	while (!ret && level <= CACHE_BTREE_LEVEL_MAX) {
		ret = step_down(&d, &key);
		if (ret != 1)
			break;
		level++;
		ret = 0;
	}
	free(d.node);
	free(d.child);
	if (ret == -ENOMEM)
		return cache_err_set(err, ret, 0, "no memory for a btree node");
	*wrong = !ret && level <= CACHE_BTREE_LEVEL_MAX && level != set->journal.newest.pos.level;
	if (*wrong)
		set->journal.newest.pos.level = level;
	return 0;
}
