// SPDX-License-Identifier: GPL-2.0-only
/*
 * One node: where its log of sets ends, and what makes each set valid (format 6.2 to 6.4). The
 * keys of the sets are checked in btree_keys.c.
 */
#include "format/bset_codec.h"
#include "base/array.h"
#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/btree_impl.h"

static const struct cache_bset_disk *set_at(const struct cache_node_parse *p, uint32_t block)
{
	return (const void *)(p->data + (size_t)block * p->block_bytes);
}

static uint64_t csum_of(const struct cache_node_parse *p, const struct cache_bset_disk *d)
{
	struct cache_walk_times *t = p->node->times;
	uint64_t start = cache_clock_if(t), csum = cache_bset_csum(d, p->node->key.ptr[0]);

	if (t) {
		t->checksum_ns += cache_clock_ns() - start;
		t->checksum_bytes += cache_bset_bytes(d);
	}
	return csum;
}

/* The driver's checks, in its order. @f.code stays NONE if the set is valid. */
static void judge_set(const struct cache_node_parse *p, uint32_t block, struct cache_finding *f)
{
	const struct cache_bset_disk *d = set_at(p, block);
	uint64_t left = (uint64_t)(p->node->nblocks - block) * p->block_bytes;
	uint64_t magic = cache_sb_set_magic(p->sb) ^ CACHE_BSET_MAGIC;

	*f = cache_node_finding(p, CACHE_P_NONE, block);
	f->got = cache_le32_get(d->version);
	f->want = CACHE_BSET_VERSION;
	if (f->got > f->want) {
		f->code = CACHE_P_NODE_VERSION;
		return;
	}
	if (cache_bset_bytes(d) > left) {
		f->code = CACHE_P_NODE_HEADER;
		f->what = "the set goes past the node's end";
		return;
	}
	f->got = cache_le64_get(d->magic);
	f->want = magic;
	if (f->got != f->want) {
		f->code = CACHE_P_NODE_MAGIC;
		return;
	}
	f->got = cache_le64_get(d->csum);
	f->want = csum_of(p, d);
	if (f->got != f->want)
		f->code = CACHE_P_NODE_CSUM;
	else if (block && !cache_le32_get(d->keys))
		f->code = CACHE_P_NODE_EMPTY_SET;
}

static int take_set(struct cache_node_parse *p, uint32_t block)
{
	const struct cache_bset_disk *d = set_at(p, block);
	struct cache_btree_node *n = p->node;
	void *sets = cache_array_grow(n->sets, n->nsets, &n->sets_capacity, sizeof(*n->sets));

	if (!sets)
		return -ENOMEM;
	n->sets = sets;
	n->sets[n->nsets++] = (struct cache_bset_ref){
		.words = (const cache_le64 *)(d + 1), .nwords = cache_le32_get(d->keys),
		.block = block, .version = cache_le32_get(d->version) };
	n->used_blocks = block + cache_div_up(cache_bset_bytes(d), p->block_bytes);
	return 0;
}

/* A later block of the node that has its seq: the log has a hole. */
static int check_after_end(struct cache_node_parse *p)
{
	for (uint32_t b = p->node->used_blocks; b < p->node->nblocks; b++) {
		struct cache_finding f;

		if (cache_le64_get(set_at(p, b)->seq) != p->node->seq)
			continue;
		f = cache_node_finding(p, CACHE_P_NODE_AFTER_END, b);
		f.got = p->node->used_blocks;
		return cache_node_damage(p, &f);
	}
	return 0;
}

static int find_sets(struct cache_node_parse *p)
{
	struct cache_btree_node *n = p->node;
	struct cache_finding f;
	uint32_t block = 0;
	int ret;

	n->seq = cache_le64_get(set_at(p, 0)->seq);
	if (!n->seq) {
		f = cache_node_finding(p, CACHE_P_NODE_HEADER, 0);
		f.what = "the node was never written";
		return cache_node_damage(p, &f);
	}
	while (block < n->nblocks && cache_le64_get(set_at(p, block)->seq) == n->seq) {
		judge_set(p, block, &f);
		if (f.code)
			return cache_node_damage(p, &f);
		ret = take_set(p, block);
		if (ret)
			return ret;
		block = n->used_blocks;
	}
	return check_after_end(p);
}

static int check_size(struct cache_node_parse *p)
{
	uint64_t size = cache_key_size(&p->node->key);
	struct cache_finding f;

	p->node->nblocks = size / p->sb->block_sectors;
	if (p->node->nblocks && !(size % p->sb->block_sectors))
		return 0;
	f = cache_node_finding(p, CACHE_P_NODE_SIZE, 0);
	f.got = size;
	f.want = p->sb->block_sectors;
	return cache_node_damage(p, &f);
}

static int take_keys(struct cache_node_parse *p)
{
	struct cache_walk_times *t = p->node->times;
	uint64_t start = cache_clock_if(t);
	int ret = cache_node_take_stored(p) ? 0 : cache_node_keys(p);

	if (t)
		t->merge_ns += cache_clock_ns() - start;
	return ret;
}

int cache_btree_node_parse(const struct cache_sb *sb, const void *data,
			   struct cache_btree_node *node, const struct cache_sink *sink,
			   struct cache_err *err)
{
	struct cache_node_parse p = { .sb = sb, .data = data, .node = node, .sink = sink, .err = err,
			   .block_bytes = sb->block_sectors * CACHE_SECTOR_BYTES,
			   .geometry = cache_geometry_of(sb) };
	int ret;

	node->nsets = node->used_blocks = 0;
	node->keys.n = 0;
	node->stored = NULL;
	node->damaged = false;
	node->plain = !node->level;
	ret = check_size(&p);
	if (ret || !node->nblocks)
		return ret;
	ret = find_sets(&p);
	if (!ret)
		ret = take_keys(&p);
	return ret == -ENOMEM ? cache_err_set(err, ret, 0, "no memory for a btree node") : ret;
}

void cache_btree_node_fini(struct cache_btree_node *node)
{
	free(node->sets);
	node->sets = NULL;
	node->nsets = node->sets_capacity = 0;
	free(node->run);
	node->run = NULL;
	node->stored = NULL;
	cache_keys_fini(&node->keys);
	cache_keys_fini(&node->spare);
}
