// SPDX-License-Identifier: GPL-2.0-only
/*
 * Most leaves have one set of plain extents in order. One pass over the stored words shows
 * that, and nothing is decoded or copied.
 */
#include "disk/btree_impl.h"

/*
 * Whether all keys are plain and in order, and after @pos. Inode and offset compare as one
 * number: no offset is past CACHE_KEY_OFFSET_MAX.
 */
static bool all_plain(const struct cache_geometry *given, const struct cache_stored_key *k, size_t n,
		      uint64_t inode, uint64_t offset)
{
	const struct cache_geometry g = *given;
	bool ok = offset <= CACHE_KEY_OFFSET_MAX;

	for (size_t i = 0; i < n; i++) {
		uint64_t high = cache_le64_get(k[i].high), low = cache_le64_get(k[i].low);
		uint64_t size = cache_key_high_size(high), own = high & CACHE_KEY_INODE_MAX, bucket;

		ok &= cache_geometry_is_plain(&g, high, cache_le64_get(k[i].ptr), &bucket) &
		      (size != 0) & (size <= low) & (low <= CACHE_KEY_OFFSET_MAX) &
		      ((own > inode) | ((own == inode) & (low - size >= offset)));
		inode = own;
		offset = low;
	}
	return ok;
}

bool cache_node_take_stored(struct cache_node_parse *p)
{
	struct cache_btree_node *n = p->node;
	const struct cache_stored_key *k;
	struct cache_packed_key last;
	size_t nkeys;

	if (!n->undecoded || n->level || n->damaged || n->nsets != 1 || !n->sets->nwords ||
	    n->sets->nwords % 3)
		return false;
	k = (const void *)n->sets->words;
	nkeys = n->sets->nwords / 3;
	if (!all_plain(&p->geometry, k, nkeys, n->lo_inode, n->lo_offset))
		return false;
	n->stored = k;
	n->nstored = nkeys;
	last = cache_btree_node_packed(n, nkeys - 1);
	if (cache_pos_cmp(last.high & CACHE_KEY_INODE_MAX, last.low, cache_key_inode(&n->key),
			  n->key.low) > 0)
		n->stored = NULL;
	return n->stored;
}
