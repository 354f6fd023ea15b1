// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing a packed tree, from the leaves up. Each node has one set. Nodes are filled to two
 * thirds, so that the driver can append keys without splitting every leaf at once. The keys of
 * one level are the input of the next level, until one node holds them all.
 */
#include "repair/rebuild.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "format/bset_codec.h"
#include "disk/keys.h"

#define FILL_NUM	2
#define FILL_DEN	3
#define PACKED_WORDS	3	/* size of a key with two words and one pointer */

/* Number of keys per node; at least two, or the number of levels would not be bounded. */
static uint64_t keys_per_node(const struct cache_sb *sb)
{
	uint64_t nbytes = cache_btree_node_sectors(sb) * CACHE_SECTOR_BYTES -
			  CACHE_BSET_HEADER_BYTES;
	uint64_t n = nbytes / (8 * PACKED_WORDS) * FILL_NUM / FILL_DEN;

	return n < 2 ? 2 : n;
}

uint64_t cache_rebuild_nodes(const struct cache_sb *sb, uint64_t nkeys)
{
	uint64_t per = keys_per_node(sb), n = nkeys, total = 0;

	do {
		n = n ? cache_div_up(n, per) : 1;
		total += n;
	} while (n > 1);
	return total;
}

static uint64_t random_seq(struct cache_rng *rng)
{
	uint64_t seq;

	do
		seq = cache_rng_u64(rng);
	while (!seq);
	return seq;
}

/*
 * Takes a bucket for a node and increments its gen, so that no old pointer can refer to the new
 * node.
 */
static int new_node_key(struct cache_rebuild *r, struct cache_bkey *k, struct cache_err *err)
{
	uint64_t bucket;
	uint8_t gen;
	int ret = cache_commit_pick(r->commit, 1, &bucket, err);

	if (ret)
		return ret;
	gen = cache_bucket_gen(r->t, bucket) + 1;
	cache_bucket_set_gen(r->t, bucket, gen);
	cache_bucket_set_prio(r->t, bucket, CACHE_BTREE_PRIO);
	cache_bkey_set_size(k, cache_btree_node_sectors(r->sb));
	cache_bkey_set_ptrs(k, 1);
	k->ptr[0] = cache_ptr_make(r->sb->nr_this_dev, cache_bucket_sector(r->sb, bucket), gen);
	return 0;
}

/*
 * Writes one node with @n keys whose range ends at @end; @child receives the key that points to
 * it.
 */
static int write_node(struct cache_rebuild *r, const struct cache_packed_key *keys,
		      uint64_t n, const struct cache_bkey *end, char *buf,
		      struct cache_bkey *child, struct cache_err *err)
{
	uint32_t nsectors = cache_btree_node_sectors(r->sb);
	struct cache_bset_disk *d = (void *)buf;
	cache_le64 *words = (void *)(d + 1);
	int ret;

	*child = cache_bkey_make(cache_key_inode(end), end->low, 0, false);
	ret = new_node_key(r, child, err);
	if (ret)
		return ret;
	memset(buf, 0, nsectors * CACHE_SECTOR_BYTES);
	d->magic = cache_le64_of(cache_sb_set_magic(r->sb) ^ CACHE_BSET_MAGIC);
	d->seq = cache_le64_of(random_seq(&r->rng));
	d->version = cache_le32_of(CACHE_BSET_VERSION);
	for (uint64_t i = 0; i < n; i++) {
		struct cache_bkey k = cache_key_unpack(&keys[i]);

		words += cache_bkey_encode(&k, words);
	}
	d->keys = cache_le32_of(n * PACKED_WORDS);
	d->csum = cache_le64_of(cache_bset_csum(d, child->ptr[0]));
	ret = cache_commit_write(r->commit, cache_ptr_bucket(r->sb, child, 0), 0, nsectors,
				 buf, err);
	r->nnodes += !ret;
	return ret;
}

/* Writes one level of the tree: @keys are its keys, and are replaced by the keys of its nodes. */
static int write_level(struct cache_rebuild *r, const struct cache_packed_key *keys,
		       uint64_t nkeys, char *buf, struct cache_packed_key *children,
		       uint64_t *nchildren, struct cache_err *err)
{
	const struct cache_bkey max = cache_bkey_make(CACHE_KEY_INODE_MAX,
						      CACHE_KEY_OFFSET_MAX, 0, false);
	uint64_t per = keys_per_node(r->sb), done = 0;

	*nchildren = 0;
	do {
		uint64_t n = nkeys - done < per ? nkeys - done : per;
		struct cache_bkey end = max, child;
		int ret;

		if (done + n < nkeys)
			end = cache_key_unpack(&keys[done + n - 1]);
		ret = write_node(r, n ? keys + done : NULL, n, &end, buf, &child, err);
		if (!ret && r->progress)
			ret = r->progress(r->ctx, r->nnodes, r->max);
		if (ret)
			return ret;
		children[(*nchildren)++] = (struct cache_packed_key){
			child.high, child.low, child.ptr[0] };
		done += n;
	} while (done < nkeys);
	return 0;
}

static int write_levels(struct cache_rebuild *r, const struct cache_packed_key *keys,
			uint64_t nkeys, char *buf, struct cache_packed_key *children,
			struct cache_err *err)
{
	struct cache_bkey root;

	for (unsigned level = 0;; level++) {
		uint64_t n;
		int ret = write_level(r, keys, nkeys, buf, children, &n, err);

		if (ret)
			return ret;
		if (n == 1) {
			root = cache_key_unpack(&children[0]);
			cache_commit_set_root(r->commit, &root, level);
			return 0;
		}
		/*
		 * @keys is overwritten in place: a node's key is stored after all keys of that
		 * node were read
		 */
		keys = children;
		nkeys = n;
	}
}

int cache_rebuild_tree(struct cache_rebuild *r, const struct cache_packed_key *keys,
		       uint64_t nkeys, struct cache_err *err)
{
	uint64_t nchildren = nkeys / keys_per_node(r->sb) + 2;	/* the leaves, and one root */
	struct cache_packed_key *children = calloc(nchildren, sizeof(*children));
	char *buf = cache_dev_buf(cache_btree_node_sectors(r->sb) * CACHE_SECTOR_BYTES);
	int ret;

	r->max = nchildren;
	if (!children || !buf)
		ret = cache_err_set(err, -ENOMEM, 0, "no memory for a new tree");
	else
		ret = write_levels(r, keys, nkeys, buf, children, err);
	free(buf);
	free(children);
	return ret;
}
